"""The registry's list of legal-person cards, and finding enterprises by organization code."""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 2
NAME = "legal_person_cards"

_STATEMENTS = (
    """
    CREATE TABLE legal_person_card (
        card_number TEXT NOT NULL PRIMARY KEY CHECK (length(card_number) = 13),
        customs_code TEXT NOT NULL REFERENCES enterprise (customs_code) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX legal_person_card_enterprise ON legal_person_card (customs_code)",
    # The organization code is a part of the USCC (GB 32100-2015).
    "CREATE INDEX enterprise_organization ON enterprise (substr(uscc, 9, 9))",
)


def apply(schema: Schema) -> None:
    """Create the list, empty."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
