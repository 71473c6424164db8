"""Many writers: nobody loses a save, nobody waits for ever, nobody is needed."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import drafts, turns
from eport_tui.store.database import Store
from tests.store.writing import contents, draft_of, write_something

PROCESSES = 20
SAVES = 40


def never() -> bool:
    return False


# -- twenty processes ----------------------------------------------------------------


def _save(place: Place, name: str, begin: int) -> None:
    """Read, add and write, as one who saves does; note who, and how many went before meanwhile."""
    with Store.open(place, patience=60) as store:
        os.read(begin, 1)
        for _ in range(SAVES):
            asked = len(contents(store)[0].split())
            with store.transaction():
                order = contents(store)[0].split()
                order.append(f"{name}:{len(order) - asked}")
                drafts.put(store, draft_of(), " ".join(order), now())


def test_twenty_processes_save_on_one_database_and_none_is_left_behind(place: Place) -> None:
    # Closed before the fork, because no two processes may share a connection.
    with Store.open(place) as store:
        write_something(store, "")
    waiting, begin = os.pipe()
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_save, args=(place, str(number), waiting))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    os.write(begin, b"x" * PROCESSES)
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    with Store.open(place) as store:
        saves = [save.partition(":") for save in contents(store)[0].split()]
    assert Counter(name for name, _, _ in saves) == {
        str(number): SAVES for number in range(PROCESSES)
    }
    # Who has asked is passed by some: whoever has just saved is awake and asks again at once.
    # Without a queue the last one is passed by two thirds of all there is, and more.
    assert max(int(passed) for _, _, passed in saves) < len(saves) / 2


# -- the queue of SQLite's writers ---------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.touch()
    return file


def hold(file: Path) -> int:
    """Be at the head of the queue until what is returned is closed."""
    descriptor = os.open(file, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_free(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_one_after_the_other(file: Path) -> None:
    inside: list[int] = []
    together: list[int] = []

    def write() -> None:
        for _ in range(20):
            with turns.turn(file, time.monotonic() + 60, never):
                inside.append(1)
                together.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1] * 160


def test_one_who_has_waited_long_enough_goes_on_and_leaves_the_queue(file: Path) -> None:
    held = hold(file)
    with turns.turn(file, time.monotonic() + 0.03, never):
        assert not is_free(file)
    os.close(held)
    wait_until(lambda: is_free(file))


def test_one_who_gives_up_goes_on_at_once_and_leaves_the_queue(file: Path) -> None:
    held = hold(file)
    with turns.turn(file, time.monotonic() + 60, lambda: True):
        pass
    os.close(held)
    wait_until(lambda: is_free(file))


def test_a_process_that_dies_at_the_head_of_the_queue_keeps_nobody(file: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom eport_tui.store.turns import turn\n"
        "with turn(Path(sys.argv[1]), time.monotonic() + 60, lambda: False):\n"
        "    print('mine', flush=True)\n    time.sleep(600)\n"
    )
    dying = subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert dying.stdout is not None
    with dying:
        assert dying.stdout.readline() == "mine\n"
        assert not is_free(file)
        dying.send_signal(signal.SIGKILL)
    assert is_free(file)


def test_where_there_is_no_such_file_one_goes_on(tmp_path: Path) -> None:
    with turns.turn(tmp_path / "none", time.monotonic() + 60, never):
        pass


def test_without_such_locks_writing_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(descriptor: int, how: int) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "flock", unknown)
    with Store.open(path) as store:
        write_something(store, "saved")
        assert contents(store) == ["saved"]


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_a_save_has_its_turn_in_the_queue_of_its_own_database(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store, Store.open(tmp_path / "other.db") as other:
        with store.transaction():
            assert not is_free(log_of(path))
            write_something(other)
        assert is_free(log_of(path))


def test_a_save_whose_turn_never_comes_is_made_all_the_same(path: Path) -> None:
    """The queue is for fairness; what keeps saves apart is the lock of the database."""
    with Store.open(path, patience=0.05) as store:
        held = hold(log_of(path))
        try:
            write_something(store, "saved")
        finally:
            os.close(held)
        assert contents(store) == ["saved"]


def test_a_save_that_stands_in_the_queue_can_be_given_up(path: Path) -> None:
    with Store.open(path, patience=60) as store:
        held = hold(log_of(path))
        given_up = threading.Event()

        def cancel() -> None:
            while not given_up.wait(0.01):
                store.cancel_waiting()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(StoreError, match="已取消等待数据库，没有保存"):
            write_something(store, "given up")
        given_up.set()
        canceller.join()
        os.close(held)
        assert contents(store) == []
