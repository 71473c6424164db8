"""The demo on a terminal, with an operator in front of it."""

from __future__ import annotations

import os
import re
import termios
from pathlib import Path
from typing import Protocol

from eport_tui.services import demo
from tests.pty.terminal import _KEYS, Terminal

ROOT = Path(__file__).resolve().parent.parent.parent

MANUFACTURER, BROKER, OPERATOR = "8900000000011", "8900000000035", "8900000000042"
PIN = "88888888"

# What is typed at the main menu to get to a screen.
ENTERPRISE_GRANTS, OPERATOR_GRANTS, PERMISSIONS = "11", "12", "13"

F2, F3, F6, F7, F8, F10, F11, F12 = (_KEYS[f"f{at}"] for at in (2, 3, 6, 7, 8, 10, 11, 12))
HOME, DOWN = _KEYS["home"], _KEYS["down"]

_CARDS = sorted(card.number for card in demo.CARDS)
_MODES_OF_A_PROGRAM = {
    1049: "alternate screen",
    1000: "mouse",
    1003: "mouse movement",
    1004: "focus reports",
    1006: "SGR mouse",
    1015: "urxvt mouse",
    2004: "bracketed paste",
}


class Launch(Protocol):
    """Starts the program on a terminal of its own."""

    def __call__(
        self,
        *arguments: str,
        term: str = "xterm-256color",
        size: tuple[int, int] = (80, 24),
        **environment: str,
    ) -> Desk: ...


def logging_in(card: str) -> str:
    """What is typed at the login screen to log in with a card of the demo."""
    return f"{HOME}{DOWN * _CARDS.index(card)}\r{PIN}\r"


def field(label: str, value: str) -> re.Pattern[str]:
    """A field of a form with exactly this value."""
    return re.compile(rf"[*+=] {label} +{re.escape(value)} *(?:[ >][*+=] |$)", re.MULTILINE)


class Desk(Terminal):
    """The program, and what an operator sees and does again and again."""

    def log_in(self, card: str = MANUFACTURER, then: str = "") -> None:
        """Log in as soon as the cards are shown, and type something at the main menu."""
        self.wait_for(_CARDS[-1])
        self.send(logging_in(card) + then)
        if not then:
            self.wait_place("主选单")

    def wait_place(self, place: str) -> None:
        """Wait until the title says that one is there."""
        self.wait_for(re.compile(rf"\A {re.escape(place)} "))

    def wait_value(self, label: str, value: str) -> None:
        """Wait until a field of a form has exactly this value."""
        self.wait_for(field(label, value))

    def wait_message(self, text: str) -> None:
        """Wait until the message line says this and nothing else, whatever its mark."""
        self.wait_until(lambda _: self.message == text, what=f"the message {text!r}")

    @property
    def message(self) -> str:
        """What the message line says, without its mark."""
        return "".join(line[3:].strip() for line in self.lines()[-3:-1])

    def row(self, text: str) -> list[str]:
        """The first line that shows a text, in words."""
        return self.line(self.find(text)[1]).split()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, which may end inside a character."""
        os.write(self._master, data)

    def double_click(self, x: int, y: int) -> None:
        """Click twice on a cell, as fast as can be."""
        self.send(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m" * 2)

    def scroll(self, x: int, y: int, *, down: bool = True) -> None:
        """Turn the wheel by one notch over a cell."""
        self.send(f"\x1b[<{65 if down else 64};{x + 1};{y + 1}M")

    def garble(self, text: str) -> None:
        """Show on the terminal what the program knows nothing of, such as a line's noise."""
        with self._changed:
            self._emulator.feed(text.encode())

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    @property
    def cursor_address(self) -> tuple[int, int]:
        """Where the program left the terminal's cursor, which need not be visible."""
        with self._changed:
            return self._screen.cursor.x, self._screen.cursor.y

    @property
    def left_on(self) -> list[str]:
        """What a program turned on and did not turn off again."""
        with self._changed:
            on = [name for mode, name in _MODES_OF_A_PROGRAM.items() if self._screen.has(mode)]
        if self.cursor is None:
            on.append("hidden cursor")
        shell = termios.ECHO | termios.ICANON | termios.ISIG
        if termios.tcgetattr(self._master)[3] & shell != shell:
            on.append("raw keyboard")
        return on
