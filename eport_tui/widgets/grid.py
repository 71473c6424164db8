"""A list of any length, read a page at a time and drawn a line at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.lists import Count, Order, PageSource
from eport_tui.domain.text import ONE_LINE, Pasted
from eport_tui.errors import EportError, OutOfReach, StoreError
from eport_tui.widgets.cells import fit
from eport_tui.widgets.columns import Column, draw_heading, draw_row
from eport_tui.widgets.themes import look
from eport_tui.widgets.view import View
from eport_tui.widgets.window import RowSource, Window, around, counted, first, last, reaching

Row = TypeVar("Row")
Edge = Callable[[PageSource[Row], int], Window[Row]]

LONGEST_TYPED = 20
PAGE_ROWS = 50
ABOVE = 2
"""Lines above the rows: the title and the heading."""
EMPTY = "暂无数据"
UNREAD = "没有读到数据"
MOST_MARKED = 1_000
"""As many rows as are marked at once."""


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

    Only the rows around what is shown are there (`widgets.window`), and the cursor is on one
    of these; what is selected or marked is known by its key.  A row is selected when the
    cursor is on it; before that none is.  Where `marking` is allowed, space marks rows for
    what is to be done with several at once.

    Attributes:
        title: What the list is, above it.
        note: What its marks mean, beside the title.
        why_empty: What stands in the place of the rows where there can be none, narrowed or not.
    """

    BINDINGS = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "go(0)", show=False),
        Binding("end", "go(-1)", show=False),
        Binding("delete", "screen.delete", show=False),
        *bindings("mark", "sort", "filter"),
    ]

    @dataclass
    class Selected(OfGrid):
        """Another row is selected, or none."""

        row: Any

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

    class FilterWanted(OfGrid):
        """The operator wants to say what to narrow the list by."""

    @dataclass
    class Missed(OfGrid):
        """No row begins as typed."""

        typed: str

    @dataclass
    class Told(OfGrid):
        """What there is to say about a key."""

        text: str

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
        self.why_empty = ""
        self._marking = marking
        self._marks: dict[Hashable, Row] = {}
        self._columns = columns
        self._key = key
        self._source: RowSource[Row] | None = None
        self._view: View[Row] = View()
        self._count: Count | None = None
        self._bar: int | None = None
        self._typed = ""
        self._found = True
        self._unread: EportError | None = None
        self._hidden = False

    # What is shown

    @property
    def count(self) -> int:
        """How many rows the list has, as far as they are counted; 0 until that is known."""
        return self._count.number if self._count else 0

    @property
    def is_out_of_reach(self) -> bool:
        """Whether nothing is shown because the database cannot be reached."""
        return isinstance(self._unread, OutOfReach)

    @property
    def is_empty(self) -> bool:
        """Whether it is known that the list has no rows."""
        return self._count is not None and not self._count.number

    @property
    def selected(self) -> Row | None:
        """The row the cursor is on."""
        return self._view.selected

    @property
    def cursor(self) -> int | None:
        """The number of the selected row, from 0, where it is known."""
        view = self._view
        if view.cursor is None or self._count is None:
            return None
        return view.window.number(view.cursor, self._count)

    @property
    def filter(self) -> str:
        """What the list is narrowed by; empty where it is not."""
        return self._source.pages.filter if self._source else ""

    @property
    def order(self) -> Order | None:
        """The order the list is in."""
        return self._source.pages.order if self._source else None

    @property
    def is_sortable(self) -> bool:
        """Whether more than one order is offered."""
        return self._source is not None and len(self._source.pages.orders) > 1

    @property
    def _height(self) -> int:
        return max(1, self.size.height - ABOVE)

    @property
    def _limit(self) -> int:
        """How many rows are read at a time: always enough for a move by a screenful."""
        return max(PAGE_ROWS, self._height + 1)

    async def show(
        self,
        source: RowSource[Row],
        *,
        select: Hashable | None = None,
        near: Row | None = None,
        again: bool = False,
    ) -> None:
        """Show another list from its beginning, or around the row with the key `select`.

        Args:
            near: The row in whose place one is selected where none has the key.
            again: Whether it is the same list, of another day or of what else was asked for; then
                it is in the order and narrowed as before.
        """
        before = self._view
        self._marks = {}
        self._source, self._typed = source.shown_as(self._source if again else None), ""
        self._view, self._count = View(), None
        await self._read(select, near=near, line=before.line)
        if before.cursor is not None and self._view.cursor is None:
            self.post_message(self.Selected(self, None))

    async def reload(
        self, source: RowSource[Row] | None = None, *, select: Hashable | None = None
    ) -> None:
        """Read the list again; the selected row stays selected while it exists.

        Where it is gone, the row that took its place is selected.

        Args:
            source: The same list, with something changed about it.
            select: The key of a row to select instead; a filter that hides it is taken away.
        """
        if source is not None:
            self._source = source.shown_as(self._source)
        if select is not None and self.filter:
            await self._unhide(select)
        await self._read(select, keep=True)

    async def _unhide(self, key: Hashable) -> None:
        source = self._source
        if source is not None and await source.do(lambda pages: pages.at(key)) is None:
            self._source = source.filtered("")

    def hide_rows(self) -> Callable[[], None]:
        """Show no rows until the list is read anew; what is returned shows it as it was."""
        what = self.title, self._source, self._count, self._unread
        where = self._view, self._marks
        self._hidden = True
        self.refresh()

        def put_back() -> None:
            self.title, self._source, self._count, self._unread = what
            self._view, self._marks = where
            self._hidden, self._bar = False, self._view.bar(self._count, self._height)
            self.refresh()
            self.post_message(self.Selected(self, self.selected))

        return put_back

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

    async def stay_at(self, row: Row) -> None:
        """Select a row that was selected before the list was shown anew, if it is still there."""
        now = self.selected
        if now is None or self._key(now) != self._key(row):
            await self.reload(select=self._key(row))

    def tell_unread(self, why: EportError) -> None:
        """Say in the place of the rows why there are none, so that nobody takes them for all.

        What was read, and has none, stays so unless it is the database that fails.
        """
        if not self._view.window.rows and (self._count is None or isinstance(why, StoreError)):
            self._unread, self._count = why, None
            self.refresh()

    async def _read(
        self,
        select: Hashable | None,
        *,
        keep: bool = False,
        near: Row | None = None,
        line: int = 0,
    ) -> None:
        """Read what is shown anew.

        Args:
            select: The key of the row to select, where it is there.
            keep: Whether otherwise to stay where the list is now.
            near: The row in whose place otherwise to select one; it may have another key by now.
            line: The line for the selected row, where none is selected now.
        """
        source, old = self._source, self._view
        if source is None:
            return
        selects = near is not None or old.cursor is not None
        if keep and old.window.rows:
            near = old.window.rows[old.at]
        limit = self._limit

        def read(pages: PageSource[Row]) -> tuple[Window[Row], int | None, bool, Count]:
            row = None if select is None else pages.at(select)
            wanted = row is not None
            if row is None and near is not None and keep:
                row = pages.at(self._key(near))
            if row is not None:
                window, at = around(pages, row, limit, there=True)
            elif near is not None:
                window, at = around(pages, near, limit, there=False)
            else:
                window, at = first(pages, limit), None
            return window, at, wanted, counted(pages, window)

        try:
            window, at, wanted, self._count = await source.do(read)
            self._unread = None
        except EportError as error:
            self.tell_unread(error)
            raise
        finally:
            self.refresh()
        self._hidden = False
        line = line if old.cursor is None else old.line
        top = at - line if at is not None else 0
        shown = old.window.rows
        if shown and (still := self._index_of(window, shown[old.top])) is not None:
            top = still
        cursor = at if window.rows and (wanted or selects) else None
        self._view = View(window, max(0, top), cursor)
        # Rows that the height has room for may be missing yet.
        await self._go(cursor)
        if self._view.cursor is not None or old.cursor is not None:
            self.post_message(self.Selected(self, self.selected))

    def _index_of(self, window: Window[Row], row: Row) -> int | None:
        key = self._key(row)
        return next((at for at, other in enumerate(window.rows) if self._key(other) == key), None)

    async def _go(self, index: int | None, *, top: int | None = None) -> None:
        """Put the cursor on a row of the window or near it, or on none, and bring it into view."""
        source = self._source
        base = window = self._view.window
        if source is None:
            return
        top = self._view.top if top is None else top
        if window.ends:
            # In a window that got higher, rows that are not read yet may belong above.
            top = min(top, len(window.rows) - self._height)
        low = top if index is None else min(top, index)
        high = max(top + self._height, low if index is None else index + 1)
        shift = 0
        reaches = (low >= 0 or window.starts) and (high <= len(window.rows) or window.ends)
        if window.rows and not reaches:
            window, shift = await source.do(reaching, window, low, high, self._limit)
            if self._view.window is not base:
                # The list was read anew meanwhile.
                return
        index = None if index is None else index + shift
        self._look_at(View.near(window, index, top + shift, self._height))

    def _look_at(self, now: View[Row]) -> None:
        """Draw what differs from what was shown, and tell of another selected row."""
        before, self._view = self._view, now
        bar, self._bar = self._bar, now.bar(self._count, self._height)
        was, rows = before.window.rows, now.window.rows
        if not (was and rows) or was[before.top] is not rows[now.top]:
            self.refresh()
        else:
            moved = (view.line for view in (before, now) if view.cursor is not None)
            lines = {0} | {ABOVE + line for line in moved}
            if bar != self._bar:
                lines |= {ABOVE + line for line in (bar, self._bar) if line is not None}
            self.refresh(*(Region(0, line, self.size.width, 1) for line in lines))
        if now.selected is not before.selected:
            self.post_message(self.Selected(self, now.selected))

    async def select_first(self) -> None:
        """Select the first row, if there is one."""
        await self._edge(first, 0)

    async def select_none(self) -> None:
        """Select no row."""
        await self._go(None)

    async def _edge(self, read: Edge[Row], end: int) -> None:
        """Go to the first row, or to the last (`end` is -1)."""
        source = self._source
        base = window = self._view.window
        if source is None:
            return
        if not (window.starts if end == 0 else window.ends):
            window = await source.do(read, self._limit)
            if self._view.window is not base:
                return
        count, height = len(window.rows), self._height
        index, top = (0, 0) if end == 0 else (count - 1, count - height)
        self._look_at(View.near(window, index, top, height))

    # Order, filter, jump

    async def action_sort(self) -> None:
        """Sort by the next of the orders that are offered; the selected row stays selected."""
        source = self._source
        if source is None:
            return
        orders = source.pages.orders
        if not self.is_sortable:
            self.post_message(self.Told(self, "这个列表只有一种排序"))
            return
        order = orders[(orders.index(source.pages.order) + 1) % len(orders)]
        narrowed = self.filter
        await self._try(self._change(source.ordered(order)))
        if narrowed and not self.filter:
            # It was about the column that the list was sorted by.
            self.post_message(self.Told(self, f"已取消筛选「{narrowed}」，现在按{order.label}排序"))

    def action_filter(self) -> None:
        """Ask what to narrow the list by."""
        self._end_search()
        if self._source is not None:
            self.post_message(self.FilterWanted(self))

    async def narrow(self, text: str) -> None:
        """Show only the rows that begin so in the column the list is sorted by; all for none."""
        if self._source is not None:
            await self._change(self._source.filtered(text))

    async def _change(self, source: RowSource[Row]) -> None:
        """Show the list in another way; where the selected row is not in it, select the first."""
        before, selected = self._source, self.selected
        self._source, self._typed = source, ""
        try:
            await self._read(self._key(selected) if selected is not None else None)
        except EportError:
            self._source = before
            raise
        if self._view.cursor is None or selected is None:
            await self.select_first()

    async def on_key(self, event: events.Key) -> None:
        """Go on with the beginning of the row to jump to; Backspace and Ctrl+U take it back."""
        typed = self._typed + (event.character or "")
        if event.key == "backspace" and self._typed:
            event.stop()
            await self._jump(self._typed[:-1])
        elif event.key == "ctrl+u" and self._typed:
            event.stop()
            await self._jump("")
        elif event.is_printable and typed.strip():
            event.stop()
            await self._jump(typed)

    def key_comes(self, event: events.Event) -> None:
        """A key that does not go on with what is looked for ends that, wherever it is handled."""
        goes_on = isinstance(event, events.Paste) or (
            isinstance(event, events.Key)
            and (event.is_printable or event.key in ("backspace", "ctrl+u"))
        )
        if not goes_on:
            self._end_search()

    def _end_search(self) -> None:
        if self._typed:
            self._typed = ""
            self.refresh(Region(0, 0, self.size.width, 1))

    async def on_paste(self, event: events.Paste) -> None:
        """A text that is pasted is jumped to; of some lines the first one."""
        event.stop()
        line, more = Pasted.of(event.text)
        if line:
            await self._jump(self._typed + line)
        if more:
            self.post_message(self.Told(self, f"查找的内容{ONE_LINE}"))

    async def _jump(self, typed: str) -> None:
        self._typed, self._found = typed[:LONGEST_TYPED], True
        await self._try(self._seek())
        self.refresh(Region(0, 0, self.size.width, 1))

    async def _seek(self) -> None:
        source, typed = self._source, self._typed
        if source is None or not typed:
            return
        row = await source.do(lambda pages: pages.seek(typed))
        self._found = row is not None
        if row is None:
            self.post_message(self.Missed(self, typed))
            return
        at = self._index_of(self._view.window, row)
        if at is None:
            limit = self._limit
            window, at = await source.do(around, row, limit, there=True)
            self._look_at(View(window, at, at))
        # What follows is what begins so, too.
        await self._go(at, top=at)

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
        """Mark every row of the list, the first of a long one, or none where they are marked."""
        source, marks = self._source, dict[Hashable, Row]()
        if source is None:
            return
        if len(self._marks) < min(self.count, MOST_MARKED):
            rows = await source.do(lambda pages: pages.after(None, MOST_MARKED))
            marks = {self._key(row): row for row in rows}
            if self.count > MOST_MARKED:
                self.post_message(
                    self.Told(self, f"一次最多选{MOST_MARKED}条，已选前{MOST_MARKED}条")
                )
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

    async def _try(self, step: Coroutine[Any, Any, None]) -> None:
        """Do something; when rows cannot be read the cursor stays, and the screen is told."""
        try:
            await step
        except EportError as error:
            self.post_message(self.Failed(self, error))

    async def _move(self, index: int | None, *, top: int | None = None) -> None:
        self._typed = ""
        await self._try(self._go(index, top=top))

    async def on_focus(self) -> None:
        """Select a row when the list is entered, so that the cursor is seen."""
        if self._view.cursor is None and self._view.window.rows:
            await self._move(self._view.top)
        self.refresh()

    def on_blur(self) -> None:
        """Show the selected row less bright."""
        self._typed = ""
        self.refresh()

    async def on_resize(self) -> None:
        """Keep the selected row in view."""
        if self._source is not None:
            await self._try(self._go(self._view.cursor))

    async def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        await self._move(self._view.at + by)

    async def action_page(self, by: int) -> None:
        """Move the cursor by a screenful."""
        rows = by * self._height
        await self._move(self._view.at + rows, top=self._view.top + rows)

    async def action_go(self, index: int) -> None:
        """Move the cursor to the first row; -1 is the last."""
        self._typed = ""
        await self._try(self._edge(first if index == 0 else last, index))

    async def on_mouse_down(self, event: events.MouseDown) -> None:
        """Select the row under the mouse; the right button asks for its menu."""
        index = self._view.top + event.y - ABOVE
        if event.y < ABOVE or index >= len(self._view.window.rows):
            return
        event.stop()
        self.focus()
        await self._move(index)
        if event.button == 3:
            self.post_message(self.MenuWanted(self, event.screen_x, event.screen_y))

    def on_click(self, event: events.Click) -> None:
        """A double click opens the row."""
        if event.chain == 2 and event.y >= ABOVE and self.selected is not None:
            self.post_message(self.Opened(self, self.selected))

    async def on_mouse_scroll_down(self) -> None:
        """Move down a few rows."""
        await self.action_move(3)

    async def on_mouse_scroll_up(self) -> None:
        """Move up a few rows."""
        await self.action_move(-3)

    def menu_place(self) -> tuple[int, int]:
        """Where on the screen a menu for the selected row belongs."""
        return self.region.x + 6, self.region.y + ABOVE + self._view.line

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw the title, the heading or a row."""
        width = self.size.width
        if y == 0:
            return self._draw_title(width)
        if y == 1:
            return draw_heading(self, self._columns, width)
        if self._hidden:
            return Strip.blank(width, self.rich_style)
        if self._unread is not None and y == 3:
            text = f"  {UNREAD}：{self._unread.message}"
            return Strip([Segment(fit(text, width), look(self, "warning"))], width)
        rows = self._view.window.rows
        if self._count is not None and not rows and y == 3:
            style = look(self, "dim")
            empty = self.why_empty or EMPTY
            if self.filter and not self.why_empty:
                where = "" if self.has_focus else "到列表中"
                empty = f"没有符合「{self.filter}」的记录，{where}按Esc取消筛选"
            return Strip([Segment(fit(f"  {empty}", width), style)], width)
        index = self._view.top + y - ABOVE
        if index >= len(rows):
            return Strip.blank(width, self.rich_style)
        strip = draw_row(
            self,
            self._columns,
            rows[index],
            width,
            at_cursor=index == self._view.cursor,
            marked=self._key(rows[index]) in self._marks,
        )
        if self._bar is not None and y == ABOVE + self._bar:
            bar = Segment("#", look(self, "dim"))
            return Strip([*strip.crop(0, width - 1), bar], width)
        return strip

    def _draw_title(self, width: int) -> Strip:
        style = look(self, "title")
        left = f" {self.title}  {' '.join(self._told())}"
        room = max(0, width - cell_len(left) - 2)
        right = fit(self.note, min(room, cell_len(self.note)))
        gap = " " * max(0, width - cell_len(left) - cell_len(right) - 1)
        return Strip([Segment(fit(left + gap + right, width), style)], width)

    def _told(self) -> Iterator[str]:
        """What the title says about where one is and how the list is shown."""
        if self._count is not None and not self._hidden:
            if place := self._view.place(self._count):
                yield place
            yield f"共{self._count}条"
        if self._marks:
            yield f"已选{len(self._marks)}条"
        if self._source is not None:
            pages = self._source.pages
            if pages.order != pages.orders[0]:
                yield f"按{pages.order.label}"
            if pages.filter:
                yield f"筛选{pages.filter}"
        if self._typed:
            yield f"查找{self._typed}" + ("" if self._found else "，没有")
