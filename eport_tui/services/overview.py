"""How much there is, for `eport-tui info`."""

from __future__ import annotations

from dataclasses import dataclass

from eport_tui.store import enterprise_grants, enterprises, ledger, operator_grants
from eport_tui.store.database import Store


@dataclass(frozen=True, slots=True)
class Counts:
    """Entries of the ledger, rows in the database, and the number of its newest migration."""

    entries: int
    enterprises: int
    enterprise_grants: int
    operator_grants: int
    schema_version: int


def counts(store: Store) -> Counts:
    """Count what is stored."""
    return Counts(
        entries=ledger.last_number(store),
        enterprises=enterprises.count(store),
        enterprise_grants=enterprise_grants.total(store),
        operator_grants=operator_grants.total(store),
        schema_version=store.schema_version,
    )
