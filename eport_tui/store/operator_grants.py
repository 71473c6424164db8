"""Grants to operators' cards, each under a grant between enterprises."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from eport_tui.domain.grants import ALL_OPERATORS, OperatorGrant
from eport_tui.store.database import Store
from eport_tui.store.models import OperatorGrant as Grants

_COLUMNS = "id, enterprise_grant_id, card_number, granted_on, changed_by"


def from_row(row: tuple[Any, ...]) -> OperatorGrant:
    """A grant from its number, enterprise grant, card number, day and the changing card."""
    return OperatorGrant(row[0], row[1], row[2], date.fromisoformat(row[3]), row[4])


def get(store: Store, operator_grant_id: int) -> OperatorGrant | None:
    """The grant with a number."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM operator_grant WHERE id = ?", (operator_grant_id,))
    return from_row(rows[0]) if rows else None


def find(store: Store, enterprise_grant_id: int, card_number: str) -> OperatorGrant | None:
    """The grant to a card, or to `ALL_OPERATORS`, under an enterprise grant."""
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM operator_grant WHERE enterprise_grant_id = ? AND card_number = ?",
        (enterprise_grant_id, card_number),
    )
    return from_row(rows[0]) if rows else None


def count(store: Store, enterprise_grant_id: int) -> int:
    """How many stand under an enterprise grant."""
    return store.rows(
        "SELECT count(*) FROM operator_grant WHERE enterprise_grant_id = ?", (enterprise_grant_id,)
    )[0][0]


def fetch(store: Store, enterprise_grant_id: int, offset: int, limit: int) -> list[OperatorGrant]:
    """`limit` of those under an enterprise grant, by card number, from `offset` on."""
    rows = store.rows(
        f"""
        SELECT {_COLUMNS} FROM operator_grant WHERE enterprise_grant_id = ?
        ORDER BY card_number LIMIT ? OFFSET ?
        """,
        (enterprise_grant_id, limit, offset),
    )
    return [from_row(row) for row in rows]


def position(store: Store, enterprise_grant_id: int, operator_grant_id: int) -> int | None:
    """The offset of a grant among those under an enterprise grant, or none."""
    rows = store.rows(
        """
        SELECT (
            SELECT count(*) FROM operator_grant o
            WHERE o.enterprise_grant_id = k.enterprise_grant_id AND o.card_number < k.card_number
        )
        FROM operator_grant k WHERE k.id = ? AND k.enterprise_grant_id = ?
        """,
        (operator_grant_id, enterprise_grant_id),
    )
    return rows[0][0] if rows else None


def total(store: Store) -> int:
    """How many there are in all."""
    return store.rows("SELECT count(*) FROM operator_grant")[0][0]


def insert(
    store: Store,
    enterprise_grant_id: int,
    card_number: str,
    *,
    granted_on: date,
    changed_at: datetime,
    changed_by: str,
) -> int:
    """Add a grant; returns its number."""
    return store.write(
        Grants.insert(
            enterprise_grant=enterprise_grant_id,
            card_number=card_number,
            granted_on=granted_on,
            changed_at=changed_at,
            changed_by=changed_by,
        )
    )


def delete(store: Store, operator_grant_id: int) -> None:
    """Remove a grant."""
    store.write(Grants.delete().where(Grants.id == operator_grant_id))


def delete_single_cards(store: Store, enterprise_grant_id: int) -> int:
    """Remove the grants to single cards under an enterprise grant; returns how many."""
    return store.write(
        Grants.delete().where(
            (Grants.enterprise_grant == enterprise_grant_id) & (Grants.card_number != ALL_OPERATORS)
        )
    )
