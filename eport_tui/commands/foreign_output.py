"""What C libraries and other programs would write across the screen goes into the log."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

# A program that was started, and has not ended, may keep the pipe open.
_LAST_WORDS_SECONDS = 1.0

_log = logging.getLogger(__name__)


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
