"""The log file of the program: warnings and defects, and nothing personal."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path


class _LogFile(logging.FileHandler):
    """A log file that is made at the first record, and done without where it cannot be written.

    A full disk or a folder without permission must not take the place of what is logged.
    """

    def _open(self) -> object:  # type: ignore[override]
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Write no traceback across the screen."""


def log_to(file: Path) -> None:
    """Write warnings and defects to a file; without one if it cannot be written."""
    handler = _LogFile(file, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def logged_to() -> Path | None:
    """The file that is logged to, if there is one."""
    handlers = logging.getLogger().handlers
    files = (each.baseFilename for each in handlers if isinstance(each, _LogFile))
    return next(map(Path, files), None)


def where_logged(file: Path) -> str:
    """What is told of a defect that was just logged: where its details are, if anywhere."""
    if os.path.isfile(file) and os.access(file, os.W_OK):
        return f"详情记录在 {file}"
    return f"日志无法写入，没有记录：{file}"
