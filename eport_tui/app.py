"""The application: carries what the screens work with, and guards the card session."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from textual import events
from textual.geometry import Offset, Size
from textual.message import Message
from textual.screen import Screen

from eport_tui import workplace
from eport_tui.actions import bindings
from eport_tui.desk import changes
from eport_tui.desk.changes import Changes
from eport_tui.desk.day import Day
from eport_tui.desk.drafts import Drafts
from eport_tui.desk.locking import LockableApp
from eport_tui.desk.presence import Presence
from eport_tui.desk.steps import Steps
from eport_tui.errors import EportError, OutOfReach
from eport_tui.log import where_logged
from eport_tui.screens.base import EportScreen
from eport_tui.screens.login import LoginScreen
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
"""From one look at the card and the day to the next; a real reader tells of its card by itself."""


class ReadersMoved(Message):
    """A card, a reader or what drives the readers came or went; sent from any thread."""


class EportApp(LockableApp):
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
        self.steps = Steps(self)
        self.presence = Presence(self)
        self.drafts = Drafts(self)
        self.changes = Changes(self)
        self.day = Day(self)

    # What the screens work with

    @property
    def has_store(self) -> bool:
        """Whether the database is open."""
        return self._store is not None

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
        return await self.steps.run(self.steps.data, partial(service, *args, **kwargs))

    async def call_card(
        self,
        step: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a step with the card in the card thread, beside which the data go on."""
        return await self.steps.run(self.steps.card, partial(step, *args, **kwargs))

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

    async def on_event(self, event: events.Event) -> None:
        """Note when somebody was last there, and how large the terminal is by now."""
        if isinstance(event, events.InputEvent | events.Paste):
            self.presence.is_shown()
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
        return event.key in ("escape", "f12") and self.steps.give_up()

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
        self.every(min(WATCH_SECONDS, changes.SEE_OTHERS_SECONDS), self._look)

    async def open_workplace(self) -> None:
        """Open database, code tables and software cards; may be tried again after an error.

        Raises:
            EportError: One of them cannot be opened; the message says which and why.
        """
        opened = await self.call(workplace.open_all, self.settings)
        self._store, self._tables, self._trust, self._software = opened
        if self._store.tells_of_changes:
            threading.Thread(target=self.changes.heed_hints, name="hints", daemon=True).start()
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
        self.steps.card.submit(workplace.load, workplace.FOR_THE_PIN)
        self.steps.data.submit(workplace.load, workplace.FOR_WORK)

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

        await self.changes.session_begins()
        # The card may have been pulled meanwhile, and its session be over.
        session.require()
        self.day.session_begins()
        self.session = session
        await self.open_screen(MainMenuScreen())

    async def log_out(self) -> None:
        """End the session and go back to the login screen."""
        self._end_session()
        if self.demo_reader is not None:
            # On the login screen a card is inserted by choosing it, so a pulled one must be there.
            for ref in self.demo_reader.ejected():
                self.demo_reader.insert(ref)
        await self.close_all()
        login = self.screen
        if isinstance(login, LoginScreen):
            login.start_over()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        self.drafts.session_ended()
        if session is not None:
            from eport_tui.services import drafts

            session.close()
            # Behind what is still being kept, and before the next login asks.
            self.steps.data.submit(drafts.leave, self.store, session)

    def lock(self, why: str) -> None:
        """Lock at once: the card forgets the PIN, the screen shows nothing but the lock."""
        from eport_tui.screens.lock import LockScreen

        if self.session is not None and not self.is_locked:
            self.session.lock()
            self.put_lock(LockScreen(why))

    async def unlock(self) -> None:
        """The same card was unlocked again: back to where one was."""
        self.presence.is_shown()
        await self.take_lock_away()
        # The card may have been pulled since its PIN was taken.
        self.presence.check()
        if not self.is_locked and not self.has_other_flows:
            # Nothing else goes on below, so the next key finds the lists as of today.
            await self.day.begin()

    async def leave_locked(self) -> None:
        """Give up a locked session; what is unsaved is kept for the card's next login."""
        await self.steps.give_up_hidden()
        await self.drafts.keep_all()
        await self.log_out()

    async def back_to_main_menu(self) -> None:
        """Leave screen after screen, asking where something is unsaved."""
        for screen in reversed(self.screen_stack[2:]):
            if isinstance(screen, EportScreen) and not await screen.may_leave():
                return
            await self.close_screen(screen)

    # What nobody tells of

    def _look(self) -> None:
        """Look at the card or for cards, and now and then at the store; runs in a thread."""
        if self.session is None:
            self.in_loop(self.on_readers_moved)
            if not self.changes.has_unread:
                return
        elif self.presence.why_lock():
            self.in_loop(self.presence.check)
        if self.session is not None and self.day.is_over:
            self.in_loop(self.day.end)
        self.changes.look_if_due()

    def on_readers_moved(self) -> None:
        """Lock at once when it is the card in use; show at once what the readers have."""
        self.presence.check()
        if not self.leaving and isinstance(self.screen, LoginScreen):
            self.screen.look_for_cards()

    # Leaving

    def _line_dropped(self, number: int) -> None:
        """Keep what is unsaved and leave at once, without asking."""
        if self.session is not None:
            self.drafts.keep_all_at_once()
            self.session.close()
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
        if self.is_locked:
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
        if self.has_store:
            # A save that still waits for a card that does not answer stores nothing any more,
            # because its session is over; the terminal need not wait for it.
            await self.steps.run_at_the_end(self.store.close)
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
            self.presence.check()
        else:
            reader.insert(session.card.ref)

    # Errors

    def flow_failed(self, error: Exception) -> None:
        """Tell an operator's error where it belongs, behind the lock, too; log a defect."""
        # A service may have noticed first that the card is gone.
        self.presence.check()
        screens = reversed(self.screens_with(self.screen_to_tell))
        screen = next((each for each in screens if isinstance(each, EportScreen)), None)
        if isinstance(error, EportError):
            self.changes.has_unread |= isinstance(error, OutOfReach)
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
