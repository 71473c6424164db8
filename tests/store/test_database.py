"""Writing, waiting and failing, on either engine."""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import suppress

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import drafts
from eport_tui.store.database import Store
from tests.store.writing import contents, draft_of, write_something


def test_what_was_saved_is_there_after_a_restart(new_place: Place) -> None:
    with Store.open(new_place) as store:
        write_something(store, "kept")
    with Store.open(new_place) as store:
        assert contents(store) == ["kept"]
        assert store.place == new_place


def _open_and_write(place: Place, number: int) -> None:
    with Store.open(place) as store, store.transaction():
        drafts.put(store, draft_of(f"screen {number}"), "{}", now())


def test_many_processes_may_make_a_new_database_at_once(new_place: Place) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_open_and_write, args=(new_place, n)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6
    with Store.open(new_place) as store:
        assert store.rows("SELECT count(*) FROM draft") == [(6,)]


def _count_up(place: Place, times: int) -> None:
    with Store.open(place) as store:
        for _ in range(times):
            with store.transaction():
                number = int(contents(store)[0])
                drafts.put(store, draft_of(), str(number + 1), now())


def test_processes_that_change_the_same_row_lose_no_change(place: Place) -> None:
    with Store.open(place) as store:
        write_something(store, "0")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_count_up, args=(place, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Store.open(place) as store:
        assert contents(store) == ["100"]


def test_reading_only_allows_no_write(place: Place) -> None:
    with Store.open(place) as store:
        write_something(store, "kept")
    with Store.open(place, read_only=True) as store:
        assert contents(store) == ["kept"]
        with pytest.raises(StoreError, match="数据库是只读的"):
            write_something(store, "lost")


def test_outside_a_transaction_the_database_itself_refuses_to_write(place: Place) -> None:
    Store.open(place).close()
    with Store.open(place) as store:
        with pytest.raises(StoreError, match="只读"):
            store.rows("INSERT INTO draft VALUES ('8900000000011', 's', '', '{}', '')")
        with pytest.raises(RuntimeError):
            drafts.put(store, draft_of("s"), "{}", now())
        assert contents(store) == []


def test_a_transaction_within_another_is_a_mistake(store: Store) -> None:
    with store.transaction(), pytest.raises(RuntimeError), store.transaction():
        pass
    write_something(store, "still works")
    assert contents(store) == ["still works"]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with suppress(KeyError), store.transaction():
        drafts.put(store, draft_of("s"), "{}", now())
        raise KeyError
    assert contents(store) == []
    with pytest.raises(StoreError, match="只读"):
        store.rows("DELETE FROM draft")


def test_a_second_operator_sees_what_the_first_has_saved(place: Place, store: Store) -> None:
    with Store.open(place) as second:
        write_something(store, "first")
        assert contents(second) == ["first"]
        write_something(second, "second")
        assert contents(store) == ["second"]


def test_what_is_not_finished_is_not_seen_by_others(place: Place, store: Store) -> None:
    with Store.open(place) as second:
        with store.transaction():
            drafts.put(store, draft_of("s"), "{}", now())
            assert contents(second) == []
        assert contents(second) == ["{}"]


def test_a_snapshot_stays_as_it_was_at_its_beginning(place: Place, store: Store) -> None:
    write_something(store, "before")
    with Store.open(place) as second:
        with store.snapshot():
            write_something(second, "meanwhile")
            assert contents(store) == ["before"]
        assert contents(store) == ["meanwhile"]
    with pytest.raises(StoreError, match="只读"), store.snapshot():
        store.rows("DELETE FROM draft")


def test_rows_are_read_as_they_are_asked_for_while_others_are_read(store: Store) -> None:
    numbers = [f"{number:013}" for number in range(5000)]
    with store.transaction():
        store.write_many("INSERT INTO draft VALUES (?, 's', '', '{}', '')", ((n,) for n in numbers))
    sql = "SELECT card_number FROM draft WHERE screen = ? ORDER BY card_number"
    with store.snapshot():
        read = []
        for (first,), (second,) in zip(
            store.iterate(sql, ("s",)), store.iterate(sql, ("s",)), strict=True
        ):
            assert store.rows("SELECT 1 FROM draft WHERE card_number = ?", (first,)) == [(1,)]
            assert first == second
            read.append(first)
    assert read == numbers


def test_a_store_can_be_used_from_another_thread(store: Store) -> None:
    write_something(store, "main")
    seen: list[str] = []

    def work() -> None:
        seen.extend(contents(store))
        write_something(store, "thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (seen, contents(store)) == (["main"], ["thread"])


def test_a_save_waits_for_another_one(place: Place, store: Store) -> None:
    began, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with Store.open(place) as other, other.transaction():
            drafts.put(other, draft_of(), "first", now())
            began.set()
            may_end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    threading.Timer(0.05, may_end.set).start()
    write_something(store, "second")
    holder.join()
    assert contents(store) == ["second"]


def test_a_save_gives_up_when_another_program_keeps_the_lock(place: Place, store: Store) -> None:
    with Store.open(place, patience=0.05) as second, store.transaction():
        began = time.monotonic()
        with pytest.raises(StoreError, match="数据库正被其他程序占用，没有保存"):
            write_something(second)
        assert 0.05 <= time.monotonic() - began < 2
    write_something(second := Store.open(place), "later")
    second.close()
    assert contents(store) == ["later"]


def test_waiting_can_be_cancelled_from_another_thread(place: Place, store: Store) -> None:
    given_up = threading.Event()

    def cancel() -> None:
        while not given_up.wait(0.02):
            second.cancel_waiting()

    with Store.open(place, patience=30) as second, store.transaction():
        canceller = threading.Thread(target=cancel)
        canceller.start()
        began = time.monotonic()
        with pytest.raises(StoreError, match="已取消等待数据库，没有保存"):
            write_something(second)
        given_up.set()
        assert time.monotonic() - began < 5
        canceller.join()
    write_something(second := Store.open(place), "later")
    second.close()
    assert contents(store) == ["later"]


def test_a_cancellation_does_not_reach_the_next_save(place: Place, store: Store) -> None:
    with Store.open(place, patience=0.05) as second:
        second.cancel_waiting()
        with store.transaction(), pytest.raises(StoreError, match="占用"):
            write_something(second)
        write_something(second, "next")
    assert contents(store) == ["next"]
