"""Writes to the terminal only what changed.

Textual sends whole lines of a widget anew.  Here a shadow of the terminal's
cells is kept; an update of Textual's compositor is compared with it, and only
cells that differ are written, with the shortest moves and renditions.

The shadow never guesses: a cell of which it is not sure is *unknown*, differs
from everything, and is written as soon as an update covers it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeGuard

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

# Terminals that erase with the colour of the background (terminfo: bce).  Not
# screen and tmux, whatever they run in.
_ERASING = ("xterm", "linux", "putty", "alacritty", "foot", "kitty", "konsole", "rxvt", "vte")

# What noise on the line or another program may have left: rendition, character
# set, margins, origin mode and wrapping as Textual wants them.
_FRESH = "\x1b[m\x0f\x1b[r\x1b[?6l\x1b[?7l"

_SYNC_FROM = 300
"""Below so many characters an update arrives in one piece and needs no synchronizing."""

_ERASE_FROM = 9
"""Erasing so many blanks is shorter than writing them, moving on included."""

_CACHED_SEGMENTS = 8192


class Look(NamedTuple):
    """How a cell is drawn.

    Attributes:
        attributes: Rich's bits: bold, dim, italic, underline, blink ...
        foreground: Parameters of SGR; empty where nothing of it is to be seen.
        background: Parameters of SGR.
        link: Address of a hyperlink, or empty.
    """

    attributes: int
    foreground: str
    background: str
    link: str


class Cell(NamedTuple):
    """What a cell shows: a character with its marks, and its look.

    The right half of a wide character has no text and no look.
    """

    text: str
    look: Look | None


class Marks(NamedTuple):
    """Marks at the beginning of a segment, which belong to the cell before."""

    text: str
    look: Look


class Run(NamedTuple):
    """Cells of a line that are written in one go, or erased.

    Attributes:
        start: Column of the first.
        stop: Column behind the last.
        text: What is written there.
        look: Their look.
        doubtful: Whether terminals disagree about where the cursor is then.
        moves: Whether the cursor is behind them then.
    """

    start: int
    stop: int
    text: str
    look: Look
    doubtful: bool = False
    moves: bool = True

    def goes_on_with(self, cell: Cell, at: int) -> bool:
        """Whether the cell at a column can be written along with these."""
        if not self.moves or self.doubtful or self.stop != at or cell.look is None:
            return False
        return _over(self.look, cell.look) == self.look

    def with_more(self, cell: Cell, stop: int) -> Run:
        """This run and the cell behind it."""
        return self._replace(stop=stop, text=self.text + cell.text, doubtful=_is_doubtful(cell))


RIGHT_HALF = Cell("", None)
UNKNOWN = Cell("unknown", None)
_PLAIN = Look(0, "39", "49", "")

# Rich's bits in the order of its attributes, as Textual renders them.
_SGR = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "21", "51", "52", "53")
_BOLD, _DIM, _ITALIC, _BLINK = 1, 2, 4, 16
# What also a blank shows: all but these.
_UNSEEN_ON_BLANKS = _BOLD | _DIM | _ITALIC
# Those that can be turned off one by one on every terminal, and how.
_OFF = {0: "22", 1: "22", 2: "23", 3: "24", 4: "25", 6: "27", 7: "28", 8: "29"}
_SIMPLE = sum(1 << bit for bit in _OFF)


def erases_with_background(term: str) -> bool:
    """Whether a kind of terminal (`TERM`) erases with the background colour."""
    return term.startswith(_ERASING)


def _is_doubtful(cell: Cell) -> bool:
    """Whether terminals disagree about the width of what a cell shows.

    They do about marks, emoji and the characters of ambiguous width.
    """
    if cell.look is None:
        return False
    if len(cell.text) != 1:
        return True
    code = ord(cell.text)
    return not (
        0x20 <= code < 0x7F
        or 0x2E80 <= code <= 0x303E
        or 0x3041 <= code <= 0x3247
        or 0x3250 <= code <= 0x4DBF
        or 0x4E00 <= code <= 0x9FFF
        or 0xAC00 <= code <= 0xD7A3
        or 0xF900 <= code <= 0xFAFF
        or 0xFF01 <= code <= 0xFF60
        or 0x20000 <= code <= 0x3FFFD
    )


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character < "\xa0"


class Output:
    """The shadow of the terminal's cells.

    Args:
        width: Columns.
        height: Lines.
        color_system: What colours the terminal has.
        erases: Whether it erases with the background colour.
    """

    def __init__(
        self,
        width: int,
        height: int,
        color_system: ColorSystem = ColorSystem.TRUECOLOR,
        *,
        erases: bool | None = None,
    ) -> None:
        self._color_system = color_system
        self._erases = (
            erases_with_background(os.environ.get("TERM", "")) if erases is None else erases
        )
        self._looks: dict[Style | None, Look] = {None: _PLAIN}
        self._segments: dict[tuple[str, Style | None], tuple[Cell | Marks, ...]] = {}
        self._links: dict[str, int] = {}
        self._out: list[str] = []
        self.resize(width, height)

    @staticmethod
    def takes(update: object) -> TypeGuard[LayoutUpdate | ChopsUpdate]:
        """Whether something is an update that can be shown."""
        return isinstance(update, LayoutUpdate | ChopsUpdate)

    @property
    def shown(self) -> bool:
        """Whether anything was shown since nothing was known."""
        return self._fresh

    def resize(self, width: int, height: int) -> None:
        """The terminal has another size; what it made of its contents is not known."""
        self.width, self.height = width, height
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the terminal any more."""
        self._rows = [[UNKNOWN] * self.width for _ in range(self.height)]
        self._at: tuple[int, int] | None = None
        self._look: Look | None = None
        self._cursor_shown: bool | None = None
        self._fresh = False

    def show(
        self,
        update: LayoutUpdate | ChopsUpdate,
        cursor: tuple[int, int],
        *,
        show_cursor: bool = False,
        synchronize: bool = False,
    ) -> str:
        """What has to be written so that the terminal shows an update.

        Args:
            update: An update of Textual's compositor.
            cursor: Column and line where the cursor is left.
            show_cursor: Whether it is visible there.
            synchronize: Whether the terminal can show a long update all at once.
        """
        out = self._out = []
        if not self._fresh:
            self._fresh = True
            # A hyperlink may be open as well.
            out.append("\x1b]8;;\x1b\\" + _FRESH if self._links else _FRESH)
            self._look = _PLAIN
            if isinstance(update, LayoutUpdate):
                self._clear(update)
        for x, y, strips in _pieces(update):
            if 0 <= y < self.height and 0 <= x < self.width:
                self._write(x, y, _cut(self._cells(strips), self.width - x))
        if out and self._look is not None and self._look.link:
            # What others write to the terminal is no link.
            self._turn_to(self._look._replace(link=""))
        x, y = min(cursor[0], self.width - 1), min(cursor[1], self.height - 1)
        self._go(max(x, 0), max(y, 0))
        if show_cursor != self._cursor_shown:
            self._cursor_shown = show_cursor
            out.append("\x1b[?25h" if show_cursor else "\x1b[?25l")
        written = "".join(out)
        if synchronize and len(written) >= _SYNC_FROM:
            return f"\x1b[?2026h{written}\x1b[?2026l"
        return written

    def _clear(self, update: LayoutUpdate) -> None:
        """Erase the whole screen with the ground of most of it."""
        blanks = Counter(
            cell for strips in update.strips for cell in self._cells(strips) if cell.text == " "
        )
        for blank, _ in blanks.most_common(1):
            if self._can_erase(blank):
                self._turn_to(blank.look)
                self._out.append("\x1b[2J")
                self._rows = [[blank] * self.width for _ in range(self.height)]

    # From segments to cells

    def _cells(self, strips: Iterable[Strip]) -> list[Cell]:
        row: list[Cell] = []
        for strip in strips:
            for text, style, _ in strip:
                cells = self._segments.get((text, style))
                if cells is None:
                    cells = self._remember(text, style)
                if cells and isinstance(cells[0], Marks):
                    _put_marks(row, cells[0])
                    cells = cells[1:]
                row += cells  # type: ignore[arg-type]
        return row

    def _remember(self, text: str, style: Style | None) -> tuple[Cell | Marks, ...]:
        if len(self._segments) >= _CACHED_SEGMENTS:
            self._segments.clear()
        cells = tuple(_split(text, self._look_of(style)))
        self._segments[text, style] = cells
        return cells

    def _look_of(self, style: Style | None) -> Look:
        look = self._looks.get(style)
        if look is None:
            assert style is not None
            if len(self._looks) >= _CACHED_SEGMENTS:
                self._looks = {None: _PLAIN}
            colour, ground, system = style.color, style.bgcolor, self._color_system
            look = Look(
                style._attributes & style._set_attributes,
                ";".join(colour.downgrade(system).get_ansi_codes()) if colour else "39",
                ";".join(ground.downgrade(system).get_ansi_codes(False)) if ground else "49",
                "".join(c for c in style.link or "" if not _is_control(c)),
            )
            self._looks[style] = look
        return look

    # From cells to what is written

    def _write(self, x: int, y: int, cells: list[Cell]) -> None:
        """Make the cells of a line from column `x` on show `cells`."""
        row, end = self._rows[y], x + len(cells)
        if row[x:end] == cells:
            return
        runs: list[Run] = []
        at = x
        while at < end:
            cell = cells[at - x]
            stop = at + (2 if at + 1 < end and cells[at + 1 - x] is RIGHT_HALF else 1)
            if row[at] == cell and (stop - at == 1 or row[at + 1] is RIGHT_HALF):
                at = stop
                continue
            if cell.text == " ":
                same = stop
                while same < end and cells[same - x] == cell:
                    same += 1
                if erasing := self._erasing(row, at, same, cell):
                    self._set(row, at, self.width if same == self.width else erasing.stop, cell)
                    runs.append(erasing)
                    at = same
                    continue
            self._set(row, at, stop, cell)
            if runs and runs[-1].goes_on_with(cell, at):
                runs[-1] = runs[-1].with_more(cell, stop)
            else:
                runs.append(Run(at, stop, cell.text, cell.look or _PLAIN, _is_doubtful(cell)))
            at = stop
        self._send(y, runs)

    def _erasing(self, row: list[Cell], start: int, stop: int, blank: Cell) -> Run | None:
        """Erase equal blanks rather than write them, if that is shorter and safe."""
        if not self._can_erase(blank):
            return None
        to_the_end = stop == self.width
        while stop > start and row[stop - 1] == blank:
            stop -= 1
        if stop - start < (4 if to_the_end else _ERASE_FROM):
            return None
        text = "\x1b[K" if to_the_end else f"\x1b[{stop - start}X"
        return Run(start, stop, text, blank.look or _PLAIN, moves=False)

    def _send(self, y: int, runs: list[Run]) -> None:
        """Write the runs of a line, look by look where moves are shorter than renditions."""
        before = self._at, self._look, len(self._out)
        self._send_all(y, runs)
        if len(runs) < 4 or any(run.doubtful for run in runs):
            # What follows a character of doubtful width must be written after it.
            return
        after = self._at, self._look, self._out[before[2] :]
        first: dict[Look, int] = {}
        by_look = sorted(runs, key=lambda run: first.setdefault(run.look, len(first)))
        self._at, self._look = before[:2]
        del self._out[before[2] :]
        self._send_all(y, by_look)
        if sum(map(len, self._out[before[2] :])) >= sum(map(len, after[2])):
            self._at, self._look = after[:2]
            self._out[before[2] :] = after[2]

    def _send_all(self, y: int, runs: list[Run]) -> None:
        for run in runs:
            self._go(run.start, y)
            self._turn_to(run.look)
            self._out.append(run.text)
            if run.moves:
                known = run.stop < self.width and not run.doubtful
                self._at = (run.stop, y) if known else None

    def _can_erase(self, blank: Cell) -> bool:
        look = blank.look
        if look is None or look.foreground or look.link:
            return False
        return self._erases or look.background == "49"

    def _set(self, row: list[Cell], start: int, stop: int, cell: Cell) -> None:
        """Note that the cells from `start` on were written over."""
        if row[start] is RIGHT_HALF:
            # What terminals leave of a wide character that loses a half differs.
            row[start - 1] = UNKNOWN
        if stop < self.width and (
            row[stop] is RIGHT_HALF or _is_doubtful(row[stop - 1]) or _is_doubtful(cell)
        ):
            row[stop] = UNKNOWN
        if stop - start == 2 and cell.text != " ":
            row[start:stop] = cell, RIGHT_HALF
        else:
            row[start:stop] = [cell] * (stop - start)

    def _go(self, x: int, y: int) -> None:
        """Move the cursor, the shortest way."""
        if self._at == (x, y):
            return
        address = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H" if y else "\x1b[H"
        if self._at is not None:
            address = min((address, *self._ways(*self._at, x, y)), key=len)
        self._out.append(address)
        self._at = x, y

    def _ways(self, from_x: int, from_y: int, x: int, y: int) -> Iterator[str]:
        """Other ways than by address."""
        if y == from_y:
            by = x - from_x
            if by < 0:
                yield "\b" * -by
                if not x:
                    yield "\r"
                yield f"\x1b[{-by}D"
                return
            yield f"\x1b[{by}C" if by > 1 else "\x1b[C"
            if by < 5:
                # What is there already, once more.
                between = self._rows[y][from_x:x]
                if all(self._is_at_hand(cell) for cell in between):
                    yield "".join(cell.text for cell in between)
        elif x == from_x:
            by, way = (y - from_y, "B") if y > from_y else (from_y - y, "A")
            yield f"\x1b[{by}{way}" if by > 1 else f"\x1b[{way}"
        elif x == 0 and y == from_y + 1:
            yield "\r\n"

    def _is_at_hand(self, cell: Cell) -> bool:
        """Whether a cell can be written again without another rendition."""
        look, now = cell.look, self._look
        if look is None or now is None or not cell.text.isascii():
            return False
        return _over(now, look) == now

    def _turn_to(self, look: Look | None) -> None:
        """Set the rendition, by what differs from the one before."""
        now = self._look
        if look is None or now is None or now is look:
            return
        if look.link != now.link:
            identity = self._links.setdefault(look.link, len(self._links)) if look.link else 0
            parameters = f"id={identity}" if look.link else ""
            self._out.append(f"\x1b]8;{parameters};{look.link}\x1b\\")
        wanted = _over(now, look)
        if (steps := self._steps(now, wanted)) is not None:
            self._out.append(f"\x1b[{steps}m")
        self._look = wanted

    @staticmethod
    def _steps(now: Look, look: Look) -> str | None:
        """Parameters of SGR that lead from one look to another, if they differ."""
        changed: list[str] = []
        if look.foreground != now.foreground:
            changed.append(look.foreground)
        if look.background != now.background:
            changed.append(look.background)
        if look.attributes == now.attributes:
            return ";".join(changed) if changed else None
        anew = [name for bit, name in enumerate(_SGR) if look.attributes & 1 << bit]
        anew += [look.foreground] if look.foreground != "39" else []
        anew += [look.background] if look.background != "49" else []
        whole = ";".join(["0", *anew] if anew else [""])
        both = _BOLD | _DIM
        if (look.attributes | now.attributes) & ~_SIMPLE or look.attributes & both == both:
            # Their order counts on some terminals, or not all can turn them off.
            return whole
        off = dict.fromkeys(
            name for bit, name in _OFF.items() if now.attributes & ~look.attributes & 1 << bit
        )
        on = [_SGR[bit] for bit in _OFF if look.attributes & ~now.attributes & 1 << bit]
        if "22" in off:
            on += [_SGR[bit] for bit in (0, 1) if look.attributes & now.attributes & 1 << bit]
        return min(whole, ";".join([*off, *on, *changed]), key=len)


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Strip]]]:
    """What an update draws, as Textual does: column, line and strips one after the other."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield update.region.x, y, strips
        return
    for y, x1, x2 in update.spans:
        start, together = 0, list[Strip]()
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x > x2 or end <= x1:
                continue
            # Rich may cut a character off from its marks, so neighbours stay together.
            if not together or x != start + sum(strip.cell_length for strip in together):
                if together:
                    yield start, y, together
                start, together = x, []
            whole = x2 > x >= x1 and end <= x2
            together.append(strip if whole else strip.crop(0, min(end, x2) - x))
        if together:
            yield start, y, together


def _split(text: str, look: Look) -> Iterator[Cell | Marks]:
    """The cells of a text, as wide as Rich measures them; control characters are left out."""
    blank = Cell(" ", _blank(look))
    if text.isascii() and text.isprintable():
        for character in text:
            yield blank if character == " " else Cell(character, look)
        return
    text = "".join("?" if "\ud800" <= c <= "\udfff" else c for c in text if not _is_control(c))
    for start, stop, width in split_graphemes(text)[0]:
        piece = text[start:stop]
        if not width:
            yield Marks(piece, look)
        else:
            yield blank if piece == " " else Cell(piece, look)
            if width == 2:
                yield RIGHT_HALF


def _blank(look: Look) -> Look:
    """The look of a blank, of which less is to be seen."""
    if look.attributes & ~_UNSEEN_ON_BLANKS:
        return look
    return Look(0, "", look.background, look.link)


def _over(now: Look, look: Look) -> Look:
    """A look with what is not to be seen of it left as it is."""
    if look.foreground:
        return look
    attributes = 0 if now.attributes & ~_UNSEEN_ON_BLANKS else now.attributes
    return Look(attributes, now.foreground, look.background, look.link)


def _put_marks(row: list[Cell], marks: Marks) -> None:
    """Add marks to the last character; where none stands before them nothing carries them."""
    at = len(row) - (2 if row and row[-1] is RIGHT_HALF else 1)
    if at >= 0:
        text, look = row[at]
        # Of a blank with a mark more is to be seen than of one without.
        row[at] = Cell(text + marks.text, look if look and look.foreground else marks.look)


def _cut(row: list[Cell], width: int) -> list[Cell]:
    """What of a line there is room for; half of a wide character is a blank."""
    if len(row) > width:
        halved = row[width] is RIGHT_HALF
        del row[width:]
        if halved:
            row[-1] = Cell(" ", _blank(row[-1].look or _PLAIN))
    return row
