"""The registry, the grants and the drafts."""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 1
NAME = "grants"

_DAY = "{0} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"

_MIXED = """
    SELECT 1 FROM operator_grant
    WHERE enterprise_grant_id = NEW.enterprise_grant_id
      AND (card_number = '') <> (NEW.card_number = '')
"""
_REFUSE = "SELECT RAISE(ABORT, 'all operators and single cards under one grant')"

# AUTOINCREMENT never gives a number twice, so a screen that still shows a deleted
# grant cannot hit another one by its number.
_STATEMENTS = (
    """
    CREATE TABLE enterprise (
        customs_code TEXT NOT NULL PRIMARY KEY CHECK (length(customs_code) = 10),
        uscc TEXT NOT NULL,
        name TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX enterprise_uscc ON enterprise (uscc)",
    f"""
    CREATE TABLE enterprise_grant (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        principal TEXT NOT NULL CHECK (length(principal) = 10),
        agent TEXT NOT NULL CHECK (length(agent) = 10),
        subsystem TEXT NOT NULL CHECK (subsystem <> ''),
        grant_type TEXT NOT NULL CHECK (grant_type <> ''),
        granted_on TEXT NOT NULL CHECK ({_DAY.format("granted_on")}),
        valid_until TEXT NOT NULL CHECK ({_DAY.format("valid_until")}),
        revision INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
        changed_at TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        UNIQUE (principal, agent, subsystem, grant_type),
        CHECK (principal <> agent),
        CHECK (valid_until >= granted_on)
    ) STRICT
    """,
    """
    CREATE INDEX enterprise_grant_agent
    ON enterprise_grant (agent, principal, subsystem, grant_type)
    """,
    "CREATE INDEX enterprise_grant_codes ON enterprise_grant (subsystem, grant_type)",
    f"""
    CREATE TABLE operator_grant (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        enterprise_grant_id INTEGER NOT NULL
            REFERENCES enterprise_grant (id) ON DELETE CASCADE,
        card_number TEXT NOT NULL CHECK (length(card_number) IN (0, 13)),
        granted_on TEXT NOT NULL CHECK ({_DAY.format("granted_on")}),
        changed_at TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        UNIQUE (enterprise_grant_id, card_number)
    ) STRICT
    """,
    "CREATE INDEX operator_grant_card ON operator_grant (card_number, enterprise_grant_id)",
    f"""
    CREATE TRIGGER operator_grant_insert BEFORE INSERT ON operator_grant
    WHEN EXISTS ({_MIXED})
    BEGIN {_REFUSE}; END
    """,
    f"""
    CREATE TRIGGER operator_grant_update BEFORE UPDATE ON operator_grant
    WHEN EXISTS ({_MIXED} AND id <> OLD.id)
    BEGIN {_REFUSE}; END
    """,
    """
    CREATE TABLE draft (
        card_number TEXT NOT NULL,
        screen TEXT NOT NULL,
        content TEXT NOT NULL,
        saved_at TEXT NOT NULL,
        PRIMARY KEY (card_number, screen)
    ) STRICT, WITHOUT ROWID
    """,
)


def apply(schema: Schema) -> None:
    """Create the tables of the first release."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
