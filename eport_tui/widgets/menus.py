"""Menus: the numbered list of a menu screen, and the context menu of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.widgets.cells import fit
from eport_tui.widgets.dialogs import Dialog, Line
from eport_tui.widgets.themes import look


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a menu.

    Attributes:
        id: What is chosen.
        label: What is shown.
        note: A sentence about it, shown beside it.
    """

    id: str
    label: str
    note: str = ""


class Menu(Widget, can_focus=True):
    """A numbered list; arrows and Enter, or the number, choose."""

    BINDINGS = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("home", "move(-99)", show=False),
        Binding("end", "move(99)", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """An entry was chosen."""

        item: Item

    def __init__(self, items: Sequence[Item], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items = items
        self._at = 0
        self._label_width = max(cell_len(item.label) for item in items)
        self.styles.height = 2 * len(items)

    def choose(self) -> None:
        """Choose the entry under the cursor."""
        self.post_message(self.Chosen(self._items[self._at]))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._at = min(max(0, self._at + by), len(self._items) - 1)
        self.refresh()

    async def on_key(self, event: events.Key) -> None:
        """The number of an entry chooses it."""
        if event.character and event.character.isdigit():
            at = int(event.character) - 1
            if 0 <= at < len(self._items):
                event.stop()
                self._at = at
                self.refresh()
                self.choose()

    def on_click(self, event: events.Click) -> None:
        """A click chooses."""
        if event.y // 2 < len(self._items):
            self._at = event.y // 2
            self.refresh()
            self.choose()

    def render_line(self, y: int) -> Strip:
        """Draw an entry, with an empty line below each."""
        width = self.size.width
        at, between = divmod(y, 2)
        if between or at >= len(self._items):
            return Strip.blank(width, self.rich_style)
        item, chosen = self._items[at], at == self._at
        label_style = look(self, "cursor") if chosen else self.rich_style
        text = f" {'>' if chosen else ' '} {at + 1}  {fit(item.label, self._label_width)} "
        return Strip(
            [Segment(text, label_style), Segment(f"   {item.note}", look(self, "dim"))]
        ).adjust_cell_length(width, self.rich_style)


class ContextMenu(Dialog[str]):
    """What can be done with a row, beside the row."""

    BINDINGS = [*bindings("choose")]
    DIALOG_LEGEND = (("上下", "移动"), ("Enter", "选定"), ("Esc", "取消"))

    def __init__(self, title: str, items: Sequence[Item], place: tuple[int, int]) -> None:
        cells = max(cell_len(item.label) + cell_len(item.note) for item in items)
        super().__init__(title, width=cells + 12)
        self._items = items
        self._place = place
        self._at = 0

    def compose(self) -> ComposeResult:
        """Place the panel near the row."""
        yield from super().compose()
        self._put()

    def on_resize(self) -> None:
        """Stay near the row."""
        self._put()

    def _put(self) -> None:
        """Place the panel near the row, wholly on the screen."""
        width, height = self.app.size
        x = min(self._place[0], width - self._width - 1)
        y = min(self._place[1] + 1, height - len(self._items) - 4)
        self._panel.styles.offset = (max(0, x), max(0, y))

    def _lines(self) -> list[Line]:
        """The entries."""
        lines: list[Line] = []
        inner = self._inner
        for at, item in enumerate(self._items):
            chosen = at == self._at
            left = f"{'>' if chosen else ' '} {item.label}"
            text = fit(left, inner - cell_len(item.note)) + item.note
            lines.append([(text, "chosen" if chosen else "text")])
        return lines

    async def on_key(self, event: events.Key) -> None:
        """Move, or choose by the key that is shown beside an entry."""
        event.stop()
        if event.key in ("up", "down"):
            self._at = (self._at + (1 if event.key == "down" else -1)) % len(self._items)
            self._draw()
            return
        for item in self._items:
            if item.note.lower().replace("^", "ctrl+") == event.key:
                self.dismiss(item.id)

    def on_click(self, event: events.Click) -> None:
        """A click chooses the entry under the mouse; a click outside cancels."""
        if event.widget is not self._panel:
            self.dismiss(None)
        elif 1 <= event.y <= len(self._items):
            self.dismiss(self._items[event.y - 1].id)

    def action_choose(self) -> None:
        """Choose the entry under the cursor."""
        self.dismiss(self._items[self._at].id)
