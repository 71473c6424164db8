"""The registry of enterprises."""

# apsw's stubs name a buffer type that Python 3.11 does not have.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

import apsw

from eport_tui.domain.holders import Enterprise
from eport_tui.store.database import Store
from eport_tui.store.faults import told

_UPSERT = """
    INSERT INTO enterprise (customs_code, uscc, name) VALUES (?, ?, ?)
    ON CONFLICT (customs_code) DO UPDATE SET uscc = excluded.uscc, name = excluded.name
    WHERE uscc <> excluded.uscc OR name <> excluded.name
"""


def get(store: Store, customs_code: str) -> Enterprise | None:
    """The enterprise with a customs code."""
    rows = store.rows(
        "SELECT customs_code, uscc, name FROM enterprise WHERE customs_code = ?", (customs_code,)
    )
    return Enterprise(*rows[0]) if rows else None


def count(store: Store) -> int:
    """How many enterprises there are."""
    return store.rows("SELECT count(*) FROM enterprise")[0][0]


def put_all(store: Store, enterprises: Iterable[Enterprise]) -> tuple[int, int]:
    """Add enterprises, or bring those that are there up to date.

    Returns:
        How many were added and how many updated; those that were already the
        same count as neither.
    """
    before = count(store)
    touched = store.write_many(_UPSERT, ((e.customs_code, e.uscc, e.name) for e in enterprises))
    added = count(store) - before
    return added, touched - added


class Staging:
    """Enterprises on their way into the registry, in a temporary file.

    A file of any size can thus be looked through to its end, with its duplicates
    found, before the database is locked and without keeping it in memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        with told(store.path):
            # A nameless database is private, and SQLite removes its file.
            self._connection = apsw.Connection("")
            self._connection.execute(
                """
                CREATE TABLE staged (
                    customs_code TEXT NOT NULL PRIMARY KEY,
                    uscc TEXT NOT NULL,
                    name TEXT NOT NULL,
                    line INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID
                """
            )
            # It is thrown away after a crash, so nothing has to be made durable.
            self._connection.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, lines: list[tuple[int, Enterprise]]) -> list[tuple[int, int]]:
        """Stage numbered lines, unless an earlier one has the same customs code.

        Returns:
            Line and earlier line, for each whose USCC or name is another than there.
        """
        known = self._standing([enterprise.customs_code for _, enterprise in lines])
        fresh: list[tuple[str, str, str, int]] = []
        differing: list[tuple[int, int]] = []
        for line, enterprise in lines:
            earlier, earlier_line = known.setdefault(enterprise.customs_code, (enterprise, line))
            if earlier_line == line:
                fresh.append((enterprise.customs_code, enterprise.uscc, enterprise.name, line))
            elif earlier != enterprise:
                differing.append((line, earlier_line))
        with told(self._store.path):
            self._connection.executemany("INSERT INTO staged VALUES (?, ?, ?, ?)", fresh)
        return differing

    def __iter__(self) -> Iterator[Enterprise]:
        with told(self._store.path):
            for row in self._connection.execute("SELECT customs_code, uscc, name FROM staged"):
                yield Enterprise(*row)

    def _standing(self, codes: list[str]) -> dict[str, tuple[Enterprise, int]]:
        places = ", ".join("?" * len(codes))
        with told(self._store.path):
            rows = self._connection.execute(
                "SELECT customs_code, uscc, name, line FROM staged"
                f" WHERE customs_code IN ({places})",
                codes,
            )
            return {row[0]: (Enterprise(*row[:3]), row[3]) for row in rows}
