"""The list of a code field: filtered as one types, Enter picks, Esc changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.geometry import Offset

from eport_tui.actions import bindings
from eport_tui.domain.codes import Code, CodeTable
from eport_tui.domain.text import Pasted, half_width
from eport_tui.widgets.cells import fit
from eport_tui.widgets.dialogs import Dialog, Line

VISIBLE = 12
FILTER = "筛选 "
MORE = " 只用第一行"


class Picker(Dialog[str]):
    """Choose one code of a table.

    Typing narrows the list to the codes, mnemonics and names that match.
    """

    BINDINGS = [*bindings("choose")]
    DIALOG_LEGEND = (("上下", "移动"), ("Enter", "选定"), ("Esc", "取消"), ("输入", "筛选"))

    def __init__(
        self, table: CodeTable, *, value: str = "", typed: str = "", all_label: str = ""
    ) -> None:
        self._codes: list[Code] = table.offered()
        if all_label:
            self._codes = [Code("", all_label), *self._codes]
        self._typed, self._more = Pasted.of(typed)
        self._at = next((at for at, code in enumerate(self._codes) if code.code == value), 0)
        self._top = 0
        if self._typed:
            self._at = 0
        names = max(cell_len(code.name) for code in self._codes)
        self._code_width = max(cell_len(code.short) for code in self._codes)
        super().__init__(f"选择{table.label}", width=max(30, names + self._code_width + 10))

    @property
    def _matching(self) -> Sequence[Code]:
        typed = half_width(self._typed)
        return [code for code in self._codes if code.matches(typed)] if typed else self._codes

    def _lines(self) -> list[Line]:
        """The filter and the list below it."""
        matching = self._matching
        self._top = min(max(self._top, self._at - VISIBLE + 1), self._at)
        inner = self._inner
        note = MORE if self._more else ""
        typed = fit(self._typed + "_", inner - cell_len(FILTER + note))
        lines: list[Line] = [[(FILTER, "dim"), (typed, "strong"), (note, "warning")]]
        shown = matching[self._top : self._top + VISIBLE]
        for at, code in enumerate(shown, self._top):
            chosen = at == self._at
            text = f"{'>' if chosen else ' '} {fit(code.short, self._code_width)}  {code.name}"
            lines.append([(fit(text, inner), "chosen" if chosen else "text")])
        if not shown:
            lines.append([("没有符合的代码，按退格键修改", "warning")])
        # The box keeps its height while the list narrows, so that nothing jumps.
        lines += [[] for _ in range(min(VISIBLE, len(self._codes)) - max(1, len(shown)))]
        return lines

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the filter's next character appears; an input method puts its window there."""
        x, y = self._panel.region.offset
        return Offset(x + 2 + min(cell_len(f"{FILTER}{self._typed}"), self._width - 5), y + 1)

    async def on_key(self, event: events.Key) -> None:
        """Move in the list or narrow it; Tab takes what was typed, as it does in other fields."""
        event.stop()
        if event.key == "tab" and self._typed:
            self.action_choose()
            return
        self._more = False
        last = max(0, len(self._matching) - 1)
        moves = {
            "up": self._at - 1,
            "down": self._at + 1,
            "pageup": self._at - VISIBLE,
            "pagedown": self._at + VISIBLE,
            "home": 0,
            "end": last,
        }
        if event.key in moves:
            self._at = min(max(0, moves[event.key]), last)
        elif event.key == "backspace":
            self._typed, self._at = self._typed[:-1], 0
        elif event.key == "ctrl+u":
            self._typed, self._at = "", 0
        elif event.is_printable and event.character and event.character.strip():
            self._typed, self._at = self._typed + event.character, 0
        self._draw()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text narrows the list like typed text."""
        event.stop()
        line, self._more = Pasted.of(event.text)
        self._typed, self._at = (self._typed + line)[:40], 0
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click picks the code under the mouse; a click outside cancels."""
        if event.widget is not self._panel:
            self.dismiss(None)
            return
        at = self._top + event.y - 2
        if event.y >= 2 and at < len(self._matching):
            self._at = at
            self.action_choose()

    def on_mouse_scroll_down(self) -> None:
        """Move down."""
        self._at = min(self._at + 1, max(0, len(self._matching) - 1))
        self._draw()

    def on_mouse_scroll_up(self) -> None:
        """Move up."""
        self._at = max(0, self._at - 1)
        self._draw()

    def action_choose(self) -> None:
        """Take the code under the cursor."""
        matching = self._matching
        if matching:
            self.dismiss(matching[self._at].code)
