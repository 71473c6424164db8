"""Whether anything was saved since one last looked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from eport_tui.domain.places import Place
from eport_tui.store import sqlite
from eport_tui.store.database import Store
from tests.store.writing import contents, write_something

COLLEAGUE = """
import sys
from eport_tui.domain.places import parse_place
from eport_tui.store.database import Store
from tests.store.writing import contents, write_something

with Store.open(parse_place(sys.argv[1])) as store:
    for number, line in enumerate(sys.stdin):
        write_something(store, str(number)) if line == "write\\n" else contents(store)
        print("done", flush=True)
"""


@pytest.fixture
def colleague(place: Place) -> Iterator[Callable[[str], None]]:
    """Another process on the same database, which is told to `write` or to `read`."""
    with subprocess.Popen(
        [sys.executable, "-c", COLLEAGUE, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def do(what: str) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{what}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        yield do
        assert process.stdin is not None
        process.stdin.close()


def test_what_another_process_saves_is_noticed(
    store: Store, colleague: Callable[[str], None]
) -> None:
    seen = {store.change_counter()}
    for _ in range(3):
        colleague("write")
        seen.add(store.change_counter())
    assert len(seen) == 4


def test_what_one_saves_oneself_is_noticed(store: Store) -> None:
    seen = {store.change_counter()}
    for _ in range(3):
        write_something(store)
        seen.add(store.change_counter())
    assert len(seen) == 4


def test_reading_is_no_change(store: Store, colleague: Callable[[str], None]) -> None:
    before = store.change_counter()
    contents(store)
    colleague("read")
    assert store.change_counter() == before


def test_what_was_not_committed_is_no_change(store: Store, place: Place) -> None:
    before = store.change_counter()
    with Store.open(place) as other, suppress(KeyError), other.transaction():
        other.rows("INSERT INTO draft VALUES ('8900000000011', 's', '', '{}', '')")
        assert store.change_counter() == before
        raise KeyError
    assert store.change_counter() == before


def test_the_trace_of_a_file_tells_of_every_commit(
    store: Store, colleague: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TICK", 0)
    write_something(store)
    seen = {store.trace_of_changes()}
    if isinstance(store, sqlite.SqliteStore):
        colleague("write")
        seen.add(store.trace_of_changes())
        write_something(store)
        seen.add(store.trace_of_changes())
        assert len(seen) == 3
        contents(store)
        assert store.trace_of_changes() in seen
    else:
        # A server is asked for its counter.
        assert seen == {None}


def test_no_trace_is_trusted_that_a_commit_at_the_same_moment_would_leave_alike(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TICK", 3600 * 10**9)
    write_something(store)
    assert store.trace_of_changes() is None
