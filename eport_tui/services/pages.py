"""Lists that are read page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Row = TypeVar("Row")


class PageSource(Protocol[Row]):
    """A list of any length, of which only what is looked at is read."""

    def count(self) -> int:
        """How many rows there are at the moment."""
        ...

    def fetch(self, offset: int, limit: int) -> list[Row]:
        """At most `limit` rows, beginning with the one at `offset`."""
        ...

    def position(self, key: int) -> int | None:
        """The offset of the row with a key, or none when it is not in the list."""
        ...


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A page source made of three functions."""

    counting: Callable[[], int]
    fetching: Callable[[int, int], list[Row]]
    positioning: Callable[[int], int | None]

    def count(self) -> int:
        """See `PageSource.count`."""
        return self.counting()

    def fetch(self, offset: int, limit: int) -> list[Row]:
        """See `PageSource.fetch`."""
        return self.fetching(offset, limit)

    def position(self, key: int) -> int | None:
        """See `PageSource.position`."""
        return self.positioning(key)
