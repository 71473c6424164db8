"""Login: a card is inserted, its holder shown, and the PIN given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from eport_tui.actions import IN_LISTS, bindings
from eport_tui.card.errors import BadPin, CardBusy, CardGone, Locked, PinBlocked, WrongPin
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Holder
from eport_tui.errors import EportError, OutOfReach
from eport_tui.giving_up import NotAwaited, OutcomeUnknown
from eport_tui.screens.base import EportScreen, flow
from eport_tui.widgets.bars import Body
from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.columns import Column
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.pin import PinField
from eport_tui.widgets.window import ListSource

if TYPE_CHECKING:
    from eport_tui.app import EportApp
    from eport_tui.card.protocol import Card, CardRef, Reader
    from eport_tui.card.session import CardSession
    from eport_tui.card.trust import TrustStore
    from eport_tui.widgets.form import Form

INSERT_CARD = "请插入IC卡或Ikey"
TYPE_AGAIN = "密码没有提交，请重新输入"
REST_SECONDS = 2.0
"""How long a reader is left alone whose card broke off; each such try takes its time."""

WARN_DAYS = 30
"""From how many days on the end of the certificate is warned of (spec §2)."""


class CardRow(NamedTuple):
    """A card in a reader: its holder, or why it cannot be used.

    Attributes:
        blocked: Whether no PIN can be tried any more, where a file tells so.
        revoked: Whether the revocation list has its certificate.
    """

    reader: Reader
    ref: CardRef
    card: Card | None
    holder: Holder | None
    problem: EportError | None
    blocked: bool = False
    revoked: bool = False

    @property
    def number(self) -> str:
        """The card's number; where it cannot be read, the reader or the file that it is in."""
        return self.holder.card_number if self.holder else self.ref.label

    @property
    def key(self) -> str:
        """What tells the row from others."""
        return self.ref.key

    @property
    def texts(self) -> tuple[str, ...]:
        """What one may type the beginning of, to find it."""
        return self.number, self.holder.person if self.holder else "", self.remark

    @property
    def usable(self) -> bool:
        """Whether it could be read, is not blocked and its certificate is still good."""
        no_more = self.blocked or self.revoked or self._is_expired
        return self.holder is not None and not no_more

    @property
    def _is_expired(self) -> bool:
        return self.holder is not None and self.holder.valid_until < now()

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the registry could not be asked whose card it is."""
        return isinstance(self.problem, OutOfReach)

    @property
    def remark(self) -> str:
        """The enterprise, or what is wrong with the card."""
        if self.holder is None:
            return self.problem.message if self.problem else ""
        expired = "（证书已过期）" if self._is_expired else ""
        revoked = "（证书已吊销）" if self.revoked else ""
        blocked = "（密码已锁定）" if self.blocked else ""
        return f"{self.holder.enterprise.name}{expired}{revoked}{blocked}"


def holder_form() -> Form:
    """Whose card it is, in grey fields."""
    from eport_tui.widgets.form import Field, Form

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


class CardList(Grid[CardRow]):
    """The cards to choose from.

    Attributes:
        refused: Whether a card was just refused, which one has chosen or which is the only one.
            What is typed then was meant for its PIN, and must not be shown as what is looked for.
            The same holds where there is no card to be looked for that could be used.
    """

    refused = False

    def on_key(self, event: events.Key) -> None:  # type: ignore[override]
        """Take no text after a card was refused, until another key has been pressed."""
        if event.is_printable:
            if not self._is_searched:
                event.stop()
                event.prevent_default()
        elif self.refused:
            self.refused = False
            self.post_message(self.Told(self, ""))

    def on_paste(self, event: events.Paste) -> None:  # type: ignore[override]
        """Take none that is pasted then, either."""
        if not self._is_searched:
            event.stop()
            event.prevent_default()

    @property
    def _is_searched(self) -> bool:
        """Whether there is a card to look for that somebody may want to use."""
        return not self.refused and any(row.usable for row in self._view.window.rows)


class LoginScreen(EportScreen):
    """First the card, then the PIN; no key is needed when a single card appears."""

    PLACE = "电子口岸委托授权 - 登录"
    LEGEND = ("choose", "reload", "leave", "help")
    MEANING = {"reload": "重新查看读卡器和卡"}
    IDLE = ("main_menu",)
    MOVING = IN_LISTS
    ABOUT = (
        "插入IC卡或Ikey后显示持卡人，输入密码后按Enter登录。IC卡的密码为6至8位数字，软件卡的为8个字符。"
        "软件卡是文件：在列表中选中一张，按Enter即为插入。密码连续输错（IC卡一般3次，软件卡5次），"
        "卡即锁定，须到制卡点解锁；软件卡由管理员重新签发。有几个读卡器时，各自的状态在列表下方。"
    )
    BINDINGS = [*bindings("reload", "choose")]

    def __init__(self) -> None:
        super().__init__(name="login")
        self._refs: list[CardRef] | None = None
        self._rows: dict[CardRef, CardRow] = {}
        self._reading = asyncio.Lock()
        self._resting: dict[str, float] = {}
        self._session: CardSession | None = None
        self._opened = False
        self._holder: Form | None = None

    def body(self) -> Iterable[Widget]:
        """The cards to choose from, then the PIN; the first card puts the holder above it."""
        self._cards = CardList(
            INSERT_CARD,
            [
                Column("IC卡号", 13, lambda row: row.number),
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
        self._states = ReaderStates()
        self._pin = PinField(id="pin")
        yield self._cards
        yield self._states
        yield PinRow(self._pin)

    def on_mount(self) -> None:
        """Open everything."""
        super().on_mount()
        self._show_step()
        self.action_reload()

    def _say_demo_pin(self) -> None:
        if self.desk.settings.demo and self._step == "choose":
            self.remark("演示卡的密码都是88888888")

    def start_over(self) -> None:
        """Back to choosing a card, as after a logout."""
        self._pin.wipe()
        if self._session is not None and self._session is not self.desk.session:
            self._session.close()
            # How many tries are left may have changed.
            self._rows.pop(self._session.card.ref, None)
        self._session = None
        self._refs = None
        self._show_step()
        self._choose_again()

    @flow
    async def _choose_again(self) -> None:
        await self._cards.select_none()
        if await self.read(self._read_cards):
            self._say_demo_pin()

    @property
    def _step(self) -> str:
        return "choose" if self._session is None else "pin"

    def _show_step(self) -> None:
        choosing = self._step == "choose"
        self._cards.display = choosing
        self._states.display = choosing
        if self._holder is not None:
            self._holder.display = not choosing
        self.query_one(PinRow).display = not choosing
        self.set_focus(self._cards if choosing else self._pin)
        self.show_legend()

    def legend_ids(self) -> tuple[str, ...]:
        """Choosing a card or giving the PIN."""
        if self._step == "pin":
            return ("confirm", "back", "help", "quit")
        return self.LEGEND

    # Cards that come and go

    def look_for_cards(self) -> None:
        """Show the cards that came and hide those that went, if that has anything to do here."""
        if not self._opened or not self.is_current or self.desk.leaving:
            return
        self._show_states()
        if self._reading.locked():
            # What changes meanwhile is seen at the next look.
            return
        if self._step == "choose":
            refs = [ref for _, ref in self._cards_in_readers()]
            if refs != self._refs or any(self._is_busy(ref) for ref in refs):
                self._cards_changed()
        elif self._session is not None and not self._session.card.is_present():
            self._card_pulled()
        else:
            self._look_for_others()

    def _look_for_others(self) -> None:
        """A card that comes while the PIN of another one is asked for."""
        refs = [ref for _, ref in self._cards_in_readers()]
        if any(ref not in (self._refs or []) for ref in refs):
            self.say("又插入了一张卡，要用它登录请按Esc", "warning")
        self._refs = refs

    def _cards_in_readers(self) -> list[tuple[Reader, CardRef]]:
        moment = time.monotonic()
        return [
            (reader, ref)
            for reader in self.desk.readers
            for ref in reader.cards()
            if self._resting.get(ref.reader, 0.0) <= moment
        ]

    def _is_busy(self, ref: CardRef) -> bool:
        """Whether another program had the card, which nothing tells of when it lets go."""
        row = self._rows.get(ref)
        return row is not None and isinstance(row.problem, CardBusy)

    def _show_states(self) -> None:
        """What each reader says: below the list, or beside its title in the demo, which has one."""
        states = [
            (reader.name, reader.status().message)
            for reader in self.desk.readers
            # Where software cards are refused, nobody has to know that there are none.
            if reader in self.desk.hardware_readers
            or not self.desk.settings.require_hardware
            or reader.cards()
        ]
        in_demo = self.desk.settings.demo
        note = "，".join(f"{name}：{told}" for name, told in states) if in_demo else ""
        if note != self._cards.note:
            self._cards.note = note
            self._cards.refresh()
        self._states.states = () if in_demo else tuple(states)

    @flow
    async def _cards_changed(self) -> None:
        await self.read(self._read_cards)

    def _card_pulled(self) -> None:
        self.start_over()
        self.say("卡已拔出", "warning")

    @flow
    async def action_reload(self) -> None:
        """Open what is not open yet, and read all cards anew."""
        await self.read(self._begin)

    async def _begin(self) -> None:
        if not self._opened:
            await self.desk.open_workplace()
            self._opened = True
        self.say("")
        self._say_demo_pin()
        self._rows.clear()
        self._resting.clear()
        await self._read_cards()
        await self.desk.show_now()
        await self.desk.open_readers()
        self._show_states()

    async def _read_cards(self) -> None:
        async with self._reading:
            await self._show_cards()

    async def _show_cards(self) -> None:
        """List the cards; what was read of one that has not moved is still true."""
        known, self._rows = self._rows, {}
        found = self._cards_in_readers()
        self._refs = [ref for _, ref in found]
        anew: list[tuple[Reader, CardRef]] = []
        for reader, ref in found:
            row = known.get(ref)
            if row is None or row.is_out_of_reach or row.card is None or not row.card.is_present():
                anew.append((reader, ref))
        if anew:
            # All at once: to go to the thread and back takes longer than to read a card.
            rows = await self.desk.call_card(_read_cards, anew, self.desk.trust)
            known |= {row.ref: row for row in rows}
        for reader, ref in found:
            row = known[ref]
            if not isinstance(row.problem, CardGone):
                self._rows[ref] = row
            elif reader in self.desk.hardware_readers:
                self._resting[ref.reader] = time.monotonic() + REST_SECONDS
                self.say_error(row.problem)
        self._show_states()
        rows = list(self._rows.values())
        selected = self._cards.selected
        # A card that comes or goes must not move the cursor to another one.
        await self._cards.show(
            ListSource(
                rows,
                lambda row: row.key,
                lambda row: (row.number, row.holder.person if row.holder else "", row.remark),
            ),
            select=selected.key if selected else None,
        )
        if self._cards.selected is None:
            await self._cards.select_first()
        if len(rows) == 1 and self._step == "choose" and rows[0].holder is not None:
            await self._insert(rows[0])
        for row in rows:
            if row.problem is not None and row.is_out_of_reach:
                # The list is whole; whose card it is will be asked for again.
                raise row.problem

    async def _insert(self, row: CardRow) -> None:
        """Take a card: check its certificate, show its holder, ask for the PIN."""
        from eport_tui.card.session import CardSession

        def begin() -> tuple[CardSession, int]:
            card = row.card
            if card is None or not card.is_present():
                card = row.reader.open(row.ref)
            session = CardSession.begin(card, self.desk.trust)
            return session, session.tries_left()

        self._cards.refused = True
        session, tries = await self.desk.call_card(begin)
        self._cards.refused = False
        if self._holder is None:
            # With all that it is made of it would be a tenth of the start.
            self._holder = holder_form()
            self._holder.display = False
            await self.query_one(Body).mount(self._holder, before=self.query_one(PinRow))
        self._session = session
        fill_holder(self._holder, session.holder)
        self._show_step()
        self._say_state(session, tries)
        self.desk.load_for_work()

    def _say_state(self, session: CardSession, tries: int) -> None:
        days = session.holder.days_left(now())
        if tries == 0:
            self.say_error(PinBlocked())
        elif tries < _tries_of_a_new_card(session):
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
        try:
            if not await may_try(self, session, pin):
                if self._session is session:
                    self.say(TYPE_AGAIN, "warning")
                return
            self.say("正在验证密码")
            await unlock(self.desk, session, pin)
            self.say("")
            await self.desk.log_in(session)
        except NotAwaited:
            # Whatever becomes of it, it must not stay unlocked behind this screen.
            session.lock()
            raise
        except CardGone:
            self.start_over()
            raise
        except Locked:
            # Its session was ended meanwhile, because it was seen to be gone.
            self.start_over()
            raise CardGone from None
        except (WrongPin, BadPin) as error:
            self.say_error(error)
        finally:
            pin[:] = bytes(len(pin))

    def on_pin_field_refused(self, message: PinField.Refused) -> None:
        """Say why a key was not taken."""
        self.say(message.why, "warning")

    @flow
    async def action_back(self) -> None:
        """Take the card out again, or leave from the list of cards."""
        if self._step == "choose":
            if self._cards.filter:
                await self._cards.narrow("")
            elif await self.confirm("退出", "确定退出程序吗？", yes="退出", dangerous=False):
                await self.desk.leave()
            return
        self.start_over()
        self.say("")

    def action_main_menu(self) -> None:
        """There is no main menu before the login."""


def _read_cards(cards: Iterable[tuple[Reader, CardRef]], trust: TrustStore) -> list[CardRow]:
    """Read whose cards they are, as far as a list shows that; what counts is read in `_insert`."""
    from eport_tui.card.glance import read_lists

    lists = read_lists(trust.revocation)
    return [_read_card(reader, ref, trust, lists) for reader, ref in cards]


def _read_card(reader: Reader, ref: CardRef, trust: TrustStore, lists: list[bytes]) -> CardRow:
    from eport_tui.card.glance import glance, is_revoked

    card: Card | None = None
    try:
        card = reader.open(ref)
        # Others may use it while nobody has chosen it here.
        card.close()
        holder = glance(card.certificate) or trust.holder_of(card.certificate)
        # A chip would have to be asked, which takes time that a list does not have.
        blocked = card.assurance == "software" and card.tries_left() == 0
        revoked = is_revoked(card.certificate, lists)
        return CardRow(reader, ref, card, holder, None, blocked, revoked)
    except EportError as error:
        return CardRow(reader, ref, card, None, error)


def _tries_of_a_new_card(session: CardSession) -> int:
    from eport_tui.card import software

    # Most PIV cards begin with three; what others begin with is not known.
    return software.TRIES if session.card.assurance == "software" else 3


async def may_try(screen: EportScreen, session: CardSession, pin: bytearray) -> bool:
    """Whether the card is to be given a PIN; the last try is asked about first.

    Raises:
        BadPin: It has not the form of this card's PINs.
        CardGone: The card cannot be asked how many tries are left.
    """
    session.card.check_pin(pin)
    if await screen.desk.call_card(session.tries_left) != 1:
        return True
    return await screen.confirm(
        "最后一次机会", "密码只剩最后一次机会，输错卡即锁定。确定继续吗？", yes="继续"
    )


async def unlock(desk: EportApp, session: CardSession, pin: bytearray) -> None:
    """Give the card its PIN, which is wiped.

    Raises:
        Cancelled: It was given up before the card was given it; no try was spent.
        OutcomeUnknown: It was given up after that.
        EportError: As `CardSession.unlock`.
    """
    try:
        await desk.give_pins(session.unlock, pin)
    except OutcomeUnknown:
        raise OutcomeUnknown(
            "没有等到密码验证的结果，可能已用去一次机会", hint="请重新输入密码"
        ) from None


class ReaderStates(Widget):
    """A line for each reader: its name, and what it says."""

    states: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there is to be said."""
        return len(self._lines(width))

    def render(self) -> Content:
        """The names below each other, and beside them what each says."""
        return Content("\n".join(self._lines(self.size.width)))

    def _lines(self, width: int) -> list[str]:
        column = max((cell_len(name) for name, _ in self.states), default=0)
        return [
            f" {fit('' if at else name, column)}  {part}"
            for name, told in self.states
            for at, part in enumerate(wrap(told, max(10, width - column - 3)))
        ]


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
