"""查看操作员权限: who may do what, at principals and on one's own data."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.grants import GrantKey, card_or_all
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.identifiers import without_prefix
from eport_tui.errors import InvalidInput, NotPermitted
from eport_tui.screens.base import flow
from eport_tui.screens.day import FINDING, DayScreen
from eport_tui.services import permissions as service
from eport_tui.services.permissions import Direction, PermissionRow
from eport_tui.widgets import limits
from eport_tui.widgets.columns import Column
from eport_tui.widgets.field import CodeField
from eport_tui.widgets.form import Field, Form, Ground
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.picker import Picker

ALL = "全部"
NO_RIGHTS = "列表中没有操作员权限"


class PermissionsScreen(DayScreen):
    """A subsystem to choose, the permissions in force on a day, the selected one in full."""

    PLACE = "委托授权系统 / 查看操作员权限"
    LEGEND = ("help", "open_list", "query", "check", "history", "as_of", "back", "main_menu")
    ABOUT = (
        "选择授权子系统（不选为全部）后按F5，列出今天有效的操作员权限。「本企业代理」是本企业的操作员"
        "可以办理的企业，「代理本企业」是可以办理本企业业务的操作员。授予全部操作员时只有一条，IC卡号栏为「全部操作员」。"
        "录入本企业一张操作员卡的卡号后按F5，列出这张卡可以办理的企业；按F11核查选中的一条，按Ctrl+R查看其操作历史，按Ctrl+Y查看其他日期有效的权限。"
    )
    BINDINGS = [*bindings("query", "check", "history")]

    def __init__(self) -> None:
        super().__init__(name="permissions")

    def body(self) -> Iterable[Widget]:
        """Choice, list and details."""
        tables, holder = self.desk.tables, self.desk.active_session.holder

        def is_own(row: PermissionRow) -> bool:
            """Whether it is a right of the card that is logged in, given to it or to all."""
            is_operators = row.direction is Direction.OURS and not holder.is_legal_person
            return is_operators and row.card_number in ("", holder.card_number)

        self._choice = Form(
            [
                [
                    Field(
                        "subsystem",
                        "授权子系统",
                        Ground.OPTIONAL,
                        18,
                        tables.subsystems,
                        empty=ALL,
                        hint="按空格键选择，不选为全部子系统；按F5查询",
                    ),
                    Field(
                        "card_number",
                        "操作员IC卡号",
                        Ground.OPTIONAL,
                        15,
                        limit=limits.CARD_NUMBER,
                        hint="本企业操作员的13位卡号，按F5列出这张卡可以办理的企业；不写为所有操作员",
                    ),
                ]
            ],
            id="choice",
        )
        self._grid: Grid[PermissionRow] = Grid(
            "操作员权限",
            [
                Column("方向", 10, lambda row: row.direction.label),
                Column("企业编号", 10, lambda row: _other(row).customs_code),
                Column("企业名称", 0, lambda row: _other(row).name, wide=True),
                Column("授权子系统", 16, lambda row: tables.subsystems.name(row.subsystem)),
                Column("类型", 6, lambda row: tables.grant_types.name(row.grant_type)),
                Column(
                    "操作员IC卡号",
                    14,
                    lambda row: card_or_all(row.card_number) + ("*" if is_own(row) else ""),
                    lambda row: "active" if is_own(row) else None,
                ),
                Column("权限有效期", 10, lambda row: row.valid_until.isoformat()),
            ],
            lambda row: row.operator_grant_id,
            id="permissions",
        )
        self._details = Form(
            [
                [Field("principal", "授权企业")],
                [Field("agent", "代理企业")],
                [Field("operator", "操作员"), Field("dates", "授权期间")],
            ],
            id="details",
        )
        self._grid.note = "" if holder.is_legal_person else "* 本卡"
        yield self._choice
        yield self._grid
        yield self._details

    def on_mount(self) -> None:
        """Show everything to begin with."""
        super().on_mount()
        self._show()

    @flow
    async def action_query(self) -> None:
        """Query the chosen subsystem and card."""
        await self._query()

    @flow
    async def action_next_field(self) -> None:
        """Enter queries in either field."""
        if isinstance(self.focused, Grid):
            await self.enter()
        else:
            await self._query()

    @flow
    async def _show(self) -> None:
        await self._query()

    async def require_that_a_day_can_be_shown(self) -> None:
        """A card that cannot be asked about is told before the day is asked for."""
        desk, (_, card) = self.desk, self._asked()
        if not card:
            return
        try:
            await desk.call(service.operators_card, self.store, desk.active_session, card)
        except (InvalidInput, NotPermitted) as error:
            hint = "请先改正或清空，再按Ctrl+Y查看其他日期"
            raise InvalidInput(error.message, field=error.field, hint=hint) from error

    async def show_day(self) -> None:
        """Query the same for another day."""
        await self._show_answers(*self._asked(), again=True)

    async def _query(self) -> None:
        await self.read(self._show_answers, *self._asked())

    def _asked(self) -> tuple[str, str]:
        """The subsystem and the card that are asked for."""
        self.check_whole()
        return self._choice.value("subsystem"), self._choice.value("card_number").strip()

    async def _show_answers(self, subsystem: str, card: str, *, again: bool = False) -> None:
        """Show the answers from their beginning, or `again` with the same one selected."""
        desk = self.desk
        if card:
            try:
                source = await desk.call(
                    service.what_can,
                    self.store,
                    desk.active_session,
                    card,
                    subsystem=subsystem or None,
                    today=self.other_day,
                )
            except (InvalidInput, NotPermitted):
                # What another card may do does not stay beside this one's number.
                nothing = service.nothing(self.store, today=self.other_day)
                self._grid.title = "操作员权限（没有查询）"
                await self._grid.show(desk.rows(nothing), again=True)
                raise
        else:
            source = service.query(
                self.store, desk.active_session, subsystem=subsystem or None, today=self.other_day
            )
        self._choice.mark_error(None)
        name = desk.tables.subsystems.name(subsystem) if subsystem else ALL
        unverified = card and without_prefix(card) != desk.active_session.holder.card_number
        mark = "（未核实）" if unverified else ""
        whose = f"{card}{mark} 可以办理" if card else "操作员权限"
        self._grid.title = f"{whose}（{name}）"
        if again:
            await self.show_rows(self._grid, source, lambda row: (_key(row), row.card_number))
        else:
            await self._grid.show(desk.rows(source), again=True)
            await self._grid.select_first()
        if self.before_records:
            self.say(self.before_records, "warning")
        elif unverified and self._grid.count:
            self.say(f"{card} 未核实：是本企业的操作员卡，才可以办理列出的业务")
        else:
            self.say("" if self._grid.count or self._grid.filter else "暂无数据")

    @flow
    async def action_check(self) -> None:
        """Ask about the selected permission, of the card that was asked for or the own one."""
        row, holder = self._grid.selected, self.desk.active_session.holder
        if row is None:
            await self.tell_none_selected(self._grid, NO_RIGHTS)
            return
        card = row.card_number or self._choice.value("card_number").strip()
        if not card and row.direction is Direction.OURS and not holder.is_legal_person:
            card = holder.card_number
        await self.check_grant(_key(row), card)

    @flow
    async def action_history(self) -> None:
        """Show what was done to the grant that the selected permission rests on."""
        row = self._grid.selected
        if row is None:
            await self.tell_none_selected(self._grid, NO_RIGHTS)
            return
        await self.show_history(_key(row))

    def list_hint(self, grid: Grid) -> str:
        """How to find a row."""
        return FINDING

    def picker(self, widget: CodeField, typed: str) -> Picker:
        """The subsystems, and all of them together."""
        return Picker(widget.table, value=widget.value, typed=typed, all_label=ALL)

    async def picked(self, field: str) -> None:
        """A subsystem was chosen: query it."""
        await self._query()

    def on_grid_selected(self, message: Grid.Selected) -> None:
        """Show the selected permission in full."""
        row: PermissionRow | None = message.row
        values = {"principal": "", "agent": "", "operator": "", "dates": ""}
        if row is not None:
            values = {
                "principal": f"{row.principal.customs_code} {row.principal.name}",
                "agent": f"{row.agent.customs_code} {row.agent.name}",
                "operator": card_or_all(row.card_number),
                "dates": f"{row.granted_on} 至 {row.valid_until}",
            }
        for field, value in values.items():
            self._details.set_value(field, value)


def _key(row: PermissionRow) -> GrantKey:
    """The enterprise grant that a permission rests on."""
    return GrantKey(
        row.principal.customs_code, row.agent.customs_code, row.subsystem, row.grant_type
    )


def _other(row: PermissionRow) -> Enterprise:
    """The enterprise on the other side."""
    return row.principal if row.direction is Direction.OURS else row.agent
