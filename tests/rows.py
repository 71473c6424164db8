"""Grants put into the tables past the program, as another program would."""

from __future__ import annotations

from datetime import date

from eport_tui.domain.dates import now
from eport_tui.domain.grants import GrantKey
from eport_tui.store.database import Store

CARD = "8900000000011"


def insert_grant(store: Store, key: GrantKey, granted_on: date, valid_until: date) -> int:
    """An enterprise grant, inside a transaction; returns its number."""
    return store.rows(
        """
        INSERT INTO enterprise_grant (principal, agent, subsystem, grant_type,
            granted_on, valid_until, changed_at, changed_by)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
        """,
        (
            key.principal,
            key.agent,
            key.subsystem,
            key.grant_type,
            granted_on.isoformat(),
            valid_until.isoformat(),
            now().isoformat(timespec="seconds"),
            CARD,
        ),
    )[0][0]


def insert_operator_grant(store: Store, grant_id: int, card_number: str, granted_on: date) -> int:
    """An operator grant, inside a transaction; returns its number."""
    return store.rows(
        """
        INSERT INTO operator_grant
            (enterprise_grant_id, card_number, granted_on, changed_at, changed_by)
        VALUES (?, ?, ?, ?, ?) RETURNING id
        """,
        (
            grant_id,
            card_number,
            granted_on.isoformat(),
            now().isoformat(timespec="seconds"),
            CARD,
        ),
    )[0][0]
