"""Net loss: what stops working when grants are deleted, shortened or replaced.

A right is lost on a day when it was there before and is not afterwards, whatever
else stands; a grant to all operators keeps the rights of each single card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def without(self, other: Period | None) -> Iterator[Period]:
        """The days that are not in `other`."""
        if other is None or other.last < self.first or self.last < other.first:
            yield self
            return
        if self.first < other.first:
            yield Period(self.first, other.first - timedelta(days=1))
        if other.last < self.last:
            yield Period(other.last + timedelta(days=1), self.last)


@dataclass(frozen=True, slots=True)
class Loss:
    """What the holder of a card, or each operator of the agent, can do no more.

    Attributes:
        key: Principal, agent and subsystem of the rights, and the type they rest on.
        card_number: IC卡号, or `ALL_OPERATORS`.
        actions: Codes of the actions, in the order of their table; at least one.
        days: On which they are lost.
    """

    key: GrantKey
    card_number: str
    actions: tuple[str, ...]
    days: Period


@dataclass(frozen=True, slots=True)
class Grants:
    """Grants as they stand at one moment, no two of them with the same key.

    Attributes:
        enterprise: Grants between enterprises.
        operator: Those under them.
    """

    enterprise: tuple[EnterpriseGrant, ...] = ()
    operator: tuple[OperatorGrant, ...] = ()

    def paths(self) -> dict[tuple[GrantKey, str], Period]:
        """For each card under each key the days on which both grants hold."""
        standing = {grant.id: grant for grant in self.enterprise}
        return {
            (grant.key, operator.card_number): Period(grant.granted_on, grant.valid_until)
            for operator in self.operator
            if (grant := standing.get(operator.enterprise_grant_id)) is not None
        }


def actions_of(key: GrantKey, tables: CodeTables) -> tuple[str, ...]:
    """The codes of the actions that a grant allows; none where its subsystem is unknown."""
    if key.subsystem not in tables.subsystems:
        return ()
    return tuple(code for code, needed in tables.action_needs.items() if needed == key.grant_type)


def net_loss(before: Grants, after: Grants, tables: CodeTables, *, since: date) -> list[Loss]:
    """What is lost by going from `before` to `after`, from a day on.

    Ordered as `before` has its operator grants.
    """
    kept = after.paths()
    return [
        Loss(key, card, actions, days)
        for (key, card), period in before.paths().items()
        if (actions := actions_of(key, tables))
        for days in lost_days(
            period, (kept.get((key, card)), kept.get((key, ALL_OPERATORS))), since=since
        )
    ]


def lost_days(before: Period, kept: Iterable[Period | None], *, since: date) -> list[Period]:
    """The days of a right, from `since` on, on which none of the `kept` gives it."""
    if before.last < since:
        return []
    days = [Period(max(before.first, since), before.last)]
    for other in kept:
        days = [rest for each in days for rest in each.without(other)]
    return days
