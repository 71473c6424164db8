"""Whose signature counts, and when: certificates and revocation lists, looked at later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eport_tui.card.authority import TestAuthority as Authority
from eport_tui.card.trust import TrustStore
from eport_tui.domain.holders import Role
from eport_tui.domain.operations import Change, Kind
from eport_tui.services.verification import Finding, Verification
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.card import openssl
from tests.ledger.attacker import Attacker
from tests.ledger.making import (
    ANOTHER,
    NOON,
    TO_CARD,
    Keyed,
    findings,
    keyed,
    ours,
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.services.world import BROKER, MANUFACTURER, StandIn, authority, session

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


@pytest.mark.parametrize(
    ("by", "options", "message"),
    [
        (lambda: ours(role=Role.OPERATOR), {}, "签名的不是法人卡"),
        (lambda: ours(), {"card_number": "8900000000099"}, "签名的卡不是操作中所写的卡"),
        (
            lambda: theirs(),
            {"enterprise": MANUFACTURER.customs_code},
            "签名的卡不属于操作中所写的企业",
        ),
        (lambda: theirs(), {}, "签名的企业无权做这项改动"),
        (lambda: ours(valid_until=NOON - SECOND), {}, "签名时证书不在有效期内"),
        (lambda: ours(valid_from=NOON + SECOND), {}, "签名时证书不在有效期内"),
    ],
)
def test_who_may_not_sign_a_grant(
    store: Store,
    trust: TrustStore,
    by: Callable[[], Keyed],
    options: dict[str, str],
    message: str,
) -> None:
    number = signed(store, by(), Change(None, ANOTHER), **options)
    assert findings(store, trust)[0] == Finding(message, number)


@pytest.mark.parametrize(
    "by", [lambda: ours(valid_until=NOON), lambda: ours(valid_from=NOON)], ids=["last", "first"]
)
def test_first_and_last_second_of_a_certificate_that_has_long_run_out_count(
    store: Store, trust: TrustStore, by: Callable[[], Keyed]
) -> None:
    signed(store, by(), Change(None, ANOTHER))
    assert findings(store, trust) == []


def test_the_authority_must_have_been_valid_then(store: Store, trust: TrustStore) -> None:
    then = authority().certificate.not_valid_before_utc - DAY
    by = ours(valid_from=then - DAY, valid_until=NOON + YEAR)
    number = signed(store, by, Change(None, ANOTHER))
    assert findings(store, trust) == []
    record = trust.record(by.certificate)
    assert record.why_not(then) == "签名时证书不在有效期内"
    assert record.why_not(NOON) == ""
    assert number == 6


def test_of_an_authority_that_is_trusted_no_more_nothing_holds(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    (trust.authorities / "0.pem").unlink()
    verification = Verification(store, trust)
    [found] = verification.findings()
    assert found.message.startswith(
        f"台账的{len(ledger.certificates(store))}张签名证书没有一张可信，各笔操作和各条授权无从核对。"
        "签名者的证书不可信：证书不是由可信的发证机构签发的。"
        f"请检查信任的机构文件夹 {trust.authorities}，"
    )
    assert (verification.first_broken, verification.faults) == (1, 1)


def test_what_needs_no_certificate_is_found_without_a_trusted_one(
    store: Store, tmp_path: Path, attacker: Attacker
) -> None:
    attacker.sql("UPDATE ledger_entry SET payload = '{}' WHERE number = 3")
    trust = trust_in(tmp_path / "trust", Authority.create(tmp_path / "foreign").certificate)
    told, broken = findings(store, trust)
    assert "没有一张可信" in told.message
    assert broken == Finding("哈希值不符，内容被改动过", 3)


def test_where_software_cards_are_refused_their_signatures_are_no_proof(
    store: Store, trust: TrustStore
) -> None:
    strict = TrustStore(trust.authorities, trust.revocation, require_hardware=True)
    verification = Verification(store, strict)
    [found] = verification.findings()
    assert "没有一张可信" in found.message
    assert "这里不能使用软件卡" in found.message
    assert "设置项 require_hardware" in found.message
    assert verification.first_broken == 1


# -- revocation --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "holds"), [(NOON - YEAR, False), (NOON, False), (NOON + SECOND, True)]
)
def test_a_revocation_counts_from_its_date_on(
    store: Store, tmp_path: Path, since: object, holds: bool
) -> None:
    trust = trust_in(tmp_path / "trust")
    by = ours()
    number = signed(store, by, Change(None, ANOTHER))
    # The list is long out of date, which is no reason against the past.
    revocation_list(trust, "old", {by.certificate: since}, updated=NOON + DAY)  # type: ignore
    found = findings(store, trust)
    assert (found == []) is holds
    if not holds:
        assert found[0] == Finding("签名时证书已吊销", number)


def test_what_a_newer_list_leaves_out_was_revoked_all_the_same(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    by = ours(valid_until=NOON + DAY)
    number = signed(store, by, Change(None, ANOTHER))
    revocation_list(trust, "old", {by.certificate: NOON - DAY}, updated=NOON)
    revocation_list(trust, "new", {}, updated=NOON + YEAR / 3)
    assert findings(store, trust)[0] == Finding("签名时证书已吊销", number)


def test_a_hold_that_was_lifted_is_none(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    revocation_list(trust, "old", {by.certificate: NOON - DAY}, updated=NOON, hold=True)
    assert findings(store, trust)[0].message == "签名时证书已吊销"
    revocation_list(trust, "new", {}, updated=NOON + DAY)
    assert findings(store, trust) == []


def test_without_a_list_of_an_authority_a_note_says_what_is_not_known(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    assert findings(store, trust) == []
    for path in trust.revocation.iterdir():
        path.unlink()
    (note,) = findings(store, trust)
    assert note.is_note
    assert note.message == (
        "没有发证机构 eport-tui 测试发证机构 的吊销列表，签名的卡当时是否已吊销无从得知，"
        f"请检查文件夹 {trust.revocation}"
    )


def test_a_list_of_somebody_else_is_none(store: Store, tmp_path: Path, trust: TrustStore) -> None:
    mine = trust_in(tmp_path / "trust")
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    other = openssl.Authority(tmp_path / "other", kind="P-256")
    other.publish_list(by.certificate)
    (mine.revocation / "other.crl").write_bytes((other.folder / "crls" / "ca.crl").read_bytes())
    assert findings(store, mine) == []


# -- kinds of keys -----------------------------------------------------------------


class Sm2(StandIn):
    """A legal person whose card signs with SM2."""

    folder: Path
    issuer: openssl.Authority

    @property
    def certificate(self) -> bytes:  # type: ignore[override]
        file = self.folder / "certificate.der"
        if not file.exists():
            key = openssl.make_key(self.folder / "card.key")
            holder = self.holder
            der = self.issuer.certify(
                key, openssl.subject_of(holder), openssl.own_extensions(holder)
            )
            file.write_bytes(der)
        return file.read_bytes()

    def sign(self, data: bytes) -> bytes:
        return openssl.sign(self.folder / "card.key", data)


def sm2_signer(folder: Path) -> Sm2:
    signer = Sm2(session(BROKER).holder)
    signer.folder = folder
    signer.issuer = openssl.Authority(folder / "authority")
    return signer


KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_kind(store: Store, trust: TrustStore, kind: str) -> None:
    signed(store, keyed(session(BROKER).holder, key=KEYS[kind]()), Change(TO_CARD, None))
    assert findings(store, trust) == []


def test_a_card_that_signs_with_sm2(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    signer = sm2_signer(tmp_path)
    (trust.authorities / "sm2.pem").write_bytes(signer.issuer.pem.read_bytes())
    # `openssl` has it hold from the moment it is made.
    record = trust.record(signer.certificate)
    at = (record.times[0][0] + SECOND).astimezone(NOON.tzinfo)
    signed(store, signer, Change(TO_CARD, None), kind=Kind.WITHDRAW, at=at)
    (note,) = findings(store, trust)
    assert note.is_note
    assert "的吊销列表" in note.message


class TextOnly(StandIn):
    """Its card can sign nothing but text."""

    def sign(self, data: bytes) -> bytes:
        return super().sign(data.hex().encode())


def test_a_card_that_signs_text_only(store: Store, trust: TrustStore) -> None:
    signed(store, TextOnly(session(BROKER).holder), Change(TO_CARD, None))
    assert findings(store, trust) == []
