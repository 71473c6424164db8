"""Grants between enterprises by their last day: what runs out, and what has run out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

from eport_tui.domain.grants import EnterpriseGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import BOUND_OF_JOINED, EVERYTHING, Count, Span, Spans
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS, UNDER, count_under, from_row
from eport_tui.store.keyset import Fixed, Keyset, Leg, Place
from eport_tui.store.permissions import Direction


@dataclass(frozen=True, slots=True)
class Question:
    """Whose grants are asked for, and which last days.

    Attributes:
        enterprise: Customs code of one of the two ends; none for the grants of all.
        until: The latest last day.
        since: The earliest last day.
        lapsing_too: Whether those are listed, too, that are meant to lapse.
        under: As far as the operator grants under each are counted.
    """

    enterprise: str | None
    until: date
    since: date = date.min
    lapsing_too: bool = False
    under: int = UNDER

    @property
    def days(self) -> Spans:
        """The last days."""
        end = self.until + timedelta(days=1)
        return Spans.of(Span(self.since.isoformat(), end.isoformat()))


@dataclass(frozen=True, slots=True)
class Gap:
    """The days, first and last included, on which a grant was not in force, before it was again."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DueRow:
    """A grant that runs out or has run out.

    Attributes:
        grant: The grant.
        direction: `OURS`: the asking enterprise is the agent; `THEIRS`: it is the
            principal, as it also counts when nobody in particular asks.
        principal: Who granted; USCC and name are empty when not in the registry.
        agent: Who was granted to.
        operator_grants: How many operator grants stand under it, as far as was asked.
        lapsing: Whether the asking enterprise, or else the principal, has marked it as
            meant to lapse on this last day.
        gap: The interruption before the present period, as the ledger has it.
    """

    grant: EnterpriseGrant
    direction: Direction
    principal: Enterprise
    agent: Enterprise
    operator_grants: Count
    lapsing: bool
    gap: Gap | None


_MARKED = """
    EXISTS (
        SELECT 1 FROM lapse_mark m
        WHERE m.principal = g.principal AND m.agent = g.agent
          AND m.subsystem = g.subsystem AND m.grant_type = g.grant_type
          AND m.owner = g.{own} AND m.valid_until = g.valid_until
    )
"""
"""Whether an end lets the grant lapse; as it is about one last day, not after a renewal."""

# The latest earlier period ended on its last day, or before that by a deletion.
_ENDED = """
    (
        SELECT min(v.valid_until, substr(e.recorded_at, 1, 10))
        FROM enterprise_grant_version v
        JOIN ledger_entry e ON e.number = v.until_entry
        WHERE v.principal = g.principal AND v.agent = g.agent
          AND v.subsystem = g.subsystem AND v.grant_type = g.grant_type
          AND v.granted_on < g.granted_on
        ORDER BY v.from_entry DESC LIMIT 1
    )
"""


def _leg(question: Question, direction: Direction, spans: Spans) -> Leg:
    own, other = ("agent", "principal") if direction is Direction.OURS else ("principal", "agent")
    marked = _MARKED.format(own=own)
    conditions = [f"g.{own} = ?"] if question.enterprise else ["TRUE"]
    if not question.lapsing_too:
        conditions.append(f"NOT {marked}")
    order: tuple[str | Fixed, ...] = ("g.valid_until", "g.id")
    if question.enterprise:
        what = (f"g.{other}", "g.subsystem", "g.grant_type")
        order = ("g.valid_until", Fixed(direction), *what)
    return Leg(
        columns=f"""
            {COLUMNS}, '{direction}', {marked},
            coalesce(p.uscc, ''), coalesce(p.name, ''),
            coalesce(a.uscc, ''), coalesce(a.name, ''), {count_under(question.under)}, {_ENDED}
        """,
        tables="enterprise_grant g",
        names="""
            LEFT JOIN enterprise p ON p.customs_code = g.principal
            LEFT JOIN enterprise a ON a.customs_code = g.agent
        """,
        where=" AND ".join(conditions),
        values=(question.enterprise,) if question.enterprise else (),
        order=order,
        by_key="enterprise_grant g",
        key="g.id",
        spans=spans.within(question.days),
    )


def listed(store: Store, question: Question, spans: Spans = EVERYTHING) -> Keyset[DueRow]:
    """The grants by last day, as far as that is in some spans.

    On one day those that the enterprise received first, by the other end and what is
    granted; of the grants of all, by their numbers.
    """
    if question.enterprise is None:
        return _keyset(store, question, [Direction.THEIRS], spans, _place_of_all)
    return _keyset(store, question, Direction, spans, _place)


def _keyset(
    store: Store,
    question: Question,
    directions: Iterable[Direction],
    spans: Spans,
    place: Callable[[DueRow], Place],
) -> Keyset[DueRow]:
    legs = [_leg(question, direction, spans) for direction in directions]
    return Keyset(store, legs, partial(_row, question.under), place, BOUND_OF_JOINED)


def _place(row: DueRow) -> Place:
    key = row.grant.key
    other = key.principal if row.direction is Direction.OURS else key.agent
    day = row.grant.valid_until.isoformat()
    return day, row.direction, other, key.subsystem, key.grant_type


def _place_of_all(row: DueRow) -> Place:
    return row.grant.valid_until.isoformat(), row.grant.id


def count_each(store: Store, question: Question) -> dict[Direction, Count]:
    """How many there are in each direction."""
    return {
        direction: _keyset(store, question, [direction], EVERYTHING, _place).count()
        for direction in Direction
    }


def _row(bound: int, row: tuple[Any, ...]) -> DueRow:
    grant = from_row(row)
    direction, lapsing, p_uscc, p_name, a_uscc, a_name, under, ended = row[10:]
    return DueRow(
        grant,
        Direction(direction),
        Enterprise(grant.key.principal, p_uscc, p_name),
        Enterprise(grant.key.agent, a_uscc, a_name),
        Count.of(under, bound),
        bool(lapsing),
        _gap(date.fromisoformat(ended), grant.granted_on) if ended else None,
    )


def _gap(ended: date, granted_on: date) -> Gap | None:
    first, last = ended + timedelta(days=1), granted_on - timedelta(days=1)
    return Gap(first, last) if first <= last else None
