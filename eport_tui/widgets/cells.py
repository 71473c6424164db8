"""Text measured in terminal cells, where a Chinese character takes two."""

from __future__ import annotations

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


# These may not begin a line (GB/T 15834); the character before goes with them.
_NOT_FIRST = frozenset("，。、；：？！）」』》%")


def wrap(text: str, width: int) -> list[str]:
    """Break `text` into lines of at most `width` cells, wherever a character ends."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0
        for character in printable(paragraph):
            cells = cell_len(character)
            if used + cells > width:
                kept = line[-1:] if character in _NOT_FIRST and len(line) > 1 else ""
                lines.append(line.removesuffix(kept))
                line, used = kept, cell_len(kept)
                if character == " ":
                    # The end of the line stands for it.
                    continue
            line += character
            used += cells
        lines.append(line)
    return lines
