"""A program on a server hears of others' commits at once; without that it only hears later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store.database import Store
from tests.postgres import Server, database_of, throw_out
from tests.store.writing import contents, write_something

pytestmark = pytest.mark.postgresql

LONG = 30.0
"""Seconds; nobody waits so long but in a failure."""


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A store that listens."""
    with Store.open(place) as store:
        store.change_counter()
        yield store


@pytest.fixture
def colleague(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


@pytest.fixture
def other(server: Server, place: Place) -> Iterator[Any]:
    with server.connection(database_of(place)) as connection:
        yield connection


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def waiting(thread: ThreadPoolExecutor, store: Store) -> Future[bool]:
    """Somebody who waits in a thread, and has begun to."""
    begun = threading.Event()

    def wait() -> bool:
        begun.set()
        return store.wait_for_change(LONG)

    future = thread.submit(wait)
    begun.wait()
    return future


def test_a_colleagues_commit_ends_the_wait(
    store: Store, colleague: Store, thread: ThreadPoolExecutor
) -> None:
    before = store.change_counter()
    for _ in range(3):
        heard = waiting(thread, store)
        assert not heard.done()
        write_something(colleague)
        assert heard.result(LONG)
        assert store.change_counter() != before


def test_a_commit_that_came_while_nobody_waited_is_not_missed(
    store: Store, colleague: Store
) -> None:
    write_something(colleague)
    # It comes along with the answer to something else.
    contents(store)
    assert store.wait_for_change(LONG)
    assert not store.wait_for_change(0.01)


def test_ones_own_commits_are_no_news(store: Store) -> None:
    write_something(store)
    contents(store)
    assert not store.wait_for_change(0.05)


def test_what_is_given_up_is_no_news(store: Store, colleague: Store) -> None:
    with pytest.raises(KeyError), colleague.transaction():
        raise KeyError
    contents(store)
    assert not store.wait_for_change(0.05)


def test_work_goes_on_while_somebody_waits(
    store: Store, colleague: Store, thread: ThreadPoolExecutor
) -> None:
    heard = waiting(thread, store)
    for number in range(50):
        write_something(store, str(number))
        assert contents(store) == [str(number)]
    assert not heard.done()
    write_something(colleague, "theirs")
    assert heard.result(LONG)


def test_it_takes_no_connection_of_its_own(
    store: Store, other: Any, thread: ThreadPoolExecutor
) -> None:
    heard = waiting(thread, store)
    count = other.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ).fetchone()
    assert count == (1,)
    store.close()
    with pytest.raises(StoreError, match="数据库已关闭"):
        heard.result(LONG)


def test_a_lost_connection_is_listened_on_again_from_the_next_look_on(
    store: Store, colleague: Store, other: Any, thread: ThreadPoolExecutor
) -> None:
    heard = waiting(thread, store)
    throw_out(other)
    before = store.change_counter()
    write_something(colleague)
    assert store.change_counter() != before
    write_something(colleague)
    assert heard.result(LONG)


def test_a_lost_connection_costs_no_more_than_the_hint(
    store: Store, other: Any, thread: ThreadPoolExecutor
) -> None:
    heard = waiting(thread, store)
    throw_out(other)
    assert contents(store) == []
    assert not heard.done()
    store.close()
    with pytest.raises(StoreError):
        heard.result(LONG)
