"""Grants between enterprises, and the two lists of them."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from eport_tui.domain.grants import EnterpriseGrant, GrantKey
from eport_tui.domain.holders import Enterprise
from eport_tui.store.database import Store

COLUMNS: Final = """
    g.id, g.principal, g.agent, g.subsystem, g.grant_type,
    g.granted_on, g.valid_until, g.revision, g.changed_at, g.changed_by
"""
"""What `from_row` reads, of a table that is called `g`."""


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
        operator_grants: How many operator grants stand under it.
    """

    grant: EnterpriseGrant
    other: Enterprise
    operator_grants: int


class GrantList:
    """The grants of which an enterprise is one end, ordered by the other end."""

    def __init__(self, own: str, other: str) -> None:
        listed = f"""
            SELECT {COLUMNS}, g.{other}, coalesce(e.uscc, ''), coalesce(e.name, ''),
                   (SELECT count(*) FROM operator_grant o WHERE o.enterprise_grant_id = g.id)
            FROM enterprise_grant g
            LEFT JOIN enterprise e ON e.customs_code = g.{other}
        """
        order = f"g.{other}, g.subsystem, g.grant_type"
        self._count = f"SELECT count(*) FROM enterprise_grant g WHERE g.{own} = ?"
        self._fetch = f"{listed} WHERE g.{own} = ? ORDER BY {order} LIMIT ? OFFSET ?"
        self._one = f"{listed} WHERE g.{own} = ? AND g.id = ?"
        self._position = f"""
            SELECT (
                SELECT count(*) FROM enterprise_grant g
                WHERE g.{own} = k.{own}
                  AND ({order}) < (k.{other}, k.subsystem, k.grant_type)
            )
            FROM enterprise_grant k WHERE k.id = ? AND k.{own} = ?
        """
        self._matching = f"""
            SELECT g.id FROM enterprise_grant g
            LEFT JOIN enterprise e ON e.customs_code = g.{other}
            WHERE g.{own} = ?
              AND g.{other} >= ? AND g.{other} < ?
              AND coalesce(e.uscc, '') >= ? AND coalesce(e.uscc, '') < ?
        """
        self._first = f"{self._matching} ORDER BY {order} LIMIT 1"
        self._next = f"""
            {self._matching} AND ({order}) > (
                SELECT k.{other}, k.subsystem, k.grant_type
                FROM enterprise_grant k WHERE k.id = ?
            )
            ORDER BY {order} LIMIT 1
        """

    def count(self, store: Store, enterprise: str) -> int:
        """How many there are."""
        return store.rows(self._count, (enterprise,))[0][0]

    def fetch(self, store: Store, enterprise: str, offset: int, limit: int) -> list[Listed]:
        """`limit` of them, beginning with the one at `offset`."""
        return [_listed(row) for row in store.rows(self._fetch, (enterprise, limit, offset))]

    def get(self, store: Store, enterprise: str, grant_id: int) -> Listed | None:
        """The one with a number."""
        rows = store.rows(self._one, (enterprise, grant_id))
        return _listed(rows[0]) if rows else None

    def position(self, store: Store, enterprise: str, grant_id: int) -> int | None:
        """The offset of a grant, or none when it is not in the list."""
        rows = store.rows(self._position, (grant_id, enterprise))
        return rows[0][0] if rows else None

    def match(
        self, store: Store, enterprise: str, customs_code: str, uscc: str, after: int | None
    ) -> int | None:
        """The first grant after another whose other end has codes that begin so."""
        # No character of a code sorts as high as "~".
        parameters = (enterprise, customs_code, customs_code + "~", uscc, uscc + "~")
        if after is None:
            rows = store.rows(self._first, parameters)
        else:
            rows = store.rows(self._next, (*parameters, after))
        return rows[0][0] if rows else None


MADE = GrantList("principal", "agent")
"""The grants that an enterprise has made, ordered by agent."""

RECEIVED = GrantList("agent", "principal")
"""The grants that an enterprise has received, ordered by principal."""


def _listed(row: tuple[Any, ...]) -> Listed:
    return Listed(from_row(row), Enterprise(*row[10:13]), row[13])
