"""Peewee's query builder on the connections of a SQLite store."""

# playhouse has no type stubs, so APSWDatabase and what it hands on are unknown.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUntypedBaseClass=false, reportUnknownVariableType=false, reportUnusedImport=false

from __future__ import annotations

from collections.abc import Callable

import apsw

# isort: off
from eport_tui.store.alone import peewee  # noqa: F401 - before playhouse imports it
from playhouse.apsw_ext import APSWDatabase
# isort: on


class ApswConnections(APSWDatabase):
    """A database whose connections are made, set up and closed by others.

    Args:
        of_this_thread: Returns the connection of the thread that calls it.
    """

    def __init__(self, of_this_thread: Callable[[], apsw.Connection]) -> None:
        super().__init__("connections of a store")
        self._of_this_thread = of_this_thread

    def _connect(self) -> apsw.Connection:
        return self._of_this_thread()
