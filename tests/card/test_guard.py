"""The guard's story over a card in memory, and what only there can be arranged."""

from __future__ import annotations

import threading

import pytest

from eport_tui.card.errors import CardError, CardGone, Locked
from eport_tui.card.session import CardSession
from tests.card.fake_reader import FakeReader
from tests.card.guard_story import GuardStory, count, demand_locked, open_only, resume, work
from tests.card.piv_applet import AUTHENTICATE, VERIFY, PivApplet
from tests.card.piv_making import make_piv, pin


class MemoryRig:
    """A hand at a `FakeReader`."""

    def __init__(self) -> None:
        self.reader = FakeReader()

    def insert(self, applet: PivApplet) -> None:
        self.reader.insert(applet)

    def pull(self) -> None:
        self.reader.pull()

    def swap(self, applet: PivApplet) -> None:
        self.reader.insert(applet)

    def mute(self, applet: PivApplet) -> None:
        self.reader.mute = True

    def unmute(self, applet: PivApplet) -> None:
        self.reader.mute = False

    def stop_service(self) -> None:
        self.reader.running = False

    def start_service(self) -> None:
        self.reader.running = True


@pytest.fixture
def rig() -> MemoryRig:
    """An empty reader."""
    return MemoryRig()


class TestGuard(GuardStory):
    """In memory."""


def test_a_swap_that_nobody_notices_is_found_out_before_the_save(rig, authority, trust):
    other = make_piv(authority, number="8900000000022")
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    rig.reader.swap_unseen(other)
    assert session.card.is_present()
    with pytest.raises(CardError):
        session.require_granting()
    demand_locked(session)
    assert count(other, VERIFY) == count(other, AUTHENTICATE) == 0


def test_a_swap_that_nobody_notices_while_locked_does_not_get_the_pin(rig, authority, trust):
    other = make_piv(authority, number="8900000000022")
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    session.lock()
    rig.reader.swap_unseen(other)
    assert session.card.is_present()
    with pytest.raises(CardGone):
        session.unlock(pin())
    assert not session.card.is_present()
    assert count(other, VERIFY) == 0


@pytest.mark.parametrize("deed", ["sign", "require_granting"])
def test_a_card_that_has_lost_its_pin_state_has_to_be_opened_anew(rig, authority, trust, deed):
    applet = make_piv(authority)
    rig.insert(applet)
    session = work(rig, trust)
    applet.verified = False
    with pytest.raises(CardGone):
        session.sign(b"save") if deed == "sign" else session.require_granting()
    demand_locked(session)
    assert not session.card.is_present()
    resume(rig, session)


def test_a_forged_card_that_repeats_everything_cannot_sign(rig, authority, trust):
    genuine = make_piv(authority)
    forged = make_piv(authority, number="8900000000022")
    forged.objects = genuine.objects
    rig.insert(genuine)
    session = work(rig, trust)
    forged.exchange(bytes.fromhex("00A4040009A00000030800001000"))
    forged.exchange(bytes.fromhex("0020008008") + b"123456\xff\xff")
    rig.reader.swap_unseen(forged)
    assert session.require_granting()
    with pytest.raises(CardError, match="私钥"):
        session.sign(b"save")
    demand_locked(session)


def test_a_card_reset_by_another_process_locks(rig, authority, trust):
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    rig.reader.reset()
    with pytest.raises(CardGone):
        session.require_granting()
    demand_locked(session)
    resume(rig, session)


def test_a_pull_during_any_command_of_the_login_lets_nobody_in(rig, authority, trust):
    applet = make_piv(authority)
    step = 0
    while True:
        rig.insert(applet)
        session = CardSession.begin(open_only(rig), trust)
        left = [step]

        def pull_at(apdu, left=left):
            if left[0] == 0:
                rig.pull()
            left[0] -= 1

        rig.reader.before = pull_at
        try:
            session.unlock(pin())
        except CardGone:
            demand_locked(session)
        else:
            break
        finally:
            rig.reader.before = lambda apdu: None
        step += 1
    assert step >= 7
    assert applet.tries == 3


def test_a_lock_does_not_wait_for_the_card_and_is_no_fault_of_it(rig, authority, trust):
    applet = make_piv(authority)
    rig.insert(applet)
    session = CardSession.begin(open_only(rig), trust)

    def lock_from_another_thread(apdu):
        if apdu[1] == VERIFY:
            thread = threading.Thread(target=session.lock, daemon=True)
            thread.start()
            thread.join(timeout=5)
            assert not thread.is_alive()

    rig.reader.before = lock_from_another_thread
    with pytest.raises(Locked):
        session.unlock(pin())
    demand_locked(session)
    rig.reader.before = lambda apdu: None
    assert not applet.verified
    assert session.card.is_present()
    session.unlock(pin())
    assert session.require_granting()


def test_the_pin_is_wiped_from_what_was_sent(rig, authority, trust, monkeypatch):
    sent = []

    class Spy:
        def __init__(self, line):
            self._line = line

        def transmit(self, apdu, limit):
            sent.append(apdu)
            return self._line.transmit(apdu, limit)

        def close(self):
            self._line.close()

    connect = FakeReader._connect
    monkeypatch.setattr(FakeReader, "_connect", lambda *args: Spy(connect(*args)))
    rig.insert(make_piv(authority))
    work(rig, trust)
    commands = [apdu for apdu in sent if apdu[1] == VERIFY or not any(apdu)]
    assert not any(b"123456" in apdu for apdu in sent)
    assert any(isinstance(apdu, bytearray) and len(apdu) == 13 for apdu in commands)
