"""A strict emulator of a terminal: what it does not know, and what is not certain, it refuses.

It knows what pyte lacks: every rendition, hyperlinks, erasing with or without
the background colour, and what becomes of half a wide character.  The width of
a character is that of `wcwidth`, and so independent of what the program takes
it for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wcwidth import wcwidth

_TOKEN = re.compile(
    r"\x1b\[(?P<private>[?<=>]?)(?P<parameters>[0-9;:]*)(?P<final>[@-~])"
    r"|\x1b\](?P<command>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b(?P<line>[DM])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)


@dataclass(frozen=True, slots=True)
class Rendition:
    """How a cell is drawn."""

    attributes: frozenset[int] = frozenset()
    fg: str = "default"
    bg: str = "default"
    link: str = ""

    def on_a_blank(self) -> Rendition:
        """What of it is to be seen on a blank."""
        if self.attributes - {1, 2, 3}:
            return self
        return replace(self, attributes=frozenset(), fg="")


@dataclass(frozen=True, slots=True)
class Square:
    """A cell: a character with its marks, empty in the right half of a wide one."""

    text: str
    rendition: Rendition


NOISE = Square("?", Rendition(fg="noise", bg="noise"))


@dataclass
class Emulator:
    """A screen of cells.

    Attributes:
        bce: Whether erasing takes the background colour.
        cells: The lines.
        x: Column of the cursor.
        y: Its line.
        cursor_shown: Whether it is visible.
        synchronized: Whether an update is under way.
    """

    width: int
    height: int
    bce: bool = True
    x: int = 0
    y: int = 0
    cursor_shown: bool = True
    synchronized: bool = False
    _last: int | None = None
    rendition: Rendition = field(default_factory=Rendition)

    def __post_init__(self) -> None:
        self.cells = [[NOISE] * self.width for _ in range(self.height)]

    def seen(self) -> list[list[Square]]:
        """The cells with what is to be seen of them."""
        return [
            [
                replace(cell, rendition=cell.rendition.on_a_blank()) if cell.text == " " else cell
                for cell in row
            ]
            for row in self.cells
        ]

    def feed(self, data: str) -> None:
        """Take what a program writes; each piece must be whole."""
        position = 0
        while position < len(data):
            match = _TOKEN.match(data, position)
            assert match, f"not understood: {data[position : position + 20]!r}"
            position = match.end()
            if match["text"]:
                self._draw(match["text"])
            elif match["line"]:
                self._last = None
                self.y += 1 if match["line"] == "D" else -1
                assert 0 <= self.y < self.height, "a line feed that scrolls"
            elif match["control"]:
                self._control(match["control"])
            elif match["final"]:
                self._sequence(match["private"], match["parameters"], match["final"])
            else:
                self._command(match["command"])

    def _draw(self, text: str) -> None:
        row = self.cells[self.y]
        for character in text:
            width = wcwidth(character)
            if width <= 0:
                self._mark(character)
                continue
            assert self.x + width <= self.width, f"{character!r} does not fit at {self.x},{self.y}"
            self._clear_halves(self.x, self.x + width)
            row[self.x] = Square(character, self.rendition)
            if width == 2:
                row[self.x + 1] = Square("", self.rendition)
            self._last = self.x
            # Wrapping is off, so the cursor stays on the last column.
            self.x = min(self.x + width, self.width - 1)

    def _mark(self, character: str) -> None:
        if unicodedata.combining(character):
            row = self.cells[self.y]
            at = self.x - 1 if self._last is None else self._last
            at -= row[at].text == ""
            assert at >= 0, "a mark without a character before it"
            row[at] = replace(row[at], text=unicodedata.normalize("NFC", row[at].text + character))

    def _clear_halves(self, start: int, stop: int) -> None:
        """Half of a wide character that is written over leaves a blank of some kind."""
        row = self.cells[self.y]
        if row[start].text == "":
            row[start - 1] = NOISE
        if stop < self.width and row[stop].text == "":
            row[stop] = NOISE

    def _control(self, control: str) -> None:
        self._last = None
        match control:
            case "\r":
                self.x = 0
            case "\n":
                assert self.y + 1 < self.height, "a line feed that scrolls"
                # The terminal's driver has made a carriage return of it as well.
                self.x, self.y = 0, self.y + 1
            case "\t":
                self.x = self.x // 8 * 8 + 8
                assert self.x < self.width, "a tab over the edge"
            case "\b":
                assert self.x > 0, "a backspace over the edge"
                self.x -= 1
            case "\x0f":
                pass
            case _:
                raise AssertionError(f"control character {control!r}")

    def _command(self, command: str) -> None:
        number, parameters, link = command.split(";", 2)
        assert number == "8", command
        assert bool(link) == parameters.startswith("id="), command
        self.rendition = replace(self.rendition, link=link)

    def _sequence(self, private: str, parameters: str, final: str) -> None:
        numbers = [int(number or 0) for number in parameters.split(";")]
        first = max(1, numbers[0])
        if (private, final) != ("", "m"):
            self._last = None
        match private, final:
            case "", "m":
                self._renditions(numbers)
            case "", "H":
                self.y, self.x = first - 1, (max(1, numbers[1]) - 1 if numbers[1:] else 0)
            case "", "A":
                self.y -= first
            case "", "B":
                self.y += first
            case "", "C":
                self.x += first
            case "", "D":
                self.x -= first
            case "", "K":
                assert not parameters
                self._erase(self.y, self.x, self.width)
            case "", "X":
                assert self.x + first <= self.width, "erased over the edge"
                self._erase(self.y, self.x, self.x + first)
            case "", "J":
                assert parameters == "2"
                for y in range(self.height):
                    self._erase(y, 0, self.width)
            case "", "r":
                assert not parameters
                self.x = self.y = 0
            case "?", "W":
                assert parameters == "5", "only the usual tab stops"
            case "?", "h" | "l":
                self._mode(numbers[0], final == "h")
            case _:
                raise AssertionError(f"sequence {private}{parameters}{final}")
        assert 0 <= self.x < self.width, f"column {self.x} after {parameters}{final}"
        assert 0 <= self.y < self.height, f"line {self.y} after {parameters}{final}"

    def _mode(self, number: int, on: bool) -> None:
        match number:
            case 25:
                self.cursor_shown = on
            case 2026:
                assert self.synchronized != on
                self.synchronized = on
            case 6 | 7:
                assert not on
            case _:
                raise AssertionError(f"mode {number}")

    def _erase(self, y: int, start: int, stop: int) -> None:
        assert not self.rendition.link, "what a link erases is not certain"
        row, at = self.cells[y], self.y
        self.y = y
        self._clear_halves(start, stop)
        self.y = at
        # xterm takes the background only, and no other rendition.
        ground = self.rendition.bg if self.bce else "default"
        row[start:stop] = [Square(" ", Rendition(bg=ground))] * (stop - start)

    def _renditions(self, numbers: list[int]) -> None:
        look, rest = self.rendition, iter(numbers)
        on, fg, bg = set(look.attributes), look.fg, look.bg
        for number in rest:
            match number:
                case 0:
                    on, fg, bg = set(), "default", "default"
                case 22:
                    on -= {1, 2}
                case 24:
                    on -= {4, 21}
                case 25:
                    on -= {5, 6}
                case 23 | 27 | 28 | 29:
                    on.discard(number - 20)
                case 21:
                    on = on - {4} | {21}
                case 4:
                    on = on - {21} | {4}
                case _ if number in (*range(1, 10), 51, 52, 53):
                    on.add(number)
                case 38:
                    fg = _colour(rest)
                case 48:
                    bg = _colour(rest)
                case 39:
                    fg = "default"
                case 49:
                    bg = "default"
                case _ if number in (*range(30, 38), *range(90, 98)):
                    fg = str(number)
                case _ if number in (*range(40, 48), *range(100, 108)):
                    bg = str(number - 10)
                case _:
                    raise AssertionError(f"rendition {number}")
        self.rendition = replace(look, attributes=frozenset(on), fg=fg, bg=bg)


def _colour(rest: Iterator[int]) -> str:
    match next(rest):
        case 5:
            return f"5:{next(rest)}"
        case 2:
            return f"2:{next(rest)}:{next(rest)}:{next(rest)}"
        case kind:
            raise AssertionError(f"kind of colour {kind}")
