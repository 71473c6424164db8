"""Who may work on whose data: the rule of the decision (spec §3) in SQL.

A list is made of legs, each of which goes along one index: those of the grants that an
enterprise has received or made, those of a card that is named, those to all operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import BOUND_OF_JOINED, EVERYTHING, Span, Spans
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS
from eport_tui.store.enterprise_grants import from_row as enterprise_grant_from_row
from eport_tui.store.keyset import Fixed, Keyset, Leg, Place
from eport_tui.store.operator_grants import from_row as operator_grant_from_row


class Direction(StrEnum):
    """Which end of the grant the asking enterprise is."""

    OURS = "ours"
    THEIRS = "theirs"

    @property
    def label(self) -> str:
        """The direction on the screen, as the asking enterprise sees it."""
        return "本企业代理" if self is Direction.OURS else "代理本企业"


_DIRECTIONS = {direction.value: direction for direction in Direction}


class PermissionRow(NamedTuple):
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


_NAMES = """
    LEFT JOIN enterprise p ON p.customs_code = g.principal
    LEFT JOIN enterprise a ON a.customs_code = g.agent
"""
# CROSS JOIN fixes the order: SQLite has no figures to choose a good one by.
_GRANT_FIRST = "enterprise_grant g CROSS JOIN operator_grant o ON o.enterprise_grant_id = g.id"
_BY_KEY = "operator_grant o CROSS JOIN enterprise_grant g ON g.id = o.enterprise_grant_id"
# Grants next, because their index has the days, and has them in the same order.  All is
# compared, so that a row which does not fit the grants shows nothing.
CARD_FIRST = """
    card_right r
    CROSS JOIN enterprise_grant g INDEXED BY enterprise_grant_agent
        ON g.agent = r.agent AND g.principal = r.principal
        AND g.subsystem = r.subsystem AND g.grant_type = r.grant_type
    CROSS JOIN operator_grant o ON o.id = r.operator_grant_id
        AND o.enterprise_grant_id = g.id AND o.card_number = r.card_number
"""
"""What cards were handed, by agent, card, principal, subsystem and grant type."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: rights in force on a day, in one direction.

    Attributes:
        direction: `OURS`: what an agent's operators may do; `THEIRS`: who may act on the
            data of a principal.
        own: Customs code of the agent, or the principal.
        subsystem: In one subsystem; none for all.
        on: The day.
        card_number: Of one card of the agent alone; none for all.
    """

    direction: Direction
    own: str
    subsystem: str | None
    on: date
    card_number: str | None = None

    @property
    def other_end(self) -> str:
        """The column of the other end."""
        return "principal" if self.direction is Direction.OURS else "agent"

    def legs(self, column: str, spans: Spans = EVERYTHING) -> list[Leg]:
        """The rights sorted by `OTHER`, `UNTIL` or `CARD`, as far as that is in some spans."""
        if self.card_number is None:
            by_card = column == CARD
            return [self._of_card(None, column, spans) if by_card else self._leg(column, spans)]
        cards = (self.card_number, ALL_OPERATORS)
        if column != UNTIL:
            return [self._of_card(card, column, spans) for card in cards]
        # Those to all go along the index of the days; those to one card are sorted.
        return [
            self._of_card(self.card_number, column, spans),
            self._leg(column, spans, card=ALL_OPERATORS),
        ]

    @property
    def _own_end(self) -> str:
        return "agent" if self.direction is Direction.OURS else "principal"

    @property
    def _columns(self) -> str:
        return f"""
            o.id, '{self.direction}',
            g.principal, coalesce(p.uscc, ''), coalesce(p.name, ''),
            g.agent, coalesce(a.uscc, ''), coalesce(a.name, ''),
            g.subsystem, g.grant_type, o.card_number,
            CASE WHEN o.granted_on > g.granted_on THEN o.granted_on ELSE g.granted_on END,
            g.valid_until
        """

    def _conditions(
        self, along: str, wanted: dict[str, str], column: str, spans: Spans
    ) -> tuple[str, tuple[str, ...], Spans]:
        """What holds for each row of a leg along a table, its values, and the spans then."""
        day = self.on.isoformat()
        if self.subsystem and column == OTHER:
            wanted[f"{along}.subsystem"] = self.subsystem
        where = [*(f"{name} = ?" for name in wanted), "g.granted_on <= ?"]
        values = (*wanted.values(), day)
        if column != UNTIL:
            where.append("g.valid_until >= ?")
            values = (*values, day)
        else:
            spans = spans.within(Spans.of(Span(low=day)))
        if self.subsystem and column != OTHER:
            # As an equality it would keep SQLite from seeing that the index has the order.
            where.append(f"{along}.subsystem BETWEEN ? AND ?")
            values = (*values, self.subsystem, self.subsystem)
        return " AND ".join(where), values, spans

    def _leg(self, column: str, spans: Spans, *, card: str | None = None) -> Leg:
        """Along the grants of the own end, and the operators under each."""
        wanted = {f"g.{self._own_end}": self.own}
        # The one that has them in the order of the list, so that a page is read without sorting.
        index = f"enterprise_grant_{self._own_end}"
        if card is not None:
            wanted["o.card_number"] = card
        where, values, spans = self._conditions("g", wanted, column, spans)
        ties = ("g.valid_until", "g.granted_on", "g.id")
        if column == UNTIL:
            index += "_due"
            ties = ("g.granted_on", "g.id")
        elif self.subsystem:
            index += "_subsystem"
        return Leg(
            columns=self._columns,
            tables=_GRANT_FIRST.replace(" g ", f" g INDEXED BY {index} ", 1),
            names=_NAMES,
            where=where,
            values=values,
            order=(
                Fixed(self.direction),
                *(["g.valid_until"] if column == UNTIL else []),
                f"g.{self.other_end}",
                *("g.subsystem", "g.grant_type", "o.card_number"),
            ),
            by_key=_BY_KEY,
            key="o.id",
            spans=spans,
            inner=True,
            ties=ties,
        )

    def _of_card(self, card: str | None, column: str, spans: Spans) -> Leg:
        """Along what one card was handed, or all operators; without it all cards."""
        wanted = {f"r.{self._own_end}": self.own}
        if card is not None:
            wanted["r.card_number"] = card
        where, values, spans = self._conditions("r", wanted, column, spans)
        what = [f"r.{self.other_end}", "r.subsystem", "r.grant_type"]
        what.insert(0 if column == CARD else len(what), "r.card_number")
        return Leg(
            columns=self._columns,
            tables=CARD_FIRST,
            names=_NAMES,
            where=where,
            values=values,
            order=(
                Fixed(self.direction),
                *(["g.valid_until"] if column == UNTIL else []),
                *what,
            ),
            by_key=CARD_FIRST,
            key="r.operator_grant_id",
            spans=spans,
        )


OTHER, UNTIL, CARD = "other", "valid_until", "card_number"
"""What the rights can be sorted by: the other end, the last day, or the card."""


def of_operators(agent: str, subsystem: str | None, on: date) -> Question:
    """What an agent's operators may do at principals, in a subsystem or all."""
    return Question(Direction.OURS, agent, subsystem, on)


def who_can(principal: str, subsystem: str | None, on: date) -> Question:
    """The operators who may act on an enterprise's data, in a subsystem or all."""
    return Question(Direction.THEIRS, principal, subsystem, on)


def what_can(card_number: str, agent: str, subsystem: str | None, on: date) -> Question:
    """The enterprises and subsystems that an operator's card of an agent may act for."""
    return Question(Direction.OURS, agent, subsystem, on, card_number)


def listed(
    store: Store, questions: Iterable[Question], column: str = OTHER, spans: Spans = EVERYTHING
) -> Keyset[PermissionRow]:
    """The answers to one question, or to one for each direction, `OURS` first."""
    legs = [leg for question in questions for leg in question.legs(column, spans)]

    def place(row: PermissionRow) -> Place:
        other = row.principal if row.direction is Direction.OURS else row.agent
        day = (row.valid_until.isoformat(),) if column == UNTIL else ()
        what = (other.customs_code, row.subsystem, row.grant_type)
        if column == CARD:
            return (row.direction, row.card_number, *what)
        return (row.direction, *day, *what, row.card_number)

    return Keyset(store, legs, _row, place, BOUND_OF_JOINED)


def _row(row: tuple[Any, ...]) -> PermissionRow:
    return PermissionRow(
        row[0],
        _DIRECTIONS[row[1]],
        Enterprise(row[2], row[3], row[4]),
        Enterprise(row[5], row[6], row[7]),
        row[8],
        row[9],
        row[10],
        date.fromisoformat(row[11]),
        date.fromisoformat(row[12]),
    )


# -- one decision ----------------------------------------------------------------------

# One row for each enterprise grant; what the question says itself is not read.
DECISION = f"""
    SELECT g.id, g.grant_type, g.granted_on, g.valid_until, g.revision, g.changed_at, g.changed_by,
           a.id, a.granted_on, a.changed_by, o.id, o.granted_on, o.changed_by
    FROM enterprise_grant g
    LEFT JOIN operator_grant a ON a.enterprise_grant_id = g.id AND a.card_number = '{ALL_OPERATORS}'
    LEFT JOIN operator_grant o ON o.enterprise_grant_id = g.id AND o.card_number = ?
    WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ?
"""


def decision_rows(
    store: Store, *, principal: str, agent: str, subsystem: str, card_number: str
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """The grants that one decision rests on, all from the same moment.

    Grants of either type and in every state are among them, as they bear on the reason.
    Of the operator grants under each there are those to the card and to all.
    """
    day = date.fromisoformat
    grants: list[EnterpriseGrant] = []
    operators: list[OperatorGrant] = []
    for row in store.rows(DECISION, (card_number, principal, agent, subsystem)):
        number, kind, begun, until, revision, at, by = row[:7]
        to_all, all_on, all_by, to_card, on, card_by = row[7:]
        key = GrantKey(principal, agent, subsystem, kind)
        moment = datetime.fromisoformat(at)
        grants.append(EnterpriseGrant(number, key, day(begun), day(until), revision, moment, by))
        if to_all is not None:
            operators.append(OperatorGrant(to_all, number, ALL_OPERATORS, day(all_on), all_by))
        if to_card is not None:
            operators.append(OperatorGrant(to_card, number, card_number, day(on), card_by))
    return grants, operators


EXPLANATION = f"""
    SELECT {COLUMNS}, o.id, g.id, o.card_number, o.granted_on, o.changed_by
    FROM enterprise_grant g
    LEFT JOIN operator_grant o ON o.enterprise_grant_id = g.id AND o.card_number IN (
        ?, ?, (SELECT max(f.card_number) FROM operator_grant f WHERE f.enterprise_grant_id = g.id)
    )
    WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ?
"""


def explanation_rows(
    store: Store, *, principal: str, agent: str, subsystem: str, card_number: str
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """As `decision_rows`, and under each grant the one to one other card.

    That tells that there is an operator at all, so that a refusal can be explained.
    """
    rows = store.rows(EXPLANATION, (ALL_OPERATORS, card_number, principal, agent, subsystem))
    grants = {row[0]: enterprise_grant_from_row(row) for row in rows}
    operators = [operator_grant_from_row(row[10:]) for row in rows if row[10] is not None]
    return list(grants.values()), operators


def legal_person_of(store: Store, card_number: str) -> str | None:
    """The enterprise for which the registry lists a card as its legal person's, or none."""
    rows = store.rows(
        "SELECT customs_code FROM legal_person_card WHERE card_number = ?", (card_number,)
    )
    return rows[0][0] if rows else None
