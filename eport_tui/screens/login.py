"""Login: a card is inserted, its holder shown, and the PIN given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.widget import Widget

from eport_tui.actions import IN_LISTS, bindings
from eport_tui.card.errors import CardGone, PinBlocked, WrongPin
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Holder
from eport_tui.errors import EportError
from eport_tui.screens.base import EportScreen, flow
from eport_tui.widgets.form import Field, Form
from eport_tui.widgets.grid import Column, Grid, ListSource
from eport_tui.widgets.pin import PinField

if TYPE_CHECKING:
    from eport_tui.card.protocol import CardRef, Reader
    from eport_tui.card.session import CardSession

INSERT_CARD = "请插入IC卡或Ikey"
LOOK_FOR_CARDS_SECONDS = 0.5
WARN_DAYS = 30
"""From how many days on the end of the certificate is warned of (spec §2)."""


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card in a reader: its holder, or why it cannot be used."""

    reader: Reader
    ref: CardRef
    holder: Holder | None
    problem: str

    @property
    def key(self) -> str:
        """What tells the row from others."""
        return self.ref.key

    @property
    def usable(self) -> bool:
        """Whether it could be read and its certificate has not run out."""
        return self.holder is not None and self.holder.valid_until >= now()

    @property
    def remark(self) -> str:
        """The enterprise, or what is wrong with the card."""
        if self.holder is None:
            return self.problem
        return self.holder.enterprise.name + ("" if self.usable else "（证书已过期）")


def holder_form() -> Form:
    """Whose card it is, in grey fields."""
    return Form(
        [
            [Field("person", "持卡人"), Field("role", "卡类型")],
            [Field("enterprise", "企业名称")],
            [Field("customs_code", "企业编号"), Field("uscc", "社会信用代码")],
            [Field("card_number", "IC卡号"), Field("validity", "证书有效期")],
        ],
        id="holder",
    )


def fill_holder(form: Form, holder: Holder) -> None:
    """Show a holder in the form."""
    days = holder.days_left(now())
    for field, value in {
        "person": holder.person,
        "role": holder.role.label,
        "enterprise": holder.enterprise.name,
        "customs_code": holder.enterprise.customs_code,
        "uscc": holder.enterprise.uscc,
        "card_number": holder.card_number,
        "validity": f"至{holder.valid_until:%Y-%m-%d}，还有{days}天",
    }.items():
        form.set_value(field, value)


class LoginScreen(EportScreen):
    """First the card, then the PIN; no key is needed when a single card appears."""

    PLACE = "电子口岸委托授权 - 登录"
    LEGEND = ("choose", "reload", "leave", "help", "quit")
    IDLE = ("main_menu",)
    MOVING = IN_LISTS
    ABOUT = (
        "插入IC卡或Ikey后显示持卡人，输入8位密码后按Enter登录。软件卡是文件：在列表中选中一张，"
        "按Enter即为插入。密码累计输错5次，卡即锁定，须到制卡点解锁；软件卡由管理员重新签发。"
    )
    BINDINGS = [*bindings("reload", "choose")]

    def __init__(self) -> None:
        super().__init__(name="login")
        self._refs: list[CardRef] | None = None
        self._session: CardSession | None = None
        self._opened = False

    def body(self) -> Iterable[Widget]:
        """The cards to choose from, then the holder and the PIN."""
        self._cards: Grid[CardRow] = Grid(
            INSERT_CARD,
            [
                Column("IC卡号", 13, lambda row: row.ref.label),
                Column("卡类型", 8, lambda row: row.holder.role.label if row.holder else ""),
                Column("持卡人", 10, lambda row: row.holder.person if row.holder else ""),
                Column(
                    "企业",
                    0,
                    lambda row: row.remark,
                    lambda row: None if row.usable else "expired",
                ),
            ],
            lambda row: row.key,
            id="cards",
        )
        self._holder = holder_form()
        self._pin = PinField(id="pin")
        yield self._cards
        yield self._holder
        yield PinRow(self._pin)

    def on_mount(self) -> None:
        """Open everything, then look for cards now and then."""
        super().on_mount()
        self._show_step()
        self.action_reload()
        self.desk.every(LOOK_FOR_CARDS_SECONDS, self._look_for_cards)

    def _say_demo_pin(self) -> None:
        if self.desk.settings.demo and self._step == "choose":
            self.remark("演示卡的密码都是88888888")

    def start_over(self) -> None:
        """Back to choosing a card, as after a logout."""
        self._pin.wipe()
        if self._session is not None and self._session is not self.desk.session:
            self._session.close()
        self._session = None
        self._refs = None
        self._show_step()
        self._choose_again()

    @flow
    async def _choose_again(self) -> None:
        await self._cards.select_none()
        await self._read_cards()
        self._say_demo_pin()

    @property
    def _step(self) -> str:
        return "choose" if self._session is None else "pin"

    def _show_step(self) -> None:
        choosing = self._step == "choose"
        self._cards.display = choosing
        self._holder.display = not choosing
        self.query_one(PinRow).display = not choosing
        self.set_focus(self._cards if choosing else self._pin)
        self.show_legend()

    def legend_ids(self) -> tuple[str, ...]:
        """Choosing a card or giving the PIN."""
        if self._step == "pin":
            return ("confirm", "back", "help", "quit")
        return ("choose", "reload", "leave", "help", "quit")

    # Cards that come and go

    def _look_for_cards(self) -> None:
        if self._opened and self.is_current and self._step == "choose":
            refs = [ref for reader in self.desk.readers for ref in reader.cards()]
            if refs != self._refs:
                self._refs = refs
                self._cards_changed()
        elif self._session is not None and self.is_current and not self._session.card.is_present():
            self._card_pulled()

    @flow
    async def _cards_changed(self) -> None:
        await self._read_cards()

    def _card_pulled(self) -> None:
        self.start_over()
        self.say("卡已拔出", "warning")

    @flow
    async def action_reload(self) -> None:
        """Open what is not open yet, and look for cards."""
        if not self._opened:
            self.say("正在打开数据库")
            await self.desk.open_workplace()
            self._opened = True
        self.say("")
        self._say_demo_pin()
        await self._read_cards()

    async def _read_cards(self) -> None:
        rows = await self.desk.call_card(self._card_rows)
        self._refs = [row.ref for row in rows]
        self._cards.note = "，".join(
            f"{reader.name}：{reader.status().message}" for reader in self.desk.readers
        )
        selected = self._cards.selected
        # A card that comes or goes must not move the cursor to another one.
        await self._cards.show(
            ListSource(rows, lambda row: row.key), select=selected.key if selected else None
        )
        if self._cards.cursor is None:
            await self._cards.select(0)
        if len(rows) == 1 and self._step == "choose" and rows[0].holder is not None:
            await self._insert(rows[0])

    def _card_rows(self) -> list[CardRow]:
        """Read every card in every reader; in the card thread."""
        rows: list[CardRow] = []
        for reader in self.desk.readers:
            for ref in reader.cards():
                holder, problem = None, ""
                try:
                    holder = self.desk.trust.holder_of(reader.open(ref).certificate)
                except EportError as error:
                    problem = error.message
                rows.append(CardRow(reader, ref, holder, problem))
        return rows

    async def _insert(self, row: CardRow) -> None:
        """Take a card: check its certificate, show its holder, ask for the PIN."""
        from eport_tui.card.session import CardSession

        session = await self.desk.call_card(
            lambda: CardSession.begin(row.reader.open(row.ref), self.desk.trust)
        )
        tries = await self.desk.call_card(session.tries_left)
        self._session = session
        fill_holder(self._holder, session.holder)
        self._show_step()
        self._say_state(session, tries)

    def _say_state(self, session: CardSession, tries: int) -> None:
        days = session.holder.days_left(now())
        if tries == 0:
            self.say_error(PinBlocked())
        elif tries < 5:
            self.say(f"密码还可试{tries}次，试完卡即锁定", "warning")
        elif days <= WARN_DAYS:
            self.say(f"证书还有{days}天到期，请尽快到制卡点更新", "warning")
        elif not session.verdict.may_grant:
            self.say(f"现在只能查看，不能办理授权：{session.verdict.why_not}", "warning")
        else:
            self.say("请输入密码，按Enter登录")

    # Keys

    @flow
    async def action_choose(self) -> None:
        """Insert the chosen card, or log in with the PIN."""
        if self._step == "pin":
            await self._log_in()
            return
        row = self._cards.selected
        if row is None:
            self.say(INSERT_CARD, "warning")
        else:
            await self._insert(row)

    def on_grid_opened(self) -> None:
        """A double click inserts the card."""
        self.action_choose()

    async def _log_in(self) -> None:
        session = self._session
        assert session is not None
        pin = self._pin.take()
        self.say("正在验证密码")
        try:
            await self.desk.call_card(session.unlock, pin)
        except CardGone:
            self.start_over()
            raise
        except WrongPin as error:
            self.say_error(error)
            return
        finally:
            pin[:] = bytes(len(pin))
        self.say("")
        await self.desk.log_in(session)

    def on_pin_field_refused(self, message: PinField.Refused) -> None:
        """Say why a key was not taken."""
        self.say(message.why, "warning")

    @flow
    async def action_back(self) -> None:
        """Take the card out again, or leave from the list of cards."""
        if self._step == "choose":
            if await self.confirm("退出", "确定退出程序吗？", yes="退出", dangerous=False):
                await self.desk.leave()
            return
        self.start_over()
        self.say("")

    def action_main_menu(self) -> None:
        """There is no main menu before the login."""


class PinRow(Widget):
    """A PIN field with its label, aligned with the labels of the holder's form."""

    def __init__(self, field: PinField, label: str = "密码") -> None:
        super().__init__(field)
        self._label = label

    def on_descendant_focus(self) -> None:
        """Point at the field."""
        self.refresh()

    def on_descendant_blur(self) -> None:
        """Point at it no more."""
        self.refresh()

    def render(self) -> str:
        """The label, with the mark of a required field, pointed at while one types."""
        pointed = any(child.has_focus for child in self.children)
        return f"{'>' if pointed else ' '}* {self._label}"
