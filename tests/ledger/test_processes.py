"""A ledger whose entries are checked by several processes."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from eport_tui.card.authority import TestAuthority as Authority
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.trust import TrustStore
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.operations import Change, Kind
from eport_tui.services import ledger as judging
from eport_tui.services import verification
from eport_tui.services.verification import Finding
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
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.ledger.test_signers import Sm2
from tests.services.world import BROKER, MANUFACTURER, session

SECOND = timedelta(seconds=1)


@pytest.fixture(params=["fork", "spawn"])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few entries there are, two processes check them, begun in this way."""
    monkeypatch.setattr(verification, "_FEW", 0)
    context = multiprocessing.get_context(request.param)
    monkeypatch.setattr(judging, "get_context", lambda _: context)


class Eport(Sm2):
    """A legal person whose certificate of China E-Port leaves the customs code to the registry."""

    @property
    def certificate(self) -> bytes:  # type: ignore[override]
        file = self.folder / "certificate.der"
        if not file.exists():
            key = openssl.make_key(self.folder / "card.key")
            card = f"03-{self.holder.card_number}"
            extensions = openssl.eport_extensions(card=card)
            file.write_bytes(self.issuer.certify(key, openssl.eport_subject(), extensions))
        return file.read_bytes()


def signer(kind: type[Sm2], folder: Path, issuer: openssl.Authority) -> Sm2:
    made = kind(session(BROKER).holder)
    made.folder, made.issuer = folder, issuer
    return made


@pytest.mark.usefixtures("several")
def test_they_find_what_one_alone_finds(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    asked: list[str] = []

    def look_up(_: str, card_number: str) -> list[tuple[Enterprise, Role]]:
        asked.append(card_number)
        return [(BROKER, Role.LEGAL_PERSON)]

    issuer = openssl.Authority(tmp_path / "authority")
    (trust.authorities / "sm2.pem").write_bytes(issuer.pem.read_bytes())
    trust = TrustStore(trust.authorities, trust.revocation, look_up=look_up)
    sm2, eport = signer(Sm2, tmp_path / "sm2", issuer), signer(Eport, tmp_path / "eport", issuer)
    eport.certificate  # noqa: B018
    at = (trust.record(sm2.certificate).times[0][0] + SECOND).astimezone(NOON.tzinfo)
    signed(store, sm2, Change(TO_CARD, None), at=at)
    signed(store, eport, Change(None, TO_CARD), at=at)
    revoked = theirs()
    signed(store, revoked, Change(TO_CARD, None), at=at)
    revocation_list(trust, "now", {revoked.certificate: at}, updated=at)
    stranger = keyed(
        session(MANUFACTURER).holder, issuer=Authority.create(tmp_path / "another authority")
    )
    signed(store, stranger, Change(None, ANOTHER), at=at)
    forger = theirs()
    forger.certificate  # noqa: B018
    forger.key = theirs().key
    signed(store, forger, Change(None, TO_CARD), at=at)

    found = findings(store, trust, processes=2)
    assert [(each.entry, each.message) for each in found[:3]] == [
        (8, "签名时证书已吊销"),
        (9, "签名者的证书不可信：卡的证书不是由可信的发证机构签发的"),
        (10, "签名不符"),
    ]
    assert asked == [eport.holder.card_number]
    assert found == findings(store, trust, processes=1)


def test_what_another_thread_holds_is_not_taken_along() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        assert judging._context().get_start_method() == "spawn"
    finally:
        go_on.set()
        thread.join()


def test_the_trust_folder_counts_as_it_was_at_the_beginning(tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    by = theirs()
    fixed = trust.fixed()
    assert fixed.record(by.certificate).revoked is None
    revocation_list(trust, "now", {by.certificate: NOON}, updated=NOON)
    assert trust.record(by.certificate).revoked == NOON
    (trust.authorities / "0.pem").unlink()
    assert fixed.record(by.certificate).revoked is None
    with pytest.raises(CertificateRefused):
        trust.fixed().record(by.certificate)


class Ed25519(Keyed):
    """Its key is of a kind that no card has."""

    def sign(self, data: bytes) -> bytes:
        assert isinstance(self.key, ed25519.Ed25519PrivateKey)
        return self.key.sign(data)


def test_a_key_of_a_kind_that_no_card_has_is_named(store: Store, trust: TrustStore) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    forger = Ed25519(theirs().holder, key=key)  # type: ignore[arg-type]
    number = signed(store, forger, Change(TO_CARD, None), kind=Kind.WITHDRAW)
    assert findings(store, trust)[0] == Finding("签名者的证书缺失或被改动过", number)


def test_columns_that_read_alike_one_after_the_other_are_not_the_same(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    grant = ANOTHER._replace(key=ANOTHER.key._replace(subsystem="9\x1f5"))
    signed(store, keyed(session(MANUFACTURER).holder), Change(None, grant))
    assert findings(store, trust) == []
    for table in ("enterprise_grant", "enterprise_grant_version"):
        attacker.sql(
            f"UPDATE {table} SET subsystem = '9', grant_type = ? WHERE subsystem = ?",
            ("5\x1fX1", "9\x1f5"),
        )
    messages = [each.message for each in findings(store, trust)]
    assert sum("台账没有记载" in each for each in messages) == 2
    assert sum("缺少" in each for each in messages) == 2
