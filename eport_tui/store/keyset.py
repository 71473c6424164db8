"""Lists of the database, read along indexes from one row to the next.

A page is found by the place of the row before it and not by its number, so the last page
costs as much as the first.  A list is made of legs, each of which goes along one index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eport_tui.domain.lists import BOUND, EVERYTHING, Count, Span, Spans
from eport_tui.store.database import Store

Row = TypeVar("Row")

Value = str | int
Place = tuple[Value, ...]
"""Where a row stands: its values in the columns of the order, which no other row has."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A column of the order that has one value in a whole leg."""

    value: str


@dataclass(frozen=True, slots=True)
class Leg:
    """Rows of a list that one index has in the order of the list.

    Attributes:
        columns: What is selected.
        tables: Where from, so that it goes along the index.
        names: Further joins that only the columns need.
        where: What holds for each row, and `values` its values.
        order: The columns by which the list is sorted.
        spans: Which values of the first of them that is not fixed.
        by_key: `tables` for the way from the key of a row, and `key` its column.
        inner: Whether the last column of the order is one of a joined table, whose rows
            are looked for in each row of the first one; `ties`, what else its index has
            and the number of the row, then make SQLite see that it has the order.
    """

    columns: str
    tables: str
    names: str
    where: str
    values: tuple[Value, ...]
    order: tuple[str | Fixed, ...]
    by_key: str
    key: str
    spans: Spans = EVERYTHING
    inner: bool = False
    ties: tuple[str, ...] = ()

    def page(self, place: Place | None, limit: int, *, back: bool) -> Iterator[_Statement]:
        """What reads the rows next to a place, or from the end, one after the other until enough.

        Args:
            back: Whether those before it, the nearest first.
        """
        sorting = [column for column in self.order if isinstance(column, str)]
        sorting[-1:-1] = self.ties
        direction = " DESC" if back else ""
        order = ", ".join(column + direction for column in sorting)
        for where, values in self._parts(place, back):
            yield (
                f"SELECT {self.columns} FROM {self.tables} {self.names} "
                f"WHERE {where} ORDER BY {order} LIMIT ?",
                (*values, limit),
            )

    def counting(self, place: Place | None, limit: int) -> Iterator[_Statement]:
        """What counts the rows before a place, or all, to be added up; each goes up to a limit."""
        for where, values in self._parts(place, back=True):
            yield (
                f"SELECT count(*) FROM (SELECT 1 FROM {self.tables} WHERE {where} LIMIT ?) c",
                (*values, limit),
            )

    def one(self, key: int) -> _Statement:
        """What reads the row with a key."""
        return (
            f"SELECT {self.columns} FROM {self.by_key} {self.names} "
            f"WHERE {self.where} AND {self.key} = ?",
            (*self.values, key),
        )

    def has(self, place: Place) -> bool:
        """Whether a row that stands there is in one of the spans."""
        return place[self._lead] in self.spans

    @property
    def _lead(self) -> int:
        """Which column of the order is the first that is not fixed."""
        return next(at for at, column in enumerate(self.order) if isinstance(column, str))

    def _parts(self, place: Place | None, back: bool) -> Iterator[_Condition]:
        for span in self.spans[::-1] if back else self.spans:
            yield from self._part(span, place, back)

    def _part(self, span: Span, place: Place | None, back: bool) -> Iterator[_Condition]:
        """Conditions for the rows of one span."""
        if place is None:
            yield self._spanned(span, upper=True, lower=True)
            return
        lead = str(place[self._lead])
        inside = lead < span.high if back else lead >= span.low
        passed = lead < span.low if back else lead >= span.high
        for condition, values in self._beyond(place, back):
            if not condition or not inside:
                yield self._spanned(span, upper=True, lower=True)
                return
            if not passed:
                # An index is entered at one bound: the place is nearer than that of the span.
                where, bounds = self._spanned(span, upper=not back, lower=back)
                yield f"{where} AND {condition}", (*bounds, *values)

    def _beyond(self, place: Place, back: bool) -> Iterator[_Condition]:
        """Conditions for the rows behind a place, or before it; none for all rows of the leg."""
        sign = "<" if back else ">"
        columns: list[str] = []
        values: list[Value] = []
        for column, value in zip(self.order, place, strict=True):
            if isinstance(column, str):
                columns.append(column)
                values.append(value)
            elif column.value != value:
                # All rows of this leg that have these values stand on one side of the place.
                beyond = (column.value > str(value)) is not back
                if columns:
                    yield _compare(columns, f"{sign}=" if beyond else sign, values)
                elif beyond:
                    yield "", ()
                return
        if self.inner:
            *columns, inner = columns
            same = " AND ".join(f"{column} = ?" for column in columns)
            yield f"{same} AND {inner} {sign} ?", tuple(values)
            values.pop()
        yield _compare(columns, sign, values)

    def _spanned(self, span: Span, *, upper: bool, lower: bool) -> _Condition:
        lead = self.order[self._lead]
        where, values = self.where, self.values
        (everything,) = EVERYTHING
        if lower and span.low > everything.low:
            where, values = f"{where} AND {lead} >= ?", (*values, span.low)
        if upper and span.high < everything.high:
            where, values = f"{where} AND {lead} < ?", (*values, span.high)
        return where, values


_Statement = tuple[str, tuple[Value, ...]]
_Condition = tuple[str, tuple[Value, ...]]


def _compare(columns: Sequence[str], sign: str, values: Sequence[Value]) -> _Condition:
    places = ", ".join("?" * len(values))
    return f"({', '.join(columns)}) {sign} ({places})", tuple(values)


class Keyset(Generic[Row]):
    """The rows of some legs as one list."""

    def __init__(
        self,
        store: Store,
        legs: Sequence[Leg],
        make: Callable[[tuple[Any, ...]], Row],
        place: Callable[[Row], Place],
        bound: int = BOUND,
    ) -> None:
        """Args:
        make: A row from what is selected.
        place: Where a row stands.
        bound: As far as rows are counted.
        """
        self._store = store
        self._legs = legs
        self._make = make
        self._place = place
        self._bound = bound

    def count(self) -> Count:
        """How many rows there are."""
        return self._count(None)

    def rank(self, row: Row) -> Count:
        """How many rows stand before one."""
        return self._count(self._place(row))

    def _count(self, place: Place | None) -> Count:
        found = 0
        for leg in self._legs:
            for sql, values in leg.counting(place, self._bound + 1):
                found += self._store.rows(sql, values)[0][0]
                if found > self._bound:
                    return Count.of(found, self._bound)
        return Count.of(found, self._bound)

    def after(self, row: Row | None, limit: int) -> list[Row]:
        """The next rows behind one, or the first."""
        return self._page(row, limit, back=False)

    def before(self, row: Row | None, limit: int) -> list[Row]:
        """The last rows before one, or the last, in the order of the list."""
        return self._page(row, limit, back=True)[::-1]

    def _page(self, row: Row | None, limit: int, *, back: bool) -> list[Row]:
        place = None if row is None else self._place(row)
        legs = self._legs[::-1] if back else self._legs
        # Legs that differ in the first column stand one behind the other.
        in_turn = len({leg.order[0] for leg in legs}) == len(legs)
        rows: list[Row] = []
        for leg in legs:
            found: list[Row] = []
            wanted = limit - len(rows) if in_turn else limit
            for sql, values in leg.page(place, wanted, back=back):
                if len(found) < wanted:
                    found += map(self._make, self._store.rows(sql, values))
            rows += found
        return sorted(rows, key=self._place, reverse=back)[:limit]

    def at(self, key: object) -> Row | None:
        """The row with a key, or none."""
        if not isinstance(key, int):
            return None
        for leg in self._legs:
            for row in map(self._make, self._store.rows(*leg.one(key))):
                if leg.has(self._place(row)):
                    return row
        return None
