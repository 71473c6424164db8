"""Grants to operators' cards, each under a grant between enterprises."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import date
from typing import Any

from eport_tui.domain.grants import OperatorGrant
from eport_tui.store.database import Store

_COLUMNS = "id, enterprise_grant_id, card_number, granted_on, changed_by"
_NO_LIMIT = 1 << 62


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


def standing(store: Store, enterprise_grant_id: int) -> tuple[int, int]:
    """How many stand under an enterprise grant, and the number of the newest, or 0.

    As numbers are never used twice, the two stay the same only while the grants do.
    """
    return store.rows(
        "SELECT count(*), coalesce(max(id), 0) FROM operator_grant WHERE enterprise_grant_id = ?",
        (enterprise_grant_id,),
    )[0]  # type: ignore[return-value]


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


def all_under(store: Store, enterprise_grant_id: int) -> list[OperatorGrant]:
    """All of those under an enterprise grant, by card number."""
    return fetch(store, enterprise_grant_id, 0, _NO_LIMIT)


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
