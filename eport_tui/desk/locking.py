"""An application over which a lock can stand, while what is below it stays as it is."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from textual.screen import Screen

from eport_tui.terminal.lean import LeanApp

Result = TypeVar("Result")


class LockableApp(LeanApp):
    """Flows open and close screens here: never above the lock, and never the lock.

    What goes on below it goes on, but tells what it has to tell there, and keys do not wait for it.
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
        # Keys are for the lock, whatever goes on below.
        self.flows_changed()

    async def take_lock_away(self) -> None:
        """Go back to where one was."""
        lock, self._lock_screen = self._lock_screen, None
        assert lock is not None
        self._unlocked.set()
        self.flows_changed()
        await self._pop(lock)

    async def close_all(self) -> None:
        """Close the lock and every other screen but the first, and end what goes on there."""
        self.cancel_other_flows()
        self._lock_screen = None
        self._unlocked.set()
        self.flows_changed()
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    def is_hidden(self, screen: Screen[Any]) -> bool:
        """Whether the lock hides a screen: its own, and what it shows itself, it does not."""
        return self.is_locked and screen not in self._parted_by_lock()[1]

    def screens_with(self, screen: Screen[Any]) -> list[Screen[Any]]:
        """The open screens, the last one in front; for one that the lock hides, those it hides."""
        return self._parted_by_lock()[0] if self.is_hidden(screen) else self.screen_stack

    def _parted_by_lock(self) -> tuple[list[Screen[Any]], list[Screen[Any]]]:
        """The screens below the lock, and those from it on."""
        screens, lock = self.screen_stack, self._lock_screen
        at = screens.index(lock) if lock in screens else len(screens)
        return screens[:at], screens[at:]

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
            with self.keys_go_on():
                await self._unlocked.wait()

    async def _pop(self, screen: Screen[Any]) -> None:
        # All at once: while one is being taken down the lock may come.
        popped = []
        while screen in self.screen_stack:
            popped.append(self.pop_screen())
        for each in popped:
            await each
