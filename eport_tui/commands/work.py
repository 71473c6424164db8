"""`eport-tui` without a command: log in and work."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

from eport_tui.commands.foreign_output import only_python_writes_errors
from eport_tui.errors import EportError
from eport_tui.log import log_to
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
    log_to(settings.log_file)
    load_asyncio()
    load_textual()
    from eport_tui.app import EportApp

    with only_python_writes_errors():
        app = EportApp(settings)
        app.run()
    return app.return_code or 0


def demand_terminal() -> None:
    """See that there is a terminal to work at.

    Raises:
        EportError: There is none.
    """
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
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
