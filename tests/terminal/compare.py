"""The whole program under random keys: two terminals, and a judge that compares them.

    python -m tests.terminal.compare --keys 20000

Every update goes to one emulator by the lean output and to another as Textual
writes it.  After each the two must look the same.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.color import ColorSystem
from textual.screen import Screen

from eport_tui.services import demo
from eport_tui.settings import Settings, load_settings
from eport_tui.terminal.lean import LeanApp
from eport_tui.terminal.output import Output
from tests.card.making import CHEAP
from tests.terminal.emulator import Emulator
from tests.terminal.judge import shown_by_textual
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, at_work
from tests.ui.test_random_keys import KEYS, come_back, event_of

SIZES = [(80, 24)] * 4 + [(120, 40), (81, 25), (60, 12)]
MOST_AT_ONCE, RESIZED = 6, 0.05
COLOURS: dict[str, Mapping[str, str]] = {
    "16": {"TERM": "xterm"},
    "256": {"TERM": "xterm-256color"},
    "truecolor": {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    "NO_COLOR": {"TERM": "xterm-256color", "NO_COLOR": "1"},
    "no BCE": {"TERM": "screen-256color"},
}


class Judge:
    """Looks at every update of an application.

    Attributes:
        updates: How many there were.
        lean: Characters that the lean output wrote for them.
        faults: What was not the same.
        stock: Those that Textual would have written.
    """

    def __init__(self) -> None:
        self.updates = self.lean = self.stock = 0
        self.faults: list[AssertionError] = []
        self._output: Output | None = None

    def look_at(self, app: LeanApp, update: Any) -> None:
        """Show an update on both terminals and compare them."""
        system = app.console._color_system or ColorSystem.TRUECOLOR
        # While the window is resized an update may still be one of the old size.
        size = app.screen._compositor.size
        output = self._output
        if output is None or (output.width, output.height) != size:
            output = self._output = Output(*size, system)
            bce = output._erases
            self._terminals = Emulator(*size, bce=bce), Emulator(*size, bce=bce)
        lean, stock = self._terminals
        cursor = size.clamp_offset(app.cursor_position)
        written, usual = output.show(update, cursor), shown_by_textual(update, cursor, system)
        lean.feed(written)
        stock.feed(usual)
        self.updates += 1
        self.lean += len(written.encode())
        self.stock += len(usual.encode())
        assert (lean.x, lean.y) == (stock.x, stock.y) == cursor
        for y, (one, other) in enumerate(zip(lean.seen(), stock.seen(), strict=True)):
            assert one == other, f"line {y}: {difference(one, other)}"


def difference(one: list[Any], other: list[Any]) -> str:
    """The first cell in which two lines differ."""
    return next(f"{x}: {a} {b}" for x, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)


@contextmanager
def judged(colours: str) -> Iterator[Judge]:
    """A judge of all that applications draw, on a terminal with certain colours."""
    judge, display = Judge(), LeanApp._display

    def look_and_display(app: LeanApp, screen: Screen[Any], update: Any) -> None:
        if app._running and not app._batch_count and Output.takes(update):
            try:
                judge.look_at(app, update)
            except AssertionError as error:
                # Out of a screen's own task it would only be a defect in the log.
                judge.faults.append(error)
        display(app, screen, update)

    environment = {name: "" for name in ("COLORTERM",)} | dict(COLOURS[colours])
    with patch.dict(os.environ, environment), patch.object(LeanApp, "_display", look_and_display):
        yield judge
    if judge.faults:
        raise judge.faults[0]


async def press_any_keys(settings: Settings, card: str, chance: random.Random, count: int) -> None:
    """Log in and press about so many keys, in bursts; now and then the window is resized."""
    pressed: list[str] = []
    async with at_work(settings, card) as operator:
        await operator.type(chance.choice(["11", "12", "13"]))
        while len(pressed) < count and operator.app.is_running:
            keys = chance.choices(KEYS, k=chance.randint(1, MOST_AT_ONCE))
            pressed += keys
            for key in keys:
                operator.app.post_message(event_of(key))
            await operator.app.keys_settled()
            if operator.app.is_running:
                if chance.random() < RESIZED:
                    await operator.pilot.resize_terminal(*chance.choice(SIZES))
                await come_back(operator)


def main() -> int:
    """Compare in all colours; the exit code is 0 when nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.terminal.compare")
    parser.add_argument("--keys", type=int, default=20_000, help="how many keys to press")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    each = 200
    done = updates = lean = stock = 0
    with tempfile.TemporaryDirectory() as folder, patch.object(demo, "CARD_COST", CHEAP):
        for at in range(max(1, arguments.keys // each)):
            colours = list(COLOURS)[at % len(COLOURS)]
            card = (MANUFACTURER, BROKER, OPERATOR)[at % 3]
            settings = load_settings(demo_dir=Path(folder) / str(at), environment={})
            demo.prepare(settings)
            chance = random.Random(f"{arguments.seed} {at}")
            with judged(colours) as judge:
                asyncio.run(press_any_keys(settings, card, chance, each))
            done += each
            updates, lean, stock = updates + judge.updates, lean + judge.lean, stock + judge.stock
            print(f"\r{done} keys, {updates} updates, {lean} of {stock} bytes", end="", flush=True)
    print("; no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
