"""查看操作员权限: both directions, and only what holds today."""

from __future__ import annotations

from datetime import timedelta

import pytest

from eport_tui.domain.decision import Reason, Request
from eport_tui.domain.grants import ALL_OPERATORS
from eport_tui.domain.holders import Role
from eport_tui.services import decisions, enterprise_grants, operator_grants
from eport_tui.services.permissions import Direction, query
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
    assert [source.position(key) for key in keys] == [0, 1, 2, 3]
    assert source.position(999) is None


def test_directions_are_named_from_where_one_stands() -> None:
    assert (OURS.label, THEIRS.label) == ("本企业代理", "代理本企业")


def test_one_subsystem_can_be_asked_for(store: Store) -> None:
    hand_on(store, grant(store, subsystem="95"))
    hand_on(store, grant(store, subsystem="B1"))
    source = query(store, session(BROKER), subsystem="B1", today=TODAY)
    assert [row.subsystem for row in rows(source)] == ["B1"]
    assert query(store, session(BROKER), subsystem="Z8", today=TODAY).count() == 0


def test_the_last_day_is_included_and_the_next_is_not(store: Store) -> None:
    standing = grant(store, valid_until=TODAY + timedelta(days=10))
    hand_on(store, standing, CARD)
    last = standing.valid_until
    for day, count in ((TODAY, 1), (last, 1), (last + timedelta(days=1), 0)):
        assert query(store, session(BROKER), subsystem=None, today=day).count() == count
        assert query(store, session(MANUFACTURER), subsystem=None, today=day).count() == count


def test_a_grant_that_was_not_handed_on_gives_nobody_a_right(store: Store) -> None:
    grant(store)
    assert query(store, session(BROKER), subsystem=None, today=TODAY).count() == 0


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
