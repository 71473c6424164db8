"""The demo's enterprises, cards and grants on a day that does not change."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from eport_tui import app
from eport_tui.desk import changes
from eport_tui.domain.dates import SHANGHAI
from eport_tui.screens import lock
from eport_tui.services import demo
from eport_tui.settings import Settings, load_settings
from eport_tui.widgets import bars
from tests.card.making import CHEAP
from tests.ui.colleague import Colleague, at_the_same_database

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture(scope="session")
def demo_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo, made once."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(NOW, tick=False):
        patch.setattr(demo, "CARD_COST", CHEAP)
        demo.prepare(load_settings(demo_dir=folder, environment={}))
    return folder


@pytest.fixture
def settings(tmp_path: Path, demo_made: Path) -> Settings:
    """Settings of a demo that the test may change as it likes."""
    folder = tmp_path / "demo"
    shutil.copytree(demo_made, folder)
    return load_settings(demo_dir=folder, environment={})


@pytest.fixture(scope="session", autouse=True)
def styles_read_once() -> Iterator[None]:
    """Each program reads the same style sheet, which takes an eighth of its start and login."""
    read = Stylesheet._parse_rules
    kept: dict[tuple[object, ...], list[RuleSet]] = {}

    def parse_rules(sheet: Stylesheet, *what: Any, **more: Any) -> list[RuleSet]:
        key = (*what, *more.items(), *sheet._variables.items())
        if key not in kept:
            kept[key] = read(sheet, *what, **more)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_rules)
        yield


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    """It is ten o'clock on 2026-11-24 in Shanghai, a Tuesday."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def no_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A defect of the program is logged and not shown, so look for one after each test."""
    yield
    defects = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not defects, "\n".join(logging.Formatter().format(record) for record in defects)


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others save is seen when the test asks for it, and not while it is elsewhere."""
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 3600)


@pytest.fixture(autouse=True)
def quick_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is read as soon as it is there."""
    monkeypatch.setattr(bars, "READING_SECONDS", 0)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program look for cards so often that nobody has to wait."""
    monkeypatch.setattr(app, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(lock, "LOOK_SECONDS", 0.02)


@pytest.fixture
def colleague(settings: Settings) -> Iterator[Colleague]:
    """A colleague of the manufacturer."""
    with at_the_same_database(settings) as colleague:
        yield colleague


@pytest.fixture
def broker(settings: Settings) -> Iterator[Colleague]:
    """A legal person of the broker that the manufacturer grants to."""
    with at_the_same_database(settings, "8900000000035") as colleague:
        yield colleague
