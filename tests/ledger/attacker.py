"""Somebody who can write the database file, and knows how the ledger is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw

from eport_tui.domain.operations import GENESIS
from eport_tui.store.ledger import entry_hash

COLUMNS = "number, previous_hash, hash, recorded_at, clock_reset, payload, signature, certificate"
TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'ledger%'"


class Attacker:
    """A connection without any of the guards."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path))
        self.sql("PRAGMA synchronous = OFF")
        self.sql("PRAGMA ignore_check_constraints = ON")
        for (name,) in self.sql(TRIGGERS):
            self.sql(f"DROP TRIGGER {name}")

    def close(self) -> None:
        self.connection.close()

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self.connection.execute(statement, parameters).fetchall()

    def entries(self) -> list[list[Any]]:
        """The entries as lists of their columns."""
        return [list(row) for row in self.sql(f"SELECT {COLUMNS} FROM ledger_entry ORDER BY 1")]

    def rewrite(self, entries: Iterable[Sequence[Any]]) -> None:
        """Replace the whole chain; numbers and hashes are made to fit."""
        self.sql("DELETE FROM ledger_entry")
        previous = GENESIS
        for number, entry in enumerate(entries, 1):
            _, _, _, recorded_at, clock_reset, payload, signature, certificate = entry
            hash_ = entry_hash(
                number, previous, recorded_at, bool(clock_reset), certificate, payload, signature
            )
            self.sql(
                f"INSERT INTO ledger_entry ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, previous, hash_, *entry[3:]),
            )
            previous = hash_
