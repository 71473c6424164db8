"""Ways of an operator at 企业内授权录入."""

from __future__ import annotations

from tests.ui.colleague import Colleague
from tests.ui.operator import Operator

OPERATOR_GRANTS = "12"
CARD, OTHER_CARD, NEW_CARD = "8900000000042", "8900000000059", "8900000000997"

# Principals of the demo, by what the broker has made of their grants.
ONE_CARD, TO_ALL, TWO_CARDS, NO_CARDS = "3122930002", "3202240003", "3223230005", "3205460004"
EXPIRED = "3302320006"


async def choose(operator: Operator, principal: str) -> None:
    """Select the first grant of a principal by the quick query, and go to the entry."""
    while operator.at_field != "授权企业编号":
        await operator.press("shift+tab")
    await operator.clear()
    await operator.type(principal)
    await operator.press("enter")
    assert "已定位到该授权" in operator.message
    await into_the_list(operator, principal)
    await operator.press("enter")
    assert operator.at_field == "操作员IC卡号"


async def add_to_two_grants(operator: Operator) -> None:
    """Add the new card under a grant without cards, and then under one that has a card."""
    for principal in (NO_CARDS, ONE_CARD):
        await choose(operator, principal)
        await operator.type(NEW_CARD)
        await operator.press("f6")


async def into_the_list(operator: Operator, selected: str) -> None:
    """Move the focus to the upper list."""
    while operator.at_field != "授权企业社会信用代码":
        await operator.press("shift+tab" if operator.at_field != "授权企业编号" else "tab")
    await operator.press("tab")
    assert operator.row(selected).startswith("> ")


async def to_the_operators(operator: Operator, *moves: str) -> None:
    """Move the focus from the entry to the lower list, on its first row, and move there."""
    while operator.at_field:
        await operator.press("tab")
    await operator.press("home", *moves)


async def choose_all(operator: Operator) -> None:
    """From the card number: say that all operators are meant."""
    await operator.press("shift+tab", "space")
    await operator.type("S")
    await operator.press("enter")


def grant_of(colleague: Colleague, principal: str) -> int:
    """The number of the first grant that was received from a principal."""
    return next(r.grant.id for r in colleague.received() if r.grant.key.principal == principal)
