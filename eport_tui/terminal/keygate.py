"""Keys wait until what the key before them began is finished.

On a slow line, from a scanner or a fast typist, many keys arrive at once.
Textual hands them all to whatever has the focus at that moment, although the
first of them may open another screen.  Here each key is delivered only when
the screen it is meant for is up and has the focus, so that a burst does what
the same keys would do at leisure.  Pastes and clicks keep their place among
the keys.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.worker import Worker, get_current_worker

Result = TypeVar("Result")

log = logging.getLogger(__name__)

FLOWS = "flows"

# An answered dialog wakes its flow up, and that the next step, without a message between them:
# so many turns of the loop nothing must go on before a key counts as done.
CALM_TURNS = 5
# What takes more turns than this waits for something outside, and is looked at now and then.
BUSY_TURNS = 200
GLANCE = 0.002
# A broken widget must not keep the keyboard for ever: after so many rounds, or glances at one
# (ten seconds, twice what the database may keep a list waiting), the next key comes.
PATIENCE = 200
LONGEST = BUSY_TURNS + int(10 / GLANCE)


def _takes_turn(event: events.Event) -> bool:
    """Whether an event is something a person does; a mouse that only moves does nothing."""
    return isinstance(event, events.InputEvent | events.Paste) and not isinstance(
        event, events.MouseMove
    )


class KeyGate(App[None]):
    """An application whose keys are delivered one at a time, and whose flows hold them.

    A flow is a coroutine that goes on over several messages: it may call
    services in another thread and ask questions.  While one runs, keys wait;
    while it waits for an answer to a question, keys go to the question.
    """

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self._waiting_keys: deque[events.Event] = deque()
        self._delivering: asyncio.Task[None] | None = None
        self._flows = 0
        self._begun = 0
        self._to_begin: set[Worker[None]] = set()
        self._flows_done = asyncio.Event()
        self._flows_done.set()

    # Flows

    def start_flow(self, flow: Coroutine[Any, Any, None]) -> None:
        """Run a flow; keys that come meanwhile wait for it."""
        self._hold()
        self._begun += 1
        self._to_begin.add(self.run_worker(self._run_flow(flow), group=FLOWS, exit_on_error=False))

    async def _run_flow(self, flow: Coroutine[Any, Any, None]) -> None:
        worker = get_current_worker()
        try:
            if worker in self._to_begin:
                self._to_begin.discard(worker)
                await flow
            else:
                flow.close()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.flow_failed(error)
        finally:
            self._begun -= 1
            self._release()

    def cancel_other_flows(self) -> None:
        """Stop all flows but the one that calls, such as those that wait for an answer."""
        # One that is cancelled before its first step never takes it, and would hold the keys for
        # good; so it is left to find that it is called off.
        called_off = set(self._to_begin)
        self._to_begin.clear()
        for worker in list(self.workers):
            if worker.group != FLOWS or worker is get_current_worker() or worker in called_off:
                continue
            worker.cancel()

    def flow_failed(self, error: Exception) -> None:
        """A flow ended with an error."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether a flow runs or waits for an answer, or a key has not had its effect yet."""
        return self._begun > 0 or self._delivering is not None

    async def ask(self, dialog: Screen[Result]) -> Result | None:
        """Show a dialog from within a flow and wait for its answer; keys go to the dialog."""
        answer = self.push_screen(dialog, wait_for_dismiss=True)
        self._release()
        try:
            return await answer
        finally:
            self._hold()

    def _hold(self) -> None:
        self._flows += 1
        self._flows_done.clear()

    def _release(self) -> None:
        self._flows -= 1
        if self._flows == 0:
            self._flows_done.set()

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Put keys, pastes and clicks in the queue; everything else goes its usual way."""
        if _takes_turn(event) and not event.is_forwarded:
            if isinstance(event, events.Key) and self.passes_at_once(event):
                return
            self._waiting_keys.append(event)
            if self._delivering is None:
                self._delivering = asyncio.create_task(self._deliver())
            return
        await super().on_event(event)

    def key_comes(self, event: events.Event) -> None:
        """A key, a paste or a click is about to be delivered."""

    def key_done(self, *, more: bool) -> None:
        """A key has had its whole effect; `more` keys may wait."""

    def passes_at_once(self, event: events.Key) -> bool:
        """Whether a key was dealt with before its turn (Esc while something is under way)."""
        return False

    def put_back(self, event: events.Key) -> None:
        """Deliver a key again, before those that wait."""
        self._waiting_keys.appendleft(events.Key(event.key, event.character))
        if self._delivering is None:
            self._delivering = asyncio.create_task(self._deliver())

    async def keys_settled(self) -> None:
        """Wait until every key that came so far has had its whole effect."""
        await self._settle()
        while self._delivering is not None:
            await asyncio.wait({self._delivering})
            await self._settle()

    async def _deliver(self) -> None:
        try:
            while self._waiting_keys:
                # A card that was inserted begins a flow, too, and the PIN may come at once.
                await self._flows_done.wait()
                if self._is_ending:
                    return
                event = self._waiting_keys.popleft()
                self.key_comes(event)
                await super().on_event(event)
                await self._settle()
                self.key_done(more=bool(self._waiting_keys))
        finally:
            self._delivering = None

    async def _settle(self) -> None:
        """Wait until the last key's effects, and any screen they opened, are complete."""
        for _ in range(PATIENCE):
            await self._flows_done.wait()
            screen = self.screen
            await self.come_to_rest()
            if self._is_ending:
                return
            if not self._flows_done.is_set():
                continue
            if screen is self.screen and self._has_its_focus(screen):
                return

    async def come_to_rest(self) -> None:
        """Wait until no message is under way to any widget, and nothing came of the last one."""
        calm = 0
        for turn in range(LONGEST):
            await asyncio.sleep(0 if turn < BUSY_TURNS else GLANCE)
            if self._is_ending:
                return
            # Mostly it is one of these, and all of them are many.
            if _is_busy(self.screen.focused or self.screen) or _is_busy(self):
                calm = 0
                continue
            calm += 1
            if calm >= CALM_TURNS and not any(map(_is_busy, self._registry)):
                return
        busy = list(filter(_is_busy, (self, *self._registry)))
        log.error("%r do not come to rest; the next key is delivered all the same", busy)

    @property
    def _is_ending(self) -> bool:
        return self._exit or not self._running

    def _has_its_focus(self, screen: Screen[Any]) -> bool:
        """Whether a screen has chosen its first focus, where it wants one."""
        if screen.focused is not None or not screen.is_mounted:
            return screen.is_mounted
        return screen.AUTO_FOCUS == "" or not screen.focus_chain


def _is_busy(pump: MessagePump) -> bool:
    # Whoever waits for a message has nothing else to do; one that begins does not wait yet,
    # and of one that ends nothing more is to be expected.
    if pump._closing or pump._closed:
        return False
    ready = pump._message_queue.ready_event
    return ready.is_set() or not ready._waiters
