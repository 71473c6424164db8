"""查看操作员权限: both directions, and only what holds today."""

from __future__ import annotations

from datetime import timedelta

import pytest

from eport_tui.domain.decision import Reason, Request
from eport_tui.domain.grants import ALL_OPERATORS
from eport_tui.domain.holders import Role
from eport_tui.errors import InvalidInput, NotPermitted
from eport_tui.services import decisions, enterprise_grants, operator_grants
from eport_tui.services.permissions import Direction, query, what_can, who_can
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    grant,
    hand_on,
    opened,
    position,
    rows,
    session,
)

OURS, THEIRS = Direction.OURS, Direction.THEIRS


def test_an_enterprise_sees_its_operators_elsewhere_and_others_at_itself(store: Store) -> None:
    (to_trader,) = hand_on(store, grant(store, TRADER, BROKER, subsystem="B1"))
    first, second = hand_on(store, grant(store, MANUFACTURER, BROKER), OTHER_CARD, CARD)
    (at_us,) = hand_on(store, grant(store, BROKER, OTHER_BROKER), CARD)
    hand_on(store, grant(store, MANUFACTURER, OTHER_BROKER))
    source = query(store, session(BROKER, Role.OPERATOR), subsystem=None, today=TODAY)
    assert [
        (row.direction, row.principal, row.agent, row.subsystem, row.card_number)
        for row in rows(source)
    ] == [
        (OURS, MANUFACTURER, BROKER, "95", CARD),
        (OURS, MANUFACTURER, BROKER, "95", OTHER_CARD),
        (OURS, TRADER, BROKER, "B1", ALL_OPERATORS),
        (THEIRS, BROKER, OTHER_BROKER, "95", CARD),
    ]
    keys = [second.id, first.id, to_trader.id, at_us.id]
    assert [row.operator_grant_id for row in rows(source)] == keys
    assert [position(source, key) for key in keys] == [0, 1, 2, 3]
    assert position(source, 999) is None


def test_a_changed_line_in_the_index_of_cards_shows_nobodys_right(store: Store) -> None:
    """Whatever that says, the grants themselves are looked at."""
    (theirs,) = hand_on(store, grant(store), OTHER_CARD)
    (elsewhere,) = hand_on(store, grant(store, agent=OTHER_BROKER), CARD)
    with store.transaction():
        store.write_many(
            "UPDATE card_right SET card_number = ?, agent = ?, principal = ?"
            " WHERE operator_grant_id = ?",
            [
                (CARD, BROKER.customs_code, MANUFACTURER.customs_code, theirs.id),
                (CARD, BROKER.customs_code, TRADER.customs_code, elsewhere.id),
            ],
        )
    source = what_can(store, session(BROKER), CARD, subsystem=None, today=TODAY)
    for order in source.orders:
        assert rows(source.ordered(order)) == []


def test_directions_are_named_from_where_one_stands() -> None:
    assert (OURS.label, THEIRS.label) == ("本企业代理", "代理本企业")


def test_one_subsystem_can_be_asked_for(store: Store) -> None:
    hand_on(store, grant(store, subsystem="95"))
    hand_on(store, grant(store, subsystem="B1"))
    source = query(store, session(BROKER), subsystem="B1", today=TODAY)
    assert [row.subsystem for row in rows(source)] == ["B1"]
    assert query(store, session(BROKER), subsystem="Z8", today=TODAY).count().number == 0


def test_the_last_day_is_included_and_the_next_is_not(store: Store) -> None:
    standing = grant(store, valid_until=TODAY + timedelta(days=10))
    hand_on(store, standing, CARD)
    last = standing.valid_until
    for day, count in ((TODAY, 1), (last, 1), (last + timedelta(days=1), 0)):
        assert query(store, session(BROKER), subsystem=None, today=day).count().number == count
        assert (
            query(store, session(MANUFACTURER), subsystem=None, today=day).count().number == count
        )


def test_a_grant_that_was_not_handed_on_gives_nobody_a_right(store: Store) -> None:
    grant(store)
    assert query(store, session(BROKER), subsystem=None, today=TODAY).count().number == 0


def test_after_a_renewal_the_right_counts_from_the_renewal(store: Store) -> None:
    expired = grant(store, valid_until=TODAY)
    hand_on(store, expired, CARD)
    later = TODAY + timedelta(days=50)
    enterprise_grants.save(
        store,
        TABLES,
        session(MANUFACTURER),
        opened(expired, later),
        confirm_renewal=True,
        today=later,
    )
    (row,) = rows(query(store, session(BROKER), subsystem=None, today=later))
    assert (row.granted_on, row.valid_until) == (later, later)


@pytest.mark.parametrize("by", ["principal", "agent"])
def test_a_deleted_grant_ends_the_right_at_the_next_check(store: Store, by: str) -> None:
    standing = grant(store)
    (handed_on,) = hand_on(store, standing, CARD)
    request = Request(
        card_number=CARD,
        role=Role.OPERATOR,
        card_enterprise=BROKER.customs_code,
        enterprise=MANUFACTURER.customs_code,
        subsystem="95",
        action="declare",
        on=TODAY,
    )
    decision = decisions.check(store, TABLES, request)
    assert (decision.reason, decision.enterprise_grant, decision.operator_grant) == (
        Reason.GRANTED_TO_CARD,
        standing,
        handed_on,
    )
    if by == "principal":
        enterprise_grants.delete(
            store, session(MANUFACTURER), standing.id, revision=1, operator_grants=1
        )
        expected = Reason.NO_ENTERPRISE_GRANT
    else:
        operator_grants.delete(store, session(BROKER), handed_on.id)
        expected = Reason.NO_OPERATOR_GRANT
    assert decisions.check(store, TABLES, request).reason is expected


# -- asked both ways ---------------------------------------------------------------------


def test_who_can_act_on_ones_own_data(store: Store) -> None:
    hand_on(store, grant(store, MANUFACTURER, BROKER), CARD)
    hand_on(store, grant(store, BROKER, OTHER_BROKER), OTHER_CARD)
    source = who_can(store, session(BROKER), subsystem=None, today=TODAY)
    assert [(row.agent, row.card_number) for row in rows(source)] == [(OTHER_BROKER, OTHER_CARD)]


def test_what_a_card_can_do_by_its_own_grants_and_by_those_to_all(store: Store) -> None:
    hand_on(store, grant(store, MANUFACTURER, BROKER), CARD, OTHER_CARD)
    hand_on(store, grant(store, TRADER, BROKER))
    hand_on(store, grant(store, TRADER, BROKER, subsystem="B1"), OTHER_CARD)
    hand_on(store, grant(store, MANUFACTURER, OTHER_BROKER, subsystem="B1"), CARD)
    source = what_can(store, session(BROKER, Role.OPERATOR), CARD, subsystem=None, today=TODAY)
    assert [(row.principal, row.subsystem, row.card_number) for row in rows(source)] == [
        (MANUFACTURER, "95", CARD),
        (TRADER, "95", ALL_OPERATORS),
    ]
    keys = [row.operator_grant_id for row in rows(source)]
    assert [position(source, key) for key in keys] == [0, 1]
    in_another = what_can(store, session(BROKER), CARD, subsystem="B1", today=TODAY)
    assert in_another.count().number == 0


@pytest.mark.parametrize("listed", [True, False])
def test_a_legal_person_is_no_operator_of_whom_to_ask(store: Store, listed: bool) -> None:
    number = session(BROKER).holder.card_number
    if listed:
        number = "8900000000999"
        with store.transaction():
            entry = enterprises.Entry(BROKER, (number,))
            enterprises.put_legal_person_cards(store, [entry])
    with pytest.raises(NotPermitted) as caught:
        what_can(store, session(BROKER), number, subsystem=None, today=TODAY)
    assert caught.value.field == "card_number"


def test_a_malformed_card_number_is_told_at_its_field(store: Store) -> None:
    with pytest.raises(InvalidInput) as caught:
        what_can(store, session(BROKER), "89", subsystem=None, today=TODAY)
    assert caught.value.field == "card_number"


def test_a_long_list_goes_from_ours_to_theirs_within_a_page(store: Store) -> None:
    cards = [f"89000000001{number:02}" for number in range(7)]
    hand_on(store, grant(store, MANUFACTURER, BROKER), *cards)
    hand_on(store, grant(store, BROKER, OTHER_BROKER), *cards)
    source = query(store, session(BROKER), subsystem=None, today=TODAY)
    whole = [(OURS, card) for card in cards] + [(THEIRS, card) for card in cards]
    for limit in (1, 3, 5, 100):
        read = [(row.direction, row.card_number) for row in rows(source, limit)]
        assert read == whole
