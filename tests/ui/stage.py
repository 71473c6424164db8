"""A stage for single widgets and dialogs, with the styles and the keys of the program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.widget import Widget

import eport_tui
from eport_tui.terminal.keygate import KeyGate
from eport_tui.widgets.dialogs import Dialog
from eport_tui.widgets.themes import theme_for
from tests.ui.operator import Operator


class Stage(KeyGate):
    """An application with nothing but the widgets it is given.

    Attributes:
        answers: What was answered to the dialogs, in order.
        failures: Errors that a flow ended with.
    """

    CSS_PATH = Path(eport_tui.__file__).with_name("styles") / "eport.tcss"

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        theme = theme_for("truecolor")
        self.register_theme(theme)
        self.theme = theme.name
        self._widgets = widgets
        self.answers: list[Any] = []
        self.failures: list[Exception] = []

    def compose(self) -> ComposeResult:
        yield from self._widgets

    async def show(self, dialog: Dialog[Any]) -> None:
        self.answers.append(await self.ask(dialog))

    def flow_failed(self, error: Exception) -> None:
        self.failures.append(error)


class Actor(Operator):
    """Somebody on the stage.

    Attributes:
        stage: The stage.
    """

    def __init__(self, stage: Stage, pilot: Any) -> None:
        super().__init__(stage, pilot)  # type: ignore[arg-type]
        self.stage = stage

    @property
    def answer(self) -> Any:
        """The one answer that was given."""
        (answer,) = self.stage.answers
        return answer


@asynccontextmanager
async def on_stage(*widgets: Widget, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Actor]:
    """Somebody at a screen that shows the widgets."""
    stage = Stage(*widgets)
    async with stage.run_test(size=size) as pilot:
        actor = Actor(stage, pilot)
        await actor.settle()
        yield actor
        assert stage.failures == []


@asynccontextmanager
async def asked(dialog: Dialog[Any], *, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Actor]:
    """Somebody who sees a dialog."""
    async with on_stage(size=size) as actor:
        actor.stage.start_flow(actor.stage.show(dialog))
        await actor.settle()
        yield actor
