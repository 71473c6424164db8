"""Who may work on whose data: the rule of the decision (spec §3) in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, OperatorGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS
from eport_tui.store.enterprise_grants import from_row as enterprise_grant_from_row
from eport_tui.store.operator_grants import from_row as operator_grant_from_row


class Direction(StrEnum):
    """Which end of the grant the asking enterprise is."""

    # The lists have ours first, because the words sort so.
    OURS = "ours"
    THEIRS = "theirs"

    @property
    def label(self) -> str:
        """The direction on the screen, as the asking enterprise sees it."""
        return "本企业代理" if self is Direction.OURS else "代理本企业"


@dataclass(frozen=True, slots=True)
class PermissionRow:
    """What one card, or all operators of the agent, may do.

    Attributes:
        operator_grant_id: Number of the operator grant; the key of the row.
        direction: `OURS`: our operators at a principal; `THEIRS`: an agent's at us.
        principal: Whose data it is; USCC and name are empty when not in the registry.
        agent: Whose operators they are.
        subsystem: Code of the 授权子系统.
        grant_type: Code of the 授权类型.
        card_number: IC卡号, or `ALL_OPERATORS`.
        granted_on: The day of the operator grant, or of the enterprise grant where
            that was granted again since.
        valid_until: The last day of the enterprise grant.
    """

    operator_grant_id: int
    direction: Direction
    principal: Enterprise
    agent: Enterprise
    subsystem: str
    grant_type: str
    card_number: str
    granted_on: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: the rights at an enterprise, in a subsystem or all, on a day."""

    enterprise: str
    subsystem: str | None
    on: date

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values of `_IN_FORCE`, once for each direction."""
        day = self.on.isoformat()
        return (self.enterprise, day, day, self.subsystem or "") * 2


def _in_force(direction: Direction, own: str) -> str:
    return f"""
        SELECT '{direction}' AS direction, g.principal AS principal, g.agent AS agent,
               g.subsystem AS subsystem, g.grant_type AS grant_type,
               o.card_number AS card_number, o.id AS id,
               CASE WHEN o.granted_on > g.granted_on THEN o.granted_on ELSE g.granted_on END
                   AS granted_on,
               g.valid_until AS valid_until
        FROM enterprise_grant g
        JOIN operator_grant o ON o.enterprise_grant_id = g.id
        WHERE g.{own} = ? AND g.granted_on <= ? AND g.valid_until >= ?
          AND ? IN ('', g.subsystem)
    """


_IN_FORCE = f"""
    WITH permission AS (
        {_in_force(Direction.OURS, "agent")} UNION ALL {_in_force(Direction.THEIRS, "principal")}
    )
"""
_ORDER = "direction, principal, agent, subsystem, grant_type, card_number"

_COUNT = f"{_IN_FORCE} SELECT count(*) FROM permission"

_FETCH = f"""
    {_IN_FORCE}, page AS (SELECT * FROM permission ORDER BY {_ORDER} LIMIT ? OFFSET ?)
    SELECT q.id, q.direction,
           q.principal, coalesce(p.uscc, ''), coalesce(p.name, ''),
           q.agent, coalesce(a.uscc, ''), coalesce(a.name, ''),
           q.subsystem, q.grant_type, q.card_number, q.granted_on, q.valid_until
    FROM page q
    LEFT JOIN enterprise p ON p.customs_code = q.principal
    LEFT JOIN enterprise a ON a.customs_code = q.agent
    ORDER BY {_ORDER}
"""

_POSITION = f"""
    {_IN_FORCE}
    SELECT (SELECT count(*) FROM permission q WHERE ({_ORDER}) < (
        k.direction, k.principal, k.agent, k.subsystem, k.grant_type, k.card_number
    ))
    FROM permission k WHERE k.id = ?
"""


def count(store: Store, question: Question) -> int:
    """How many rights there are."""
    return store.rows(_COUNT, question.parameters)[0][0]


def fetch(store: Store, question: Question, offset: int, limit: int) -> list[PermissionRow]:
    """`limit` rights from `offset` on: ours first, by the enterprise at the other end."""
    return [
        PermissionRow(
            operator_grant_id=row[0],
            direction=Direction(row[1]),
            principal=Enterprise(*row[2:5]),
            agent=Enterprise(*row[5:8]),
            subsystem=row[8],
            grant_type=row[9],
            card_number=row[10],
            granted_on=date.fromisoformat(row[11]),
            valid_until=date.fromisoformat(row[12]),
        )
        for row in store.rows(_FETCH, (*question.parameters, limit, offset))
    ]


def position(store: Store, question: Question, operator_grant_id: int) -> int | None:
    """The offset of the right that an operator grant gives, or none."""
    rows = store.rows(_POSITION, (*question.parameters, operator_grant_id))
    return rows[0][0] if rows else None


def decision_rows(
    store: Store, *, principal: str, agent: str, subsystem: str, card_number: str
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """The grants that can bear on one decision, all from the same moment.

    Grants of either type and in every state are among them, so that a refusal
    can be explained; of the operator grants those to the card and to all.
    """
    rows = store.rows(
        f"""
        SELECT {COLUMNS}, o.id, g.id, o.card_number, o.granted_on, o.changed_by
        FROM enterprise_grant g
        LEFT JOIN operator_grant o
            ON o.enterprise_grant_id = g.id AND o.card_number IN (?, ?)
        WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ?
        """,
        (ALL_OPERATORS, card_number, principal, agent, subsystem),
    )
    grants = {row[0]: enterprise_grant_from_row(row) for row in rows}
    operators = [operator_grant_from_row(row[10:]) for row in rows if row[10] is not None]
    return list(grants.values()), operators
