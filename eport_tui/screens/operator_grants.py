"""企业内授权录入: handing what was granted to this enterprise on to its operators."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from contextlib import suppress
from typing import Any

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.codes import NO, YES
from eport_tui.domain.grants import TO_ALL, GrantKey, OperatorGrant
from eport_tui.domain.identifiers import parse_card_number
from eport_tui.domain.lists import PageSource
from eport_tui.errors import EportError, NotFound, OutOfReach
from eport_tui.giving_up import NotAwaited
from eport_tui.screens import grant_forms, grant_lists
from eport_tui.screens import grant_questions as questions
from eport_tui.screens.base import flow, though
from eport_tui.screens.day import FINDING, ONLY_LOOK, DayScreen
from eport_tui.screens.operator_entries import Entries, OperatorRows, Saving, named
from eport_tui.services import operator_grants as service
from eport_tui.services.enterprise_grants import row_of_operator_grant
from eport_tui.services.operator_grants import AlreadyGranted, NewOperatorGrant, ReceivedRow
from eport_tui.widgets.form import Form
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.menus import ContextMenu, Item
from eport_tui.widgets.window import ListSource

QUICK_QUERY = ("customs_code", "uscc")
ASK = "请输入授权企业编号或授权企业社会信用代码，再按F5查询"
NOTHING_RECEIVED = (
    "没有授予本企业的授权。其他企业在企业间授权录入中授权给本企业后，才能在这里授予操作员"
)


class OperatorGrantsScreen(DayScreen):
    """The grants that were received above, the operators of the selected one below."""

    PLACE = "委托授权系统 / 企业内授权录入"
    LEGEND = ("help", "query", "add", "delete", "menu", "save", "back", "main_menu")
    ABOUT = (
        "上方是授予本企业的企业间授权：可输入授权企业编号或社会信用代码的开头部分，按F5定位，再按F5转到下一条。"
        "选中一条后，下方显示据此授予的操作员。选「是」授予全部操作员，选「否」则录入一张操作员卡的卡号；"
        "按F6添加到列表，按F10保存后才生效。在下方列表中按F8删除，该操作员下次办理时即没有权限。"
        "事由可不填，与操作一起记录。Ctrl+R查看选中授权或操作员的操作历史，Ctrl+Y查看其他日期的授权。"
    )
    BINDINGS = [*bindings("query", "add", "save", "delete", "menu", "check", "history")]
    AUTO_FOCUS = "#received"

    def __init__(self) -> None:
        super().__init__(name="operator_grants")
        self._entries = Entries()
        self._shown_for: int | None = None
        self._operators_of: GrantKey | None = None
        self._restored: dict[str, Any] | None = None
        # Which grant was selected when what stands in the entry was typed or chosen.
        self._entered_for: GrantKey | None = None
        self._last_query: dict[str, str] = {}

    def body(self) -> Iterable[Widget]:
        """Quick query, received grants, entry, operators."""
        self._query = grant_forms.quick_query_form()
        self._received = grant_lists.received_list(self.desk.tables, self._entries.under)
        self._entry = grant_forms.operator_grant_form()
        self._operators = grant_lists.operator_list()
        yield self._query
        yield self._received
        yield self._entry
        yield self._operators

    def restore(self, content: dict[str, Any]) -> None:
        """Begin with what was left unsaved."""
        self._restored = content

    def on_mount(self) -> None:
        """Show the received grants and an empty entry."""
        super().on_mount()
        self._start()

    @flow
    async def _start(self) -> None:
        self._clear_entry()
        await self.read(self._show_received)

    async def _show_received(self) -> None:
        await self._received.show(self.desk.rows(self._source()))
        # When it is shown late, something may have been typed already.
        if self._restored is not None and not self.unsaved:
            await self._put_back(self._restored)
        self._restored = None
        if self._received.selected is None:
            await self._received.select_first()
        await self._show_operators()
        # The cursor was there before it was known whether there are rows.
        self.hint(self.hint_here)

    def _source(self) -> PageSource[ReceivedRow]:
        desk = self.desk
        return service.received(
            self.store,
            desk.active_session,
            today=self.other_day,
            subsystems=desk.tables.subsystems,
        )

    async def show_day(self) -> None:
        """Show what was received and handed on, of today or another day."""
        kept = self._last_query, self._shown_for, self._operators_of
        name = self._entry.value("principal_name")
        self._last_query = {}
        try:
            await self.show_rows(self._received, self._source())
            await self._show_operators(of_another_day=True)
        except BaseException:
            # The lists are shown as they were, too.
            self._last_query, self._shown_for, self._operators_of = kept
            self._entry.set_value("principal_name", name)
            raise
        if self._entry.current is not None:
            self.set_focus(self._received)
        self._clear_entry()
        if not self.may_change:
            # What could never be saved cannot be typed.
            self._entry.lock_all()

    async def _put_back(self, content: dict[str, Any]) -> None:
        """Take up the entries of a draft that was kept, where their grants still stand."""
        self._entries.take_up(content)
        for field in ("to_all", "card_number", "reason"):
            self._entry.set_value(field, content[field])
        self._lock_card_number()
        if entered_for := content.get("entered_for"):
            self._entered_for = GrantKey(*entered_for)
        await self._received.reload(select=content["selected"])
        to_all = ["to_all"] if self._entry.value("to_all") == YES else []
        typed = [field for field in ("card_number", "reason") if self._entry.value(field)]
        if entered := to_all + typed:
            self._entry.focus_field(entered[0])
        self.say("已恢复上次未保存的录入", "warning")

    # The lists

    @property
    def _grant_id(self) -> int | None:
        row = self._received.selected
        return row.grant.id if row else None

    @flow
    async def on_grid_selected(self, message: Grid.Selected) -> None:
        """Another received grant is selected: show its operators."""
        if message.grid is self._received and self._grant_id != self._shown_for:
            await self.read(self._show_operators)
        elif message.grid is self._operators and self.focused is self._operators:
            # F8 does something else on a row that is not saved.
            self.hint(self.hint_here)

    async def _reload(self) -> None:
        """Read both lists again; the selected rows, or those in their places, stay selected."""
        shown_for = self._shown_for
        await self._received.reload()
        await self._show_operators(keep=self._grant_id == shown_for)

    async def _show_operators(
        self,
        *,
        select: Hashable | None = None,
        keep: bool = False,
        of_another_day: bool = False,
    ) -> None:
        """Show the operators of the selected grant.

        Args:
            select: The key of the row to select.
            keep: Whether the list is that of the same grant, and stays where it is.
            of_another_day: Whether the rows have other numbers than before.
        """
        row, desk = self._received.selected, self.desk
        self._shown_for = self._grant_id
        self._entry.set_value("principal_name", row.principal.name if row else "")
        if row is None:
            await self._operators.show(ListSource([], lambda row: row.key))
            return
        key = row.grant.key
        stored = service.granted(self.store, desk.active_session, row.grant.id)
        pages = OperatorRows(self._entries.under(row.grant.id), stored)
        # On another day the same grant has another number.
        same = key == self._operators_of
        self._operators_of = key
        if keep:
            await self._operators.reload(desk.rows(pages), select=select)
        elif same and of_another_day and self._operators.selected is not None:
            await self.show_rows(self._operators, pages, lambda each: (key, each.card_number))
        else:
            await self._operators.show(desk.rows(pages), select=select, again=same)

    def list_hint(self, grid: Grid) -> str:
        """What can be done with a row."""
        if self._view is not None:
            return ONLY_LOOK
        if grid is self._received:
            return f"Enter录入操作员；F5快速查询；^R历史；^Y其他日期；{FINDING}"
        row = self._operators.selected
        if row is not None and row.stored is None:
            return "按F8从列表中去掉（尚未保存）；输入即定位，^F筛选"
        return "按F8删除所选操作员的权限；^R操作历史；输入即定位，^F筛选"

    def on_grid_missed(self, message: Grid.Missed) -> None:
        """What is typed in a list and not found there may be meant for the entry."""
        grid = message.grid
        if grid.order is None or not self.may_change:
            return
        way = "按Enter" if grid is self._received else "按Shift+Tab"
        self.say(
            f"没有以「{message.typed}」开头的{grid.order.label}，没有录入；"
            f"要录入操作员IC卡号请先{way}到该栏",
            "warning",
        )

    async def open_row(self, grid: Grid) -> None:
        """Enter on a received grant goes on to the entry; on an operator it opens the menu."""
        if grid is self._received:
            if not self.is_another_day():
                self._entry.focus_field("card_number")
        else:
            await self.row_menu(grid, grid.menu_place())

    # Quick query

    @flow
    async def action_query(self) -> None:
        """Select the next received grant that matches; from a list, begin another query."""
        if not self._is_asked or isinstance(self.focused, Grid):
            # Nothing to look for yet, but what others have saved since is shown.
            if not await self.read(self._reload):
                return
            self._query.focus_field("customs_code")
            self._query.select_text("customs_code")
            self.say(ASK, "warning")
            return
        await self._find_next()

    async def _find_next(self) -> None:
        self.check_whole()
        desk, wanted, narrowed = self.desk, self._query.values(), self._received.filter
        try:
            found = await desk.call(
                service.find_next,
                self.store,
                desk.active_session,
                customs_code=wanted["customs_code"],
                uscc=wanted["uscc"],
                # The same question again means the next match; a new one begins at the top.
                after=self._grant_id if wanted == self._last_query else None,
                order=self._received.order,
                filter=narrowed,
            )
        except NotFound as error:
            self.say("")
            await self.tell(error.message)
            # The next question replaces this one.
            for field in QUICK_QUERY:
                self._query.select_text(field)
            return
        self._last_query = wanted
        await self._received.reload(select=found.grant_id)
        await self._show_operators()
        if found.alone:
            among = f"筛选「{narrowed}」的记录中" if self._received.filter else ""
            told = f"已定位到该授权，{among}只有这一条符合"
        else:
            told = ("已从头查起" if found.wrapped else "已定位到该授权") + "，再按F5转到下一条"
        if narrowed and not self._received.filter:
            told = f"筛选「{narrowed}」的记录中没有符合的，已取消筛选。{told}"
        self.say(told, "done")

    # The entry

    def _clear_entry(self) -> None:
        self._entry.set_locked()
        self._entry.set_value("to_all", NO)
        self._entry.set_value("card_number", "")
        self._entry.mark_error(None)
        self._entered_for = None

    def on_form_edited(self, message: Form.Edited) -> None:
        """A card number is typed for the grant that is selected."""
        super().on_form_edited(message)
        if message.field == "card_number":
            self._enter_for_selected()

    def _enter_for_selected(self) -> None:
        row = self._received.selected
        self._entered_for = row.grant.key if row else None

    async def take(self, field: str) -> None:
        """Make the card number grey for all operators; turn a card number into its usual form."""
        if field == "to_all":
            self._lock_card_number()
        elif field == "card_number" and self._entry.value(field).strip():
            number = parse_card_number(
                self._entry.value(field), field="card_number", label="操作员IC卡号"
            )
            self._entry.set_value("card_number", number)

    def _lock_card_number(self) -> None:
        """是: the card number cannot be edited (manual 1.2)."""
        if self._entry.value("to_all") == YES:
            self._entry.set_value("card_number", "")
            self._entry.set_locked("card_number")
        else:
            self._entry.set_locked()

    def say_error(self, error: EportError) -> None:
        """A card number that was refused is replaced by what is typed next."""
        super().say_error(error)
        if error.field == "card_number":
            self._entry.select_text(error.field)

    async def picked(self, field: str) -> None:
        """是 is complete as it is; 否 goes on to the card number."""
        self._enter_for_selected()
        if field != "to_all" or self._entry.value("to_all") != YES:
            await super().picked(field)
        elif await self._take_current():
            self.say("按F6添加到列表，保存后授予全部操作员")

    @flow
    async def action_next_field(self) -> None:
        """In the quick query Enter queries; in the card number it adds."""
        field = self.form.current
        if field in QUICK_QUERY and self._query.value(field or "").strip():
            await self._find_next()
            return
        if field == "card_number" or (field == "to_all" and self._entry.value("to_all") == YES):
            await self._add()
            return
        await self.enter()

    async def last_field_entered(self) -> None:
        """Enter in the empty last field of the quick query asks for what is in the other one."""
        if self.form is not self._query:
            await super().last_field_entered()
        elif self._is_asked:
            await self._find_next()
        else:
            self.say(ASK, "warning")

    @property
    def _is_asked(self) -> bool:
        """Whether there is something to look for in the quick query."""
        return any(self._query.value(field).strip() for field in QUICK_QUERY)

    @flow
    async def action_add(self) -> None:
        """Put the entry in the list, not saved yet."""
        await self._add()

    async def _add(self, told: str = "已添加到列表，按F10保存后生效") -> None:
        desk, row = self.desk, self._received.selected
        if self.is_another_day():
            return
        if row is None:
            await self._tell_none_selected()
            return
        self.check_whole()
        if not await self._is_meant_for(row.grant.key):
            return
        grant_id = row.grant.id
        to_all = self._entry.value("to_all") == YES
        entry = NewOperatorGrant(
            to_all=to_all, card_number="" if to_all else self._entry.value("card_number")
        )
        checked = await desk.call(
            service.check_entry,
            desk.store,
            desk.active_session,
            grant_id,
            entry,
            self._entries.under(grant_id),
            key=row.grant.key,
        )
        if checked.replaces:
            sure = await self.confirm(
                "授予全部操作员",
                f"全部操作员将取代已有的{checked.replaces}张操作员卡，保存后生效。"
                "没有操作员因此失去权限。是否继续？",
                yes="继续",
            )
            if not sure:
                return
        self._entries.add(row.grant, checked.entry, replaces=checked.replaces)
        self._clear_entry()
        await self._received.reload()
        await self._show_operators(select=checked.entry.card_number, keep=True)
        self._entry.focus_field("card_number")
        self.say(told, "warning")
        await desk.drafts.keep(self)

    async def _is_meant_for(self, key: GrantKey) -> bool:
        """Ask where the entry was made while another grant was selected."""
        meant, tables = self._entered_for, self.desk.tables
        if not self._not_added or meant is None or meant == key:
            return True
        number = self._entry.value("card_number").strip()
        what = f"操作员IC卡号 {number} " if number else "授予全部操作员"
        answer = await questions.for_which_grant(
            self, what, named(meant, tables), named(key, tables)
        )
        if answer == "clear":
            self._clear_entry()
            self.say("录入的没有添加，已清除", "warning")
            await self.desk.drafts.keep(self)
        return answer == "here"

    @property
    def _not_added(self) -> str:
        """What stands in the entry and is in no list yet, in words; empty where nothing does."""
        if self._entry.value("to_all") == YES:
            return "所选的授予全部操作员尚未添加"
        if self._entry.value("card_number").strip():
            return "录入的操作员IC卡号尚未添加"
        return ""

    @property
    def unsaved(self) -> str:
        """Entries that were added, and what was typed or chosen."""
        told: list[str] = []
        if self._entries:
            told.append(f"列表中有{len(self._entries)}条尚未保存的企业内授权")
        if self._not_added:
            told.append(self._not_added)
        if not told and self._entry.value("reason").strip():
            told.append("录入的事由尚未保存")
        return "，".join(told)

    def discard(self) -> None:
        """Give up the entries that were added."""
        self._entries.clear()
        self._entry.set_value("reason", "")
        self._clear_entry()

    def draft(self) -> dict[str, Any] | None:
        """The entries as they stand."""
        if not self.unsaved:
            return None
        return {
            **self._entries.kept(),
            "to_all": self._entry.value("to_all"),
            "card_number": self._entry.value("card_number"),
            "reason": self._entry.value("reason"),
            "selected": self._grant_id,
            "entered_for": self._entered_for,
        }

    # Saving and deleting

    @flow
    async def action_save(self) -> None:
        """Store what was added, under each grant it was added to."""
        desk = self.desk
        if self.is_another_day():
            return
        if self._not_added:
            # Nothing is granted that was not seen in the list, and nothing is left behind unseen.
            await self._add("刚录入的已添加到列表，请核对后再按F10保存")
            return
        if not self._entries:
            self.say("没有要保存的内容，请先按F6添加", "warning")
            return
        saving = Saving()
        for grant_id in self._entries.grants:
            try:
                await self._store(grant_id, saving)
            except NotFound:
                # There is no row left to correct them at, and they must not hold the others up.
                saving.lost += self._entries.named(grant_id)
            except EportError as error:
                # What is in force may neither be kept silent nor offered again.
                if done := saving.done:
                    error.done = done
                    await desk.drafts.keep(self)
                if not isinstance(error, NotAwaited | OutOfReach):
                    await self._show_refused(grant_id)
                raise
            self._entries.forget(grant_id)
        self._entry.set_value("reason", "")
        await desk.drafts.forget(self)
        self.say("")
        with though("已保存" if saving.saved else "没有保存"):
            await self._received.reload()
            await self._show_operators()
        if saving.lost:
            self.set_focus(self._received)
        if left_out := saving.left_out(desk.tables):
            await self.tell(left_out, kind="warning")
        if saving.saved:
            await self.tell(f"暂存成功\n{saving.in_force}")

    async def _store(self, grant_id: int, saving: Saving) -> None:
        """Store what was added under one grant, without what was granted elsewhere meanwhile."""
        desk = self.desk
        while entries := self._entries.under(grant_id):
            added = self._entries.named(grant_id)
            try:
                await desk.call(
                    service.save,
                    desk.store,
                    desk.active_session,
                    grant_id,
                    entries,
                    replacing=self._entries.replacing(grant_id),
                    reason=self._entry.value("reason"),
                    proof=desk.proof,
                )
            except AlreadyGranted as error:
                saving.granted.append((self._entries.key(grant_id), error.entry))
                self._entries.remove(grant_id, error.entry.card_number)
            else:
                saving.saved += added
                return

    async def _show_refused(self, grant_id: int) -> None:
        """Show the grant whose entries were refused; the others stay as they are."""
        # Where that fails, too, the refusal is what has to be told.
        with suppress(EportError):
            await self._received.reload(select=grant_id)
            await self._show_operators()

    def menu_grid(self) -> Grid:
        """Menu and deletion are about the operators."""
        return self._operators

    @flow
    async def action_delete(self) -> None:
        """Delete the selected operator grant."""
        await self._delete()

    async def _delete(self) -> None:
        desk, row, grant_id = self.desk, self._operators.selected, self._grant_id
        received = self._received.selected
        if self.is_another_day():
            return
        if row is None or grant_id is None or received is None:
            await self._tell_none_selected()
            return
        whom = f"操作员卡 {row.card_number} " if row.card_number else TO_ALL
        if row.stored is None:
            self._entries.remove(grant_id, row.card_number)
        else:
            try:
                if not await self._delete_stored(received.grant.key, row.stored, whom):
                    return
            except NotFound:
                await self._reload()
                raise
        told = f"已从列表中去掉{whom}" if row.stored is None else f"已删除{whom}的权限"
        await self.tell_done(told, self._reload)
        if row.stored is None:
            await desk.drafts.keep(self)

    async def _delete_stored(self, key: GrantKey, grant: OperatorGrant, whom: str) -> bool:
        """Show what stops working, and delete the grant; false where the answer is no."""
        desk, shown = self.desk, row_of_operator_grant(key, grant)
        preview = await desk.call(
            service.deletion_preview,
            desk.store,
            desk.tables,
            desk.active_session,
            grant.id,
            shown=shown,
        )
        reason = await questions.agree_to_an_operators_deletion(self, preview, whom)
        if reason is None:
            return False
        await desk.call(
            service.delete,
            desk.store,
            desk.active_session,
            grant.id,
            shown=shown,
            reason=reason,
            proof=desk.proof,
        )
        return True

    async def _tell_none_selected(self) -> None:
        """Say which list needs a selected row, or has none at all."""
        if self._received.selected is None:
            await self.tell_none_selected(self._received, NOTHING_RECEIVED)
        else:
            await self.tell_none_selected(self._operators, "所选的授权没有授予操作员")

    @flow
    async def action_history(self) -> None:
        """Show what was done to the selected grant or, in the lower list, to the operator's."""
        await self._history(of_operator=self.focused is self._operators)

    async def _history(self, *, of_operator: bool) -> None:
        operator = self._operators.selected if of_operator else None
        row = self._received.selected
        if row is None:
            await self._tell_none_selected()
            return
        await self.show_history(row.grant.key, operator.card_number if operator else None)

    @flow
    async def action_check(self) -> None:
        """Ask whether a card, that of the selected operator if one is, may use the grant."""
        await self._check()

    async def _check(self) -> None:
        operator, row = self._operators.selected, self._received.selected
        if row is None:
            await self._tell_none_selected()
            return
        await self.check_grant(row.grant.key, operator.card_number if operator else "")

    def legend_ids(self) -> tuple[str, ...]:
        """F4 opens a list in the one field that has one; in a list F11 asks about the row."""
        if self.at_a_list:
            return ("help", "open_list", *self.LEGEND[1:])
        if isinstance(self.focused, Grid):
            return ("help", "check", *self.LEGEND[1:])
        return self.LEGEND

    async def row_menu(self, grid: Grid, place: tuple[int, int]) -> None:
        """Ask about the selected operator grant, or delete it."""
        if grid is not self._operators:
            return
        operator = self._operators.selected
        if operator is None:
            await self._tell_none_selected()
            return
        items = [
            Item("delete", "删除" if operator.stored else "从列表中去掉", "F8"),
            Item("check", "核查", "F11"),
            Item("history", "操作历史", "^R"),
        ]
        chosen = await self.desk.ask(ContextMenu("企业内授权", items, place))
        if chosen == "check":
            await self._check()
        elif chosen == "history":
            await self._history(of_operator=True)
        elif chosen == "delete":
            await self._delete()
