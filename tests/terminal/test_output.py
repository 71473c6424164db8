"""What the lean output writes shows, cell for cell, what Textual's own output shows."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from unicodedata import combining

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from eport_tui.terminal.output import Output, erases_with_background
from tests.terminal.emulator import NOISE, Emulator, Rendition
from tests.terminal.judge import shown_by_textual

TEXTS = [
    *"abcxyz0189-.,:>*+=",
    "  ",
    "          ",
    *"委托授权企业，。「」（）",
    "ＡＢ",
    "한글",
    "e\u0301",
    "o\u0308\u0323",
    "…",
    "─①×é",
    "\U00020000",
]
CONTROLS = ["\x1b[31m", "\t", "\n", "\r", "\x07", "\x9b5A", "\u200b", "\x00"]
COLOURS = ["default", "red", "bright_yellow", "color(16)", "color(234)", "#5f87ff", "#010203"]
ATTRIBUTES = ["bold", "dim", "italic", "underline", "blink", "blink2", "reverse", "conceal"]
ATTRIBUTES += ["strike", "underline2", "frame", "encircle", "overline"]
SYSTEMS = [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT, ColorSystem.TRUECOLOR]


class Chance(random.Random):
    """Random screens."""

    texts = TEXTS

    def style(self) -> Style | None:
        if self.random() < 0.05:
            return None
        attributes = self.sample(ATTRIBUTES, self.choice([0, 0, 0, 1, 1, 2, 4]))
        return Style(
            color=self.choice([None, *COLOURS]),
            bgcolor=self.choice([None, *COLOURS]),
            link=self.choice([None] * 8 + ["https://example.cn/1", "https://example.cn/2"]),
            **dict.fromkeys(attributes, True),
        )

    def strip(self, width: int, styles: list[Style | None]) -> Strip:
        """A line, with wide characters, marks and blanks."""
        segments: list[Segment] = []
        left = width
        while left > 0:
            text = "".join(self.choices(self.texts, k=self.randint(1, 6)))
            if self.random() < 0.3:
                text = " " * self.randint(1, width)
            strip = Strip([Segment(text, self.choice(styles))])
            segments += without_loose_marks(strip.crop(0, left))
            left = width - Strip(segments).cell_length
        return Strip(segments, width)


class Forms(Chance):
    """Like forms and lists: a few looks that come again and again, wide characters, blanks."""

    texts = ["委", "托授", "a", "12", " ", "   ", " " * 5, " " * 9]

    def style(self) -> Style | None:
        return Style(
            color=self.choice(["color(251)", "color(231)"]),
            bgcolor=self.choice([None, "color(25)", "color(234)"]),
            bold=self.random() < 0.3,
        )


def without_loose_marks(strip: Strip) -> Strip:
    """A part of a line without the marks that Rich has cut off from their character."""
    segments = list(strip)
    if segments and (text := segments[0].text):
        while text and combining(text[0]):
            text = text[1:]
        segments[0] = Segment(text, segments[0].style)
    return Strip(segments)


class Stage:
    """A screen of strips that changes, and two terminals that show it."""

    def __init__(self, chance: Chance, system: ColorSystem, *, bce: bool) -> None:
        self.chance = chance
        self.width, self.height = chance.choice([(80, 24), (20, 5), (7, 3), (2, 2), (1, 1)])
        self.system = system
        self.styles = [chance.style() for _ in range(chance.randint(1, 6))]
        self.rows = [self.row() for _ in range(self.height)]
        self.output = Output(self.width, self.height, system, erases=bce)
        self.lean = Emulator(self.width, self.height, bce=bce)
        self.stock = Emulator(self.width, self.height, bce=bce)

    def row(self) -> Strip:
        return self.chance.strip(self.width, self.styles)

    def change(self) -> None:
        """Change a little of the screen, or all of it."""
        chance = self.chance
        kind = chance.random()
        if kind < 0.1:
            self.rows = [self.row() for _ in self.rows]
        elif kind < 0.2:
            # A list is scrolled.
            by = chance.randint(1, self.height)
            self.rows = self.rows[by:] + [self.row() for _ in range(by)]
        else:
            for _ in range(chance.randint(1, 3)):
                y, x = chance.randrange(self.height), chance.randrange(self.width)
                old, new = self.rows[y], self.row()
                end = chance.randint(x, self.width)
                parts = old.crop(0, x), new.crop(x, end), old.crop(end, self.width)
                self.rows[y] = Strip.join(without_loose_marks(part) for part in parts)

    def update(self) -> LayoutUpdate | ChopsUpdate:
        """The whole screen, or some spans of it, divided as the compositor divides lines."""
        chance = self.chance
        if chance.random() < 0.3:
            strips = [self.divided(row)[1].values() for row in self.rows]
            return LayoutUpdate(list(strips), Region(0, 0, self.width, self.height))
        chops: list[dict[int, Strip | None]] = []
        ends: list[list[int]] = []
        spans = sorted(self.spans())
        drawn = {y for y, _, _ in spans}
        for y, row in enumerate(self.rows):
            cuts, chopped = self.divided(row)
            chops.append(chopped if y in drawn else dict.fromkeys(chopped))
            ends.append(cuts[1:])
        return ChopsUpdate(chops, spans, ends)

    def spans(self) -> Iterator[tuple[int, int, int]]:
        for y in self.chance.sample(range(self.height), self.chance.randint(1, self.height)):
            if any(combining(c) for c in self.rows[y].text):
                # Rich cuts some characters off from their marks.
                yield y, 0, self.width
            else:
                x1 = self.chance.randrange(self.width)
                yield y, x1, self.chance.randint(x1 + 1, self.width)

    def divided(self, row: Strip) -> tuple[list[int], dict[int, Strip | None]]:
        inside = range(1, self.width)
        cuts = [0, *sorted(self.chance.sample(inside, min(len(inside), 3))), self.width]
        return cuts, dict(zip(cuts, row.divide(cuts[1:]), strict=False))

    def show(self) -> None:
        """Show an update on both."""
        update = self.update()
        cursor = self.chance.randrange(self.width), self.chance.randrange(self.height)
        shown = self.chance.random() < 0.5
        written = self.output.show(
            update, cursor, show_cursor=shown, synchronize=self.chance.random() < 0.5
        )
        self.lean.feed(written)
        self.stock.feed(shown_by_textual(update, cursor, self.system))
        assert not self.lean.synchronized
        assert (self.lean.x, self.lean.y) == (self.stock.x, self.stock.y) == cursor
        assert self.lean.cursor_shown == shown
        assert self.lean.rendition.link == ""
        for y, (lean, stock) in enumerate(zip(self.lean.seen(), self.stock.seen(), strict=True)):
            assert lean == stock, f"line {y} of {update}: {written!r}"


@pytest.mark.parametrize("bce", [True, False])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_hundreds_of_random_screens_look_as_textual_draws_them(
    system: ColorSystem, bce: bool
) -> None:
    for seed in range(60):
        stage = Stage(Chance(f"{system} {bce} {seed}"), system, bce=bce)
        for _ in range(6):
            stage.show()
            stage.change()


@pytest.mark.parametrize("bce", [True, False])
def test_random_forms_look_as_textual_draws_them(bce: bool) -> None:
    for seed in range(20):
        stage = Stage(Forms(f"{bce} {seed}"), ColorSystem.EIGHT_BIT, bce=bce)
        for _ in range(8):
            stage.show()
            stage.change()


# Single cases

BLUE = Style(color="color(231)", bgcolor="color(25)")


def screen(*lines: str, style: Style | None = BLUE) -> LayoutUpdate:
    """The whole of a screen of lines of one width."""
    strips = [[Strip([Segment(line, style)])] for line in lines]
    width = strips[0][0].cell_length
    return LayoutUpdate(list(strips), Region(0, 0, width, len(lines)))


def shown(*screens: LayoutUpdate, erases: bool = True, cursor: tuple[int, int] = (0, 0)) -> str:
    """What is written for the last of some screens."""
    width, height = screens[0].region.size
    output = Output(width, height, ColorSystem.EIGHT_BIT, erases=erases)
    return [output.show(update, cursor) for update in screens][-1]


def test_what_is_shown_already_is_not_written() -> None:
    assert shown(screen("abc", "委托 "), screen("abc", "委托 ")) == ""


def test_a_typed_character_is_one_character_on_the_line() -> None:
    output = Output(9, 1, erases=True)
    output.show(screen("ab       "), (2, 0))
    assert output.show(screen("abc      "), (3, 0)) == "c"
    assert output.show(screen("abc委    "), (5, 0)) == "委"
    assert output.show(screen("abc      "), (3, 0)) == "\b\b  \b\b"


def test_half_a_wide_character_is_written_over_whole() -> None:
    lean = Emulator(6, 1)
    output = Output(6, 1, erases=True)
    for text in ("委托授", "a托授 ", " 委托 ", "委托授"):
        lean.feed(output.show(screen(text), (0, 0)))
        assert "".join(cell.text for cell in lean.cells[0]) == text
    # Where only one half is covered by an update, the other is not trusted any more.
    part = ChopsUpdate([{0: Strip([Segment("x", BLUE)]), 1: None}], [(0, 0, 1)], [[1, 6]])
    lean.feed(output.show(part, (0, 0)))
    assert lean.cells[0][1] == NOISE
    lean.feed(output.show(screen("x 托授"), (0, 0)))
    assert "".join(cell.text for cell in lean.cells[0]) == "x 托授"


def test_marks_stay_with_their_character() -> None:
    assert "e\u0301" in shown(screen("ae\u0301"))
    assert "e\u0301" in shown(screen("ae"), screen("ae\u0301"))
    # Nothing carries a mark that stands alone.
    assert "\u0301" not in shown(screen("\u0301ae"))


def test_after_a_character_of_doubtful_width_the_next_is_placed_by_its_address() -> None:
    for doubtful in ("…", "①", "e\u0301", "\u2708\ufe0f", "\U0001f469\u200d\U0001f4bb"):
        assert f"{doubtful}\x1b[1;" in shown(screen(f"{doubtful}ab  "))


def test_no_control_character_gets_to_the_terminal_from_a_text() -> None:
    hostile = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    lean = Emulator(6, 1)
    lean.feed(shown(screen(f"{hostile}[31mx\ud800")))
    assert "".join(cell.text for cell in lean.cells[0]) == "[31mx?"


@pytest.mark.parametrize("text", ["          ", "ab        ", "ab            c"])
def test_a_terminal_that_erases_without_colour_is_written_blanks(text: str) -> None:
    before = screen("#" * len(text))
    assert re.search(r"\x1b\[\d*[JKX]", shown(before, screen(text)))
    assert not re.search(r"\x1b\[\d*[JKX]", shown(before, screen(text), erases=False))
    # Its own background any terminal erases with.
    plain = screen(text, style=Style(color="red"))
    assert re.search(r"\x1b\[\d*[JKX]", shown(before, plain, erases=False))


@pytest.mark.parametrize(
    ("term", "erases"),
    [
        ("xterm-256color", True),
        ("linux", True),
        ("putty", True),
        ("screen", False),
        ("screen.xterm-256color", False),
        ("tmux-256color", False),
        ("vt220", False),
        ("", False),
    ],
)
def test_only_terminals_known_to_do_so_erase_with_the_background(term: str, erases: bool) -> None:
    assert erases_with_background(term) == erases


def test_a_link_is_opened_and_closed_within_an_update() -> None:
    link = Style(link="https://example.cn/\x1b]8;;x")
    written = shown(screen("ab", style=link))
    assert written.count("\x1b]8;id=0;https://example.cn/]8;;x\x1b\\") == 1
    assert written.index("\x1b]8;;\x1b\\") > written.index("ab")
    # Rich makes an id of its own for every copy of a style; it is the same link.
    copied = Style(link="https://example.cn/\x1b]8;;x")
    assert shown(screen("ab", style=link), screen("ab", style=copied)) == ""


def test_after_a_reset_everything_is_written_again_whatever_the_terminal_was_left_in() -> None:
    output = Output(4, 2, erases=True)
    lean = Emulator(4, 2)
    lean.feed(output.show(screen("abcd", "委托"), (1, 1), show_cursor=True))
    before = lean.seen()
    lean.cells = [[NOISE] * 4 for _ in range(2)]
    lean.rendition = Rendition(frozenset({7}), "31", "41")
    lean.x = lean.y = 0
    lean.cursor_shown = False
    output.reset()
    lean.feed(output.show(screen("abcd", "委托"), (1, 1), show_cursor=True))
    assert lean.seen() == before
    assert (lean.x, lean.y, lean.cursor_shown) == (1, 1, True)


def test_another_size_of_the_terminal_is_unknown_ground() -> None:
    output = Output(4, 1, erases=True)
    output.show(screen("abcd"), (0, 0))
    output.resize(5, 2)
    lean = Emulator(5, 2)
    lean.feed(output.show(screen("abcde", "fghij"), (4, 1)))
    assert ["".join(cell.text for cell in row) for row in lean.cells] == ["abcde", "fghij"]
    # An update that was made for a larger window does no harm in a smaller one.
    output.resize(3, 1)
    small = Emulator(3, 1)
    small.feed(output.show(screen("a委托", "fghij"), (4, 1)))
    assert [cell.text for cell in small.cells[0]] == ["a", "委", ""]
    output.resize(2, 1)
    smaller = Emulator(2, 1)
    smaller.feed(output.show(screen("a委托", "fghij"), (4, 1)))
    assert [cell.text for cell in smaller.cells[0]] == ["a", " "]


@pytest.mark.parametrize(
    ("start", "goal", "way"),
    [
        ((0, 0), (0, 1), "\r\n"),
        ((40, 2), (0, 4), "\r\n\n"),
        ((40, 2), (0, 2), "\r"),
        ((40, 2), (38, 2), "\b\b"),
        ((40, 2), (30, 2), "\x1b[10D"),
        ((5, 3), (5, 4), "\x1bD"),
        ((5, 4), (5, 3), "\x1bM"),
        ((5, 3), (5, 9), "\x1b[6B"),
        ((40, 2), (16, 3), "\r\n\t\t"),
        ((40, 2), (18, 3), "\r\n\t\txx"),
        ((0, 2), (23, 2), "\t\t\t\b"),
        ((17, 2), (20, 2), "xxx"),
        # There is no tab stop on the last column, nor behind it.
        ((72, 2), (79, 2), "\x1b[7C"),
        ((10, 2), (30, 12), "\x1b[13;31H"),
    ],
)
def test_the_cursor_goes_the_shortest_way(
    start: tuple[int, int], goal: tuple[int, int], way: str
) -> None:
    output = Output(80, 24, erases=True)
    update = screen(*["x" * 80] * 24)
    output.show(update, start)
    assert output.show(update, goal) == way


def test_what_is_written_again_on_the_way_may_be_wide() -> None:
    assert "x委y" in shown(screen("a委bc  "), screen("x委yc  "))
    # Of a character of doubtful width nobody knows where it leaves the cursor.
    assert "…" not in shown(screen("a…bc  "), screen("x…yc  "))


def test_each_rendition_is_set_once() -> None:
    label, value = Style(color="color(251)", bgcolor="color(234)"), BLUE
    rows = [[Strip([Segment("委托", label), Segment(str(y) * 9, value)])] for y in range(9)]
    written = shown(LayoutUpdate(list(rows), Region(0, 0, 13, 9)))
    assert sorted(re.findall(r"\x1b\[(\d[\d;]*)m", written)) == [
        "38;5;231;48;5;25",
        "38;5;251;48;5;234",
    ]


def test_blanks_have_no_rendition_of_their_own_beside_something_on_their_ground() -> None:
    strip = Strip([Segment("  ", Style(bgcolor="color(25)")), Segment("ab", BLUE)])
    before = screen("####", style=Style(color="red"))
    written = shown(before, LayoutUpdate([[strip]], Region(0, 0, 4, 1)))
    assert written.startswith("\x1b[38;5;231;48;5;25m  ab")


def test_only_a_long_update_is_synchronized() -> None:
    output = Output(80, 24, erases=True)
    rows = ["".join(Chance(y).choices("abcdefgh", k=80)) for y in range(24)]
    written = output.show(screen(*rows), (0, 0), synchronize=True)
    assert written.startswith("\x1b[?2026h")
    assert written.endswith("\x1b[?2026l")
    # What counts are the bytes.
    chinese = screen(*["委托授权企业" * 6] * 10)
    assert "\x1b[?2026h" in Output(72, 10).show(chinese, (0, 0), synchronize=True)
    rows[0] = "x" + rows[0][1:]
    assert output.show(screen(*rows), (0, 0), synchronize=True) == "x\r"


def test_bold_is_not_turned_off_for_a_blank() -> None:
    bold = Style(bold=True, color="red")
    strip = Strip([Segment("a", bold), Segment(" ", Style(color="red")), Segment("b", bold)])
    written = shown(LayoutUpdate([[strip]], Region(0, 0, 3, 1)))
    assert "a b" in written
