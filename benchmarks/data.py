"""The figures of the data, against raw SQLite and pycasbin in the same run.

    python -m benchmarks.data [--grants 1000000] [--rounds 5] [--only decisions ...]

Databases are made up by `benchmarks.generator`, once a run, in a temporary folder; so
much time and disk goes into the largest.  `--grants` is its size: smaller ones are quicker
and say nothing about the targets.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import apsw
import casbin
from casbin.model import FastModel

from benchmarks import writers
from benchmarks.figures import Figure, in_turn, of_parts, percentile, spread, table
from benchmarks.generator import Population, generate
from benchmarks.meter import Meter
from benchmarks.verify import Bare
from eport_tui.card.trust import TrustStore
from eport_tui.domain import dates
from eport_tui.domain.decision import Request
from eport_tui.domain.grants import GrantDraft
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.identifiers import uscc_check_digit
from eport_tui.domain.lists import PageSource
from eport_tui.reference import load_tables
from eport_tui.services import (
    decisions,
    enterprise_grants,
    operator_grants,
    permissions,
    registry,
)
from eport_tui.services.verification import Verification, cores
from eport_tui.store import enterprises, ledger
from eport_tui.store.database import Store
from eport_tui.store.permissions import DECISION
from tests.services.world import StandIn, session

ROOT = Path(__file__).resolve().parent.parent
MILLION, SMALL = 1_000_000, 1_000
PAGE = 100
"""Rows in a page, as a grid asks for them."""

BATCH = 200
"""Questions that are timed together."""


class Databases:
    """Databases of made-up grants, each made when it is first asked for.

    Args:
        folder: Where they are.
        most: What stands for a million.
    """

    def __init__(self, folder: Path, most: int = MILLION) -> None:
        self.folder = folder
        self.most = most
        self.middle, self.least = max(most // 10, 20), min(SMALL, most)
        self._open = ExitStack()
        self.of = cache(self._of)
        self.list_of = cache(self._list_of)

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _of(self, grants: int) -> Store:
        place = self.folder / f"{grants}.db"
        with Store.open(place) as store:
            generate(store, Population(grants))
        # Anew, because those who fill a database have other settings.
        return self._open.enter_context(Store.open(place))

    def _list_of(self, rows: int) -> tuple[Store, Enterprise]:
        """A database in which one agent has received so many grants, and the agent."""
        path = self.folder / f"list-{rows}.db"
        Store.open(path).close()
        agent = Enterprise("1101980001", "91110000PDY00001XG", "样例报关有限公司")
        begun, until = dates.today() - timedelta(days=100), dates.today() + timedelta(days=500)
        with closing(sqlite3.connect(path)) as raw:
            raw.executescript("PRAGMA cache_size = -500000; PRAGMA synchronous = OFF")
            raw.executemany(
                "INSERT INTO enterprise VALUES (?, ?, ?)",
                [(agent.customs_code, agent.uscc, agent.name)]
                + [(_principal(number), f"91{number:015d}X", "样例制造") for number in range(rows)],
            )
            raw.executemany(
                """
                INSERT INTO enterprise_grant (principal, agent, subsystem, grant_type,
                    granted_on, valid_until, revision, changed_at, changed_by)
                VALUES (?, ?, '95', 'X1', ?, ?, 1, ?, '8900000000011')
                """,
                (
                    (_principal(number), agent.customs_code, f"{begun}", f"{until}", f"{begun}")
                    for number in range(rows)
                ),
            )
            raw.commit()
        return self._open.enter_context(Store.open(path)), agent


def _principal(number: int) -> str:
    """A customs code; codes rise with their numbers."""
    return f"{1200 + number // 10_000 % 8000:04d}94{number % 10_000:04d}"


# -- lists -----------------------------------------------------------------------------


def _looks(store: Store, agent: Enterprise, rows: int) -> dict[str, Callable[[], object]]:
    """What an operator does in a list, by name; all that knows how pages are asked for."""
    card = session(agent)
    source: PageSource[Any] = operator_grants.received(store, card)
    middle, first = _principal(rows // 2), source.after(None, PAGE)[-1]

    def jump() -> object:
        found = source.seek(middle)
        assert found is not None
        return source.after(found, PAGE)

    return {
        "first page": lambda: source.after(None, PAGE),
        "next page": lambda: source.after(first, PAGE),
        "last page": lambda: source.before(None, PAGE),
        "jump to a prefix": jump,
    }


def lists(made: Databases, rounds: int) -> Iterator[Figure]:
    """Pages of a long list against those of a short one."""
    small, large = (_looks(*made.list_of(rows), rows) for rows in (made.least, made.most))
    for name in small:
        times = in_turn({"small": small[name], "large": large[name]}, 8 * rounds, scale=1e3)
        yield Figure(
            f"list of {made.most:,}: {name}", "ms", spread(times["large"]), 1.4,
            f"{made.least:,} rows", statistics.median(times["small"]),
        )  # fmt: skip


def list_ready(made: Databases, rounds: int) -> Iterator[Figure]:
    """A program that shows a long list, from its start, against one that shows a text."""
    places = {rows: place_of(*made.list_of(rows)) for rows in (made.least, made.most)}
    times: dict[str, list[float]] = {"minimal": [], "list": []}
    memory: dict[int, list[float]] = {rows: [] for rows in places}

    def program(module: str, *arguments: str) -> Meter:
        argv = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        return Meter(argv, env={"ESCDELAY": "25"}, cwd=ROOT)

    for _ in range(rounds):
        with program("plain", "minimal") as meter:
            times["minimal"].append(meter.wait_for("ready"))
        for rows, place in places.items():
            with program("listing", *place) as meter:
                ready = meter.wait_for(_principal(0))
                meter.settle(0.5, at_most=3)
                memory[rows].append(meter.private_mb)
            if rows == made.most:
                times["list"].append(ready)
    yield Figure(
        f"list of {made.most:,}: ready", "ms", spread(times["list"]), 1.15,
        "minimal", statistics.median(times["minimal"]),
    )  # fmt: skip
    short = statistics.median(memory[made.least])
    yield Figure(
        f"list of {made.most:,}: memory beyond {made.least:,}", "MB",
        spread([max(0, each - short) for each in memory[made.most]]), 4,
    )  # fmt: skip


def place_of(store: Store, agent: Enterprise) -> tuple[str, str]:
    """What `benchmarks.listing` is told."""
    return str(store.place), agent.customs_code


# -- decisions -------------------------------------------------------------------------

_MODEL = """
[request_definition]
r = card, agent, principal, subsystem, action, day, operator

[policy_definition]
p = card, agent, principal, subsystem, type, first, last

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.principal == p.principal && r.agent == p.agent && r.subsystem == p.subsystem \
&& r.operator && (p.card == '*' || r.card == p.card) && g(r.action, p.type) \
&& within(r.day, p.first, p.last)
"""
"""The rule of the decision between two enterprises, cheapest comparisons first."""

_EXACT = [2, 1, 3]
"""Of a request, what a line must have just so: principal, agent, subsystem."""

_POLICY = """
    SELECT CASE o.card_number WHEN '' THEN '*' ELSE o.card_number END,
           g.agent, g.principal, g.subsystem, g.grant_type, g.granted_on, g.valid_until
    FROM operator_grant o JOIN enterprise_grant g ON g.id = o.enterprise_grant_id
    ORDER BY o.id LIMIT ?
"""
"""Operator grants, a line for each."""


def _requests(store: Store, count: int = BATCH) -> list[Request]:
    """Questions about grants from all over the database; half by a card that has none."""
    tables, chance = load_tables(), random.Random(2)
    action = {need: action for action, need in tables.action_needs.items()}
    newest = store.rows("SELECT max(id) FROM enterprise_grant")[0][0]
    found: list[Request] = []
    while len(found) < count:
        [(principal, agent, subsystem, kind, card)] = store.rows(
            """
            SELECT g.principal, g.agent, g.subsystem, g.grant_type,
                (SELECT max(card_number) FROM operator_grant o WHERE o.enterprise_grant_id = g.id)
            FROM enterprise_grant g WHERE g.id >= ? ORDER BY g.id LIMIT 1
            """,
            (chance.randint(1, newest),),
        )
        number = card if card and len(found) % 2 else "8900000000099"
        found.append(
            Request(number, Role.OPERATOR, agent, principal, subsystem, action[kind], dates.today())
        )
    return found


def _ask(store: Store, requests: Sequence[Request]) -> Callable[[], object]:
    tables = load_tables()
    return lambda: [decisions.check(store, tables, request).allowed for request in requests]


def _ask_raw(store: Store, requests: Sequence[Request]) -> Callable[[], object]:
    """The same statement on a connection of its own, which keeps it prepared."""
    connection = apsw.Connection(str(store.place), flags=apsw.SQLITE_OPEN_READONLY)
    # As ours: without it SQLite prepares it again and again.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    values = [
        (each.card_number, each.enterprise, each.card_enterprise, each.subsystem)
        for each in requests
    ]
    return lambda: [connection.execute(DECISION, each).fetchall() for each in values]


def decide(made: Databases, rounds: int) -> Iterator[Figure]:
    """One decision, at all sizes, against raw SQLite and pycasbin."""
    calls: dict[str, Callable[[], object]] = {}
    sizes = (made.least, made.middle, made.most)
    for size in sizes:
        store = made.of(size)
        requests = _requests(store)
        calls[f"ours {size}"] = _ask(store, requests)
        calls[f"raw {size}"] = _ask_raw(store, requests)
    times = in_turn(calls, 6 * rounds, scale=1e6 / BATCH)
    for size in sizes:
        yield Figure(
            f"a decision at {size:,} grants", "us", spread(times[f"ours {size}"]), 3,
            "raw", statistics.median(times[f"raw {size}"]),
        )  # fmt: skip
    yield Figure(
        f"a decision at {made.most:,} grants", "us", spread(times[f"ours {made.most}"]), 2,
        f"at {made.least:,}", statistics.median(times[f"ours {made.least}"]),
    )  # fmt: skip
    yield from _against_casbin(made, rounds)


def _against_casbin(made: Databases, rounds: int) -> Iterator[Figure]:
    store = made.of(made.middle)
    requests = _requests(store)
    asked = [
        (each.card_number, each.card_enterprise, each.enterprise, each.subsystem,
         each.action, each.on.isoformat(), each.role is Role.OPERATOR)
        for each in requests
    ]  # fmt: skip
    policy = store.rows(_POLICY, (made.middle,))
    fast = _ready(casbin.FastEnforcer(_with(FastModel(_EXACT), policy), cache_key_order=_EXACT))
    slow = _ready(casbin.Enforcer(_with(casbin.Model(), policy[: made.middle // 10])))
    few = asked[:4]
    times = in_turn(
        {
            "ours": _ask(store, requests),
            "FastEnforcer": lambda: [fast.enforce(*each) for each in asked],
        },
        2 * rounds,
        scale=1e6 / BATCH,
    )
    times |= in_turn(
        {"Enforcer": lambda: [slow.enforce(*each) for each in few]}, rounds, scale=1e6 / len(few)
    )
    yield Figure(
        f"a decision at {made.middle:,} grants", "us", spread(times["ours"]), 1 / 4,
        "pycasbin FastEnforcer", statistics.median(times["FastEnforcer"]),
    )  # fmt: skip
    yield Figure(
        f"a decision at {made.middle:,} grants, pycasbin at {made.middle // 10:,}", "us",
        spread(times["ours"]), 1 / 1000, "pycasbin Enforcer", statistics.median(times["Enforcer"]),
    )  # fmt: skip


def _ready(enforcer: casbin.Enforcer) -> casbin.Enforcer:
    enforcer.add_function("within", lambda day, first, last: first <= day <= last)
    needs = load_tables().action_needs
    enforcer.add_grouping_policies([[action, kind] for action, kind in needs.items()])
    return enforcer


def _with(model: casbin.Model, policy: Sequence[Sequence[str]]) -> casbin.Model:
    model.load_model_from_text(_MODEL)
    # Its own way in looks for each line among those that are there.
    for line in policy:
        model.model["p"]["p"].policy.append(list(line))
    return model


# -- questions -------------------------------------------------------------------------


def questions(made: Databases, rounds: int) -> Iterator[Figure]:
    """Who can, what can, at the largest size: the first page, and how many there are."""
    store, chance = made.of(made.most), random.Random(3)
    newest = store.rows("SELECT max(id) FROM operator_grant")[0][0]
    waits: dict[str, list[float]] = {"who can": [], "what can": []}
    counts: dict[str, list[float]] = {"who can": [], "what can": []}

    def read(name: str, asked: Callable[[], PageSource[Any]]) -> None:
        began = time.perf_counter()
        source = asked()
        source.after(None, PAGE)
        read = time.perf_counter()
        source.count()
        waits[name].append((read - began) * 1e3)
        counts[name].append((time.perf_counter() - read) * 1e3)

    for _ in range(60 * rounds):
        # By what was granted, so that large brokers come as often as they are at work.
        [(principal, agent, card)] = store.rows(
            """
            SELECT g.principal, g.agent, o.card_number
            FROM operator_grant o JOIN enterprise_grant g ON g.id = o.enterprise_grant_id
            WHERE o.id >= ? AND o.card_number <> '' ORDER BY o.id LIMIT 1
            """,
            (chance.randint(1, newest // 2),),
        )
        asking = {code: session(Enterprise(code, "", "")) for code in (principal, agent)}
        read("who can", partial(permissions.who_can, store, asking[principal], subsystem=None))
        read("what can", partial(permissions.what_can, store, asking[agent], card, subsystem=None))
    for name, each in waits.items():
        yield _worst(f"{name} at {newest:,} operator grants: a page, p99", each, 5)
        yield _worst(f"{name} at {newest:,} operator grants: the count, p99", counts[name], None)


def _worst(what: str, waits: Sequence[float], limit: float | None) -> Figure:
    _, low, high = spread(waits)
    return Figure(what, "ms", (percentile(waits, 0.99), low, high), limit)


# -- one save --------------------------------------------------------------------------


@dataclass
class _TimedCard(StandIn):
    """A card whose own time can be taken off."""

    seconds: float = 0

    def sign(self, data: bytes) -> bytes:
        began = time.perf_counter()
        try:
            return super().sign(data)
        finally:
            self.seconds += time.perf_counter() - began


def save(made: Databases, rounds: int) -> Iterator[Figure]:
    """One save of a changed grant, without the card, against a raw update of its row.

    Both are durable (WAL, FULL), on files of the same size in the same folder.
    """
    store, tables, day = made.of(made.middle), load_tables(), dates.today()
    copy = made.folder / "raw.db"
    with closing(sqlite3.connect(store.place)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    raw = apsw.Connection(str(copy))
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        raw.execute(f"PRAGMA {setting}").fetchall()
    [(grant_id, code, agent, subsystem, kind, ends)] = store.rows(
        """
        SELECT id, principal, agent, subsystem, grant_type, valid_until FROM enterprise_grant
        WHERE granted_on <= ? AND valid_until >= ? ORDER BY id LIMIT 1
        """,
        (day.isoformat(), day.isoformat()),
    )
    holder = session(_enterprise(store, code)).holder
    card = _TimedCard(holder)
    # Later and later: what is shortened, and takes something away, is asked about first.
    last = date.fromisoformat(ends)
    untils = [last + timedelta(days=1 + number) for number in range(100 * rounds)]
    ours: list[float] = []
    theirs: list[float] = []
    signing: list[float] = []

    def save_raw(until: date) -> None:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute(
            "UPDATE enterprise_grant SET valid_until = ?, revision = revision + 1 WHERE id = ?",
            (until.isoformat(), grant_id),
        )
        raw.execute("COMMIT")

    revision = store.rows("SELECT revision FROM enterprise_grant WHERE id = ?", (grant_id,))[0][0]
    for number, until in enumerate(untils):
        draft = GrantDraft(agent, subsystem, kind, until.isoformat(), grant_id, revision + number)
        card.seconds, began = 0, time.perf_counter()
        enterprise_grants.save(store, tables, card, draft)
        ours.append((time.perf_counter() - began - card.seconds) * 1e3)
        signing.append(card.seconds * 1e3)
        began = time.perf_counter()
        save_raw(until)
        theirs.append((time.perf_counter() - began) * 1e3)
    raw.close()
    yield Figure(
        "one save: checks, row, ledger; card apart", "ms", spread(ours), 5,
        "raw update", statistics.median(theirs),
    )  # fmt: skip
    yield Figure("one save: the signature of a software card", "ms", spread(signing), None)


def _enterprise(store: Store, code: str) -> Enterprise:
    found = enterprises.get(store, code)
    assert found is not None
    return found


# -- import ----------------------------------------------------------------------------


def _registry_file(path: Path, rows: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(registry.COLUMNS)
        for number in range(rows):
            uscc = f"91310000{number:09d}"
            writer.writerow(
                (_principal(number), uscc + uscc_check_digit(uscc), f"第{number}样例制造有限公司")
            )


def _import(database: Path, file: Path) -> tuple[float, float]:
    """Seconds of an import, and the most memory of this process, in MB."""
    with Store.open(database) as store:
        began = time.perf_counter()
        registry.import_file(store, file)
        seconds = time.perf_counter() - began
    # Not `getrusage`, which counts what the parent had when it started this process.
    status = Path("/proc/self/status").read_text()
    return seconds, int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[0]) / 1024


def imports(made: Databases, rounds: int) -> Iterator[Figure]:
    """Rows of the registry that are checked and stored in a second; the memory it takes."""
    few, many = max(made.most // 20, 100), max(made.most // 5, 400)
    rates: list[float] = []
    memory: dict[int, list[float]] = {few: [], many: []}
    files = {rows: made.folder / f"registry-{rows}.csv" for rows in memory}
    for rows, file in files.items():
        _registry_file(file, rows)
    context = multiprocessing.get_context("spawn")
    for number in range(min(rounds, 3)):
        for rows, file in files.items():
            # A process of its own, because the most memory of one never falls.
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                database = made.folder / f"import-{rows}-{number}.db"
                seconds, most = pool.submit(_import, database, file).result()
            memory[rows].append(most)
            if rows == many:
                rates.append(rows / seconds)
    yield Figure(f"import of {many:,} enterprises", "rows/s", spread(rates), 50_000, at_least=True)
    yield Figure(
        f"import of {many:,}: most memory", "MB", spread(memory[many]), 1.1,
        f"of {few:,}", statistics.median(memory[few]),
    )  # fmt: skip


# -- the ledger ------------------------------------------------------------------------


def _signed(made: Databases, grants: int) -> tuple[Store, TrustStore, int]:
    place, trust = made.folder / f"signed-{grants}.db", made.folder / f"signed-{grants}.trust"
    with Store.open(place) as store:
        generate(store, Population(grants), trust=trust)
    store = Store.open(place)
    return store, TrustStore.of(trust), ledger.last_number(store)


def verification(made: Databases, rounds: int) -> Iterator[Figure]:
    """Verifying a signed ledger, against the checks of its signatures alone on all cores."""
    ledgers = [_signed(made, max(made.most, 4000) // parts) for parts in (200, 50)]
    (_, _, few), (_, _, many) = ledgers

    def verify(store: Store, trust: TrustStore, entries: int) -> None:
        check = Verification(store, trust)
        for finding in check.findings():
            raise RuntimeError(finding.message)
        assert check.last == entries

    file = ledgers[1][0].place
    assert isinstance(file, Path)
    bare = Bare(file, cores())
    times = in_turn(
        {
            "few": partial(verify, *ledgers[0]),
            "many": partial(verify, *ledgers[1]),
            "bare": bare.check,
        },
        min(rounds, 3),
        scale=1,
    )
    bare.close()
    for store, _, _ in ledgers:
        store.close()
    each = {"few": few, "many": many, "bare": many}
    rates = {name: [each[name] / seconds for seconds in times[name]] for name in times}
    yield Figure(
        f"verifying {many:,} entries", "entries/s", spread(rates["many"]), 0.7,
        "bare checks", statistics.median(rates["bare"]), at_least=True,
    )  # fmt: skip
    yield Figure(
        f"verifying {many:,} entries, one of them", "us",
        spread([1e6 / rate for rate in rates["many"]]), 1.2,
        f"of {few:,}", 1e6 / statistics.median(rates["few"]),
    )  # fmt: skip


def twenty(made: Databases, rounds: int) -> Iterator[Figure]:
    """Twenty processes that save and read; see `benchmarks.writers`."""
    yield from writers.figures(made.folder, rounds)


PARTS: dict[str, Callable[[Databases, int], Iterator[Figure]]] = {
    "lists": lists,
    "ready": list_ready,
    "decisions": decide,
    "questions": questions,
    "save": save,
    "import": imports,
    "writers": twenty,
    "ledger": verification,
}


def measured(grants: int, rounds: int, only: Sequence[str] = tuple(PARTS)) -> Iterator[Figure]:
    """The figures of some parts or all, on databases that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, Databases(Path(folder), grants) as made:
        yield from of_parts(PARTS, only, made, rounds)


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data")
    parser.add_argument("--grants", type=int, default=MILLION, help="size of the largest database")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    print(table(list(measured(arguments.grants, arguments.rounds, arguments.only))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
