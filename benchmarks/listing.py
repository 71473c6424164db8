"""A program that shows one long list and nothing else: a grid on the rows of a database.

python -m benchmarks.listing DATABASE CUSTOMS_CODE
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from textual.app import ComposeResult

from eport_tui.terminal.lean import LeanApp
from eport_tui.widgets.grid import Column, Grid


class Rows:
    """The grants that an enterprise has received, read in a thread of their own."""

    def __init__(self, database: Path, customs_code: str) -> None:
        self._place = database, customs_code
        self._thread = ThreadPoolExecutor(1)
        # Begun at once, while the first screen is made.
        self._source = self._thread.submit(self._opened)

    def _opened(self) -> Any:
        from eport_tui.domain import dates
        from eport_tui.services.pages import Listing
        from eport_tui.store.database import Store
        from eport_tui.store.enterprise_grants import RECEIVED

        database, code = self._place
        store, day = Store.open(database), dates.today()
        return Listing(
            lambda: RECEIVED.count(store, code),
            lambda offset, limit: [
                (each.grant, each.grant.state(day))
                for each in RECEIVED.fetch(store, code, offset, limit)
            ],
            lambda key: RECEIVED.position(store, code, key),
        )

    async def _call(self, name: str, *arguments: Any) -> Any:
        def work() -> Any:
            return getattr(self._source.result(), name)(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def count(self) -> int:
        """How many rows there are."""
        return await self._call("count")

    async def fetch(self, offset: int, limit: int) -> Sequence[Any]:
        """A page of rows."""
        return await self._call("fetch", offset, limit)

    async def position(self, key: Hashable) -> int | None:
        """Where a row stands."""
        return await self._call("position", key)


class Listing(LeanApp):
    """One grid."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows

    def compose(self) -> ComposeResult:
        """The grid."""
        yield Grid(
            "list",
            [
                Column("principal", 12, lambda row: row[0].key.principal),
                Column("until", 12, lambda row: row[0].valid_until.isoformat()),
                Column("state", 0, lambda row: row[1].label),
            ],
            lambda row: row[0].id,
        )

    async def on_mount(self) -> None:
        """Show the rows."""
        await self.query_one(Grid).show(self._rows)


if __name__ == "__main__":
    Listing(Rows(Path(sys.argv[1]), sys.argv[2])).run()
