"""What an agent handed on to one card, as it bears on putting another in its place."""

from __future__ import annotations

from dataclasses import dataclass

from eport_tui.domain.grants import EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.operations import Kind
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS
from eport_tui.store.enterprise_grants import from_row as enterprise_grant_from_row
from eport_tui.store.ledger import is_signed_as
from eport_tui.store.operator_grants import from_row as operator_grant_from_row
from eport_tui.store.permissions import CARD_FIRST


@dataclass(frozen=True, slots=True)
class Held:
    """An operator grant of a card.

    Attributes:
        grant: The enterprise grant it stands under, in whatever state.
        principal: Who granted that; USCC and name are empty when not in the registry.
        operator_grant: The operator grant.
        new_card_has_it: Whether the other card has one under the same enterprise grant.
    """

    grant: EnterpriseGrant
    principal: Enterprise
    operator_grant: OperatorGrant
    new_card_has_it: bool


def held(store: Store, agent: str, old_card: str, new_card: str) -> list[Held]:
    """What an agent handed on to the old card, by principal, subsystem and type."""
    rows = store.rows(
        f"""
        SELECT {COLUMNS}, o.id, g.id, o.card_number, o.granted_on, o.changed_by,
               g.principal, coalesce(e.uscc, ''), coalesce(e.name, ''),
               EXISTS (
                   SELECT 1 FROM operator_grant n
                   WHERE n.enterprise_grant_id = g.id AND n.card_number = ?
               )
        FROM {CARD_FIRST}
        LEFT JOIN enterprise e ON e.customs_code = g.principal
        WHERE r.card_number = ? AND r.agent = ?
        ORDER BY r.principal, r.subsystem, r.grant_type
        """,
        (new_card, old_card, agent),
    )
    return [
        Held(
            enterprise_grant_from_row(row),
            Enterprise(*row[15:18]),
            operator_grant_from_row(row[10:15]),
            bool(row[18]),
        )
        for row in rows
    ]


def replacements_since(store: Store, key: GrantKey, entry: int) -> list[int]:
    """The entries, oldest first, that replaced cards whose grants with a key went in an entry."""
    rows = store.rows(
        f"""
        SELECT e.number FROM ledger_entry e
        WHERE e.number IN (
            SELECT w.until_entry FROM operator_grant_version v
            CROSS JOIN operator_grant_version w
                ON w.card_number = v.card_number AND w.agent = v.agent
            WHERE v.principal = ?1 AND v.agent = ?2 AND v.subsystem = ?3 AND v.grant_type = ?4
              AND v.until_entry = ?5 AND w.until_entry > ?5
        ) AND {is_signed_as(Kind.REPLACE_CARD)}
        ORDER BY e.number
        """,
        (*key, entry),
    )
    return [number for (number,) in rows]


def was_handed_on_after(store: Store, agent: str, card_number: str, entry: int) -> bool:
    """Whether an agent handed anything on to a card after an entry."""
    return bool(
        store.rows(
            """
            SELECT 1 FROM operator_grant_version
            WHERE card_number = ? AND agent = ? AND from_entry > ? LIMIT 1
            """,
            (card_number, agent, entry),
        )
    )
