"""`eport-tui` without a command: log in and work."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import suppress

from eport_tui.errors import EportError
from eport_tui.settings import Settings
from eport_tui.terminal.unused import load_textual

# Textual reads these when it is imported: nothing moves by itself, and Esc is not waited for long.
ENVIRONMENT = {
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
    "ESCDELAY": "25",
}

_PR_SET_DUMPABLE = 4


def work(settings: Settings) -> int:
    """Run the program until it is left; returns its exit code."""
    keep_memory_private()
    demand_terminal()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Imports and the first screen make no garbage; the application takes it up again.
    gc.disable()
    _log_to(settings)
    load_asyncio()
    load_textual()
    from eport_tui.app import EportApp

    app = EportApp(settings)
    app.run()
    return app.return_code or 0


def demand_terminal() -> None:
    """See that there is a terminal to work at.

    Raises:
        EportError: There is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise EportError("请在终端中运行本程序", hint="现在的输入或输出不是终端")


def load_asyncio() -> None:
    """Have asyncio do without `ssl`, which nothing here uses on it; others still may import it."""
    if "ssl" not in sys.modules:
        sys.modules["ssl"] = None  # type: ignore[assignment]
        try:
            import asyncio  # noqa: F401
        finally:
            del sys.modules["ssl"]


def keep_memory_private() -> None:
    """Leave no core file, and let no other process of the same user look into this one.

    What holds a PIN is wiped, but only after use.  Where a system cannot do this, the
    program runs all the same.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class _LogFile(logging.FileHandler):
    """A log file that is opened at the first record, and done without where it cannot be written.

    A full disk or a folder without permission must not take the place of what is logged.
    """

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Write no traceback across the screen."""


def _log_to(settings: Settings) -> None:
    """Write warnings and defects to the log file; without one if it cannot be written."""
    with suppress(OSError):
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(settings.log_file, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
