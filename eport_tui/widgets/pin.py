"""The field for a card's PIN: never echoed, kept in a buffer that is wiped."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.errors import InvalidInput
from eport_tui.terminal.lean import has_own_cursor
from eport_tui.widgets.themes import look

LENGTH = 8
"""The most characters that a PIN has; how many it must have depends on the card."""


class PinField(Widget, can_focus=True):
    """Takes up to eight characters key by key into a bytearray; shows an asterisk for each.

    A `str` cannot be wiped, so the PIN never becomes one here; pasting is not
    taken for the same reason.
    """

    wants_cursor = True

    class Refused(Message):
        """A key or a paste was not taken; the text says why."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._buffer = bytearray(LENGTH)
        self._length = 0
        # Why the field does not hold all that was typed.
        self._left_out = ""

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True

    def take(self) -> bytearray:
        """Hand out what was typed and wipe it here; the receiver wipes it after use.

        Raises:
            InvalidInput: As `check`.
        """
        self._demand_whole()
        pin = self._buffer[: self._length]
        self.wipe()
        return pin

    def give_back(self, pin: bytearray) -> None:
        """Have a PIN in the field again that `take` has handed out; wipes `pin`."""
        self._length = len(pin)
        self._buffer[: self._length] = pin
        pin[:] = bytes(len(pin))
        self.refresh()

    def check(self, check: Callable[[bytearray], None]) -> None:
        """Have `check` look at what was typed; raises what it raises.

        Raises:
            InvalidInput: Not all that was typed was taken, and it would cost a try; the field
                is empty then.
        """
        self._demand_whole()
        pin = self._buffer[: self._length]
        try:
            check(pin)
        finally:
            pin[:] = bytes(len(pin))

    def wipe(self) -> None:
        """Overwrite and empty the buffer."""
        for at in range(LENGTH):
            self._buffer[at] = 0
        self._length = 0
        self._left_out = ""
        self.refresh()

    def _demand_whole(self) -> None:
        if told := self._left_out:
            self.wipe()
            raise InvalidInput(told, hint="请重新输入密码")

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the cursor is on the screen; the terminal's cursor is left there."""
        x, y, _width, _height = self.content_region
        return Offset(x + self._length, y)

    async def on_key(self, event: events.Key) -> None:
        """Take a character, or take one back."""
        character = event.character
        if event.key == "backspace":
            event.stop()
            self._length = max(0, self._length - 1)
            self._buffer[self._length] = 0
            if not self._length:
                self._left_out = ""
        elif event.key == "ctrl+u":
            event.stop()
            self.wipe()
        elif character is not None and event.is_printable:
            event.stop()
            if not 0x21 <= ord(character) <= 0x7E:
                self._leave_out("密码只能是半角的字母、数字和符号，请关闭输入法")
                return
            if self._length == LENGTH:
                self._leave_out(f"密码最长{LENGTH}位，多输入的字符没有采用")
                return
            if not self._length:
                self._left_out = ""
            self._buffer[self._length] = ord(character)
            self._length += 1
        self.refresh()

    def _leave_out(self, why: str) -> None:
        self._left_out = why
        self.post_message(self.Refused(why))

    def on_paste(self, event: events.Paste) -> None:
        """Do not take pasted text."""
        event.stop()
        self.post_message(self.Refused("密码不能粘贴，请用键盘输入"))

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw an asterisk for each character."""
        width, base = self.size.width, self.rich_style
        segments = [Segment("*" * self._length, base)]
        if self.has_focus and not has_own_cursor(self.app):
            segments.append(Segment(" ", look(self, "caret")))
        return Strip(segments).adjust_cell_length(width, base)
