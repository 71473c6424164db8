"""The benchmarks run to their end, and what they count is true; their figures mean nothing here."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import data, peers, writers
from benchmarks.figures import Figure
from benchmarks.generator import Population, generate
from benchmarks.meter import Meter
from eport_tui.card.trust import TrustStore
from eport_tui.domain.grants import GrantState, grant_state
from eport_tui.services.verification import Verification
from eport_tui.store.database import Store


def test_a_population_has_all_that_a_real_one_has() -> None:
    population = Population(4000)
    made = [each for of_one in population.made() for each in of_one]
    assert len(made) == 4000
    everybody = [*population.principals, *population.brokers]
    assert len({each.customs_code for each in everybody}) == len(everybody)
    provinces = Counter(each.customs_code[:2] for each in population.principals)
    assert len(provinces) == 14
    assert provinces["44"] > 3 * provinces["51"]
    brokers = Counter(each.row.key.agent for each in made).most_common()
    assert brokers[0][1] > 20 * brokers[len(brokers) // 2][1] / 4
    assert set(GrantState) == {grant_state(each.row.valid_until, population.today) for each in made}
    handed_on = Counter(min(len(each.cards), 1) + (each.cards == ("",)) for each in made)
    assert set(handed_on) == {0, 1, 2}


def test_the_same_seed_makes_the_same_grants() -> None:
    first, again, other = (list(Population(50, seed=seed).made()) for seed in (1, 1, 2))
    assert first == again != other


def test_a_ledger_in_use_for_long_holds_and_has_many_entries_for_each_row(tmp_path: Path) -> None:
    with Store.open(tmp_path / "long.db") as store:
        generate(store, Population(20), trust=tmp_path, single=True, renewals=3)
        verification = Verification(store, TrustStore.of(tmp_path), processes=1)
        assert list(verification.findings()) == []
        [(granted, handed_on)] = store.rows(
            "SELECT (SELECT count(*) FROM enterprise_grant), (SELECT count(*) FROM operator_grant)"
        )
        assert verification.last == 4 * granted + 7 * handed_on


@pytest.mark.parametrize("part", sorted(set(data.PARTS) - {"ready", "writers"}))
def test_each_part_of_the_data_runs_on_a_small_database(part: str) -> None:
    figures = list(data.measured(100, 1, [part]))
    assert figures
    assert all(figure.ours[0] >= 0 for figure in figures)


@pytest.mark.parametrize("way", writers.WAYS)
def test_writers_lose_nothing_when_they_stand_in_a_queue_or_wait(way: str, tmp_path: Path) -> None:
    outcome = writers.run(tmp_path, way, processes=3, saves=4)
    assert (outcome.lost, outcome.errors, len(outcome.waits)) == (0, 0, 12)


def test_a_lost_save_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_WRITE", "UPDATE draft SET content = content WHERE '' = ?")
    assert writers.run(tmp_path, "ours", processes=2, saves=3).lost == 6


def test_a_program_that_is_not_there_is_told_of_with_the_way_to_get_it() -> None:
    absent = peers.Peer("no-such-program", (), (), "", "apt-get install it")
    assert peers.command(absent) == (None, "not installed: apt-get install it")


def test_a_program_that_cannot_be_installed_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*argv: object, **options: object) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(peers, "VENVS", tmp_path)
    monkeypatch.setattr(subprocess, "run", fail)
    assert peers.command(peers.PEERS[1]) == (None, "cannot be installed here")


def test_a_part_that_breaks_off_keeps_what_it_had_and_says_so() -> None:
    def part():
        yield Figure("something", "ms", (1, 1, 1), 2)
        raise OSError

    figures = list(bench.gathered("data", part))
    assert [each.verdict for each in figures] == ["met", "not measured"]
    assert figures[1].missing == "broke off: OSError"


def test_the_page_of_the_docs_has_a_place_for_the_figures_and_keeps_the_rest() -> None:
    page = (bench.DOCS / "performance.md").read_text(encoding="utf-8")
    renewed = bench.documented(page, "| new |\n")
    assert renewed.partition(bench.BEGIN)[0] == page.partition(bench.BEGIN)[0]
    assert renewed.partition(bench.END)[2] == page.partition(bench.END)[2]
    assert renewed.count("| new |") == 1
    assert bench.documented(renewed, "| new |\n") == renewed


def test_the_meter_does_not_wait_for_a_program_that_never_stops_painting() -> None:
    with Meter(["/bin/sh", "-c", "while :; do echo x; sleep 0.01; done"], env={}) as meter:
        meter.settle(0.2, at_most=0.3)
    assert meter.output


def test_a_list_of_the_benchmark_is_one_that_the_store_can_open(tmp_path: Path) -> None:
    with data.Databases(tmp_path, 1000) as made:
        store, agent = made.list_of(1000)
        assert isinstance(store, Store)
        rows = store.rows(
            "SELECT count(*) FROM enterprise_grant WHERE agent = ?", (agent.customs_code,)
        )
        assert rows == [(1000,)]
