"""A draft belongs to the session that it was typed in.

With one for each card and screen, a second session of the same card put its own in
the place of the first one's.
"""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 8
NAME = "drafts_of_sessions"

_STATEMENTS = (
    "ALTER TABLE draft RENAME TO draft_of_card",
    """
    CREATE TABLE draft (
        card_number TEXT NOT NULL,
        screen TEXT NOT NULL,
        session TEXT NOT NULL,
        content TEXT NOT NULL,
        saved_at TEXT NOT NULL,
        PRIMARY KEY (card_number, screen, session)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO draft (card_number, screen, session, content, saved_at)
    SELECT card_number, screen, '', content, saved_at FROM draft_of_card
    """,
    "DROP TABLE draft_of_card",
)


def apply(schema: Schema) -> None:
    """Drafts that were kept before belong to a session without a name."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
