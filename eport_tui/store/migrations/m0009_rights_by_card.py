"""What the cards of one enterprise were handed, in the order of their numbers, from either end.

Each question about a card names its agent too, so with the agent first the same table and
the same index of versions serve those and the list of all cards of an agent.
"""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 9
NAME = "rights_by_card"

_STATEMENTS = (
    # Its triggers belong to the tables of grants, and stay.
    "DROP TABLE card_right",
    """
    CREATE TABLE card_right (
        card_number TEXT NOT NULL,
        agent TEXT NOT NULL,
        principal TEXT NOT NULL,
        subsystem TEXT NOT NULL,
        grant_type TEXT NOT NULL,
        operator_grant_id INTEGER NOT NULL UNIQUE
            REFERENCES operator_grant (id) ON DELETE CASCADE,
        PRIMARY KEY (agent, card_number, principal, subsystem, grant_type)
    ) STRICT, WITHOUT ROWID
    """,
    # Sorted, because that is how it is stored.
    """
    INSERT INTO card_right (card_number, agent, principal, subsystem, grant_type, operator_grant_id)
    SELECT o.card_number, g.agent, g.principal, g.subsystem, g.grant_type, o.id
    FROM operator_grant o JOIN enterprise_grant g ON g.id = o.enterprise_grant_id
    ORDER BY g.agent, o.card_number, g.principal, g.subsystem, g.grant_type
    """,
    """
    CREATE INDEX card_right_principal
    ON card_right (principal, card_number, agent, subsystem, grant_type)
    """,
    "DROP INDEX operator_grant_version_card",
    """
    CREATE INDEX operator_grant_version_agent
    ON operator_grant_version (agent, card_number)
    """,
)


def apply(schema: Schema) -> None:
    """Make the table anew, of what stands, and the indexes."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
