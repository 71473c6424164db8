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
from eport_tui.commands import work
painted, load_textual = threading.Event(), work.load_textual

def note(when):
    whole = pathlib.Path(sys.argv[1], when)
    part = whole.with_suffix(".part")
    part.write_text("\\n".join(sys.modules))
    part.rename(whole)

def load_and_watch():
    load_textual()
    from eport_tui import app, workplace
    from eport_tui.terminal.lean import LeanApp
    display, open_workplace = LeanApp._display, workplace.open_all
    open_readers = app.EportApp.open_readers

    def note_and_display(self, screen, update):
        display(self, screen, update)
        if update is not None and not painted.is_set():
            note("painted")
            painted.set()

    def open_when_painted(settings):
        painted.wait()
        return open_workplace(settings)

    async def note_and_open_readers(self):
        # By now the cards are shown and can be chosen.
        note("usable")
        await open_readers(self)

    LeanApp._display, workplace.open_all = note_and_display, open_when_painted
    app.EportApp.open_readers = note_and_open_readers

work.load_textual = load_and_watch
from eport_tui.__main__ import main
sys.exit(main([]))
"""

NEEDLESS = {
    "argparse",
    "cryptography",
    "email",
    "eport_tui.card.authority",
    "eport_tui.card.certificates",
    "eport_tui.card.session",
    "eport_tui.commands.card",
    "eport_tui.commands.demo",
    "eport_tui.commands.registry",
    "eport_tui.screens.enterprise_grants",
    "eport_tui.screens.help",
    "eport_tui.screens.menus",
    "eport_tui.services.registry",
    "eport_tui.store.models",
    "eport_tui.widgets.calendar",
    "eport_tui.widgets.dialogs",
    "eport_tui.widgets.form",
    "eport_tui.widgets.picker",
    "hashlib",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "peewee",
    "playhouse",
    "pygments",
    "secrets",
    "smartcard",
    "sqlite3",
    "ssl",
    "textual.command",
    "textual.widgets._input",
    "tomllib",
    "unittest",
    "urllib.request",
    "websockets",
    "zoneinfo",
}
NEEDLESS_BEFORE_IT_IS_PAINTED = {
    "apsw",
    "csv",
    "eport_tui.card.pcsc",
    "eport_tui.card.software",
    "eport_tui.reference",
    "eport_tui.services",
    "eport_tui.store",
}


@pytest.fixture
def loaded(home: Path, tmp_path: Path) -> dict[str, set[str]]:
    """The modules of a program when its first screen is painted, and when it can be used."""
    data = home / ".local" / "share" / "eport-tui"
    environment = {name: str(data / "demo" / name) for name in ("cards", "trust", "authority")}
    with Desk(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        env={
            "HOME": str(home),
            "EPORT_TUI_DATABASE": str(data / "demo" / "eport.db"),
            **{f"EPORT_TUI_{name.upper()}": path for name, path in environment.items()},
        },
        cwd=ROOT,
    ) as desk:
        desk.wait_for(MANUFACTURER)
        desk.wait_until(lambda _: (tmp_path / "usable").exists(), what="the note")
    return {when: set((tmp_path / when).read_text().split("\n")) for when in ("painted", "usable")}


def test_only_what_the_login_screen_needs_is_there_when_it_is_painted(
    loaded: dict[str, set[str]],
) -> None:
    assert "eport_tui.screens.login" in loaded["painted"]
    assert sorted(loaded["painted"] & (NEEDLESS | NEEDLESS_BEFORE_IT_IS_PAINTED)) == []


def test_a_card_can_be_chosen_before_anything_is_loaded_that_only_a_chosen_one_needs(
    loaded: dict[str, set[str]],
) -> None:
    assert {"apsw", "eport_tui.card.software", "eport_tui.card.glance"} <= loaded["usable"]
    assert sorted(loaded["usable"] & NEEDLESS) == []
