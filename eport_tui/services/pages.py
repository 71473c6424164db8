"""Lists of the database that are read page by page."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import date
from functools import partial
from typing import Generic, TypeVar

from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTable
from eport_tui.domain.grants import EXPIRING_WITHIN, GrantState
from eport_tui.domain.lists import EVERYTHING, Count, Order, Span, Spans, beginning, days, meant
from eport_tui.store.keyset import Keyset

Row = TypeVar("Row")


def by_code(column: str, label: str) -> Order:
    """By the customs code of an enterprise."""
    return Order(column, label, f"{label}的开头几位", beginning)


Day = Callable[[], date]
"""The day that a list is about, asked at each reading: a list may be shown over midnight."""


def about(day: date | None) -> Day:
    """A fixed day, or without one whichever is today when the list is read."""
    return dates.today if day is None else lambda: day


def by_last_day(day: Day) -> Order:
    """By 权限有效期; one may type a state, too."""

    def read(text: str) -> Spans:
        text, today = text.strip(), day()
        soon = Span.of_days(today, dates.later(today, EXPIRING_WITHIN.days))
        states = {
            GrantState.ACTIVE: Span(low=soon.high),
            GrantState.EXPIRING: soon,
            GrantState.EXPIRED: Span(high=soon.low),
        }
        named = [span for state, span in states.items() if text and state.label.startswith(text)]
        return Spans.of(*named) or days(text)

    return Order("valid_until", "有效期", "年月，如202603，或有效、即将到期、已过期", read)


def by_subsystem(table: CodeTable | None) -> Order:
    """By 授权子系统; where there is a table, one may type what its picker takes."""
    if table is None:
        return Order("subsystem", "授权子系统", "授权子系统的代码", beginning)
    return Order("subsystem", "授权子系统", "授权子系统的代码、名称或助记码", partial(meant, table))


CARD = Order("card_number", "操作员IC卡号", "卡号的开头几位", beginning)


class Listing(Generic[Row]):
    """A page source of the database (see `domain.lists.PageSource`), in one of its orders."""

    def __init__(
        self,
        make: Callable[[Order, Spans], Keyset[Row]],
        orders: Sequence[Order],
        *,
        order: Order | None = None,
        filter: str = "",
    ) -> None:
        """Args:
        make: The rows in an order whose leading column is in some spans.
        """
        self.orders = orders
        self.order = order or orders[0]
        self.filter = filter
        self._make = make

    @property
    def _spans(self) -> Spans:
        # What a text means may be another thing on another day, as a state does.
        return self.order.read(self.filter) if self.filter else EVERYTHING

    @property
    def _rows(self) -> Keyset[Row]:
        return self._make(self.order, self._spans)

    def count(self) -> Count:
        """How many rows there are at the moment."""
        return self._rows.count()

    def after(self, row: Row | None, limit: int) -> list[Row]:
        """The next rows behind one, or the first."""
        return self._rows.after(row, limit)

    def before(self, row: Row | None, limit: int) -> list[Row]:
        """The last rows before one, or the last."""
        return self._rows.before(row, limit)

    def at(self, key: Hashable) -> Row | None:
        """The row with a key."""
        return self._rows.at(key)

    def rank(self, row: Row) -> Count:
        """How many rows stand before one."""
        return self._rows.rank(row)

    def seek(self, text: str) -> Row | None:
        """The first row whose leading column begins as typed."""
        spans = self._spans.within(self.order.read(text))
        return next(iter(self._make(self.order, spans).after(None, 1)), None)

    def ordered(self, order: Order) -> Listing[Row]:
        """The same rows in another order."""
        return Listing(self._make, self.orders, order=order)

    def filtered(self, text: str) -> Listing[Row]:
        """Only the rows whose leading column begins as typed."""
        return Listing(self._make, self.orders, order=self.order, filter=text.strip())
