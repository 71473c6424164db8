"""Who may work on whose data: the rule of the decision (spec §3) in SQL.

A list is made of legs, each of which goes along one index: those of the grants that an
enterprise has received or made, those of a card that is named, those to all operators.
"""

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
class Leg:
    """One way to rights, along one index.

    Attributes:
        sql: A SELECT of the columns that the lists show.
        parameters: Its values.
    """

    sql: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: rights in force on a day, in one direction, by one leg or several."""

    legs: tuple[Leg, ...]

    @property
    def sql(self) -> str:
        """The rights as a table `permission`."""
        return f"WITH permission AS ({' UNION ALL '.join(leg.sql for leg in self.legs)})"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values of `sql`."""
        return tuple(value for leg in self.legs for value in leg.parameters)


def _leg(
    direction: Direction, joined: str, ends: dict[str, str], subsystem: str | None, on: date
) -> Leg:
    wanted = {**ends, **({"g.subsystem": subsystem} if subsystem else {})}
    sql = f"""
        SELECT '{direction}' AS direction, g.principal AS principal, g.agent AS agent,
               g.subsystem AS subsystem, g.grant_type AS grant_type,
               g.id AS grant_id, o.card_number AS card_number, o.id AS id,
               CASE WHEN o.granted_on > g.granted_on THEN o.granted_on ELSE g.granted_on END
                   AS granted_on,
               g.valid_until AS valid_until
        FROM {joined}
        WHERE {" AND ".join(f"{column} = ?" for column in wanted)}
          AND g.granted_on <= ? AND g.valid_until >= ?
    """
    day = on.isoformat()
    return Leg(sql, (*wanted.values(), day, day))


# CROSS JOIN fixes the order: SQLite has no figures to choose a good one by.
_FROM_MADE = "enterprise_grant g CROSS JOIN operator_grant o ON o.enterprise_grant_id = g.id"
# An agent may have received thousands of grants: this index has them in the order of the list,
# so that a page is read without sorting them all.
_FROM_RECEIVED = _FROM_MADE.replace(" g ", " g INDEXED BY enterprise_grant_agent ", 1)
_FROM_CARD = "operator_grant o CROSS JOIN enterprise_grant g ON g.id = o.enterprise_grant_id"


def of_operators(agent: str, subsystem: str | None, on: date) -> Question:
    """What an agent's operators may do at principals, in a subsystem or all."""
    return Question((_leg(Direction.OURS, _FROM_RECEIVED, {"g.agent": agent}, subsystem, on),))


def who_can(principal: str, subsystem: str | None, on: date) -> Question:
    """The operators who may act on an enterprise's data, in a subsystem or all."""
    return Question(
        (_leg(Direction.THEIRS, _FROM_MADE, {"g.principal": principal}, subsystem, on),)
    )


def what_can(card_number: str, agent: str, subsystem: str | None, on: date) -> Question:
    """The enterprises and subsystems that an operator's card of an agent may act for."""
    named = {"o.card_number": card_number, "g.agent": agent}
    to_all = {"g.agent": agent, "o.card_number": ALL_OPERATORS}
    return Question(
        (
            _leg(Direction.OURS, _FROM_CARD, named, subsystem, on),
            _leg(Direction.OURS, _FROM_RECEIVED, to_all, subsystem, on),
        )
    )


# The number of the grant changes nothing, but lets SQLite see that the index has this order.
_ORDER = "principal, agent, subsystem, grant_type, grant_id, card_number"

COUNT = "SELECT count(*) FROM permission"

FETCH = f"""
    , page AS (SELECT * FROM permission ORDER BY {_ORDER} LIMIT ? OFFSET ?)
    SELECT q.id, q.direction,
           q.principal, coalesce(p.uscc, ''), coalesce(p.name, ''),
           q.agent, coalesce(a.uscc, ''), coalesce(a.name, ''),
           q.subsystem, q.grant_type, q.card_number, q.granted_on, q.valid_until
    FROM page q
    LEFT JOIN enterprise p ON p.customs_code = q.principal
    LEFT JOIN enterprise a ON a.customs_code = q.agent
    ORDER BY {_ORDER}
"""

POSITION = f"""
    SELECT (SELECT count(*) FROM permission q WHERE ({_ORDER}) < (
        k.principal, k.agent, k.subsystem, k.grant_type, k.grant_id, k.card_number
    ))
    FROM permission k WHERE k.id = ?
"""


def count(store: Store, question: Question) -> int:
    """How many rights there are."""
    return store.rows(f"{question.sql} {COUNT}", question.parameters)[0][0]


def fetch(store: Store, question: Question, offset: int, limit: int) -> list[PermissionRow]:
    """`limit` rights from `offset` on, by the enterprise at the other end."""
    rows = store.rows(f"{question.sql} {FETCH}", (*question.parameters, limit, offset))
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
        for row in rows
    ]


def position(store: Store, question: Question, operator_grant_id: int) -> int | None:
    """The offset of the right that an operator grant gives, or none."""
    rows = store.rows(f"{question.sql} {POSITION}", (*question.parameters, operator_grant_id))
    return rows[0][0] if rows else None


# -- one decision ----------------------------------------------------------------------

DECISION = f"""
    SELECT {COLUMNS}, o.id, g.id, o.card_number, o.granted_on, o.changed_by
    FROM enterprise_grant g
    LEFT JOIN operator_grant o ON o.enterprise_grant_id = g.id AND o.card_number IN (
        ?, ?, (SELECT max(f.card_number) FROM operator_grant f WHERE f.enterprise_grant_id = g.id)
    )
    WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ?
"""


def decision_rows(
    store: Store, *, principal: str, agent: str, subsystem: str, card_number: str
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """The grants that can bear on one decision, all from the same moment.

    Grants of either type and in every state are among them, so that a refusal can be
    explained.  Of the operator grants under each, those to the card and to all, and that
    to one other card, which tells that there is an operator at all.
    """
    rows = store.rows(DECISION, (ALL_OPERATORS, card_number, principal, agent, subsystem))
    grants = {row[0]: enterprise_grant_from_row(row) for row in rows}
    operators = [operator_grant_from_row(row[10:]) for row in rows if row[10] is not None]
    return list(grants.values()), operators


def legal_person_of(store: Store, card_number: str) -> str | None:
    """The enterprise for which the registry lists a card as its legal person's, or none."""
    rows = store.rows(
        "SELECT customs_code FROM legal_person_card WHERE card_number = ?", (card_number,)
    )
    return rows[0][0] if rows else None
