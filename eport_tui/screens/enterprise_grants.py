"""企业间授权录入: what this enterprise grants to its agents."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Any

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.dates import parse_valid_until, today
from eport_tui.domain.grants import EnterpriseGrant, GrantDraft, GrantKey
from eport_tui.domain.lists import PageSource
from eport_tui.errors import EportError, NotFound
from eport_tui.screens import grant_forms, grant_lists
from eport_tui.screens import grant_questions as questions
from eport_tui.screens.base import flow, though
from eport_tui.screens.day import FINDING, ONLY_LOOK, DayScreen
from eport_tui.services import enterprise_grants as service
from eport_tui.services.enterprise_grants import GrantRow, LossPreview
from eport_tui.widgets.form import Form
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.menus import ContextMenu, Item

KEY_FIELDS = ("agent", "subsystem", "grant_type")


class EnterpriseGrantsScreen(DayScreen):
    """The form above, the grants that were made below."""

    PLACE = "委托授权系统 / 企业间授权录入"
    LEGEND = ("help", "new", "open_list", "reload", "delete", "menu", "save", "back", "main_menu")
    ABOUT = (
        "录入代理企业编号后按Enter，系统填写其社会信用代码和名称；授权子系统和授权类型按空格键选择；"
        "权限有效期可写20271231、2027-12-31、+90（天）、+6m（月）或+1y（年）。按F10保存。"
        "在列表中按Enter打开一条授权，可修改其有效期；F8删除，代理企业据此授予操作员的权限一并删除。"
        "事由可不填，与操作一起记录。Ctrl+R查看选中授权的操作历史，Ctrl+Y查看其他日期的授权。"
    )
    BINDINGS = [*bindings("new", "reload", "save", "delete", "menu", "check", "history")]

    def __init__(self) -> None:
        super().__init__(name="enterprise_grants")
        self._opened: EnterpriseGrant | None = None
        self._clean: dict[str, str] = {}
        self._looked_up = ""
        self._restored: dict[str, Any] | None = None

    def body(self) -> Iterable[Widget]:
        """Form and list."""
        tables = self.desk.tables
        yield grant_forms.enterprise_grant_form(tables)
        self._grid = grant_lists.made_list(tables)
        yield self._grid

    def restore(self, content: dict[str, Any]) -> None:
        """Begin with what was left unsaved."""
        self._restored = content

    def on_mount(self) -> None:
        """Show the enterprise, an empty form and the list."""
        super().on_mount()
        own = self.desk.active_session.holder.enterprise
        self.form.set_value("principal", own.customs_code)
        self.form.set_value("principal_uscc", own.uscc)
        self.form.set_value("principal_name", own.name)
        self._start()

    @flow
    async def _start(self) -> None:
        self._clear()
        await self.read(self._show_made)

    async def _show_made(self) -> None:
        await self._grid.show(self.desk.rows(self._made()))
        # When it is shown late, something may have been typed already.
        if self._restored is not None and not self.unsaved:
            await self._put_back(self._restored)
        self._restored = None

    async def show_day(self) -> None:
        """Show the grants that were made, of today or another day."""
        await self.show_rows(self._grid, self._made())
        if self.form.current is not None:
            self.set_focus(self._grid)
        self._empty()
        if not self.may_change:
            # What could never be saved cannot be typed.
            self.form.lock_all()

    def _made(self) -> PageSource[GrantRow]:
        desk = self.desk
        return service.made(
            self.store,
            desk.active_session,
            today=self.other_day,
            subsystems=desk.tables.subsystems,
        )

    async def _put_back(self, content: dict[str, Any]) -> None:
        """Fill the form with a draft that was kept."""
        values: dict[str, str] = content["values"]
        opened = content["opened"]
        if opened is not None:
            await self._grid.reload(select=opened["id"])
            row = self._grid.selected
            if row is not None and row.grant.id == opened["id"]:
                self._load(row)
                # As it was seen then, so that saving tells what others have changed since.
                self._opened = row.grant._replace(
                    revision=opened["revision"],
                    valid_until=date.fromisoformat(opened["valid_until"]),
                )
        for field in self.form.fields:
            self.form.set_value(field, values.get(field, ""))
        if self._opened is None and values.get("agent"):
            # What is wrong with it will be said when it is saved.
            with suppress(EportError):
                await self.take("agent")
        self.say("已恢复上次未保存的录入", "warning")
        self.form.focus_field(content.get("field") or "agent")

    # The form

    def _clear(self) -> None:
        """An empty form for a new grant (manual 1.1, 新增), and the cursor in it."""
        self._empty()
        self.form.focus_field("agent")

    def _empty(self) -> None:
        form = self.form
        self._opened, self._looked_up = None, ""
        form.set_locked()
        form.mark_error(None)
        for field in ("agent", "agent_uscc", "agent_name", "subsystem", "valid_until", "reason"):
            form.set_value(field, "")
        form.set_value("grant_type", self.desk.tables.default_grant_type)
        self._show_today()
        self._clean = form.values()

    def _show_today(self) -> None:
        """授权日期 of a new grant."""
        if self._opened is None:
            self.form.set_value("granted_on", today().isoformat())

    async def day_began(self) -> None:
        """A new grant is granted today."""
        self._show_today()
        await super().day_began()

    def _load(self, row: GrantRow) -> None:
        """Open a grant that was made, to change how long it holds."""
        form, grant = self.form, row.grant
        self._opened = grant
        form.set_value("agent", grant.key.agent)
        form.set_value("agent_uscc", row.agent.uscc)
        form.set_value("agent_name", row.agent.name)
        form.set_value("subsystem", grant.key.subsystem)
        form.set_value("grant_type", grant.key.grant_type)
        form.set_value("valid_until", grant.valid_until.isoformat())
        form.set_value("granted_on", grant.granted_on.isoformat())
        form.set_value("reason", "")
        form.mark_error(None)
        form.set_locked(*KEY_FIELDS)
        self._clean = form.values()
        form.focus_field("valid_until")

    def on_form_edited(self, message: Form.Edited) -> None:
        """Another code is not the enterprise whose name stands there."""
        super().on_form_edited(message)
        if message.field != "agent" or self._opened is not None:
            return
        typed = self.form.value("agent").strip()
        if typed != self._looked_up:
            self._looked_up = ""
            self.form.set_value("agent_uscc", "")
            self.form.set_value("agent_name", "")

    async def take(self, field: str) -> None:
        """Fill in the agent's data; write a date out."""
        form = self.form
        if field == "agent" and self._opened is None:
            await self._take_agent(form.value("agent"))
        elif field == "valid_until" and form.value("valid_until").strip():
            day = parse_valid_until(form.value("valid_until"), today=today(), field="valid_until")
            form.set_value("valid_until", day.isoformat())

    async def _take_agent(self, typed: str) -> None:
        form, desk = self.form, self.desk
        if not typed.strip():
            form.set_value("agent_uscc", "")
            form.set_value("agent_name", "")
            self._looked_up = ""
            return
        if typed == self._looked_up:
            return
        form.set_value("agent_uscc", "")
        form.set_value("agent_name", "")
        agent = await desk.call(service.look_up_agent, desk.store, desk.active_session, typed)
        self._looked_up = agent.customs_code
        form.set_value("agent", agent.customs_code)
        form.set_value("agent_uscc", agent.uscc)
        form.set_value("agent_name", agent.name)
        self.remark(desk.tables.describe_customs_code(agent.customs_code))

    @property
    def unsaved(self) -> str:
        """What was typed since the form was cleared or a grant opened."""
        return "录入的企业间授权尚未保存" if self.form.values() != self._clean else ""

    def discard(self) -> None:
        """Take the form as it stands for not worth keeping."""
        self._clean = self.form.values()

    def draft(self) -> dict[str, Any] | None:
        """The form as it stands."""
        if not self.unsaved:
            return None
        opened = self._opened
        return {
            "values": self.form.values(),
            "opened": opened
            and {
                "id": opened.id,
                "revision": opened.revision,
                "valid_until": opened.valid_until.isoformat(),
            },
            "field": self.form.current,
        }

    def _gathered(self) -> GrantDraft:
        values = self.form.values()
        return GrantDraft(
            agent=values["agent"],
            subsystem=values["subsystem"],
            grant_type=values["grant_type"],
            valid_until=values["valid_until"],
            grant_id=self._opened.id if self._opened else None,
            revision=self._opened.revision if self._opened else None,
        )

    # Actions

    @flow
    async def action_new(self) -> None:
        """Clear the form for a new grant."""
        if self.is_another_day():
            return
        if await self.may_leave("确定放弃，另录一条吗？", "放弃录入"):
            self._clear()
            await self._grid.select_none()
            self.say("请录入新的授权，从代理企业编号开始")

    @flow
    async def action_reload(self) -> None:
        """Read the list again, with what others have saved meanwhile."""
        self._show_today()
        await self.reload_list(self._grid)

    @flow
    async def action_save(self) -> None:
        """Store what is in the form."""
        if self.is_another_day():
            return
        self.check_whole()
        draft = self._gathered()
        # What was opened and not changed is saved all the same, as it may have to be signed.
        as_it_is = self._opened is not None and not self.unsaved
        if as_it_is or (
            await self._agent_was_shown(draft)
            and await questions.agree_to_a_long_time(self, draft.valid_until)
        ):
            try:
                await self._save(draft)
            except NotFound as error:
                if self._opened is None:
                    raise
                await self._grid.reload()
                hint = "没有保存；要重新授权，请按F2另录一条"
                raise NotFound(error.message, hint=hint) from error

    async def _agent_was_shown(self, draft: GrantDraft) -> bool:
        """Nothing is granted to an agent whose name the operator has not seen."""
        if draft.grant_id is not None or draft.agent == self._looked_up:
            return True
        await self.take("agent")
        if not (draft.agent and draft.subsystem and draft.valid_until):
            return True
        self.say(f"请核对代理企业「{self.form.value('agent_name')}」，再按F10保存", "warning")
        return False

    async def _save(self, draft: GrantDraft, *, confirm_renewal: bool = False) -> None:
        desk, opened = self.desk, self._opened
        agreed = await self._loss_of_shortening(draft)
        if agreed is not None and await desk.call(agreed.losses.count):
            reason = await questions.agree_to_a_shortening(
                self, agreed, _date_of(draft), self.form.value("reason")
            )
            if reason is None:
                return
            self.form.set_value("reason", reason)
        try:
            saved = await desk.call(
                service.save,
                desk.store,
                desk.tables,
                desk.active_session,
                draft,
                confirm_renewal=confirm_renewal,
                agreed=agreed,
                reason=self.form.value("reason"),
                proof=desk.proof,
            )
        except service.RenewalNeedsConfirmation as error:
            if await questions.agree_to_a_renewal(self, error):
                await self._save(draft, confirm_renewal=True)
            return
        except service.GrantStands as error:
            await self._offer_standing(error)
            return
        except service.Conflict as error:
            await self._settle_conflict(error, draft)
            return
        reason = self.form.value("reason").strip()
        await desk.drafts.forget(self)
        with though("已保存" if saved.changed else "没有改动"):
            try:
                await self._show_saved(saved.grant.id)
            except EportError:
                # What is stored must not stay in the form as if it were not.
                self._clear()
                raise
        if not saved.changed and reason:
            # It was typed for a change that is still to come.
            self.form.set_value("reason", reason)
            self.say("只录入了事由，授权没有改动，没有保存", "warning")
            await desk.drafts.keep(self)
        elif not saved.changed:
            self.say("没有改动，不需要保存")
        elif opened and not saved.renewed and opened.valid_until == saved.grant.valid_until:
            await self.tell("保存成功，该授权已用本卡重新签名")
        else:
            await self.tell("保存成功")

    async def _loss_of_shortening(self, draft: GrantDraft) -> LossPreview | None:
        """What stops working because the opened grant ends earlier; none where it does not."""
        desk, opened = self.desk, self._opened
        if opened is None:
            return None
        until = _date_of(draft)
        if until >= opened.valid_until:
            return None
        return await desk.call(
            service.shortening_preview,
            desk.store,
            desk.tables,
            desk.active_session,
            opened.id,
            until,
            key=opened.key,
        )

    async def _show_saved(self, grant_id: int) -> None:
        self.say("")
        await self._grid.reload(select=grant_id)
        row = self._grid.selected
        if row is not None and row.grant.id == grant_id:
            self._load(row)

    async def _offer_standing(self, error: service.GrantStands) -> None:
        """The same grant is in force: open that one, or stay."""
        if await questions.wants_the_standing_one(self, error):
            wanted = parse_valid_until(self.form.value("valid_until"), today=today())
            reason = self.form.value("reason")
            await self._show_saved(error.grant.id)
            # The date that was typed is what the operator wants of it, and why.
            self.form.set_value("valid_until", wanted.isoformat())
            self.form.set_value("reason", reason)
            self.say(f"已打开原授权（有效期至{error.grant.valid_until}），按F10改为刚录入的有效期")
            await self.desk.drafts.keep(self)
        else:
            self.say_error(error)

    async def _settle_conflict(self, error: service.Conflict, draft: GrantDraft) -> None:
        """Someone else changed the grant meanwhile: let one version win."""
        opened, theirs = self._opened, error.current
        assert opened is not None
        answer = await questions.whose_version(self, opened, error, _date_of(draft))
        if answer == "theirs":
            await self.desk.drafts.forget(self)
            await self._show_saved(theirs.id)
        elif answer == "mine":
            self._opened = theirs
            await self._save(self._gathered())

    @flow
    async def action_delete(self) -> None:
        """Delete the selected grant, with the operator grants under it."""
        await self._delete()

    async def _delete(self) -> None:
        row = self._grid.selected
        if self.is_another_day():
            return
        if row is None:
            await self.tell("请选择数据!")
            return
        try:
            await self._delete_row(row)
        except (service.Conflict, NotFound):
            # What is told is about the grant as it is now, so the list has to show that.
            await self._grid.reload()
            raise

    async def _delete_row(self, row: GrantRow) -> None:
        desk = self.desk
        preview = await desk.call(
            service.deletion_preview,
            desk.store,
            desk.tables,
            desk.active_session,
            row.grant.id,
            key=row.grant.key,
        )
        grant = preview.row.grant
        reason = await questions.agree_to_a_deletion(self, preview)
        if reason is None:
            return
        gone = await desk.call(
            service.delete,
            desk.store,
            desk.active_session,
            grant.id,
            revision=grant.revision,
            operator_grants=preview.operator_grants,
            newest=preview.newest,
            key=grant.key,
            reason=reason,
            proof=desk.proof,
        )
        if self._opened is not None and self._opened.id == grant.id:
            self._clear()
        told = f"已删除授权，一并删除企业内授权{gone}条" if gone else "已删除授权"
        await self.tell_done(told, self._grid.reload)

    @property
    def _selected_key(self) -> GrantKey | None:
        row = self._grid.selected
        return row.grant.key if row else None

    @flow
    async def action_check(self) -> None:
        """Ask whether a card of the agent may use the selected grant."""
        await self.check_grant(self._selected_key)

    @flow
    async def action_history(self) -> None:
        """Show what was done to the selected grant."""
        await self.show_history(self._selected_key)

    # The list

    def list_hint(self, grid: Grid) -> str:
        """What can be done with a grant."""
        if self._view is not None:
            return ONLY_LOOK
        return f"Enter修改有效期；F8删除；^R历史；^Y其他日期；{FINDING}"

    async def open_row(self, grid: Grid) -> None:
        """Enter on a row opens it in the form."""
        await self._open_selected()

    async def _open_selected(self) -> None:
        row = self._grid.selected
        if self.is_another_day():
            return
        if row is None:
            await self.tell("请选择数据!")
        elif await self.may_leave("确定放弃，打开所选授权吗？", "放弃录入"):
            self._load(row)
            # Who opens a grant means to replace its date.
            self.form.select_text("valid_until")
            self.say("已打开所选授权，可修改权限有效期后按F10保存")

    async def row_menu(self, grid: Grid, place: tuple[int, int]) -> None:
        """Open or delete the selected grant; on another day only look at it."""
        if self._grid.selected is None:
            await self.tell("请选择数据!")
            return
        changing = [Item("open", "打开", "Enter"), Item("delete", "删除", "F8")]
        items = [
            *(changing if self.may_change else []),
            Item("check", "核查", "F11"),
            Item("history", "操作历史", "^R"),
        ]
        chosen = await self.desk.ask(ContextMenu("企业间授权", items, place))
        if chosen == "open":
            await self._open_selected()
        elif chosen == "check":
            await self.check_grant(self._selected_key)
        elif chosen == "history":
            await self.show_history(self._selected_key)
        elif chosen == "delete":
            await self._delete()

    def legend_ids(self) -> tuple[str, ...]:
        """In the list Enter opens a row and F11 asks about it; in the form F4 opens a list."""
        if isinstance(self.focused, Grid):
            return (
                "help",
                "open_row",
                "check",
                "reload",
                "delete",
                "menu",
                "save",
                "back",
                "main_menu",
            )
        return self.LEGEND


def _date_of(draft: GrantDraft) -> date:
    return parse_valid_until(draft.valid_until, today=today(), field="valid_until")
