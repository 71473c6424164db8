"""Verifying a ledger against its bare signature checks: `python -m benchmarks.verify FILE`.

FILE is made by `python -m benchmarks.generator --grants N --signed FILE`.  Bare are the
checks of all its signatures and nothing else: the keys are taken out and the processes
are there before the clock starts, and each process has its share of the entries at hand.
Both are measured in turn, on the same number of processes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from eport_tui.card.signatures import Verifier
from eport_tui.card.trust import TrustStore
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.services.verification import Verification, cores
from eport_tui.store import ledger
from eport_tui.store.database import Store

_share: list[tuple[Verifier, bytes, bytes]] = []


def _take_share(file: Path, number: int, of: int) -> int:
    with Store.open(file, read_only=True) as store, store.snapshot():
        keys = {name: Verifier(der) for name, der in ledger.certificates(store).items()}
        for entry in ledger.entries(store):
            if entry.number % of == number:
                data = SIGNED_FOR + entry.payload.encode()
                _share.append((keys[entry.certificate], entry.signature, data))
    return len(_share)


def _check_share() -> int:
    return sum(key.fits(signature, data) for key, signature, data in _share)


class _Bare:
    """As many processes as there are cores, one entry to each in turn."""

    def __init__(self, file: Path, processes: int) -> None:
        # One pool for each, so that everybody has the share that he is asked about.
        self._pools = [ProcessPoolExecutor(1, get_context("spawn")) for _ in range(processes)]
        taken = [
            pool.submit(_take_share, file, number, processes)
            for number, pool in enumerate(self._pools)
        ]
        self.entries = sum(each.result() for each in taken)

    def seconds(self) -> float:
        """How long it takes to check all signatures, which must hold."""
        begun = time.perf_counter()
        answers = [pool.submit(_check_share) for pool in self._pools]
        assert sum(each.result() for each in answers) == self.entries
        return time.perf_counter() - begun


def _verify(file: Path, trust: TrustStore, processes: int) -> float:
    with Store.open(file, read_only=True) as store:
        begun = time.perf_counter()
        assert list(Verification(store, trust, processes=processes).findings()) == []
        return time.perf_counter() - begun


def main() -> None:
    """Measure in turn, and print rates and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--json", type=Path, help="where the figures go as JSON, too")
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    trust = TrustStore.of(args.file.with_name(args.file.name + ".trust"))
    bare = _Bare(args.file, args.processes)
    figures: list[tuple[float, float]] = []
    for _ in range(args.rounds):
        # Before and after, so that a machine that changes its speed counts for both.
        before = bare.seconds()
        whole = _verify(args.file, trust, args.processes)
        figures.append(((before + bare.seconds()) / 2, whole))
    ratios = [alone / whole for alone, whole in figures]
    told = {
        "entries": bare.entries,
        "processes": args.processes,
        "bare, entries a second": bare.entries / statistics.median(each for each, _ in figures),
        "verify, entries a second": bare.entries / statistics.median(each for _, each in figures),
        "ratio, median": statistics.median(ratios),
        "ratio, least": min(ratios),
        "ratio, greatest": max(ratios),
    }
    for name, value in told.items():
        print(f"{name:28} {value:>12,.2f}")
    if args.json:
        args.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
