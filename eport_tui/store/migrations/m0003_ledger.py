"""The signed ledger, the versions that it gives each grant, and the lapse marks."""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 3
NAME = "ledger"

_KEY = """
    principal TEXT NOT NULL,
    agent TEXT NOT NULL,
    subsystem TEXT NOT NULL,
    grant_type TEXT NOT NULL
"""
_KEY_NAMES = "principal, agent, subsystem, grant_type"
_NO_HASH = "0" * 64
_VERSION = """
    from_entry INTEGER NOT NULL REFERENCES ledger_entry (number),
    until_entry INTEGER REFERENCES ledger_entry (number),
    CHECK (until_entry > from_entry)
"""


def _append_only(table: str) -> tuple[str, str]:
    return (
        f"""
        CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
        """,
        f"""
        CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
        """,
    )


_STATEMENTS = (
    """
    CREATE TABLE ledger_certificate (
        fingerprint TEXT NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 64),
        der BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE ledger_entry (
        number INTEGER PRIMARY KEY CHECK (number >= 1),
        previous_hash TEXT NOT NULL UNIQUE CHECK (length(previous_hash) = 64),
        hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
        recorded_at TEXT NOT NULL,
        clock_reset INTEGER NOT NULL DEFAULT 0 CHECK (clock_reset IN (0, 1)),
        payload TEXT NOT NULL,
        signature BLOB NOT NULL,
        certificate TEXT NOT NULL REFERENCES ledger_certificate (fingerprint)
    ) STRICT
    """,
    "CREATE INDEX ledger_entry_recorded ON ledger_entry (recorded_at)",
    "CREATE INDEX ledger_entry_certificate ON ledger_entry (certificate)",
    *_append_only("ledger_certificate"),
    *_append_only("ledger_entry"),
    f"""
    CREATE TRIGGER ledger_entry_chain BEFORE INSERT ON ledger_entry
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM ledger_entry)
      OR NEW.previous_hash <> coalesce(
            (SELECT hash FROM ledger_entry ORDER BY number DESC LIMIT 1),
            '{_NO_HASH}'
         )
    BEGIN SELECT RAISE(ABORT, 'the entry does not continue the chain'); END
    """,
    f"""
    CREATE TABLE ledger_subject (
        {_KEY},
        entry INTEGER NOT NULL REFERENCES ledger_entry (number),
        PRIMARY KEY ({_KEY_NAMES}, entry)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX ledger_subject_entry ON ledger_subject (entry)",
    "CREATE INDEX ledger_subject_principal ON ledger_subject (principal, entry)",
    "CREATE INDEX ledger_subject_agent ON ledger_subject (agent, entry)",
    """
    CREATE TABLE ledger_clock_reset (
        after_entry INTEGER PRIMARY KEY REFERENCES ledger_entry (number),
        noted_at TEXT NOT NULL
    ) STRICT
    """,
    *_append_only("ledger_clock_reset"),
    f"""
    CREATE TABLE enterprise_grant_version (
        id INTEGER PRIMARY KEY,
        {_KEY},
        granted_on TEXT NOT NULL,
        valid_until TEXT NOT NULL,
        revision INTEGER NOT NULL,
        {_VERSION}
    ) STRICT
    """,
    f"""
    CREATE INDEX enterprise_grant_version_key
    ON enterprise_grant_version ({_KEY_NAMES}, from_entry)
    """,
    f"""
    CREATE UNIQUE INDEX enterprise_grant_version_open
    ON enterprise_grant_version ({_KEY_NAMES}) WHERE until_entry IS NULL
    """,
    """
    CREATE INDEX enterprise_grant_version_agent
    ON enterprise_grant_version (agent, principal, subsystem, grant_type)
    """,
    f"""
    CREATE TABLE operator_grant_version (
        id INTEGER PRIMARY KEY,
        {_KEY},
        card_number TEXT NOT NULL,
        granted_on TEXT NOT NULL,
        {_VERSION}
    ) STRICT
    """,
    f"""
    CREATE INDEX operator_grant_version_key
    ON operator_grant_version ({_KEY_NAMES}, card_number, from_entry)
    """,
    f"""
    CREATE UNIQUE INDEX operator_grant_version_open
    ON operator_grant_version ({_KEY_NAMES}, card_number) WHERE until_entry IS NULL
    """,
    """
    CREATE INDEX operator_grant_version_card
    ON operator_grant_version (card_number, agent)
    """,
    f"""
    CREATE TABLE lapse_mark (
        {_KEY},
        owner TEXT NOT NULL CHECK (owner IN (principal, agent)),
        valid_until TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        PRIMARY KEY ({_KEY_NAMES}, owner)
    ) STRICT, WITHOUT ROWID
    """,
    # What runs out is looked for by its last day: at one end of a grant, or everywhere.
    "CREATE INDEX enterprise_grant_principal_due ON enterprise_grant (principal, valid_until)",
    "CREATE INDEX enterprise_grant_agent_due ON enterprise_grant (agent, valid_until)",
    "CREATE INDEX enterprise_grant_due ON enterprise_grant (valid_until)",
)


def apply(schema: Schema) -> None:
    """Create the ledger, empty: what stands already is not accounted for by it."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
