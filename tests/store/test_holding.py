"""Names that are held as long as somebody is there, and known to all at one database."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eport_tui.domain.places import Place, ServerUrl
from eport_tui.store.database import Store
from tests.postgres import throw_out

NAME, OTHER_NAME = "00" * 16, "ff" * 16

# Holds a name until it is killed; the place and the name are its arguments.
_HOLDER = """
import sys
from eport_tui.domain.places import parse_place
from eport_tui.store.database import Store
store = Store.open(parse_place(sys.argv[1]))
store.hold(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(place: Place) -> Iterator[subprocess.Popen[str]]:
    """A program on the database that holds the name."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(place), NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def colleague(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


def files(place: Place) -> list[str]:
    """What lies beside a database that is a file."""
    return [each.name for each in place.parent.iterdir()] if isinstance(place, Path) else []


def until_nobody_holds(store: Store, *names: str) -> None:
    """Wait for what a server notices a moment later, and a file at once."""
    until = time.monotonic() + 10
    while store.held(names):
        assert isinstance(store.place, ServerUrl)
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_name_is_held_until_it_is_let_go(store: Store, colleague: Store) -> None:
    assert colleague.held([NAME, OTHER_NAME]) == set()
    store.hold(NAME)
    store.hold(NAME)
    for each in (store, colleague):
        assert each.held([NAME, OTHER_NAME]) == {NAME}
    colleague.let_go(NAME)
    assert colleague.held([NAME]) == {NAME}
    store.let_go(NAME)
    store.let_go(NAME)
    assert store.held([NAME]) == colleague.held([NAME]) == set()


def test_a_store_that_is_closed_holds_nothing(place: Place, colleague: Store) -> None:
    with Store.open(place) as store:
        store.hold(NAME)
        store.hold(OTHER_NAME)
        assert colleague.held([NAME, OTHER_NAME]) == {NAME, OTHER_NAME}
    until_nobody_holds(colleague, NAME, OTHER_NAME)


def test_a_process_that_is_killed_holds_nothing(store: Store, place: Place) -> None:
    before = files(place)
    with another_process(place) as process:
        assert store.held([NAME]) == {NAME}
        process.kill()
        process.wait()
        until_nobody_holds(store, NAME)
    assert files(place) == before


def test_holding_and_looking_write_nothing_to_the_database(store: Store, colleague: Store) -> None:
    before = colleague.change_counter()
    store.hold(NAME)
    assert colleague.held([NAME]) == {NAME}
    store.let_go(NAME)
    assert colleague.change_counter() == before


@pytest.mark.parametrize("name", ["", "../eport", "00/00", "0" * 65, "甲"])
def test_a_name_that_is_none_is_not_held_and_takes_no_file_away(
    store: Store, place: Place, name: str
) -> None:
    before = files(place)
    assert store.held([name]) == set()
    assert files(place) == before


def test_where_no_file_can_be_made_nothing_is_held(sqlite_store: Store) -> None:
    assert isinstance(sqlite_store.place, Path)
    blocked = Path(f"{sqlite_store.place}-session-{NAME}")
    blocked.mkdir()
    sqlite_store.hold(NAME)
    assert sqlite_store.held([NAME]) == set()
    sqlite_store.let_go(NAME)
    assert blocked.is_dir()


def test_the_file_may_be_looked_at_by_all_who_may_read_the_database(tmp_path: Path) -> None:
    database = tmp_path / "eport.db"
    with Store.open(database):
        pass
    database.chmod(0o660)
    with Store.open(database) as store:
        store.hold(NAME)
        assert Path(f"{database}-session-{NAME}").stat().st_mode & 0o777 == 0o660


# -- files beside the database -------------------------------------------------------


@pytest.fixture
def database(sqlite_store: Store) -> Path:
    """The file of the store for SQLite alone."""
    assert isinstance(sqlite_store.place, Path)
    return sqlite_store.place


def file_of(database: Path, name: str) -> Path:
    return Path(f"{database}-session-{name}")


@pytest.mark.parametrize("after", ["open", "flock"])
def test_a_name_is_held_though_others_look_at_that_very_moment(
    sqlite_store: Store, database: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    with Store.open(database) as other, monkeypatch.context() as patch:
        module = os if after == "open" else fcntl
        real, hold_up = getattr(module, after), []

        def and_then_somebody_looks(*arguments: Any) -> Any:
            done = real(*arguments)
            if not hold_up:
                hold_up.append(True)
                other.held([NAME])
            return done

        patch.setattr(module, after, and_then_somebody_looks)
        sqlite_store.hold(NAME)
        assert hold_up
        assert other.held([NAME]) == {NAME}
        assert file_of(database, NAME).exists()
    sqlite_store.let_go(NAME)
    assert list(database.parent.glob("*session*")) == []


def test_a_name_is_held_though_others_are_in_the_middle_of_a_look(
    sqlite_store: Store, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = fcntl.flock

    def behind_a_look(descriptor: int, how: int) -> None:
        if not looks:
            (file,) = database.parent.glob("*-session-*")
            looks.append(os.open(file, os.O_RDONLY))
            real(looks[0], fcntl.LOCK_SH)
        real(descriptor, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", behind_a_look)
        sqlite_store.hold(NAME)
    os.close(looks[0])
    assert sqlite_store.held([NAME]) == {NAME}


def test_what_killed_programs_left_is_taken_away_at_a_look_whatever_its_name(
    sqlite_store: Store, database: Path
) -> None:
    with another_process(database) as process:
        left = [OTHER_NAME, f"{OTHER_NAME}.new"]
        for name in left:
            file_of(database, name).touch()
        assert sqlite_store.held([]) == set()
        assert [name for name in left if file_of(database, name).exists()] == []
        # Who is still there keeps his.
        assert sqlite_store.held([NAME]) == {NAME}
        process.kill()
        process.wait()
    assert sqlite_store.held([]) == set()
    assert not file_of(database, NAME).exists()


def test_what_is_none_of_a_session_stays(sqlite_store: Store, database: Path) -> None:
    copy = file_of(database, "20261124")
    copy.write_bytes(database.read_bytes())
    others = [copy, file_of(database, "old"), database.with_name(f"my-{NAME}")]
    for each in others:
        each.touch()
    assert sqlite_store.held(["20261124"]) == set()
    assert [each for each in others if not each.exists()] == []


@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_what_was_held_on_a_connection_that_is_lost_is_held_again_at_the_next_look(
    store: Store, colleague: Store, other: Any
) -> None:
    store.hold(NAME)
    throw_out(other)
    assert colleague.held([NAME]) == set()
    store.change_counter()
    assert colleague.held([NAME]) == {NAME}
    store.let_go(NAME)
    assert colleague.held([NAME]) == set()


@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_that_a_connection_is_lost_is_noticed_without_asking_and_what_it_held_is_held_again(
    store: Store, colleague: Store, other: Any
) -> None:
    store.change_counter()
    store.hold(NAME)
    assert not store.has_lost_hold
    # The second time it is the connection on which it was held again.
    for _ in range(2):
        throw_out(other)
        until = time.monotonic() + 10
        while not store.has_lost_hold and time.monotonic() < until:
            store.wait_for_change(0.01)
        assert store.has_lost_hold
        assert colleague.held([NAME]) == set()
        before = colleague.change_counter()
        store.hold_again()
        assert not store.has_lost_hold
        assert colleague.held([NAME]) == {NAME}
        assert colleague.change_counter() == before


def test_a_file_loses_no_hold(sqlite_store: Store) -> None:
    sqlite_store.hold(NAME)
    sqlite_store.hold_again()
    assert not sqlite_store.has_lost_hold
    assert sqlite_store.held([NAME]) == {NAME}
