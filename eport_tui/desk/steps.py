"""Steps in other threads: who waits for one is told when it takes long, and can give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from textual.screen import Screen

from eport_tui.giving_up import Cancelled, OutcomeUnknown, Step
from eport_tui.screens.base import EportScreen
from eport_tui.workplace import CardThread

if TYPE_CHECKING:
    from eport_tui.app import EportApp

Result = TypeVar("Result")

SHOW_BUSY_AFTER = 0.4


@dataclass(eq=False)
class Wait:
    """Somebody waits long.

    Attributes:
        working: What for.
        screen: The screen that this is for.
        given_up: Set when nobody wants to wait any more.
    """

    working: asyncio.Future[Any]
    screen: Screen[Any]
    given_up: asyncio.Event


class Steps:
    """The threads for data and cards, and who waits for them.

    Attributes:
        data: The thread for everything with the database.
        card: The thread for everything with cards, beside which the data go on.
    """

    def __init__(self, desk: EportApp) -> None:
        self._desk = desk
        self.data = ThreadPoolExecutor(1, thread_name_prefix="data")
        self.card = CardThread()
        self._long_waits: list[Wait] = []

    async def run(self, thread: Executor, work: Callable[[], Result]) -> Result:
        """Do something in a thread and wait for it.

        Raises:
            Cancelled: It was given up, and changes nothing.
            OutcomeUnknown: It could not be stopped any more, and Esc was pressed once more.
        """
        step, screen = Step(), self._desk.screen_to_tell
        working = asyncio.get_running_loop().run_in_executor(thread, step.run, work)
        # Whoever waits may be gone before it is done.
        working.add_done_callback(_drop_result)
        done, _ = await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        if not done:
            await self._show_busy(step, working, screen)
        return await working

    async def run_at_the_end(self, work: Callable[[], object]) -> None:
        """Do something with the data before the program ends, which does not wait long for it."""
        working = asyncio.get_running_loop().run_in_executor(self.data, work)
        working.add_done_callback(_drop_result)
        await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)

    def give_up(self) -> bool:
        """Give up what takes long, but not behind the lock; false where nothing does."""
        waits = [wait for wait in self._long_waits if not self._desk.is_hidden(wait.screen)]
        for wait in waits:
            wait.given_up.set()
        return bool(waits)

    async def give_up_hidden(self) -> None:
        """Give up what takes long behind the lock, and give it a moment to stop."""
        waits = [wait for wait in self._long_waits if self._desk.is_hidden(wait.screen)]
        for wait in waits:
            wait.given_up.set()
        if waits:
            await asyncio.wait({wait.working for wait in waits}, timeout=SHOW_BUSY_AFTER)

    async def _show_busy(
        self, step: Step, working: asyncio.Future[Any], for_screen: Screen[Any]
    ) -> None:
        """Say that something takes its time, until it is done or Esc gives it up."""
        screen = self._desk.screens_with(for_screen)[-1]

        async def is_done(told: str) -> bool:
            if isinstance(screen, EportScreen):
                screen.say(told, "busy")
            return await self._is_done_before_esc(working, for_screen)

        try:
            can = "已不能取消" if step.is_past else "按Esc可取消"
            if await is_done(f"正在处理，请稍候。{can}"):
                return
            if step.give_up():
                await self._stop_waiting(working)
            elif not await is_done("已来不及取消，正在等待结果。再按Esc不再等待"):
                raise OutcomeUnknown
        finally:
            if isinstance(screen, EportScreen) and screen.is_mounted:
                screen.say("")

    async def _is_done_before_esc(
        self, working: asyncio.Future[Any], for_screen: Screen[Any]
    ) -> bool:
        wait = Wait(working, for_screen, asyncio.Event())
        self._long_waits.append(wait)
        giving_up = asyncio.create_task(wait.given_up.wait())
        try:
            await asyncio.wait({working, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            giving_up.cancel()
            self._long_waits.remove(wait)
        return working.done()

    async def _stop_waiting(self, working: asyncio.Future[Any]) -> None:
        """Wait no longer for what was given up, and will change nothing."""
        if self._desk.has_store:
            # A write that waits for its turn gives up by itself.
            self._desk.store.cancel_waiting()
            await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        # What it had to say for itself is better; nobody asks for what it found any more.
        if not working.done() or working.exception() is None:
            raise Cancelled


def _drop_result(working: asyncio.Future[Any]) -> None:
    """Look at the outcome of what was given up, so that no loop complains about it."""
    if not working.cancelled():
        working.exception()
