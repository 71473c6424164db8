"""A terminal for tests: runs a program on a real pty and shows what a person would see.

Only a terminal shows how keys arrive in one read, which bytes go over the line
and what a dropped line does; a pilot is faster for everything else.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import termios
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyte
from wcwidth import wcwidth

# The child makes itself the leader of a session on its own, because a `preexec_fn` is
# not safe while the reader threads of other terminals run.
# Whoever runs the tests may ignore hang-ups, which children inherit.
_BECOME_SESSION = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    " os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
)

_SEQUENCE = re.compile(
    r"\x1b\[(?P<private>[<=>?]?)(?P<parameters>[0-9:;]*)(?P<intermediate>[ -/]*)(?P<final>[@-~])"
    r"|\x1b[PX^_][^\x1b\x07]*(?:\x07|\x1b\\)"
)
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[PX^_][^\x1b\x07]*\x1b?)?\Z")

_ALTERNATE_SCREEN, _SYNCHRONIZED = 1049, 2026
_MOUSE, _MOUSE_SGR = 1000, 1006

_COLOUR_NAMES = {
    "brown": "yellow",
    "brightbrown": "brightyellow",
    "bfightmagenta": "brightmagenta",
}

_BUTTONS = {"left": 0, "middle": 1, "right": 2}

_KEYS = {
    "enter": "\r",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "escape": "\x1b",
    "backspace": "\x7f",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "insert": "\x1b[2~",
    "delete": "\x1b[3~",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "f7": "\x1b[18~",
    "f8": "\x1b[19~",
    "f9": "\x1b[20~",
    "f10": "\x1b[21~",
    "f11": "\x1b[23~",
    "f12": "\x1b[24~",
    **{f"ctrl+{letter}": chr(ord(letter) - 0x60) for letter in "abcdefghijklmnopqrstuvwxyz"},
}
_LINUX_KEYS = _KEYS | {
    "home": "\x1b[1~",
    "end": "\x1b[4~",
    **{f"f{number}": f"\x1b[[{letter}" for number, letter in enumerate("ABCDE", 1)},
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell of the screen shows.

    Attributes:
        text: The character; empty in the second half of a wide one.
        fg: `default`, one of the 16 names (`red`, `brightyellow`) or `rrggbb`.
        bg: Likewise.
        bold: Whether it is bold.
        italic: Whether it is italic.
        underline: Whether it is underlined.
        reverse: Whether foreground and background change places.
    """

    text: str
    fg: str
    bg: str
    bold: bool
    italic: bool
    underline: bool
    reverse: bool


class _Screen(pyte.Screen):
    """pyte's screen with what it lacks: a second buffer, and a way to answer."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]) -> None:
        self._other_buffer = pyte.Screen(columns, lines).buffer
        self._answer = answer
        super().__init__(columns, lines)

    def has(self, mode: int) -> bool:
        """Whether the program has turned this private mode on."""
        return mode << 5 in self.mode

    def set_mode(self, *modes: int, **kwargs: bool) -> None:
        if kwargs.get("private") and _ALTERNATE_SCREEN in modes and not self.has(_ALTERNATE_SCREEN):
            self.save_cursor()
            self.buffer, self._other_buffer = self._other_buffer, self.buffer
            self.buffer.clear()
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: bool) -> None:
        if kwargs.get("private") and _ALTERNATE_SCREEN in modes and self.has(_ALTERNATE_SCREEN):
            self.buffer, self._other_buffer = self._other_buffer, self.buffer
            self.restore_cursor()
        super().reset_mode(*modes, **kwargs)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        super().erase_in_display(how, *args, **kwargs)
        if how == 2:
            # pyte leaves out the cells that nothing was ever written in.
            for y in range(self.lines):
                self.buffer[y].update(dict.fromkeys(range(self.columns), self.cursor.attrs))

    def draw(self, data: str) -> None:
        # pyte drops the rest of a text that holds an invisible character.
        if not data.isprintable():
            data = "".join(c for c in data if wcwidth(c) > 0 or unicodedata.combining(c))
        super().draw(data)

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def cells(self, y: int) -> list[tuple[int, str]]:
        """The characters of a line and the columns where they begin.

        Half of a wide character that something else was written over is blank,
        as it is on real terminals.
        """
        row = self.buffer[y]
        cells: list[tuple[int, str]] = []
        x = 0
        while x < self.columns:
            text = row[x].data
            wide = bool(text) and wcwidth(text[0]) == 2
            whole = wide and x + 1 < self.columns and row[x + 1].data == ""
            cells.append((x, " " if not text or (wide and not whole) else text))
            x += 2 if whole else 1
        return cells


class _Emulator:
    """Turns the bytes of a program into a screen and answers what it asks."""

    def __init__(
        self, columns: int, lines: int, answer: Callable[[str], None], *, xterm: bool
    ) -> None:
        self.screen = _Screen(columns, lines, answer)
        self._stream = pyte.Stream(self.screen)
        self._answer = answer
        self._xterm = xterm
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._pending = ""
        self.not_understood: set[str] = set()

    def feed(self, data: bytes) -> None:
        text = self._pending + self._decode(data)
        position = 0
        for match in _SEQUENCE.finditer(text):
            self._stream.feed(text[position : match.start()])
            self._stream.feed(self._understood(match))
            position = match.end()
        incomplete = _INCOMPLETE.search(text, position)
        end = incomplete.start() if incomplete else len(text)
        self._stream.feed(text[position:end])
        self._pending = text[end:]

    def _understood(self, match: re.Match[str]) -> str:
        """The sequence as pyte can read it; what it would print as text is left out."""
        kind = (match["private"] or "", match["intermediate"] or "", match["final"])
        match kind:
            case ("", "", "m"):
                return _rendition(match["parameters"])
            case ("?", "$", "p") if self._xterm:
                known = int(match["parameters"]) == _SYNCHRONIZED
                self._answer(f"\x1b[?{match['parameters']};{2 if known else 0}$y")
            case (">", "", "q") if self._xterm:
                self._answer("\x1bP>|XTerm(388)\x1b\\")
            case (">", "", "c") if self._xterm:
                self._answer("\x1b[>41;388;0c")
            case ("", "", final) if final not in pyte.Stream.csi:
                self.not_understood.add(match[0])
            case ("", "", _) | ("?", "", "h" | "l" | "J" | "K"):
                return match[0]
            case _:
                pass
        return ""


def _rendition(parameters: str) -> str:
    """A SGR sequence without colons: pyte reads `38:2::r:g:b`, `38:5:n` and `4:3` as text."""
    plain: list[str] = []
    for parameter in parameters.split(";"):
        code, *rest = parameter.split(":")
        if not rest:
            plain.append(code)
        elif code == "4":
            plain.append("24" if rest[0] == "0" else "4")
        elif code in ("38", "48"):
            plain += [code, rest[0], *rest[1:][-3:]]
    return f"\x1b[{';'.join(plain)}m" if plain else ""


class Terminal:
    """A program on a pty of its own; use it in a `with` statement, which ends the program.

    Coordinates are cells, counted from 0.  Every wait ends as soon as it can and
    raises `AssertionError` with the screen drawn when it cannot end well.  A frame
    arrives from top to bottom: wait for its last line before looking at all of it.

    Args:
        argv: The program and its arguments.
        env: The whole environment but for `TERM`, `LANG` (C.UTF-8) and `PATH`.
        cwd: Where it runs.
        term: Kind of terminal; `linux` is the console with its own function keys,
            without a mouse and without answers to what only xterm is asked.
        size: Columns and lines.

    Attributes:
        bytes_written: How many bytes the program has written.
        output: Those bytes.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        term: str = "xterm-256color",
        size: tuple[int, int] = (80, 24),
    ) -> None:
        self.term = term
        self.bytes_written = 0
        self.output = bytearray()
        self._keys = _LINUX_KEYS if term == "linux" else _KEYS
        self._emulator = _Emulator(*size, self._answer, xterm=term != "linux")
        self._screen = self._emulator.screen
        self._changed = threading.Condition()
        self._output_ended = False
        self._hung_up = False
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (size[1], size[0]))
        self._wake_reader, self._wake = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _BECOME_SESSION, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={"LANG": "C.UTF-8", "PATH": os.defpath, **env, "TERM": term},
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, name="pty-reader", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self.hangup()
        os.close(self._wake)
        os.close(self._wake_reader)

    # What a person does

    def send(self, text: str) -> None:
        """Send text as it is, in one write, so that a program can get it in one read.

        Bytes that are no UTF-8 are written as surrogates, as `os.fsdecode` has them.
        """
        data = text.encode(errors="surrogateescape")
        while data:
            data = data[os.write(self._master, data) :]

    def press(self, *keys: str) -> None:
        """Press keys, all in one write: names such as `f10`, `ctrl+s`, or single characters.

        Raises:
            ValueError: A name is unknown, or `escape` is not the last: a terminal
                cannot tell Esc and a key in one write from Alt with that key.
        """
        if "escape" in keys[:-1]:
            raise ValueError("escape must be the last key of a write")
        for key in keys:
            if len(key) != 1 and key not in self._keys:
                raise ValueError(f"unknown key {key!r}")
        self.send("".join(self._keys.get(key, key) for key in keys))

    def click(self, x: int, y: int, *, button: str = "left") -> None:
        """Press and release a mouse button (`left`, `middle` or `right`) on a cell.

        Raises:
            AssertionError: The program has not asked for the mouse, or the terminal has none.
        """
        with self._changed:
            asked = self._screen.has(_MOUSE) and self._screen.has(_MOUSE_SGR)
        if self.term == "linux" or not asked:
            raise self._failure("no mouse here")
        where = f"\x1b[<{_BUTTONS[button]};{x + 1};{y + 1}"
        self.send(f"{where}M{where}m")

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size; the program gets SIGWINCH."""
        with self._changed:
            self._screen.resize(lines, columns)
            termios.tcsetwinsize(self._master, (lines, columns))

    def hangup(self) -> None:
        """Drop the line: the program gets SIGHUP and can write no more."""
        if not self._hung_up:
            self._hung_up = True
            os.write(self._wake, b"\0")
            self._reader.join()
            os.close(self._master)

    # What a person sees

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Column and line of the cursor, or none while it is hidden."""
        with self._changed:
            cursor = self._screen.cursor
            return None if cursor.hidden else (min(cursor.x, self._screen.columns - 1), cursor.y)

    def lines(self) -> list[str]:
        """All lines; a wide character is one character, so columns are not indices."""
        with self._changed:
            return [self.line(y) for y in range(self._screen.lines)]

    def line(self, y: int) -> str:
        """One line, with its trailing blanks."""
        with self._changed:
            return "".join(text for _, text in self._screen.cells(y))

    def cell(self, x: int, y: int) -> Cell:
        """One cell with its colours."""
        with self._changed:
            char = self._screen.buffer[y][x]
        return Cell(
            text=char.data,
            fg=_COLOUR_NAMES.get(char.fg, char.fg),
            bg=_COLOUR_NAMES.get(char.bg, char.bg),
            bold=char.bold,
            italic=char.italics,
            underline=char.underscore,
            reverse=char.reverse,
        )

    def find(self, text: str) -> tuple[int, int]:
        """Column and line of the first cell of the first place that shows `text`.

        Raises:
            AssertionError: It is nowhere on the screen.
        """
        with self._changed:
            for y in range(self._screen.lines):
                cells = self._screen.cells(y)
                index = "".join(shown for _, shown in cells).find(text)
                if index >= 0:
                    return [x for x, shown in cells for _ in shown][index], y
            raise self._failure(f"{text!r} is not on the screen")

    # Waiting

    def wait_for(self, wanted: str | re.Pattern[str], *, timeout: float = 10) -> None:
        """Wait until the screen shows a text, or matches a pattern (lines end in a newline)."""
        self.wait_until(lambda _: self._shows(wanted), timeout=timeout, what=f"{wanted!r}")

    def wait_gone(self, unwanted: str | re.Pattern[str], *, timeout: float = 10) -> None:
        """Wait until the screen shows a text, or matches a pattern, no longer."""
        self.wait_until(
            lambda _: not self._shows(unwanted), timeout=timeout, what=f"{unwanted!r} to go"
        )

    def wait_until(
        self, holds: Callable[[Self], bool], *, timeout: float = 10, what: str = "a condition"
    ) -> None:
        """Wait until `holds(self)`, which is asked again after each output of the program."""

        def holds_now() -> bool:
            # Inside a synchronized update the screen is half old, half new.
            return not self._screen.has(_SYNCHRONIZED) and holds(self)

        with self._changed:
            self._changed.wait_for(lambda: self._output_ended or holds_now(), timeout)
            if not holds_now():
                ended = " (the program has ended)" if self._output_ended else ""
                raise self._failure(f"waited {timeout} s for {what}{ended}")

    def exit_code(self, *, timeout: float = 10) -> int:
        """Wait for the end of the program; negative is the number of the signal that ended it."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self._failure(f"the program has not ended within {timeout} s") from None
        self._reader.join(timeout)
        return code

    # Inside

    def _read(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._master, selectors.EVENT_READ)
                selector.register(self._wake_reader, selectors.EVENT_READ)
                while self._wake_reader not in [key.fd for key, _ in selector.select()]:
                    try:
                        data = os.read(self._master, 65536)
                    except OSError:  # EIO: Linux says so that no program is left on the line.
                        data = b""
                    if not data:
                        return
                    with self._changed:
                        self.bytes_written += len(data)
                        self.output += data
                        self._emulator.feed(data)
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._output_ended = True
                self._changed.notify_all()

    def _answer(self, data: str) -> None:
        os.write(self._master, data.encode())

    def _shows(self, wanted: str | re.Pattern[str]) -> bool:
        text = "\n".join(self.lines())
        return wanted in text if isinstance(wanted, str) else bool(wanted.search(text))

    def _failure(self, message: str) -> AssertionError:
        border = f"+{'-' * self._screen.columns}+"
        drawn = [border, *(f"|{line}|" for line in self.lines()), border]
        state = (
            f"{self.term}, cursor {self.cursor}, exit code {self._process.poll()}, "
            f"{self.bytes_written} bytes"
        )
        if ignored := self._emulator.not_understood:
            state += f", the screen may be wrong, not emulated: {sorted(ignored)}"
        return AssertionError("\n".join([message, state, *drawn]))
