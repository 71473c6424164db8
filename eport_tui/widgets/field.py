"""The fields of a form that can be typed in or chosen from a list."""

from __future__ import annotations

from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import Reactive, reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from eport_tui.domain.codes import CodeTable
from eport_tui.domain.text import ONE_LINE, Pasted, printable
from eport_tui.terminal.lean import has_own_cursor
from eport_tui.widgets.cells import fit
from eport_tui.widgets.limits import Limit
from eport_tui.widgets.themes import look

OF_LISTS = (
    Binding("ctrl+o", "screen.sort", show=False),
    Binding("ctrl+f", "screen.filter", show=False),
)
"""Keys of lists that are no text: from a field they reach the list that comes next."""


class ListWanted(Message):
    """The list or calendar of a field is wanted.

    Attributes:
        field: Identifier of the field.
        typed: What was typed or pasted, to narrow the list with.
    """

    def __init__(self, field: str, typed: str = "") -> None:
        super().__init__()
        self.field = field
        self.typed = typed


class TextField(Input, inherit_css=False):
    """One line of text on a coloured ground, without border or blinking.

    What would make the text longer than its limit allows is not taken, nor what is pasted
    behind a line end, and that is told.

    Its looks are ours alone: those of stock Input, all of which they would overrule, take
    longer to read and to apply than those of the rest of a form.

    Attributes:
        left_out: Why something was not taken since the text last changed; empty where all was.
    """

    # Stock Input lays the whole screen out again at each character for this one.
    virtual_size: Reactive[Size] = Reactive(Size(0, 0), layout=False)
    cursor_blink: Reactive[bool] = Reactive(False, init=False)

    wants_cursor = True

    BINDINGS = [
        Binding("up", "screen.field_above", show=False),
        Binding("down", "screen.focus_next", show=False),
        *OF_LISTS,
    ]

    class LeftOut(Message):
        """Something was not taken; `left_out` says why."""

        def __init__(self, field: TextField) -> None:
            super().__init__()
            self.field = field

    def __init__(
        self, *, id: str, width: int, limit: Limit | None = None, opens_list: bool = False
    ) -> None:
        super().__init__(id=id, select_on_focus=False)
        self.opens_list = opens_list
        self.left_out = ""
        self._limit = limit
        self.styles.width = width

    @property
    def _cursor_visible(self) -> bool:  # type: ignore[override]
        """Whether a cursor is painted."""
        return not has_own_cursor(self.app)

    @_cursor_visible.setter
    def _cursor_visible(self, visible: bool) -> None:
        """It does not blink."""

    async def _on_key(self, event: events.Key) -> None:
        """Space opens the list of a field whose text has no spaces."""
        if self.opens_list and event.key == "space":
            event.stop()
            event.prevent_default()
            self.post_message(ListWanted(self.id or ""))
            return
        await super()._on_key(event)

    def on_paste(self, event: events.Paste) -> None:
        """Take one line, without what came along from a table or a page, and tell of others."""
        event.stop()
        event.prevent_default()
        line, more = Pasted.of(event.text)
        if line:
            self.replace(line, *self.selection)
        if more and not self.left_out:
            self._leave_out(ONE_LINE)

    def replace(self, text: str, start: int, end: int) -> None:
        """Put a text in the place of a part, unless that makes the whole too long."""
        limit = self._limit
        if text and limit is not None:
            text = limit.clean(text)
            if not text:
                return
            low, high = sorted((start, end))
            if not limit.allows(self.value[:low] + text + self.value[high:]):
                what = "多输入的字符没有采用" if len(text) == 1 else "粘贴后过长，没有采用"
                self._leave_out(f"{limit.words}，{what}")
                return
        super().replace(text, start, end)

    def _leave_out(self, why: str) -> None:
        self.left_out = why
        self.post_message(self.LeftOut(self))

    # What is selected is replaced by what is typed.  Where a key has nothing to delete, to select
    # or to paste, stock Input would delete all of it or select it no more.

    def action_delete_right_all(self) -> None:
        """Delete what is on the right; nothing at the end."""
        if not self.cursor_at_end:
            super().action_delete_right_all()

    def action_delete_right_word(self) -> None:
        """Delete the word on the right; nothing at the end."""
        if not self.cursor_at_end:
            super().action_delete_right_word()

    def action_end(self, select: bool = False) -> None:
        """Move to the end; at the end there is no more to select."""
        if not (select and self.cursor_at_end):
            super().action_end(select)

    def action_paste(self) -> None:
        """Paste what was copied in the program, if something was."""
        if self.app.clipboard:
            super().action_paste()

    def render_line(self, y: int) -> Strip:
        """Draw the text, what is selected of it, and a cursor where the terminal's own is not.

        Stock Input has Rich lay out a text of its own at each character, which takes longer
        than all the rest that is drawn.
        """
        plain, left = self.rich_style, self.scroll_offset.x
        is_marked = self.has_focus and (self._cursor_visible or not self.selection.is_empty)
        segments = self._marked() if is_marked else [Segment(printable(self.value), plain)]
        return Strip(segments).crop_extend(left, left + self.size.width, plain)

    def _marked(self) -> list[Segment]:
        """The text with the looks of what is selected and of the cursor."""
        text = printable(self.value) + " "
        start, end = sorted(self.selection)
        caret = self.cursor_position if self._cursor_visible else len(text)

        def style(at: int) -> Style:
            if at == caret:
                return self.rich_style + look(self, "caret")
            selected = start <= at < end
            return self.rich_style + look(self, "selection") if selected else self.rich_style

        cuts = sorted({0, start, end, caret, min(caret + 1, len(text)), len(text)})
        return [Segment(text[at:to], style(at)) for at, to in pairwise(cuts)]

    def watch_value(self) -> None:
        """Scroll back a text that got shorter; stock Input leaves that to the layout."""
        self.left_out = ""
        self.scroll_to(x=self.scroll_x, animate=False, force=True, immediate=True)

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the cursor is on the screen; an input method puts its window there.

        Stock Input reports one cell too far right when the cursor is at the end.
        """
        x, y, _width, _height = self.content_region
        return Offset(x + self._position_to_cell(self.cursor_position) - self.scroll_offset.x, y)


class CodeField(Widget, can_focus=True):
    """A value of a code table; space or F4 opens the list, typing filters it."""

    BINDINGS = [
        Binding("up", "screen.field_above", show=False),
        Binding("down", "screen.focus_next", show=False),
        *OF_LISTS,
    ]
    opens_list = True
    wants_cursor = True

    value: reactive[str] = reactive("")

    def __init__(self, table: CodeTable, *, id: str, width: int, empty: str = "") -> None:
        super().__init__(id=id)
        self.table = table
        self.empty = empty
        self.styles.width = width

    def render_line(self, y: int) -> Strip:
        """Draw the name of the chosen code."""
        width = self.size.width
        name = self.table.name(self.value) if self.value else self.empty
        return Strip([Segment(fit(name, width), self.rich_style)], width)

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the field begins; an input method puts its window there."""
        return self.content_region.offset

    async def on_key(self, event: events.Key) -> None:
        """Open the list at the first character that is typed."""
        if event.is_printable and event.character is not None:
            event.stop()
            self.post_message(ListWanted(self.id or "", event.character.strip()))

    def on_paste(self, event: events.Paste) -> None:
        """Open the list at what is pasted."""
        event.stop()
        self.post_message(ListWanted(self.id or "", event.text))

    def on_click(self, event: events.Click) -> None:
        """A click opens the list."""
        if event.button == 1:
            event.stop()
            self.post_message(ListWanted(self.id or ""))
