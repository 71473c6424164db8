"""Small worlds of grants made at random, and questions that lie at their edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product
from random import Random

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.decision import Request
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.store.database import Store
from tests.rows import CARD as INSERTED_BY
from tests.rows import insert_grant, insert_operator_grant

TODAY = date(2026, 3, 1)
ENTERPRISES = ("3101940001", "3101980002", "3205460003")
CARDS = ("8900000000051", "8900000000062")
SUBSYSTEMS = ("95", "B1")
GRANT_TYPES = ("X1", "X2")
ACTIONS = {"query": "X1", "declare": "X1", "customs": "X2"}
"""Actions with the grant type that each needs, written down anew and not read from the tables."""

REACH = 4
DAYS = [TODAY + timedelta(days=number) for number in range(-REACH, REACH + 1)]
KEYS = [
    GrantKey(principal, agent, subsystem, grant_type)
    for principal, agent, subsystem, grant_type in product(
        ENTERPRISES, ENTERPRISES, SUBSYSTEMS, GRANT_TYPES
    )
    if principal != agent
]

Decides = Callable[[Request], bool]


@dataclass(frozen=True)
class World:
    """All grants that there are."""

    grants: list[EnterpriseGrant]
    operators: list[OperatorGrant]


def random_world(random: Random) -> World:
    """Up to ten enterprise grants, each with one of the forms of operator grants under it."""
    grants: list[EnterpriseGrant] = []
    operators: list[OperatorGrant] = []
    for number, key in enumerate(random.sample(KEYS, random.randint(0, 10)), 1):
        first, last = sorted(random.choices(DAYS[1:-1], k=2))
        changed = datetime(2026, 3, 1, tzinfo=SHANGHAI)
        grants.append(EnterpriseGrant(number, key, first, last, 1, changed, INSERTED_BY))
        for card in random.choice(((), (ALL_OPERATORS,), CARDS[:1], CARDS[1:], CARDS)):
            operators.append(OperatorGrant(len(operators) + 1, number, card, TODAY, INSERTED_BY))
    random.shuffle(grants)
    random.shuffle(operators)
    return World(grants, operators)


def random_request(random: Random, world: World) -> Request:
    """Mostly about a grant that there is, on its first or last day or the one beyond."""
    key = random.choice(KEYS)
    day = random.choice(DAYS)
    if world.grants and random.random() < 0.8:
        grant = random.choice(world.grants)
        key = grant.key
        day = random.choice(
            (
                grant.granted_on - timedelta(days=1),
                grant.granted_on,
                grant.valid_until,
                grant.valid_until + timedelta(days=1),
            )
        )
    return Request(
        card_number=random.choice(CARDS),
        role=random.choices(list(Role), (1, 9))[0],
        card_enterprise=random.choices((key.agent, random.choice(ENTERPRISES)), (4, 1))[0],
        enterprise=key.principal,
        subsystem=random.choices((key.subsystem, "QQ"), (30, 1))[0],
        action=random.choices((*ACTIONS, "destroy"), (10, 10, 10, 1))[0],
        on=day,
    )


def naive(world: World, request: Request) -> bool:
    """The rule in the words of the specification, over all grants and all their days."""
    if request.action not in ACTIONS or request.subsystem not in SUBSYSTEMS:
        return False
    if request.card_enterprise == request.enterprise:
        return True
    if request.role is Role.LEGAL_PERSON:
        return False
    wanted = GrantKey(
        request.enterprise, request.card_enterprise, request.subsystem, ACTIONS[request.action]
    )
    return any(
        operator.card_number in (ALL_OPERATORS, request.card_number)
        for grant in world.grants
        if grant.key == wanted
        and request.on
        in [
            grant.granted_on + timedelta(days=number)
            for number in range((grant.valid_until - grant.granted_on).days + 1)
        ]
        for operator in world.operators
        if operator.enterprise_grant_id == grant.id
    )


@contextmanager
def stored(store: Store, world: World) -> Iterator[None]:
    """The world in the tables, past the services; taken out again at the end."""
    with store.transaction():
        numbers = {
            grant.id: insert_grant(store, grant.key, grant.granted_on, grant.valid_until)
            for grant in world.grants
        }
        for operator in world.operators:
            insert_operator_grant(
                store,
                numbers[operator.enterprise_grant_id],
                operator.card_number,
                operator.granted_on,
            )
    try:
        yield
    finally:
        with store.transaction():
            store.rows("DELETE FROM enterprise_grant")
