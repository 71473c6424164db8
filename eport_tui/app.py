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
from eport_tui.errors import EportError, StoreError
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
        self._give_up: asyncio.Event | None = None
        self._kept_drafts: set[str] = set()
        self._store_seen: Hashable = None
        self._store_trace: Hashable = None
        self._store_due = 0.0
        self._store_asked: Future[Hashable] | None = None
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

    async def _run(self, thread: Executor, step: Callable[[], Result]) -> Result:
        working = asyncio.get_running_loop().run_in_executor(thread, step)
        # Whoever waits may be gone before it is done, and it cannot be stopped.
        working.add_done_callback(_drop_result)
        done, _ = await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
        if not done:
            await self._show_busy(working)
        return await working

    async def _show_busy(self, working: asyncio.Future[Any]) -> None:
        """Say that something takes its time, until it is done or Esc gives it up."""
        screen = self.screen
        self._give_up = given_up = asyncio.Event()
        if isinstance(screen, EportScreen):
            screen.say("正在处理，请稍候。按Esc可取消", "busy")
        giving_up = asyncio.create_task(given_up.wait())
        try:
            await asyncio.wait({working, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            if given_up.is_set() and self._store is not None:
                # A write that waits for its turn gives up by itself, and is rolled back.
                self._store.cancel_waiting()
                await asyncio.wait({working}, timeout=SHOW_BUSY_AFTER)
            if not working.done():
                # Nothing can stop it, but nobody has to wait for it either.
                raise EportError("已取消")
        finally:
            giving_up.cancel()
            self._give_up = None
            if isinstance(screen, EportScreen) and screen.is_mounted:
                screen.say("")

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
        if self._give_up is not None and event.key in ("escape", "f12"):
            self._give_up.set()
            return True
        return False

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
        for number in (signal.SIGHUP, signal.SIGTERM):
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
        """A card was unlocked: show the main menu, and offer what was left unsaved."""
        from eport_tui.screens.menus import MainMenuScreen

        # Before the first list is read, so that nothing is missed that is saved meanwhile.
        self._store_trace = None
        self._store_due = time.monotonic() + SEE_OTHERS_SECONDS
        self._store_seen = await self.call(self.store.change_counter)
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
        self.push_screen(LockScreen(why))

    async def unlock(self) -> None:
        """The same card was unlocked again: back to where one was."""
        self._last_input = time.monotonic()
        self._unlocked.set()
        await self.pop_screen()

    async def ask(self, dialog: Screen[Result]) -> Result | None:
        """Ask within a flow; while the program is locked, no question is shown."""
        if not self._unlocked.is_set():
            self._release()
            try:
                await self._unlocked.wait()
            finally:
                self._hold()
        return await super().ask(dialog)

    async def ask_while_locked(self, dialog: Screen[Result]) -> Result | None:
        """Ask what the lock itself has to ask."""
        return await super().ask(dialog)

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
            return
        if self._why_lock():
            self.in_loop(self._watch)
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
        if self._store is None or self.session is None or not self._unlocked.is_set():
            return
        trace = self._store.trace_of_changes()
        if trace is not None and trace == self._store_trace:
            return
        if self.is_busy or not (self._store_asked is None or self._store_asked.done()):
            return
        self._store_trace = trace
        # At the end of the program nothing can be asked any more.
        with suppress(RuntimeError):
            self._store_asked = self._data_thread.submit(self._store.change_counter)
            self._store_asked.add_done_callback(self._store_told)

    def _heed_hints(self, store: Store) -> None:
        """Look at the store at each hint; a lost one costs nothing but the time to the next look.

        Runs in a thread of its own, until the store is closed.
        """
        with suppress(StoreError):
            while True:
                if store.wait_for_change():
                    self._look_at_the_store()

    def _store_told(self, told: Future[Hashable]) -> None:
        if told.cancelled():
            return
        if (failure := told.exception()) is not None:
            self._store_trace = None
            # What is wrong with the store is told to whoever works with it next; a defect is not.
            if not isinstance(failure, EportError):
                log.error("a defect", exc_info=failure)
        elif told.result() != self._store_seen:
            self.in_loop(self._store_changed, told.result())

    def _store_changed(self, seen: Hashable) -> None:
        """Read the lists again when somebody has saved something, and only then."""
        screen = self.screen
        is_calm = self.session is not None and self._unlocked.is_set() and not self.is_busy
        if is_calm and isinstance(screen, EportScreen):
            self._store_seen = seen
            self.start_flow(self._reload_lists(screen))
        else:
            self._store_trace = None

    async def _reload_lists(self, screen: EportScreen) -> None:
        for grid in screen.query(Grid):
            if not await grid.refresh_rows():
                screen.say("所选的记录已被他人删除或改动，不再列出", "warning")

    async def back_to_main_menu(self) -> None:
        """Leave screen after screen, asking where something is unsaved."""
        while len(self.screen_stack) > 2:
            screen = self.screen
            if isinstance(screen, EportScreen) and not await screen.may_leave():
                return
            await self.pop_screen()

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
            if screen is not None:
                screen.say_error(error)
            return
        log.error("a defect", exc_info=error)
        if screen is not None:
            screen.say(
                f"程序内部错误，刚才的操作可能没有完成。已记录在 {self.settings.log_file}", "error"
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
            f"详情记录在 {self.settings.log_file}",
        )


def _drop_result(working: asyncio.Future[Any]) -> None:
    """Look at the outcome of what was given up, so that no loop complains about it."""
    if not working.cancelled():
        working.exception()
