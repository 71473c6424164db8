"""换卡: what one card of an operator was granted goes over to another."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.dates import today
from eport_tui.errors import EportError, NotFound
from eport_tui.screens.base import flow
from eport_tui.screens.form_screen import FormScreen
from eport_tui.screens.grant_lists import last_day_column, what_columns
from eport_tui.services import replacement as service
from eport_tui.services.operations import LONGEST_REASON
from eport_tui.services.replacement import Held, ListChanged, Preview
from eport_tui.widgets import limits
from eport_tui.widgets.columns import Column
from eport_tui.widgets.form import Field, Form, Ground
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.window import ListSource


class ReplacementScreen(FormScreen):
    """The two card numbers above, what moves from one to the other below."""

    PLACE = "委托授权系统 / 换卡"
    ABOUT = (
        "操作员换了新卡时，把原卡得到的企业内授权一次转到新卡，不必逐条重新授权。"
        "录入原卡和新卡的卡号后按Enter或F5，列出要转移的授权，已过期的也在其内；核对后按F10换卡。"
        "换卡要么全部完成，要么都不改变；之后原卡不再有这些权限。授予全部操作员的权限不分卡，无须办理。"
        "换错的，把两个卡号对调再换一次；后一张卡本来就有的权限也会转走，须另行授予。"
    )
    IDLE = ("open_list",)
    BINDINGS = [*bindings("query", "replace", "check")]

    def __init__(self) -> None:
        super().__init__(name="replacement")
        self._preview: Preview | None = None
        self._restored: dict[str, Any] | None = None

    def body(self) -> Iterable[Widget]:
        """Form and list."""
        tables = self.desk.tables
        self._entry = Form(
            [
                [
                    Field(
                        service.OLD_FIELD,
                        "原IC卡号",
                        Ground.REQUIRED,
                        15,
                        limit=limits.CARD_NUMBER,
                        hint="操作员原来那张卡的13位卡号",
                    ),
                    Field(
                        service.NEW_FIELD,
                        "新IC卡号",
                        Ground.REQUIRED,
                        15,
                        limit=limits.CARD_NUMBER,
                        hint="新卡的13位卡号，按Enter列出要转移的授权",
                    ),
                ],
                [
                    Field(
                        "reason",
                        "事由",
                        Ground.OPTIONAL,
                        52,
                        limit=limits.at_most(LONGEST_REASON),
                        hint="可不填，例如：卡片损坏。记入操作历史",
                    )
                ],
            ],
        )
        self._grid: Grid[Held] = Grid(
            "要转移的企业内授权",
            [
                Column("授权企业编号", 12, lambda row: row.principal.customs_code),
                Column("授权企业名称", 0, lambda row: row.principal.name),
                *what_columns(tables),
                last_day_column(),
                Column("新卡", 4, lambda row: "已有" if row.new_card_has_it else ""),
                Column(
                    "状态",
                    8,
                    lambda row: row.grant.state(today()).label,
                    lambda row: row.grant.state(today()).value,
                ),
            ],
            lambda row: row.operator_grant.id,
            id="moving",
        )
        yield self._entry
        yield self._grid

    def restore(self, content: dict[str, Any]) -> None:
        """Begin with what was left undone."""
        self._restored = content

    def on_mount(self) -> None:
        """Show an empty list."""
        super().on_mount()
        self._start()

    @flow
    async def _start(self) -> None:
        await self._list(None)
        if self._restored is not None:
            for field in self._entry.fields:
                self._entry.set_value(field, self._restored["values"].get(field, ""))
            self.say("已恢复上次未保存的录入。按F5列出要转移的授权", "warning")

    # What was typed

    def _numbers(self) -> tuple[str, str]:
        return self._entry.value(service.OLD_FIELD), self._entry.value(service.NEW_FIELD)

    @property
    def unsaved(self) -> str:
        """The numbers, while the cards are not replaced."""
        return "录入的换卡尚未办理" if any(number.strip() for number in self._numbers()) else ""

    def draft(self) -> dict[str, Any] | None:
        """The form as it stands."""
        return {"values": self._entry.values()} if self.unsaved else None

    def discard(self) -> None:
        """Empty the form."""
        for field in self._entry.fields:
            self._entry.set_value(field, "")

    def on_form_edited(self, message: Form.Edited) -> None:
        """What is listed for other numbers is not what would move."""
        super().on_form_edited(message)
        if message.field == "reason":
            return
        self.forget_unread()
        if self._preview is not None:
            self._forget_list()

    @flow
    async def _forget_list(self) -> None:
        await self._list(None)

    async def _list(self, preview: Preview | None) -> None:
        self._preview = preview
        rows = preview.moving if preview else ()
        await self._grid.show(
            ListSource(
                rows,
                lambda row: row.operator_grant.id,
                lambda row: (row.principal.customs_code, row.principal.name),
            )
        )
        self._grid.note = _counts(preview) if preview else ""

    # Looking

    async def enter(self) -> None:
        """Enter behind the new number lists what moves."""
        if self._entry.current == service.NEW_FIELD:
            await self.read(self._look)
        else:
            await super().enter()

    @flow
    async def action_query(self) -> None:
        """List what moves."""
        await self.read(self._look)

    async def _look(self) -> None:
        self.check_whole()
        desk = self.desk
        self._entry.mark_error(None)
        try:
            preview = await desk.call(
                service.preview, desk.store, desk.active_session, *self._numbers()
            )
        except EportError:
            await self._list(None)
            raise
        self._entry.set_value(service.OLD_FIELD, preview.old_card)
        self._entry.set_value(service.NEW_FIELD, preview.new_card)
        await self._list(preview)
        self.set_focus(self._grid)
        await self._grid.select_first()
        self.say(f"请核对列出的{len(preview.moving)}条授权，再按F10换卡")

    # Replacing

    @flow
    async def action_replace(self) -> None:
        """Put the new card in the place of the old one, once what moves was shown."""
        if self._preview is None:
            await self.read(self._look)
            return
        if await self.confirm("换卡", _question(self._preview), yes="换卡", no="返回"):
            await self._replace(self._preview)

    async def _replace(self, preview: Preview) -> None:
        desk = self.desk
        try:
            await desk.call(
                service.replace,
                desk.store,
                desk.active_session,
                preview,
                reason=self._entry.value("reason"),
                proof=desk.proof,
            )
        except (ListChanged, NotFound):
            # Show what moves now; what is told is about the change, or that nothing is left.
            with suppress(EportError):
                await self._look()
            raise
        self.discard()
        await desk.drafts.forget(self)
        await self._list(None)
        self._entry.focus_field(service.OLD_FIELD)
        self.say("")
        await self.tell(_told(preview))

    @flow
    async def action_check(self) -> None:
        """Ask whether the old card may use the selected grant."""
        from eport_tui.screens import check

        row, preview = self._grid.selected, self._preview
        if row is None or preview is None:
            await self.tell("请选择数据!")
            return
        await self.desk.open_screen(check.about(self.desk.tables, row.grant.key, preview.old_card))

    def legend_ids(self) -> tuple[str, ...]:
        """In the list F11 asks about a row."""
        at_list = isinstance(self.focused, Grid)
        return (
            *("help", "query", "replace"),
            *(("check",) if at_list else ()),
            *("back", "main_menu"),
        )

    def list_hint(self, grid: Grid) -> str:
        """What comes next."""
        return "核对后按F10换卡" if self._preview else ""


def _expired(preview: Preview) -> int:
    return sum(row.grant.valid_until < today() for row in preview.moving)


def _there(preview: Preview) -> int:
    return sum(row.new_card_has_it for row in preview.moving)


def _counts(preview: Preview) -> str:
    counts: list[str] = []
    if expired := _expired(preview):
        counts.append(f"已过期{expired}条")
    if there := _there(preview):
        counts.append(f"新卡已有{there}条")
    return "，".join(counts)


def _told(preview: Preview) -> str:
    there = _there(preview)
    had = f"\n其中{there}条新卡已有，只删除了原卡的" if there else ""
    count = len(preview.moving)
    return f"换卡成功\n{preview.old_card}的{count}条权限已转到{preview.new_card}{had}"


def _question(preview: Preview) -> str:
    lines = [
        f"原卡：{preview.old_card}\n新卡：{preview.new_card}",
        "程序无法核实新卡是本企业的卡，请核对卡号。",
        f"{len(preview.moving)}条企业内授权转到新卡，原卡不再有这些权限。",
    ]
    if expired := _expired(preview):
        lines.append(f"其中{expired}条的企业间授权已过期，续期后新卡才能办理。")
    if there := _there(preview):
        lines.append(f"其中{there}条新卡已有，只删除原卡的。")
    return "\n".join(lines)
