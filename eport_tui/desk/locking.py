"""An application over which a lock can stand, while what is below it stays as it is."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from textual.screen import Screen

from eport_tui.terminal.lean import LeanApp

Result = TypeVar("Result")


class LockableApp(LeanApp):
    """Flows open and close screens here: never above the lock, and never the lock.

    It knows nothing of cards and sessions; why and until when it is locked others say.

    Args:
        output: `lean` or `textual`.
    """

    def __init__(self, *, ansi_color: bool | None = None, output: str = "lean") -> None:
        super().__init__(ansi_color=ansi_color, output=output)
        self._lock_screen: Screen[Any] | None = None
        self._unlocked = asyncio.Event()
        self._unlocked.set()

    # The lock

    @property
    def is_locked(self) -> bool:
        """Whether the lock stands over everything."""
        return self._lock_screen is not None

    def put_lock(self, screen: Screen[Any]) -> None:
        """Show a screen over everything until it is taken away."""
        self._unlocked.clear()
        self._lock_screen = screen
        self.push_screen(screen)

    async def take_lock_away(self) -> None:
        """Go back to where one was."""
        lock, self._lock_screen = self._lock_screen, None
        assert lock is not None
        self._unlocked.set()
        await self._pop(lock)

    async def close_all(self) -> None:
        """Close the lock and every other screen but the first, and end what goes on there."""
        self.cancel_other_flows()
        self._lock_screen = None
        self._unlocked.set()
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    # Screens

    async def open_screen(self, screen: Screen[Any]) -> None:
        """Show another screen from within a flow, once the program is not locked."""
        await self._until_unlocked()
        await self.push_screen(screen)

    async def open_while_locked(self, screen: Screen[Any]) -> None:
        """Show what the lock itself has to show."""
        await self.push_screen(screen)

    async def close_screen(self, screen: Screen[Any]) -> None:
        """Close this screen, and what was opened from it, once the program is not locked."""
        await self._until_unlocked()
        await self._pop(screen)

    async def ask(self, dialog: Screen[Result]) -> Result | None:
        """Ask within a flow; while the program is locked, no question is shown."""
        await self._until_unlocked()
        return await super().ask(dialog)

    async def ask_while_locked(self, dialog: Screen[Result]) -> Result | None:
        """Ask what the lock itself has to ask."""
        return await super().ask(dialog)

    async def _until_unlocked(self) -> None:
        """Wait within a flow; keys go to the lock meanwhile."""
        # It may be locked again before whoever waits comes to it.
        while not self._unlocked.is_set():
            self._release()
            try:
                await self._unlocked.wait()
            finally:
                self._hold()

    async def _pop(self, screen: Screen[Any]) -> None:
        # All at once: while one is being taken down the lock may come.
        popped = []
        while screen in self.screen_stack:
            popped.append(self.pop_screen())
        for each in popped:
            await each
