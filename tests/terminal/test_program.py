"""The screens of the program look on the lean terminal as Textual draws them."""

from __future__ import annotations

import random

import pytest

from eport_tui.settings import Settings
from tests.terminal.compare import COLOURS, judged, press_any_keys
from tests.ui.operator import BROKER, MANUFACTURER

KEYS = 60


@pytest.mark.parametrize("card", [MANUFACTURER, BROKER])
@pytest.mark.parametrize("colours", COLOURS)
async def test_after_any_keys_both_terminals_look_the_same(
    settings: Settings, colours: str, card: str
) -> None:
    with judged(colours) as judge:
        await press_any_keys(settings, card, random.Random(f"{colours} {card}"), KEYS)
    assert judge.updates > 10
    assert judge.lean < judge.stock / 5
