"""The guard over a session: what unlocks it, what locks it, what it lets through."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card.errors import (
    BadPin,
    CardGone,
    CertificateRefused,
    Locked,
    OtherCard,
    PinBlocked,
    WrongPin,
)
from eport_tui.card.protocol import check_pin
from eport_tui.card.session import CardSession
from eport_tui.card.signatures import sign
from eport_tui.card.software import SoftwareReader, write_card
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Role
from eport_tui.errors import NotPermitted
from tests.card import forging
from tests.card.making import (
    CHEAP,
    locked_session,
    make_authority,
    make_card,
    make_holder,
    make_trust,
    software_session,
)


def right() -> bytearray:
    return bytearray(b"88888888")


def wrong() -> bytearray:
    return bytearray(b"12345678")


class StubCard:
    """A card in memory; `during_pin` runs while the PIN is being verified."""

    ref = None
    assurance = "hardware"

    def __init__(self, authority, *, key=None, certificate=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate or forging.certificate(authority, key=self.key)
        self.present = True
        self.open = False
        self.signed = []
        self.during_pin = lambda: None

    def is_present(self):
        return self.present

    def confirm(self):
        if not self.present:
            raise CardGone

    def check_pin(self, pin):
        check_pin(pin)

    def tries_left(self):
        return 5

    def verify_pin(self, pin):
        self.during_pin()
        self.open = True

    def sign(self, data):
        self.signed.append(data)
        return sign(self.key, data)

    def close(self):
        self.open = False


# Beginning


def test_a_session_begins_locked_and_knows_its_holder(authority, card_file, trust):
    session = locked_session(card_file, trust)
    assert session.holder.card_number == "8900000000011"
    assert session.holder.role is Role.LEGAL_PERSON
    assert session.verdict.may_grant
    assert session.assurance == "software"
    assert session.tries_left() == 5
    assert not session.unlocked
    with pytest.raises(Locked):
        session.require()
    with pytest.raises(Locked):
        session.require_granting()


def test_a_refused_certificate_begins_no_session(authority, cards, trust):
    day = timedelta(days=1)
    path = make_card(authority, cards, valid_from=now() - 9 * day, valid_until=now() - day)
    with pytest.raises(CertificateRefused) as caught:
        locked_session(path, trust)
    assert caught.value.code == "expired"


def test_a_card_pulled_at_once_begins_no_session(authority, trust):
    card = StubCard(authority)
    card.present = False
    with pytest.raises(CardGone):
        CardSession.begin(card, trust)


def test_a_key_in_a_file_is_software_whatever_its_certificate_says(authority, cards):
    path = make_card(authority, cards, software=False)
    assert locked_session(path, make_trust(authority)).assurance == "software"
    with pytest.raises(CertificateRefused) as caught:
        locked_session(path, make_trust(authority, require_hardware=True))
    assert caught.value.code == "hardware-required"


def test_a_software_certificate_is_software_in_a_chip_too(authority, trust):
    assert CardSession.begin(StubCard(authority), trust).assurance == "software"


# Unlocking


def test_the_pin_unlocks(card_file, trust):
    session = locked_session(card_file, trust)
    session.unlock(right())
    assert session.unlocked
    assert session.require() == session.holder
    assert session.require_granting() == session.holder


def test_a_wrong_pin_leaves_it_locked(card_file, trust):
    session = locked_session(card_file, trust)
    with pytest.raises(WrongPin):
        session.unlock(wrong())
    assert not session.unlocked
    assert session.tries_left() == 4
    with pytest.raises(Locked):
        session.require()


def test_five_wrong_pins_block_the_card(card_file, trust):
    session = locked_session(card_file, trust)
    for _ in range(4):
        with pytest.raises(WrongPin):
            session.unlock(wrong())
    with pytest.raises(PinBlocked):
        session.unlock(wrong())
    with pytest.raises(PinBlocked):
        session.unlock(right())
    assert session.tries_left() == 0


def test_what_cannot_be_a_pin_never_reaches_the_card(authority, trust):
    card = StubCard(authority)
    session = CardSession.begin(card, trust)
    session.unlock(right())
    generation = session.generation
    card.during_pin = lambda: pytest.fail("the card was asked")
    with pytest.raises(BadPin):
        session.unlock(bytearray(b"1234"))
    assert session.unlocked
    assert session.generation == generation


def test_a_copied_certificate_without_its_key_gets_nobody_in(authority, card_file, trust, cards):
    victim = locked_session(card_file, trust).card.certificate
    key = ec.generate_private_key(ec.SECP256R1())
    (cards / "copy").mkdir()
    path = cards / "copy" / card_file.name
    write_card(path, victim, forging.private_der(key), right(), CHEAP)
    session = locked_session(path, trust)
    with pytest.raises(CertificateRefused) as caught:
        session.unlock(right())
    assert caught.value.code == "no-key"
    assert not session.unlocked
    with pytest.raises(Locked):
        session.card.sign(b"data")


def test_a_recorded_signature_gets_nobody_in(authority, trust):
    card = StubCard(authority)
    recorded = []
    signing = card.sign

    def record_or_replay(data):
        if not recorded:
            recorded.append(signing(data))
        return recorded[0]

    card.sign = record_or_replay
    session = CardSession.begin(card, trust)
    session.unlock(right())
    session.lock()
    with pytest.raises(CertificateRefused) as caught:
        session.unlock(right())
    assert caught.value.code == "no-key"


def test_each_challenge_is_fresh_and_names_its_purpose(authority, trust):
    card = StubCard(authority)
    for session in (CardSession.begin(card, trust), CardSession.begin(card, trust)):
        session.unlock(right())
        session.unlock(right())
    assert len(set(card.signed)) == 4
    assert all(data.startswith(b"eport_tui/login/v1\0") for data in card.signed)
    assert all(len(data) == len(b"eport_tui/login/v1\0") + 16 + 32 for data in card.signed)


def test_any_fault_of_the_card_locks(authority, trust):
    card = StubCard(authority)
    session = CardSession.begin(card, trust)
    session.unlock(right())

    def fail():
        raise RuntimeError("reader on fire")

    card.during_pin = fail
    with pytest.raises(RuntimeError):
        session.unlock(right())
    assert not session.unlocked
    assert not card.open


def test_a_card_revoked_since_it_was_inserted_spends_no_try(tmp_path, cards):
    own = make_authority(tmp_path)
    trust = make_trust(own)
    session = locked_session(make_card(own, cards), trust)
    own.revoke("8900000000011")
    own.publish(tmp_path / "trust")
    with pytest.raises(CertificateRefused) as caught:
        session.unlock(wrong())
    assert caught.value.code == "revoked"
    assert session.tries_left() == 5


# Locking


def test_a_lock_while_the_pin_is_checked_wins_and_does_not_wait(authority, trust):
    card = StubCard(authority)
    session = CardSession.begin(card, trust)

    def lock_from_another_thread():
        thread = threading.Thread(target=session.lock, daemon=True)
        thread.start()
        thread.join(timeout=5)
        assert not thread.is_alive()

    card.during_pin = lock_from_another_thread
    with pytest.raises(Locked):
        session.unlock(right())
    assert not session.unlocked
    assert not card.open


def test_a_card_pulled_while_the_pin_is_checked_stays_locked(authority, trust):
    card = StubCard(authority)
    session = CardSession.begin(card, trust)
    card.during_pin = lambda: setattr(card, "present", False)
    with pytest.raises(CardGone):
        session.unlock(right())
    assert not session.unlocked


def test_a_lock_makes_the_card_forget_its_key_and_starts_a_new_generation(card_file, trust):
    session = software_session(card_file, trust)
    before = session.generation
    session.lock()
    assert session.generation > before
    with pytest.raises(Locked):
        session.require()
    with pytest.raises(Locked):
        session.card.sign(b"data")
    session.unlock(right())
    assert session.require()


def test_a_pulled_card_locks_by_itself(card_file, trust):
    session = software_session(card_file, trust)
    before = session.generation
    card_file.unlink()
    with pytest.raises(CardGone):
        session.require()
    assert not session.unlocked
    assert session.generation > before
    with pytest.raises(Locked):
        session.require()


def test_a_card_pulled_before_a_grant_is_saved_stops_it(card_file, trust):
    session = software_session(card_file, trust)
    card_file.unlink()
    with pytest.raises(CardGone):
        session.require_granting()


def test_a_certificate_that_runs_out_during_the_session_locks(authority, cards, trust):
    path = make_card(authority, cards)
    reader = SoftwareReader(cards)
    moment = [now()]
    session = CardSession.begin(reader.open(reader.ref(path)), trust, clock=lambda: moment[0])
    session.unlock(right())
    assert session.require()
    moment[0] += timedelta(days=2000)
    with pytest.raises(CertificateRefused) as caught:
        session.require()
    assert caught.value.code == "expired"
    assert not session.unlocked


# Granting


def test_without_a_fresh_list_one_may_look_but_not_grant(tmp_path, cards):
    own = make_authority(tmp_path)
    trust = make_trust(own)
    session = software_session(make_card(own, cards), trust)
    own.write_crl(at=now() - timedelta(days=60))
    own.publish(tmp_path / "trust")
    assert session.require()
    with pytest.raises(NotPermitted, match="吊销列表已过期") as caught:
        session.require_granting()
    assert caught.value.hint
    assert session.unlocked

    own.write_crl()
    own.publish(tmp_path / "trust")
    assert session.require_granting()


def test_a_card_revoked_during_the_session_grants_nothing_more(tmp_path, cards):
    own = make_authority(tmp_path)
    session = software_session(make_card(own, cards), make_trust(own))
    assert session.require_granting()
    own.revoke("8900000000011")
    own.publish(tmp_path / "trust")
    with pytest.raises(CertificateRefused) as caught:
        session.require_granting()
    assert caught.value.code == "revoked"
    assert not session.unlocked
    with pytest.raises(Locked):
        session.require_granting()


def test_a_lock_during_the_check_of_a_grant_wins(authority, trust, monkeypatch):
    session = CardSession.begin(StubCard(authority), trust)
    session.unlock(right())
    check = trust.check

    def check_and_lock(certificate, moment):
        verdict = check(certificate, moment)
        session.lock()
        return verdict

    monkeypatch.setattr(trust, "check", check_and_lock)
    with pytest.raises(Locked):
        session.require_granting()


def test_a_lock_and_a_pin_during_the_check_of_a_grant_do_not_carry_over(
    authority, trust, monkeypatch
):
    session = CardSession.begin(StubCard(authority), trust)
    session.unlock(right())
    check = trust.check

    def check_and_lock_for_a_moment(certificate, moment):
        monkeypatch.undo()
        verdict = check(certificate, moment)
        session.lock()
        session.unlock(right())
        return verdict

    monkeypatch.setattr(trust, "check", check_and_lock_for_a_moment)
    with pytest.raises(Locked):
        session.require_granting()
    assert session.unlocked


def test_what_was_begun_before_a_lock_is_not_finished_after_it(authority, trust):
    card = StubCard(authority)
    session = CardSession.begin(card, trust)
    session.unlock(right())
    generation = session.generation
    card.confirm = lambda: pytest.fail("the card was asked")
    assert session.require_same(generation) == session.holder
    session.lock()
    session.unlock(right())
    with pytest.raises(Locked):
        session.require_same(generation)
    assert session.require_same(session.generation)
    card.present = False
    with pytest.raises(CardGone):
        session.require_same(session.generation)


def test_a_card_that_failed_before_a_lock_does_not_lock_what_was_unlocked_since(authority, trust):
    key = ec.generate_private_key(ec.SECP256R1())
    old = StubCard(authority, key=key)
    new = StubCard(authority, key=key, certificate=old.certificate)
    session = CardSession.begin(old, trust)
    session.unlock(right())

    def is_put_back_and_fails():
        session.lock()
        session.resume(new)
        session.unlock(right())
        raise CardGone

    old.confirm = is_put_back_and_fails
    with pytest.raises(CardGone):
        session.require_granting()
    assert session.unlocked


# The log


@pytest.mark.parametrize(
    ("code", "deed"),
    [
        ("expired", "begin"),
        ("expired", "unlock"),
        ("expired", "require"),
        ("expired", "require_granting"),
        ("revoked", "begin"),
        ("revoked", "unlock"),
        ("revoked", "require_granting"),
        ("revoked", "resume"),
        ("no-key", "unlock"),
        ("no-key", "sign"),
    ],
)
def test_the_log_says_which_rule_was_failed_and_nothing_about_a_person(
    tmp_path, caplog, code, deed
):
    own = make_authority(tmp_path)
    trust = make_trust(own)
    moment = [now()]
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own.enrol(make_holder(), key.public_key())
    card = StubCard(own, key=key, certificate=certificate.public_bytes(Encoding.DER))

    def begin():
        return CardSession.begin(card, trust, clock=lambda: moment[0])

    session = begin()
    if deed != "unlock":
        session.unlock(right())
    caplog.set_level(logging.DEBUG)
    if code == "expired":
        moment[0] += timedelta(days=2000)
    elif code == "revoked":
        own.revoke(session.holder.card_number)
        own.publish(tmp_path / "trust")
    else:
        card.key = ec.generate_private_key(ec.SECP256R1())
    holder = session.holder
    deeds = {
        "begin": begin,
        "unlock": lambda: session.unlock(right()),
        "require": session.require,
        "require_granting": session.require_granting,
        "resume": lambda: session.resume(card),
        "sign": lambda: session.sign(b"save"),
    }
    with pytest.raises(CertificateRefused) as caught:
        deeds[deed]()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", caught.value.log_message)
    assert f"({code})" in caplog.text
    personal = (
        *(holder.card_number, holder.person, right().decode()),
        *(holder.enterprise.name, holder.enterprise.uscc, holder.enterprise.customs_code),
    )
    assert not [secret for secret in personal if secret in caplog.text]


# Going on


def test_the_same_card_goes_on_after_its_pin(card_file, trust):
    session = software_session(card_file, trust)
    reader = SoftwareReader(card_file.parent)
    reader.eject(session.card.ref)
    reader.insert(session.card.ref)
    session.resume(reader.open(session.card.ref))
    assert not session.unlocked
    with pytest.raises(Locked):
        session.require()
    session.unlock(right())
    assert session.require()


def test_another_card_does_not_go_on(authority, card_file, cards, trust):
    session = software_session(card_file, trust)
    other = make_card(authority, cards, number="8900000000022")
    with pytest.raises(OtherCard):
        session.resume(locked_session(other, trust).card)
    assert not session.unlocked
    assert session.holder.card_number == "8900000000011"
    session.unlock(right())
    assert session.holder.card_number == "8900000000011"


def test_a_new_card_with_the_same_holder_is_another_card(authority, card_file, cards, trust):
    session = software_session(card_file, trust)
    again = make_card(authority, cards / "again")
    with pytest.raises(OtherCard):
        session.resume(locked_session(again, trust).card)


def test_resuming_drops_an_unlock_that_is_under_way(authority, trust):
    key = ec.generate_private_key(ec.SECP256R1())
    old = StubCard(authority, key=key)
    new = StubCard(authority, key=key, certificate=old.certificate)
    session = CardSession.begin(old, trust)
    old.during_pin = lambda: session.resume(new)
    with pytest.raises(Locked):
        session.unlock(right())
    assert session.card is new
    assert not session.unlocked
    assert not old.open


def test_an_unlock_while_resuming_does_not_carry_over(authority, trust, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    old = StubCard(authority, key=key)
    new = StubCard(authority, key=key, certificate=old.certificate)
    session = CardSession.begin(old, trust)
    check = trust.check

    def check_and_unlock(certificate, moment):
        monkeypatch.undo()
        session.unlock(right())
        return check(certificate, moment)

    monkeypatch.setattr(trust, "check", check_and_unlock)
    session.resume(new)
    assert not session.unlocked
    assert not old.open


def test_a_closed_session_stays_closed(card_file, trust):
    session = software_session(card_file, trust)
    session.close()
    session.close()
    with pytest.raises(Locked):
        session.require()
    with pytest.raises(Locked):
        session.unlock(right())
    with pytest.raises(Locked):
        session.resume(locked_session(card_file, trust).card)
