"""A list of any length: what is read of it, and how one moves in it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest

from eport_tui.errors import StoreError
from eport_tui.widgets.grid import CACHED_PAGES, PAGE_ROWS, Column, Grid
from tests.ui.stage import Actor, on_stage

ROWS = 100_000
HEIGHT = 22
"""Rows that fit on the screen below title and heading."""


class Numbers:
    """A hundred thousand rows, of which only what is asked for exists."""

    def __init__(self, count: int = ROWS) -> None:
        self.rows = count
        self.fetched: list[int] = []
        self.fault: StoreError | None = None

    async def count(self) -> int:
        return self.rows

    async def fetch(self, offset: int, limit: int) -> Sequence[int]:
        if self.fault is not None:
            raise self.fault
        assert limit <= PAGE_ROWS
        self.fetched.append(offset)
        return range(offset, min(offset + limit, self.rows))

    async def position(self, key: Hashable) -> int | None:
        assert isinstance(key, int)
        return key if key < self.rows else None


def grid() -> Grid[int]:
    return Grid(
        "数字",
        [
            Column("编号", 8, lambda row: f"N{row}"),
            Column("名称", 0, lambda row: f"第{row}个名称"),
            Column("另一名称", 0, lambda row: f"另{row}", wide=True),
            Column("状态", 8, lambda row: "有效", lambda row: "active"),
        ],
        lambda row: row,
    )


async def filled(actor: Actor, count: int = ROWS) -> tuple[Grid[int], Numbers]:
    """Show a hundred thousand rows."""
    shown, numbers = actor.stage.query_one(Grid), Numbers(count)
    await shown.show(numbers)
    await shown.select(0)
    await actor.settle()
    return shown, numbers


async def test_never_more_than_a_few_pages_of_a_hundred_thousand_rows_are_read() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        assert numbers.fetched == [0]
        assert actor.sees("第1条 共100000条", "N0 ", f"N{HEIGHT - 1} ")
        await actor.press("end")
        assert actor.sees("第100000条 共100000条", "N99999")
        assert numbers.fetched == [0, 99_900]
        await actor.press("home", "pagedown", "pageup", "down", "down")
        assert numbers.fetched == [0, 99_900]
        await shown.reload(select=50_000)
        await actor.settle()
        assert actor.sees("第50001条", "N50000")
        assert len(numbers.fetched) <= 4


async def test_scrolling_through_keeps_only_a_few_pages() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        await actor.press(*["pagedown"] * 100)
        assert shown.cursor == 100 * HEIGHT
        assert len(shown._pages) <= CACHED_PAGES
        assert numbers.fetched == sorted(set(numbers.fetched))


async def test_moving_reads_nothing_that_is_there_already() -> None:
    async with on_stage(grid()) as actor:
        _, numbers = await filled(actor)
        await actor.press(*["down"] * 50)
        assert numbers.fetched == [0]


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        (["down"], 1),
        (["up"], 0),
        (["down", "down", "up"], 1),
        (["pagedown"], HEIGHT),
        (["pagedown", "pageup"], 0),
        (["pageup"], 0),
        (["end"], ROWS - 1),
        (["end", "down"], ROWS - 1),
        (["end", "pagedown"], ROWS - 1),
        (["end", "home"], 0),
    ],
)
async def test_moving(keys: list[str], cursor: int) -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press(*keys)
        assert shown.cursor == cursor
        assert shown.selected == cursor
        assert actor.row(f"N{cursor} ").startswith("> ")


async def test_no_row_is_selected_before_the_list_is_entered() -> None:
    async with on_stage(grid()) as actor:
        shown = actor.stage.query_one(Grid)
        shown.can_focus = False
        await shown.show(Numbers())
        assert shown.selected is None
        assert not any(line.startswith("> ") for line in actor.lines)


async def test_an_empty_list_says_so() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor, 0)
        await actor.press("down", "end", "pagedown", "home")
        assert shown.selected is None
        assert actor.sees("共0条", "暂无数据")


async def test_a_row_that_is_gone_gives_its_place_to_the_next_one() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor, 3)
        await actor.press("end")
        numbers.rows = 2
        await shown.reload()
        assert shown.selected == 1
        numbers.rows = 0
        await shown.reload()
        assert shown.selected is None


async def test_a_click_selects_and_the_wheel_moves() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.click("N7 ")
        assert shown.selected == 7
        await actor.click("编号")
        assert shown.selected == 7


async def test_a_click_below_the_last_row_does_nothing() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor, 3)
        await actor.click_at(5, 15)
        assert shown.selected == 0


async def test_the_selected_row_stays_in_view_when_the_screen_shrinks() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press(*["down"] * 20)
        await actor.pilot.resize_terminal(80, 10)
        await actor.settle()
        assert shown.selected == 20
        assert actor.row("N20 ").startswith("> ")


async def test_more_columns_are_shown_where_there_is_room() -> None:
    async with on_stage(grid(), size=(100, 10)) as actor:
        await filled(actor)
        assert actor.sees("另一名称", "另3")
    async with on_stage(grid(), size=(99, 10)) as actor:
        await filled(actor)
        assert not actor.sees("另一名称")


@pytest.mark.parametrize("width", [30, 40, 80, 99, 100, 120, 200])
async def test_every_line_is_exactly_as_wide_as_the_screen(width: int) -> None:
    async with on_stage(grid(), size=(width, 10)) as actor:
        await filled(actor)
        strips = actor.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {width}


async def test_rows_that_cannot_be_read_leave_the_cursor_where_it_was() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        numbers.fault = StoreError("数据库已损坏")
        await actor.press("end")
        assert shown.selected == 0
        assert actor.sees("第1条 共100000条", "N0 ", "N9 ")
        numbers.fault = None
        await actor.press("end")
        assert shown.selected == ROWS - 1


async def test_a_list_that_cannot_be_read_again_shows_what_was_there() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        numbers.fault = StoreError("数据库已损坏")
        with pytest.raises(StoreError):
            await shown.reload()
        assert shown.selected == 0
        assert actor.sees("N0 ", "N9 ")


async def test_another_list_that_cannot_be_read_shows_nothing_of_the_former_one() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        broken = Numbers()
        broken.fault = StoreError("数据库已损坏")
        with pytest.raises(StoreError):
            await shown.show(broken)
        await actor.settle()
        assert shown.selected is None
        assert not actor.sees("N0 ")


# -- marks -----------------------------------------------------------------------------


def markable() -> Grid[int]:
    return Grid("数字", [Column("编号", 8, lambda row: f"N{row}")], lambda row: row, marking=True)


async def test_space_marks_a_row_and_goes_on_to_the_next() -> None:
    async with on_stage(markable()) as actor:
        shown, _ = await filled(actor)
        await actor.press("space", "space", "down", "space")
        assert shown.marked == [0, 1, 3]
        assert actor.sees("第5条 共100000条 已选3条")
        assert [actor.row(f"N{row}")[:2] for row in range(5)] == [" *", " *", "  ", " *", "> "]
        await actor.press("home", "space")
        assert shown.marked == [1, 3]


async def test_marking_all_reads_page_by_page_and_a_second_time_marks_none() -> None:
    async with on_stage(markable()) as actor:
        shown, numbers = await filled(actor, 2 * PAGE_ROWS + 1)
        await shown.mark_all()
        assert shown.marked == list(range(numbers.rows))
        await shown.mark_all()
        assert shown.marked == []


async def test_marks_stay_with_their_rows_and_go_with_the_list() -> None:
    async with on_stage(markable()) as actor:
        shown, numbers = await filled(actor)
        await actor.press("down", "space")
        await shown.reload()
        assert shown.marked == [1]
        await shown.show(numbers)
        assert shown.marked == []


async def test_where_marks_lead_to_nothing_there_are_none() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press("space")
        assert (shown.marked, shown.cursor) == ([], 0)
