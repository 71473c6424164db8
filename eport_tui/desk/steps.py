"""Steps in other threads: who waits for one is told when it takes long, and can give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from eport_tui.giving_up import Cancelled, OutcomeUnknown, Step
from eport_tui.screens.base import EportScreen
from eport_tui.workplace import CardThread

if TYPE_CHECKING:
    from eport_tui.app import EportApp

Result = TypeVar("Result")

SHOW_BUSY_AFTER = 0.4


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
        self._long_waits: list[asyncio.Event] = []

    async def run(self, thread: Executor, work: Callable[[], Result]) -> Result:
        """Do something in a thread and wait for it.

        Raises:
            Cancelled: It was given up, and changes nothing.
            OutcomeUnknown: It could not be stopped any more, and Esc was pressed once more.
        """
        step = Step()
        working = asyncio.get_running_loop().run_in_executor(thread, step.run, work)
        # Whoever waits may be gone before it is done.
        working.add_done_callback(_drop_result)
        done, _ = await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        if not done:
            await self._show_busy(step, working)
        return await working

    async def run_at_the_end(self, work: Callable[[], object]) -> None:
        """Do something with the data before the program ends, which does not wait long for it."""
        working = asyncio.get_running_loop().run_in_executor(self.data, work)
        working.add_done_callback(_drop_result)
        await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)

    def give_up(self) -> bool:
        """Give up what takes long; false where nothing does."""
        for given_up in self._long_waits:
            given_up.set()
        return bool(self._long_waits)

    async def _show_busy(self, step: Step, working: asyncio.Future[Any]) -> None:
        """Say that something takes its time, until it is done or Esc gives it up."""
        screen = self._desk.screen

        async def is_done(told: str) -> bool:
            if isinstance(screen, EportScreen):
                screen.say(told, "busy")
            return await self._is_done_before_esc(working)

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

    async def _is_done_before_esc(self, working: asyncio.Future[Any]) -> bool:
        given_up = asyncio.Event()
        self._long_waits.append(given_up)
        giving_up = asyncio.create_task(given_up.wait())
        try:
            await asyncio.wait({working, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            giving_up.cancel()
            self._long_waits.remove(given_up)
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
