"""The calendar of a date field."""

from __future__ import annotations

from datetime import date

import pytest

from eport_tui.widgets.calendar import Calendar
from tests.ui.stage import asked

TODAY = date(2026, 11, 24)


def calendar(day: date = TODAY, earliest: date = TODAY) -> Calendar:
    return Calendar("权限有效期", day, earliest=earliest)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([], date(2026, 11, 24)),
        (["right"], date(2026, 11, 25)),
        (["down"], date(2026, 12, 1)),
        (["down", "up"], date(2026, 11, 24)),
        (["right", "right", "left"], date(2026, 11, 25)),
        (["pagedown"], date(2026, 12, 24)),
        (["pagedown", "pagedown", "pageup"], date(2026, 12, 24)),
        (["end"], date(2026, 11, 30)),
        (["pagedown", "home"], date(2026, 12, 1)),
        (["y"], date(2027, 11, 24)),
        (["Y", "y"], date(2028, 11, 24)),
    ],
)
async def test_moving(keys: list[str], chosen: date) -> None:
    async with asked(calendar()) as actor:
        await actor.press(*keys, "enter")
        assert actor.answer == chosen


@pytest.mark.parametrize("keys", [["left"], ["up"], ["pageup"], ["home"]])
async def test_no_day_before_the_earliest_can_be_chosen(keys: list[str]) -> None:
    async with asked(calendar()) as actor:
        await actor.press(*keys, "enter")
        assert actor.answer == TODAY


async def test_a_value_that_has_passed_begins_today() -> None:
    async with asked(calendar(date(2026, 10, 20))) as actor:
        assert "2026年11月24日 星期二" in actor.dialog
        assert "今天" in actor.dialog


async def test_a_year_after_29_february_is_the_28th() -> None:
    async with asked(calendar(date(2028, 2, 29))) as actor:
        await actor.press("y", "enter")
        assert actor.answer == date(2029, 2, 28)


async def test_a_month_after_the_31st_is_the_last_of_the_month() -> None:
    async with asked(calendar(date(2027, 1, 31))) as actor:
        await actor.press("pagedown", "enter")
        assert actor.answer == date(2027, 2, 28)


async def test_the_end_of_time_stops_it() -> None:
    async with asked(calendar(date(9999, 12, 31))) as actor:
        await actor.press("right", "down", "pagedown", "y", "enter")
        assert actor.answer == date(9999, 12, 31)


@pytest.mark.parametrize("key", ["escape", "f12"])
async def test_esc_is_no_answer(key: str) -> None:
    async with asked(calendar()) as actor:
        await actor.press("right", key)
        assert actor.answer is None


async def test_the_days_stand_under_their_weekdays() -> None:
    async with asked(calendar(date(2028, 2, 29))) as actor:
        assert "2028年2月29日 星期二" in actor.dialog
        header = actor.place_of("二  三")
        day = actor.place_of(">29")
        assert day[0] + 1 == header[0]
        assert actor.lines[header[1] + 1].split() == ["1", "2", "3", "4", "5", "6"]


async def test_a_click_chooses_a_day_and_one_on_a_day_that_has_passed_does_not() -> None:
    async with asked(calendar()) as actor:
        x, y = actor.place_of(">24")
        await actor.click_at(x - 3, y)
        assert actor.stage.answers == []
        await actor.click_at(x + 5, y)
        assert actor.answer == date(2026, 11, 25)


async def test_a_click_outside_cancels() -> None:
    async with asked(calendar()) as actor:
        await actor.click_at(1, 1)
        assert actor.answer is None


@pytest.mark.parametrize("month", range(1, 13))
async def test_every_month_fits_its_box(month: int) -> None:
    # 2026-03 and 2026-08 have six weeks.
    async with asked(calendar(date(2026, month, 1), date(2026, 1, 1))) as actor:
        await actor.press("end")
        assert actor.sees("今天起第")
        assert ">" in actor.dialog
