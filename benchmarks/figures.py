"""Figures with their targets, and how they are shown: a table, Markdown, JSON.

A figure is the median of what was measured with its middle 90 of 100, because machines
are noisy; a time means something only as a ratio to its yardstick in the same run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from typing import TypeVar

Subject = TypeVar("Subject")

Spread = tuple[float, float, float]
"""Median, and the bounds of the middle 90 of 100."""

ABSENT: Spread = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with what is wanted of it.

    Attributes:
        what: What was measured.
        unit: Of `ours` and `theirs`.
        ours: The median, and the middle 90 of 100.
        limit: What it should not exceed: itself, or as a ratio to the yardstick; none where
            nothing is wanted of it.
        yardstick: What it is compared with, if with something.
        theirs: The median of the yardstick.
        at_least: Whether `limit` is what it should reach instead.
        missing: Why there is no figure.
    """

    what: str
    unit: str
    ours: Spread
    limit: float | None
    yardstick: str = ""
    theirs: float = 0
    at_least: bool = False
    missing: str = ""

    @property
    def ratio(self) -> float:
        """To the yardstick."""
        return self.ours[0] / self.theirs if self.theirs else 0

    @property
    def value(self) -> float:
        """What is held against the limit."""
        return self.ratio if self.theirs else self.ours[0]

    @property
    def reached(self) -> bool:
        """Whether it is within its limit, or has none."""
        if self.limit is None or self.missing:
            return not self.missing
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `not measured`, or nothing where nothing is wanted."""
        if self.missing:
            return "not measured"
        if self.limit is None:
            return ""
        return "met" if self.reached else "missed"

    @property
    def target(self) -> str:
        """What is wanted, with its unit or `x` for a ratio."""
        if self.limit is None:
            return ""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {short(self.limit)} {'x' if self.yardstick else self.unit}".rstrip()

    def cells(self) -> tuple[str, ...]:
        """The columns of `HEADING`."""
        if self.missing:
            return (self.what, self.yardstick, "", "", "", self.target, self.missing)
        middle, low, high = self.ours
        return (
            self.what,
            f"{self.yardstick} {short(self.theirs)} {self.unit}".rstrip() if self.theirs else "",
            f"{short(middle)} {self.unit}".rstrip(),
            "" if low == high else f"{short(low)}-{short(high)}",
            short(self.ratio) if self.theirs else "",
            self.target,
            self.verdict,
        )


HEADING = ("what", "yardstick", "ours", "middle 90 %", "ratio", "target", "")


def missing(what: str, yardstick: str, why: str, limit: float | None = None) -> Figure:
    """A figure that could not be had here, and why."""
    return Figure(what, "", ABSENT, limit, yardstick, missing=why)


def short(value: float) -> str:
    """A number with three digits that say something, and all of those before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 0.1 or abs(value) >= 10 else 3
    return f"{value:.{digits}g}" if abs(value) < 10 else f"{value:.1f}".removesuffix(".0")


def spread(values: Iterable[float]) -> Spread:
    """Median, and the bounds of the middle 90 of 100."""
    ordered = sorted(values)
    low, high = int(0.05 * (len(ordered) - 1)), round(0.95 * (len(ordered) - 1))
    return statistics.median(ordered), ordered[low], ordered[high]


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which a share of all lies, such as 0.99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def in_turn(
    calls: dict[str, Callable[[], object]], rounds: int, *, scale: float = 1e6
) -> dict[str, list[float]]:
    """Call each in turn (A B C A B C ...); how long each call took, in seconds times `scale`."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - began) * scale)
    return times


# -- shown -----------------------------------------------------------------------------


def of_parts(
    parts: Mapping[str, Callable[[Subject, int], Iterator[Figure]]],
    only: Sequence[str],
    subject: Subject,
    rounds: int,
) -> Iterator[Figure]:
    """The figures of some parts of a benchmark; tells on the way how long each has taken."""
    for name in only:
        began = time.perf_counter()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        yield from parts[name](subject, rounds)
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table, its columns as wide as they have to be."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def table(figures: Sequence[Figure]) -> str:
    """As a table of text."""
    return columns([HEADING, *(figure.cells() for figure in figures)])


def markdown(figures: Sequence[Figure], command: str) -> str:
    """As a dated table for the documentation, with the command that made it."""
    rows = [HEADING, ("---",) * len(HEADING), *(figure.cells() for figure in figures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(
        [f"{date.today()}, {machine()}, `{command}`; {summary(figures)}:", "", *lines, ""]
    )


def as_json(figures: Sequence[Figure], command: str) -> str:
    """As JSON, with what a reader needs to judge them."""
    facts = [
        asdict(figure) | {"ratio": figure.ratio, "verdict": figure.verdict} for figure in figures
    ]
    document = {
        "date": str(date.today()),
        "machine": machine(),
        "command": command,
        "figures": facts,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def machine() -> str:
    """Cores, Python and Textual of this run."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, Python {platform.python_version()}, Textual {version('textual')}"


def summary(figures: Sequence[Figure]) -> str:
    """How many targets were met."""
    wanted = [figure for figure in figures if figure.limit is not None and not figure.missing]
    met = sum(figure.reached for figure in wanted)
    absent = sum(bool(figure.missing) for figure in figures)
    text = f"{met} of {len(wanted)} targets met"
    return f"{text}, not measured here: {absent}" if absent else text
