"""授权核查: may a card do something, and why, link by link."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.codes import CodeTables
from eport_tui.domain.dates import parse_date, today
from eport_tui.domain.explanation import Link, LinkKind, Words
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.identifiers import parse_card_number, parse_customs_code
from eport_tui.screens.base import flow
from eport_tui.screens.form_screen import FormScreen
from eport_tui.screens.grant_forms import subsystem_field
from eport_tui.services import decisions
from eport_tui.services.decisions import Asked
from eport_tui.widgets import limits
from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.form import GROUNDS_EXPLAINED, Field, Form, Ground
from eport_tui.widgets.themes import look

LABEL_WIDTH, STATE_WIDTH = 10, 14


class Answer(Widget, can_focus=True):
    """The verdict, the chain from the card to the enterprise, and what would change a no."""

    BINDINGS = [
        Binding("up", "scroll_by(-1)", show=False),
        Binding("down", "scroll_by(1)", show=False),
        Binding("pageup", "scroll_by(-8)", show=False),
        Binding("pagedown", "scroll_by(8)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="answer")
        self._words: Words | None = None
        self._top = 0

    @property
    def is_shown(self) -> bool:
        """Whether there is an answer."""
        return self._words is not None

    def show(self, words: Words | None) -> None:
        """Show another answer, or none."""
        self._words, self._top = words, 0
        self.refresh()

    def action_scroll_by(self, by: int) -> None:
        """Scroll, no farther than the last line."""
        last = max(0, 1 + len(self._lines(self.size.width)) - self.size.height)
        self._top = min(max(0, self._top + by), last)
        self.refresh()

    def _lines(self, width: int) -> list[tuple[str, str]]:
        """The lines below the title, each with its style."""
        words = self._words
        if words is None:
            return []
        lines: list[tuple[str, str]] = []
        for link in words.explanation.links:
            grant = link.kind in (LinkKind.OPERATOR_GRANT, LinkKind.ENTERPRISE_GRANT)
            mark, style = _look_of(link)
            left = ("  -> " if grant else "  ") + fit(link.kind.label, LABEL_WIDTH)
            right = f"{mark} {link.label}"
            text = fit(f"{left} {words.link(link)}", width - STATE_WIDTH)
            lines.append((text + fit(right, STATE_WIDTH), style))
        if not words.explanation.decision.allowed:
            lines.append(("", "plain"))
            lines += _hanging("缺少", words.reason, width)
            for at, way in enumerate(words.ways, 1):
                lines += _hanging("办法" if at == 1 else "", f"{at}. {way}", width)
        return lines

    def render_line(self, y: int) -> Strip:
        """Draw the title or a line."""
        width, words = self.size.width, self._words
        if y == 0:
            style = look(self, "title")
            text, note = " 核查结果", GROUNDS_EXPLAINED
            if words is not None:
                allowed = words.explanation.decision.allowed
                text += f"  + 允许：{words.reason}" if allowed else "  x 不允许"
                note = ""
            left = fit(text, width - cell_len(note) - 1)
            return Strip([Segment(fit(left + note, width), style)], width)
        lines = self._lines(width)
        at = self._top + y - 1
        if at >= len(lines):
            return Strip.blank(width, self.rich_style)
        text, kind = lines[at]
        style = look(self, kind)
        return Strip([Segment(fit(text, width), style)], width)


def _look_of(link: Link) -> tuple[str, str]:
    """The mark and the style of a link; what nobody has verified is neither good nor bad."""
    if not link.holds:
        return "x", "fails"
    return ("+", "holds") if link.verified else ("=", "plain")


def _hanging(label: str, text: str, width: int) -> list[tuple[str, str]]:
    """A text that is broken behind its label."""
    first, *rest = wrap(text, width - 9)
    return [(f"  {fit(label, 4)}  {first}", "plain"), *((" " * 8 + line, "plain") for line in rest)]


class CheckScreen(FormScreen):
    """A question above, its answer below."""

    PLACE = "委托授权系统 / 授权核查"
    LEGEND = ("help", "ask", "back", "main_menu")
    ABOUT = (
        "核查一张卡在某一天能否为某个企业办理某项业务。录入卡号、卡所属企业、授权企业（即要办理其业务的企业）、"
        "授权子系统和操作后按F5。下方从卡到授权企业逐环显示是否有效；不允许的，说明缺少什么，"
        "以及由哪个企业的法人卡在哪个画面办理即可。只能核查与本企业有关的授权。"
    )
    BINDINGS = [*bindings("ask")]

    def __init__(self, asked: Asked | None = None) -> None:
        super().__init__(name="check")
        self._asked = asked
        self._today = today()

    def body(self) -> Iterable[Widget]:
        """Form and answer."""
        tables, required = self.desk.tables, Ground.REQUIRED
        yield Form(
            [
                [
                    Field(
                        "card",
                        "操作员IC卡号",
                        required,
                        15,
                        limit=limits.CARD_NUMBER,
                        hint="13位卡号",
                    ),
                    Field(
                        "card_enterprise",
                        "卡所属企业编号",
                        required,
                        12,
                        limit=limits.CUSTOMS_CODE,
                        hint="这张卡是哪个企业的，10位海关编码",
                    ),
                ],
                [
                    Field(
                        "enterprise",
                        "授权企业编号",
                        required,
                        12,
                        limit=limits.CUSTOMS_CODE,
                        hint="要办理哪个企业的业务，10位海关编码",
                    ),
                    Field(
                        "on",
                        "核查日期",
                        required,
                        18,
                        limit=limits.DATE,
                        opens_list=True,
                        hint="例如 20271231、2027-12-31、+90（天）、-30（天前），空格键打开日历",
                    ),
                ],
                [
                    subsystem_field(tables),
                    Field(
                        "action",
                        "操作",
                        required,
                        18,
                        tables.actions,
                        hint="按空格键选择，按F5核查",
                    ),
                ],
            ]
        )
        self._answer = Answer()
        yield self._answer

    def on_mount(self) -> None:
        """Begin with the row that one comes from, or with an operator's own card."""
        super().on_mount()
        holder = self.desk.active_session.holder
        card = "" if holder.is_legal_person else holder.card_number
        asked = self._asked or Asked(card, holder.enterprise.customs_code)
        for field, value in asdict(asked).items():
            self.form.set_value(field, value)
        if not asked.on:
            self.form.set_value("on", self._today.isoformat())
        self._start()

    @flow
    async def _start(self) -> None:
        values = self.form.values()
        empty = next((field for field in self.form.fields if not values[field]), None)
        if empty is None:
            await self._check()
        else:
            self.form.focus_field(empty)

    async def day_began(self) -> None:
        """What was asked about today is asked about today still."""
        form = self.form
        if form.value("on") != self._today.isoformat():
            return
        self._today = today()
        form.set_value("on", self._today.isoformat())
        if self._answer.is_shown:
            await self._check()

    @flow
    async def action_ask(self) -> None:
        """Answer what is in the form."""
        await self._check()

    async def _check(self) -> None:
        await self.read(self._answer_form)

    async def _answer_form(self) -> None:
        self.check_whole()
        desk = self.desk
        # What stood there is not the answer to a question that cannot be understood.
        self._answer.show(None)
        words = await desk.call(
            decisions.ask,
            desk.store,
            desk.tables,
            desk.active_session,
            Asked(**self.form.values()),
            proof=desk.proof,
        )
        request = words.explanation.request
        self.form.set_value("card", request.card_number)
        self.form.set_value("on", request.on.isoformat())
        self.form.mark_error(None)
        self._answer.show(words)
        self.say("")

    def legend_ids(self) -> tuple[str, ...]:
        """F4 only where it opens something, and last, where it costs no other key a new place."""
        return (*self.LEGEND, "open_list") if self.at_a_list else self.LEGEND

    def on_form_entered(self, message: Form.Entered) -> None:
        """What was filled in is replaced by what is typed."""
        super().on_form_entered(message)
        self.form.select_text(message.field)

    def on_form_edited(self, message: Form.Edited) -> None:
        """The answer is to what stood there before."""
        super().on_form_edited(message)
        self._answer.show(None)
        self.forget_unread()

    async def take(self, field: str) -> None:
        """Turn what was typed into its usual form."""
        typed = self.form.value(field)
        if not typed.strip():
            return
        if field == "card":
            self.form.set_value(field, parse_card_number(typed, field=field))
        elif field in ("card_enterprise", "enterprise"):
            label = self.form.field(field).label
            self.form.set_value(field, parse_customs_code(typed, field=field, label=label))
        elif field == "on":
            day = parse_date(typed, today=today(), field=field, label="核查日期", past=True)
            self.form.set_value(field, day.isoformat())

    async def picked(self, field: str) -> None:
        """After the last choice, answer."""
        self._answer.show(None)
        await super().picked(field)
        if field == self.form.fields[-1]:
            await self._check()

    async def last_field_entered(self) -> None:
        """Enter answers."""
        await self._check()


def about(
    tables: CodeTables, key: GrantKey, card_number: str = "", *, on: date | None = None
) -> CheckScreen:
    """The screen filled in from a grant: a card of its agent, an action that its type allows.

    Args:
        on: The day on which the grant was looked at; none for today.
    """
    day = "" if on is None else on.isoformat()
    action = next(
        (a.code for a in tables.actions if tables.action_needs[a.code] == key.grant_type), ""
    )
    return CheckScreen(Asked(card_number, key.agent, key.principal, key.subsystem, action, day))
