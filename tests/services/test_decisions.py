"""The rule in SQL against the rule in Python, on worlds made at random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from eport_tui.domain.decision import Request, decide
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.places import Place
from eport_tui.services import decisions
from eport_tui.services.permissions import Direction, query
from eport_tui.store import enterprise_grants
from eport_tui.store.database import Store
from tests.rows import CARD as INSERTED_BY
from tests.rows import insert_grant, insert_operator_grant
from tests.services.world import TABLES, TODAY, position, rows, session

ENTERPRISES = ("3101940001", "3101980002", "3205460003")
SUBSYSTEMS = ("95", "B1")
GRANT_TYPES = ("X1", "X2")
CARDS = ("8900000000051", "8900000000062")

NEEDS = {"query": "X1", "customs": "X2"}
"""An action for each grant type."""

days = st.integers(-3, 3).map(lambda number: TODAY + timedelta(days=number))


@dataclass(frozen=True)
class NewGrant:
    key: GrantKey
    granted_on: date
    valid_until: date
    cards: frozenset[str]


@st.composite
def new_grants(draw: st.DrawFn) -> NewGrant:
    principal, agent = draw(st.permutations(ENTERPRISES))[:2]
    key = GrantKey(
        principal, agent, draw(st.sampled_from(SUBSYSTEMS)), draw(st.sampled_from(GRANT_TYPES))
    )
    ends = sorted((draw(days), draw(days)))
    cards = draw(st.just({ALL_OPERATORS}) | st.sets(st.sampled_from(CARDS)))
    return NewGrant(key, ends[0], ends[1], frozenset(cards))


worlds = st.lists(new_grants(), max_size=8, unique_by=lambda new: new.key)


def build(store: Store, world: list[NewGrant]) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """Store a world, past the services, and give back the lists of all grants."""
    grants: list[EnterpriseGrant] = []
    operators: list[OperatorGrant] = []
    with store.transaction():
        for new in world:
            grant_id = insert_grant(store, new.key, new.granted_on, new.valid_until)
            stored = enterprise_grants.get(store, grant_id)
            assert stored is not None
            grants.append(stored)
            for card in new.cards:
                number = insert_operator_grant(store, grant_id, card, TODAY)
                operators.append(OperatorGrant(number, grant_id, card, TODAY, INSERTED_BY))
    return grants, operators


def empty(store: Store) -> None:
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant")


def requests(on: date) -> list[Request]:
    return [
        Request(card, role, card_enterprise, enterprise, subsystem, action, on)
        for card in CARDS
        for role in Role
        for card_enterprise in ENTERPRISES
        for enterprise in ENTERPRISES
        for subsystem in (*SUBSYSTEMS, "QQ")
        for action in (*NEEDS, "destroy")
    ]


@settings(max_examples=40)
@given(world=worlds, on=days)
def test_the_store_and_the_rule_decide_the_same(
    shared_store: Store, world: list[NewGrant], on: date
) -> None:
    grants, operators = build(shared_store, world)
    try:
        for request in requests(on):
            assert decisions.check(shared_store, TABLES, request) == decide(
                request, grants, operators, TABLES
            )
    finally:
        empty(shared_store)


@settings(max_examples=100)
@given(world=worlds, on=days, subsystem=st.sampled_from((None, *SUBSYSTEMS)))
def test_the_permissions_listed_are_those_that_the_rule_grants(
    shared_store: Store, world: list[NewGrant], on: date, subsystem: str | None
) -> None:
    grants, operators = build(shared_store, world)
    try:
        for enterprise in ENTERPRISES:
            source = query(
                shared_store, session(Enterprise(enterprise, "", "")), subsystem=subsystem, today=on
            )
            listed = rows(source)
            assert [position(source, row.operator_grant_id) for row in listed] == list(
                range(len(listed))
            )
            allowed: set[tuple[str, str, str, str, str]] = set()
            for row in listed:
                ours = row.direction is Direction.OURS
                assert enterprise == (row.agent if ours else row.principal).customs_code
                for card in CARDS if row.card_number == ALL_OPERATORS else (row.card_number,):
                    allowed.add(
                        (
                            row.principal.customs_code,
                            row.agent.customs_code,
                            row.subsystem,
                            row.grant_type,
                            card,
                        )
                    )
            assert allowed == granted_by_the_rule(enterprise, on, subsystem, grants, operators)
    finally:
        empty(shared_store)


def granted_by_the_rule(
    enterprise: str,
    on: date,
    subsystem: str | None,
    grants: list[EnterpriseGrant],
    operators: list[OperatorGrant],
) -> set[tuple[str, str, str, str, str]]:
    """Ask the rule for each card of each agent at each principal, `enterprise` being one."""
    return {
        (principal, agent, asked, NEEDS[action], card)
        for principal in ENTERPRISES
        for agent in ENTERPRISES
        if principal != agent and enterprise in (principal, agent)
        for asked in ((subsystem,) if subsystem else SUBSYSTEMS)
        for action in NEEDS
        for card in CARDS
        if decide(
            Request(card, Role.OPERATOR, agent, principal, asked, action, on),
            grants,
            operators,
            TABLES,
        ).allowed
    }


def test_a_request_about_oneself_needs_no_grant(place: Place) -> None:
    with Store.open(place) as store:
        request = Request(
            CARDS[0], Role.OPERATOR, ENTERPRISES[0], ENTERPRISES[0], "95", "query", TODAY
        )
        assert decisions.check(store, TABLES, request).allowed
