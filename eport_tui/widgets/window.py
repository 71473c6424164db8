"""The rows of a list that are there to be shown, and how others are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, Protocol, TypeVar

from eport_tui.domain.lists import Count, InMemory, Order, PageSource

Row = TypeVar("Row")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

KEPT_ROWS = 400
"""As many rows as a window keeps; those that are farthest from what is shown go first."""


class Call(Protocol):
    """Runs a step where it holds nothing up."""

    def __call__(self, step: Callable[..., Result], /, *args: Any) -> Awaitable[Result]:
        """Run a function with some arguments."""
        ...


class RowSource(Generic[Row]):
    """A list, and how to ask it.

    Attributes:
        pages: The list.
    """

    def __init__(self, pages: PageSource[Row], call: Call) -> None:
        self.pages = pages
        self._call = call

    async def do(
        self,
        step: Callable[Concatenate[PageSource[Row], Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a step with the list."""
        return await self._call(lambda: step(self.pages, *args, **kwargs))

    def ordered(self, order: Order) -> RowSource[Row]:
        """The same rows in another order."""
        return RowSource(self.pages.ordered(order), self._call)

    def filtered(self, text: str) -> RowSource[Row]:
        """Only the rows that begin as typed."""
        return RowSource(self.pages.filtered(text), self._call)

    def shown_as(self, other: RowSource[Row] | None) -> RowSource[Row]:
        """In the order of another list and narrowed as that, where this one has such an order."""
        pages = None if other is None else other.pages
        for order in self.pages.orders:
            if pages is not None and order.column == pages.order.column:
                ordered = self if order == self.pages.order else self.ordered(order)
                return ordered.filtered(pages.filter) if pages.filter else ordered
        return self


class ListSource(RowSource[Row]):
    """Rows that are in memory anyway."""

    def __init__(
        self,
        rows: Sequence[Row],
        key: Callable[[Row], Hashable],
        texts: Callable[[Row], Sequence[str]] = lambda row: (str(row),),
    ) -> None:
        """Args: as those of `InMemory`."""
        super().__init__(InMemory(rows, key, texts), _at_once)


async def _at_once(step: Callable[..., Result], *args: Any) -> Result:
    return step(*args)


class Window(NamedTuple, Generic[Row]):
    """Rows of a list that stand one behind the other.

    Attributes:
        rows: The rows.
        starts: Whether the first of them is known to be the first of the list.
        ends: Whether the last of them is known to be the last of the list.
        ahead: How many rows stand before them; none where that was not counted so far.
        behind: How many rows stand behind them, likewise.
    """

    rows: Sequence[Row] = ()
    starts: bool = True
    ends: bool = True
    ahead: int | None = 0
    behind: int | None = 0

    def number(self, at: int, count: Count) -> int | None:
        """The number of a row from the beginning, from 0."""
        if self.ahead is not None:
            return self.ahead + at
        if self.behind is not None and count.exact:
            return count.number - self.behind - len(self.rows) + at
        return None

    def number_from_end(self, at: int) -> int | None:
        """The number of a row from the end; the last has 1."""
        return None if self.behind is None else self.behind + len(self.rows) - at

    def up(self, source: PageSource[Row], limit: int) -> Window[Row]:
        """With the rows before it; rows at its other end are let go."""
        more = source.before(self.rows[0], limit)
        starts = len(more) < limit
        ahead = 0 if starts else self.ahead and max(0, self.ahead - len(more))
        kept = self.rows[: KEPT_ROWS - len(more)]
        gone = len(self.rows) - len(kept)
        return Window(
            (*more, *kept),
            starts,
            self.ends and not gone,
            ahead,
            None if self.behind is None else self.behind + gone,
        )

    def down(self, source: PageSource[Row], limit: int) -> Window[Row]:
        """With the rows behind it; rows at its other end are let go."""
        more = source.after(self.rows[-1], limit)
        ends = len(more) < limit
        behind = 0 if ends else self.behind and max(0, self.behind - len(more))
        gone = max(0, len(self.rows) + len(more) - KEPT_ROWS)
        return Window(
            (*self.rows[gone:], *more),
            self.starts and not gone,
            ends,
            None if self.ahead is None else self.ahead + gone,
            behind,
        )


def first(source: PageSource[Row], limit: int) -> Window[Row]:
    """The beginning of a list."""
    rows = source.after(None, limit)
    ends = len(rows) < limit
    return Window(rows, True, ends, 0, 0 if ends else None)


def last(source: PageSource[Row], limit: int) -> Window[Row]:
    """The end of a list."""
    rows = source.before(None, limit)
    starts = len(rows) < limit
    return Window(rows, starts, True, 0 if starts else None, 0)


def around(
    source: PageSource[Row], row: Row, limit: int, *, there: bool
) -> tuple[Window[Row], int]:
    """The rows around one, and the number in them of that row or of the one in its place.

    Args:
        there: Whether the row is still in the list.
    """
    before, after = source.before(row, limit), source.after(row, limit)
    rows = [*before, *([row] if there else []), *after]
    starts, ends = len(before) < limit, len(after) < limit
    ahead: int | None = 0
    if not starts:
        rank = source.rank(before[0])
        ahead = rank.number if rank.exact else None
    window = Window(rows, starts, ends, ahead, 0 if ends else None)
    return window, min(len(before), max(0, len(rows) - 1))


def reaching(
    source: PageSource[Row], window: Window[Row], low: int, high: int, limit: int
) -> tuple[Window[Row], int]:
    """With the rows from `low` on and before `high`, counted in the window, if there are so many.

    Returns:
        The window, and by how much the rows that stay are farther from its beginning.
    """
    shift = 0
    if high > len(window.rows) and not window.ends:
        kept, window = window, window.down(source, limit)
        shift = _index(window.rows, kept.rows[-1]) - len(kept.rows) + 1
    # Where the end is reached first, what is missing is shown above.
    low -= max(0, high + shift - len(window.rows))
    if low + shift < 0 and not window.starts:
        kept, window = window, window.up(source, limit)
        shift += _index(window.rows, kept.rows[0])
    return window, shift


def _index(rows: Sequence[Row], row: Row) -> int:
    return next(at for at, other in enumerate(rows) if other is row)


def counted(source: PageSource[Row], window: Window[Row]) -> Count:
    """How many rows the list has; nothing is read where all of them are there."""
    return Count(len(window.rows)) if window.starts and window.ends else source.count()
