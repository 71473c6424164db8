"""Grants between enterprises by their last day: what runs out, and what has run out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from eport_tui.domain.grants import EnterpriseGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS, from_row
from eport_tui.store.permissions import Direction


@dataclass(frozen=True, slots=True)
class Question:
    """Whose grants are asked for, and which last days.

    Attributes:
        enterprise: Customs code of one of the two ends; none for the grants of all.
        until: The latest last day.
        since: The earliest last day.
        lapsing_too: Whether those are listed, too, that are meant to lapse.
    """

    enterprise: str | None
    until: date
    since: date = date.min
    lapsing_too: bool = False

    @property
    def parameters(self) -> tuple[str | int, ...]:
        """The values of the parameters 1 to 4."""
        days = (self.since.isoformat(), self.until.isoformat())
        return (self.enterprise or "", *days, int(self.lapsing_too))


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
        operator_grants: How many operator grants stand under it.
        lapsing: Whether the asking enterprise, or else the principal, has marked it as
            meant to lapse on this last day.
        gap: The interruption before the present period, as the ledger has it.
    """

    grant: EnterpriseGrant
    direction: Direction
    principal: Enterprise
    agent: Enterprise
    operator_grants: int
    lapsing: bool
    gap: Gap | None


def _due(direction: Direction, other: str, where: str, owner: str) -> str:
    # A mark is about one last day, so a later renewal lists the grant again.
    return f"""
        SELECT g.id AS id, '{direction}' AS direction, g.valid_until AS valid_until,
               g.{other} AS other, g.subsystem AS subsystem, g.grant_type AS grant_type,
               EXISTS (
                   SELECT 1 FROM lapse_mark m
                   WHERE m.principal = g.principal AND m.agent = g.agent
                     AND m.subsystem = g.subsystem AND m.grant_type = g.grant_type
                     AND m.owner = {owner} AND m.valid_until = g.valid_until
               ) AS lapsing
        FROM enterprise_grant g
        WHERE {where} g.valid_until BETWEEN ?2 AND ?3
    """


_OF_ONE = f"""
    {_due(Direction.OURS, "principal", "g.agent = ?1 AND", "?1")} UNION ALL
    {_due(Direction.THEIRS, "agent", "g.principal = ?1 AND", "?1")}
"""
_OF_ALL = f"{_due(Direction.THEIRS, 'agent', '', 'g.principal')} AND ?1 = ''"
_ORDER = "valid_until, direction, other, subsystem, grant_type, id"


class _Statements:
    """The statements about one list, whose parameters 1 to 4 are those of a question."""

    def __init__(self, due: str) -> None:
        listed = f"WITH due AS (SELECT * FROM ({due}) d WHERE ?4 = 1 OR NOT lapsing)"
        self.count = f"{listed} SELECT count(*) FROM due"
        self.count_each = f"{listed} SELECT direction, count(*) FROM due GROUP BY direction"
        self.position = f"""
            {listed}
            SELECT (SELECT count(*) FROM due d WHERE ({_ORDER}) < (
                k.valid_until, k.direction, k.other, k.subsystem, k.grant_type, k.id
            ))
            FROM due k WHERE k.id = ?5
        """
        # The latest earlier period ended on its last day, or before that by a deletion.
        self.fetch = f"""
            {listed}, page AS (SELECT * FROM due ORDER BY {_ORDER} LIMIT ?5 OFFSET ?6)
            SELECT {COLUMNS}, q.direction, q.lapsing,
                   coalesce(p.uscc, ''), coalesce(p.name, ''),
                   coalesce(a.uscc, ''), coalesce(a.name, ''),
                   (SELECT count(*) FROM operator_grant o WHERE o.enterprise_grant_id = g.id),
                   (
                       SELECT min(v.valid_until, substr(e.recorded_at, 1, 10))
                       FROM enterprise_grant_version v
                       JOIN ledger_entry e ON e.number = v.until_entry
                       WHERE v.principal = g.principal AND v.agent = g.agent
                         AND v.subsystem = g.subsystem AND v.grant_type = g.grant_type
                         AND v.granted_on < g.granted_on
                       ORDER BY v.from_entry DESC LIMIT 1
                   )
            FROM page q
            JOIN enterprise_grant g ON g.id = q.id
            LEFT JOIN enterprise p ON p.customs_code = g.principal
            LEFT JOIN enterprise a ON a.customs_code = g.agent
            ORDER BY q.valid_until, q.direction, q.other, q.subsystem, q.grant_type, q.id
        """


_ONE, _ALL = _Statements(_OF_ONE), _Statements(_OF_ALL)


def _statements(question: Question) -> _Statements:
    return _ALL if question.enterprise is None else _ONE


def count(store: Store, question: Question) -> int:
    """How many grants there are."""
    return store.rows(_statements(question).count, question.parameters)[0][0]


def count_each(store: Store, question: Question) -> dict[Direction, int]:
    """How many there are in each direction; one that has none is missing."""
    rows = store.rows(_statements(question).count_each, question.parameters)
    return {Direction(direction): number for direction, number in rows}


def fetch(store: Store, question: Question, offset: int, limit: int) -> list[DueRow]:
    """`limit` grants from `offset` on, by last day, direction, other end and what is granted."""
    parameters = (*question.parameters, limit, offset)
    return [_row(row) for row in store.rows(_statements(question).fetch, parameters)]


def position(store: Store, question: Question, grant_id: int) -> int | None:
    """The offset of a grant, or none when it is not in the list."""
    rows = store.rows(_statements(question).position, (*question.parameters, grant_id))
    return rows[0][0] if rows else None


def _row(row: tuple[Any, ...]) -> DueRow:
    grant = from_row(row)
    direction, lapsing, p_uscc, p_name, a_uscc, a_name, operator_grants, ended = row[10:]
    return DueRow(
        grant,
        Direction(direction),
        Enterprise(grant.key.principal, p_uscc, p_name),
        Enterprise(grant.key.agent, a_uscc, a_name),
        operator_grants,
        bool(lapsing),
        _gap(date.fromisoformat(ended), grant.granted_on) if ended else None,
    )


def _gap(ended: date, granted_on: date) -> Gap | None:
    first, last = ended + timedelta(days=1), granted_on - timedelta(days=1)
    return Gap(first, last) if first <= last else None
