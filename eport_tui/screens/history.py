"""操作历史: what was done to the grants, by whom, and taking a deletion back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget

from eport_tui.actions import IN_LISTS, IN_TEXTS, bindings
from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import GrantKey, card_or_all
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    LapseMark,
    OperatorGrantRow,
    Row,
)
from eport_tui.domain.text import printable
from eport_tui.errors import EportError
from eport_tui.screens.base import EportScreen, flow, though
from eport_tui.services import history as service
from eport_tui.services import registry, reinstatement
from eport_tui.services.history import HistoryRow
from eport_tui.services.operations import LONGEST_REASON
from eport_tui.services.reinstatement import Deleted
from eport_tui.widgets.columns import Column
from eport_tui.widgets.form import Field, Form
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.lines import Lines
from eport_tui.widgets.preview import MOST_ROWS, Preview
from eport_tui.widgets.window import ListSource

PLACE = "委托授权系统 / 操作历史"
UNKNOWN = "内容无法识别"
MOST_NAMED = 3
"""How many cards a question names."""


class HistoryScreen(EportScreen):
    """The operations that concern the card's enterprise, or one grant, newest first."""

    PLACE = PLACE
    LEGEND = ("help", "open_row", "reload", "reinstate", "back", "main_menu")
    MOVING = IN_LISTS
    ABOUT = (
        "列出与本企业有关的每一笔操作，最近的在前：时间、操作、用哪张卡、改动和事由。"
        "在录入画面的列表中按Ctrl+R，只列出选中那条授权的操作。按Enter查看一笔操作的全部改动。"
        "删除授权的企业可用法人卡按F6恢复所删除的授权，其下的操作员一并恢复；恢复也是一笔新的操作。"
    )
    BINDINGS = [*bindings("open_row", "reload", "reinstate")]

    def __init__(self, key: GrantKey | None = None, card_number: str | None = None) -> None:
        super().__init__(name="history")
        self._key = key
        self._card_number = card_number
        self._is_reinstatable = False

    def body(self) -> Iterable[Widget]:
        """The list, and the selected operation below it."""
        self._own = self.desk.active_session.holder.enterprise.customs_code
        columns: list[Column[HistoryRow]] = [
            Column("序号", 6, lambda row: str(row.number)),
            Column("时间", 16, _time),
            Column("操作", 12, _kind),
        ]
        more: list[Column[HistoryRow]]
        if self._key is None:
            more = [
                Column("对方企业", 10, self._other),
                Column("授权子系统", 16, lambda row: _subsystem(row, self.desk.tables)),
                Column("类型", 0, lambda row: _grant_type(row, self.desk.tables)),
                Column("操作卡号", 13, lambda row: row.card_number, wide=True),
            ]
        else:
            more = [
                Column("操作卡号", 13, lambda row: row.card_number),
                Column("改动", 0, lambda row: summary(row)),
            ]
        self._grid: Grid[HistoryRow] = Grid(
            self._title(), [*columns, *more], lambda row: row.number, id="operations"
        )
        self._details = Form(
            [
                [Field("principal", "授权企业")],
                [Field("agent", "代理企业")],
                [Field("grant", "授权"), Field("signer", "操作卡号")],
                [Field("changes", "改动")],
                [Field("reason", "事由")],
            ],
            id="operation",
        )
        yield self._grid
        yield self._details

    def _title(self) -> str:
        if self._key is None:
            return "本企业的操作历史"
        if self._card_number is None:
            return "该授权的操作历史"
        return f"{card_or_all(self._card_number)} 在该授权下的操作历史"

    def _other(self, row: HistoryRow) -> str:
        others = {end for key in row.keys for end in (key.principal, key.agent)} - {self._own}
        return min(others, default="") if len(others) < 2 else f"{len(others)}家"

    def on_mount(self) -> None:
        """Show the newest."""
        super().on_mount()
        self._start()

    @flow
    async def _start(self) -> None:
        await self.read(self._show)

    async def _show(self) -> None:
        desk = self.desk
        if self._key is None:
            source = await desk.call(service.of_enterprise, desk.store, desk.active_session)
        else:
            source = await desk.call(
                service.of_grant, desk.store, desk.active_session, self._key, self._card_number
            )
        await self._grid.show(desk.rows(source))
        await self._grid.select_first()
        if not self._grid.count:
            self.say("没有操作记录" if self._key is None else "该授权还没有操作记录")

    @flow
    async def on_grid_selected(self, message: Grid.Selected) -> None:
        """Show the selected operation in full."""
        await self.read(self._show_details, message.row)

    async def _show_details(self, row: HistoryRow | None) -> None:
        values = dict.fromkeys(("principal", "agent", "grant", "signer", "changes", "reason"), "")
        if keys := (row.keys if row is not None else []) or ([self._key] if self._key else []):
            values["principal"] = await self._enterprises({key.principal for key in keys})
            values["agent"] = await self._enterprises({key.agent for key in keys})
            values["grant"] = (
                f"共{len(keys)}条授权" if len(keys) > 1 else _grant(keys[0], self.desk.tables)
            )
        if row is not None:
            values["signer"], values["reason"] = row.card_number, row.reason
            values["changes"] = summary(row)
        for field, value in values.items():
            self._details.set_value(field, value)
        desk = self.desk
        self._is_reinstatable = row is not None and await desk.call(
            reinstatement.is_possible, desk.store, desk.active_session, row.number
        )
        self.show_legend()
        self.hint(self.hint_here)

    def legend_ids(self) -> tuple[str, ...]:
        """Taking back only where it can be done."""
        if self._is_reinstatable:
            return self.LEGEND
        return tuple(id for id in self.LEGEND if id != "reinstate")

    async def _enterprises(self, codes: set[str]) -> str:
        """One enterprise, or how many there are."""
        return f"共{len(codes)}家" if len(codes) > 1 else await self._enterprise(*codes)

    async def _enterprise(self, code: str) -> str:
        """An enterprise by its code, with its name where the registry has it."""
        try:
            found = await self.desk.call(registry.look_up, self.desk.store, code)
        except EportError:
            return code
        return f"{code} {found.name}"

    @property
    def hint_here(self) -> str:
        """What can be done with the selected operation."""
        if self._grid.selected is None:
            return ""
        hint = "按Enter查看全部改动"
        if self._is_reinstatable:
            hint += "；按F6恢复所删除的授权"
        return hint

    @flow
    async def action_open_row(self) -> None:
        """Show the selected operation with all of its changes."""
        await self._open()

    @flow
    async def on_grid_opened(self, message: Grid.Opened) -> None:
        """A double click does what Enter does."""
        await self._open()

    async def _open(self) -> None:
        row, desk = self._grid.selected, self.desk
        if row is None:
            await self.tell("请选择数据!")
            return
        whole = await desk.call(service.entry, desk.store, desk.active_session, row.number)
        person = await desk.call(service.signer, desk.store, whole)
        enterprise = await self._enterprise(whole.enterprise) if whole.enterprise else ""
        await desk.open_screen(OperationScreen(whole, person, enterprise))

    @flow
    async def action_reload(self) -> None:
        """Read the list again."""
        await self.reload_list(self._grid)

    @flow
    async def action_reinstate(self) -> None:
        """Take the deletion in the selected operation back."""
        row = self._grid.selected
        if row is None:
            await self.tell("请选择数据!")
        elif await self._reinstate(row.number):
            with though("恢复成功"):
                await self._grid.reload()
                await self._grid.select_first()
            await self.tell("恢复成功")

    async def _reinstate(self, number: int) -> bool:
        """Show what would stand again, and do it; false where the answer is no."""
        desk = self.desk
        deleted = await desk.call(
            reinstatement.preview, desk.store, desk.active_session, number, proof=desk.proof
        )
        operators = deleted.operator_grants
        reason = await desk.ask(
            Preview(
                "恢复确认",
                _what_comes_back(deleted, desk.tables),
                rows=ListSource(operators, lambda row: row.card_number),
                first=operators[:MOST_ROWS],
                count=len(operators),
                heading="恢复的操作员IC卡号",
                line=lambda row: f"{card_or_all(row.card_number)}  授权日期 {row.granted_on}",
                yes="恢复",
                dangerous=False,
                longest_reason=LONGEST_REASON,
            )
        )
        if reason is None:
            return False
        await desk.call(
            reinstatement.reinstate,
            desk.store,
            desk.active_session,
            number,
            reason=reason,
            proof=desk.proof,
        )
        return True


class OperationScreen(EportScreen):
    """One operation with all of its changes."""

    PLACE = PLACE
    LEGEND = ("help", "back", "main_menu")
    MOVING = IN_TEXTS
    ABOUT = "一笔操作的全部内容：谁在何时做的，从什么改为什么。"

    def __init__(self, row: HistoryRow, person: str, enterprise: str) -> None:
        super().__init__(name="operation")
        self._row = row
        self._person = person
        self._enterprise = enterprise

    def body(self) -> Iterable[Widget]:
        """The lines."""
        row, tables = self._row, self.desk.tables
        lines = [
            ("序号", str(row.number)),
            ("时间", f"{row.recorded_at:%Y-%m-%d %H:%M:%S}" if row.recorded_at else UNKNOWN),
            ("操作", _kind(row)),
            ("操作卡号", f"{row.card_number} {printable(self._person)}".rstrip()),
            ("所属企业", self._enterprise),
            ("事由", row.reason or "（没有填写）"),
        ]
        if row.changes:
            lines.append(("改动", summary(row)))
        if row.reinstates is not None:
            lines.append(("恢复", f"第{row.reinstates}笔操作所删除的授权"))
        for key in row.keys:
            lines += [
                ("", ""),
                ("授权", f"{key.principal} 授权 {key.agent}：{_grant(key, tables)}"),
            ]
            lines += [_described(change) for change in row.changes if change.row.key == key]
        yield Lines(lines)

    def on_mount(self) -> None:
        """The lines take the keys."""
        super().on_mount()
        self.query_one(Lines).focus()


# -- in words ------------------------------------------------------------------


def summary(row: HistoryRow) -> str:
    """What an operation changed, in one line."""
    parts: list[str] = []
    added, removed = list[str](), list[str]()
    for change in row.changes:
        before, after = change.before, change.after
        if change.found:
            continue
        match change.row:
            case EnterpriseGrantRow():
                parts.append(_change_of_grant(before, after))  # type: ignore[arg-type]
            case OperatorGrantRow(card_number=card):
                (removed if after is None else added).append(card)
            case LapseMark():
                # A mark about an earlier end went to make room for the new one.
                if after is not None or row.kind is Kind.KEEP:
                    parts.append("取消到期不续" if after is None else "到期不续")
    parts = list(dict.fromkeys(parts))
    if row.kind is Kind.REPLACE_CARD and added and removed:
        # Where the new card had a grant already, the old one's only went.
        return f"换卡 {removed[0]} -> {added[0]}，{len(removed)}条授权"
    for what, cards in (("删除", removed), ("添加", added)):
        if cards:
            parts.append(f"{what}{_cards(cards)}")
    return "，".join(parts)


def _change_of_grant(before: EnterpriseGrantRow | None, after: EnterpriseGrantRow | None) -> str:
    if before is None:
        return f"有效期至 {after.valid_until}" if after else ""
    if after is None:
        return f"删除，原有效期至 {before.valid_until}"
    return f"{before.valid_until} 改为 {after.valid_until}"


def _cards(cards: list[str]) -> str:
    different = dict.fromkeys(cards)
    return card_or_all(cards[0]) if len(different) == 1 else f"{len(different)}张操作员卡"


def _described(change: Change) -> tuple[str, str]:
    """One change: which row, and from what to what."""
    label = {
        EnterpriseGrantRow: "企业间授权",
        OperatorGrantRow: "企业内授权",
        LapseMark: "到期不续",
    }[type(change.row)]
    was, now = _terms(change.before), _terms(change.after)
    found = "（由其他程序）" if change.found else ""
    if not was:
        return label, f"增加{found} {now}"
    if not now:
        return label, f"删除{found} {was}"
    return label, f"原为 {was}\n改为{found} {now}"


def _terms(row: Row | None) -> str:
    match row:
        case EnterpriseGrantRow():
            return f"授权日期 {row.granted_on}，有效期至 {row.valid_until}，第{row.revision}版"
        case OperatorGrantRow():
            return f"{card_or_all(row.card_number)}，授权日期 {row.granted_on}"
        case LapseMark():
            return f"{row.owner}，有效期至 {row.valid_until}"
        case None:
            return ""


def _what_comes_back(deleted: Deleted, tables: CodeTables) -> str:
    key = deleted.key
    text = f"{_between(key, tables)}\n"
    count = len(deleted.operator_grants)
    if deleted.grant is None:
        text += "确定恢复其下的操作员吗？"
    else:
        text += f"确定恢复这条授权吗？有效期至 {deleted.grant.valid_until}。"
        kept_back = deleted.replaced or deleted.unproven
        nothing = "其下没有企业内授权恢复。" if kept_back else "其下没有企业内授权。"
        text += f"企业内授权{count}条一并恢复。" if count else nothing
    if deleted.replaced:
        text += (
            f"另有{len(deleted.replaced)}张卡已由代理企业换卡，不恢复：{_few(deleted.replaced)}。"
            "新卡的权限由代理企业授予。"
        )
    if deleted.unsigned:
        text += f"另有{deleted.unsigned}条未经代理企业签名，不恢复。"
    if deleted.unproven:
        text += (
            f"另有{deleted.unproven}条不能随之恢复，因为原来那笔删除的签名不被认可。"
            "由代理企业重新授予。"
        )
    return text


def _few(cards: Sequence[str]) -> str:
    more = "等" if len(cards) > MOST_NAMED else ""
    return "、".join(cards[:MOST_NAMED]) + more


def _grant(key: GrantKey, tables: CodeTables) -> str:
    return f"{tables.subsystems.name(key.subsystem)} {tables.grant_types.name(key.grant_type)}"


def _between(key: GrantKey, tables: CodeTables) -> str:
    return f"{key.principal} 授权 {key.agent}：{_grant(key, tables)}"


def _time(row: HistoryRow) -> str:
    return f"{row.recorded_at:%Y-%m-%d %H:%M}" if row.recorded_at else ""


def _kind(row: HistoryRow) -> str:
    return row.kind.label if row.kind else UNKNOWN


def _subsystem(row: HistoryRow, tables: CodeTables) -> str:
    return _common([tables.subsystems.name(key.subsystem) for key in row.keys])


def _grant_type(row: HistoryRow, tables: CodeTables) -> str:
    return _common([tables.grant_types.name(key.grant_type) for key in row.keys])


def _common(names: list[str]) -> str:
    """What all have in common; otherwise how many there are."""
    different = list(dict.fromkeys(names))
    return different[0] if len(different) == 1 else (f"{len(different)}种" if different else "")
