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
from eport_tui.domain.operations import Kind, LapseMark
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS, UNDER, count_under, from_row
from eport_tui.store.keyset import Fixed, Keyset, Leg, Place
from eport_tui.store.ledger import is_signed_as
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
        return Spans.of(Span.of_days(self.since, self.until))


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
            meant to lapse on this last day, since it was granted.
        gap: The latest interruption of the present period, by a deletion that was taken
            back, or that before it, as the ledger has it.
    """

    grant: EnterpriseGrant
    direction: Direction
    principal: Enterprise
    agent: Enterprise
    operator_grants: Count
    lapsing: bool
    gap: Gap | None


# The operations, each of which may be about thousands of grants, are rarely read: most grants were
# made on a day before their mark, and what was made anew begins with its first revision once more.
_GRANTED_ANEW = f"""
    CASE WHEN g.granted_on < substr(m.changed_at, 1, 10)
        AND NOT EXISTS (SELECT 1 FROM ledger_clock_reset WHERE after_entry > 0)
    THEN FALSE
    WHEN NOT EXISTS (
        SELECT 1 FROM enterprise_grant_version n
        WHERE n.principal = m.principal AND n.agent = m.agent
          AND n.subsystem = m.subsystem AND n.grant_type = m.grant_type
          AND n.revision = 1 AND n.from_entry > (
              SELECT min(s.entry) FROM ledger_subject s
              WHERE s.principal = m.principal AND s.agent = m.agent
                AND s.subsystem = m.subsystem AND s.grant_type = m.grant_type
          )
    )
    THEN FALSE ELSE coalesce(
        (
            SELECT {is_signed_as(Kind.GRANT)} FROM ledger_subject s
            CROSS JOIN ledger_entry e ON e.number = s.entry
            WHERE s.principal = m.principal AND s.agent = m.agent
              AND s.subsystem = m.subsystem AND s.grant_type = m.grant_type
              AND ({is_signed_as(Kind.GRANT)} OR {is_signed_as(Kind.LAPSE, "m.owner")})
            ORDER BY s.entry DESC LIMIT 1
        ),
        FALSE
    ) END
"""
"""Whether a mark is about a grant that was deleted, and that was granted again since.

The mark is its owner's, so the other end cannot take it away with the grant.
"""

_MARKED = f"""
    EXISTS (
        SELECT 1 FROM lapse_mark m
        WHERE m.principal = g.principal AND m.agent = g.agent
          AND m.subsystem = g.subsystem AND m.grant_type = g.grant_type
          AND m.owner = g.{{own}} AND m.valid_until = g.valid_until AND NOT {_GRANTED_ANEW}
    )
"""
"""Whether an end lets the grant lapse; as it is about one last day, not after a renewal."""

# A version ends with its last day, or before that with the entry that changed or deleted it.
_ENDED = "min(p.valid_until, substr(u.recorded_at, 1, 10))"
_BEGAN = "max(v.granted_on, substr(f.recorded_at, 1, 10))"

# On a past day there are versions that are newer than the grant was then.
_INTERRUPTED = f"""
    (
        SELECT {_ENDED} || {_BEGAN}
        FROM enterprise_grant_version v
        CROSS JOIN ledger_entry f ON f.number = v.from_entry
        CROSS JOIN enterprise_grant_version p ON p.id = (
            SELECT o.id FROM enterprise_grant_version o
            WHERE o.principal = g.principal AND o.agent = g.agent
              AND o.subsystem = g.subsystem AND o.grant_type = g.grant_type
              AND o.from_entry < v.from_entry
            ORDER BY o.from_entry DESC LIMIT 1
        )
        CROSS JOIN ledger_entry u ON u.number = p.until_entry
        WHERE v.principal = g.principal AND v.agent = g.agent
          AND v.subsystem = g.subsystem AND v.grant_type = g.grant_type
          AND v.granted_on = g.granted_on AND f.recorded_at <= g.changed_at
          AND {_BEGAN} > date({_ENDED}, '+1 day')
        ORDER BY v.from_entry DESC LIMIT 1
    )
"""
"""When the latest interruption of the present period, or that before it, began and ended."""


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
            coalesce(a.uscc, ''), coalesce(a.name, ''),
            {count_under(question.under)}, {_INTERRUPTED}
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
    direction, lapsing, p_uscc, p_name, a_uscc, a_name, under, interrupted = row[10:]
    return DueRow(
        grant,
        Direction(direction),
        Enterprise(grant.key.principal, p_uscc, p_name),
        Enterprise(grant.key.agent, a_uscc, a_name),
        Count.of(under, bound),
        bool(lapsing),
        _gap(interrupted) if interrupted else None,
    )


def _gap(interrupted: str) -> Gap:
    ended, began = map(date.fromisoformat, (interrupted[:10], interrupted[10:]))
    return Gap(ended + timedelta(days=1), began - timedelta(days=1))


def is_granted_anew(store: Store, mark: LapseMark) -> bool:
    """Whether the grant that a stored mark is about was deleted, and granted again since."""
    sql = f"""
        SELECT 1 FROM lapse_mark m JOIN enterprise_grant g
            ON g.principal = m.principal AND g.agent = m.agent
            AND g.subsystem = m.subsystem AND g.grant_type = m.grant_type
        WHERE m.principal = ? AND m.agent = ? AND m.subsystem = ? AND m.grant_type = ?
          AND m.owner = ? AND {_GRANTED_ANEW}
    """
    return bool(store.rows(sql, (*mark.key, mark.owner)))
