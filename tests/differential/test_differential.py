"""Every form of the rule says the same as the naive evaluation and two other engines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import permutations, product
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eport_tui.domain.decision
from eport_tui.domain.decision import Decision, Request, decide
from eport_tui.domain.grants import ALL_OPERATORS, GrantKey, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.store.database import Store
from tests import profiles as profiles
from tests.differential.comparing import TABLES, compare
from tests.differential.engines import casbin_enforcer, casbin_says, cedar
from tests.differential.worlds import (
    CARDS,
    DAYS,
    ENTERPRISES,
    KEYS,
    TODAY,
    World,
    naive,
    random_request,
    random_world,
)

DAY = timedelta(days=1)


@pytest.mark.parametrize("seed", range(4))
def test_all_say_the_same_to_tens_of_thousands_of_requests(tmp_path: Path, seed: int) -> None:
    with Store.open(tmp_path / "eport.db") as store:
        compared = compare(store, Random(seed), requests=7_500)
    assert compared.disagreements == []
    assert compared.requests >= 7_500
    # Neither the yes nor the no is rare among them.
    assert compared.requests / 10 < compared.allowed < compared.requests / 2


# -- faults that are put in on purpose ---------------------------------------------------

FAULTS = {
    "the last day is missing": (
        "grant.valid_until < request.on",
        "grant.valid_until <= request.on",
    ),
    "a day too many": (
        "grant.valid_until < request.on",
        "(request.on - grant.valid_until).days > 1",
    ),
    "expiry is ignored": ("grant.valid_until < request.on", "False"),
    "the first day is ignored": ("request.on < grant.granted_on", "False"),
    "all operators leak to another agent": (
        "and grant.key.agent == request.card_enterprise",
        "and (grant.key.agent == request.card_enterprise or"
        " any(o.to_all and o.enterprise_grant_id == grant.id for o in operators))",
    ),
    "the wrong grant type is accepted": ("grant.key.grant_type != needed", "False"),
    "a legal person passes for an operator": ("request.role is Role.LEGAL_PERSON", "False"),
    "any card passes for the one that was named": (
        "operator.card_number == request.card_number",
        "True",
    ),
    "an operator grant counts under any enterprise grant": (
        "operator.enterprise_grant_id == grant.id",
        "True",
    ),
    "the subsystem does not matter": ("and grant.key.subsystem == request.subsystem", ""),
    "the first grant decides": (
        "return max(\n        candidates,",
        "return min(\n        candidates,",
    ),
}


def faulty(right: str, wrong: str) -> Callable[..., Decision]:
    """`decide` of a copy of the rule with one fault in it."""
    source = Path(eport_tui.domain.decision.__file__).read_text("utf-8")
    assert source.count(right) == 1, "the fault no longer fits the rule"
    module = ModuleType("faulty_decision")
    sys.modules[module.__name__] = module
    try:
        exec(source.replace(right, wrong), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module.decide


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_rule_is_noticed(fault: str) -> None:
    decide_wrongly = faulty(*FAULTS[fault])
    random = Random(0)
    for _ in range(100):
        world = random_world(random)
        for request in (random_request(random, world) for _ in range(200)):
            answer = decide_wrongly(request, world.grants, world.operators, TABLES)
            if answer.allowed is not naive(world, request):
                return
    pytest.fail("20000 requests did not show it")


# -- the truth table: two grants, each alive or dead, with a path or without --------------

OPERATING = next(key for key in KEYS if key.grant_type == "X1" and key.subsystem == "95")
FROM_THERE = OPERATING._replace(
    agent=next(code for code in ENTERPRISES if code not in (OPERATING.principal, OPERATING.agent)),
)
SECOND = {
    "the other type": OPERATING._replace(grant_type="X2"),
    "another subsystem": OPERATING._replace(subsystem="B1"),
    "another agent": FROM_THERE,
    "the same, divided at a day": OPERATING,
}
ENDS = {"alive": (-3, 3), "dead": (-3, -1), "not yet": (1, 3)}
PATHS = {"nobody": (), "the other card": CARDS[1:], "the card": CARDS[:1], "all": (ALL_OPERATORS,)}


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize(("end", "other_end"), product(ENDS, ENDS))
def test_two_grants_alive_or_dead_in_each_order(second: str, end: str, other_end: str) -> None:
    for path, other_path in product(PATHS.values(), PATHS.values()):
        world = two_grants(SECOND[second], (ENDS[end], path), (ENDS[other_end], other_path))
        requests = [
            Request(card, Role.OPERATOR, agent, OPERATING.principal, subsystem, action, TODAY)
            for card in CARDS
            for agent in (OPERATING.agent, FROM_THERE.agent)
            for subsystem in ("95", "B1")
            for action in ("declare", "customs")
        ]
        expected = [naive(world, request) for request in requests]
        assert cedar(world, requests) == expected
        enforcer = casbin_enforcer(world)
        for request, allowed in zip(requests, expected, strict=True):
            assert casbin_says(enforcer, request) is allowed
            for grants in permutations(world.grants):
                for operators in (world.operators, world.operators[::-1]):
                    assert decide(request, grants, operators, TABLES).allowed is allowed


def two_grants(second: GrantKey, *parts: tuple[tuple[int, int], tuple[str, ...]]) -> World:
    """The operating grant and a second one, each with its days and its operators."""
    template = random_world(Random(3)).grants[0]
    world = World([], [])
    for number, (key, (days, cards)) in enumerate(zip((OPERATING, second), parts, strict=True), 1):
        first, last = (TODAY + day * DAY for day in days)
        world.grants.append(
            template._replace(id=number, key=key, granted_on=first, valid_until=last)
        )
        world.operators.extend(
            OperatorGrant(10 * number + at, number, card, TODAY, CARDS[0])
            for at, card in enumerate(cards)
        )
    return world


# -- metamorphic -------------------------------------------------------------------------

seeds = st.integers(0, 2**32)


def all_requests() -> list[Request]:
    return [
        Request(card, role, agent, principal, subsystem, action, on)
        for card, role, agent, principal, subsystem, action, on in product(
            CARDS, Role, ENTERPRISES, ENTERPRISES, ("95", "B1"), ("query", "customs"), DAYS[::2]
        )
    ]


def allowed_in(world: World) -> set[Request]:
    return {
        request
        for request in all_requests()
        if decide(request, world.grants, world.operators, TABLES).allowed
    }


@settings(max_examples=15)
@given(seed=seeds)
def test_a_further_grant_never_removes_a_right(seed: int) -> None:
    random = Random(seed)
    world, more = random_world(random), random_world(random)
    moved = World(
        world.grants + [grant._replace(id=grant.id + 100) for grant in more.grants],
        world.operators
        + [
            o._replace(id=o.id + 100, enterprise_grant_id=o.enterprise_grant_id + 100)
            for o in more.operators
        ],
    )
    assert allowed_in(world) <= allowed_in(moved)


@settings(max_examples=15)
@given(seed=seeds)
def test_a_grant_divided_at_a_day_gives_the_same_rights(seed: int) -> None:
    random = Random(seed)
    world = random_world(random)
    divided = World([], list(world.operators))
    for grant in world.grants:
        days = (grant.valid_until - grant.granted_on).days
        if days == 0:
            divided.grants.append(grant)
            continue
        at = grant.granted_on + random.randrange(days) * DAY
        divided.grants.append(grant._replace(valid_until=at))
        divided.grants.append(grant._replace(id=grant.id + 100, granted_on=at + DAY))
        divided.operators.extend(
            o._replace(id=o.id + 100, enterprise_grant_id=grant.id + 100)
            for o in world.operators
            if o.enterprise_grant_id == grant.id
        )
    random.shuffle(divided.grants)
    assert allowed_in(divided) == allowed_in(world)


@settings(max_examples=15)
@given(seed=seeds)
def test_what_is_taken_away_and_put_back_changes_nothing(seed: int) -> None:
    random = Random(seed)
    world = random_world(random)
    before = allowed_in(world)
    if not world.grants:
        return
    gone = random.choice(world.grants)
    without = World(
        [grant for grant in world.grants if grant is not gone],
        [o for o in world.operators if o.enterprise_grant_id != gone.id],
    )
    assert allowed_in(without) <= before
    back = World(
        [*without.grants, gone],
        [*without.operators, *(o for o in world.operators if o.enterprise_grant_id == gone.id)],
    )
    assert allowed_in(back) == before
