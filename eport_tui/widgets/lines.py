"""Labelled lines of text, wrapped, that scroll."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.themes import look


class Lines(Widget, can_focus=True):
    """Pairs of a label and a text; both empty is an empty line.

    Where there are more than fit, the last line says which ones are shown, and the keys.
    """

    BINDINGS = [
        Binding("up", "scroll_lines(-1)", show=False),
        Binding("down", "scroll_lines(1)", show=False),
        Binding("pageup", "scroll_pages(-1)", show=False),
        Binding("pagedown", "scroll_pages(1)", show=False),
        Binding("home", "go(0)", show=False),
        Binding("end", "go(-1)", show=False),
    ]

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._pairs = lines
        self._label_width = max((cell_len(label) for label, _ in lines), default=0)
        self._wrapped: tuple[int, list[tuple[str, str]]] = (0, [])
        self._top = 0

    def _lines(self) -> list[tuple[str, str]]:
        """The lines as they are drawn; wrapped anew only for another width."""
        width = self.size.width - self._label_width - 5
        if self._wrapped[0] != width:
            lines: list[tuple[str, str]] = []
            for label, text in self._pairs:
                first, *rest = wrap(text, width)
                lines += [(label, first), *(("", each) for each in rest)]
            self._wrapped = (width, lines)
        return self._wrapped[1]

    @property
    def _room(self) -> int:
        """How many lines are shown at a time."""
        height = self.size.height
        return height if len(self._lines()) <= height else height - 1

    def action_scroll_lines(self, by: int) -> None:
        """Scroll by lines."""
        self._go(self._top + by)

    def action_scroll_pages(self, by: int) -> None:
        """Scroll by screenfuls."""
        self._go(self._top + by * self._room)

    def action_go(self, top: int) -> None:
        """Scroll to the beginning, or with -1 to the end."""
        self._go(len(self._lines()) if top < 0 else top)

    def on_mouse_scroll_down(self) -> None:
        """Scroll down a few lines."""
        self._go(self._top + 3)

    def on_mouse_scroll_up(self) -> None:
        """Scroll up a few lines."""
        self._go(self._top - 3)

    def _go(self, top: int) -> None:
        self._top = max(0, min(top, len(self._lines()) - self._room))
        self.refresh()

    def on_resize(self) -> None:
        """Scroll no farther than the last line."""
        self._go(self._top)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width, lines = self.size.width, self._lines()
        label_style = look(self, "dim")
        if y >= self._room:
            where = f"第{self._top + 1}-{self._top + self._room}行，共{len(lines)}行"
            return Strip([Segment(fit(f"  {where}，上下键翻看", width), label_style)], width)
        if self._top + y >= len(lines):
            return Strip.blank(width, self.rich_style)
        label, text = lines[self._top + y]
        return Strip(
            [
                Segment(f"  {fit(label, self._label_width)}  ", label_style),
                Segment(text, self.rich_style),
            ]
        ).adjust_cell_length(width, self.rich_style)
