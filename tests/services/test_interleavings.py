"""Whatever is pulled, put in, swapped, locked and saved, in whatever order and at whatever
command: no save goes through that the right card in the reader did not sign."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from eport_tui.card.session import CardSession
from eport_tui.card.signatures import is_signed_by
from eport_tui.domain import dates
from eport_tui.domain.grants import GrantDraft
from eport_tui.errors import EportError
from eport_tui.services import enterprise_grants
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.card.fake_reader import FakeReader
from tests.card.making import make_authority, make_holder, make_trust
from tests.card.piv_applet import AUTHENTICATE, PivApplet
from tests.card.piv_making import make_key, make_piv, pin
from tests.services.world import BROKER, TABLES, register


@cache
def bench():  # type: ignore[no-untyped-def]
    """The trust, the right card, a forged twin of it, and a card of somebody else."""
    authority = make_authority(Path(tempfile.mkdtemp()))
    right = make_piv(authority)
    twin = make_piv(authority)
    for slot, key in right.keys.items():
        certificate = authority.enrol(make_holder(), key.public_key()).public_bytes(Encoding.DER)
        right.load(slot, key, certificate)
        # The twin repeats all that can be read, and has keys of its own.
        twin.load(slot, make_key("p256"), certificate)
    twin.objects.update(right.objects)
    other = make_piv(authority, number="8900000000099")
    return make_trust(authority), right, twin, other


class Desk:
    """A session with the right card, and all that may befall it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trust, self.right, self.twin, self.other = bench()
        self.reader = FakeReader()
        self.reader.before = self._command
        self._countdown, self._event = -1, ""
        self.signed_by: PivApplet | None = None
        self.reader.insert(self.right)
        (ref,) = self.reader.cards()
        self.session = CardSession.begin(self.reader.open(ref), self.trust)
        self.certificate = self.session.certificate
        self.session.unlock(pin())

    def _command(self, apdu: bytes) -> None:
        self._countdown -= 1
        if self._countdown == 0:
            self.happen(self._event)
        if apdu[1] == AUTHENTICATE:
            self.signed_by = self.reader.applet

    def happen(self, event: str) -> None:
        """Let something befall the card; what the program says to it does not matter here."""
        reader = self.reader
        deeds: dict[str, Callable[[], object]] = {
            "pull": reader.pull,
            "right card": lambda: reader.insert(self.right),
            "other card": lambda: reader.insert(self.other),
            "twin": lambda: reader.insert(self.twin),
            "unseen right card": lambda: reader.swap_unseen(self.right),
            "unseen other card": lambda: reader.swap_unseen(self.other),
            "unseen twin": lambda: reader.swap_unseen(self.twin),
            "reset": reader.reset,
            "lock": self.session.lock,
            "mute": lambda: setattr(reader, "mute", not reader.mute),
        }
        deeds[event]()

    def log_in_again(self) -> None:
        """As the lock screen does it."""
        with suppress(EportError):
            self.session.lock()
            for ref in self.reader.cards():
                self.session.resume(self.reader.open(ref))
                self.session.unlock(pin())

    def save(self, subsystem: str, at: int, event: str) -> None:
        """Save, while something happens at the so-manieth command."""
        self._countdown, self._event, self.signed_by = at, event, None
        before = ledger.head(self.store).number
        until = (dates.today() + timedelta(days=9)).isoformat()
        draft = GrantDraft(BROKER.customs_code, subsystem, "X1", until)
        with suppress(EportError):
            enterprise_grants.save(self.store, TABLES, self.session, draft)
        self._countdown = -1
        entry = ledger.get(self.store, before + 1)
        if entry is None:
            return
        certificate = self.session.certificate
        assert certificate == self.certificate
        assert self.signed_by is self.right
        assert ledger.certificates(self.store)[entry.certificate] == certificate
        assert is_signed_by(certificate, entry.signature, SIGNED_FOR + entry.payload.encode())


EVENTS = (
    *("pull", "right card", "other card", "twin"),
    *("unseen right card", "unseen other card", "unseen twin"),
    *("reset", "lock", "mute"),
)
SUBSYSTEMS = ("95", "B1", "Z8", "B3")
events = st.sampled_from(EVENTS)
saves = st.tuples(st.sampled_from(SUBSYSTEMS), st.integers(0, 12), events)


@given(st.lists(st.one_of(events, saves, saves, st.just("log in again")), max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_save_goes_through_that_the_card_in_the_reader_did_not_sign(story) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "eport.db") as store:
        register(store)
        desk = Desk(store)
        for step in story:
            if step == "log in again":
                desk.log_in_again()
            elif isinstance(step, str):
                desk.happen(step)
            else:
                desk.save(*step)


def test_an_undisturbed_save_goes_through_and_a_twin_signs_nothing(
    sqlite_store: Store,
) -> None:
    store = sqlite_store
    register(store)
    desk = Desk(store)
    desk.save("95", 0, "lock")
    assert ledger.head(store).number == 1
    desk.happen("unseen twin")
    desk.save("B1", 0, "lock")
    assert ledger.head(store).number == 1
    assert not desk.session.unlocked
