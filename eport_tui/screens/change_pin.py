"""修改密码: the PIN of the card that is logged in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.card.errors import BadPin, PinBlocked, WrongPin
from eport_tui.errors import EportError, InvalidInput
from eport_tui.giving_up import OutcomeUnknown
from eport_tui.screens.base import EportScreen, flow
from eport_tui.screens.login import TYPE_AGAIN, PinRow, may_try
from eport_tui.widgets.pin import PinField

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession


class ChangePinScreen(EportScreen):
    """The old PIN once and the new one twice; none is echoed."""

    PLACE = "主选单 / 修改密码"
    LEGEND = ("confirm", "focus_next", "save", "back", "main_menu", "help")
    ABOUT = (
        "先输入原密码，再输入两次新密码。IC卡的密码为6至8位数字，软件卡的为8位半角字母、数字或符号。"
        "原密码输错也计入次数限制。请不要长期使用初始密码。"
    )
    BINDINGS = [*bindings("confirm", "save", "focus_next", "focus_previous")]

    def __init__(self) -> None:
        super().__init__(name="change_pin")

    def body(self) -> Iterable[Widget]:
        """The three fields."""
        self._old, self._new, self._again = (PinField(id=id) for id in ("old", "new", "again"))
        yield PinRow(self._old, "原密码")
        yield PinRow(self._new, "新密码")
        yield PinRow(self._again, "再输一次")

    def _named(self) -> list[tuple[PinField, str]]:
        return [(self._old, "原密码"), (self._new, "新密码"), (self._again, "新密码")]

    def _complete(self, field: PinField, name: str) -> bool:
        """Whether a field holds what can be a PIN of this card; if not, say so and go there."""
        if not len(field):
            self.say("请再输入一次新密码" if field is self._again else f"请输入{name}", "error")
        else:
            try:
                field.check(self.desk.active_session.card.check_pin)
                self.say("")
                return True
            except (BadPin, InvalidInput) as error:
                self.say(f"{name}不对：{error}", "error")
        self.set_focus(field)
        return False

    def action_confirm(self) -> None:
        """Go on to the next field, if this one is complete; on the last one, change the PIN."""
        for field, name in self._named():
            if self.focused is field and not self._complete(field, name):
                return
        if self.focused is self._again:
            self.action_save()
        else:
            self.focus_next()

    @flow
    async def action_save(self) -> None:
        """Change the PIN."""
        for field, name in self._named():
            if not self._complete(field, name):
                return
        old, new, again = self._old.take(), self._new.take(), self._again.take()
        try:
            if new != again or new == old:
                told = "新密码与原密码相同" if new == old else "两次输入的新密码不同"
                self._old.give_back(old)
                self.set_focus(self._new)
                self.say(f"{told}，请重新输入", "error")
                return
            self.set_focus(self._old)
            session = self.desk.active_session
            if not await may_try(self, session, old):
                # Of the old one nobody can see any more whether it is right.
                self._new.give_back(new)
                self._again.give_back(again)
                self.say(TYPE_AGAIN, "warning")
                return
            await self.desk.give_pins(session.card.change_pin, old, new)
        except (WrongPin, PinBlocked) as error:
            if await self._is_verified(session):
                raise
            self.desk.lock(f"{error.message}，程序已锁定")
            return
        except OutcomeUnknown:
            raise OutcomeUnknown(
                "没有等到结果，密码可能已修改，也可能没有", hint="下次请先试新密码"
            ) from None
        finally:
            for pin in (old, new, again):
                pin[:] = bytes(len(pin))
        if not await self._is_verified(session):
            self.desk.lock("密码已修改，须用新密码解锁")
        # Behind the lock, whoever was first to lock.
        await self.tell("密码已修改")
        await self.desk.close_screen(self)

    async def _is_verified(self, session: CardSession) -> bool:
        """Whether the card says that it still takes the PIN of the login as given."""
        try:
            await self.desk.call_card(session.card.confirm)
        except EportError:
            # Not to be told in place of what has become of the PIN.
            return False
        return True

    def on_pin_field_refused(self, message: PinField.Refused) -> None:
        """Say why a key was not taken."""
        self.say(message.why, "warning")
