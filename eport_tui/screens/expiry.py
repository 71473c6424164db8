"""到期提醒: what runs out or has run out, renewed together or meant to lapse."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.codes import Code, CodeTable
from eport_tui.domain.dates import parse_valid_until, today
from eport_tui.domain.grants import EnterpriseGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import PageSource
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, NotFound
from eport_tui.giving_up import NotAwaited
from eport_tui.screens.base import flow
from eport_tui.screens.day import ONLY_LOOK, DayScreen
from eport_tui.screens.grant_lists import what_columns
from eport_tui.screens.grant_questions import LONG_YEARS, is_long, what_is_granted
from eport_tui.services import expiry as service
from eport_tui.services.enterprise_grants import Conflict
from eport_tui.services.expiry import Direction, DueRow, RenewalPreview
from eport_tui.widgets import limits
from eport_tui.widgets.columns import Column
from eport_tui.widgets.form import Field, Form, Ground
from eport_tui.widgets.grid import Grid

WITHIN = CodeTable("到期范围", [Code(str(days), f"{days}天内") for days in (30, 60, 90)])

ONLY_LEGAL_PERSONS = "续期和到期不续只有法人卡可以办理"
MOST_NAMED = 3
"""How many enterprises a question names."""


class ExpiryScreen(DayScreen):
    """A time to choose and a date to renew to, the list, the selected grant in full."""

    PLACE = "委托授权系统 / 到期提醒"
    AUTO_FOCUS = "Grid"
    ABOUT = (
        "列出已到期和30、60或90天内到期的授权，「代理本企业」是本企业授出的，「本企业代理」是授予本企业的。"
        "按空格键选择一条或多条，录入续期至的日期，按F10一起续期；没有选择时办理光标所在的一条。"
        "授予本企业的授权只有授权企业能续期。不再续期的按F8，不再提醒；按F2可再看到，再按F8恢复提醒。"
        "续期和F8只有法人卡可以办理。按Ctrl+Y可查看其他日期到期的授权。"
    )
    BINDINGS = [*bindings("mark_all", "renew", "lapse", "show_lapsing", "reload", "check")]

    def __init__(self) -> None:
        super().__init__(name="expiry")
        self._lapsing_too = False

    def body(self) -> Iterable[Widget]:
        """Choice, list and details."""
        tables = self.desk.tables
        self._choice = Form(
            [
                [
                    Field(
                        "within",
                        "到期范围",
                        Ground.REQUIRED,
                        10,
                        WITHIN,
                        hint="按空格键选择30、60或90天",
                    ),
                    Field(
                        "valid_until",
                        service.DATE_LABEL,
                        Ground.OPTIONAL,
                        18,
                        limit=limits.DATE,
                        opens_list=True,
                        hint="例如 20271231、+90（天）、+1y（年），空格键打开日历；按F10续期",
                    ),
                ]
            ],
            id="choice",
        )
        self._grid: Grid[DueRow] = Grid(
            "到期的授权",
            [
                Column("方向", 10, lambda row: row.direction.label),
                Column("企业编号", 10, lambda row: _other(row).customs_code),
                Column("企业名称", 0, lambda row: _other(row).name, wide=True),
                *what_columns(tables),
                Column(
                    "有效期至",
                    11,
                    lambda row: row.grant.valid_until.isoformat() + ("~" if row.gap else ""),
                ),
                Column("剩余", 9, self._days_left),
                Column("状态", 8, self._state, self._state_style),
            ],
            lambda row: row.grant.id,
            marking=True,
            id="due",
        )
        self._grid.note = "~ 曾中断"
        self._details = Form(
            [
                [Field("principal", "授权企业")],
                [Field("agent", "代理企业")],
                [Field("period", "授权期间"), Field("gap", "中断")],
                [Field("operators", "操作员"), Field("who", "续期")],
            ],
            id="details",
        )
        yield self._choice
        yield self._grid
        yield self._details

    def on_mount(self) -> None:
        """Show what runs out within thirty days."""
        super().on_mount()
        self._choice.set_value("within", "30")
        self._lock_date()
        self._start()

    @flow
    async def _start(self) -> None:
        await self.read(self._show)

    def _days_left(self, row: DueRow) -> str:
        days = (row.grant.valid_until - self.day).days
        if days < 0:
            return f"已过{-days}天"
        return f"{days}天" if days else "今天到期" if self.day == today() else "当天到期"

    def _state(self, row: DueRow) -> str:
        return "到期不续" if row.lapsing else row.grant.state(self.day).label

    def _state_style(self, row: DueRow) -> str | None:
        return None if row.lapsing else row.grant.state(self.day).value

    @property
    def _within(self) -> int:
        """Days from today that are looked ahead."""
        return int(self._choice.value("within"))

    async def _show(self, *, again: bool = False) -> None:
        """Show what is due from its beginning, or `again` with the same row selected."""
        desk = self.desk
        source = self._due(lapsing_too=self._lapsing_too)
        if again:
            await self.show_rows(self._grid, source)
        else:
            await self._grid.show(desk.rows(source), again=True)
            await self._grid.select_first()
        self._grid.title = "到期的授权" + ("（含到期不续的）" if self._lapsing_too else "")
        shown = self._grid.count or self._grid.filter
        if self.before_records:
            self.say(self.before_records, "warning")
        else:
            self.say("" if shown else await self._why_nothing())
        self.hint(self.list_hint(self._grid))

    def _due(self, *, lapsing_too: bool) -> PageSource[DueRow]:
        return service.due(
            self.store,
            self.desk.active_session,
            within=self._within,
            lapsing_too=lapsing_too,
            today=self.other_day,
        )

    async def _why_nothing(self) -> str:
        """What there is to say where nothing is listed."""
        if not self._lapsing_too:
            # Where the others are none, all that there are are meant to lapse.
            lapsing = await self.desk.call(self._due(lapsing_too=True).count)
            if lapsing:
                return f"{self._within}天内没有要提醒的授权；到期不续的有{lapsing}条，按F2列出"
        return f"{self._within}天内没有到期的授权，也没有已过期的"

    async def show_day(self) -> None:
        """What ran out by another day, and what ran out soon after it; today alone one renews."""
        await self._show(again=True)
        if self._choice.current == service.DATE_FIELD:
            self.set_focus(self._grid)
        self._lock_date()

    def _lock_date(self) -> None:
        """What could never be renewed has no date to renew to."""
        self._choice.set_locked(*([] if self.may_change else [service.DATE_FIELD]))

    async def picked(self, field: str) -> None:
        """Another time was chosen: show that; a date is taken as it is."""
        if field == "within":
            await self.read(self._show)
        else:
            await super().picked(field)

    async def take(self, field: str) -> None:
        """Write a date out."""
        typed = self._choice.value(field)
        if field == service.DATE_FIELD and typed.strip():
            day = parse_valid_until(typed, today=today(), field=field, label=service.DATE_LABEL)
            self._choice.set_value(field, day.isoformat())

    async def last_field_entered(self) -> None:
        """The date stands: say what comes next; where none can be typed, that is the list."""
        if self.may_change:
            self.say("按F10续期所选的授权")
        else:
            self.set_focus(self._grid)

    def legend_ids(self) -> tuple[str, ...]:
        """In the list what can be done with rows, in the form what can be typed."""
        lapsing = "hide_lapsing" if self._lapsing_too else "show_lapsing"
        if isinstance(self.focused, Grid):
            return (
                *("help", "mark", lapsing, "reload", "mark_all"),
                *("remind" if self._is_taking_back else "lapse", "renew", "check", "back"),
            )
        return ("help", lapsing, "open_list", "reload", "renew", "back", "main_menu")

    def list_hint(self, grid: Grid) -> str:
        """How to renew, or how to be reminded again."""
        if self._view is not None:
            return ONLY_LOOK
        if not self.may_change:
            return f"{ONLY_LEGAL_PERSONS}；F11核查"
        renewing = any(row.direction is Direction.THEIRS for row in self._rows)
        if self._is_taking_back:
            more = "，也可录入「续期至」后按F10续期" if renewing else ""
            return f"标记为到期不续，不再提醒；按F8恢复提醒{more}"
        if not renewing and self._rows:
            return "授予本企业的授权由授权企业续期；不再续期的按空格键选择，再按F8"
        return "按空格键选择，Enter到「续期至」录入日期，F10续期；不再续期的按F8"

    async def open_row(self, grid: Grid) -> None:
        """Enter goes on to the date."""
        if not self._is_refused():
            self._choice.focus_field(service.DATE_FIELD)

    def on_grid_selected(self, message: Grid.Selected) -> None:
        """Show the selected grant in full."""
        row: DueRow | None = message.row
        values = dict.fromkeys(("principal", "agent", "period", "gap", "operators", "who"), "")
        if row is not None:
            grant, gap = row.grant, row.gap
            values = {
                "principal": _named(row.principal),
                "agent": _named(row.agent),
                "period": f"{grant.granted_on}至{grant.valid_until}",
                "gap": f"{gap.first}至{gap.last}" if gap else "没有",
                "operators": f"{row.operator_grants}条企业内授权",
                "who": "由授权企业办理" if row.direction is Direction.OURS else "由本企业办理",
            }
        for field, value in values.items():
            self._details.set_value(field, value)
        self._offer()

    def on_grid_marked(self, message: Grid.Marked) -> None:
        """What is chosen now may be meant to lapse, or not."""
        self._offer()

    def _offer(self) -> None:
        """Say what F8 does with what is chosen."""
        self.show_legend()
        if isinstance(self.focused, Grid):
            self.hint(self.list_hint(self._grid))

    # Choosing

    @flow
    async def action_reload(self) -> None:
        """Read the list again, with what others have saved meanwhile."""
        await self.reload_list(self._grid)

    @flow
    async def action_mark_all(self) -> None:
        """Mark all rows, or none where all are."""
        await self._grid.mark_all()

    @flow
    async def action_show_lapsing(self) -> None:
        """List what is meant to lapse, too, or not any more."""
        self._lapsing_too = not self._lapsing_too
        self.show_legend()
        before = self._grid.count
        if not await self.read(self._show) or not self._lapsing_too or self.before_records:
            return
        if self._grid.count == before:
            self.say("没有标记为到期不续的授权")
        elif self.may_change:
            self.say("已列出到期不续的授权。选中后按F8恢复提醒")
        else:
            self.say("已列出到期不续的授权")

    @property
    def _rows(self) -> list[DueRow]:
        """The marked rows or else the selected one."""
        selected = self._grid.selected
        return self._grid.marked or ([selected] if selected is not None else [])

    @property
    def _is_taking_back(self) -> bool:
        """Whether all that is chosen is meant to lapse already."""
        return bool(self._rows) and all(row.lapsing for row in self._rows)

    def _is_refused(self) -> bool:
        """Whether this card, or this day, allows no change; then that is said."""
        if self.desk.active_session.holder.is_legal_person:
            return self.is_another_day()
        self.say(ONLY_LEGAL_PERSONS, "warning")
        return True

    async def _chosen(self) -> list[DueRow]:
        """What is chosen; where that is nothing, it is said."""
        if not self._rows:
            await self.tell("请选择数据!")
        return self._rows

    async def _begin_anew(self) -> None:
        """Read the list again, with no row marked."""
        self._grid.unmark()
        await self._grid.reload()

    # Renewing

    @flow
    async def action_renew(self) -> None:
        """Renew the chosen grants to the date that was typed."""
        if self._is_refused():
            return
        rows = await self._chosen()
        made = [row.grant for row in rows if row.direction is Direction.THEIRS]
        others = list(dict.fromkeys(r.principal for r in rows if r.direction is Direction.OURS))
        if not rows:
            return
        if not made:
            await self.tell(
                f"所选的授权是授予本企业的，本企业不能续期。请联系授权企业：\n{_names(others)}",
                kind="warning",
            )
            return
        self.check_whole()
        typed = self._choice.value(service.DATE_FIELD)
        if not typed.strip():
            self._choice.focus_field(service.DATE_FIELD)
            self.say("请录入续期至的日期，例如 +1y（一年），再按F10", "warning")
            return
        try:
            await self._renew(made, others, typed)
        except (Conflict, NotFound):
            # What is told is about the grants as they are now, so the list has to show that.
            await self._begin_anew()
            raise

    async def _renew(
        self, made: list[EnterpriseGrant], others: list[Enterprise], typed: str
    ) -> None:
        desk = self.desk
        preview = await desk.call(
            service.renewal_preview, desk.store, desk.active_session, made, typed
        )
        far_away = is_long(preview.valid_until)
        if not await self.confirm(
            "续期",
            _question(preview, others, self._named_grant(made), is_long=far_away),
            yes="续期",
            no="返回",
            dangerous=far_away,
        ):
            return
        await desk.call(
            service.renew, desk.store, desk.active_session, made, preview, proof=desk.proof
        )
        # The date was for these; another F10 must not offer it for whatever is selected now.
        self._choice.set_value(service.DATE_FIELD, "")
        told = f"已将{preview.count}条授权续期至 {preview.valid_until}"
        await self.tell_done(told, self._begin_anew)

    def _named_grant(self, made: list[EnterpriseGrant]) -> str:
        """Which grant it is, where it is one."""
        if len(made) > 1:
            return ""
        key = made[0].key
        return f"代理企业：{key.agent}\n{what_is_granted(key, self.desk.tables)}"

    # Meant to lapse

    @flow
    async def action_lapse(self) -> None:
        """Let the chosen grants lapse, or where all of them are to, take that back."""
        if self._is_refused():
            return
        if not isinstance(self.focused, Grid):
            self.say("F8只在列表中可用，请按Tab到列表，核对所选的授权", "warning")
            return
        rows = await self._chosen()
        if not rows:
            return
        taking_back = self._is_taking_back
        change = service.keep if taking_back else service.let_lapse
        desk = self.desk
        try:
            changed = await desk.call(
                change,
                desk.store,
                desk.active_session,
                [row.grant for row in rows],
                proof=desk.proof,
            )
        except NotAwaited:
            raise
        except EportError:
            await self._begin_anew()
            raise
        if taking_back:
            told = f"已恢复提醒{changed}条"
        else:
            back = "再按F8恢复提醒" if self._lapsing_too else "按F2可查看和恢复"
            told = f"已标记到期不续{changed}条，不再提醒。{back}"
        await self.tell_done(told, self._begin_anew)

    @flow
    async def action_check(self) -> None:
        """Ask whether a card of the agent may use the selected grant."""
        row = self._grid.selected
        await self.check_grant(row.grant.key if row else None)


def _question(
    preview: RenewalPreview, others: list[Enterprise], grant: str, *, is_long: bool
) -> str:
    lines = [f"将{preview.count}条授权续期至 {preview.valid_until}。"]
    if grant:
        lines.append(grant)
    if is_long:
        lines.append(f"有效期超过{LONG_YEARS}年，请核对。")
    if preview.expired:
        revived = (
            f"代理企业原有的{preview.revived}条企业内授权将一并恢复。"
            if preview.revived
            else "其下没有企业内授权。"
        )
        lines.append(f"其中{preview.expired}条已过期，续期后从今天起有效，{revived}")
    if others:
        lines.append(f"所选中授予本企业的不在其内，请联系授权企业：\n{_names(others)}")
    return "\n".join(lines)


def _names(enterprises: list[Enterprise]) -> str:
    named = [_named(enterprise) for enterprise in enterprises[:MOST_NAMED]]
    more = len(enterprises) - len(named)
    return "\n".join([*named, *([f"等{len(enterprises)}家"] if more else [])])


def _named(enterprise: Enterprise) -> str:
    return f"{enterprise.customs_code} {printable(enterprise.name)}".rstrip()


def _other(row: DueRow) -> Enterprise:
    """The enterprise on the other side."""
    return row.principal if row.direction is Direction.OURS else row.agent
