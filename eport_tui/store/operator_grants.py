"""Grants to operators' cards, each under a grant between enterprises."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import date
from typing import Any

from eport_tui.domain.grants import GrantKey, OperatorGrant
from eport_tui.domain.lists import EVERYTHING, Spans
from eport_tui.store.database import Store
from eport_tui.store.keyset import Leg

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


def standing(store: Store, enterprise_grant_id: int) -> tuple[int, int]:
    """How many stand under an enterprise grant, and the number of the newest, or 0.

    As numbers are never used twice, the two stay the same only while the grants do.
    """
    return store.rows(
        "SELECT count(*), coalesce(max(id), 0) FROM operator_grant WHERE enterprise_grant_id = ?",
        (enterprise_grant_id,),
    )[0]  # type: ignore[return-value]


def all_under(store: Store, enterprise_grant_id: int) -> list[OperatorGrant]:
    """All of those under an enterprise grant, by card number."""
    rows = store.rows(
        f"""
        SELECT {_COLUMNS} FROM operator_grant WHERE enterprise_grant_id = ?
        ORDER BY card_number
        """,
        (enterprise_grant_id,),
    )
    return [from_row(row) for row in rows]


def cards_under(store: Store, key: GrantKey, card_number: str | None = None) -> set[str]:
    """The card numbers of those under an enterprise grant, or of the one to a card."""
    cards = () if card_number is None else (card_number,)
    narrowed = "AND card_number = ?" if cards else ""
    rows = store.rows(
        f"""
        SELECT card_number FROM operator_grant
        WHERE enterprise_grant_id = (
            SELECT id FROM enterprise_grant
            WHERE principal = ? AND agent = ? AND subsystem = ? AND grant_type = ?
        ) {narrowed}
        """,
        (*key, *cards),
    )
    return {card for (card,) in rows}


def under(enterprise_grant_id: int, spans: Spans = EVERYTHING) -> Leg:
    """Those under an enterprise grant, by card number, as far as that is in some spans."""
    return Leg(
        columns=_COLUMNS,
        tables="operator_grant",
        names="",
        where="enterprise_grant_id = ?",
        values=(enterprise_grant_id,),
        order=("card_number",),
        by_key="operator_grant",
        key="id",
        spans=spans,
    )


def total(store: Store) -> int:
    """How many there are in all."""
    return store.rows("SELECT count(*) FROM operator_grant")[0][0]
