"""What the guard promises, told once and lived through in memory and over pcscd."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import pytest

from eport_tui.card.errors import (
    BadPin,
    CardBusy,
    CardDamaged,
    CardError,
    CardGone,
    CardMute,
    Locked,
    OtherCard,
    PinBlocked,
    WrongPin,
    WrongPuk,
)
from eport_tui.card.piv_card import PivCard
from eport_tui.card.protocol import CardRef, Reader
from eport_tui.card.session import CardSession
from eport_tui.card.signatures import is_signed_by
from tests.card.piv_applet import AUTHENTICATE, CHANGE, CHUID, VERIFY, PivApplet
from tests.card.piv_making import PUK, make_piv, pin, wrong_pin

PATIENCE = 5.0


class Rig(Protocol):
    """A reader and the hand that moves cards in it."""

    reader: Reader

    def insert(self, applet: PivApplet) -> None:
        """Put a card in."""

    def pull(self) -> None:
        """Take it out."""

    def swap(self, applet: PivApplet) -> None:
        """Another card takes its place before anybody looks."""

    def mute(self, applet: PivApplet) -> None:
        """The card answers no more APDUs."""

    def unmute(self, applet: PivApplet) -> None:
        """It answers again."""

    def stop_service(self) -> None:
        """The service of the readers is stopped."""

    def start_service(self) -> None:
        """And started again."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def only_card(rig: Rig) -> CardRef:
    """The card in the reader, once it is noticed."""
    until(rig.reader.cards, "no card was noticed")
    (ref,) = rig.reader.cards()
    return ref


def open_only(rig: Rig) -> PivCard:
    """Open the card in the reader; what is put in anew may be noticed a little later."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            card = rig.reader.open(only_card(rig))
            assert isinstance(card, PivCard)
            return card
        except CardGone:
            assert time.monotonic() < deadline


def work(rig: Rig, trust) -> CardSession:
    """An unlocked session with the card in the reader."""
    session = CardSession.begin(open_only(rig), trust)
    session.unlock(pin())
    assert session.require_granting()
    return session


def resume(rig: Rig, session: CardSession) -> None:
    """The card is back: open it, go on with it, give the PIN."""
    session.resume(open_only(rig))
    session.unlock(pin())
    assert session.require_granting()


def count(applet: PivApplet, ins: int) -> int:
    """How many commands of a kind the card has had."""
    return sum(entry[1] == ins for entry in applet.log)


def forget_over_change(applet: PivApplet) -> None:
    """The card takes the verified PIN back whenever one is changed, rightly or not."""

    def forget(apdu: bytes, data: bytes, sw: int) -> tuple[bytes, int]:
        if apdu[1] == CHANGE:
            applet.verified = False
        return data, sw

    applet.tamper = forget


def demand_locked(session: CardSession) -> None:
    """Nothing goes through any more."""
    assert not session.unlocked
    for deed in (session.require, session.require_granting, lambda: session.sign(b"save")):
        with pytest.raises(Locked):
            deed()


def demand_forgotten(session: CardSession) -> None:
    """The card wants its PIN, says so, and is not taken for one that was pulled."""
    for deed in (session.card.confirm, lambda: session.card.sign(b"save")):
        with pytest.raises(Locked):
            deed()
    with pytest.raises(Locked):
        session.require_granting()
    demand_locked(session)


class GuardStory:
    """Subclasses give the fixture `rig`."""

    def test_a_card_begins_a_session_and_signs(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = CardSession.begin(open_only(rig), trust)
        assert session.holder.card_number == "8900000000011"
        assert session.assurance == "hardware"
        assert session.tries_left() == 3
        with pytest.raises(Locked):
            session.require()
        assert count(applet, AUTHENTICATE) == 0

        session.unlock(pin())
        assert session.require_granting().is_legal_person
        signature = session.sign(b"save 1")
        assert is_signed_by(session.card.certificate, signature, b"save 1")

    @pytest.mark.parametrize("kind", ["rsa", "p384"])
    def test_other_keys_sign_too(self, rig, authority, trust, kind):
        rig.insert(make_piv(authority, kind=kind))
        session = work(rig, trust)
        assert is_signed_by(session.card.certificate, session.sign(b"save"), b"save")

    def test_a_lock_takes_the_pin_away_from_the_card(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        session.lock()
        until(lambda: not applet.verified, "the PIN is still verified")
        demand_locked(session)
        assert session.card.is_present()
        session.unlock(pin())
        assert session.require_granting()

    def test_a_pulled_card_locks_and_comes_back(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        rig.pull()
        until(lambda: not session.card.is_present(), "the pull was not noticed")
        with pytest.raises(CardGone):
            session.require()
        demand_locked(session)
        assert rig.reader.cards() == []

        rig.insert(applet)
        assert not session.card.is_present()
        resume(rig, session)

    def test_a_card_that_is_back_can_be_opened_before_anybody_has_locked(
        self, rig, authority, trust
    ):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        rig.pull()
        rig.insert(applet)
        until(lambda: not session.card.is_present(), "the pull was not noticed")
        card = open_only(rig)
        session.resume(card)
        session.unlock(pin())

    def test_a_save_right_after_the_pull_is_refused(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        rig.pull()
        with pytest.raises(CardGone):
            session.require_granting()
        demand_locked(session)

    def test_a_card_pulled_while_it_signs_locks(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)

        def pull(apdu, data, sw):
            if apdu[1] == AUTHENTICATE:
                applet.tamper = None
                rig.pull()
            return data, sw

        applet.tamper = pull
        with pytest.raises(CardGone):
            session.sign(b"save")
        demand_locked(session)
        rig.insert(applet)
        resume(rig, session)

    def test_a_swapped_card_signs_nothing(self, rig, authority, trust):
        other = make_piv(authority, number="8900000000022")
        rig.insert(make_piv(authority))
        session = work(rig, trust)
        rig.swap(other)
        with pytest.raises(CardError):
            session.require_granting()
        demand_locked(session)
        assert count(other, VERIFY) == count(other, AUTHENTICATE) == 0
        with pytest.raises(OtherCard):
            session.resume(open_only(rig))

    def test_a_card_taken_out_and_put_back_at_once_wants_its_pin_again(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        rig.swap(applet)
        with pytest.raises(CardError):
            session.require_granting()
        demand_locked(session)
        resume(rig, session)

    def test_a_card_that_was_reset_wants_its_pin_again(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        applet.power_off()
        with pytest.raises(CardError):
            session.sign(b"save")
        demand_locked(session)

    def test_a_card_swapped_while_locked_does_not_get_the_pin(self, rig, authority, trust):
        other = make_piv(authority, number="8900000000022")
        rig.insert(make_piv(authority))
        session = work(rig, trust)
        session.lock()
        rig.swap(other)
        with pytest.raises(CardGone):
            session.unlock(pin())
        assert count(other, VERIFY) == 0

    def test_a_mute_card_is_given_up_and_works_again_later(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        rig.mute(applet)
        began = time.monotonic()
        with pytest.raises(CardMute):
            session.require_granting()
        demand_locked(session)
        assert not session.card.is_present()
        # Nor is it waited for again and again.
        for ref in rig.reader.cards():
            with pytest.raises(CardGone):
                rig.reader.open(ref)
        assert time.monotonic() - began < 3

        rig.unmute(applet)
        resume(rig, session)

    def test_a_stopped_service_locks_and_is_noticed_when_it_is_back(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        assert rig.reader.status().ok
        rig.stop_service()
        until(lambda: not session.card.is_present(), "the service seems to be running")
        with pytest.raises(CardGone):
            session.require()
        demand_locked(session)
        until(lambda: not rig.reader.status().ok, "the service seems to be running")
        assert rig.reader.cards() == []

        rig.start_service()
        rig.insert(applet)
        until(lambda: rig.reader.status().ok, "the service was not noticed")
        resume(rig, session)

    def test_a_card_is_held_by_one_at_a_time(self, rig, authority, trust):
        rig.insert(make_piv(authority))
        session = work(rig, trust)
        card = open_twice(rig)
        assert isinstance(card, CardBusy)
        assert session.require_granting()

    # PINs

    def test_wrong_pins_count_down_to_the_block_and_the_puk_opens_it(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = CardSession.begin(open_only(rig), trust)
        for left in (2, 1):
            with pytest.raises(WrongPin) as caught:
                session.unlock(wrong_pin())
            assert caught.value.left == left == session.tries_left()
        with pytest.raises(PinBlocked):
            session.unlock(wrong_pin())
        assert session.tries_left() == 0
        with pytest.raises(PinBlocked):
            session.unlock(pin())
        demand_locked(session)

        card = open_only(rig)
        with pytest.raises(WrongPuk) as caught_puk:
            card.unblock(bytearray(b"87654321"), pin())
        assert caught_puk.value.left == 2
        card.unblock(bytearray(PUK), bytearray(b"11112222"))
        assert card.tries_left() == 3
        session.unlock(bytearray(b"11112222"))
        assert session.require_granting()

    def test_a_blocked_puk_is_told(self, rig, authority):
        applet = make_piv(authority)
        rig.insert(applet)
        card = open_only(rig)
        for left in (2, 1, 0, 0):
            with pytest.raises(WrongPuk) as caught:
                card.unblock(bytearray(b"87654321"), pin())
            assert caught.value.left == left

    def test_a_card_that_says_63c0_at_the_last_wrong_try_is_blocked(self, rig, authority, trust):
        applet = make_piv(authority)
        applet.tries, applet.last_wrong = 1, 0x63C0
        rig.insert(applet)
        session = CardSession.begin(open_only(rig), trust)
        with pytest.raises(PinBlocked):
            session.unlock(wrong_pin())
        assert session.tries_left() == 0

    def test_the_pin_is_changed(self, rig, authority, trust):
        rig.insert(make_piv(authority))
        card = open_only(rig)
        with pytest.raises(WrongPin):
            card.change_pin(wrong_pin(), bytearray(b"11112222"))
        card.change_pin(pin(), bytearray(b"11112222"))
        session = CardSession.begin(card, trust)
        with pytest.raises(WrongPin):
            session.unlock(pin())
        session.unlock(bytearray(b"11112222"))

    def test_a_session_goes_on_after_its_pin_was_changed(self, rig, authority, trust):
        rig.insert(make_piv(authority))
        session = work(rig, trust)
        session.card.change_pin(pin(), bytearray(b"11112222"))
        assert session.require_granting()
        assert session.sign(b"save")
        session.lock()
        with pytest.raises(WrongPin):
            session.unlock(pin())
        session.unlock(bytearray(b"11112222"))

    def test_a_card_that_forgets_its_pin_over_a_change_locks_and_takes_the_new_one(
        self, rig, authority, trust
    ):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)
        forget_over_change(applet)
        session.card.change_pin(pin(), bytearray(b"11112222"))
        demand_forgotten(session)
        assert session.card.is_present()
        session.unlock(bytearray(b"11112222"))
        assert session.require_granting()

    def test_a_wrong_old_pin_locks_where_the_card_takes_the_right_one_back(
        self, rig, authority, trust
    ):
        rig.insert(make_piv(authority))
        session = work(rig, trust)
        with pytest.raises(WrongPin) as caught:
            session.card.change_pin(wrong_pin(), bytearray(b"11112222"))
        assert caught.value.left == 2
        demand_forgotten(session)
        assert session.card.is_present()
        assert session.tries_left() == 2
        session.unlock(pin())
        assert session.require_granting()

    def test_a_wrong_old_pin_ends_nothing_where_the_card_stays_verified(
        self, rig, authority, trust
    ):
        applet = make_piv(authority)
        rig.insert(applet)
        session = work(rig, trust)

        def stay(apdu, data, sw):
            applet.verified = True
            return data, sw

        applet.tamper = stay
        for left in (2, 1):
            with pytest.raises(WrongPin):
                session.card.change_pin(wrong_pin(), bytearray(b"11112222"))
            assert session.tries_left() == left
        assert session.require_granting()
        session.card.change_pin(pin(), bytearray(b"11112222"))
        assert session.tries_left() == 3

    @pytest.mark.parametrize("given", [b"", b"12345", b"123456789", b"12345a", b"88 88 88"])
    def test_what_cannot_be_a_pin_never_reaches_the_card(self, rig, authority, trust, given):
        applet = make_piv(authority)
        rig.insert(applet)
        card = open_only(rig)
        session = CardSession.begin(card, trust)
        before = len(applet.log)
        typed = bytearray(given)
        for deed in (
            lambda: session.unlock(typed),
            lambda: card.change_pin(typed, pin()),
            lambda: card.change_pin(pin(), typed),
            lambda: card.unblock(bytearray(PUK), typed),
        ):
            with pytest.raises(BadPin):
                deed()
        assert len(applet.log) == before

    def test_a_wrong_pin_is_sent_once_and_never_again_by_itself(self, rig, authority, trust):
        applet = make_piv(authority)
        rig.insert(applet)
        session = CardSession.begin(open_only(rig), trust)
        with pytest.raises(WrongPin):
            session.unlock(wrong_pin())
        assert count(applet, VERIFY) == 1
        assert applet.tries == 2

    # What cards are like

    @pytest.mark.parametrize("size", [1, 32, 255])
    def test_a_card_that_answers_in_small_pieces_is_read(self, rig, authority, trust, size):
        applet = make_piv(authority, kind="rsa")
        applet.max_short = size
        rig.insert(applet)
        assert work(rig, trust).sign(b"save")

    def test_a_card_that_demands_the_exact_length_is_read(self, rig, authority, trust):
        applet = make_piv(authority)
        applet.exact_length = True
        rig.insert(applet)
        assert work(rig, trust).sign(b"save")

    def test_a_compressed_certificate_is_read(self, rig, authority, trust):
        rig.insert(make_piv(authority, compressed=True))
        assert work(rig, trust).sign(b"save")

    def test_an_empty_card_is_told(self, rig):
        rig.insert(PivApplet())
        with pytest.raises(CardDamaged, match="卡中没有证书"):
            open_only(rig)

    def test_a_card_without_an_identifier_is_told(self, rig, authority):
        applet = make_piv(authority)
        del applet.objects[CHUID]
        rig.insert(applet)
        with pytest.raises(CardDamaged, match="标识"):
            open_only(rig)

    def test_a_card_of_another_kind_is_told(self, rig):
        applet = PivApplet()
        applet.tamper = lambda apdu, data, sw: (b"", 0x6A82)
        rig.insert(applet)
        with pytest.raises(CardDamaged, match="不是PIV卡"):
            open_only(rig)


def open_twice(rig: Rig) -> CardError:
    """What a second try to open the card in the reader comes to."""
    with pytest.raises(CardError) as caught:
        rig.reader.open(only_card(rig))
    return caught.value
