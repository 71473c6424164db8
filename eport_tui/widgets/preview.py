"""What an operation would take away or bring back, to be looked at before it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.geometry import Offset

from eport_tui.actions import bindings
from eport_tui.domain.lists import Count
from eport_tui.errors import EportError
from eport_tui.widgets.cells import fit
from eport_tui.widgets.dialogs import Dialog, Line, Passage, Typed
from eport_tui.widgets.window import RowSource, Window, first, last, reaching

ASKED_ABOVE = 20
"""With more rows than these, their number has to be typed."""

WIDTH = 74
MOST_ROWS, LEAST_ROWS = 8, 2
_ANSWERS, _REASON, _NUMBER = "answers", "reason", "number"
_LABELS = {_REASON: "事由（选填）", _NUMBER: "条数"}
_LABEL_CELLS = max(map(cell_len, _LABELS.values()))


class Preview(Dialog[str]):
    """A text, a list to scroll, a reason that may be typed, and a yes or no.

    The result is the reason; Esc and no are none.  The answer begins on no, unless
    nothing is lost by a yes.
    """

    BINDINGS = [*bindings("confirm")]

    def __init__(
        self,
        title: str,
        text: str,
        *,
        rows: RowSource[Any] | None = None,
        first: Sequence[Any] = (),
        count: int = 0,
        heading: str = "",
        line: Callable[[Any], str] = str,
        yes: str = "确定",
        dangerous: bool = True,
        longest_reason: int = 100,
        reason: str = "",
    ) -> None:
        """Args:
        rows: The list, and `count` how many rows it has.
        first: Its first rows, as many as there are up to `MOST_ROWS`.
        heading: What stands above it.
        line: How a row is shown.
        dangerous: Whether something is lost by a yes; then the number of many rows is asked.
        reason: What was given as the reason already.
        """
        super().__init__(title, width=WIDTH)
        self._passage = Passage(text, "warning" if dangerous else "text")
        self._rows = rows
        self._window = Window(first, True, len(first) == count, 0, None)
        self._count = count
        self._heading = heading
        self._line = line
        self._dangerous = dangerous
        self._answers = ((f"{yes}(Y)", True), ("取消(N)", False))
        self._at = 1 if dangerous else 0
        self._top = 0
        self._fault = ""
        self._typed = {_REASON: Typed(longest_reason, text=reason)}
        if dangerous and count > ASKED_ABOVE:
            self._typed[_NUMBER] = Typed(len(str(count)) + 2)
        self._stops = [*self._typed, _ANSWERS]
        self._stop = _NUMBER if _NUMBER in self._typed else _ANSWERS
        self._lines_of: dict[str, int] = {}
        scroll = (("上下 PgUp PgDn", "翻看"),) if count > MOST_ROWS else ()
        answer = (("Tab", "事由、答复"), ("Enter", "确定"), ("Esc", "取消"))
        self.DIALOG_LEGEND = (*scroll, *answer)

    @property
    def _height(self) -> int:
        """How many rows of the list are shown at a time."""
        room = self._room - 8 - self._passage.height(self._inner) - len(self._typed)
        return min(self._count, MOST_ROWS, max(LEAST_ROWS, room))

    def _lines(self) -> list[Line]:
        """The text, the list, what can be typed, and the answers."""
        inner, count = self._inner, self._count
        others = len(self._typed) + 2 + (self._height + 2 if count else 0)
        gaps = 3 if count else 2
        fits = self._passage.height(inner) + others + gaps <= self._room
        gap: list[Line] = [[]] if fits else []
        lines = [*gap, *self._passage.lines(inner, self._room - others - len(gap) * gaps)]
        if count:
            lines += [*gap, [(fit(self._heading, inner), "dim")]]
            lines += [[(fit(self._line(row), inner), "strong")] for row in self._shown]
            lines.append([(self._where(), "dim")])
        lines += gap
        for stop, typed in self._typed.items():
            active = stop == self._stop
            room = inner - _LABEL_CELLS - 3
            self._lines_of[stop] = len(lines) + 1
            lines.append(
                [
                    (f"{'>' if active else ' '} {fit(_LABELS[stop], _LABEL_CELLS)} ", "text"),
                    (typed.shown(room, active=active), "chosen" if active else "choice"),
                ]
            )
        lines += [[(self._fault, "warning")] if self._fault else [], self._answer_line()]
        return lines

    def _where(self) -> str:
        if self._count <= self._height:
            return f"共{self._count}条"
        number = self._window.number(self._top, Count(self._count)) or 0
        where = f"第{number + 1}-{number + len(self._shown)}条 共{self._count}条"
        if _NUMBER not in self._typed:
            return where
        return f"{where}，超过{ASKED_ABOVE}条，请输入条数 {self._count} 以确认"

    def _answer_line(self) -> Line:
        line: Line = []
        for at, (label, _) in enumerate(self._answers):
            chosen = at == self._at and self._stop == _ANSWERS
            text = f"{'>' if at == self._at else ' '} {label} "
            line += [(text, "chosen" if chosen else "choice"), ("  ", "text")]
        return line

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the next character appears; an input method puts its window there."""
        x, y = self._panel.region.offset
        typed = self._typed.get(self._stop)
        if typed is None:
            return Offset(x + 2, y + self._panel.size.height - 2)
        cells = _LABEL_CELLS + 3 + cell_len(typed.text)
        return Offset(x + 2 + min(cells, self._inner - 1), y + self._lines_of[self._stop])

    async def on_key(self, event: events.Key) -> None:
        """Scroll the list, go from part to part, type, or answer."""
        event.stop()
        self._fault = ""
        height = self._height
        moves = {"up": -1, "down": 1, "pageup": -height, "pagedown": height, "home": 0, "end": 0}
        if self._passage.scroll(event.key):
            pass
        elif event.key in moves:
            await self._scroll(moves[event.key], to_end=event.key == "end")
        elif event.key in ("tab", "shift+tab"):
            step = 1 if event.key == "tab" else -1
            at = (self._stops.index(self._stop) + step) % len(self._stops)
            self._stop = self._stops[at]
        elif self._stop in self._typed:
            self._typed[self._stop].take(event)
            self._fault = self._typed[self._stop].fault
        elif event.key in ("left", "right"):
            self._at = 1 - self._at
        elif event.key.lower() in ("y", "n"):
            self._answer(event.key.lower() == "y")
            return
        self._draw()

    async def _scroll(self, by: int, *, to_end: bool) -> None:
        """Scroll by some rows, or where there are none to the beginning or the end."""
        source, window, top, height = self._rows, self._window, self._top + by, self._height
        if source is None:
            return
        try:
            if not by:
                window = await source.do(last if to_end else first, MOST_ROWS)
                top = max(0, len(window.rows) - height) if to_end else 0
            else:
                window, shift = await source.do(reaching, window, top, top + height, height)
                top = max(0, min(top + shift, len(window.rows) - height))
        except EportError as error:
            self._fault = str(error)
            return
        self._window, self._top = window, top

    @property
    def _shown(self) -> Sequence[Any]:
        return self._window.rows[self._top : self._top + self._height]

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed text."""
        event.stop()
        if self._stop in self._typed:
            self._typed[self._stop].paste(event.text)
            self._fault = self._typed[self._stop].fault
            self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click on an answer gives it; one on a line to type in goes there."""
        if event.widget is not self._panel:
            return
        if event.y == self._panel.size.height - 2:
            x = 2
            for label, answer in self._answers:
                cells = cell_len(label) + 3
                if x <= event.x < x + cells:
                    self._answer(answer)
                    return
                x += cells + 2
        for stop, y in self._lines_of.items():
            if event.y == y:
                self._stop = stop
        self._draw()

    def action_confirm(self) -> None:
        """Go on from the reason; elsewhere give the answer."""
        if self._stop == _REASON:
            self._stop = self._stops[self._stops.index(_REASON) + 1]
            self._draw()
        else:
            self._answer(self._stop == _NUMBER or self._answers[self._at][1])

    def _answer(self, yes: bool) -> None:
        number = self._typed.get(_NUMBER)
        if not yes:
            self.dismiss(None)
        elif number is not None and number.text.strip() != str(self._count):
            self._stop = _NUMBER
            self._fault = f"条数不符，请输入 {self._count}"
            self._draw()
        else:
            self.dismiss(self._typed[_REASON].text)
