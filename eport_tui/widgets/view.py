"""What is seen of the rows that are there, and which of them is selected."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from eport_tui.domain.lists import Count
from eport_tui.widgets.window import Window

Row = TypeVar("Row")


class View(NamedTuple, Generic[Row]):
    """Rows, the first that is on the screen, and the cursor; the last two count from the first row.

    Attributes:
        window: The rows that are there.
        top: The first row that is seen.
        cursor: The selected row; none where none is.
    """

    window: Window[Row] = Window()
    top: int = 0
    cursor: int | None = None

    @classmethod
    def near(cls, window: Window[Row], index: int | None, top: int, height: int) -> View[Row]:
        """With the cursor on a row or near it, or on none, and as little scrolled as that takes."""
        count, cursor = len(window.rows), None
        top = max(0, min(top, count - height))
        if index is not None and count:
            cursor = min(max(index, 0), count - 1)
            top = min(max(top, cursor - height + 1), cursor)
        return cls(window, top, cursor)

    @property
    def selected(self) -> Row | None:
        """The row the cursor is on."""
        return None if self.cursor is None else self.window.rows[self.cursor]

    @property
    def at(self) -> int:
        """The row that a move begins at: the selected one, or else the first that is seen."""
        return self.top if self.cursor is None else self.cursor

    @property
    def line(self) -> int:
        """The line of that row, from 0."""
        return self.at - self.top

    def place(self, count: Count) -> str:
        """Which row of the list the selected one is, in words; empty where none is."""
        if self.cursor is None:
            return ""
        number = self.window.number(self.cursor, count)
        if number is not None:
            return f"第{number + 1}条"
        from_end = self.window.number_from_end(self.cursor)
        return f"倒数第{from_end}条" if from_end is not None else f"第{count}条"

    def bar(self, count: Count | None, height: int) -> int | None:
        """The line on which the scroll bar stands, from 0; none where the whole list is shown."""
        window = self.window
        at_start = window.starts and self.top == 0
        at_end = window.ends and self.top + height >= len(window.rows)
        if count is None or (at_start and at_end):
            return None
        if at_start:
            return 0
        if at_end:
            return height - 1
        number = window.number(self.top, count)
        if number is None or not count.exact:
            # How far it is to the end nobody knows.
            return height // 2
        room = max(1, count.number - height)
        return 1 + min(height - 3, number * (height - 2) // room)
