"""The lock: hides everything until the same card and its PIN are there again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.card.errors import (
    BadPin,
    CardDamaged,
    CertificateRefused,
    OtherCard,
    PinBlocked,
    WrongPin,
)
from eport_tui.errors import EportError
from eport_tui.giving_up import NotAwaited
from eport_tui.screens.base import EportScreen, flow
from eport_tui.screens.login import (
    TYPE_AGAIN,
    PinRow,
    fill_holder,
    holder_form,
    may_try,
    unlock,
)
from eport_tui.widgets.bars import Banner
from eport_tui.widgets.dialogs import confirmation
from eport_tui.widgets.pin import PinField

if TYPE_CHECKING:
    from eport_tui.card.protocol import CardRef, Reader
    from eport_tui.screens.help import HelpScreen

LOOK_SECONDS = 0.3

KEPT = "未保存的录入仍在。按Esc退出登录也不会丢失，该卡下次登录时可恢复"

UNUSED = "卡还没有插回，密码没有使用"


class LockScreen(EportScreen):
    """Whose card is wanted, and the PIN; another card starts afresh."""

    PLACE = "已锁定"
    ABOUT = (
        "插回原来的卡并输入密码，即回到锁定前的画面，录入的内容仍在。"
        "要换另一张卡，请按Esc退出登录；未保存的录入在原来的卡下次登录时可以恢复。"
    )
    LEGEND = ("confirm", "log_out", "help", "quit")
    IDLE = ("main_menu",)
    BINDINGS = [*bindings("confirm")]

    def __init__(self, why: str) -> None:
        super().__init__(name="lock")
        self._why = why
        self._ready = False
        self._finding = False
        # Keys of cards in readers that are not the one; another key comes with each insertion.
        self._refused: set[str] = set()
        self._lain: set[str] = set()
        self._was_away = self._is_pin_unused = False

    def body(self) -> Iterable[Widget]:
        """What is kept, the holder and the PIN."""
        self._pin = PinField(id="pin")
        yield Banner()
        yield holder_form()
        yield PinRow(self._pin)

    def on_mount(self) -> None:
        """Say why, and look for the card."""
        super().on_mount()
        from eport_tui.widgets.form import Form

        # Its own, because it still looks for the card while the session is being ended.
        self._session = self.desk.active_session
        wanted = self._session.card.ref
        self._lain = {ref.key for _, ref in self._real_cards() if ref.reader != wanted.reader}
        fill_holder(self.query_one(Form), self._session.holder)
        screens = (each for each in self.desk.screen_stack if isinstance(each, EportScreen))
        if any(screen.draft() is not None for screen in screens):
            self.query_one(Banner).text = KEPT
        self.say(self._why, "warning")
        self.set_focus(self._pin)
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Notice that the card is back, or gone again."""
        if self._finding:
            # A slow card must not be read twice, nor what is said of it be wiped at its end.
            return
        present = self._session.card.is_present()
        if present and not self._ready:
            self._ready, self._is_pin_unused = True, False
            why = "卡已插回" if self._was_away else self._why
            self.say(f"{why}。请输入密码，按Enter解锁", "warning")
        elif not present:
            self._ready, self._was_away = False, True
            if self.is_current:
                self._finding = True
                self.run_worker(self._find())

    async def _find(self) -> None:
        try:
            found = self._card_in_reader()
            if found is not None:
                await self._try(*found)
            elif not self._refused - self._lain and not self.tells_to_wait:
                # Said at each look, because a reader may come or go; but Esc may be waited for.
                why = UNUSED if self._is_pin_unused else self._why
                self.say(f"{why}。{self._what_is_wanted()}", "warning")
        finally:
            self._finding = False

    async def _try(self, reader: Reader, ref: CardRef) -> None:
        """See whether a card is the one, and go on with it if it is."""
        try:
            await self.desk.call_card(self._resume, reader, ref)
        except (OtherCard, CardDamaged, CertificateRefused) as error:
            if reader in self.desk.hardware_readers:
                self._refused.add(ref.key)
            if ref.key not in self._lain:
                self.say_error(error)
        except EportError as error:
            self.say_error(error)

    def _resume(self, reader: Reader, ref: CardRef) -> None:
        # Opening must not find the reader held by what is over.
        self._session.lock()
        card = reader.open(ref)
        try:
            self._session.resume(card)
        except BaseException:
            card.close()
            raise

    def _card_in_reader(self) -> tuple[Reader, CardRef] | None:
        """The card that is wanted, or one that may be it."""
        wanted = self._session.card.ref
        real = self._real_cards()
        self._refused &= {ref.key for _, ref in real}
        software = [
            (reader, ref)
            for reader in self.desk.readers
            if reader not in self.desk.hardware_readers
            for ref in reader.cards()
        ]
        # Where a card was inserted anew only its content tells which one it is.
        may_be = real if self._session.card.assurance == "hardware" else []
        candidates = [
            *(found for found in software if found[1].key == wanted.key),
            *(found for found in may_be if found[1].key not in self._refused),
        ]
        candidates.sort(key=lambda found: found[1].reader != wanted.reader)
        return next(iter(candidates), None)

    def _real_cards(self) -> list[tuple[Reader, CardRef]]:
        return [(reader, ref) for reader in self.desk.hardware_readers for ref in reader.cards()]

    def _what_is_wanted(self) -> str:
        """The card, or first a reader that works."""
        states = [reader.status() for reader in self.desk.hardware_readers]
        if self._session.card.assurance == "hardware" and not any(state.ok for state in states):
            return next((state.message for state in states), "请插入原来的卡")
        return "请插入原来的卡"

    @flow
    async def action_confirm(self) -> None:
        """Unlock with the PIN."""
        desk = self.desk
        pin = self._pin.take()
        try:
            if not self._ready:
                # With another card in the reader nothing is said anew until that is gone.
                self._is_pin_unused = not self._refused - self._lain
                self.say(f"{UNUSED}。{self._what_is_wanted()}", "warning")
                return
            if not await may_try(self, self._session, pin):
                self.say(TYPE_AGAIN, "warning")
                return
            self.say("正在验证密码")
            await unlock(desk, self._session, pin)
        except NotAwaited:
            # Whatever becomes of it, it must not be unlocked behind this screen.
            self._session.lock()
            raise
        except (WrongPin, PinBlocked, BadPin) as error:
            self.say_error(error)
            return
        finally:
            pin[:] = bytes(len(pin))
        await desk.unlock()

    async def confirm(
        self, title: str, text: str, *, yes: str = "确定", no: str = "取消", dangerous: bool = True
    ) -> bool:
        """Ask here and now; what others ask waits until the program is unlocked."""
        dialog = confirmation(title, text, yes=yes, no=no, dangerous=dangerous)
        return bool(await self.desk.ask_while_locked(dialog))

    async def open_help(self, screen: HelpScreen) -> None:
        """Show the help of the lock itself."""
        await self.desk.open_while_locked(screen)

    def on_pin_field_refused(self, message: PinField.Refused) -> None:
        """Say why a key was not taken."""
        self.say(message.why, "warning")

    @flow
    async def action_back(self) -> None:
        """Give the session up and log in with another card."""
        await self.desk.leave_locked()

    def action_main_menu(self) -> None:
        """Nothing is to be seen while locked."""
