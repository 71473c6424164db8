"""What a line cuts into pieces arrives as what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import _parser, constants, events
from textual.message import Message

from eport_tui.terminal import incoming
from eport_tui.terminal.incoming import Incoming

F5, UP = "\x1b[15~", "\x1b[A"
KEYS = {
    "a": "a",
    "中": "中",
    "\r": "enter",
    "\t": "tab",
    "\x11": "ctrl+q",
    F5: "f5",
    UP: "up",
    "\x1bOP": "f1",
    "\x1b[[B": "f2",
    "\x1b[1;5C": "ctrl+right",
}
# Long enough for a line, too short for a person.
A_PAUSE = 0.2


class Line:
    """A line that brings pieces to the program, at times that the test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in (_parser, incoming):
            monkeypatch.setattr(module, "get_time", lambda: self.now)
        self.incoming = Incoming()

    def bring(self, *pieces: str | bytes, pause: float = A_PAUSE) -> list[str]:
        """What the program makes of pieces with a pause after each."""
        return [shown for piece in pieces for shown in self._bring(piece, pause)]

    def _bring(self, piece: str | bytes, pause: float) -> Iterator[str]:
        data = piece.encode() if isinstance(piece, str) else piece
        yield from map(shown, self.incoming.feed(data))
        until = self.now + pause
        # As the driver does: when something is due, and after each time it has read.
        while True:
            yield from map(shown, self.incoming.tick())
            wait = self.incoming.wait
            if wait is None or self.now + wait > until:
                break
            self.now += wait
        self.now = until


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def shown(event: Message) -> str:
    if isinstance(event, events.Paste):
        return f"paste {event.text}"
    if isinstance(event, events.Key):
        return event.key if event.character is None or not event.is_printable else event.character
    return type(event).__name__


def pasted(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


SENT = st.lists(
    st.sampled_from([(sent, shown) for sent, shown in KEYS.items()])
    | st.text("中a1\r\n \x1b[~20", max_size=12).map(
        lambda text: (pasted(text), f"paste {text.replace(chr(27), '␛')}")
    ),
    max_size=8,
)


@given(sent=SENT, cuts=st.sets(st.integers(0, 120)))
def test_it_does_not_matter_where_a_line_cuts(
    sent: list[tuple[str, str]], cuts: Iterable[int]
) -> None:
    data = "".join(text for text, _ in sent).encode()
    # Esc by itself is the key; only what has begun is waited for.
    places = [at for at in sorted(cuts) if at < len(data) and not data[:at].endswith(b"\x1b")]
    pieces = [data[i:j] for i, j in zip([0, *places], [*places, len(data)], strict=True)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert Line(monkeypatch).bring(*pieces) == [event for _, event in sent]


def test_a_cut_end_of_a_paste_ends_it(line: Line) -> None:
    assert line.bring("\x1b[200~3101980001\x1b[20", "1~", "\x11") == ["paste 3101980001", "ctrl+q"]


def test_an_end_of_a_paste_that_is_cut_behind_its_first_character_ends_it(line: Line) -> None:
    assert line.bring("\x1b[200~3101\x1b", "[201~5") == ["paste 3101", "5"]


def test_esc_by_itself_is_the_key_at_once(line: Line) -> None:
    assert line.bring("\x1b", pause=constants.ESCAPE_DELAY + 0.01) == ["escape"]


def test_what_is_typed_long_after_esc_is_no_part_of_it(line: Line) -> None:
    assert line.bring("\x1b", "[200~", pause=1) == ["escape", *"[200~"]


def test_the_beginning_of_a_sequence_without_its_end_is_given_up(line: Line) -> None:
    line.bring("\x1b[20", pause=1)
    assert line.bring("a", "\r") == ["a", "enter"]


def test_a_paste_whose_end_is_lost_does_not_swallow_what_is_typed_later(line: Line) -> None:
    assert line.bring("\x1b[200~3101", pause=4) == []
    assert line.bring("98", pause=10) == ["paste 310198"]
    assert line.bring(F5, "a") == ["f5", "a"]


def test_nothing_is_waited_for_when_all_has_come(line: Line) -> None:
    line.bring(F5, pasted("3101"), "a")
    assert line.incoming.wait is None


def test_a_character_that_is_cut_arrives_whole(line: Line) -> None:
    first, second = "中".encode()[:2], "中".encode()[2:]
    assert line.bring(first, second) == ["中"]
    assert line.bring(b"\xff") == ["�"]
