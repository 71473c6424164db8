"""All forms of the rule against the naive one, world after world."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from random import Random

from eport_tui.domain.decision import Request, decide
from eport_tui.domain.explanation import LinkState, explain
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.domain.lists import Count
from eport_tui.reference import load_tables
from eport_tui.services import decisions
from eport_tui.store import permissions
from eport_tui.store.database import Store
from eport_tui.store.permissions import PermissionRow, Question
from tests.differential.engines import casbin_enforcer, casbin_says, cedar
from tests.differential.worlds import (
    CARDS,
    DAYS,
    ENTERPRISES,
    SUBSYSTEMS,
    TODAY,
    World,
    naive,
    random_request,
    random_world,
    stored,
)

TABLES = load_tables()

Right = tuple[str, str, str, str, str]
"""Card, agent, principal, subsystem, grant type."""


@dataclass
class Compared:
    """How much was compared, and whether all agreed.

    Attributes:
        requests: How many requests.
        allowed: How many of them are a yes.
        lists: How many lists of who-can and what-can.
        disagreements: What somebody said otherwise than the naive evaluation, in words.
    """

    requests: int = 0
    allowed: int = 0
    lists: int = 0
    disagreements: list[str] = field(default_factory=list)


def compare(store: Store, random: Random, *, requests: int, per_world: int = 200) -> Compared:
    """Ask everybody the same requests; stops at ten disagreements."""
    compared = Compared()
    while compared.requests < requests and len(compared.disagreements) < 10:
        world = random_world(random)
        asked = [random_request(random, world) for _ in range(per_world)]
        with stored(store, world):
            _compare_decisions(store, world, asked, compared)
            _compare_lists(store, world, random, compared)
    return compared


def _compare_decisions(
    store: Store, world: World, asked: list[Request], compared: Compared
) -> None:
    by_cedar = cedar(world, asked)
    enforcer = casbin_enforcer(world)
    for request, cedar_says in zip(asked, by_cedar, strict=True):
        expected = naive(world, request)
        judged = decisions.check(store, TABLES, request)
        answers = {
            "decide": decide(request, world.grants, world.operators, TABLES).allowed,
            "explain": _chain_holds(request, world),
            "store": judged.allowed,
            "cedar": cedar_says,
            "casbin": casbin_says(enforcer, request),
        }
        compared.requests += 1
        compared.allowed += expected
        # With the same reason, and by the same grants, as where more of them are read.
        if judged != decide(request, *_read_for_explaining(store, request), TABLES):
            compared.disagreements.append(f"{judged} of {request} in {world}")
        if judged.reason is not decide(request, world.grants, world.operators, TABLES).reason:
            compared.disagreements.append(f"{judged.reason} of {request} in {world}")
        for name, answer in answers.items():
            if answer is not expected:
                compared.disagreements.append(f"{name} says {answer} to {request} in {world}")


def _read_for_explaining(
    store: Store, request: Request
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    return permissions.explanation_rows(
        store,
        principal=request.enterprise,
        agent=request.card_enterprise,
        subsystem=request.subsystem,
        card_number=request.card_number,
    )


def _chain_holds(request: Request, world: World) -> bool:
    """Whether every link of the explanation holds, by which it has to be a yes."""
    explanation = explain(request, world.grants, world.operators, TABLES, today=TODAY)
    return bool(explanation.links) and all(
        link.state is LinkState.HOLDS for link in explanation.links
    )


def _compare_lists(store: Store, world: World, random: Random, compared: Compared) -> None:
    on = random.choice(DAYS)
    rights = {
        (card, agent, principal, subsystem, grant_type)
        for card, agent, principal, subsystem, (action, grant_type) in product(
            CARDS, ENTERPRISES, ENTERPRISES, SUBSYSTEMS, (("query", "X1"), ("customs", "X2"))
        )
        if agent != principal
        and naive(world, Request(card, Role.OPERATOR, agent, principal, subsystem, action, on))
    }
    for subsystem in (None, *SUBSYSTEMS):
        within = {right for right in rights if subsystem in (None, right[3])}
        for enterprise in ENTERPRISES:
            lists = {
                "who_can": (
                    permissions.who_can(enterprise, subsystem, on),
                    CARDS,
                    {right for right in within if right[2] == enterprise},
                ),
                **{
                    f"what_can {card}": (
                        permissions.what_can(card, enterprise, subsystem, on),
                        (card,),
                        {right for right in within if right[:2] == (card, enterprise)},
                    )
                    for card in CARDS
                },
            }
            for name, (question, cards, expected) in lists.items():
                compared.lists += 1
                rows = _all_rows(store, question)
                if _rights(rows, cards) != expected:
                    compared.disagreements.append(
                        f"{name} of {enterprise} in {subsystem} on {on} is {rows} in {world}"
                    )


def _all_rows(store: Store, question: Question) -> list[PermissionRow]:
    """Read page by page, and held against the count and the positions."""
    rows: list[PermissionRow] = []
    listed = permissions.listed(store, [question])
    while page := listed.after(rows[-1] if rows else None, 3):
        rows += page
    assert listed.count() == Count(len(rows))
    for at, row in enumerate(rows):
        assert listed.at(row.operator_grant_id) == row
        assert listed.rank(row) == Count(at)
    return rows


def _rights(rows: list[PermissionRow], cards: tuple[str, ...]) -> set[Right]:
    return {
        (
            card,
            row.agent.customs_code,
            row.principal.customs_code,
            row.subsystem,
            row.grant_type,
        )
        for row in rows
        for card in (cards if row.card_number == ALL_OPERATORS else (row.card_number,))
    }
