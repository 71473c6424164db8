"""May this card do this?  Every combination of what can stand in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import permutations, product

import pytest

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.decision import Reason, Request, decide
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.reference import load_tables

TABLES = load_tables()
OPERATING, DECLARING = "X1", "X2"
PRINCIPAL, AGENT, THIRD = "3101940001", "3101980002", "3205460003"
CARD, OTHER_CARD = "8900000000011", "8900000000022"
FIRST_DAY, LAST_DAY = date(2026, 3, 1), date(2026, 3, 31)
DAY = timedelta(days=1)

REQUEST = Request(
    card_number=CARD,
    role=Role.OPERATOR,
    card_enterprise=AGENT,
    enterprise=PRINCIPAL,
    subsystem="95",
    action="declare",
    on=FIRST_DAY,
)


def grant(
    number: int = 1,
    *,
    principal: str = PRINCIPAL,
    agent: str = AGENT,
    subsystem: str = "95",
    grant_type: str = OPERATING,
    granted_on: date = FIRST_DAY,
    valid_until: date = LAST_DAY,
) -> EnterpriseGrant:
    key = GrantKey(principal, agent, subsystem, grant_type)
    changed = datetime(2026, 3, 1, tzinfo=SHANGHAI)
    return EnterpriseGrant(number, key, granted_on, valid_until, 1, changed, CARD)


def under(grant_id: int, card_number: str, number: int = 1) -> OperatorGrant:
    return OperatorGrant(number, grant_id, card_number, FIRST_DAY, CARD)


# -- the truth table -------------------------------------------------------------------

DATES = {
    "before the first day": (FIRST_DAY - DAY, Reason.NOT_YET_IN_FORCE),
    "first day": (FIRST_DAY, None),
    "last day": (LAST_DAY, None),
    "after the last day": (LAST_DAY + DAY, Reason.EXPIRED),
}
OPERATORS: dict[str, tuple[list[OperatorGrant], Reason]] = {
    "nobody": ([], Reason.NO_OPERATOR_GRANT),
    "another card": ([under(1, OTHER_CARD)], Reason.NO_OPERATOR_GRANT),
    "under another grant": ([under(2, CARD), under(3, "")], Reason.NO_OPERATOR_GRANT),
    "the card": ([under(1, OTHER_CARD), under(1, CARD)], Reason.GRANTED_TO_CARD),
    "all": ([under(1, ALL_OPERATORS)], Reason.GRANTED_TO_ALL),
}
TYPES = {
    "right type": (OPERATING, None),
    "other type": (DECLARING, Reason.OTHER_GRANT_TYPE),
}


@pytest.mark.parametrize(("type_", "day", "operators"), product(TYPES, DATES, OPERATORS))
def test_every_link_of_the_chain_must_hold(type_: str, day: str, operators: str) -> None:
    grant_type, type_fault = TYPES[type_]
    on, date_fault = DATES[day]
    handed_on, reason = OPERATORS[operators]
    standing = grant(grant_type=grant_type)
    decision = decide(replace(REQUEST, on=on), [standing], handed_on, TABLES)
    expected = type_fault or date_fault or reason
    assert decision.reason is expected
    assert decision.allowed == (expected in (Reason.GRANTED_TO_CARD, Reason.GRANTED_TO_ALL))
    assert decision.enterprise_grant == standing
    assert (decision.operator_grant in handed_on) == decision.allowed


@pytest.mark.parametrize(
    "other",
    [
        grant(principal=THIRD),
        grant(agent=THIRD),
        grant(subsystem="B1"),
        grant(principal=AGENT, agent=PRINCIPAL),
    ],
    ids=["another principal", "another agent", "another subsystem", "the other way round"],
)
def test_a_grant_that_is_not_for_this_gives_nothing(other: EnterpriseGrant) -> None:
    decision = decide(REQUEST, [other], [under(1, ALL_OPERATORS)], TABLES)
    assert (decision.allowed, decision.reason) == (False, Reason.NO_ENTERPRISE_GRANT)


@pytest.mark.parametrize("action", [code.code for code in TABLES.actions])
def test_each_action_needs_the_type_that_the_table_says(action: str) -> None:
    request = replace(REQUEST, action=action)
    allowed = {
        grant_type: decide(
            request, [grant(grant_type=grant_type)], [under(1, CARD)], TABLES
        ).allowed
        for grant_type in (OPERATING, DECLARING)
    }
    needed = DECLARING if action == "customs" else OPERATING
    assert allowed == {OPERATING: needed == OPERATING, DECLARING: needed == DECLARING}


# -- one's own enterprise, and whose card it is ----------------------------------------


@pytest.mark.parametrize("role", list(Role))
def test_every_card_works_on_its_own_enterprise_without_a_grant(role: Role) -> None:
    decision = decide(replace(REQUEST, role=role, enterprise=AGENT), [], [], TABLES)
    assert (decision.allowed, decision.reason) == (True, Reason.OWN_ENTERPRISE)


@pytest.mark.parametrize("card_number", [CARD, ALL_OPERATORS])
def test_a_legal_person_card_is_no_operator(card_number: str) -> None:
    request = replace(REQUEST, role=Role.LEGAL_PERSON)
    decision = decide(request, [grant()], [under(1, card_number)], TABLES)
    assert (decision.allowed, decision.reason) == (False, Reason.LEGAL_PERSON_CARD)


@pytest.mark.parametrize("enterprise", [PRINCIPAL, AGENT])
def test_what_the_tables_do_not_know_is_denied_even_to_oneself(enterprise: str) -> None:
    request = replace(REQUEST, enterprise=enterprise)
    grants, operators = [grant()], [under(1, ALL_OPERATORS)]
    unknown_action = decide(replace(request, action="destroy"), grants, operators, TABLES)
    unknown_subsystem = decide(replace(request, subsystem="QQ"), grants, operators, TABLES)
    assert (unknown_action.allowed, unknown_action.reason) == (False, Reason.UNKNOWN_ACTION)
    assert (unknown_subsystem.allowed, unknown_subsystem.reason) == (
        False,
        Reason.UNKNOWN_SUBSYSTEM,
    )


# -- several grants --------------------------------------------------------------------


def test_a_dead_grant_beside_a_live_one_changes_nothing_in_any_order() -> None:
    live = grant(1)
    others = [
        grant(2, grant_type=DECLARING),
        grant(3, subsystem="B1"),
        grant(4, principal=THIRD),
    ]
    for order in permutations([live, *others]):
        decision = decide(REQUEST, order, [under(1, CARD), under(2, CARD, 2)], TABLES)
        assert (decision.reason, decision.enterprise_grant) == (Reason.GRANTED_TO_CARD, live)


def test_of_several_misses_the_nearest_is_told_in_any_order() -> None:
    wrong_type = grant(1, grant_type=DECLARING)
    expired = grant(2, valid_until=FIRST_DAY - DAY, granted_on=FIRST_DAY - 9 * DAY)
    not_handed_on = grant(3)
    for misses, nearest in (
        ([wrong_type, expired, not_handed_on], not_handed_on),
        ([wrong_type, expired], expired),
        ([wrong_type], wrong_type),
    ):
        for order in permutations(misses):
            decision = decide(REQUEST, order, [under(1, CARD), under(2, CARD)], TABLES)
            assert not decision.allowed
            assert decision.enterprise_grant == nearest


def test_adding_grants_never_takes_a_right_away() -> None:
    grants, operators = [grant(1)], [under(1, CARD)]
    assert decide(REQUEST, grants, operators, TABLES).allowed
    more = [grant(number, principal=THIRD, grant_type=DECLARING) for number in range(2, 5)]
    assert decide(REQUEST, more + grants, [under(2, OTHER_CARD), *operators], TABLES).allowed
