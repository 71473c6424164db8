"""What is typed and not saved, kept where a lock, a dropped line or a crash cannot reach it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

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
        """Keep what is unsaved on every screen, while nothing else goes on; for the end."""
        from eport_tui.services import drafts

        desk = self._desk
        for screen in desk.screen_stack:
            content = screen.draft() if isinstance(screen, EportScreen) else None
            if content is not None:
                kept = desk.steps.data.submit(
                    drafts.keep, desk.store, desk.active_session, screen.name or "", content
                )
                try:
                    kept.result(timeout=5)
                except Exception:
                    log.exception("a draft could not be kept when the line dropped")

    async def forget(self, screen: EportScreen) -> None:
        """What was unsaved is saved or given up."""
        from eport_tui.services import drafts

        desk, name = self._desk, screen.name or ""
        try:
            await desk.call(drafts.forget, desk.store, desk.active_session, name)
            self._kept.discard(name)
        except EportError as error:
            log.warning("a draft could not be forgotten: %s", error.message)
