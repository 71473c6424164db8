"""Text measured in terminal cells, where a Chinese character takes two."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

from eport_tui.domain.text import printable


def fit(text: str, width: int) -> str:
    """Make `text` exactly `width` cells wide; what is cut off shows as two dots."""
    text = printable(text)
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    if width <= 2:
        return set_cell_size(text, width)
    # A wide character that does not fit leaves a cell over, which belongs behind the dots.
    return set_cell_size(set_cell_size(text, width - 2).rstrip() + "..", width)


# Codes, numbers, days and `+1y` are read as one; marks stand on the character before them, and
# what may not begin a line (GB/T 15834) goes with what is before it.
_PIECE = re.compile(
    r"(?:[!-~]+|.)[\u0300-\u036f\u200d\u20d0-\u20ff\ufe00-\ufe0f]*[，。、；：？！）」』》%]*"
)


def wrap(text: str, width: int) -> list[str]:
    """Break `text` into lines of at most `width` cells, wherever a character or a code ends."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _PIECE.findall(printable(paragraph)):
            # What is longer than a line is broken wherever a character ends.
            for part in [piece] if cell_len(piece) <= width else piece:
                # Not the sum of both: a mark may make the character before it wider.
                if cell_len(line + part) > width:
                    lines.append(line)
                    line = ""
                    if part == " ":
                        # The end of the line stands for it.
                        continue
                line += part
        lines.append(line)
    return lines
