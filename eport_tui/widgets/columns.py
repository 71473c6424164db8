"""The columns of a list: how they share a line, and how a row is drawn in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.widgets.cells import fit
from eport_tui.widgets.themes import look

Row = TypeVar("Row")

WIDE = 100
CURSOR_COLUMNS = 2
"""So many columns say which row it is; the cursor covers them, and states keep their colour."""


class Column(NamedTuple, Generic[Row]):
    """One column of a grid.

    Attributes:
        label: Heading.
        width: Cells; 0 shares what is left of the line with the other columns of width 0.
        text: What a row shows there.
        style: Name of a row's look (see `themes.look`), if not the usual one.
        wide: Only shown where the line is at least `WIDE` cells long.
    """

    label: str
    width: int
    text: Callable[[Row], str]
    style: Callable[[Row], str | None] | None = None
    wide: bool = False


def draw_heading(widget: Widget, columns: Sequence[Column[Row]], width: int) -> Strip:
    """The labels above the columns."""
    text = " ".join(fit(column.label, cells) for column, cells in _layout(columns, width))
    return Strip([Segment(fit(f"  {text}", width), look(widget, "dim"))], width)


def draw_row(
    widget: Widget,
    columns: Sequence[Column[Row]],
    row: Row,
    width: int,
    *,
    at_cursor: bool,
    marked: bool,
) -> Strip:
    """A row with its marks, and the cursor if that is on it."""
    base = under = widget.rich_style
    if at_cursor:
        under = look(widget, "cursor" if widget.has_focus else "cursor-away")
    marks = f"{'>' if at_cursor else ' '}{'*' if marked else ' '}"
    segments = [Segment(marks, under)]
    for at, (column, cells) in enumerate(_layout(columns, width)):
        plain = under if at < CURSOR_COLUMNS else base
        name = column.style(row) if column.style and plain is base else None
        style = look(widget, name) if name else plain
        segments += [Segment(fit(column.text(row), cells), style), Segment(" ", plain)]
    return Strip(segments).adjust_cell_length(width, base)


def _layout(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns to show with their cells; those of width 0 share what the others leave."""
    columns = [column for column in columns if width >= WIDE or not column.wide]
    sharing = sum(column.width == 0 for column in columns)
    left = max(0, width - 2 - sum(column.width for column in columns) - len(columns))
    share, extra = divmod(left, sharing) if sharing else (0, 0)
    layout: list[tuple[Column[Row], int]] = []
    for column in columns:
        cells = column.width
        if not cells:
            cells = share + (1 if extra > 0 else 0)
            extra -= 1
        layout.append((column, cells))
    return layout
