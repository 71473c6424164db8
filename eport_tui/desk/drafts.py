"""What is typed and not saved, kept where a lock, a dropped line or a crash cannot reach it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eport_tui.errors import EportError
from eport_tui.screens.base import EportScreen

if TYPE_CHECKING:
    from eport_tui.app import EportApp

log = logging.getLogger(__name__)


class Drafts:
    """Keeps and forgets the drafts of the session's screens; nothing is told of it."""

    def __init__(self, desk: EportApp) -> None:
        self._desk = desk
        self._kept: set[str] = set()

    def session_ended(self) -> None:
        """What the next session keeps is its own."""
        self._kept.clear()

    async def keep(self, screen: EportScreen) -> None:
        """Keep what is unsaved, so that a dropped line loses at most one field."""
        from eport_tui.services import drafts

        desk, content, name = self._desk, screen.draft(), screen.name or ""
        if content is None:
            if name in self._kept:
                await self.forget(screen)
            return
        try:
            await desk.call(drafts.keep, desk.store, desk.active_session, name, content)
            self._kept.add(name)
        except EportError as error:
            log.warning("a draft could not be kept: %s", error.message)

    async def keep_all(self) -> None:
        """Keep what is unsaved on every screen."""
        for screen in self._desk.screen_stack:
            if isinstance(screen, EportScreen):
                await self.keep(screen)

    def keep_all_at_once(self) -> None:
        """Keep what is unsaved on every screen, and leave it to the next login; for the end.

        Nothing else goes on meanwhile.
        """
        from eport_tui.services import drafts

        for screen in self._desk.screen_stack:
            content = screen.draft() if isinstance(screen, EportScreen) else None
            if content is not None:
                self._at_once(5, drafts.keep, screen.name or "", content)
        # What is not let go in time is taken away at the next login.
        self._at_once(1, drafts.leave)

    def _at_once(self, seconds: float, service: Callable[..., None], *what: Any) -> None:
        """Do something with the session's drafts, and go on without it when it takes too long."""
        desk = self._desk
        doing = desk.steps.data.submit(service, desk.store, desk.active_session, *what)
        try:
            doing.result(timeout=seconds)
        except Exception:
            log.exception("%s was not done when the line dropped", service.__name__)

    async def forget(self, screen: EportScreen) -> None:
        """What was unsaved is saved or given up."""
        from eport_tui.services import drafts

        desk, name = self._desk, screen.name or ""
        try:
            await desk.call(drafts.forget, desk.store, desk.active_session, name)
            self._kept.discard(name)
        except EportError as error:
            log.warning("a draft could not be forgotten: %s", error.message)
