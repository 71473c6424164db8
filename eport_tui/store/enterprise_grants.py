"""Grants between enterprises, and the two lists of them."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import BOUND, EVERYTHING, Count, Span, Spans
from eport_tui.errors import InvalidInput
from eport_tui.store.database import Store
from eport_tui.store.keyset import Keyset, Leg, Place

COLUMNS: Final = """
    g.id, g.principal, g.agent, g.subsystem, g.grant_type,
    g.granted_on, g.valid_until, g.revision, g.changed_at, g.changed_by
"""
"""What `from_row` reads, of a table that is called `g`."""

UNDER: Final = 1_000
"""As far as the operator grants under a grant are counted for a list."""


def from_row(row: tuple[Any, ...]) -> EnterpriseGrant:
    """A grant from the values of `COLUMNS`."""
    return EnterpriseGrant(
        id=row[0],
        key=GrantKey(*row[1:5]),
        granted_on=date.fromisoformat(row[5]),
        valid_until=date.fromisoformat(row[6]),
        revision=row[7],
        changed_at=datetime.fromisoformat(row[8]),
        changed_by=row[9],
    )


def get(store: Store, grant_id: int) -> EnterpriseGrant | None:
    """The grant with a number."""
    rows = store.rows(f"SELECT {COLUMNS} FROM enterprise_grant g WHERE g.id = ?", (grant_id,))
    return from_row(rows[0]) if rows else None


def find(store: Store, key: GrantKey) -> EnterpriseGrant | None:
    """The grant with a key."""
    rows = store.rows(
        f"""
        SELECT {COLUMNS} FROM enterprise_grant g
        WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ? AND g.grant_type = ?
        """,
        (key.principal, key.agent, key.subsystem, key.grant_type),
    )
    return from_row(rows[0]) if rows else None


def total(store: Store) -> int:
    """How many there are in all."""
    return store.rows("SELECT count(*) FROM enterprise_grant")[0][0]


# -- lists ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A grant in a list.

    Attributes:
        grant: The grant.
        other: The enterprise at its other end; without USCC and name when it is
            not in the registry.
        operator_grants: How many operator grants stand under it, counted up to `UNDER`.
        to_all: Whether it is handed to all operators, by the one operator grant under it.
    """

    grant: EnterpriseGrant
    other: Enterprise
    operator_grants: Count
    to_all: bool


FEW = 1_000
"""As many as a search sorts: enterprises with such an USCC, or grants of such codes."""

CANDIDATES = "SELECT 1 FROM enterprise e WHERE e.uscc >= ? AND e.uscc < ? LIMIT ?"


def count_under(bound: int = UNDER) -> str:
    """What counts the operator grants under `g`, for `Count.of` with the same bound."""
    return f"""
        (SELECT count(*) FROM (
            SELECT 1 FROM operator_grant o WHERE o.enterprise_grant_id = g.id LIMIT {bound + 1}
        ) u)
    """


_TO_ALL = -1
"""Stands for the count where the one operator grant is to all operators."""

_STEP = 100


class GrantList:
    """The grants of which an enterprise is one end."""

    def __init__(self, own: str, other: str) -> None:
        self._own, self._other = own, other
        # The same columns as an index has behind the own end.
        self._orders = {
            other: (f"g.{other}", "g.subsystem", "g.grant_type"),
            "valid_until": ("g.valid_until", f"g.{other}", "g.subsystem", "g.grant_type"),
            "subsystem": ("g.subsystem", f"g.{other}", "g.grant_type"),
        }
        self._named = f"""
            SELECT g.id FROM enterprise e
            CROSS JOIN enterprise_grant g ON g.{own} = ? AND g.{other} = e.customs_code
            WHERE e.uscc >= ? AND e.uscc < ? AND g.{other} >= ? AND g.{other} < ?
        """
        coded = f"enterprise_grant g WHERE g.{own} = ? AND g.{other} >= ? AND g.{other} < ? LIMIT ?"
        self._candidates = f"SELECT 1 FROM {coded}"
        # The bound keeps the few from being looked for along the index of the order.
        self._coded = f"SELECT g.id FROM (SELECT * FROM {coded}) g WHERE 1 = 1"

    def place(self, grant: EnterpriseGrant, column: str) -> Place:
        """Where a grant stands in the order by a column."""
        key = grant.key
        other = getattr(key, self._other)
        if column == "valid_until":
            return grant.valid_until.isoformat(), other, key.subsystem, key.grant_type
        if column == "subsystem":
            return key.subsystem, other, key.grant_type
        return other, key.subsystem, key.grant_type

    def leg(self, enterprise: str, column: str, spans: Spans = EVERYTHING) -> Leg:
        """The list sorted by a column, as far as that column is in some spans."""
        return Leg(
            columns=f"""
                {COLUMNS}, g.{self._other}, coalesce(e.uscc, ''), coalesce(e.name, ''),
                coalesce(
                    (SELECT {_TO_ALL} FROM operator_grant o
                     WHERE o.enterprise_grant_id = g.id AND o.card_number = '{ALL_OPERATORS}'),
                    {count_under()}
                )
            """,
            tables="enterprise_grant g",
            names=f"LEFT JOIN enterprise e ON e.customs_code = g.{self._other}",
            where=f"g.{self._own} = ?",
            values=(enterprise,),
            order=self._orders[column],
            by_key="enterprise_grant g",
            key="g.id",
            spans=spans,
        )

    def sorted_by(
        self, store: Store, enterprise: str, column: str, spans: Spans = EVERYTHING
    ) -> Keyset[Listed]:
        """The list sorted by a column, as far as that column is in some spans."""
        leg = self.leg(enterprise, column, spans)
        return Keyset(store, [leg], listed, lambda item: self.place(item.grant, column))

    def get(self, store: Store, enterprise: str, grant_id: int) -> Listed | None:
        """The one with a number."""
        return self.sorted_by(store, enterprise, self._other).at(grant_id)

    def match(
        self,
        store: Store,
        enterprise: str,
        customs_code: str,
        uscc: str,
        after: int | None,
        *,
        column: str,
        spans: Spans = EVERYTHING,
    ) -> int | None:
        """The first grant after another whose other end has codes that begin so.

        Args:
            column: What the list is sorted by.
            spans: The values of that column that are looked among.

        Raises:
            InvalidInput: Too much would have to be looked through, and none was among the first
                `BOUND` grants.
        """
        codes, credit = Span.beginning(customs_code), Span.beginning(uscc)
        if column == self._other:
            spans = spans.within(Spans.of(codes))
        if not spans:
            return None
        rows = self.sorted_by(store, enterprise, column, spans)
        last = None if after is None else self.get(store, enterprise, after)
        if not uscc and column == self._other:
            found = rows.after(last, 1)
            return found[0].grant.id if found else None
        coded = (enterprise, codes.low, codes.high)
        if uscc:
            candidates, sql = (CANDIDATES, (credit.low, credit.high)), self._named
            values = (enterprise, credit.low, credit.high, codes.low, codes.high)
        else:
            candidates, sql, values = (self._candidates, coded), self._coded, (*coded, FEW)
        if len(store.rows(candidates[0], (*candidates[1], FEW + 1))) <= FEW:
            return self._match_few(store, sql, values, last, column, spans)
        for _ in range(BOUND // _STEP):
            page = rows.after(last, _STEP)
            for last in page:
                if getattr(last.grant.key, self._other) in codes and last.other.uscc in credit:
                    return last.grant.id
            if len(page) < _STEP:
                return None
        raise InvalidInput(
            f"符合的企业太多，查了{BOUND}条授权还没有查到",
            field="uscc" if uscc else "customs_code",
            hint="请多输入几位，或同时输入授权企业编号" if uscc else "请多输入几位",
        )

    def _match_few(
        self,
        store: Store,
        sql: str,
        values: Place,
        after: Listed | None,
        column: str,
        spans: Spans,
    ) -> int | None:
        """Sort what matches, which is little, and take the first after another."""
        order = self._orders[column]
        if spans != EVERYTHING:
            inside = " OR ".join(f"{order[0]} >= ? AND {order[0]} < ?" for _ in spans)
            sql += f" AND ({inside})"
            values = (*values, *(bound for span in spans for bound in span))
        if after is not None:
            sql += f" AND ({', '.join(order)}) > ({', '.join('?' * len(order))})"
            values = (*values, *self.place(after.grant, column))
        rows = store.rows(f"{sql} ORDER BY {', '.join(order)} LIMIT 1", values)
        return rows[0][0] if rows else None


MADE = GrantList("principal", "agent")
"""The grants that an enterprise has made."""

RECEIVED = GrantList("agent", "principal")
"""The grants that an enterprise has received."""


def listed(row: tuple[Any, ...]) -> Listed:
    """A line of a list, from what its leg selects."""
    to_all = row[13] == _TO_ALL
    count = Count(1) if to_all else Count.of(row[13], UNDER)
    return Listed(from_row(row), Enterprise(*row[10:13]), count, to_all)
