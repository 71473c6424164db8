"""Nothing but `Store.transact` begins a transaction, and nothing else writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "eport_tui"
SOURCES = sorted(PACKAGE.rglob("*.py"))
STORE = sorted((PACKAGE / "store").rglob("*.py"))

BEGINNING = {"atomic", "begin", "manual_commit", "savepoint", "session_start"}
# Peewee's ways to change rows past a query that `Store.write` runs.
WRITING = {
    "bulk_create",
    "bulk_update",
    "create",
    "create_table",
    "delete_instance",
    "get_or_create",
    "save",
}
STATEMENT = re.compile(r"^\s*(BEGIN|COMMIT|SAVEPOINT|INSERT|UPDATE|DELETE|REPLACE)\b")


def calls(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func


def statements(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from filter(STATEMENT.match, node.value.split(";"))


def table_of(statement: str) -> str:
    found = re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement)
    assert found, statement
    return found[1]


def used(names: set[str]) -> list[tuple[str, str]]:
    """Where the store calls a method of one of these names; nothing else knows Peewee."""
    return [
        (path.name, call.attr)
        for path in STORE
        for call in calls(ast.parse(path.read_text("utf-8")))
        if call.attr in names
    ]


def test_a_transaction_begins_in_one_place_of_each_engine() -> None:
    # `snapshot` begins one that only reads; a database on a server is made in a third.
    assert used(BEGINNING) == [("postgres.py", "atomic")] * 3 + [("sqlite.py", "atomic")] * 2


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_begins_a_transaction_that_is_not_done_anew(path: Path) -> None:
    called = [call.attr for call in calls(ast.parse(path.read_text("utf-8")))]
    assert "transaction" not in called


def test_rows_are_written_by_queries_alone() -> None:
    assert used(WRITING) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sql_that_writes_is_in_the_store_alone(path: Path) -> None:
    written = list(statements(ast.parse(path.read_text("utf-8"))))
    if path == PACKAGE / "store" / "enterprises.py":
        # The registry's upserts, one that nobody has imported, the registry's lists of cards, and
        # the temporary tables of its import.
        assert [text.split()[:3] for text in written] == [
            ["INSERT", "INTO", "enterprise"],
            ["INSERT", "INTO", "legal_person_card"],
            ["INSERT", "INTO", "enterprise"],
            ["DELETE", "FROM", "legal_person_card"],
            ["BEGIN"],
            ["INSERT", "INTO", "staged"],
            ["INSERT", "INTO", "staged_card"],
        ]
    elif path == PACKAGE / "store" / "ledger.py":
        # Entries, the rows that an entry changes, and the versions of them that it ends and begins.
        assert {table_of(text) for text in written} == {
            "enterprise_grant",
            "enterprise_grant_version",
            "lapse_mark",
            "ledger_certificate",
            "ledger_clock_reset",
            "ledger_entry",
            "ledger_subject",
            "operator_grant",
            "operator_grant_version",
        }
    elif path == PACKAGE / "store" / "copying.py":
        # Into the tables of an empty database, by their names.
        assert written == ["INSERT INTO "]
    elif path == PACKAGE / "store" / "sqlite.py":
        # How transactions begin and end, and where SQLite keeps which numbers were given.
        how = {"BEGIN ", "COMMIT"}
        assert how < set(written)
        assert {table_of(text) for text in written if text not in how} == {"sqlite_sequence"}
    elif path == PACKAGE / "store" / "postgres.py":
        # The row that writers have their turns by.
        assert {" ".join(text.split()[:2]) for text in written} == {
            "UPDATE turn",
            "INSERT INTO",
        }
    elif path == PACKAGE / "store" / "postgres_connections.py":
        # How transactions begin.
        assert written == ["BEGIN "]
    elif path == PACKAGE / "store" / "dialect.py":
        # What a trigger is called at.
        assert set(written) == {"DELETE"}
    elif path == PACKAGE / "store" / "migrations" / "m0003_ledger.py":
        # The bodies of the triggers that refuse to change the ledger.
        assert {text.split()[0] for text in written} == {"BEGIN"}
    elif path == PACKAGE / "store" / "migrations" / "m0005_card_rights.py":
        # What it begins with, and the bodies of the triggers that keep it.
        how = {"BEGIN", "INSERT", "UPDATE"}
        assert {text.split()[0] for text in written} <= how
        assert {table_of(text) for text in written if "BEGIN" not in text} == {"card_right"}
    elif path == PACKAGE / "store" / "migrations" / "m0007_one_look.py":
        # The bodies of the triggers that refuse to mix all operators and single cards.
        assert {text.split()[0] for text in written} == {"BEGIN"}
    elif path == PACKAGE / "store" / "migrations" / "m0008_drafts_of_sessions.py":
        # What was kept goes into a table of another form.
        assert [table_of(text) for text in written] == ["draft"]
    elif path == PACKAGE / "store" / "migrations" / "m0009_rights_by_card.py":
        # What stands goes into the table in another order.
        assert [table_of(text) for text in written] == ["card_right"]
    else:
        assert written == []
