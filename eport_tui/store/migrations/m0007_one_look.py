"""That all operators and single cards do not mix, found out by one look at an index.

The triggers of the first release went through all that stood under the enterprise grant
at each card, so that what was handed to many cards took the square of their number.
"""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 7
NAME = "one_look"

_REFUSE = "SELECT RAISE(ABORT, 'all operators and single cards under one grant')"


def _mixed(others: str = "") -> str:
    """Whether the new row is to all operators and one to a card stands there, or the reverse."""
    return " OR ".join(
        f"""
        NEW.card_number {new} '' AND EXISTS (
            SELECT 1 FROM operator_grant
            WHERE enterprise_grant_id = NEW.enterprise_grant_id
              AND card_number {standing} '' {others}
        )
        """
        for new, standing in (("=", ">"), (">", "="))
    )


def apply(schema: Schema) -> None:
    """Put other triggers in the place of those."""
    for event, others in (("insert", ""), ("update", "AND id <> OLD.id")):
        name = f"operator_grant_{event}"
        schema.execute_sql(f"DROP TRIGGER {name}")
        schema.execute_sql(
            f"""
            CREATE TRIGGER {name} BEFORE {event.upper()} ON operator_grant
            WHEN {_mixed(others)}
            BEGIN {_REFUSE}; END
            """
        )
