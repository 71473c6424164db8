"""What a reader of the benchmarks is told: verdicts, tables, JSON, the picture."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from benchmarks.chart import share, svg
from benchmarks.figures import (
    HEADING,
    Figure,
    as_json,
    in_turn,
    markdown,
    missing,
    percentile,
    short,
    spread,
    summary,
    table,
)

BYTES = Figure("a typed character", "B", (1, 1, 1), 2)
SLOW = Figure("open a form", "ms", (40, 38, 44), 0.3, "compact", 100)
RATE = Figure("import", "rows/s", (60_000, 55_000, 61_000), 50_000, at_least=True)
TOLD = Figure("start", "ms", (200, 190, 210), None, "posting", 1000)
ABSENT = missing("start", "whiptail", "not installed: apt-get install whiptail")
ALL = (BYTES, SLOW, RATE, TOLD, ABSENT)


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (BYTES, "met"),
        (Figure("at its limit", "B", (2, 2, 2), 2), "met"),
        (Figure("above it", "B", (2.1, 2, 3), 2), "missed"),
        (SLOW, "missed"),
        (Figure("a ratio", "ms", (30, 1, 90), 0.3, "compact", 100), "met"),
        (RATE, "met"),
        (Figure("too few", "rows/s", (49_999,) * 3, 50_000, at_least=True), "missed"),
        (Figure("nothing, and there is something", "", (1,) * 3, 0), "missed"),
        (TOLD, ""),
        (ABSENT, "not measured"),
    ],
)
def test_a_verdict_is_by_the_ratio_where_there_is_a_yardstick(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_the_table_has_a_line_for_each_figure_and_says_what_is_missing() -> None:
    lines = table(ALL).splitlines()
    assert lines[0].split("  ")[0] == "what"
    assert len(lines) == 1 + len(ALL)
    assert lines[2].split()[-4:] == ["0.4", "<=", "0.3", "x"] or lines[2].endswith("missed")
    assert lines[-1].endswith("not installed: apt-get install whiptail")


def test_markdown_is_dated_names_the_command_and_has_as_many_cells_in_each_row() -> None:
    first, *rows = markdown(ALL, "make bench").strip().splitlines()
    assert "`make bench`" in first
    assert "2 of 3 targets met, not measured here: 1" in first
    cells = {row.count("|") for row in rows if row}
    assert cells == {len(HEADING) + 1}


def test_json_has_verdict_and_ratio() -> None:
    figures = json.loads(as_json(ALL, "make bench"))["figures"]
    assert [each["verdict"] for each in figures] == ["met", "missed", "met", "", "not measured"]
    assert figures[1]["ratio"] == pytest.approx(0.4)


def test_what_was_not_measured_is_no_miss() -> None:
    assert summary([BYTES, ABSENT]) == "1 of 1 targets met, not measured here: 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.004567, "0.0046"), (0.35, "0.35"), (1.234, "1.23"), (12.34, "12.3"),
     (20, "20"), (1234.5, "1,234"), (50_000, "50,000")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_median_and_the_middle_of_many() -> None:
    assert spread(range(101)) == (50, 5, 95)
    assert percentile(range(100), 0.99) == 99


def test_calls_are_timed_in_turn() -> None:
    order: list[str] = []
    times = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b"] * 3
    assert {name: len(each) for name, each in times.items()} == {"a": 2, "b": 2}


def test_the_picture_draws_what_has_a_target_each_on_its_side_of_it() -> None:
    root = ElementTree.fromstring(svg(ALL, "title <&>"))
    names = {text.text for text in root.findall(".//{*}text")}
    assert {"title <&>", "a typed character (B)", "open a form (ms)"} <= names
    assert "start (ms)" not in names
    # A met one is a disc, a missed one a lozenge.
    assert len(list(root.findall(".//{*}circle"))) == 2
    assert len(list(root.findall(".//{*}path"))) == 1


def test_a_share_of_a_target_is_at_most_one_where_it_is_met() -> None:
    assert share(BYTES) == 0.5
    assert share(SLOW) == pytest.approx(4 / 3)
    assert share(RATE) == pytest.approx(5 / 6)
    assert share(Figure("none", "B", (0, 0, 0), 0)) == 0
    assert share(Figure("some", "B", (1, 1, 1), 0)) == float("inf")
