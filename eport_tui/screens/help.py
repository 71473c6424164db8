"""Help: what the screen is for and what every key does there."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import ACTIONS, bindings
from eport_tui.terminal.lean import LeanScreen
from eport_tui.widgets.bars import Legend, TitleBar
from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.themes import look

KEYS_WIDTH = 26


class HelpText(Widget):
    """Lines that scroll."""

    def __init__(self, text: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._text = text
        self._keys = keys
        self._top = 0

    def _lines(self, width: int) -> list[tuple[str, str, str]]:
        lines = [("", line, "") for line in wrap(self._text, width)]
        lines += [("", "", ""), ("按键", "", "")]
        for caps, text in self._keys:
            first, *rest = wrap(text, width - KEYS_WIDTH - 2)
            lines.append(("", first, caps))
            lines += [("", line, " ") for line in rest]
        return lines

    def scroll_lines(self, by: int) -> None:
        """Scroll, no farther than the last line."""
        last = max(0, len(self._lines(self.size.width - 4)) - self.size.height)
        self._top = min(max(0, self._top + by), last)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        lines = self._lines(width - 4)
        at = self._top + y
        if at >= len(lines):
            return Strip.blank(width, self.rich_style)
        heading, text, caps = lines[at]
        segments = [Segment("  ", self.rich_style)]
        if heading:
            segments.append(Segment(heading, look(self, "heading")))
        if caps:
            key = look(self, "key")
            segments += [Segment(fit(caps, KEYS_WIDTH), key), Segment("  ", self.rich_style)]
        segments.append(Segment(text, self.rich_style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)


class HelpScreen(LeanScreen[None], ModalScreen[None]):
    """The help of one screen; Esc or F1 goes back to it."""

    BINDINGS = [
        *bindings("help", "back", "repaint"),
        Binding("up", "scroll_by(-1)", show=False),
        Binding("down", "scroll_by(1)", show=False),
        Binding("pageup", "scroll_by(-10)", show=False),
        Binding("pagedown,space", "scroll_by(10)", show=False),
    ]

    def __init__(
        self, place: str, text: str, ids: Sequence[str], moving: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__()
        self._place = place
        keys = [(ACTIONS[id].caps, ACTIONS[id].help) for id in ids]
        self._help = HelpText(text, [*keys, *moving])

    def compose(self) -> ComposeResult:
        """Title, text and keys."""
        title = TitleBar()
        title.place = f"帮助 - {self._place}"
        yield title
        yield self._help
        legend = Legend()
        legend.items = [("上下 PgUp PgDn", "滚动"), ("Esc", "返回")]
        yield legend

    def action_scroll_by(self, by: int) -> None:
        """Scroll."""
        self._help.scroll_lines(by)

    def action_help(self) -> None:
        """Back to the screen."""
        self.dismiss(None)

    def action_back(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
