"""A program that is open all day does not grow with the screens that were opened."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from eport_tui.settings import Settings
from eport_tui.terminal import lean
from tests.ui.operator import MANUFACTURER, at_work


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nothing is collected but in a pause; the pauses in which that was done."""
    done: list[str] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if told["generation"] == 2:
            done.append(phase)

    usual = gc.get_threshold()
    gc.set_threshold(10**9)
    gc.callbacks.append(note)
    monkeypatch.setattr(lean, "_WORTH_COLLECTING", 10**9)
    monkeypatch.setattr(lean, "_WORTH_A_PAUSE", 0)
    yield done
    gc.callbacks.remove(note)
    gc.set_threshold(*usual)


async def test_in_pauses_a_screen_that_was_left_gives_its_memory_back(
    settings: Settings, pauses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_PAUSE_SECONDS", 0.02)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        left = weakref.ref(operator.app.screen)
        await operator.press("escape")
        # What is still under way may hold it for a while.
        for _ in range(10):
            pauses.clear()
            await operator.press("down")
            await operator.wait_until(lambda: "stop" in pauses)
        assert left() is None


async def test_who_types_on_does_not_wait_for_it(
    settings: Settings, pauses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_PAUSE_SECONDS", 3600)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press("escape")
        waiting = operator.app._pause
        await operator.press("down")
        assert waiting is not None
        assert waiting.cancelled()
        assert not pauses
