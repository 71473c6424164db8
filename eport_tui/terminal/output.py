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

# What noise on the line or another program may have left: rendition, character set,
# margins, tab stops, origin mode and wrapping as they are wanted here.
_FRESH = "\x1b[m\x0f\x1b[r\x1b[?5W\x1b[?6l\x1b[?7l"

_SYNC_FROM = 1000
"""Below so many bytes an update arrives in one piece and needs no synchronizing."""

_ERASE_FROM = 5
"""Erasing so many blanks is shorter than writing them ..."""
_ERASE_BETWEEN_FROM = 9
"""... and so many where the cursor has to get behind them."""
_ERASE_TO_THE_END_FROM = 4

_TAB = 8
"""Cells from one tab stop to the next; curses relies on it as well."""

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
        y: Their line.
        start: Column of the first.
        stop: Column behind the last.
        text: What is written there.
        look: Their look.
        doubtful: Whether terminals disagree about where the cursor is then.
        moves: Whether the cursor is behind them then.
    """

    y: int
    start: int
    stop: int
    text: str
    look: Look
    doubtful: bool = False
    moves: bool = True

    def with_more(self, cell: Cell, at: int, stop: int) -> Run | None:
        """This run and the cell at a column, if they can be written together."""
        if not self.moves or self.doubtful or self.stop != at or cell.look is None:
            return None
        if _over(self.look, cell.look) == self.look:
            look = self.look
        elif _over(cell.look, self.look) == cell.look:
            # So far there were blanks, on which it makes no difference.
            look = cell.look
        else:
            return None
        return Run(self.y, self.start, stop, self.text + cell.text, look, _is_doubtful(cell))


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


def _size(text: str) -> int:
    """Bytes on the line."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


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
        runs: list[Run] = []
        for x, y, strips in _pieces(update):
            if 0 <= y < self.height and 0 <= x < self.width:
                runs += self._changes(x, y, _cut(self._cells(strips), self.width - x))
        self._send(runs)
        if out and self._look is not None and self._look.link:
            # What others write to the terminal is no link.
            self._turn_to(self._look._replace(link=""))
        x, y = min(cursor[0], self.width - 1), min(cursor[1], self.height - 1)
        self._go(max(x, 0), max(y, 0))
        if show_cursor != self._cursor_shown:
            self._cursor_shown = show_cursor
            out.append("\x1b[?25h" if show_cursor else "\x1b[?25l")
        written = "".join(out)
        if synchronize and _size(written) >= _SYNC_FROM:
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

    def _changes(self, x: int, y: int, cells: list[Cell]) -> list[Run]:
        """What makes the cells of a line from column `x` on show `cells`."""
        row, end = self._rows[y], x + len(cells)
        runs: list[Run] = []
        if row[x:end] == cells:
            return runs
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
                written = same < end and row[same] != cells[same - x]
                behind = cells[same - x] if written else None
                if erasing := self._erasing(y, at, same, cell, behind):
                    self._set(row, at, self.width if same == self.width else erasing.stop, cell)
                    runs.append(erasing)
                    at = same
                    continue
            self._set(row, at, stop, cell)
            longer = runs[-1].with_more(cell, at, stop) if runs else None
            if longer is not None:
                runs[-1] = longer
            else:
                runs.append(Run(y, at, stop, cell.text, cell.look or _PLAIN, _is_doubtful(cell)))
            at = stop
        return runs

    def _erasing(
        self, y: int, start: int, stop: int, blank: Cell, behind: Cell | None
    ) -> Run | None:
        """Erase equal blanks rather than write them, if that is shorter and safe.

        Args:
            behind: The cell behind them, if that is written as well.
        """
        if not self._can_erase(blank):
            return None
        ground = blank.look and blank.look.background
        between = behind and behind.look and behind.look.background == ground
        row, to_the_end = self._rows[y], stop == self.width
        while stop > start and row[stop - 1] == blank:
            stop -= 1
        least = _ERASE_BETWEEN_FROM if between else _ERASE_FROM
        if stop - start < (_ERASE_TO_THE_END_FROM if to_the_end else least):
            return None
        text = "\x1b[K" if to_the_end else f"\x1b[{stop - start}X"
        return Run(y, start, stop, text, blank.look or _PLAIN, moves=False)

    def _send(self, runs: list[Run]) -> None:
        """Write runs, in the order of the lines or look by look, whichever is shorter."""
        before = self._at, self._look, len(self._out)
        self._send_all(runs)
        if len(runs) < 3:
            return
        after = self._at, self._look, self._out[before[2] :]
        self._at, self._look = before[:2]
        del self._out[before[2] :]
        self._send_all(self._by_look(runs))
        if _size("".join(self._out[before[2] :])) > _size("".join(after[2])):
            self._at, self._look = after[:2]
            self._out[before[2] :] = after[2]

    def _by_look(self, runs: list[Run]) -> list[Run]:
        """Runs in an order in which each rendition is set once, the next like the one before.

        What follows a character of doubtful width in its line is written after it.
        """
        doubtful = {run.y for run in runs if run.doubtful}
        ordered = [run for run in runs if run.y in doubtful]
        runs = [run for run in runs if run.y not in doubtful]
        groups: dict[Look, list[Run]] = {run.look: [] for run in runs if run.look.foreground}
        for before, run, after in zip([None, *runs], runs, [*runs[1:], None], strict=False):
            look = run.look
            if not look.foreground:
                # Blanks go with anything on their ground, best with a neighbour.
                near = [other.look for other in (before, after) if other and other.look in groups]
                hosts = (host for host in [*near, *groups] if _over(host, look) == host)
                look = next(hosts, look)
            groups.setdefault(look, []).append(run)
        now = ordered[-1].look if ordered else self._look or _PLAIN
        while groups:
            now = min(groups, key=lambda look: len(self._steps(now, _over(now, look)) or ""))
            ordered += groups.pop(now)
        return ordered

    def _send_all(self, runs: list[Run]) -> None:
        for run in runs:
            self._go(run.start, run.y, run.look)
            self._out.append(run.text)
            if run.moves:
                known = run.stop < self.width and not run.doubtful
                self._at = (run.stop, run.y) if known else None

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

    def _go(self, x: int, y: int, look: Look | None = None) -> None:
        """Move the cursor, the shortest way, and have a rendition there."""
        way = self._way(x, y)
        at = len(self._out)
        self._turn_to(look)
        if way:
            # What is on the way may be written again with the one or the other rendition.
            other = self._way(x, y) if len(self._out) > at else way
            if _size(other) < _size(way):
                self._out.append(other)
            else:
                self._out.insert(at, way)
        self._at = x, y

    def _way(self, x: int, y: int) -> str:
        if self._at == (x, y):
            return ""
        address = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H" if y else "\x1b[H"
        if self._at is None:
            return address
        return min((address, *self._ways(*self._at, x, y)), key=_size)

    def _ways(self, from_x: int, from_y: int, x: int, y: int) -> Iterator[str]:
        """Other ways than by address."""
        by = y - from_y
        if by == 0:
            down = "\r", ""
        elif by > 0:
            down = "\r" + "\n" * by, "\x1bD" if by == 1 else f"\x1b[{by}B"
        else:
            up = "\x1bM" if by == -1 else f"\x1b[{-by}A"
            down = "\r" + up, up
        for vertical, column in zip(down, (0, from_x), strict=True):
            if len(vertical) < 6:
                for sideways in self._sideways(column, x, y):
                    yield vertical + sideways

    def _sideways(self, from_x: int, x: int, y: int) -> Iterator[str]:
        """Ways along a line."""
        by = x - from_x
        if by == 0:
            yield ""
        elif by < 0:
            yield "\b" * -by if by > -5 else f"\x1b[{-by}D"
        else:
            yield f"\x1b[{by}C" if by > 1 else "\x1b[C"
            stop, beyond = x // _TAB * _TAB, x % _TAB
            tabs = "\t" * (x // _TAB - from_x // _TAB)
            if tabs:
                for sideways in self._sideways(stop, x, y):
                    yield tabs + sideways
            if beyond > _TAB // 2 and stop + _TAB < self.width:
                yield tabs + "\t" + "\b" * (_TAB - beyond)
            if by < 5:
                # What is there already, once more.
                between = self._rows[y][from_x:x]
                if all(map(self._is_at_hand, between)) and between[0] is not RIGHT_HALF:
                    yield "".join(cell.text for cell in between)

    def _is_at_hand(self, cell: Cell) -> bool:
        """Whether a cell can be written again without another rendition."""
        look, now = cell.look, self._look
        if look is None:
            return cell is RIGHT_HALF
        return now is not None and not _is_doubtful(cell) and _over(now, look) == now

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
