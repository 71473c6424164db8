"""What becomes of work that the server gives up, or loses on the way to its commit."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import drafts
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.faults import GivenUp, InDoubt
from tests.postgres import (
    Server,
    commits_that_are_not_acknowledged,
    database_of,
    throw_out,
    until_someone_waits,
)
from tests.store.writing import contents, draft_of, write_something

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


class Saving:
    """Saves a draft; notes each time it is begun, and does something before its end."""

    def __init__(self, store: Store, *before_the_end: Any) -> None:
        self.store = store
        self.begun = 0
        self._before_the_end = iter(before_the_end)

    def __call__(self) -> str:
        self.begun += 1
        drafts.put(self.store, draft_of(), f"number {self.begun}", now())
        if (step := next(self._before_the_end, None)) is not None:
            step()
        return f"saved {self.begun}"

    def was_saved(self) -> str | None:
        """As an entry of the ledger is known by its text."""
        return "found" if contents(self.store) else None


def refuse(other: Any, times: int, state: str, *, at_commit: bool) -> None:
    """Have the server give so many transactions up that write a draft."""
    # What a sequence gives is not rolled back.
    other.execute("CREATE SEQUENCE refused")
    other.execute(
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('eport_tui.refused') <= {times} THEN
                RAISE EXCEPTION 'not now' USING ERRCODE = '{state}';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    if at_commit:
        kind, when = "CONSTRAINT TRIGGER", "AFTER INSERT ON draft DEFERRABLE INITIALLY DEFERRED"
    else:
        kind, when = "TRIGGER", "BEFORE INSERT ON draft"
    other.execute(f"CREATE {kind} refuse {when} FOR EACH ROW EXECUTE FUNCTION refuse()")


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_work_that_is_given_up_is_done_anew(
    store: Store, other: Any, state: str, at_commit: bool
) -> None:
    refuse(other, 4, state, at_commit=at_commit)
    saving = Saving(store)
    assert store.transact(saving) == "saved 5"
    assert contents(store) == ["number 5"]


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
def test_work_that_is_always_given_up_is_told_after_five_times(
    store: Store, other: Any, at_commit: bool
) -> None:
    refuse(other, 99, "40001", at_commit=at_commit)
    saving = Saving(store)
    with pytest.raises(GivenUp, match="与其他程序的修改互相冲突，没有保存"):
        store.transact(saving)
    assert saving.begun == 5
    assert contents(store) == []


def test_what_would_fail_again_is_not_done_anew(store: Store, other: Any) -> None:
    refuse(other, 99, "23514", at_commit=True)
    saving = Saving(store)
    with pytest.raises(StoreError, match="不合规则"):
        store.transact(saving)
    assert saving.begun == 1


def test_a_deadlock_with_another_program_is_got_over(
    store: Store, server: Server, other: Any
) -> None:
    write_something(store, "before")
    # The one who finds out is the one who gives up: that shall be us.
    other.execute("SET deadlock_timeout = '1h'")
    other.execute("BEGIN; UPDATE draft SET content = 'theirs'")

    def take_the_turn() -> None:
        other.execute("UPDATE turn SET number = 0")
        other.execute("ROLLBACK")

    taking = threading.Thread(target=take_the_turn)
    begun: list[str] = []

    def save() -> None:
        begun.append("save")
        if len(begun) == 1:
            taking.start()
            until_someone_waits(third)
        drafts.put(store, draft_of(), "ours", now())

    with server.connection(database_of(store.place)) as third:
        store.transact(save)
    taking.join()
    assert len(begun) == 2
    assert contents(store) == ["ours"]


def test_work_whose_connection_is_lost_on_the_way_is_done_anew(store: Store, other: Any) -> None:

    def lose() -> None:
        throw_out(other)
        contents(store)

    saving = Saving(store, lose)
    assert store.transact(saving) == "saved 2"
    assert contents(store) == ["number 2"]


def test_work_whose_server_does_not_come_back_is_told_to_be_not_saved(
    store: Store, server: Server
) -> None:

    def lose() -> None:
        server.stop()
        contents(store)

    saving = Saving(store, lose)
    try:
        with pytest.raises(StoreError, match="无法连接数据库服务器"):
            store.transact(saving)
    finally:
        server.start()
    assert saving.begun == 1
    assert contents(store) == []


# -- lost at the commit ------------------------------------------------------------


def test_a_commit_that_never_came_is_found_out_and_the_work_done_anew(
    store: Store, other: Any
) -> None:
    saving = Saving(store, lambda: throw_out(other))
    assert store.transact(saving, done=saving.was_saved) == "saved 2"
    assert contents(store) == ["number 2"]


def test_a_commit_that_was_not_acknowledged_is_found_and_nothing_is_done_twice(
    store: Store, server: Server
) -> None:
    saving = Saving(store)
    with commits_that_are_not_acknowledged(server, store.place):
        assert store.transact(saving, done=saving.was_saved) == "found"
    assert saving.begun == 1
    assert contents(store) == ["number 1"]


def test_work_that_may_be_done_twice_is_done_anew_whether_it_was_stored_or_not(
    store: Store, server: Server
) -> None:
    saving = Saving(store)
    with commits_that_are_not_acknowledged(server, store.place):
        assert store.transact(saving, done=harmless_twice) == "saved 2"
    assert contents(store) == ["number 2"]


def test_nothing_is_done_anew_blindly(store: Store, server: Server) -> None:
    saving = Saving(store)
    with (
        commits_that_are_not_acknowledged(server, store.place),
        pytest.raises(InDoubt, match="不能确定是否已保存") as told,
    ):
        store.transact(saving)
    assert told.value.hint == "服务器恢复后请刷新列表，核对后再决定是否重新保存"
    assert saving.begun == 1
    assert contents(store) == ["number 1"]


def test_it_stays_in_doubt_as_long_as_the_server_is_gone(store: Store, server: Server) -> None:
    saving = Saving(store, server.stop)
    try:
        with pytest.raises(InDoubt, match="不能确定是否已保存"):
            store.transact(saving, done=saving.was_saved)
    finally:
        server.start()
    assert contents(store) == []


def test_a_lost_transaction_that_still_has_the_turn_leaves_it_in_doubt(
    server: Server, place: Place, other: Any
) -> None:
    begun: list[str] = []

    def save() -> str:
        begun.append("save")
        other.execute("BEGIN; SELECT number FROM turn")
        taking = threading.Thread(target=other.execute, args=("UPDATE turn SET number = 7",))
        taking.start()
        with server.connection(database_of(place)) as third:
            until_someone_waits(third)
            third.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'eport-tui' AND datname = current_database()"
            )
        taking.join()
        return "saved"

    with Store.open(place, patience=0.1) as store, pytest.raises(InDoubt):
        store.transact(save, done=lambda: "found")
    other.execute("ROLLBACK")
    assert len(begun) == 1
