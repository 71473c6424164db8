"""Questions and prompts in the middle of the screen.

A dialog has no focusable widgets: its keys are the screen's own, so that keys
typed ahead reach it as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.terminal.lean import LeanScreen
from eport_tui.widgets.bars import Legend
from eport_tui.widgets.cells import fit, wrap

Result = TypeVar("Result")

Line = list[tuple[str, str]]
"""One line of a panel: pieces of text with the name of their component style."""


class Panel(Widget):
    """A titled box that draws lines of styled text; as large as they are."""

    COMPONENT_CLASSES = {
        "panel--title",
        "panel--text",
        "panel--strong",
        "panel--dim",
        "panel--warning",
        "panel--choice",
        "panel--chosen",
        "panel--today",
    }

    def __init__(self, title: str, *, width: int, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._width = width
        self._lines: list[Line] = []
        self.styles.width = width

    def set_lines(self, lines: list[Line]) -> None:
        """Show other lines; the box takes their height."""
        grown = len(lines) != len(self._lines)
        self._lines = lines
        if grown:
            self.styles.height = len(lines) + 2
        self.refresh()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Title, lines and an empty line at the foot."""
        return len(self._lines) + 2

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"panel--{name}")

    def render_line(self, y: int) -> Strip:
        """Draw the title or a line."""
        width = self.size.width
        if y == 0:
            return Strip([Segment(fit(f" {self._title}", width), self._style("title"))], width)
        line = self._lines[y - 1] if y - 1 < len(self._lines) else []
        segments = [Segment("  ", self._style("text"))]
        segments += [Segment(text, self._style(name)) for text, name in line]
        return Strip(segments).adjust_cell_length(width, self._style("text"))


class Dialog(LeanScreen[Result], ModalScreen[Result]):
    """A modal screen with one panel and a legend of its keys."""

    BINDINGS = [*bindings("back", "repaint")]
    DIALOG_LEGEND: Sequence[tuple[str, str]] = (("Esc", "取消"),)

    def compose(self) -> ComposeResult:
        """The panel, and the keys on the last line."""
        yield self.make_panel()
        legend = Legend()
        legend.items = list(self.DIALOG_LEGEND)
        yield legend

    def make_panel(self) -> Panel:
        """The panel to show."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


@dataclass(frozen=True, slots=True)
class Choice(Generic[Result]):
    """One answer to a question: what it means, its words, and its key."""

    value: Result
    label: str
    key: str


class Question(Dialog[Result]):
    """A question with a few answers; Esc is none of them and changes nothing.

    The answer that is safe is the one under the cursor to begin with.
    """

    BINDINGS = [*bindings("confirm")]
    DIALOG_LEGEND = (("左右", "换选"), ("Enter", "确定"), ("Esc", "取消"))

    def __init__(
        self,
        title: str,
        text: str,
        choices: Sequence[Choice[Result]],
        *,
        start: int = 0,
        warning: bool = False,
        width: int = 60,
    ) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._choices = choices
        self._at = start
        self._warning = warning
        self._width = width

    def make_panel(self) -> Panel:
        """The text, wrapped, and the answers below it."""
        self._panel = Panel(self._title, width=self._width)
        self._draw()
        return self._panel

    def _draw(self) -> None:
        style = "warning" if self._warning else "text"
        lines: list[Line] = [[]]
        lines += [[(line, style)] for line in wrap(self._text, self._width - 4)]
        answers: Line = []
        for at, choice in enumerate(self._choices):
            chosen = at == self._at
            label = f"{'>' if chosen else ' '} {choice.label}({choice.key.upper()}) "
            answers += [(label, "chosen" if chosen else "choice"), ("  ", "text")]
        lines += [[], answers]
        self._panel.set_lines(lines)

    async def on_key(self, event: events.Key) -> None:
        """Move between the answers, or give one by its key."""
        event.stop()
        if event.key in ("left", "up", "shift+tab"):
            self._at = (self._at - 1) % len(self._choices)
        elif event.key in ("right", "down", "tab"):
            self._at = (self._at + 1) % len(self._choices)
        else:
            for choice in self._choices:
                if event.key.lower() == choice.key.lower():
                    self.dismiss(choice.value)
            return
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click on an answer gives it."""
        if event.widget is not self._panel or event.y != self._panel.size.height - 2:
            return
        x = 2
        for choice in self._choices:
            cells = cell_len(choice.label) + len(choice.key) + 5
            if x <= event.x < x + cells:
                self.dismiss(choice.value)
            x += cells + 2

    def action_confirm(self) -> None:
        """Give the answer under the cursor."""
        self.dismiss(self._choices[self._at].value)


def confirmation(
    title: str, text: str, *, yes: str = "确定", no: str = "取消", dangerous: bool = True
) -> Question[bool]:
    """A yes-or-no question; where the yes destroys something the cursor begins on no."""
    return Question(
        title,
        text,
        [Choice(True, yes, "y"), Choice(False, no, "n")],
        start=1 if dangerous else 0,
        warning=dangerous,
    )


class Prompt(Dialog[events.Key]):
    """Something to take note of.

    Enter, Esc and space close it.  Any other key closes it too and is handed
    back as the result, so that work goes on where the keyboard already is.
    """

    BINDINGS = [*bindings("confirm")]
    DIALOG_LEGEND = (("Enter", "继续"),)

    def __init__(self, text: str, *, title: str = "提示", kind: str = "strong") -> None:
        super().__init__()
        self._text = text
        self._title = title
        self._kind = kind

    def make_panel(self) -> Panel:
        """The text, wrapped."""
        width = min(60, max(36, cell_len(self._text) + 6))
        panel = Panel(self._title, width=width)
        lines: list[Line] = [[]]
        lines += [[(line, self._kind)] for line in wrap(self._text, width - 4)]
        panel.set_lines([*lines, [], [("> 确定 ", "chosen")]])
        return panel

    async def on_key(self, event: events.Key) -> None:
        """Close, and hand a key on that was meant for the screen below."""
        event.stop()
        self.dismiss(None if event.key == "space" else event)

    def on_click(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_confirm(self) -> None:
        """Close."""
        self.dismiss(None)
