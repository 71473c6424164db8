"""The login screen is painted before anything is loaded that it does not need."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pty.desk import MANUFACTURER, ROOT, Desk

# Notes what is loaded when the first frame goes to the terminal; what the data thread
# loads beside it for the database and the cards is held back until then.
_PROGRAM = """
import pathlib, sys, threading
from eport_tui import app
from eport_tui.terminal.lean import LeanApp
painted, display, open_workplace = threading.Event(), LeanApp._display, app._open

def note_and_display(self, screen, update):
    display(self, screen, update)
    if update is not None and not painted.is_set():
        pathlib.Path(sys.argv[1]).write_text("\\n".join(sys.modules))
        painted.set()

def open_when_painted(settings):
    painted.wait()
    return open_workplace(settings)

LeanApp._display, app._open = note_and_display, open_when_painted
from eport_tui.__main__ import main
sys.exit(main([]))
"""

NEEDLESS = {
    "apsw",
    "argparse",
    "cryptography",
    "csv",
    "email",
    "eport_tui.card.authority",
    "eport_tui.card.pcsc",
    "eport_tui.card.session",
    "eport_tui.card.software",
    "eport_tui.commands.card",
    "eport_tui.commands.demo",
    "eport_tui.commands.registry",
    "eport_tui.reference",
    "eport_tui.screens.enterprise_grants",
    "eport_tui.screens.help",
    "eport_tui.screens.menus",
    "eport_tui.services",
    "eport_tui.store",
    "eport_tui.widgets.calendar",
    "eport_tui.widgets.picker",
    "hashlib",
    "http",
    "importlib.metadata",
    "peewee",
    "playhouse",
    "pygments",
    "smartcard",
    "sqlite3",
    "unittest",
    "urllib.request",
    "websockets",
    "zoneinfo",
}


@pytest.fixture
def loaded(home: Path, tmp_path: Path) -> set[str]:
    """The modules of a program that has just painted its first screen, and then opens."""
    note = tmp_path / "modules"
    data = home / ".local" / "share" / "eport-tui"
    environment = {name: str(data / "demo" / name) for name in ("cards", "trust", "authority")}
    with Desk(
        [sys.executable, "-c", _PROGRAM, str(note)],
        env={
            "HOME": str(home),
            "EPORT_TUI_DATABASE": str(data / "demo" / "eport.db"),
            **{f"EPORT_TUI_{name.upper()}": path for name, path in environment.items()},
        },
        cwd=ROOT,
    ) as desk:
        desk.wait_for(MANUFACTURER)
    return set(note.read_text().split("\n"))


def test_only_what_the_login_screen_needs_is_there_when_it_is_painted(loaded: set[str]) -> None:
    assert "eport_tui.screens.login" in loaded
    assert sorted(loaded & NEEDLESS) == []
