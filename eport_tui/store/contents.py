"""What the tables hold beside the entries of the ledger, for a verification to compare.

All is read as it is stored, whoever has put it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from eport_tui.domain.operations import EnterpriseGrantRow, Row
from eport_tui.store.database import Store
from eport_tui.store.ledger import KEY_NAMES, as_stored, texts

Stored = tuple[str, ...]
"""The columns of a row as text."""

SEPARATOR = "\x1f"
"""Stands between columns that are one text; `is_table` does not work with any that has it."""

_COLUMNS: dict[str, tuple[str, str, str]] = {
    "enterprise_grant": ("enterprise_grant", KEY_NAMES, "granted_on, valid_until, revision"),
    "operator_grant": (
        # An orphan, which only another program can leave behind, has an empty key.
        "operator_grant o LEFT JOIN enterprise_grant g ON g.id = o.enterprise_grant_id",
        f"{KEY_NAMES}, card_number",
        "o.granted_on",
    ),
    "lapse_mark": ("lapse_mark", f"{KEY_NAMES}, owner", "valid_until"),
}
"""For each table where it is read from, what makes a row the same one, and what else is signed."""

TABLES = tuple(_COLUMNS)
VERSIONED = ("enterprise_grant", "operator_grant")


def stored_form(row: Row) -> Stored:
    """What identifies a row and what else is signed of it, as the streams below have it."""
    if isinstance(row, EnterpriseGrantRow):
        days = row.granted_on.isoformat(), row.valid_until.isoformat()
        return (*row.key, *days, str(row.revision))
    key, who, day, _ = row
    return (*key, who, day.isoformat())


def one_text(columns: Iterable[str]) -> str:
    """Columns as one text, from which they can be told as long as none has `SEPARATOR` in it."""
    return SEPARATOR.join(columns)


def is_table(store: Store, table: str, expected: set[str]) -> bool:
    """Whether a table holds these rows, just so, and no others.  To be used inside a snapshot.

    Takes a fraction of the time of `stored_rows`.

    Args:
        expected: `one_text` of each row's `stored_form`, `changed_at` and `changed_by`; no
            column has a `SEPARATOR` in it.  It is used up.
    """
    source, names, rest = _COLUMNS[table]
    return _are_all(store, f"{names}, {rest}, {_changed(table)}", source, expected)


def are_open_versions(store: Store, table: str, expected: set[str]) -> bool:
    """As `is_table`, of the versions that have not ended.

    Args:
        expected: `one_text` of each one's `stored_form` and the entry that began it.
    """
    _, names, rest = _COLUMNS[table]
    columns = f"{names}, {rest.removeprefix('o.')}, from_entry"
    return _are_all(store, columns, f"{table}_version WHERE until_entry IS NULL", expected)


def _are_all(store: Store, columns: str, source: str, expected: set[str]) -> bool:
    # As many, and each of them is there: so there is no other one, and none twice.
    if store.rows(f"SELECT count(*) FROM {source}") != [(len(expected),)]:
        return False
    casts = [f"CAST({name} AS TEXT)" for name in columns.split(", ")]
    sql = f"SELECT {' || ? || '.join(casts)} FROM {source}"
    try:
        rows = store.iterate(sql, (SEPARATOR,) * (len(casts) - 1))
        expected.difference_update(chain.from_iterable(rows))
    except UnicodeDecodeError:
        # Another program has put there what is no text.
        return False
    return not expected


def _changed(table: str) -> str:
    return "o.changed_at, o.changed_by" if table == "operator_grant" else "changed_at, changed_by"


def stored_rows(store: Store, table: str) -> Iterator[tuple[Stored, str, str]]:
    """The rows of a table as `stored_form`, with `changed_at` and `changed_by`.

    To be used inside a snapshot.
    """
    source, names, rest = _COLUMNS[table]
    columns = as_stored(f"{names}, {rest}, {_changed(table)}")
    for row in store.iterate(f"SELECT {columns} FROM {source}"):
        values = texts(row)
        yield values[:-2], values[-2], values[-1]


def open_versions(store: Store, table: str) -> Iterator[tuple[Stored, int]]:
    """The versions of a table's rows that have not ended, and the entry that began each.

    To be used inside a snapshot.
    """
    for _, begun, *row in _versions(store, table, "until_entry IS NULL"):
        yield texts(row), begun


def ended_versions(store: Store, table: str) -> Iterator[tuple[int, tuple[Stored, int]]]:
    """Which entry has ended which version, and the entry that began it, in their order.

    To be used inside a snapshot.
    """
    for row in _versions(store, table, "until_entry IS NOT NULL ORDER BY until_entry"):
        yield row[0], (texts(row[2:]), row[1])


def _versions(store: Store, table: str, which: str) -> Iterator[tuple[Any, ...]]:
    _, names, rest = _COLUMNS[table]
    columns = as_stored(f"{names}, {rest.removeprefix('o.')}")
    sql = f"SELECT until_entry, from_entry, {columns} FROM {table}_version WHERE {which}"
    return store.iterate(sql)


_SAME_RIGHT = """
    g.id = o.enterprise_grant_id AND r.operator_grant_id = o.id
    AND r.card_number = o.card_number AND r.principal = g.principal AND r.agent = g.agent
    AND r.subsystem = g.subsystem AND r.grant_type = g.grant_type
"""


def missing_rights(store: Store) -> Iterator[Stored]:
    """Key and card of the operator grants that the list of what cards were handed has not.

    To be used inside a snapshot.
    """
    return _rights(
        store,
        f"""
        SELECT {as_stored("g.principal, g.agent, g.subsystem, g.grant_type, o.card_number")}
        FROM operator_grant o JOIN enterprise_grant g ON g.id = o.enterprise_grant_id
        WHERE NOT EXISTS (SELECT 1 FROM card_right r WHERE {_SAME_RIGHT})
        """,
    )


def unfounded_rights(store: Store) -> Iterator[Stored]:
    """Key and card of what that list has, and no operator grant accounts for.

    To be used inside a snapshot.
    """
    return _rights(
        store,
        f"""
        SELECT {as_stored("r.principal, r.agent, r.subsystem, r.grant_type, r.card_number")}
        FROM card_right r WHERE NOT EXISTS (
            SELECT 1 FROM operator_grant o, enterprise_grant g WHERE {_SAME_RIGHT}
        )
        """,
    )


def _rights(store: Store, sql: str) -> Iterator[Stored]:
    return (texts(row) for row in store.iterate(sql))


def subjects(store: Store) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Which entries are said to be about which keys, in the order of the entries.

    To be used inside a snapshot.
    """
    sql = f"SELECT entry, {as_stored(KEY_NAMES)} FROM ledger_subject ORDER BY entry"
    for row in store.iterate(sql):
        yield row[0], texts(row[1:])
