"""Everything in a database put into another one, whatever their engines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from eport_tui.errors import StoreError
from eport_tui.store.database import Store

_PAGE = 2000
_GRANT_KEY = ("principal", "agent", "subsystem", "grant_type")

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "enterprise": ("customs_code",),
    "legal_person_card": ("card_number",),
    "enterprise_grant": ("id",),
    "operator_grant": ("id",),
    "draft": ("card_number", "screen", "session"),
    "ledger_certificate": ("fingerprint",),
    "ledger_entry": ("number",),
    "ledger_subject": (*_GRANT_KEY, "entry"),
    "ledger_clock_reset": ("after_entry",),
    "enterprise_grant_version": ("id",),
    "operator_grant_version": ("id",),
    "lapse_mark": (*_GRANT_KEY, "owner"),
}
"""The primary key of each table, which comes after those that it refers to."""

# Each database has its own account of how it came about, and its triggers make the rest.
_NOT_COPIED = {"migration", "card_right"}

Row = tuple[Any, ...]


def copy(
    source: Store, target: Store, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Put all rows of a database, as they are at one moment, into an empty one.

    All are read back and compared before they are committed.

    Args:
        progress: Is told how many rows are copied, and of how many.

    Returns:
        How many rows each table has.

    Raises:
        StoreError: The target is not empty, or does not give back what was put in; it
            is left empty.
    """
    _require_known_tables(source)
    _require_known_tables(target)

    def put() -> dict[str, int]:
        for table in TABLES:
            if target.rows(f"SELECT 1 FROM {table} LIMIT 1"):
                raise StoreError(f"{target.place} 中已有数据，没有复制", hint="请另选一个空的位置")
        total = sum(source.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)
        counts: dict[str, int] = {}
        for table in TABLES:
            columns = source.columns(table)
            places = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
            read, written = _Digest(), _Digest()
            for page in _pages(source, table, columns):
                target.write_many(insert, page)
                read.add(page)
                if progress:
                    progress(sum(counts.values()) + read.rows, total)
            for page in _pages(target, table, columns):
                written.add(page)
            if written != read:
                raise StoreError(
                    f"表 {table} 复制后的内容与原来不同，没有复制", hint="请联系管理员核对数据库"
                )
            counts[table] = read.rows
            _give_numbers_after(source, target, table)
        return counts

    with source.snapshot():
        return target.transact(put)


def _require_known_tables(store: Store) -> None:
    if unknown := store.tables() - TABLES.keys() - _NOT_COPIED:
        raise StoreError(
            f"{store.place} 中有不认识的表 {'、'.join(sorted(unknown))}，没有复制",
            hint="请升级程序，或由管理员移走这些表",
        )


def _pages(store: Store, table: str, columns: list[str]) -> Iterator[list[Row]]:
    """All rows of a table by its primary key, a page at a time."""
    key = ", ".join(TABLES[table])
    places = ", ".join("?" * len(TABLES[table]))
    at = [columns.index(name) for name in TABLES[table]]
    listed = f"SELECT {', '.join(columns)} FROM {table}"
    end = f"ORDER BY {key} LIMIT {_PAGE}"
    page = store.rows(f"{listed} {end}")
    following = f"{listed} WHERE ({key}) > ({places}) {end}"
    while page:
        yield page
        page = store.rows(following, [page[-1][index] for index in at])


def _give_numbers_after(source: Store, target: Store, table: str) -> None:
    """Let the copy give no number that the source has given, to a row that is gone or not."""
    if TABLES[table] != ("id",):
        return
    highest = source.rows(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0]
    number = max(highest, source.numbers_given().get(table, 0))
    if number:
        target.give_numbers_after(table, number)


class _Digest:
    """How many rows there were, and a hash of them in their order."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, page: list[Row]) -> None:
        self.rows += len(page)
        for row in page:
            self._hash.update(repr(row).encode())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Digest)
            and self.rows == other.rows
            and self._hash.digest() == other._hash.digest()
        )
