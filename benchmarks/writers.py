"""Twenty processes that save and read, on one database.

Each save reads a row, writes it back changed and adds one to a list, so that a lost save
shows; reads stand between the saves.  The same load goes three ways: through `Store`; with
`BEGIN IMMEDIATE` and a busy timeout alone; and with a bare lock on a file before that, which
is the yardstick of how fair a queue can be.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import apsw

from benchmarks.figures import Figure, percentile, spread
from eport_tui.store.database import Store

PROCESSES = 20
SAVES = 25
READS = 10
"""Of each save."""

_BUSY_MS = 5000
_READ = "SELECT content FROM draft WHERE card_number = 'shared' AND screen = ''"
_WRITE = "UPDATE draft SET content = ? WHERE card_number = 'shared' AND screen = ''"
_NOTE = "INSERT INTO draft VALUES (?, ?, '', '', '')"


@dataclass
class Outcome:
    """What became of one run.

    Attributes:
        waits: Milliseconds of each save.
        lost: Saves that are not there afterwards.
        errors: Saves that were refused.
    """

    waits: list[float] = field(default_factory=list[float])
    lost: int = 0
    errors: int = 0


class _Way(Protocol):
    """A connection, and how one writes on it."""

    def transaction(self) -> AbstractContextManager[None]: ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    def write_many(self, sql: str, rows: list[tuple[Any, ...]]) -> int: ...


class _Bare:
    """A connection as SQLite gives it, with the settings of the program."""

    def __init__(self, path: Path, *, queue: bool) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.set_busy_timeout(_BUSY_MS)
        self._connection.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON").fetchall()
        lock = path.with_name("queue")
        self._queue = os.open(lock, os.O_RDWR | os.O_CREAT) if queue else None

    @contextmanager
    def transaction(self) -> Generator[None]:
        if self._queue is not None:
            fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._queue is not None:
                fcntl.flock(self._queue, fcntl.LOCK_UN)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def write_many(self, sql: str, rows: list[tuple[Any, ...]]) -> int:
        self._connection.executemany(sql, rows)
        return len(rows)


WAYS: dict[str, Callable[[Path], _Way]] = {
    "ours": lambda path: Store.open(path),  # type: ignore[dict-item]
    "without a queue": lambda path: _Bare(path, queue=False),
    "bare queue": lambda path: _Bare(path, queue=True),
}


def _work(path: Path, way: str, number: int, saves: int, begin: int, results: Any) -> None:
    """What one process does, once it may begin."""
    place = WAYS[way](path)
    os.read(begin, 1)
    waits: list[float] = []
    errors = 0
    for save in range(saves):
        began = time.perf_counter()
        try:
            with place.transaction():
                seen = int(place.rows(_READ)[0][0])
                place.write_many(_WRITE, [(str(seen + 1),)])
                place.write_many(_NOTE, [(str(number), str(save))])
        except Exception:
            errors += 1
        waits.append((time.perf_counter() - began) * 1e3)
        for _ in range(READS):
            place.rows(_READ)
    results.put((waits, errors))
    results.close()
    results.join_thread()
    # Nothing of what was inherited is to be closed a second time.
    os._exit(0)


def run(folder: Path, way: str, *, processes: int = PROCESSES, saves: int = SAVES) -> Outcome:
    """One run of the load on a new database."""
    path = folder / f"writers-{time.monotonic_ns()}" / "eport.db"
    with Store.open(path) as store, store.transaction():
        store.write_many("INSERT INTO draft VALUES ('shared', '', '', '0', '')", [()])
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    waiting, begin = os.pipe()
    workers = [
        context.Process(target=_work, args=(path, way, number, saves, waiting, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    os.write(begin, b"x" * processes)
    outcome = Outcome()
    for _ in workers:
        waits, errors = results.get(timeout=120)
        outcome.waits += waits
        outcome.errors += errors
    for worker in workers:
        worker.join()
    os.close(waiting)
    os.close(begin)
    with Store.open(path) as store:
        counted = int(store.rows(_READ)[0][0])
        noted = store.rows("SELECT count(*) FROM draft WHERE card_number <> 'shared'")[0][0]
    outcome.lost = processes * saves - outcome.errors - min(counted, noted)
    return outcome


def figures(folder: Path, rounds: int) -> Iterator[Figure]:
    """Lost saves, errors, and how long the unlucky wait."""
    outcomes: dict[str, list[Outcome]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, each in outcomes.items():
            each.append(run(folder, way))
    p99 = {
        way: [percentile(outcome.waits, 0.99) for outcome in each] for way, each in outcomes.items()
    }
    ours, saves = outcomes["ours"], PROCESSES * SAVES * rounds
    lost, errors = sum(each.lost for each in ours), sum(each.errors for each in ours)
    yield Figure(f"20 processes, {saves:,} saves: lost", "", (lost,) * 3, 0)
    yield Figure(f"20 processes, {saves:,} saves: errors", "", (errors,) * 3, 0)
    yield Figure(
        "20 processes: a save, p99", "ms", spread(p99["ours"]), 1.5,
        "bare queue", statistics.median(p99["bare queue"]),
    )  # fmt: skip
    yield Figure(
        "20 processes: a save, p99", "ms", spread(p99["ours"]), None,
        "without a queue", statistics.median(p99["without a queue"]),
    )  # fmt: skip
