"""What each card was handed, in the order in which it is listed.

No index of a table has the card of the one table and the ends of the other, so this table
is one: triggers keep it as the two of grants are, and whoever writes those need not know.
What has gone takes its row along.
"""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 5
NAME = "card_rights"

_KEY = "principal, agent, subsystem, grant_type"


def _key_of(row: str) -> str:
    return ", ".join(f"{column} = {row}.{column}" for column in _KEY.split(", "))


_STATEMENTS = (
    """
    CREATE TABLE card_right (
        card_number TEXT NOT NULL,
        agent TEXT NOT NULL,
        principal TEXT NOT NULL,
        subsystem TEXT NOT NULL,
        grant_type TEXT NOT NULL,
        operator_grant_id INTEGER NOT NULL UNIQUE
            REFERENCES operator_grant (id) ON DELETE CASCADE,
        PRIMARY KEY (card_number, agent, principal, subsystem, grant_type)
    ) STRICT, WITHOUT ROWID
    """,
    # Sorted, because that is how it is stored.
    f"""
    INSERT INTO card_right (card_number, {_KEY}, operator_grant_id)
    SELECT o.card_number, {_KEY}, o.id
    FROM operator_grant o JOIN enterprise_grant g ON g.id = o.enterprise_grant_id
    ORDER BY o.card_number, g.agent, g.principal, g.subsystem, g.grant_type
    """,
    f"""
    CREATE TRIGGER card_right_made AFTER INSERT ON operator_grant
    BEGIN
        INSERT INTO card_right (card_number, {_KEY}, operator_grant_id)
        SELECT NEW.card_number, {_KEY}, NEW.id
        FROM enterprise_grant WHERE id = NEW.enterprise_grant_id;
    END
    """,
    # The program changes neither; another one may.
    f"""
    CREATE TRIGGER card_right_of_card
    AFTER UPDATE OF card_number, enterprise_grant_id ON operator_grant
    BEGIN
        UPDATE card_right SET card_number = NEW.card_number, {_key_of("g")}
        FROM enterprise_grant g
        WHERE operator_grant_id = NEW.id AND g.id = NEW.enterprise_grant_id;
    END
    """,
    f"""
    CREATE TRIGGER card_right_of_grant AFTER UPDATE OF {_KEY} ON enterprise_grant
    BEGIN
        UPDATE card_right SET {_key_of("NEW")}
        WHERE operator_grant_id IN (
            SELECT id FROM operator_grant WHERE enterprise_grant_id = NEW.id
        );
    END
    """,
    # The table does what this did.
    "DROP INDEX operator_grant_card",
)


def apply(schema: Schema) -> None:
    """Create it, with what stands."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
