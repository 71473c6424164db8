"""The log file: warnings and defects of the program and of the libraries that it uses."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


class _LogFile(logging.FileHandler):
    """A file that is made when there is something to write; where that fails, nothing is."""

    def _open(self) -> object:  # type: ignore[override]
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Do not write a traceback on the terminal because the disk is full."""


def log_to(path: Path) -> None:
    """Write warnings and defects to a file."""
    handler = _LogFile(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


@contextmanager
def only_python_writes_errors(log: Path) -> Generator[None]:
    """Let nothing but Python write to the terminal by file descriptor 2.

    What C libraries write there, such as the warnings of libpq, goes to the log file, or
    nowhere if that cannot be written.  `sys.stderr` goes on to the terminal, for Textual's
    screen and for the traceback of a crash.
    """
    python, own = (sys.stderr, sys.__stderr__), os.dup(2)
    with open(
        own, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors
    ) as terminal:
        sys.stderr.flush()
        into = _opened(log)
        os.dup2(into, 2)
        os.close(into)
        sys.stderr = sys.__stderr__ = terminal  # type: ignore[misc]
        try:
            yield
        finally:
            sys.stderr, sys.__stderr__ = python  # type: ignore[misc]
            terminal.flush()
            os.dup2(own, 2)


def _opened(log: Path) -> int:
    """A file descriptor of the log file, or of nothing."""
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
