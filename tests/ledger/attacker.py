"""Somebody who can write the database, and knows how the ledger is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw

from eport_tui.domain.operations import GENESIS
from eport_tui.domain.places import Place, ServerUrl
from eport_tui.store.ledger import entry_hash

COLUMNS = "number, previous_hash, hash, recorded_at, clock_reset, payload, signature, certificate"
TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'ledger%'"


class Attacker:
    """A connection without any of the guards, also not of foreign keys."""

    @staticmethod
    def at(place: Place) -> Attacker:
        """The one for the engine."""
        return OnFile(place) if isinstance(place, Path) else OnServer(place)

    def close(self) -> None:
        raise NotImplementedError

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement in SQLite's words."""
        raise NotImplementedError

    def heed_foreign_keys(self) -> None:
        """Let what hangs on a row go with it."""
        raise NotImplementedError

    def as_text(self, data: bytes) -> bytes:
        """The bytes, or what is most like them that a column of text can be made to hold."""
        raise NotImplementedError

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


class OnFile(Attacker):
    """Somebody who has the file."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self.sql("PRAGMA synchronous = OFF")
        self.sql("PRAGMA ignore_check_constraints = ON")
        for (name,) in self.sql(TRIGGERS):
            self.sql(f"DROP TRIGGER {name}")

    def close(self) -> None:
        self._connection.close()

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(statement, parameters).fetchall()

    def heed_foreign_keys(self) -> None:
        self.sql("PRAGMA foreign_keys = ON")

    def as_text(self, data: bytes) -> bytes:
        return data


class OnServer(Attacker):
    """Somebody who has the password of the owner, or of the superuser."""

    def __init__(self, url: ServerUrl) -> None:
        import psycopg

        self._connection = psycopg.connect(
            str(url), autocommit=True, cursor_factory=psycopg.RawCursor
        )
        self._connection.execute("SET search_path = eport_tui")
        # The others go on for the program, which writes meanwhile.
        triggers = self._connection.execute(
            "SELECT CAST(tgrelid AS regclass), tgname FROM pg_trigger WHERE tgname LIKE 'ledger%'"
        )
        for table, name in triggers.fetchall():
            self._connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        checks = self._connection.execute(
            "SELECT conrelid::regclass, conname FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'eport_tui'::regnamespace"
        )
        for table, name in checks.fetchall():
            self._connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        self._connection.execute("SET session_replication_role = replica")

    def close(self) -> None:
        self._connection.close()

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        from eport_tui.store.dialect import in_psycopgs_words

        statement = re.sub(r"\bx'(\w+)'", r"CAST('\\x\1' AS bytea)", statement)
        statement = re.sub(r"CAST\(\? AS TEXT\)", "convert_from(?, 'UTF8')", statement)
        cursor = self._connection.execute(in_psycopgs_words(statement), parameters)
        return cursor.fetchall() if cursor.description else []

    def heed_foreign_keys(self) -> None:
        self._connection.execute("SET session_replication_role = origin")

    def as_text(self, data: bytes) -> bytes:
        # The server refuses what is not UTF-8, and a zero, whoever gives it.
        return data.decode(errors="replace").replace("\0", "").encode()
