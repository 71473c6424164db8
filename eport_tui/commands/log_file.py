"""The log file: warnings and defects of the program and of the libraries that it uses."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

# A program that was started, and has not ended, may keep the pipe open.
_LAST_WORDS_SECONDS = 1.0

_log = logging.getLogger(__name__)


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
def only_python_writes_errors() -> Generator[None]:
    """Let nothing but Python write to the terminal by file descriptor 2.

    What C libraries and other programs write there, such as the warnings of libpq, is
    logged, and what they repeat once.  `sys.stderr` goes on to the terminal, for Textual's
    screen and for the traceback of a crash.
    """
    python, own = (sys.stderr, sys.__stderr__), os.dup(2)
    reader, writer = os.pipe()
    # Whoever writes more than is read meanwhile must not wait for it.
    os.set_blocking(writer, False)
    logging_it = threading.Thread(target=_log_lines, args=(reader,), name="stderr", daemon=True)
    with open(
        own, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors
    ) as terminal:
        sys.stderr.flush()
        os.dup2(writer, 2)
        os.close(writer)
        sys.stderr = sys.__stderr__ = terminal  # type: ignore[misc]
        logging_it.start()
        try:
            yield
        finally:
            sys.stderr, sys.__stderr__ = python  # type: ignore[misc]
            terminal.flush()
            # The other end of the pipe is closed by this, and the thread reads to its end.
            os.dup2(own, 2)
    logging_it.join(_LAST_WORDS_SECONDS)


def _log_lines(reader: int) -> None:
    last = ""
    with open(reader, encoding="utf-8", errors="backslashreplace") as lines:
        for line in map(str.strip, lines):
            if line and line != last:
                _log.warning("on stderr: %s", line)
            last = line
