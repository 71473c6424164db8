"""The application: carries what the screens work with, and guards the card session."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from textual import events
from textual.geometry import Offset, Size
from textual.message import Message
from textual.screen import Screen

from eport_tui import workplace
from eport_tui.actions import bindings
from eport_tui.domain.dates import today
from eport_tui.errors import EportError, OutOfReach, StoreError
from eport_tui.giving_up import Cancelled, OutcomeUnknown, Step
from eport_tui.log import where_logged
from eport_tui.screens.base import EportScreen
from eport_tui.screens.login import LoginScreen
from eport_tui.terminal.lean import LeanApp
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.themes import theme_for
from eport_tui.widgets.window import RowSource

if TYPE_CHECKING:
    from eport_tui.card.control import ControlReader
    from eport_tui.card.pcsc import PcscReader
    from eport_tui.card.protocol import Reader
    from eport_tui.card.session import CardSession
    from eport_tui.card.software import SoftwareReader
    from eport_tui.card.trust import TrustStore
    from eport_tui.domain.codes import CodeTables
    from eport_tui.domain.lists import PageSource
    from eport_tui.screens.lock import LockScreen
    from eport_tui.services.proof import Proof
    from eport_tui.settings import Settings
    from eport_tui.store.database import Store

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Row = TypeVar("Row")

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.75
"""From one look at the card to the next; a real reader tells of its card by itself."""
SEE_OTHERS_SECONDS = 0.75
"""From one look whether somebody has saved something to the next; best the same moments."""
SHOW_BUSY_AFTER = 0.4


class ReadersMoved(Message):
    """A card, a reader or what drives the readers came or went; sent from any thread."""


class EportApp(LeanApp):
    """The delegated-authorization terminal."""

    TITLE = "eport-tui"
    CSS_PATH = "styles/eport.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [*bindings("quit", "repaint", "card_slot")]

    def __init__(self, settings: Settings) -> None:
        # Without a theme of terminal colours NO_COLOR would turn ours into greys.
        super().__init__(ansi_color="NO_COLOR" in os.environ or None, output=settings.output)
        theme = theme_for(self.console.color_system)
        self.register_theme(theme)
        self.theme = theme.name
        self.settings = settings
        self.session: CardSession | None = None
        self._store: Store | None = None
        self._tables: CodeTables | None = None
        self._trust: TrustStore | None = None
        # What strict decisions are held against; for the data thread.
        self.proof: Proof | None = None
        self._software: SoftwareReader | None = None
        self._hardware: list[PcscReader | ControlReader] = []
        self.leaving = False
        self._data_thread = ThreadPoolExecutor(1, thread_name_prefix="data")
        self._card_thread = workplace.CardThread()
        self._last_input = time.monotonic()
        self._long_waits: list[asyncio.Event] = []
        self._kept_drafts: set[str] = set()
        self._store_seen: Hashable = None
        self._store_trace: Hashable = None
        self._store_due = 0.0
        self._store_asked: Future[Any] | None = None
        # Whether a screen has something to read that it could not, and asks for a look therefore.
        self.has_unread = False
        self._day = today()
        self._lock_screen: LockScreen | None = None
        self._unlocked = asyncio.Event()
        self._unlocked.set()

    # What the screens work with

    @property
    def store(self) -> Store:
        """The database; it is open before a session can begin."""
        assert self._store is not None
        return self._store

    @property
    def tables(self) -> CodeTables:
        """The code tables; they are read before a session can begin."""
        assert self._tables is not None
        return self._tables

    @property
    def trust(self) -> TrustStore:
        """The authorities whose cards are accepted."""
        assert self._trust is not None
        return self._trust

    @property
    def active_session(self) -> CardSession:
        """The session of the card that is logged in."""
        assert self.session is not None
        return self.session

    @property
    def readers(self) -> list[Reader]:
        """The card readers."""
        return [*([self._software] if self._software is not None else []), *self._hardware]

    @property
    def hardware_readers(self) -> list[Reader]:
        """Those into which real cards are put; the reader of a card is not known beforehand."""
        return [*self._hardware]

    @property
    def demo_reader(self) -> SoftwareReader | None:
        """The reader whose card an F-key pulls, in the demo."""
        return self._software if self.settings.demo else None

    @property
    def holder_line(self) -> str:
        """Whose card it is, for the title bar."""
        if self.session is None:
            return ""
        holder = self.session.holder
        return f"{holder.enterprise.name} {holder.person} {holder.role.label}"

    async def call(
        self,
        service: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a service in the data thread; a long wait is shown and can be given up."""
        return await self._run(self._data_thread, partial(service, *args, **kwargs))

    async def call_card(
        self,
        step: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a step with the card in the card thread, beside which the data go on."""
        return await self._run(self._card_thread, partial(step, *args, **kwargs))

    async def give_pins(self, step: Callable[..., object], *pins: bytearray) -> None:
        """Run a step with the card and some PINs, which are wiped here at once.

        The step has them in buffers of its own, which are wiped when it is done with them:
        the card may be given them when nobody waits for it any more.
        """
        own = [bytearray(pin) for pin in pins]
        for pin in pins:
            pin[:] = bytes(len(pin))

        def give() -> None:
            try:
                step(*own)
            finally:
                for pin in own:
                    pin[:] = bytes(len(pin))

        await self.call_card(give)

    async def _run(self, thread: Executor, work: Callable[[], Result]) -> Result:
        step = Step()
        working = asyncio.get_running_loop().run_in_executor(thread, step.run, work)
        # Whoever waits may be gone before it is done.
        working.add_done_callback(_drop_result)
        done, _ = await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        if not done:
            await self._show_busy(step, working)
        return await working

    async def _show_busy(self, step: Step, working: asyncio.Future[Any]) -> None:
        """Say that something takes its time, until it is done or Esc gives it up.

        Raises:
            Cancelled: It was given up, and changes nothing.
            OutcomeUnknown: It could not be stopped any more, and Esc was pressed once more.
        """
        screen = self.screen

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
        if self._store is not None:
            # A write that waits for its turn gives up by itself.
            self._store.cancel_waiting()
            await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        # What it had to say for itself is better; nobody asks for what it found any more.
        if not working.done() or working.exception() is None:
            raise Cancelled

    async def on_event(self, event: events.Event) -> None:
        """Note when somebody was last there, and how large the terminal is by now."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._last_input = time.monotonic()
        elif isinstance(event, events.Resize) and not (event.pixel_size or self.is_headless):
            # While a window is dragged, signals interrupt one another and tell an old size last.
            size = Size(*shutil.get_terminal_size())
            event = events.Resize(size, size)
        await super().on_event(event)

    def key_comes(self, event: events.Event) -> None:
        """What was said and looked for at the last key gives way to what this one is for."""
        super().key_comes(event)
        if isinstance(self.screen, EportScreen):
            self.screen.key_comes(event)

    def passes_at_once(self, event: events.Key) -> bool:
        """Esc during a long wait gives it up."""
        if event.key not in ("escape", "f12") or not self._long_waits:
            return False
        for given_up in self._long_waits:
            given_up.set()
        return True

    @property
    def cursor_position(self) -> Offset:  # type: ignore[override]
        """Where the terminal's cursor is left, and an input method opens its window.

        Asked at each output, because fields move, scroll and are filled in by the program.
        """
        focused = self.screen.focused or self.screen
        return getattr(focused, "cursor_screen_offset", focused.region.offset)

    @cursor_position.setter
    def cursor_position(self, position: Offset) -> None:
        """What stock widgets report may be out of date already, or not of the focused one."""

    def rows(self, source: PageSource[Row]) -> RowSource[Row]:
        """A list of the database for a grid: read in the data thread, a page at a time."""
        return RowSource(source, self.call)

    # Starting

    def get_default_screen(self) -> Screen[Any]:
        """The login screen is the first one."""
        return LoginScreen()

    def on_mount(self) -> None:
        """Listen for a line that drops, and watch the card."""
        loop = asyncio.get_running_loop()
        # SIGINT comes from outside alone: the terminal sends Ctrl+C as a key.
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._line_dropped, number)
        self.every(min(WATCH_SECONDS, SEE_OTHERS_SECONDS), self._look)

    async def open_workplace(self) -> None:
        """Open database, code tables and software cards; may be tried again after an error.

        Raises:
            EportError: One of them cannot be opened; the message says which and why.
        """
        opened = await self.call(workplace.open_all, self.settings)
        self._store, self._tables, self._trust, self._software = opened
        if self._store.tells_of_changes:
            heed = partial(self._heed_hints, self._store)
            threading.Thread(target=heed, name="hints", daemon=True).start()
        if self.settings.strict:
            from eport_tui.services.proof import Proof

            self.proof = Proof(self._store, self._trust)

    async def open_readers(self) -> None:
        """Have real readers watched from now on; loading what that takes must not delay the list.

        The demo has none.
        """
        if not self.settings.demo and not self._hardware:
            self._hardware = await self.call_card(
                workplace.hardware_readers, self.settings, lambda: self.post_message(ReadersMoved())
            )

    def load_for_work(self) -> None:
        """Load what comes next while a PIN is typed, in the threads that would wait for it."""
        self._card_thread.submit(workplace.load, workplace.FOR_THE_PIN)
        self._data_thread.submit(workplace.load, workplace.FOR_WORK)

    def _close_readers(self) -> None:
        # What the readers say from here on concerns nobody; nothing may be begun for it.
        self.leaving = True
        for reader in self._hardware:
            reader.close()

    # The session

    async def log_in(self, session: CardSession) -> None:
        """A card was unlocked: show the main menu, and offer what was left unsaved.

        Raises:
            EportError: The database cannot be read.
            Locked, CardGone: The card was pulled meanwhile.
        """
        from eport_tui.screens.menus import MainMenuScreen

        # Before the first list is read, so that nothing is missed that is saved meanwhile.
        self._store_trace = None
        self._store_due = time.monotonic() + SEE_OTHERS_SECONDS
        self._store_seen = await self.call(self.store.change_counter)
        # The card may have been pulled meanwhile, and its session be over.
        session.require()
        self._day = today()
        self.session = session
        await self.push_screen(MainMenuScreen())

    async def log_out(self) -> None:
        """End the session and go back to the login screen."""
        self._end_session()
        if self.demo_reader is not None:
            # On the login screen a card is inserted by choosing it, so a pulled one must be there.
            for ref in self.demo_reader.ejected():
                self.demo_reader.insert(ref)
        self.cancel_other_flows()
        self._lock_screen = None
        self._unlocked.set()
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        login = self.screen
        if isinstance(login, LoginScreen):
            login.start_over()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        self._kept_drafts.clear()
        if session is not None:
            session.close()

    def lock(self, why: str) -> None:
        """Lock at once: the card forgets the PIN, the screen shows nothing but the lock."""
        from eport_tui.screens.lock import LockScreen

        if self.session is None or not self._unlocked.is_set():
            return
        self.session.lock()
        self._unlocked.clear()
        self._lock_screen = LockScreen(why)
        self.push_screen(self._lock_screen)

    async def unlock(self) -> None:
        """The same card was unlocked again: back to where one was."""
        lock, self._lock_screen = self._lock_screen, None
        assert lock is not None
        self._last_input = time.monotonic()
        self._unlocked.set()
        await self._pop(lock)
        if self._begun == 1:
            # Nothing else goes on below, so the next key finds the lists as of today.
            await self._begin_day()

    # Screens, as flows open and close them: never above the lock, and never the lock

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

    async def leave_locked(self) -> None:
        """Give up a locked session; what is unsaved is kept for the card's next login."""
        for screen in self.screen_stack:
            if isinstance(screen, EportScreen):
                await self.keep_draft(screen)
        await self.log_out()

    def _look(self) -> None:
        """Look at the card or for cards, and now and then at the store; runs in a thread."""
        if self.session is None:
            self.in_loop(self.on_readers_moved)
            if not self.has_unread:
                return
        elif self._why_lock():
            self.in_loop(self._watch)
        if self.session is not None and today() != self._day:
            self.in_loop(self._day_began)
        moment = time.monotonic()
        if moment >= self._store_due:
            # A little early, so that the next look does not miss it by a hair.
            self._store_due = moment + SEE_OTHERS_SECONDS * 7 / 8
            self._look_at_the_store()

    def _watch(self) -> None:
        """Lock when the card is gone or nobody has typed for too long."""
        if why := self._why_lock():
            self.lock(why)

    def _why_lock(self) -> str:
        session = self.session
        if session is None or not self._unlocked.is_set():
            return ""
        if not session.card.is_present():
            return "卡已拔出，程序已锁定"
        if not session.unlocked:
            return "卡的状态有变，程序已锁定"
        if time.monotonic() - self._last_input > self.settings.idle_minutes * 60:
            return f"超过{self.settings.idle_minutes:g}分钟没有操作，程序已锁定"
        return ""

    def on_readers_moved(self) -> None:
        """Lock at once when it is the card in use; show at once what the readers have."""
        self._watch()
        if not self.leaving and isinstance(self.screen, LoginScreen):
            self.screen.look_for_cards()

    def _look_at_the_store(self) -> None:
        store = self._store
        if not self._unlocked.is_set() or (self.session is None and not self.has_unread):
            return
        trace = store.trace_of_changes() if store is not None else None
        if trace is not None and trace == self._store_trace:
            return
        if self.is_busy or not (self._store_asked is None or self._store_asked.done()):
            return
        self._store_trace = trace
        # At the end of the program nothing can be asked any more.
        with suppress(RuntimeError):
            self._store_asked = self._data_thread.submit(
                partial(workplace.try_to_reach, self.settings)
                if store is None
                else store.change_counter
            )
            self._store_asked.add_done_callback(self._store_told)

    def _heed_hints(self, store: Store) -> None:
        """Look at the store at each hint; a lost one costs nothing but the time to the next look.

        Runs in a thread of its own, until the store is closed.
        """
        with suppress(StoreError):
            while True:
                if store.wait_for_change():
                    self._look_at_the_store()

    def _store_told(self, told: Future[Any]) -> None:
        if told.cancelled():
            return
        if (failure := told.exception()) is not None:
            self._store_trace = None
            # What is wrong with the store is told to whoever works with it next; a defect is not.
            if not isinstance(failure, EportError):
                log.error("a defect", exc_info=failure)
        elif told.result() != self._store_seen or self.has_unread:
            self.in_loop(self._store_changed, told.result())

    def _store_changed(self, seen: Hashable) -> None:
        """Read the lists again when somebody has saved something or they can be read at last."""
        screen = self.screen
        if self._unlocked.is_set() and not self.is_busy and isinstance(screen, EportScreen):
            has_changed = self.session is not None and seen != self._store_seen
            self._store_seen = seen
            self.start_flow(self._read_again(screen, has_changed=has_changed))
        else:
            self._store_trace = None

    async def _read_again(self, screen: EportScreen, *, has_changed: bool) -> None:
        if self.has_unread:
            try:
                await screen.read_again()
            finally:
                others = (each for each in self.screen_stack if isinstance(each, EportScreen))
                self.has_unread = any(each.is_unread for each in others)
        if has_changed:
            await screen.read(self._reload_lists, screen)

    async def _reload_lists(self, screen: EportScreen) -> None:
        for grid in screen.query(Grid):
            if not await grid.refresh_rows():
                screen.say("所选的记录已被他人删除或改动，不再列出", "warning")

    @property
    def _is_calm(self) -> bool:
        """Whether somebody is logged in and nothing goes on that a reading would disturb."""
        return self.session is not None and self._unlocked.is_set() and not self.is_busy

    def _day_began(self) -> None:
        """Show everything as of today, unless something goes on; then the next look does."""
        if self._is_calm:
            self.start_flow(self._begin_day())

    async def _begin_day(self) -> None:
        day = today()
        if day == self._day:
            return
        # Where it fails that is told once; F5 shows a list as of today, too.
        self._day = day
        shown, is_kept = self.screen, True
        # What lies below is come back to.
        for screen in reversed(self.screen_stack):
            if isinstance(screen, EportScreen):
                await screen.day_began()
                for grid in screen.query(Grid):
                    is_kept &= await grid.refresh_rows() or screen is not shown
        if not isinstance(shown, EportScreen):
            return
        told = f"已到 {day}" + ("，列表已按今天更新" if shown.query(Grid) else "")
        if is_kept:
            shown.remark(told)
        else:
            shown.say(f"{told}，所选的记录已不在列表中", "warning")

    async def back_to_main_menu(self) -> None:
        """Leave screen after screen, asking where something is unsaved."""
        for screen in reversed(self.screen_stack[2:]):
            if isinstance(screen, EportScreen) and not await screen.may_leave():
                return
            await self.close_screen(screen)

    # Drafts

    async def keep_draft(self, screen: EportScreen) -> None:
        """Keep what is unsaved, so that a dropped line loses at most one field."""
        from eport_tui.services import drafts

        content, name = screen.draft(), screen.name or ""
        if content is None:
            if name in self._kept_drafts:
                await self.forget_draft(screen)
            return
        try:
            await self.call(drafts.keep, self.store, self.active_session, name, content)
            self._kept_drafts.add(name)
        except EportError as error:
            log.warning("a draft could not be kept: %s", error.message)

    async def forget_draft(self, screen: EportScreen) -> None:
        """What was unsaved is saved or given up."""
        from eport_tui.services import drafts

        name = screen.name or ""
        try:
            await self.call(drafts.forget, self.store, self.active_session, name)
            self._kept_drafts.discard(name)
        except EportError as error:
            log.warning("a draft could not be forgotten: %s", error.message)

    def _line_dropped(self, number: int) -> None:
        """Keep what is unsaved and leave at once, without asking."""
        from eport_tui.services import drafts

        session, store = self.session, self._store
        if session is not None and store is not None:
            for screen in self.screen_stack:
                content = screen.draft() if isinstance(screen, EportScreen) else None
                if content is not None:
                    kept = self._data_thread.submit(
                        drafts.keep, store, session, screen.name or "", content
                    )
                    try:
                        kept.result(timeout=5)
                    except Exception:
                        log.exception("a draft could not be kept when the line dropped")
            session.close()
        self._close_readers()
        if number == signal.SIGHUP:
            # The terminal is gone: restoring it would only fail, so no orderly shutdown.
            os._exit(128 + number)
        self.exit(return_code=128 + number)

    # Keys that work everywhere

    def action_quit(self) -> None:  # type: ignore[override]
        """Leave the program, asking first if something is unsaved."""
        self.start_flow(self._quit())

    async def _quit(self) -> None:
        if not self._unlocked.is_set():
            # Nothing may be asked about what the lock hides, so it is kept.
            await self.leave_locked()
            await self.leave()
            return
        for screen in reversed(self.screen_stack):
            if isinstance(screen, EportScreen) and not await screen.may_leave(
                "确定不保存就退出程序吗？", "不保存，退出"
            ):
                return
        await self.leave()

    async def leave(self) -> None:
        """Close everything and end the program."""
        self._end_session()
        self._close_readers()
        if self._store is not None:
            # A save that still waits for a card that does not answer stores nothing any more,
            # because its session is over; the terminal need not wait for it.
            loop = asyncio.get_running_loop()
            closing = loop.run_in_executor(self._data_thread, self._store.close)
            closing.add_done_callback(_drop_result)
            await asyncio.wait({closing}, timeout=SHOW_BUSY_AFTER)
        self.exit()

    def action_help_quit(self) -> None:
        """Ctrl+C copies what is selected in a field; elsewhere say what ends the program."""
        if isinstance(self.screen, EportScreen):
            self.screen.say("退出程序请按Ctrl+Q")

    def action_repaint(self) -> None:
        """Paint the whole screen anew, as after line noise."""
        self.repaint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the demo has a card that a key can pull."""
        return action != "card_slot" or (self.settings.demo and self.session is not None)

    def action_card_slot(self) -> None:
        """Pull the demo's card, or put it back."""
        reader, session = self.demo_reader, self.session
        if reader is None or session is None:
            return
        if session.card.is_present():
            reader.eject(session.card.ref)
            self._watch()
        else:
            reader.insert(session.card.ref)

    # Errors

    def flow_failed(self, error: Exception) -> None:
        """Tell an operator's error on the screen; log a defect and say so."""
        # A service may have noticed first that the card is gone.
        self._watch()
        screen = next((s for s in reversed(self.screen_stack) if isinstance(s, EportScreen)), None)
        if isinstance(error, EportError):
            self.has_unread |= isinstance(error, OutOfReach)
            if screen is not None:
                screen.say_error(error)
            return
        log.error("a defect", exc_info=error)
        if screen is not None:
            screen.say(
                "程序内部错误，刚才的操作可能没有完成。" + where_logged(self.settings.log_file),
                "error",
            )

    def _handle_exception(self, error: Exception) -> None:
        """A defect outside a flow: log it, and leave without a traceback on the screen."""
        log.critical("a defect ended the program", exc_info=error)
        self._return_code = 1
        if self._exit:
            # To a second message Textual would add an English note.
            return
        self.exit(
            return_code=1,
            message="程序内部错误，已退出。未保存的录入在下次登录时可恢复。"
            + where_logged(self.settings.log_file),
        )


def _drop_result(working: asyncio.Future[Any]) -> None:
    """Look at the outcome of what was given up, so that no loop complains about it."""
    if not working.cancelled():
        working.exception()
