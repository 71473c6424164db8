"""What others save is shown without being asked for, and what could not be read once it can be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from eport_tui import workplace
from eport_tui.errors import EportError, StoreError
from eport_tui.screens.base import EportScreen
from eport_tui.widgets.grid import Grid

if TYPE_CHECKING:
    from eport_tui.app import EportApp

log = logging.getLogger(__name__)

SEE_OTHERS_SECONDS = 0.75
"""From one look whether somebody has saved something to the next; best when cards are looked at."""


class Changes:
    """Looks whether somebody has saved something, and has lists read again.

    While the program is locked or somebody is being asked nothing is looked for, but what the
    session holds is held again after an outage.

    A look is taken in any thread; where it needs the database it goes on in the data thread, and
    only what it finds comes to the loop.

    Attributes:
        has_unread: Whether a screen has something to read that it could not, and asks for a look
            therefore.
    """

    def __init__(self, desk: EportApp) -> None:
        self._desk = desk
        self.has_unread = False
        self._seen: Hashable = None
        self._trace: Hashable = None
        self._due = 0.0
        self._asked: Future[Any] | None = None

    async def session_begins(self) -> None:
        """Note what there is before the first list is read, so that nothing is missed after it.

        Raises:
            EportError: The database cannot be read.
        """
        self._trace = None
        self._due = time.monotonic() + SEE_OTHERS_SECONDS
        self._seen = await self._desk.call(self._desk.store.change_counter)

    def look_if_due(self) -> None:
        """Take a look, unless the last one was just now."""
        moment = time.monotonic()
        if moment >= self._due:
            # A little early, so that the next look does not miss it by a hair.
            self._due = moment + SEE_OTHERS_SECONDS * 7 / 8
            self._look()

    def heed_hints(self) -> None:
        """Take a look at each hint; a lost one costs nothing but the time to the next look.

        Runs in a thread of its own, until the store is closed.
        """
        with suppress(StoreError):
            while True:
                if self._desk.store.wait_for_change():
                    self._look()

    def _look(self) -> None:
        desk = self._desk
        if not (self._asked is None or self._asked.done()):
            return
        if desk.is_locked or desk.is_busy:
            # What is typed stays this session's own, whatever stands over it and for how long.
            if desk.has_store and desk.store.has_lost_hold:
                self._ask(desk.store.hold_again, self._failed)
            return
        if desk.session is None and not self.has_unread:
            return
        trace = desk.store.trace_of_changes() if desk.has_store else None
        if trace is not None and trace == self._trace:
            return
        self._trace = trace
        self._ask(
            desk.store.change_counter
            if desk.has_store
            else partial(workplace.try_to_reach, desk.settings),
            self._told,
        )

    def _ask(self, what: Callable[[], Any], told: Callable[[Future[Any]], object]) -> None:
        # At the end of the program nothing can be asked any more.
        with suppress(RuntimeError):
            self._asked = self._desk.steps.data.submit(what)
            self._asked.add_done_callback(told)

    def _told(self, told: Future[Any]) -> None:
        if self._failed(told):
            self._trace = None
        elif not told.cancelled() and (told.result() != self._seen or self.has_unread):
            self._desk.in_loop(self._changed, told.result())

    def _failed(self, told: Future[Any]) -> bool:
        if told.cancelled() or (failure := told.exception()) is None:
            return False
        # What is wrong with the store is told to whoever works with it next; a defect is not.
        if not isinstance(failure, EportError):
            log.error("a defect", exc_info=failure)
        return True

    def _changed(self, seen: Hashable) -> None:
        """Read the lists again when somebody has saved something or they can be read at last."""
        desk, screen = self._desk, self._desk.screen
        if not desk.is_locked and not desk.is_busy and isinstance(screen, EportScreen):
            has_changed = desk.session is not None and seen != self._seen
            self._seen = seen
            desk.start_flow(self._read_again(screen, has_changed=has_changed))
        else:
            self._trace = None

    async def _read_again(self, screen: EportScreen, *, has_changed: bool) -> None:
        if self.has_unread:
            try:
                await screen.read_again()
            finally:
                others = (each for each in self._desk.screen_stack if isinstance(each, EportScreen))
                self.has_unread = any(each.is_unread for each in others)
        if has_changed:
            await screen.read(self._reload_lists, screen)

    async def _reload_lists(self, screen: EportScreen) -> None:
        for grid in screen.query(Grid):
            if not await grid.refresh_rows():
                screen.say("所选的记录已被他人删除或改动，不再列出", "warning")
