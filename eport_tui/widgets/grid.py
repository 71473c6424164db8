"""A list of any length, read a page at a time and drawn a line at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.errors import EportError
from eport_tui.widgets.cells import fit

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)

PAGE_ROWS = 100
CACHED_PAGES = 8
WIDE = 100
CURSOR_COLUMNS = 2
"""So many columns say which row it is; the cursor covers them, and states keep their colour."""
EMPTY = "暂无数据"


class RowSource(Protocol[Row_co]):
    """Where the rows of a grid come from; none of its calls may take the whole list."""

    async def count(self) -> int:
        """How many rows there are."""
        ...

    async def fetch(self, offset: int, limit: int) -> Sequence[Row_co]:
        """At most `limit` rows from `offset` on."""
        ...

    async def position(self, key: Hashable) -> int | None:
        """Where the row with this key stands, or none when it is gone."""
        ...


class ListSource(Generic[Row]):
    """Rows that are in memory anyway."""

    def __init__(self, rows: Sequence[Row], key: Callable[[Row], Hashable]) -> None:
        self._rows = rows
        self._key = key

    async def count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    async def fetch(self, offset: int, limit: int) -> Sequence[Row]:
        """At most `limit` rows from `offset` on."""
        return self._rows[offset : offset + limit]

    async def position(self, key: Hashable) -> int | None:
        """Where the row with this key stands."""
        return next((at for at, row in enumerate(self._rows) if self._key(row) == key), None)


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a grid.

    Attributes:
        label: Heading.
        width: Cells; 0 shares what is left of the line with the other columns of width 0.
        text: What a row shows there.
        style: Name of the component class `grid--<name>` for a row, if not the usual one.
        wide: Only shown where the line is at least `WIDE` cells long.
    """

    label: str
    width: int
    text: Callable[[Row], str]
    style: Callable[[Row], str | None] | None = None
    wide: bool = False


@dataclass
class OfGrid(Message):
    """What a grid tells; handlers can be chosen by the grid's selector."""

    grid: Grid[Any]

    @property
    def control(self) -> Grid[Any]:
        """The grid."""
        return self.grid


class Grid(Widget, Generic[Row], can_focus=True):
    """A title, a heading and as many rows as there is room for.

    A row is selected when the cursor is on it; before that none is.  Where `marking` is
    allowed, space marks rows for what is to be done with several at once.
    """

    COMPONENT_CLASSES = {
        "grid--title",
        "grid--header",
        "grid--cursor",
        "grid--cursor-blurred",
        "grid--empty",
        "grid--active",
        "grid--expiring",
        "grid--expired",
        "grid--unsaved",
    }
    BINDINGS = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "go(0)", show=False),
        Binding("end", "go(-1)", show=False),
        Binding("delete", "screen.delete", show=False),
        *bindings("mark"),
    ]

    @dataclass
    class Selected(OfGrid):
        """Another row is selected, or none."""

        row: Any

    @dataclass
    class Marked(OfGrid):
        """Other rows are marked, or none."""

    @dataclass
    class Opened(OfGrid):
        """A row was double-clicked."""

        row: Any

    @dataclass
    class MenuWanted(OfGrid):
        """A row was clicked with the right button, at this place of the screen."""

        x: int
        y: int

    @dataclass
    class Failed(OfGrid):
        """Rows that a key or the mouse called for cannot be read."""

        error: EportError

    def __init__(
        self,
        title: str,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], Hashable],
        *,
        marking: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.title = title
        self.note = ""
        self._marking = marking
        self._marks: dict[Hashable, Row] = {}
        self._columns = columns
        self._key = key
        self._source: RowSource[Row] | None = None
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._count: int | None = None
        self._top = 0
        self._cursor: int | None = None

    # What is shown

    @property
    def count(self) -> int:
        """How many rows the list has; 0 until it is known."""
        return self._count or 0

    @property
    def selected(self) -> Row | None:
        """The row the cursor is on."""
        return None if self._cursor is None else self._row(self._cursor)

    @property
    def cursor(self) -> int | None:
        """The position of the selected row, from 0."""
        return self._cursor

    @property
    def _height(self) -> int:
        return max(1, self.size.height - 2)

    def _row(self, index: int) -> Row | None:
        page = self._pages.get(index // PAGE_ROWS)
        at = index % PAGE_ROWS
        return page[at] if page is not None and at < len(page) else None

    async def show(self, source: RowSource[Row], *, select: Hashable | None = None) -> None:
        """Show another list from its beginning, or around the row with the key `select`."""
        had_selected = self._cursor is not None
        self._marks = {}
        self._source, self._top, self._cursor = source, 0, None
        self._pages, self._count = OrderedDict(), None
        await self._read(select)
        if had_selected and self._cursor is None:
            self.post_message(self.Selected(self, None))

    async def reload(self, *, select: Hashable | None = None) -> None:
        """Read the list again; the selected row stays selected while it exists.

        Where it is gone, the row that took its place is selected.
        """
        selected = self.selected
        await self._read(select if select is not None or selected is None else self._key(selected))

    async def refresh_rows(self) -> bool:
        """Read the list again, because others have changed it.

        Returns:
            False where the selected row is gone; then none is selected, because what is
            done next is not meant for another row.
        """
        selected = self.selected
        await self.reload()
        now = self.selected
        if selected is None or (now is not None and self._key(now) == self._key(selected)):
            return True
        await self.select_none()
        return False

    async def _read(self, select: Hashable | None) -> None:
        source = self._source
        if source is None:
            return
        before = self._pages, self._count
        self._pages = OrderedDict()
        try:
            self._count = await source.count()
            place = None if select is None else await source.position(select)
            if place is None:
                place = self._cursor
            await self._go(place)
        except EportError:
            # What was read last stays on the screen.
            self._pages, self._count = before
            raise
        finally:
            self.refresh()

    async def _need(self, first: int, last: int) -> None:
        """Read the pages that hold rows `first` to `last`."""
        if self._source is None:
            return
        for page in range(first // PAGE_ROWS, last // PAGE_ROWS + 1):
            if page not in self._pages:
                self._pages[page] = await self._source.fetch(page * PAGE_ROWS, PAGE_ROWS)
            self._pages.move_to_end(page)
        while len(self._pages) > CACHED_PAGES:
            self._pages.popitem(last=False)

    async def _go(self, index: int | None, *, top: int | None = None) -> None:
        """Put the cursor on a row, or on none, and bring it into view."""
        before = self.selected
        old_cursor, old_top = self._cursor, self._top
        self._top = old_top if top is None else top
        if index is None or not self.count:
            self._cursor = None
        else:
            self._cursor = min(max(index, 0), self.count - 1)
        self._top = self._scrolled_to(self._cursor)
        try:
            await self._need(self._top, min(self._top + self._height, max(1, self.count)) - 1)
            if self._cursor is not None:
                await self._need(self._cursor, self._cursor)
        except EportError:
            self._cursor, self._top = old_cursor, old_top
            raise
        self._repaint(old_cursor, old_top)
        if self.selected is not before or old_cursor != self._cursor:
            self.post_message(self.Selected(self, self.selected))

    def _scrolled_to(self, cursor: int | None) -> int:
        """The first row to show so that the cursor is in view and no line stays empty."""
        top = min(self._top, max(0, self.count - self._height))
        if cursor is None:
            return top
        return min(max(top, cursor - self._height + 1), cursor)

    def _repaint(self, old_cursor: int | None, old_top: int) -> None:
        if old_top != self._top:
            self.refresh()
            return
        width = self.size.width
        lines = {0} | {2 + at - self._top for at in (old_cursor, self._cursor) if at is not None}
        self.refresh(*(Region(0, line, width, 1) for line in lines))

    async def select(self, index: int) -> None:
        """Select the row at a position."""
        await self._go(index)

    async def select_none(self) -> None:
        """Select no row."""
        await self._go(None)

    # Marks

    @property
    def marked(self) -> list[Row]:
        """The rows that are marked, as they were when they were."""
        return list(self._marks.values())

    def unmark(self) -> None:
        """Mark no row."""
        self._marks = {}
        self.post_message(self.Marked(self))
        self.refresh()

    async def mark_all(self) -> None:
        """Mark every row of the list, or none where all of them are."""
        source, marks = self._source, dict[Hashable, Row]()
        while source is not None and len(self._marks) < self.count:
            page = await source.fetch(len(marks), PAGE_ROWS)
            marks |= {self._key(row): row for row in page}
            if len(page) < PAGE_ROWS:
                break
        self._marks = marks
        self.post_message(self.Marked(self))
        self.refresh()

    async def action_mark(self) -> None:
        """Mark the selected row, or take its mark away, and go on to the next."""
        row = self.selected
        if row is None:
            return
        if self._marks.pop(self._key(row), None) is None:
            self._marks[self._key(row)] = row
        self.post_message(self.Marked(self))
        self.refresh()
        await self.action_move(1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Rows are marked only where that leads to something."""
        return action != "mark" or self._marking

    # Keys and mouse

    async def _move(self, index: int | None, *, top: int | None = None) -> None:
        """Go to a row; when it cannot be read the cursor stays, and the screen is told."""
        try:
            await self._go(index, top=top)
        except EportError as error:
            self.post_message(self.Failed(self, error))

    async def on_focus(self) -> None:
        """Select a row when the list is entered, so that the cursor is seen."""
        if self._cursor is None and self._count:
            await self._move(self._top)
        self.refresh()

    def on_blur(self) -> None:
        """Show the selected row less bright."""
        self.refresh()

    async def on_resize(self) -> None:
        """Keep the selected row in view."""
        if self._source is not None:
            await self._move(self._cursor)

    async def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        await self._move(by if self._cursor is None else self._cursor + by)

    async def action_page(self, by: int) -> None:
        """Move the cursor by a screenful."""
        at = self._cursor or 0
        top = min(max(0, self._top + by * self._height), max(0, self.count - self._height))
        await self._move(at + by * self._height, top=top)

    async def action_go(self, index: int) -> None:
        """Move the cursor to a row; -1 is the last."""
        await self._move(self.count - 1 if index < 0 else index)

    async def on_mouse_down(self, event: events.MouseDown) -> None:
        """Select the row under the mouse; the right button asks for its menu."""
        index = self._top + event.y - 2
        if event.y < 2 or index >= self.count:
            return
        event.stop()
        self.focus()
        await self._move(index)
        if event.button == 3:
            self.post_message(self.MenuWanted(self, event.screen_x, event.screen_y))

    def on_click(self, event: events.Click) -> None:
        """A double click opens the row."""
        if event.chain == 2 and event.y >= 2 and self.selected is not None:
            self.post_message(self.Opened(self, self.selected))

    async def on_mouse_scroll_down(self) -> None:
        """Move down a few rows."""
        await self.action_move(3)

    async def on_mouse_scroll_up(self) -> None:
        """Move up a few rows."""
        await self.action_move(-3)

    def menu_place(self) -> tuple[int, int]:
        """Where on the screen a menu for the selected row belongs."""
        row = 0 if self._cursor is None else self._cursor - self._top
        return self.region.x + 6, self.region.y + 2 + row

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw the title, the heading or a row."""
        width = self.size.width
        if y == 0:
            return self._draw_title(width)
        if y == 1:
            style = self.get_component_rich_style("grid--header")
            text = " ".join(fit(column.label, cells) for column, cells in self._layout(width))
            return Strip([Segment(fit(f"  {text}", width), style)], width)
        index = self._top + y - 2
        if self._count == 0 and y == 3:
            style = self.get_component_rich_style("grid--empty")
            return Strip([Segment(fit(f"  {EMPTY}", width), style)], width)
        row = self._row(index) if index < self.count else None
        if row is None:
            return Strip.blank(width, self.rich_style)
        return self._draw_row(row, index == self._cursor, width)

    def _draw_title(self, width: int) -> Strip:
        style = self.get_component_rich_style("grid--title")
        where = (
            f"第{self._cursor + 1}条 共{self.count}条"
            if self._cursor is not None
            else (f"共{self._count}条" if self._count is not None else "")
        )
        if self._marks:
            where += f" 已选{len(self._marks)}条"
        left = f" {self.title}  {where}"
        room = max(0, width - cell_len(left) - 1)
        right = fit(self.note, min(room, cell_len(self.note)))
        gap = " " * max(0, width - cell_len(left) - cell_len(right) - 1)
        return Strip([Segment(fit(left + gap + right, width), style)], width)

    def _draw_row(self, row: Row, at_cursor: bool, width: int) -> Strip:
        base = under = self.rich_style
        if at_cursor:
            under = self.get_component_rich_style(
                "grid--cursor" if self.has_focus else "grid--cursor-blurred"
            )
        mark = "*" if self._key(row) in self._marks else " "
        segments = [Segment(f"{'>' if at_cursor else ' '}{mark}", under)]
        for at, (column, cells) in enumerate(self._layout(width)):
            plain = under if at < CURSOR_COLUMNS else base
            name = column.style(row) if column.style and plain is base else None
            style = self.get_component_rich_style(f"grid--{name}") if name else plain
            segments += [Segment(fit(column.text(row), cells), style), Segment(" ", plain)]
        return Strip(segments).adjust_cell_length(width, base)

    def _layout(self, width: int) -> list[tuple[Column[Row], int]]:
        """The columns to show with their cells; those of width 0 share what the others leave."""
        columns = [column for column in self._columns if width >= WIDE or not column.wide]
        sharing = sum(column.width == 0 for column in columns)
        left = max(0, width - 2 - sum(column.width for column in columns) - len(columns))
        share, extra = divmod(left, sharing) if sharing else (0, 0)
        layout: list[tuple[Column[Row], int]] = []
        for column in columns:
            cells = column.width
            if not cells:
                cells = share + (1 if extra > 0 else 0)
                extra -= 1
            layout.append((column, cells))
        return layout
