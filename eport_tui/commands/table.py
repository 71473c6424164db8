"""Tables of text whose columns stand below one another, Chinese characters included."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence

_GAP, _MARK = "  ", ".."

_LEAST = 8
"""Cells that are left of a text that is cut: three characters and the mark."""

_LAST = 10
"""Cells of the last column that have to fit; what is longer is a sentence, and may wrap."""


def print_table(rows: Sequence[tuple[str, ...]], *, cut: Sequence[int] = ()) -> None:
    """Print rows of the same length; the texts are safe to show already.

    Args:
        cut: The columns whose texts are cut where a terminal is too narrow, and left out
            where that is not enough, which is said then.  Elsewhere, as in a file, they
            are always whole.
    """
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    left_out: set[int] = set()
    if cut and sys.stdout is not None and sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
        left_out = _fit(widths, cut, room)
    for row in rows:
        cells = [
            _padded(text, width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
            if at not in left_out
        ]
        print(_GAP.join(cells).rstrip())
    if left_out:
        names = "、".join(dict.fromkeys(rows[0][at] for at in sorted(left_out)))
        print(f"终端太窄，没有列出{names}；请加宽终端，或输出到文件")


def _fit(widths: list[int], cut: Sequence[int], room: int) -> set[int]:
    """Make columns narrower until all fit; tells which have to be left out for it."""
    fixed = [width for at, width in enumerate(widths[:-1]) if at not in cut]
    fixed.append(min(widths[-1], _LAST))
    room -= sum(fixed) + len(_GAP) * (len(widths) - 1)
    if room < sum(min(widths[at], _LEAST) for at in cut):
        return set(cut)
    while sum(widths[at] for at in cut) > room:
        widest = max(cut, key=lambda at: widths[at])
        widths[widest] -= 1
    return set()


def _padded(text: str, width: int) -> str:
    if (cells := _cells(text)) > width:
        while _cells(text) > width - len(_MARK):
            text = text[:-1]
        text += _MARK
        cells = _cells(text)
    return text + " " * (width - cells)


def _cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
