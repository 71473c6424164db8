"""What a card did after it had been revoked, put right by another card of the enterprise.

The list that revokes it arrives late.  What the other card signs then holds, and the
tables are accounted for again; the findings about the lost card's own entry stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey
from eport_tui.domain.operations import Change, Kind, LapseMark, OperatorGrantRow
from eport_tui.errors import NotPermitted
from eport_tui.services import (
    enterprise_grants,
    expiry,
    operator_grants,
    reinstatement,
    replacement,
)
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.services.proof import Proof
from eport_tui.store import ledger
from eport_tui.store import operator_grants as operator_rows
from eport_tui.store.database import Store
from tests.ledger.making import (
    ANOTHER,
    GRANT,
    KEY,
    NOON,
    TO_CARD,
    Keyed,
    findings,
    ours,
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.services.world import BROKER, CARD, MANUFACTURER, OTHER_CARD, TODAY, session

NEW_CARD = "8900000000073"
TO_OTHER = TO_CARD._replace(card_number=OTHER_CARD)
MARK = LapseMark(KEY, KEY.agent, GRANT.valid_until)


@dataclass
class Desk:
    """Where another card is at work, in strict mode, when the list has arrived."""

    store: Store
    trust: TrustStore
    proof: Proof
    late: int
    """The entry of the lost card."""

    def grant(self, key: GrantKey = KEY) -> EnterpriseGrant:
        found = enterprise_grants.grants.find(self.store, key)
        assert found is not None
        return found

    def number(self, card: str) -> int:
        found = operator_rows.find(self.store, self.grant().id, card)
        assert found is not None
        return found.id

    def withdraw(self, card: str) -> None:
        by = session(BROKER)
        operator_grants.delete(self.store, by, self.number(card), proof=self.proof, today=TODAY)

    def hand_on(self, *cards: str, key: GrantKey = KEY) -> None:
        operator_grants.save(
            self.store,
            session(BROKER),
            self.grant(key).id,
            [NewOperatorGrant(card == ALL_OPERATORS, card) for card in cards],
            replacing=0,
            proof=self.proof,
            today=TODAY,
        )

    def delete(self, key: GrantKey = KEY) -> int:
        grant = self.grant(key)
        return enterprise_grants.delete(
            self.store,
            session(MANUFACTURER),
            grant.id,
            revision=grant.revision,
            operator_grants=operator_rows.count(self.store, grant.id),
            proof=self.proof,
            today=TODAY,
        )

    def replace(self, old: str, new: str) -> None:
        by = session(BROKER)
        confirmed = replacement.preview(self.store, by, old, new)
        replacement.replace(self.store, by, confirmed, proof=self.proof, today=TODAY)

    def what_is_wrong(self) -> list[str]:
        """What a verification finds besides the entry of the lost card."""
        return [
            each.message for each in findings(self.store, self.trust) if each.entry != self.late
        ]

    def rejected(self) -> set[int]:
        """The entries of other cards that do not hold."""
        entries = range(self.late + 1, ledger.last_number(self.store) + 1)
        return {
            each.entry
            for each in findings(self.store, self.trust)
            if each.entry in entries and not each.row
        }


def revoked(
    store: Store, folder: Path, by: Keyed, *changes: Change, kind: Kind = Kind.GRANT
) -> Desk:
    """A card signs, and then a list arrives by which it had been revoked."""
    trust = trust_in(folder / "trust")
    late = signed(store, by, *changes, kind=kind)
    revocation_list(trust, "late", {by.certificate: NOON}, updated=NOON)
    return Desk(store, trust, Proof(store, trust), late)


@pytest.fixture
def handed_on(store: Store, tmp_path: Path) -> Desk:
    """The lost card of the agent handed the grant on to another card."""
    return revoked(store, tmp_path, theirs(), Change(None, TO_OTHER), kind=Kind.HAND_ON)


@pytest.fixture
def withdrawn(store: Store, tmp_path: Path) -> Desk:
    """The lost card of the agent withdrew what had been handed on."""
    return revoked(store, tmp_path, theirs(), Change(TO_CARD, None), kind=Kind.WITHDRAW)


@pytest.fixture
def granted(store: Store, tmp_path: Path) -> Desk:
    """The lost card of the principal granted."""
    return revoked(store, tmp_path, ours(), Change(None, ANOTHER))


@pytest.fixture
def deleted(store: Store, tmp_path: Path) -> Desk:
    """The lost card of the principal deleted a grant with an operator grant under it."""
    going = (Change(TO_CARD, None), Change(GRANT, None))
    return revoked(store, tmp_path, ours(), *going, kind=Kind.DELETE)


def test_what_it_handed_on_is_withdrawn(handed_on: Desk) -> None:
    assert handed_on.what_is_wrong()
    handed_on.withdraw(OTHER_CARD)
    assert handed_on.what_is_wrong() == []
    assert handed_on.proof.holds(TO_CARD)


def test_what_it_handed_on_is_signed_anew_by_withdrawing_and_adding_it(handed_on: Desk) -> None:
    handed_on.withdraw(OTHER_CARD)
    handed_on.hand_on(OTHER_CARD)
    assert handed_on.what_is_wrong() == []
    assert handed_on.proof.holds(TO_OTHER)


def test_the_grant_above_what_it_handed_on_is_deleted_and_comes_back(handed_on: Desk) -> None:
    assert handed_on.delete() == 2
    assert handed_on.what_is_wrong() == []
    number, by = ledger.last_number(handed_on.store), session(MANUFACTURER)
    back = reinstatement.reinstate(handed_on.store, by, number, proof=handed_on.proof, today=TODAY)
    # What no card that counts had signed does not come back.
    assert [row.card_number for row in back.operator_grants] == [CARD]
    assert handed_on.what_is_wrong() == []


def test_the_card_to_which_it_handed_on_is_replaced(handed_on: Desk) -> None:
    handed_on.replace(OTHER_CARD, NEW_CARD)
    assert handed_on.what_is_wrong() == []
    assert handed_on.proof.holds(OperatorGrantRow(KEY, NEW_CARD, TODAY))


def test_all_operators_take_the_place_of_what_it_handed_on(handed_on: Desk) -> None:
    operator_grants.save(
        handed_on.store,
        session(BROKER),
        handed_on.grant().id,
        [NewOperatorGrant(True)],
        replacing=2,
        proof=handed_on.proof,
        today=TODAY,
    )
    assert handed_on.what_is_wrong() == []


@pytest.mark.parametrize("cards", [[CARD], [ALL_OPERATORS], [OTHER_CARD]])
def test_others_are_added_after_it_withdrew(withdrawn: Desk, cards: list[str]) -> None:
    withdrawn.hand_on(*cards)
    assert withdrawn.rejected() == set()
    for card in cards:
        assert withdrawn.proof.holds(OperatorGrantRow(KEY, card, TODAY))


def test_the_grant_above_what_it_withdrew_is_deleted(withdrawn: Desk) -> None:
    withdrawn.delete()
    assert withdrawn.rejected() == set()
    assert not withdrawn.proof.holds(GRANT)


def test_what_it_withdrew_is_taken_back(withdrawn: Desk) -> None:
    reinstatement.reinstate(
        withdrawn.store, session(BROKER), withdrawn.late, proof=withdrawn.proof, today=TODAY
    )
    assert withdrawn.rejected() == set()
    assert withdrawn.proof.holds(TO_CARD)


def test_what_it_granted_is_deleted(granted: Desk) -> None:
    granted.delete(ANOTHER.key)
    assert granted.what_is_wrong() == []


def test_under_what_it_granted_nothing_is_handed_on_before_it_is_signed_anew(
    granted: Desk,
) -> None:
    with pytest.raises(NotPermitted, match="没有授权企业的签名"):
        granted.hand_on(OTHER_CARD, key=ANOTHER.key)
    assert granted.rejected() == set()


def test_under_what_it_granted_no_card_is_replaced_before_it_is_signed_anew(
    granted: Desk,
) -> None:
    # Handed on before the list arrived, which is not accounted for either.
    row = OperatorGrantRow(ANOTHER.key, OTHER_CARD, TODAY)
    signed(granted.store, theirs(), Change(None, row), kind=Kind.HAND_ON)
    before = ledger.last_number(granted.store)
    with pytest.raises(NotPermitted, match="不能在其下换卡"):
        granted.replace(OTHER_CARD, NEW_CARD)
    assert ledger.last_number(granted.store) == before


def test_a_mark_that_it_put_is_taken_away(store: Store, tmp_path: Path) -> None:
    desk = revoked(store, tmp_path, theirs(), Change(None, MARK), kind=Kind.LAPSE)
    by = session(BROKER)
    assert expiry.keep(store, by, [desk.grant()], proof=desk.proof, today=TODAY) == 1
    assert desk.what_is_wrong() == []


def test_a_mark_that_it_took_away_is_put_again(store: Store, tmp_path: Path) -> None:
    by = session(BROKER)
    expiry.let_lapse(store, by, [EnterpriseGrant(1, KEY, *GRANT[1:4], NOON, "")], today=TODAY)
    desk = revoked(store, tmp_path, theirs(), Change(MARK, None), kind=Kind.KEEP)
    assert expiry.let_lapse(store, by, [desk.grant()], proof=desk.proof, today=TODAY) == 1
    assert desk.what_is_wrong() == []


def test_of_what_it_deleted_the_grant_comes_back_and_its_agent_hands_it_on(
    deleted: Desk,
) -> None:
    by, number = session(MANUFACTURER), deleted.late
    preview = reinstatement.preview(deleted.store, by, number, proof=deleted.proof, today=TODAY)
    assert (preview.operator_grants, preview.unproven) == ((), 1)
    reinstatement.reinstate(deleted.store, by, number, proof=deleted.proof, today=TODAY)
    deleted.hand_on(CARD)
    assert deleted.rejected() == set()
    assert deleted.proof.holds(GRANT)
    assert deleted.proof.holds(TO_CARD)
