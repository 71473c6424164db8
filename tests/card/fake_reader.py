"""A reader in memory over the project's own PIV card, with the faults of real ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from eport_tui.card.errors import CardBusy, CardGone, CardMute
from eport_tui.card.piv import Transport
from eport_tui.card.piv_card import PivCard
from eport_tui.card.protocol import CardRef, ReaderStatus
from tests.card.piv_applet import PivApplet


class FakeReader:
    """One reader with at most one card.

    Attributes:
        mute: Whether the card takes power and then never answers.
        running: Whether the service of the readers runs.
        before: Called with each APDU before the card gets it; may pull, swap, lock.
    """

    name = "内存读卡器"

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.mute = False
        self.running = True
        self.before: Callable[[bytes], None] = lambda apdu: None
        self._on_change = on_change
        self._applet: PivApplet | None = None
        self._line: _Line | None = None
        self._generations = itertools.count()
        self._generation = next(self._generations)
        self._lock = threading.RLock()

    @property
    def applet(self) -> PivApplet | None:
        """The card that is in it."""
        return self._applet

    # What happens at the reader

    def insert(self, applet: PivApplet) -> None:
        """Put a card in; one that is there falls out."""
        with self._lock:
            if self._applet is not None:
                self._applet.power_off()
            self._applet = applet
            self.moved()

    def pull(self) -> None:
        """Take the card out."""
        with self._lock:
            if self._applet is not None:
                self._applet.power_off()
            self._applet = None
            self.moved()

    def swap_unseen(self, applet: PivApplet) -> None:
        """Put another card in without the service noticing; the line goes on with it."""
        with self._lock:
            if self._applet is not None:
                self._applet.power_off()
            self._applet = applet

    def reset(self) -> None:
        """Another process resets the card."""
        with self._lock:
            if self._applet is not None:
                self._applet.power_off()
            if self._line is not None:
                self._line.broken = True

    def moved(self) -> None:
        """Something was moved, or an exchange failed: what was opened before is gone."""
        self._generation = next(self._generations)
        if self._line is not None:
            self._line.broken = True
        self._on_change()

    # As a reader

    def status(self) -> ReaderStatus:
        """Whether the service runs."""
        return ReaderStatus(self.running, "就绪" if self.running else "读卡器服务没有运行")

    def cards(self) -> list[CardRef]:
        """The card, if there is one."""
        with self._lock:
            if self._applet is None or not self.running:
                return []
            return [CardRef(self.name, f"{self.name}#{self._generation}", self.name)]

    def open(self, ref: CardRef) -> PivCard:
        """Open the card."""
        return PivCard.open(ref, *self.connector(ref))

    def connector(self, ref: CardRef) -> tuple[Callable[[], Transport], Callable[[], bool]]:
        """How to connect to the card, and whether it is still there."""
        generation = self._generation
        if ref not in self.cards():
            raise CardGone
        return (
            lambda: self._connect(generation),
            lambda: self.running and self._generation == generation,
        )

    def close(self) -> None:
        """Nothing has to be left."""

    def _connect(self, generation: int) -> _Line:
        with self._lock:
            if not self.running or self._applet is None or generation != self._generation:
                raise CardGone
            if self._line is not None:
                raise CardBusy
            self._applet.power_off()
            self._line = _Line(self)
            return self._line

    def exchange(self, apdu: bytes) -> bytes:
        """Pass an APDU to whatever card is there now."""
        self.before(apdu)
        with self._lock:
            if self.mute:
                raise CardMute
            if not self.running or self._applet is None:
                raise CardGone
            return self._applet.exchange(apdu)

    def left(self, line: _Line) -> None:
        """A line was closed: the card loses its power."""
        with self._lock:
            if self._line is line:
                self._line = None
                if self._applet is not None:
                    self._applet.power_off()


class _Line:
    def __init__(self, reader: FakeReader) -> None:
        self._reader = reader
        self.broken = False

    def transmit(self, apdu: bytearray | bytes, limit: float) -> tuple[bytes, int]:
        try:
            if self.broken:
                raise CardGone
            answer = self._reader.exchange(bytes(apdu))
            if self.broken or len(answer) < 2:
                raise CardGone
        except CardGone:
            # As the real one does: after a fault nothing of before is believed.
            self._reader.moved()
            raise
        return answer[:-2], int.from_bytes(answer[-2:])

    def close(self) -> None:
        self.broken = True
        self._reader.left(self)
