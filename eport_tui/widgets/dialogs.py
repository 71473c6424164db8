"""Questions and prompts in the middle of the screen.

A dialog has no focusable widgets: its keys are the screen's own, so that keys
typed ahead reach it as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.text import ONE_LINE, Pasted
from eport_tui.errors import EportError
from eport_tui.terminal.lean import LeanScreen
from eport_tui.widgets.bars import Legend
from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.themes import look

Result = TypeVar("Result")

Line = list[tuple[str, str]]
"""One line of a panel: pieces of text with the name of their look."""


class Panel(Widget):
    """A titled box that draws lines of styled text; as large as they are."""

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
        return look(self, f"panel-{name}")

    def render_line(self, y: int) -> Strip:
        """Draw the title or a line."""
        width = self.size.width
        if y == 0:
            return Strip([Segment(fit(f" {self._title}", width), self._style("title"))], width)
        line = self._lines[y - 1] if y - 1 < len(self._lines) else []
        segments = [Segment("  ", self._style("text"))]
        segments += [Segment(text, self._style(name)) for text, name in line]
        return Strip(segments).adjust_cell_length(width, self._style("text"))


class Passage:
    """The text of a dialog, wrapped; scrolled where there is no room for the whole of it."""

    def __init__(self, text: str, style: str) -> None:
        self._text = text
        self._style = style
        self._top = self._last = self._page = 0

    def height(self, width: int) -> int:
        """How many lines it takes."""
        return len(wrap(self._text, width))

    def lines(self, width: int, height: int) -> list[Line]:
        """As many of its lines as there is room for, and then which those are."""
        whole = wrap(self._text, width)
        if len(whole) <= height:
            self._top = self._last = self._page = 0
            return [[(line, self._style)] for line in whole]
        self._page = max(1, height - 1)
        self._last = len(whole) - self._page
        self._top = min(self._top, self._last)
        end = self._top + self._page
        where = f"第{self._top + 1}-{end}行 共{len(whole)}行，按PgUp PgDn翻看"
        shown: list[Line] = [[(line, self._style)] for line in whole[self._top : end]]
        return [*shown, [(fit(where, width), "dim")]]

    def scroll(self, key: str) -> bool:
        """Scroll at PgUp and PgDn; false where it was another key, or the whole is shown."""
        if not self._page or key not in ("pageup", "pagedown"):
            return False
        by = self._page if key == "pagedown" else -self._page
        self._top = min(max(0, self._top + by), self._last)
        return True


class Dialog(LeanScreen[Result], ModalScreen[Result]):
    """A modal screen with one panel and a legend of its keys.

    The panel is as wide as wanted, or as the window where that is less.
    """

    BINDINGS = [*bindings("back", "repaint")]
    DIALOG_LEGEND: Sequence[tuple[str, str]] = (("Esc", "取消"),)

    def __init__(self, title: str, *, width: int) -> None:
        super().__init__()
        self._title = title
        self._wanted = width

    def compose(self) -> ComposeResult:
        """The panel, and the keys on the last line."""
        self._drawn_for = self.app.size
        self._panel = Panel(self._title, width=self._width)
        self._panel.set_lines(self._lines())
        yield self._panel
        if self.DIALOG_LEGEND:
            legend = Legend()
            legend.items = list(self.DIALOG_LEGEND)
            yield legend

    def _lines(self) -> list[Line]:
        """What the panel shows."""
        raise NotImplementedError

    def _draw(self) -> None:
        """Show what has changed."""
        self._panel.set_lines(self._lines())

    @property
    def _frame(self) -> int:
        """Cells that the border takes which stands for the ground where there is no colour."""
        return 2 if self.app.no_color else 0

    @property
    def _width(self) -> int:
        return min(self._wanted, self.app.size.width - self._frame)

    @property
    def _inner(self) -> int:
        """Cells of a line."""
        return self._width - 4

    @property
    def _room(self) -> int:
        """Lines that there is room for between title and legend."""
        return self.app.size.height - self._frame - 3

    def on_resize(self) -> None:
        """Stay on the screen as a whole."""
        if self.app.size != self._drawn_for:
            self._drawn_for = self.app.size
            self._panel.styles.width = self._width
            self._draw()

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
        super().__init__(title, width=width)
        self._passage = Passage(text, "warning" if warning else "text")
        self._choices = choices
        self._at = start

    def _lines(self) -> list[Line]:
        """The text, and the answers below it."""
        answers: Line = []
        for at, choice in enumerate(self._choices):
            chosen = at == self._at
            label = f"{'>' if chosen else ' '} {choice.label}({choice.key.upper()}) "
            answers += [(label, "chosen" if chosen else "choice"), ("  ", "text")]
        return [[], *self._passage.lines(self._inner, self._room - 3), [], answers]

    async def on_key(self, event: events.Key) -> None:
        """Move between the answers, give one by its key, or scroll the text."""
        event.stop()
        if self._passage.scroll(event.key):
            pass
        elif event.key in ("left", "up", "shift+tab"):
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
    back as the result, so that work goes on where the keyboard already is; the
    keys on the last line are therefore still those of the screen below.
    """

    BINDINGS = [*bindings("confirm")]
    DIALOG_LEGEND = ()

    def __init__(self, text: str, *, title: str = "提示", kind: str = "strong") -> None:
        super().__init__(title, width=min(60, max(36, cell_len(text) + 6)))
        self._passage = Passage(text, kind)

    def _lines(self) -> list[Line]:
        """The text, clear of the message line."""
        lines = self._passage.lines(self._inner, self._room - 3)
        return [*lines, [("> 确定(Enter) ", "chosen")]]

    async def on_key(self, event: events.Key) -> None:
        """Close, and hand a key on that was meant for the screen below; or scroll the text."""
        event.stop()
        if self._passage.scroll(event.key):
            self._draw()
            return
        self.dismiss(None if event.key == "space" else event)

    def on_click(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_confirm(self) -> None:
        """Close."""
        self.dismiss(None)


class Typed:
    """A line of text that is typed in a dialog; the cursor is always at its end.

    Attributes:
        text: What was typed so far.
        fault: Why the last key or paste was not taken as a whole; empty where it was.
    """

    def __init__(self, longest: int, *, text: str = "") -> None:
        self._longest = longest
        self.text = text
        self.fault = ""

    def take(self, event: events.Key) -> None:
        """Take a character, take one back, or empty the line."""
        self.fault = ""
        if event.key == "backspace":
            self.text = self.text[:-1]
        elif event.key == "ctrl+u":
            self.text = ""
        elif event.is_printable and event.character:
            self.put(event.character)

    def paste(self, text: str) -> None:
        """Add the first line of a pasted text, if the whole of that fits."""
        line, more = Pasted.of(text)
        self.put(line)
        if more and not self.fault:
            self.fault = f"这里{ONE_LINE}"

    def put(self, text: str) -> None:
        """Add a text, if the whole of it fits."""
        whole = self.text + text
        fits = len(whole) <= self._longest
        self.fault = "" if fits else f"最多{self._longest}个字，再多的没有采用"
        if fits:
            self.text = whole

    def shown(self, width: int, *, active: bool) -> str:
        """The end of the text, with the cursor while it is typed in."""
        shown = self.text + ("_" if active else "")
        # In a window of a few columns there may be no room at all, or less.
        while shown and cell_len(shown) > width:
            shown = shown[1:]
        return fit(shown, max(0, width))


class TextQuestion(Dialog[str]):
    """Asks for a line of text; an answer that is not good is told, and can be corrected."""

    BINDINGS = [*bindings("confirm")]
    DIALOG_LEGEND = (("Enter", "确定"), ("Esc", "取消"))

    def __init__(
        self,
        title: str,
        text: str,
        label: str,
        check: Callable[[str], object],
        *,
        width: int = 60,
    ) -> None:
        """Args:
        check: Raises an `EportError` where an answer is not good.
        """
        super().__init__(title, width=width)
        self._text = text
        self._label = label
        self._check = check
        self._typed = Typed(40)
        self._fault = ""

    def _lines(self) -> list[Line]:
        """The text, and below it the line to type in and what is wrong with it."""
        inner = self._inner
        lines: list[Line] = [[]]
        lines += [[(line, "text")] for line in wrap(self._text, inner)]
        room = inner - cell_len(self._label) - 1
        typed = self._typed.shown(room, active=True)
        lines += [[], [(f"{self._label} ", "strong"), (typed, "choice")], []]
        self._line = len(lines) - 1
        return lines + [[(line, "warning")] for line in wrap(self._fault, inner)]

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the next character appears; an input method puts its window there."""
        x, y = self._panel.region.offset
        cells = cell_len(self._label) + 1 + cell_len(self._typed.text)
        return Offset(x + 2 + min(cells, self._width - 5), y + self._line)

    async def on_key(self, event: events.Key) -> None:
        """Type."""
        event.stop()
        self._typed.take(event)
        self._fault = self._typed.fault
        self._draw()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed text."""
        event.stop()
        self._typed.paste(event.text)
        self._fault = self._typed.fault
        self._draw()

    def action_confirm(self) -> None:
        """Give the answer, if it is good."""
        try:
            self._check(self._typed.text)
        except EportError as error:
            self._fault = str(error)
            self._draw()
            return
        self.dismiss(self._typed.text)
