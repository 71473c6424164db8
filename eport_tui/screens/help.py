"""Help: what the screen is for and what every key does there."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.terminal.lean import LeanScreen
from eport_tui.widgets.bars import Legend, TitleBar
from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.themes import look

KEYS_WIDTH = 26


class HelpText(Widget):
    """Lines that scroll; where there are more than fit, the last line says which are shown."""

    class Laid(Message):
        """The text has another size; `is_whole` says whether all of it is shown."""

        def __init__(self, is_whole: bool) -> None:
            super().__init__()
            self.is_whole = is_whole

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

    @property
    def _count(self) -> int:
        return len(self._lines(self.size.width - 4))

    @property
    def _room(self) -> int:
        """How many lines are shown at a time."""
        height = self.size.height
        return height if self._count <= height else height - 1

    def scroll_lines(self, by: int) -> None:
        """Scroll, no farther than the last line."""
        self._top = min(max(0, self._top + by), max(0, self._count - self._room))
        self.refresh()

    def scroll_pages(self, by: int) -> None:
        """Scroll by screenfuls."""
        self.scroll_lines(by * self._room)

    def on_resize(self) -> None:
        """Scroll no farther than the last line, and tell whether one can."""
        self.scroll_lines(0)
        self.post_message(self.Laid(self._count <= self._room))

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        lines = self._lines(width - 4)
        at, room = self._top + y, self._room
        if y >= room:
            where = f"第{self._top + 1}-{self._top + room}行，共{len(lines)}行"
            return Strip([Segment(fit(f"  {where}", width), look(self, "dim"))], width)
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
        Binding("pageup", "page_by(-1)", show=False),
        Binding("pagedown,space", "page_by(1)", show=False),
    ]

    def __init__(self, place: str, text: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._place = place
        self._help = HelpText(text, keys)

    def compose(self) -> ComposeResult:
        """Title, text and keys."""
        title = TitleBar()
        title.place = f"帮助 - {self._place}"
        yield title
        yield self._help
        yield Legend()

    def on_help_text_laid(self, message: HelpText.Laid) -> None:
        """Show the keys; those that scroll where there is something to scroll."""
        scrolling = [] if message.is_whole else [("上下 PgUp PgDn", "滚动")]
        self.query_one(Legend).items = [*scrolling, ("Esc", "返回")]

    def action_scroll_by(self, by: int) -> None:
        """Scroll by lines."""
        self._help.scroll_lines(by)

    def action_page_by(self, by: int) -> None:
        """Scroll by screenfuls."""
        self._help.scroll_pages(by)

    def action_help(self) -> None:
        """Back to the screen."""
        self.dismiss(None)

    def action_back(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
