"""Lists of any length: what can be asked of one, so that only what is looked at is read.

A row is its own bookmark: its place in the order can be told from what it holds, so
paging goes on from a row that was shown even when it has been deleted meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, Self, TypeVar

from eport_tui.domain.text import half_width
from eport_tui.errors import InvalidInput

if TYPE_CHECKING:
    from eport_tui.domain.codes import CodeTable

Row = TypeVar("Row")

BOUND = 10_000
"""As far as rows are counted that one index has."""

BOUND_OF_JOINED = 1_000
"""As far as those are counted for each of which another table has to be looked into."""

NO_BOUND = 1 << 60
"""Where they are counted however many they are."""

_LAST = "\U0010ffff"


class Count(NamedTuple):
    """How many there are; where `exact` is false at least so many, and nobody counted on."""

    number: int
    exact: bool = True

    @staticmethod
    def of(found: int, bound: int = BOUND) -> Count:
        """From what a count gave that went no farther than one past the bound."""
        return Count(min(found, bound), found <= bound)

    def __str__(self) -> str:
        return f"{self.number}{'' if self.exact else '+'}"

    def __bool__(self) -> bool:
        return self.number > 0


class Span(NamedTuple):
    """Values from `low` up to `high`, which is not among them, by code point."""

    low: str = ""
    high: str = _LAST

    @staticmethod
    def beginning(prefix: str) -> Span:
        """The values that begin so."""
        return Span(prefix, prefix + _LAST)

    @staticmethod
    def of_days(first: date, last: date) -> Span:
        """The days, as they are stored, from the first to the last."""
        return Span(first.isoformat(), last.isoformat() + _LAST)

    def within(self, other: Span) -> Span:
        """The values that are in both."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and self.low <= value < self.high


class Spans(tuple[Span, ...]):
    """Values in any of some spans, which ascend and have none in common; no span is no value."""

    __slots__ = ()

    @staticmethod
    def of(*spans: Span) -> Spans:
        """The values that are in any of these."""
        united: list[Span] = []
        for span in sorted(each for each in spans if each.low < each.high):
            if united and span.low <= united[-1].high:
                span = Span(united[-1].low, max(united.pop().high, span.high))
            united.append(span)
        return Spans(united)

    def within(self, other: Spans) -> Spans:
        """The values that are in both."""
        return Spans.of(*(one.within(another) for one in self for another in other))

    def __contains__(self, value: object) -> bool:
        return any(value in span for span in self)


EVERYTHING = Spans.of(Span())


class Order(NamedTuple):
    """One way to sort a list.

    Attributes:
        column: Name of the leading column, to choose the index by.
        label: What it is called on the screen.
        example: What one types to jump or to filter, in words.
        read: Which values of the leading column a typed text means; none where it cannot
            be one of them.
    """

    column: str
    label: str
    example: str
    read: Callable[[str], Spans]

    def check(self, text: str) -> None:
        """Raises: InvalidInput: The text cannot be a value of the leading column."""
        if not self.read(text):
            raise InvalidInput(f"「{text.strip()}」不是{self.label}", hint=f"请输入{self.example}")


def beginning(text: str) -> Spans:
    """Codes and numbers that begin as typed; small letters are as good as capitals."""
    return Spans.of(Span.beginning(half_width(text).upper()))


def meant(table: CodeTable, text: str) -> Spans:
    """The codes that a text means as it does in the table's picker (`Code.matches`).

    Codes that are not in the table stand for themselves, and are meant by how they begin.
    """
    typed = half_width(text)
    # No code has a blank in it, and so there is none between the two ends.
    known = (Span(code.code, code.code + " ") for code in table if code.matches(typed))
    return Spans.of(*beginning(text), *known)


_WRITTEN = re.compile(
    r"(\d{4})[-/.年\s]+ (?: (\d{1,2}) (?: [-/.月\s]+ (?: (\d{1,2})日? )? )? )?",
    re.ASCII | re.VERBOSE,
)
_DIGITS = re.compile(r"(\d{1,4})(\d{0,2})(\d{0,2})", re.ASCII)


def days(text: str) -> Spans:
    """Days of a year, month or day: `2026`, `202603`, `2026-3-1`, `2026年3月`; also not yet whole.

    What cannot become a day means none.
    """
    text = half_width(text)
    if not text:
        return EVERYTHING
    if digits := _DIGITS.fullmatch(text):
        parts = [part for part in digits.groups() if part]
    elif written := _WRITTEN.fullmatch(text):
        year, *rest = written.groups()
        parts = [year, *(part.zfill(2) for part in rest if part)]
    else:
        return Spans()
    return Spans.of(Span.beginning("-".join(parts)))


class PageSource(Protocol[Row]):
    """A list of which only what is looked at is read; its rows are told apart by keys."""

    @property
    def orders(self) -> Sequence[Order]:
        """The orders that are offered; the first is the usual one."""
        ...

    @property
    def order(self) -> Order:
        """The order it is in."""
        ...

    @property
    def filter(self) -> str:
        """What it is narrowed by, as it was typed; empty where it is whole."""
        ...

    def count(self) -> Count:
        """How many rows there are at the moment, counted up to a bound."""
        ...

    def after(self, row: Row | None, limit: int) -> list[Row]:
        """The next rows behind one, at most `limit`; the first ones behind none."""
        ...

    def before(self, row: Row | None, limit: int) -> list[Row]:
        """The last rows before one, in the order of the list; the last of all before none."""
        ...

    def at(self, key: Hashable) -> Row | None:
        """The row with a key as it is now, or none when it is not in the list."""
        ...

    def rank(self, row: Row) -> Count:
        """How many rows stand before one, counted up to the same bound."""
        ...

    def seek(self, text: str) -> Row | None:
        """The first row whose leading column begins as typed."""
        ...

    def ordered(self, order: Order) -> PageSource[Row]:
        """The same rows in another of its orders; a filter is about one order and is dropped."""
        ...

    def filtered(self, text: str) -> PageSource[Row]:
        """Only the rows whose leading column begins as typed; all for an empty text."""
        ...


class InMemory(Generic[Row]):
    """Rows that are in memory anyway, in the order they are given in."""

    def __init__(
        self,
        rows: Sequence[Row],
        key: Callable[[Row], Hashable],
        texts: Callable[[Row], Sequence[str]] = lambda row: (str(row),),
        filter: str = "",
    ) -> None:
        """Args:
        texts: Those of a row that one may type the beginning of.
        """
        self.filter = filter
        self.order = Order("", "内容", "编号或名称的开头", beginning)
        self.orders = (self.order,)
        self._all, self._key, self._texts = rows, key, texts
        self._rows = [row for row in rows if self._begins(row, filter)]

    def _begins(self, row: Row, text: str) -> bool:
        wanted = self.order.read(text)
        return any(each.upper() in wanted for each in self._texts(row))

    def _index(self, key: Hashable) -> int | None:
        return next((at for at, row in enumerate(self._rows) if self._key(row) == key), None)

    def count(self) -> Count:
        """See `PageSource.count`."""
        return Count(len(self._rows))

    def after(self, row: Row | None, limit: int) -> list[Row]:
        """See `PageSource.after`; behind a row that is not there any more there is nothing."""
        at = None if row is None else self._index(self._key(row))
        start = 0 if row is None else len(self._rows) if at is None else at + 1
        return list(self._rows[start : start + limit])

    def before(self, row: Row | None, limit: int) -> list[Row]:
        """See `PageSource.before`; all stand before a row that is not there any more."""
        at = None if row is None else self._index(self._key(row))
        end = len(self._rows) if at is None else at
        return list(self._rows[max(0, end - limit) : end])

    def at(self, key: Hashable) -> Row | None:
        """See `PageSource.at`."""
        at = self._index(key)
        return None if at is None else self._rows[at]

    def rank(self, row: Row) -> Count:
        """See `PageSource.rank`."""
        return Count(self._index(self._key(row)) or 0)

    def seek(self, text: str) -> Row | None:
        """See `PageSource.seek`."""
        return next((row for row in self._rows if self._begins(row, text)), None)

    def ordered(self, order: Order) -> Self:
        """There is one order."""
        return self

    def filtered(self, text: str) -> InMemory[Row]:
        """See `PageSource.filtered`."""
        return InMemory(self._all, self._key, self._texts, text)
