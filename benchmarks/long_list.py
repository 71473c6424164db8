"""A program that shows one long list and nothing else: a grid on the rows of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from textual.app import ComposeResult

from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import PageSource
from eport_tui.terminal.lean import LeanApp
from eport_tui.widgets.columns import Column
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.window import RowSource

Result = TypeVar("Result")


def _opened(database: Path, customs_code: str) -> PageSource[Any]:
    from eport_tui.services import operator_grants
    from eport_tui.store.database import Store

    holder = SimpleNamespace(enterprise=Enterprise(customs_code, "", ""))
    # Of a card session only who is logged in is asked; a real one would bring in its own cost.
    session: Any = SimpleNamespace(require=lambda: holder)
    return operator_grants.received(Store.open(database), session)


class Listing(LeanApp):
    """One grid."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, database: Path, customs_code: str) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1)
        # Begun at once, while the first screen is made.
        self._source = self._thread.submit(_opened, database, customs_code)

    async def _call(self, step: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(step, *arguments))

    def compose(self) -> ComposeResult:
        """The grid."""
        yield Grid(
            "list",
            [
                Column("principal", 12, lambda row: row.grant.key.principal),
                Column("until", 12, lambda row: row.grant.valid_until.isoformat()),
                Column("state", 0, lambda row: row.state.label),
            ],
            lambda row: row.grant.id,
        )

    async def on_mount(self) -> None:
        """Show the rows."""
        source = await asyncio.wrap_future(self._source)
        await self.query_one(Grid).show(RowSource(source, self._call))
