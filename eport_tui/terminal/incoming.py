"""Turns what the terminal sends into events, in whatever pieces a line delivers it."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator

from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.message import Message

_BEGINNING, _END = "\x1b[200~", "\x1b[201~"
"""What a terminal sends before and after a text that is pasted."""

_CUT = re.compile(r"\x1b(?:\[\[?|O)[0-9;:<?]*\Z")
"""A sequence whose end has not come; Esc by itself may be the key."""

_LONGEST = 32
"""No sequence that a terminal sends is longer."""

_REST = 0.5
"""Seconds for the rest of a sequence, of which nobody types a part."""

_REST_OF_PASTE = 5.0
"""Seconds for more of a paste; without an end it would swallow all that is typed."""

# A timeout that ends a moment early would only be waited for again.
_A_MOMENT = 0.001


class Incoming:
    """What the terminal sends, as events.

    Textual's parser waits no longer for the rest of something than it takes to tell the
    key Esc from a sequence.  Where a slow line cuts one, it would type what came of a
    function key, and take a paste whose end was cut for one that never ends.
    """

    def __init__(self, debug: bool = False) -> None:
        self._parser = XTermParser(debug)
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        # The pieces of a paste that has not ended.
        self._paste: list[str] | None = None
        # What came last, in which a sequence may begin.
        self._tail = ""
        # Until when the rest of something is waited for; of Esc the parser knows itself.
        self._due: float | None = None

    @property
    def wait(self) -> float | None:
        """In how many seconds `tick` is to be called; none where nothing is waited for."""
        due = self._parser._timeout_time if self._due is None else self._due
        return None if due is None else max(0.0, due - get_time()) + _A_MOMENT

    def feed(self, data: bytes) -> Iterator[Message]:
        """The events of what was read."""
        # Half a character is no text yet, and to the parser no text is the end.
        text = self._decode(data)
        while text:
            part = self._outside if self._paste is None else self._inside
            text = yield from part(text)
        if self._paste is not None:
            self._due = get_time() + _REST_OF_PASTE
        else:
            self._due = get_time() + _REST if _CUT.search(self._tail) else None

    def tick(self) -> Iterator[Message]:
        """The events of what was waited for in vain; none before its time."""
        if self._due is not None:
            if get_time() < self._due:
                return
            self._due = None
        if self._paste is not None:
            yield from self._pasted("".join(self._paste))
        elif self._parser._timeout_time is not None:
            yield from self._parser.tick()
            if self._parser._timeout_time is None:
                # It was given up, so what comes next is no part of it.
                self._tail = ""

    def _outside(self, text: str) -> Generator[Message, None, str]:
        """Up to where a paste begins; returns what comes behind."""
        before, marker, behind = (self._tail + text).partition(_BEGINNING)
        yield from self._parser.feed((before + marker)[len(self._tail) :])
        if marker:
            self._paste, self._tail = [], ""
        else:
            self._tail = before[-_LONGEST:]
        return behind

    def _inside(self, text: str) -> Generator[Message, None, str]:
        """Up to where the paste ends; returns what comes behind."""
        assert self._paste is not None
        before, marker, behind = (self._tail + text).partition(_END)
        self._paste.append((before + marker)[len(self._tail) :])
        self._tail = before[-_LONGEST:]
        if marker:
            yield from self._pasted("".join(self._paste).removesuffix(_END))
        return behind

    def _pasted(self, text: str) -> Iterator[Message]:
        # The parser would take an escape character in it for the beginning of a key.
        yield from self._parser.feed(text.replace("\x1b", "␛") + _END)
        self._paste, self._tail = None, ""
