"""An application on a lean terminal: little is written, and nothing polls."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from rich.color import ColorSystem
from textual import events
from textual.await_complete import AwaitComplete
from textual.driver import Driver
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from eport_tui.terminal import internals
from eport_tui.terminal.compositor import CroppingCompositor
from eport_tui.terminal.keygate import KeyGate

if TYPE_CHECKING:
    from eport_tui.terminal.output import Output

# A collection of all takes long after many screens: it waits for a pause, but not for ever.
_THRESHOLDS = 60_000, 4, 30
# Between two keys from so many new objects on, so that no key has to wait for a collection.
_WORTH_COLLECTING = 10_000
_BREATH_SECONDS = 0.03
# Screens that were left are found by a collection of all only; so many of the others go before.
_WORTH_A_PAUSE = 1
_PAUSE_SECONDS = 1.0
_SETTLED_SECONDS = 0.5
# No rendition, no link, no cursor: as Textual's own output wants the terminal.
_NEUTRAL = "\x1b[m\x1b]8;;\x1b\\\x1b[?25l"
# So long a frame is held back for the end of what a key has begun.
_HELD_SECONDS = 0.06

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class LeanApp(KeyGate):
    """An application that writes to its terminal only what changed.

    Where that is switched off, cannot be relied on, or there is no terminal,
    everything goes Textual's own way.

    Args:
        output: `lean` or `textual`.
    """

    def __init__(self, *, ansi_color: bool | None = None, output: str = "lean") -> None:
        self._wants_lean = output == "lean"
        self._output: Output | None = None
        self._frame_due = 0.0
        self._bursting = False
        self._pause: asyncio.TimerHandle | None = None
        super().__init__(ansi_color=ansi_color)

    def get_driver_class(self) -> type[Driver]:
        """The lean driver in place of the one for ordinary terminals."""
        stock = super().get_driver_class()
        if not self._wants_lean:
            return stock
        if fault := internals.unexpected():
            log.warning("the terminal is not lean: %s", fault)
            return stock
        from textual.drivers.linux_driver import LinuxDriver

        from eport_tui.terminal.driver import LeanDriver

        return LeanDriver if stock is LinuxDriver else stock

    def terminal_taken(self) -> None:
        """The driver takes the terminal over; what it shows is not known."""
        from eport_tui.terminal.output import Output

        if self._output is not None:
            self.call_later(self.repaint)
        system = self.console._color_system or ColorSystem.TRUECOLOR
        self._output = Output(*self.size, system)

    @property
    def has_own_cursor(self) -> bool:
        """Whether the terminal's own cursor is seen, so that no field paints one."""
        return self._output is not None

    # Writing

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        output, driver = self._output, self._driver
        if output is None or driver is None or not self._running or self._closed:
            super()._display(screen, renderable)
            return
        if not output.takes(renderable):
            if renderable is not None:
                output.reset()
            super()._display(screen, renderable)
            return
        if self._batch_count:
            self.post_display_hook()
            return
        try:
            self._show(output, driver, renderable)
        except Exception:
            log.exception("the lean output failed, and Textual's own takes over")
            self._output = None
            driver.write(_NEUTRAL)
            self.repaint()
        self.post_display_hook()

    def _show(self, output: Output, driver: Driver, update: Any) -> None:
        if self.size != (output.width, output.height):
            output.resize(*self.size)
        written = output.show(
            update,
            self.screen.outer_size.clamp_offset(self.cursor_position),
            show_cursor=getattr(self.screen.focused, "wants_cursor", False),
            synchronize=self._sync_available,
        )
        if written:
            driver.write(written)
            driver.flush()

    def repaint(self) -> None:
        """Write the whole screen, whatever the terminal shows."""
        if self._output is not None:
            self._output.reset()
        self.screen.refresh(repaint=True, layout=True)

    def _set_pointer_shape(self, shape: str) -> None:
        """Leave the mouse pointer as it is; nothing is written when it only moves."""

    async def on_event(self, event: events.Event) -> None:
        """Paint everything anew when the window's size may have changed.

        Terminals move or cut their contents then, even if the size is the old
        one again by the time the program is told.
        """
        await super().on_event(event)
        if isinstance(event, events.Resize) and self._output is not None and self._output.shown:
            self.repaint()

    # Frames

    @property
    def holds_frames(self) -> bool:
        """Whether a key that is on its way will soon have something whole to show.

        A flow that takes longer, and a burst of keys, show something now and then.
        """
        return (
            self._output is not None
            and self._delivering is not None
            and time.monotonic() < self._frame_due
        )

    def key_comes(self, event: events.Event) -> None:
        """A key is about to be delivered."""
        super().key_comes(event)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if not self._bursting:
            self._frame_due = time.monotonic() + _HELD_SECONDS

    def key_done(self, *, more: bool) -> None:
        """Paint what a key, or a burst of them, has changed: once, and at once."""
        super().key_done(more=more)
        if not more and gc.isenabled():
            self._collect_in_time()
        if self._output is None:
            return
        self._bursting = more
        if more and time.monotonic() < self._frame_due:
            return
        self._frame_due = 0.0
        self._paint()
        self._frame_due = time.monotonic() + _HELD_SECONDS if more else 0.0

    def _collect_in_time(self) -> None:
        """Have garbage looked for when no key waits: a little in a breath, all in a pause."""
        loop = asyncio.get_running_loop()
        young, _, old = gc.get_count()
        # The context of a key knows the screen that the key has left, which would keep it.
        if young >= _WORTH_COLLECTING:
            loop.call_later(_BREATH_SECONDS, _collect_if_due, context=Context())
        if old >= _WORTH_A_PAUSE:
            self._pause = loop.call_later(_PAUSE_SECONDS, gc.collect, context=Context())

    async def show_now(self) -> None:
        """Paint what has changed so far, before anything else is begun."""
        await self.come_to_rest()
        self._paint()

    def _paint(self) -> None:
        try:
            self.screen._on_timer_update()
        except Exception as error:
            self._handle_exception(error)

    def refresh_css(self, animate: bool = True) -> None:
        """Before there is a screen, only note the theme's colours.

        The stock method reads the style sheet, and the first screen has it read again.
        """
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())
            self.stylesheet.update(self, animate=animate)

    # Looking now and then

    def every(self, seconds: float, look: Callable[[], None]) -> None:
        """Look at something again and again in a thread, until the application ends.

        Half as dear as a timer of the loop.  What `look` finds it hands to `in_loop`, as
        nothing else of the application may be touched in a thread.
        """
        self._look_context = copy_context()
        again = partial(self._look_again_and_again, seconds, look)
        threading.Thread(target=again, name="looks", daemon=True).start()

    def in_loop(self, act: Callable[..., None], *arguments: Any) -> None:
        """Have something done in the loop; callable from any thread, at any time."""

        def do() -> None:
            if not self._is_ending:
                try:
                    act(*arguments)
                except Exception as error:
                    self._handle_exception(error)

        loop = self._loop
        # The program may have ended meanwhile.
        with suppress(RuntimeError):
            if loop is not None:
                loop.call_soon_threadsafe(do, context=self._look_context)

    def _look_again_and_again(self, seconds: float, look: Callable[[], None]) -> None:
        # After a sleep everything has to be fetched into the processor, so little is done here.
        while not self._is_ending:
            try:
                look()
            except Exception as error:
                self.in_loop(self._handle_exception, error)
            time.sleep(seconds)

    # Memory

    def on_ready(self) -> None:
        """Take the garbage collector up again where the start had put it off."""
        if not gc.isenabled():
            asyncio.get_running_loop().call_later(_SETTLED_SECONDS, _collect_seldom)


def _collect_if_due() -> None:
    """Look for garbage as the interpreter would, but before it has to."""
    young, middle, old = gc.get_count()
    if young >= _WORTH_COLLECTING:
        gc.collect(2 if old >= _THRESHOLDS[2] else 1 if middle >= _THRESHOLDS[1] else 0)


def _collect_seldom() -> None:
    """What the start has made is there to stay; look for garbage among the rest only."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


class LeanScreen(Screen[Result]):
    """A screen that is painted once a key has had its whole effect."""

    # The stock reactive repaints the whole screen at each change of focus.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._compositor = CroppingCompositor()
        self._held_back = self._gathers = False

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close this screen with an answer; not while another one stands on it.

        The stock method closes whatever screen is the topmost, which may have come since the
        key that is the answer, as the lock does.
        """
        return super().dismiss(result) if self.app.screen is self else AwaitComplete.nothing()

    @property
    def _holds_frames(self) -> bool:
        return isinstance(self.app, LeanApp) and self.app.holds_frames

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """Styles are right from mounting on; themes change all screens that are on the stack."""
        event.refresh_styles = False

    def _on_timer_update(self) -> None:
        if self._holds_frames:
            # The timer goes on and asks again.
            return
        # Layout and repaint would each show a frame, and the first of them half of what changed.
        self._gathers = has_own_cursor(self.app)
        try:
            super()._on_timer_update()
        finally:
            self._gathers = False
        if self._held_back and self.is_current:
            self._compositor_refresh()

    def _compositor_refresh(self) -> None:
        self._held_back = self._gathers or self._holds_frames
        if not self._held_back:
            super()._compositor_refresh()
        elif not self._gathers:
            self._update_timer.resume()


def has_own_cursor(app: object) -> bool:
    """Whether an application shows the terminal's own cursor in the focused field."""
    return isinstance(app, LeanApp) and app.has_own_cursor
