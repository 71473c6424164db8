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
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from textual import events
from textual.app import App
from textual.dom import NoScreen
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

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


@dataclass(eq=False)
class Flow:
    """What goes on over several messages.

    Attributes:
        steps: What it does.
        screen: The screen that it was begun on.
        task: In which it runs, from its first step on.
        holds_keys: Whether keys wait for it.
        is_called_off: Whether it is to do nothing, as it had not begun when all were ended.
    """

    steps: Coroutine[Any, Any, None]
    screen: Screen[Any]
    task: asyncio.Task[Any] | None = None
    holds_keys: bool = True
    is_called_off: bool = False


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
        self._flows: set[Flow] = set()
        self._flows_done = asyncio.Event()
        self._flows_done.set()

    # Flows

    def start_flow(
        self, steps: Coroutine[Any, Any, None], screen: Screen[Any] | None = None
    ) -> None:
        """Run a flow; keys that come meanwhile wait for it, unless its screen is hidden.

        Args:
            screen: The screen that it is begun on, if that is not the one in front.
        """
        flow = Flow(steps, self.screen if screen is None else screen)
        self._flows.add(flow)
        self.flows_changed()
        self.run_worker(self._run_flow(flow), group=FLOWS, exit_on_error=False)

    async def _run_flow(self, flow: Flow) -> None:
        flow.task = asyncio.current_task()
        try:
            if flow.is_called_off:
                flow.steps.close()
            else:
                await flow.steps
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.flow_failed(error)
        finally:
            self._flows.discard(flow)
            self.flows_changed()

    @property
    def _flow(self) -> Flow | None:
        """The flow that calls."""
        task = asyncio.current_task()
        return next((flow for flow in self._flows if flow.task is task), None)

    @property
    def has_other_flows(self) -> bool:
        """Whether any flow goes on besides the one that calls."""
        return bool(self._flows - {self._flow})

    def cancel_other_flows(self) -> None:
        """Stop all flows but the one that calls, such as those that wait for an answer."""
        caller = self._flow
        for flow in self._flows:
            if flow.task is None:
                # One that is cancelled before its first step never takes it, and would hold the
                # keys for good; so it is left to find that it is called off.
                flow.is_called_off = True
            elif flow is not caller:
                flow.task.cancel()

    def flow_failed(self, error: Exception) -> None:
        """A flow, the one that calls, ended with an error."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether a flow runs or waits for an answer, or a key has not had its effect yet."""
        return bool(self._flows) or self._delivering is not None

    async def ask(self, dialog: Screen[Result]) -> Result | None:
        """Show a dialog from within a flow and wait for its answer; keys go to the dialog."""
        answer = self.push_screen(dialog, wait_for_dismiss=True)
        with self.keys_go_on():
            return await answer

    @contextmanager
    def keys_go_on(self) -> Generator[None]:
        """Within a flow: keys do not wait for it meanwhile."""
        flow = self._flow
        assert flow is not None
        flow.holds_keys = False
        self.flows_changed()
        try:
            yield
        finally:
            flow.holds_keys = True
            self.flows_changed()

    def is_hidden(self, screen: Screen[Any]) -> bool:
        """Whether a screen stands behind one with which it has nothing to do, as the lock."""
        return False

    @property
    def screen_to_tell(self) -> Screen[Any]:
        """The screen that is to be told: of a flow the one it was begun on, or the one in front."""
        flow = self._flow
        return self.screen if flow is None else flow.screen

    def flows_changed(self) -> None:
        """See whether keys have to wait; to be called when what is hidden is another, too."""
        if any(flow.holds_keys and not self.is_hidden(flow.screen) for flow in self._flows):
            self._flows_done.clear()
        else:
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
                # A card that was inserted begins a flow, too, and the PIN may come at once; and
                # a lock that comes meanwhile may not be ready for a key yet.
                if not self._flows_done.is_set():
                    await self._settle()
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
            if calm >= CALM_TURNS and not any(map(self._keeps_busy, self._registry)):
                return
        busy = list(filter(self._keeps_busy, (self, *self._registry)))
        log.error("%r do not come to rest; the next key is delivered all the same", busy)

    def _keeps_busy(self, pump: MessagePump) -> bool:
        """Whether a key has to wait for what a widget does; not where that is hidden."""
        if not _is_busy(pump):
            return False
        try:
            return not (isinstance(pump, Widget) and self.is_hidden(pump.screen))
        except NoScreen:
            return True

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
