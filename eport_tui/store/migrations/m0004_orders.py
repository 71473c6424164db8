"""Indexes that have the grants of an enterprise in each order that the lists offer."""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 4
NAME = "orders"

_ENDS = (("principal", "agent"), ("agent", "principal"))

_STATEMENTS = (
    # The wider ones do what these did.
    "DROP INDEX enterprise_grant_principal_due",
    "DROP INDEX enterprise_grant_agent_due",
    *(
        f"""
        CREATE INDEX {table}_{own}_due
        ON {table} ({own}, valid_until, {other}, subsystem, grant_type)
        """
        for table in ("enterprise_grant", "enterprise_grant_version")
        for own, other in _ENDS
    ),
    *(
        f"""
        CREATE INDEX {table}_{own}_subsystem
        ON {table} ({own}, subsystem, {other}, grant_type)
        """
        for table in ("enterprise_grant", "enterprise_grant_version")
        for own, other in _ENDS
    ),
)


def apply(schema: Schema) -> None:
    """Create them."""
    for statement in _STATEMENTS:
        schema.execute_sql(statement)
