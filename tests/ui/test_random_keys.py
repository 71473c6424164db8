"""Whatever keys are pressed, the program neither breaks nor stops answering."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from textual import events
from textual.keys import _character_to_key

from eport_tui.settings import Settings
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, PIN, Operator, at_work

KEYS = [
    *["enter"] * 6,
    *["escape", "tab", "space", "down"] * 2,
    *["shift+tab", "up", "left", "right", "pageup", "pagedown", "home", "end"],
    *["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12"],
    *["delete", "backspace", "ctrl+s", "ctrl+l", "ctrl+u"],
    *"yn1239508X+中",
]
STEPS, MOST_AT_ONCE, SECONDS = 40, 6, 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("card", [MANUFACTURER, BROKER, OPERATOR])
async def test_any_keys_in_any_order(
    settings: Settings, card: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(f"{card} {seed}")
    pressed: list[str] = []
    async with at_work(settings, card) as operator:
        await operator.type(chance.choice(["11", "12", "13"]))
        for _ in range(STEPS):
            keys = chance.choices(KEYS, k=chance.randint(1, MOST_AT_ONCE))
            pressed += keys
            for key in keys:
                operator.app.post_message(event_of(key))
            async with asyncio.timeout(SECONDS):
                await operator.app.keys_settled()
            defects = [record for record in caplog.records if record.levelno >= logging.ERROR]
            assert not defects, f"after {pressed[-20:]}: {defects[0].exc_text}"
            if not operator.app.is_running:
                return
            await come_back(operator)


def event_of(key: str) -> events.Key:
    """The event of a key or a character."""
    if len(key) == 1:
        return events.Key(_character_to_key(key), key)
    return events.Key(key, " " if key == "space" else None)


async def come_back(operator: Operator) -> None:
    """Unlock or log in again where the keys have led out."""
    screen = operator.app.screen.name
    if screen == "lock":
        if not operator.app.active_session.card.is_present():
            await operator.press("f7")
        # The watch takes up the card that was put back a moment later.
        await operator.wait_until(lambda: operator.app.active_session.card.is_present())
    if screen == "lock" or operator.sees("持卡人", "* 密码"):
        await operator.press("ctrl+u")
        await operator.type(PIN)
        await operator.press("enter")
