"""The test authority: what it issues, revokes and publishes."""

from __future__ import annotations

import multiprocessing
import os
import stat
from datetime import timedelta

import pytest
from cryptography import x509

from eport_tui.card.authority import CRL_DAYS, TestAuthority
from eport_tui.card.errors import BadPin, CardError
from eport_tui.card.software import SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Enterprise
from eport_tui.errors import InvalidInput, NotFound
from tests.card.making import CHEAP, make_authority, make_card, make_holder


@pytest.fixture
def own(tmp_path) -> TestAuthority:
    """An authority that the test may change."""
    return make_authority(tmp_path)


def crl(authority: TestAuthority) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(authority.crl_path.read_bytes())


def test_its_key_is_the_owners_alone(own):
    assert stat.S_IMODE((own.folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700


def test_it_is_opened_again_as_it_was(own, tmp_path, cards):
    again = TestAuthority.open(own.folder)
    assert again.certificate == own.certificate
    make_card(again, cards)
    assert [entry.card_number for entry in own.issued()] == ["8900000000011"]


def test_a_second_one_in_the_same_folder_is_refused(own):
    with pytest.raises(CardError, match="已有发证机构"):
        TestAuthority.create(own.folder)


def test_where_there_is_none_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(CardError, match="没有发证机构") as caught:
        TestAuthority.open(tmp_path)
    assert "card authority init" in caught.value.hint


@pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
def test_a_damaged_one_is_told(name, own):
    (own.folder / name).write_text("garbage")
    with pytest.raises(CardError, match="已损坏"):
        TestAuthority.open(own.folder)


def test_a_damaged_record_of_issued_cards_is_told_and_issues_nothing(own, cards):
    (own.folder / "issued.csv").write_bytes(b"serial\n\xff,x\n")
    with pytest.raises(CardError, match="已损坏"):
        make_card(own, cards)
    assert list(cards.glob("*.card")) == []


def test_a_card_that_could_not_be_recorded_is_not_made(own, cards, monkeypatch):
    def fail(*arguments):
        raise CardError("磁盘已满")

    monkeypatch.setattr(TestAuthority, "_save", fail)
    with pytest.raises(CardError):
        make_card(own, cards)
    assert list(cards.glob("*.card")) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"card_number": "123"}, "card_number"),
        ({"person": " "}, "person"),
        ({"person": "长" * 65}, "person"),
        ({"enterprise": Enterprise("31019", "91310000PDY00001XG", "甲")}, "customs_code"),
        ({"enterprise": Enterprise("3101940001", "9131", "甲")}, "uscc"),
        ({"enterprise": Enterprise("3101940001", "91310000PDY00001XG", "")}, "enterprise"),
        ({"enterprise": Enterprise("3101940001", "91310000PDY00001XG", "长" * 201)}, "enterprise"),
        ({"valid_until": now() - timedelta(days=9)}, "valid_until"),
    ],
)
def test_a_holder_that_is_malformed_gets_no_card(changes, field, own, cards):
    with pytest.raises(InvalidInput) as caught:
        own.issue(make_holder()._replace(**changes), cards, cost=CHEAP)
    assert caught.value.field == field
    assert not cards.exists() or list(cards.iterdir()) == []


def test_a_malformed_pin_gets_no_card(own, cards):
    with pytest.raises(BadPin):
        make_card(own, cards, pin="1234")
    assert own.issued() == []


def test_what_was_typed_in_full_width_is_issued_in_half_width(own, cards):
    path = own.issue(make_holder(number="８９00000000011"), cards, cost=CHEAP)
    assert path.name == "8900000000011.card"


def test_the_initial_pin_is_eight_eights(own, cards):
    path = own.issue(make_holder(), cards, cost=CHEAP)
    reader = SoftwareReader(cards)
    reader.open(reader.ref(path)).verify_pin(bytearray(b"88888888"))


def test_nothing_is_lost_when_several_issue_and_revoke_at_once(own, cards):
    numbers = [f"890000000001{digit}" for digit in range(4)]
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(len(numbers))

    def issue_and_revoke(number):
        barrier.wait()
        make_card(own, cards, number=number)
        own.revoke(number)

    processes = [fork.Process(target=issue_and_revoke, args=(number,)) for number in numbers]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(entry.card_number for entry in own.issued()) == numbers
    assert len(crl(own)) == len(numbers)


def test_revoking_takes_every_certificate_of_the_card(own, cards):
    make_card(own, cards)
    make_card(own, cards / "again")
    make_card(own, cards, number="8900000000022")
    assert own.revoke("8900000000011") == 2
    assert own.revoke("8900000000011") == 0
    revoked = {entry.serial_number for entry in crl(own)}
    assert revoked == {entry.serial for entry in own.issued() if entry.revoked}
    assert len(revoked) == 2


def test_one_certificate_is_revoked_by_its_serial_number(own, cards):
    make_card(own, cards)
    make_card(own, cards / "again")
    first, second = own.issued()
    assert own.revoke(first.serial) == 1
    assert [entry.serial_number for entry in crl(own)] == [first.serial]
    assert own.issued()[1] == second


def test_revoking_an_unknown_card_is_told(own):
    with pytest.raises(NotFound, match="没有签发过卡"):
        own.revoke("8900000000099")


def test_a_list_is_renewed_before_it_goes_stale_and_not_sooner(own, cards):
    make_card(own, cards)
    own.revoke("8900000000011")
    assert not own.renew_crl()
    own.write_crl(at=now() - timedelta(days=CRL_DAYS / 2 + 1))
    assert own.renew_crl()
    assert crl(own).next_update_utc > now() + timedelta(days=CRL_DAYS - 1)
    assert len(crl(own)) == 1


@pytest.mark.parametrize("content", [None, b"garbage"])
def test_a_list_that_is_missing_or_unreadable_is_renewed(content, own):
    own.crl_path.unlink()
    if content is not None:
        own.crl_path.write_bytes(content)
    assert own.renew_crl()
    assert len(crl(own)) == 0


def test_the_number_of_a_list_grows(own):
    def number():
        return crl(own).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    before = number()
    own.write_crl()
    assert number() > before


def test_what_is_published_can_be_read_by_others(own, tmp_path):
    mask = os.umask(0o077)
    try:
        own.publish(tmp_path / "shared")
    finally:
        os.umask(mask)
    store = TrustStore.of(tmp_path / "shared")
    for folder in (store.authorities, store.revocation):
        (path,) = folder.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
