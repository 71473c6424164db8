"""All figures at once: the terminal, other programs, the data.

    python -m benchmarks [--quick] [--docs] [--out build/bench] [--only terminal peers data]

Prints one table and writes it as `figures.json`, `figures.md` and `figures.svg`.  With
`--docs` table and picture go into `docs/performance.md` as well.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from benchmarks import data, peers, terminal
from benchmarks.chart import svg
from benchmarks.figures import Figure, as_json, machine, markdown, missing, summary, table

COMMAND = "make bench"
DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- figures, by make bench -->\n", "<!-- end of the figures -->\n"
"""Between which lines of `performance.md` the table stands."""


def parts(*, quick: bool) -> dict[str, Callable[[], Iterator[Figure]]]:
    """What is measured, by name; quickly is for trying it out."""
    rounds, grants = (1, 20_000) if quick else (5, data.MILLION)
    return {
        "terminal": lambda: terminal.measured(rounds),
        "peers": lambda: peers.measured(min(rounds, 3)),
        "data": lambda: data.measured(grants, rounds),
    }


def gathered(name: str, part: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """The figures of a part; where it breaks off, those that it had, and that it did."""
    try:
        yield from part()
    except Exception as error:
        traceback.print_exc()
        yield missing(f"{name}: the rest", "", f"broke off: {type(error).__name__}")


def documented(page: str, figures: str) -> str:
    """A page with other figures between its two marks.

    Raises:
        ValueError: It has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the figures")
    return f"{before}{begin}\n{figures}\n{end}{after}"


def main() -> int:
    """Measure, print the table, write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, small databases")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of the files")
    parser.add_argument("--docs", action="store_true", help="renew docs/performance.md too")
    parser.add_argument("--only", nargs="+", choices=parts(quick=True), default=None)
    arguments = parser.parse_args()
    chosen = parts(quick=arguments.quick)
    began = time.monotonic()
    figures = [
        figure for name in arguments.only or chosen for figure in gathered(name, chosen[name])
    ]
    print(table(figures))
    print(f"\n{summary(figures)}; {time.monotonic() - began:.0f} s")
    command = f"{COMMAND}-quick" if arguments.quick else COMMAND
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = markdown(figures, command)
    picture = svg(figures, f"eport-tui, {date.today()}, {machine()}")
    _write(arguments.out / "figures.json", as_json(figures, command))
    _write(arguments.out / "figures.md", lines)
    _write(arguments.out / "figures.svg", picture)
    if arguments.docs:
        page = DOCS / "performance.md"
        _write(page, documented(page.read_text(encoding="utf-8"), lines))
        _write(DOCS / "performance.svg", picture)
    return 0


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
