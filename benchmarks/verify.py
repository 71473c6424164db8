"""Verifying a ledger against its bare signature checks: `python -m benchmarks.verify FILE`.

FILE is made by `python -m benchmarks.generator --grants N --signed FILE`.  Bare are the
checks of all its signatures and nothing else: the keys are taken out and the processes
are there before the clock starts, and each process has its share of the entries at hand.
Both are measured in turn, on the same number of processes, by the clock and by the
processor time of all processes together, which others on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from eport_tui.card.signatures import Verifier
from eport_tui.card.trust import TrustStore
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.services.verification import Verification, cores
from eport_tui.store import ledger
from eport_tui.store.database import Store


def _check_share(file: Path, number: int, of: int, pipe: Connection) -> None:
    """What a process does: take its share, then check it each time that it is asked to."""
    share: list[tuple[Verifier, bytes, bytes]] = []
    with Store.open(file, read_only=True) as store, store.snapshot():
        keys = {name: Verifier(der) for name, der in ledger.certificates(store).items()}
        for entry in ledger.entries(store):
            if entry.number % of == number:
                data = SIGNED_FOR + entry.payload.encode()
                share.append((keys[entry.certificate], entry.signature, data))
    pipe.send(len(share))
    while pipe.recv():
        begun = time.process_time()
        assert all(key.fits(signature, data) for key, signature, data in share)
        pipe.send(time.process_time() - begun)


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class Bare:
    """As many processes as there are cores, one entry to each in turn.

    Threads would keep the verification from forking, as it does for an operator.
    """

    def __init__(self, file: Path, processes: int) -> None:
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_check_share, args=(file, number, processes, theirs), daemon=True
            )
            process.start()
            self._pipes.append(ours)
        self.entries: int = sum(pipe.recv() for pipe in self._pipes)

    def check(self) -> tuple[float, float]:
        """How long it takes to check all signatures, by the clock and of the processors."""
        begun = time.perf_counter()
        for pipe in self._pipes:
            pipe.send(True)
        spent = sum(pipe.recv() for pipe in self._pipes)
        return time.perf_counter() - begun, spent

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(False)


def _verify(file: Path, processes: int) -> tuple[float, float]:
    """How long a verification takes, in a process of its own, as an operator starts it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_verify_here, args=(file, processes, theirs))
    process.start()
    try:
        return ours.recv()
    finally:
        process.join()


def _verify_here(file: Path, processes: int, pipe: Connection) -> None:
    trust = TrustStore.of(file.with_name(file.name + ".trust"))
    with Store.open(file, read_only=True) as store:
        begun, spent = time.perf_counter(), _processor_seconds()
        assert list(Verification(store, trust, processes=processes).findings()) == []
        pipe.send((time.perf_counter() - begun, _processor_seconds() - spent))


def main() -> None:
    """Measure in turn, and print rates and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--json", type=Path, help="where the figures go as JSON, too")
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    bare = Bare(args.file, args.processes)
    rounds = [
        # Before and after, so that a machine that changes its speed counts for both.
        (bare.check(), _verify(args.file, args.processes), bare.check())
        for _ in range(args.rounds)
    ]
    bare.close()
    told: dict[str, float] = {"entries": bare.entries, "processes": args.processes}
    for at, by in enumerate(("by the clock", "of processor time")):
        alone = [(before[at] + after[at]) / 2 for before, _, after in rounds]
        whole = [verified[at] for _, verified, _ in rounds]
        ratios = sorted(one / other for one, other in zip(alone, whole, strict=True))
        told |= {
            f"{by}: bare, entries/s": bare.entries / statistics.median(alone),
            f"{by}: verify, entries/s": bare.entries / statistics.median(whole),
            f"{by}: ratio, median": statistics.median(ratios),
            f"{by}: ratio, least": ratios[0],
            f"{by}: ratio, greatest": ratios[-1],
        }
    for name, value in told.items():
        print(f"{name:40} {value:>12,.2f}")
    if args.json:
        args.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
