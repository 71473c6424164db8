"""The figures of the terminal, against plain Textual programs in the same run.

    python -m benchmarks.terminal [--rounds 5] [--json FILE] [--only start keys session idle load]
    python -m benchmarks.terminal --itemize

Every round starts each program anew, in turn (A B A B ...).  Times are medians
with the middle 90 of 100; bytes are exact.  `--itemize` shows of which bytes each step
of a session consists.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.figures import Figure, as_json, columns, of_parts, spread, table
from benchmarks.meter import Effect, Meter, parts
from eport_tui.card.software import Cost
from eport_tui.services import demo
from eport_tui.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
PIN = "88888888"
HOME, UP, DOWN, PAGE_DOWN, SHIFT_TAB = "\x1b[H", "\x1b[A", "\x1b[B", "\x1b[6~", "\x1b[Z"
F10 = "\x1b[21~"
# The card's own cost is not the terminal's.
CHEAP = Cost(memory_kib=64, iterations=1, lanes=1)


def plain(kind: str) -> Meter:
    """A plain Textual program."""
    return Meter([sys.executable, "-m", "benchmarks.plain", kind], env={"ESCDELAY": "25"}, cwd=ROOT)


class Ours:
    """The program on a demo that is made once."""

    def __init__(self, folder: Path) -> None:
        self._made, self._home = folder / "made", folder / "home"
        demo.prepare(load_settings(demo_dir=self._made, environment={}))
        self.cards = sorted(card.number for card in demo.CARDS)

    def start(self, *options: str) -> Meter:
        """The program on a fresh copy of the demo."""
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.copytree(self._made, self._home / ".local" / "share" / "eport-tui" / "demo")
        return Meter(
            [sys.executable, "-m", "eport_tui", *options, "demo"],
            env={"HOME": str(self._home)},
            cwd=ROOT,
        )

    def work(self) -> Meter:
        """The program on the same data as at work, without what only the demo prepares."""
        data = self._home / ".local" / "share" / "eport-tui" / "demo"
        places = {name: data / name for name in ("cards", "trust", "authority")}
        places["database"] = data / "eport.db"
        return Meter(
            [sys.executable, "-m", "eport_tui"],
            env={
                "HOME": str(self._home),
                **{f"EPORT_TUI_{name.upper()}": str(path) for name, path in places.items()},
            },
            cwd=ROOT,
        )

    def ready(self, meter: Meter) -> float:
        """Wait until the cards are shown and can be chosen; milliseconds since the start."""
        return meter.wait_for(self.cards[-1])

    def log_in(self, meter: Meter, card: str = "8900000000011") -> None:
        """Log in as soon as the cards are there."""
        self.ready(meter)
        meter.send(f"{HOME}{DOWN * self.cards.index(card)}\r{PIN}\r", quiet=0.4)


def start(ours: Ours, rounds: int) -> Iterator[Figure]:
    """From the start of the process to a login screen that can be used, and its memory."""
    times: dict[str, list[float]] = {"minimal": [], "painted": [], "ours": []}
    memory: dict[str, list[float]] = {"minimal": [], "ours": []}
    ours.start().__exit__(None, None, None)
    for _ in range(rounds):
        with plain("minimal") as meter:
            times["minimal"].append(meter.wait_for("ready"))
            meter.settle(0.8)
            memory["minimal"].append(meter.private_mb)
        with ours.work() as meter:
            times["painted"].append(meter.wait_for("电子口岸委托授权"))
            times["ours"].append(ours.ready(meter))
            meter.settle(0.8)
            memory["ours"].append(meter.private_mb)
    yield Figure(
        "start to the login screen, painted", "ms", spread(times["painted"]), 1.2, "minimal",
        statistics.median(times["minimal"]),
    )  # fmt: skip
    yield Figure(
        "start to a usable login screen", "ms", spread(times["ours"]), 1.2, "minimal",
        statistics.median(times["minimal"]),
    )  # fmt: skip
    yield Figure(
        "private memory at the login screen", "MB", spread(memory["ours"]), 1.3, "minimal",
        statistics.median(memory["minimal"]),
    )  # fmt: skip


def keys(ours: Ours, rounds: int) -> Iterator[Figure]:
    """Typing, moving, opening and leaving."""
    them: dict[str, list[Effect]] = {}
    us: dict[str, list[Effect]] = {}

    def note(kept: dict[str, list[Effect]], name: str, effect: Effect) -> Effect:
        kept.setdefault(name, []).append(effect)
        return effect

    for _ in range(rounds):
        with plain("compact") as meter:
            meter.wait_for("ready")
            meter.settle(0.5)
            for visit in range(3):
                note(them, "open" if visit else "first", meter.send("1", quiet=0.3))
                if visit < 2:
                    note(them, "esc", meter.send("\x1b", quiet=0.3))
            for key in "8900000000":
                note(them, "type", meter.send(key))
            for _ in range(6):
                note(them, "move", meter.send("\t"))
        with ours.start() as meter:
            ours.log_in(meter)
            meter.send("1", quiet=0.3)
            for visit in range(3):
                note(us, "open" if visit else "first", meter.send("1", quiet=0.3))
                if visit < 2:
                    meter.send("\x1b", quiet=0.3)
            meter.send("8")
            for key in "900000000":
                note(us, "type", meter.send(key))
            for key in "\x7f" * 9:
                note(us, "backspace", meter.send(key))
            meter.send("\x7f中")
            for key in "华样例":
                note(us, "chinese", meter.send(key))
            meter.send("\x7f" * 4)
            for _ in range(2):
                for key in ("\t", "\t", "\t", SHIFT_TAB, SHIFT_TAB, SHIFT_TAB):
                    note(us, "move", meter.send(key))
            meter.send("\t")
            for _ in range(3):
                note(us, "list", meter.send(" "))
                for key in (DOWN, DOWN, UP):
                    note(us, "in list", meter.send(key))
                note(us, "esc", meter.send("\x1b", quiet=0.3))
            meter.send("\t\t\t")
            for key in (DOWN, DOWN, DOWN, UP, UP):
                note(us, "row", meter.send(key))
            moves = "".join(f"\x1b[<35;{x};10M" for x in range(10, 60))
            note(us, "mouse", meter.send(moves, quiet=0.01))
        with ours.start() as meter:
            ours.log_in(meter, "8900000000035")
            meter.send("12", quiet=0.4)
            for key in (PAGE_DOWN, "\x1b[5~", PAGE_DOWN):
                note(us, "page", meter.send(key))

    def compared(what: str, name: str, limit: float, other: str = "", cpu: bool = False) -> Figure:
        pick: Callable[[Effect], float] = lambda e: e.cpu_ms if cpu else e.last_ms  # noqa: E731
        return Figure(
            what, "ms CPU" if cpu else "ms", spread([pick(e) for e in us[name]]), limit,
            "compact", statistics.median(pick(e) for e in them[other or name]),
        )  # fmt: skip

    def counted(what: str, name: str, limit: float) -> Figure:
        return Figure(what, "B", spread([e.bytes for e in us[name]]), limit)

    yield counted("a typed character, ASCII", "type", 2)
    yield counted("a typed character, Chinese", "chinese", 4)
    yield counted("Backspace", "backspace", 12)
    yield counted("move to the next field", "move", 120)
    yield counted("paint a form with its list", "open", 1500)
    yield counted("open a list", "list", 600)
    yield counted("move in it", "in list", 200)
    yield counted("row down", "row", 220)
    yield counted("page down", "page", 800)
    yield counted("the mouse moves 50 times", "mouse", 0)
    yield compared("a typed character", "type", 0.6)
    yield compared("a typed character", "type", 0.7, cpu=True)
    yield compared("move to the next field", "move", 0.35)
    yield compared("open a form, first time", "first", 0.3)
    yield compared("open a form again", "open", 0.3)
    yield Figure("Esc to effect", "ms", spread([e.first_ms for e in us["esc"]]), 60)


def steps(ours: Ours) -> Iterator[tuple[str, bytes]]:
    """Log in, menu, form, its fields, save, back; what was written at each step."""
    with ours.start() as meter:
        ours.ready(meter)
        meter.settle(0.5)
        yield "start", bytes(meter.output)
        yield "card", meter.send(f"{HOME}\r", quiet=0.4).output
        for keys in (*PIN, "\r", "1", "1", *"3302980004", "\r", " ", "95", "\r", "\r"):
            yield repr(keys), meter.send(keys, quiet=0.2).output
        for keys in (*"20311231", F10, "\x1b", "\x1b"):
            yield repr(keys), meter.send(keys, quiet=0.4).output


def itemized(ours: Ours) -> str:
    """Of which bytes each step of a session consists, and the whole."""
    made = list(steps(ours))
    made.append(("session", b"".join(output for _, output in made)))
    rows = [("step", "bytes", *parts(b""))]
    rows += [(n, str(len(out)), *map(str, parts(out).values())) for n, out in made]
    return columns(rows)


def session(ours: Ours, rounds: int) -> Iterator[Figure]:
    """A session's bytes."""
    totals = [sum(len(output) for _, output in steps(ours)) for _ in range(min(rounds, 2))]
    yield Figure("a session: log in, menu, form, fields, save, back", "B", spread(totals), 4000)


def idle(ours: Ours, rounds: int) -> Iterator[Figure]:
    """Whiles in which nobody types, at a form, each reckoned as a minute."""
    found: dict[str, list[float]] = {}
    with ours.start() as meter:
        ours.log_in(meter)
        meter.send("11", quiet=0.5)
        meter.settle(1.5)
        for _ in range(min(rounds, 5)):
            cpu, written, before = meter.cpu_ms, len(meter.output), meter.wakeups()
            began = time.perf_counter()
            meter.settle(8)
            after = meter.wakeups()
            woken = {name: count - before.get(name, count) for name, count in after.items()}
            main = woken.pop(meter.pid)
            looks = max(woken.values(), default=0)
            share = 60 / (time.perf_counter() - began)
            for name, figure in {
                "bytes": len(meter.output) - written,
                "main": main,
                "looks": looks,
                "others": sum(woken.values()) - looks,
                "cpu": meter.cpu_ms - cpu,
            }.items():
                found.setdefault(name, []).append(figure * share)
    yield Figure("idle minute: bytes", "B", spread(found["bytes"]), 0)
    yield Figure("idle minute: wake-ups, main thread", "", spread(found["main"]), 0)
    # One thread looks whether the card is still there, and whether somebody has saved.
    yield Figure("idle minute: wake-ups, card watcher", "", spread(found["looks"]), None)
    yield Figure("idle minute: wake-ups, others", "", spread(found["others"]), 0)
    yield Figure("idle minute: CPU", "ms", spread(found["cpu"]), 20)


def load(ours: Ours, rounds: int) -> Iterator[Figure]:
    """Twenty fast typists: four keys a second each."""
    waits: list[float] = []
    stop = threading.Barrier(20)

    def type_away(meter: Meter, number: int) -> None:
        stop.wait()
        time.sleep(number * 0.0125)
        for _ in range(4):
            for key in "89000" + "\x7f" * 5:
                began = time.perf_counter()
                waits.append(meter.send(key, quiet=0.001).first_ms)
                time.sleep(max(0.0, 0.25 - (time.perf_counter() - began)))

    meters: list[Meter] = []
    try:
        for _ in range(20):
            meter = ours.start() if not meters else Meter(
                [sys.executable, "-m", "eport_tui", "demo"],
                env={"HOME": str(ours._home)}, cwd=ROOT,
            )  # fmt: skip
            meters.append(meter)
            ours.log_in(meter)
            meter.send("11", quiet=0.6)
        threads = [
            threading.Thread(target=type_away, args=(meter, at)) for at, meter in enumerate(meters)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for meter in meters:
            meter.__exit__(None, None, None)
    ordered = sorted(waits)
    yield Figure(
        "20 typists, first byte, p95", "ms", spread([ordered[int(0.95 * len(ordered))]]), 25
    )
    yield Figure("20 typists, first byte, worst", "ms", spread([ordered[-1]]), 60)


PARTS = {"start": start, "keys": keys, "session": session, "idle": idle, "load": load}


@contextmanager
def demo_once() -> Iterator[Ours]:
    """A demo with cards that cost little, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder, patch.object(demo, "CARD_COST", CHEAP):
        yield Ours(Path(folder))


def measured(rounds: int, only: Sequence[str] = tuple(PARTS)) -> Iterator[Figure]:
    """The figures of some parts or all."""
    with demo_once() as ours:
        yield from of_parts(PARTS, only, ours, rounds)


def main() -> int:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terminal")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--itemize", action="store_true")
    arguments = parser.parse_args()
    if arguments.itemize:
        with demo_once() as ours:
            print(itemized(ours))
        return 0
    figures = list(measured(arguments.rounds, arguments.only))
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures, "python -m benchmarks.terminal"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
