"""Tests on a pty run one after the other, so that they do not wait for one another's programs."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.services import demo
from eport_tui.settings import load_settings
from tests.card.making import CHEAP
from tests.pty.desk import ROOT, Desk, Launch


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("pty"))


@pytest.fixture(scope="session")
def demo_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo with cards whose PIN is verified at once, made once."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "CARD_COST", CHEAP)
        demo.prepare(load_settings(demo_dir=folder, environment={}))
    return folder


@pytest.fixture
def home(tmp_path: Path, demo_made: Path) -> Path:
    """A home where `eport-tui demo` finds a demo of its own."""
    shutil.copytree(demo_made, tmp_path / ".local" / "share" / "eport-tui" / "demo")
    return tmp_path


@pytest.fixture
def launch(home: Path) -> Iterator[Launch]:
    """Start the program on a terminal; what still runs at the end of the test is ended."""
    with contextlib.ExitStack() as running:

        def start(
            *arguments: str,
            term: str = "xterm-256color",
            size: tuple[int, int] = (80, 24),
            **environment: str,
        ) -> Desk:
            return running.enter_context(
                Desk(
                    [sys.executable, "-m", "eport_tui", *(arguments or ["demo"])],
                    env={"HOME": str(home), **environment},
                    cwd=ROOT,
                    term=term,
                    size=size,
                )
            )

        yield start


@pytest.fixture
def database(home: Path) -> Path:
    """The demo's database."""
    return home / ".local" / "share" / "eport-tui" / "demo" / "eport.db"
