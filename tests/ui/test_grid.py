"""A list of any length: what is read of it, and how one moves in it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import pytest

from eport_tui.domain.lists import BOUND, Count, Order, beginning
from eport_tui.errors import StoreError
from eport_tui.widgets.columns import Column
from eport_tui.widgets.grid import MOST_MARKED, PAGE_ROWS, Grid
from eport_tui.widgets.window import KEPT_ROWS, ListSource, RowSource
from tests.ui.stage import Actor, on_stage

ROWS = 1_000_000
HEIGHT = 22
"""Rows that fit on the screen below title and heading."""

UP = Order("up", "编号", "编号的开头几位", beginning)
DOWN = Order("down", "编号倒序", "编号的开头几位", beginning)


def code(row: int) -> str:
    """What one may type the beginning of."""
    return f"{row:07d}"


class Numbers:
    """A million rows, of which only what is asked for exists.

    Attributes:
        asked: What was asked for, and how many rows at most.
    """

    orders = (UP, DOWN)

    def __init__(self, count: int = ROWS, *, order: Order = UP, filter: str = "") -> None:
        self.rows = count
        self.gone: set[int] = set()
        self.asked: list[tuple[str, int]] = []
        self.fault: StoreError | None = None
        self.order = order
        self.filter = filter

    def _all(self, rows: Iterator[int] | range) -> Iterator[int]:
        wanted = self.order.read(self.filter)
        return (row for row in rows if row not in self.gone and code(row) in wanted)

    def _ask(self, what: str, limit: int = 1) -> None:
        self.asked.append((what, limit))
        if self.fault is not None:
            raise self.fault

    def _page(self, row: int | None, limit: int, *, back: bool) -> list[int]:
        upwards = (self.order is UP) is not back
        rows = range(self.rows) if upwards else range(self.rows - 1, -1, -1)
        if row is not None:
            rows = range(row + 1, self.rows) if upwards else range(min(row, self.rows) - 1, -1, -1)
        found = self._all(rows)
        return [row for _, row in zip(range(limit), found, strict=False)]

    def count(self) -> Count:
        self._ask("count", BOUND)
        return Count.of(self.rows - len(self.gone))

    def after(self, row: int | None, limit: int) -> list[int]:
        self._ask("after", limit)
        return self._page(row, limit, back=False)

    def before(self, row: int | None, limit: int) -> list[int]:
        self._ask("before", limit)
        return self._page(row, limit, back=True)[::-1]

    def at(self, key: Hashable) -> int | None:
        self._ask("at")
        assert isinstance(key, int)
        return next(self._all(iter([key])), None) if key < self.rows else None

    def rank(self, row: int) -> Count:
        self._ask("rank", BOUND)
        before = row if self.order is UP else self.rows - 1 - row
        return Count.of(before - sum(gone < row for gone in self.gone))

    def seek(self, text: str) -> int | None:
        self._ask("seek")
        first = int(text.ljust(7, "0")) if text.isdecimal() else self.rows
        row = next(self._all(iter([first])), None) if first < self.rows else None
        return row if row is not None and code(row).startswith(text) else None

    def ordered(self, order: Order) -> Numbers:
        return self._as(order, "")

    def filtered(self, text: str) -> Numbers:
        return self._as(self.order, text)

    def _as(self, order: Order, filter: str) -> Numbers:
        other = Numbers(self.rows, order=order, filter=filter)
        other.gone, other.asked, other.fault = self.gone, self.asked, self.fault
        return other


async def at_once(step: Callable[..., Any], *args: Any) -> Any:
    return step(*args)


def source(numbers: Numbers) -> RowSource[int]:
    return RowSource(numbers, at_once)


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
    """Show a million rows, the first of them selected."""
    shown, numbers = actor.stage.query_one(Grid), Numbers(count)
    await shown.show(source(numbers))
    await shown.select_first()
    await actor.settle()
    return shown, numbers


def marker(actor: Actor) -> int | None:
    """The line of the list on which the scroll bar stands, from 0."""
    lines = [at for at, line in enumerate(actor.lines[2:]) if line.endswith("#")]
    return lines[0] if lines else None


class Listening(Grid[int]):
    """A list that notes what it tells its screen."""

    def __init__(self) -> None:
        super().__init__("数字", [Column("编号", 8, str)], lambda row: row, marking=True)
        self.told: list[str] = []
        self.selections: list[int | None] = []

    def post_message(self, message: Any) -> bool:
        if isinstance(message, Grid.Told):
            self.told.append(message.text)
        elif isinstance(message, Grid.Selected):
            self.selections.append(message.row)
        return super().post_message(message)


# -- what is read ----------------------------------------------------------------------

PAGES = {("after", PAGE_ROWS), ("before", PAGE_ROWS)}


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (["down"] * 20, set()),
        (["pagedown", "pageup"], set()),
        (["end"], {("before", PAGE_ROWS)}),
        (["end", "home"], PAGES),
        (["end", "up", "up"], {("before", PAGE_ROWS)}),
        (["end", "pageup", "pageup", "pageup"], {("before", PAGE_ROWS)}),
        (["pagedown"] * 9, {("after", PAGE_ROWS)}),
        (list("05"), {("seek", 1), ("rank", BOUND), *PAGES}),
        (["ctrl+o"], {("at", 1), ("count", BOUND), ("rank", BOUND), *PAGES}),
    ],
)
async def test_no_key_reads_more_than_a_page_of_a_million_rows(
    keys: list[str], asked: set[tuple[str, int]]
) -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        assert numbers.asked == [("after", PAGE_ROWS), ("count", BOUND)]
        numbers.asked.clear()
        await actor.press(*keys)
        assert set(numbers.asked) == asked
        assert len(shown._view.window.rows) <= KEPT_ROWS


async def test_scrolling_through_keeps_only_a_few_pages_and_reads_each_once() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        numbers.asked.clear()
        await actor.press(*["pagedown"] * 100)
        assert shown.cursor == 100 * HEIGHT
        assert len(shown._view.window.rows) <= KEPT_ROWS
        assert len(numbers.asked) <= 100 * HEIGHT // PAGE_ROWS + 1
        numbers.asked.clear()
        await actor.press(*["pageup"] * 100)
        assert shown.cursor == 0
        assert actor.sees("第1条", "N0 ")
        assert len(numbers.asked) <= 100 * HEIGHT // PAGE_ROWS + 1


async def test_a_short_list_is_read_at_once_and_not_counted() -> None:
    async with on_stage(grid()) as actor:
        _, numbers = await filled(actor, PAGE_ROWS - 1)
        await actor.press("end", "home", "pagedown", "down", "up")
        assert numbers.asked == [("after", PAGE_ROWS)]


@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("count", [1, 8, 21, 22, 23, 49, 50, 51, 130, 500])
async def test_wherever_one_is_the_screen_is_full_and_the_numbers_are_right(
    count: int, height: int
) -> None:
    """Every row has its own number for its text, which the title has to say."""
    async with on_stage(grid(), size=(80, height)) as actor:
        await filled(actor, count)
        keys = ["end", "pageup", "up", "pageup", "home", "pagedown", "pagedown", "down", "end"]
        for key in [*keys, *["pageup"] * 8, *["pagedown"] * 11]:
            await actor.press(key)
            shown = [line for line in actor.lines[2:] if line.strip()]
            assert len(shown) == min(count, height - 2)
            (selected,) = [line for line in shown if line.startswith(">")]
            row = int(selected.split()[1].removeprefix("N"))
            assert actor.sees(f"第{row + 1}条 共{count}条")


LONG = BOUND - 1
"""Still counted."""


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        (["down"], 1),
        (["up"], 0),
        (["down", "down", "up"], 1),
        (["pagedown"], HEIGHT),
        (["pagedown", "pageup"], 0),
        (["pageup"], 0),
        (["end"], LONG - 1),
        (["end", "down"], LONG - 1),
        (["end", "pagedown"], LONG - 1),
        (["end", "home"], 0),
        (["end", *["up"] * 120], LONG - 121),
    ],
)
async def test_moving(keys: list[str], cursor: int) -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor, LONG)
        await actor.press(*keys)
        assert shown.cursor == cursor
        assert shown.selected == cursor
        assert actor.row(f"N{cursor} ").startswith("> ")


async def test_no_row_is_selected_before_the_list_is_entered() -> None:
    async with on_stage(grid()) as actor:
        shown = actor.stage.query_one(Grid)
        shown.can_focus = False
        await shown.show(source(Numbers()))
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


async def test_the_screen_is_told_of_each_row_that_is_selected_and_when_none_is() -> None:
    listening = Listening()
    async with on_stage(listening) as actor:
        shown, numbers = await filled(actor, 500)
        await actor.press("down", "end", "home", "pagedown")
        assert listening.selections[-4:] == [1, 499, 0, HEIGHT]
        numbers.gone = {*range(500)}
        await shown.reload()
        assert listening.selections[-1] is None


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


async def test_at_the_end_of_a_list_a_higher_window_shows_more_above() -> None:
    async with on_stage(grid(), size=(80, 24)) as actor:
        shown, _ = await filled(actor)
        await actor.press("end")
        await actor.pilot.resize_terminal(80, 120)
        await actor.settle()
        assert shown.selected == ROWS - 1
        assert actor.sees(f"N{ROWS - 118}", f"N{ROWS - 1}")
        assert not actor.sees(f"N{ROWS - 119}")


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
        assert actor.sees("第1条 共10000+条", "N0 ", "N9 ")
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
            await shown.show(source(broken))
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
        assert actor.sees("第5条 共10000+条 已选3条")
        assert [actor.row(f"N{row}")[:2] for row in range(5)] == [" *", " *", "  ", " *", "> "]
        await actor.press("home", "space")
        assert shown.marked == [1, 3]


async def test_marking_all_a_second_time_marks_none() -> None:
    async with on_stage(markable()) as actor:
        shown, numbers = await filled(actor, 2 * PAGE_ROWS + 1)
        await shown.mark_all()
        assert shown.marked == list(range(numbers.rows))
        await shown.mark_all()
        assert shown.marked == []


async def test_no_more_than_a_thousand_rows_are_marked_at_once_and_that_is_said() -> None:
    listening = Listening()
    async with on_stage(listening) as actor:
        shown, _ = await filled(actor)
        await shown.mark_all()
        assert shown.marked == list(range(MOST_MARKED))
        assert listening.told == ["一次最多选1000条，已选前1000条"]
        await shown.mark_all()
        assert shown.marked == []


async def test_marks_stay_with_their_rows_and_go_with_the_list() -> None:
    async with on_stage(markable()) as actor:
        shown, numbers = await filled(actor)
        await actor.press("down", "space")
        await shown.reload()
        assert shown.marked == [1]
        await shown.show(source(numbers))
        assert shown.marked == []


async def test_where_marks_lead_to_nothing_there_are_none() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press("space")
        assert (shown.marked, shown.cursor) == ([], 0)


# -- counts, numbers and the bar -------------------------------------------------------


async def test_a_list_that_is_too_long_to_count_says_so_and_numbers_from_the_nearer_end() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press("down")
        assert actor.sees("第2条 共10000+条")
        await actor.press("end", "up")
        assert actor.sees("倒数第2条 共10000+条", "N999998")
        await actor.press(*["pageup"] * 20)
        assert actor.sees(f"倒数第{2 + 20 * HEIGHT}条")
        await shown.reload(select=500_000)
        await actor.settle()
        assert actor.sees("第10000+条 共10000+条", "N500000")
        await shown.reload(select=5_000)
        await actor.settle()
        assert actor.sees("第5001条 共10000+条", "N5000 ")


async def test_the_bar_stands_where_one_is_and_only_where_there_is_more() -> None:
    async with on_stage(grid()) as actor:
        await filled(actor, HEIGHT)
        assert marker(actor) is None
        await filled(actor, 200)
        assert marker(actor) == 0
        seen = [0]
        for _ in range(9):
            await actor.press("pagedown")
            seen.append(marker(actor) or 0)
        assert seen == sorted(seen)
        assert seen[1] > 0
        assert seen[-1] == HEIGHT - 1
        await actor.press("up")
        assert marker(actor) == HEIGHT - 1
        await actor.press("home")
        assert marker(actor) == 0
        await actor.press("end", *["up"] * HEIGHT)
        assert marker(actor) == HEIGHT - 2


async def test_the_bar_of_an_uncounted_list_says_beginning_end_or_between() -> None:
    async with on_stage(grid()) as actor:
        await filled(actor)
        assert marker(actor) == 0
        await actor.press("pagedown")
        assert marker(actor) == HEIGHT // 2
        await actor.press("end")
        assert marker(actor) == HEIGHT - 1


# -- by key ----------------------------------------------------------------------------


async def test_what_others_insert_before_the_selected_row_moves_neither_it_nor_the_view() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor, 500)
        numbers.gone = {3, 4, 5}
        await shown.reload()
        await actor.press("pagedown", "pagedown", "down", "down")
        before = actor.lines[2:]
        assert actor.sees("第47条 共497条")
        numbers.gone.clear()
        assert await shown.refresh_rows()
        await actor.settle()
        assert actor.lines[2:] == before
        assert actor.sees("第50条 共500条")


async def test_a_row_that_others_delete_takes_the_selection_with_it() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor, 500)
        await actor.press("pagedown")
        numbers.gone = {HEIGHT}
        assert not await shown.refresh_rows()
        assert shown.selected is None
        await actor.settle()
        assert actor.sees("共499条")
        await actor.press("down")
        assert shown.selected is not None


@pytest.mark.parametrize("keys", [["down"], ["pagedown"], ["up"], ["pageup"], ["end"], ["home"]])
async def test_one_moves_on_from_a_row_that_was_deleted_meanwhile(keys: list[str]) -> None:
    """The window still has it, and what is read next to it comes by its place."""
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        await shown.reload(select=500_000)
        numbers.gone = {*range(499_940, 500_060)}
        for key in keys * 60:
            await actor.press(key)
        assert shown.selected is not None
        assert shown.selected not in numbers.gone
        rows = list(shown._view.window.rows)
        assert rows == sorted(set(rows))


# -- jumping ---------------------------------------------------------------------------


async def test_what_is_typed_jumps_to_the_first_row_that_begins_so() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.type("0777")
        assert shown.selected == 777_000
        assert actor.lines[2].startswith("> N777000")
        assert actor.sees("查找0777")
        await actor.press("backspace")
        assert shown.selected == 770_000
        assert actor.sees("查找077")
        await actor.press("ctrl+u")
        assert not actor.sees("查找")
        assert shown.selected == 770_000
        await actor.type("0777")
        await actor.press("down")
        assert not actor.sees("查找")
        await actor.type("0")
        assert shown.selected == 0


async def test_what_no_row_begins_with_moves_nothing_and_that_is_said() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.press("down")
        await actor.type("9")
        assert shown.selected == 1
        assert actor.sees("查找9，没有")
        await actor.press("backspace")
        assert not actor.sees("查找")
        assert shown.selected == 1


async def test_a_burst_with_a_jump_does_what_the_keys_would_do_at_leisure() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await actor.burst("05", "<down>", "<down>", "0123456", "<up>", "<pagedown>")
        assert shown.selected == 123_455 + HEIGHT


async def test_a_jump_that_cannot_be_read_leaves_the_cursor_where_it_was() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        numbers.fault = StoreError("数据库已损坏")
        await actor.type("05")
        assert shown.selected == 0


NAMES = ["上海甲公司", "上海乙公司", "苏州丙公司", "Suzhou D", "苏州戊公司"]


@pytest.mark.parametrize(
    ("typed", "row"), [("苏", 2), ("苏州戊", 4), ("上海乙", 1), ("su", 3), ("无", 0)]
)
async def test_rows_in_memory_are_found_by_their_names(typed: str, row: int) -> None:
    names: Grid[str] = Grid("企业", [Column("名称", 0, str)], str)
    async with on_stage(names) as actor:
        await names.show(ListSource(NAMES, str))
        await names.select_first()
        await actor.settle()
        await actor.type(typed)
        assert names.selected == NAMES[row]


async def test_a_pasted_name_is_found() -> None:
    names: Grid[str] = Grid("企业", [Column("名称", 0, str)], str)
    async with on_stage(names) as actor:
        await names.show(ListSource(NAMES, str))
        await actor.paste("苏州戊")
        assert names.selected == NAMES[4]


# -- sorting and filtering -------------------------------------------------------------


async def test_another_order_keeps_the_selected_row_and_the_marks() -> None:
    async with on_stage(markable()) as actor:
        shown, _ = await filled(actor)
        await actor.press("space", "space")
        await actor.press("ctrl+o")
        assert (shown.selected, shown.marked) == (2, [0, 1])
        assert actor.sees("按编号倒序", "N1 ", "N3 ")
        await actor.press("home")
        assert shown.selected == ROWS - 1
        await actor.press("ctrl+o")
        assert shown.selected == ROWS - 1
        assert not actor.sees("按编号倒序")


async def test_a_filter_narrows_the_list_and_an_empty_one_shows_all_again() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await shown.narrow("00001")
        await actor.settle()
        assert actor.sees("第1条", "筛选00001", "N100 ")
        assert shown.selected == 100
        await actor.press("end")
        assert shown.selected == 199
        await shown.narrow("")
        await actor.settle()
        assert shown.selected == 199
        assert not actor.sees("筛选")


async def test_a_filter_that_nothing_fits_leaves_an_empty_list() -> None:
    async with on_stage(grid()) as actor:
        shown, _ = await filled(actor)
        await shown.narrow("9")
        await actor.settle()
        assert actor.sees("筛选9", "没有符合「9」的记录，按Esc取消筛选")
        assert shown.selected is None


async def test_a_filter_stays_when_the_list_is_read_again_and_goes_with_the_list() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        await shown.narrow("00001")
        await shown.reload(source(numbers))
        assert shown.filter == "00001"
        await shown.show(source(numbers))
        assert shown.filter == ""


async def test_an_order_that_cannot_be_read_leaves_the_list_as_it_was() -> None:
    async with on_stage(grid()) as actor:
        shown, numbers = await filled(actor)
        numbers.fault = StoreError("数据库已损坏")
        await actor.press("ctrl+o")
        assert shown.order is UP
        assert actor.sees("第1条", "N0 ")
