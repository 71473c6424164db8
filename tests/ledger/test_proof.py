"""Strict decisions: what another program has put into the tables grants nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.domain.operations import Change, Kind, Operation, OperatorGrantRow
from eport_tui.errors import StoreError
from eport_tui.services import enterprise_grants, expiry
from eport_tui.services import proof as proofs
from eport_tui.services.proof import Proof
from eport_tui.store import ledger, permissions
from eport_tui.store.database import Store
from tests.ledger.attacker import Attacker
from tests.ledger.making import (
    ANOTHER,
    GRANT,
    KEY,
    NOON,
    TO_CARD,
    findings,
    ours,
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.rows import insert_grant, insert_operator_grant
from tests.services.world import CARD, MANUFACTURER, OTHER_CARD, TABLES, TODAY, opened, session

TO_OTHER = TO_CARD._replace(card_number=OTHER_CARD)


def proven(store: Store, trust: TrustStore) -> tuple[int, list[str]]:
    """How many enterprise grants, and which cards, the ledger proves of what is stored."""
    grants, operators = Proof(store, trust).proven(
        *permissions.decision_rows(
            store, principal=KEY.principal, agent=KEY.agent, subsystem="95", card_number=CARD
        )
    )
    return len(grants), [each.card_number for each in operators]


def test_what_was_signed_is_proven(store: Store, trust: TrustStore) -> None:
    proof = Proof(store, trust)
    assert proof.holds(GRANT)
    assert proof.holds(TO_CARD)
    assert not proof.holds(TO_OTHER)
    assert not proof.holds(ANOTHER)
    assert proven(store, trust) == (1, [CARD])


def test_what_is_signed_later_is_proven_from_then_on(store: Store, trust: TrustStore) -> None:
    proof = Proof(store, trust)
    assert not proof.holds(TO_OTHER)
    signed(store, theirs(), Change(None, TO_OTHER))
    assert proof.holds(TO_OTHER)
    signed(store, theirs(), Change(TO_OTHER, None), kind=Kind.WITHDRAW)
    assert not proof.holds(TO_OTHER)


def test_on_a_past_day_what_was_signed_until_then_is_proven(
    store: Store, trust: TrustStore
) -> None:
    proof = Proof(store, trust)
    # Entry 2 hands on to both cards, entry 3 withdraws one.
    assert [proof.holds(TO_OTHER, until=number) for number in range(5)] == [
        *(False, False, True, False, False)
    ]
    assert proof.holds(GRANT, until=1)
    assert not proof.holds(GRANT, until=0)


def end_earlier(attacker: Attacker, last: int) -> None:
    """Make the ledger one that ends with an entry, as on a standby that lacks the others."""
    attacker.sql("DELETE FROM ledger_entry WHERE number > ?", (last,))
    attacker.sql("DELETE FROM ledger_subject WHERE entry > ?", (last,))
    attacker.sql("DELETE FROM enterprise_grant_version WHERE from_entry > ?", (last,))
    attacker.sql("DELETE FROM enterprise_grant WHERE subsystem = ?", (ANOTHER.key.subsystem,))


@pytest.mark.parametrize("is_granted_anew", [True, False])
def test_what_a_standby_that_took_over_lacks_is_not_proven_and_what_it_has_is(
    store: Store, trust: TrustStore, attacker: Attacker, is_granted_anew: bool
) -> None:
    proof = Proof(store, trust)
    number = signed(store, ours(), Change(None, ANOTHER))
    assert proof.holds(ANOTHER)
    end_earlier(attacker, number - 1)
    later = ANOTHER._replace(valid_until=ANOTHER.valid_until + timedelta(days=1))
    if is_granted_anew:
        assert signed(store, ours(), Change(None, later)) == number
    assert not proof.holds(ANOTHER)
    assert proof.holds(later) is is_granted_anew
    # What both have.
    assert proof.holds(TO_CARD)


def test_an_answer_that_could_not_be_read_to_its_end_is_read_again(
    store: Store, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = signed(store, ours(), Change(TO_CARD, None), Change(GRANT, None), kind=Kind.DELETE)
    signed(store, ours(), Change(None, GRANT), kind=Kind.REINSTATE, reinstates=deleted)
    proof = Proof(store, trust)

    def lost(store: Store, operation: Operation) -> Operation | None:
        if operation.reinstates:
            raise StoreError("连接中断")
        return None

    with monkeypatch.context() as patch:
        patch.setattr(proofs, "reinstated_by", lost)
        with pytest.raises(StoreError):
            proof.holds(GRANT)
    assert proof.holds(GRANT)


@pytest.mark.parametrize(
    "row",
    [
        GRANT._replace(valid_until=GRANT.valid_until + timedelta(days=1)),
        GRANT._replace(granted_on=GRANT.granted_on - timedelta(days=1)),
        GRANT._replace(revision=2),
        TO_CARD._replace(granted_on=TO_CARD.granted_on - timedelta(days=1)),
    ],
)
def test_a_row_that_was_changed_is_not_proven(store: Store, trust: TrustStore, row) -> None:  # type: ignore[no-untyped-def]
    assert not Proof(store, trust).holds(row)


def test_a_row_that_was_slipped_in_is_not_proven(store: Store, trust: TrustStore) -> None:
    with store.transaction():
        store.rows("DELETE FROM operator_grant")
        insert_operator_grant(store, 1, "", TODAY)
    assert proven(store, trust) == (1, [])
    with store.transaction():
        store.rows("UPDATE enterprise_grant SET valid_until = '2030-01-01'")
    assert proven(store, trust) == (0, [])


def test_not_even_with_a_version_that_says_so(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    with store.transaction():
        insert_operator_grant(store, 1, OTHER_CARD, TODAY)
    attacker.sql("UPDATE operator_grant_version SET until_entry = NULL")
    assert not Proof(store, trust).holds(TO_OTHER)


def test_a_grant_that_another_program_put_there_is_proven_once_it_is_saved(
    store: Store, trust: TrustStore
) -> None:
    other = KEY._replace(subsystem="B1")
    with store.transaction():
        number = insert_grant(store, other, TODAY, GRANT.valid_until)
    row = GRANT._replace(key=other)
    proof = Proof(store, trust)
    assert not proof.holds(row)
    [grant] = (each for each in [enterprise_grants.grants.get(store, number)] if each)
    saved = enterprise_grants.save(
        store, TABLES, session(MANUFACTURER), opened(grant, grant.valid_until), today=TODAY
    )
    assert proof.holds(row._replace(revision=saved.grant.revision))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET signature = x'3000' WHERE number = 1",
        "UPDATE ledger_entry SET recorded_at = '2026-03-01T12:00:01+08:00' WHERE number = 1",
        "DELETE FROM ledger_entry WHERE number = 1",
        "DELETE FROM ledger_certificate",
        "DELETE FROM ledger_subject",
    ],
)
def test_without_an_entry_that_holds_nothing_is_proven(
    store: Store, trust: TrustStore, attacker: Attacker, statement: str
) -> None:
    attacker.sql(statement)
    assert not Proof(store, trust).holds(GRANT)
    assert not Proof(store, trust).holds(TO_CARD)


def test_who_was_not_entitled_proves_nothing(store: Store, trust: TrustStore) -> None:
    signed(store, theirs(), Change(None, ANOTHER))
    signed(store, ours(), Change(None, TO_OTHER), kind=Kind.HAND_ON)
    signed(store, ours(), Change(TO_CARD, None), kind=Kind.WITHDRAW)
    proof = Proof(store, trust)
    assert not proof.holds(ANOTHER)
    assert not proof.holds(TO_OTHER)
    assert proof.holds(TO_CARD)


def test_a_signature_that_is_recorded_twice_proves_nothing(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    proof = Proof(store, trust)
    signed(store, theirs(), Change(None, TO_OTHER))
    signed(store, theirs(), Change(TO_OTHER, None), kind=Kind.WITHDRAW)
    entries = attacker.entries()
    attacker.rewrite([*entries, entries[5]])
    attacker.sql(
        "INSERT INTO ledger_subject SELECT principal, agent, subsystem, grant_type, 8"
        " FROM ledger_subject WHERE entry = 6"
    )
    assert not proof.holds(TO_OTHER)


def test_a_card_that_was_revoked_before_it_signed_proves_nothing_any_more(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    by = theirs()
    signed(store, by, Change(None, TO_OTHER))
    proof = Proof(store, trust)
    assert proof.holds(TO_OTHER)
    revocation_list(trust, "late", {by.certificate: NOON}, updated=NOON)
    assert not proof.holds(TO_OTHER)
    assert proof.holds(TO_CARD)


def test_a_grant_whose_signer_was_revoked_before_is_signed_anew_in_one_operation(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    by = ours()
    number = signed(store, by, Change(None, ANOTHER))
    revocation_list(trust, "late", {by.certificate: NOON}, updated=NOON)
    proof = Proof(store, trust)
    grant = enterprise_grants.grants.find(store, ANOTHER.key)
    assert grant is not None
    assert not proof.holds(ANOTHER)

    def save() -> enterprise_grants.SavedGrant:
        draft = opened(grant, grant.valid_until)
        return enterprise_grants.save(
            store, TABLES, session(MANUFACTURER), draft, proof=proof, today=TODAY
        )

    before = ledger.head(store).number
    saved = save()
    assert saved.changed
    assert ledger.head(store).number == before + 1
    assert proof.holds(enterprise_grants.row_of(saved.grant))
    assert {finding.entry for finding in findings(store, trust)} == {number}
    grant = saved.grant
    assert not save().changed


def test_a_renewal_signs_anew_what_a_revoked_card_had_signed(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    lost, by = ours(), session(MANUFACTURER)
    signed(store, lost, Change(None, ANOTHER))
    revocation_list(trust, "late", {lost.certificate: NOON}, updated=NOON)
    proof = Proof(store, trust)
    chosen = [
        grant
        for key in (KEY, ANOTHER.key)
        if (grant := enterprise_grants.grants.find(store, key)) is not None
    ]
    preview = expiry.renewal_preview(store, by, chosen, "2027-12-31", today=TODAY)
    expiry.renew(store, by, chosen, preview, proof=proof, today=TODAY)
    for key in (KEY, ANOTHER.key):
        grant = enterprise_grants.grants.find(store, key)
        assert grant is not None
        assert proof.holds(enterprise_grants.row_of(grant))


def test_a_last_day_that_a_revoked_card_had_set_is_changed_by_another_card(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    by = ours()
    later = GRANT._replace(valid_until=GRANT.valid_until + timedelta(days=1), revision=2)
    signed(store, by, Change(GRANT, later), kind=Kind.CHANGE)
    revocation_list(trust, "late", {by.certificate: NOON}, updated=NOON)
    proof = Proof(store, trust)
    grant = enterprise_grants.grants.find(store, KEY)
    assert grant is not None
    assert not proof.holds(later)
    draft = opened(grant, GRANT.valid_until + timedelta(days=2))
    saved = enterprise_grants.save(
        store, TABLES, session(MANUFACTURER), draft, proof=proof, today=TODAY
    )
    assert proof.holds(enterprise_grants.row_of(saved.grant))
    assert proof.holds(TO_CARD)


def test_a_deletion_asks_as_much_of_the_database_for_many_operators_as_for_one(
    store: Store, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"89{number:011d}" for number in range(20)]
    signed(store, ours(), Change(None, ANOTHER))
    signed(
        store,
        theirs(),
        *(Change(None, OperatorGrantRow(ANOTHER.key, card, TODAY)) for card in many),
        kind=Kind.HAND_ON,
    )
    proof = Proof(store, trust)
    assert proof.holds(GRANT)
    assert proof.holds(ANOTHER)
    asked: list[str] = []
    read = store.rows

    def rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        asked.append(sql)
        return read(sql, parameters)

    monkeypatch.setattr(store, "rows", rows)
    by = session(MANUFACTURER)
    counts: list[int] = []
    for key, cards in ((KEY, 1), (ANOTHER.key, len(many))):
        grant = enterprise_grants.grants.find(store, key)
        assert grant is not None
        asked.clear()
        enterprise_grants.delete(
            store, by, grant.id, revision=1, operator_grants=cards, proof=proof, today=TODAY
        )
        counts.append(len(asked))
    assert counts[0] == counts[1]
