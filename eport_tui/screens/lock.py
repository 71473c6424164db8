"""The lock: hides everything until the same card and its PIN are there again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.card.errors import PinBlocked, WrongPin
from eport_tui.errors import EportError
from eport_tui.screens.base import EportScreen, flow
from eport_tui.screens.login import PinRow, fill_holder, holder_form
from eport_tui.widgets.pin import PinField

if TYPE_CHECKING:
    from eport_tui.card.protocol import CardRef, Reader

LOOK_SECONDS = 0.3


class LockScreen(EportScreen):
    """Whose card is wanted, and the PIN; another card starts afresh."""

    PLACE = "已锁定"
    ABOUT = (
        "插回原来的卡并输入密码，即回到锁定前的画面，录入的内容仍在。"
        "要换另一张卡，请按Esc返回登录画面；未保存的录入在原来的卡下次登录时可以恢复。"
    )
    LEGEND = ("confirm", "back", "help", "quit")
    IDLE = ("main_menu",)
    BINDINGS = [*bindings("confirm")]

    def __init__(self, why: str) -> None:
        super().__init__(name="lock")
        self._why = why
        self._ready = False

    def body(self) -> Iterable[Widget]:
        """The holder and the PIN."""
        self._pin = PinField(id="pin")
        yield holder_form()
        yield PinRow(self._pin)

    def on_mount(self) -> None:
        """Say why, and look for the card."""
        super().on_mount()
        from eport_tui.widgets.form import Form

        # Its own, because it still looks for the card while the session is being ended.
        self._session = self.desk.active_session
        fill_holder(self.query_one(Form), self._session.holder)
        self.say(self._why, "warning")
        self.set_focus(self._pin)
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Notice that the card is back, or gone again."""
        present = self._session.card.is_present()
        if present and not self._ready:
            self._ready = True
            self.say(f"{self._why}。请输入密码，按Enter解锁", "warning")
        elif not present:
            self._ready = False
            if self.is_current:
                self.run_worker(self._find, exclusive=True, group="find")

    async def _find(self) -> None:
        found = self._card_in_reader()
        if found is None:
            self.say(f"{self._why}。请插入原来的卡", "warning")
            return
        (reader, ref), session = found, self._session
        try:
            await self.desk.call_card(lambda: session.resume(reader.open(ref)))
        except EportError as error:
            self.say_error(error)

    def _card_in_reader(self) -> tuple[Reader, CardRef] | None:
        wanted = self._session.card.ref
        for reader in self.desk.readers:
            for ref in reader.cards():
                if ref.key == wanted.key:
                    return reader, ref
        return None

    @flow
    async def action_confirm(self) -> None:
        """Unlock with the PIN."""
        desk = self.desk
        pin = self._pin.take()
        try:
            if not self._ready:
                self.say(f"{self._why}。请插入原来的卡", "warning")
                return
            self.say("正在验证密码")
            await desk.call_card(self._session.unlock, pin)
        except (WrongPin, PinBlocked) as error:
            self.say_error(error)
            return
        finally:
            pin[:] = bytes(len(pin))
        await desk.unlock()

    def on_pin_field_refused(self, message: PinField.Refused) -> None:
        """Say why a key was not taken."""
        self.say(message.why, "warning")

    @flow
    async def action_back(self) -> None:
        """Give the session up and log in with another card."""
        await self.desk.leave_locked()

    def action_main_menu(self) -> None:
        """Nothing is to be seen while locked."""
