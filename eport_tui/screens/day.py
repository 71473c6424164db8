"""Screens whose lists can be looked at as of another day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from eport_tui.actions import bindings
from eport_tui.domain.dates import parse_date, today
from eport_tui.screens.base import flow
from eport_tui.screens.form_screen import FormScreen
from eport_tui.services import history
from eport_tui.services.history import DayView
from eport_tui.widgets.bars import Banner, Body
from eport_tui.widgets.dialogs import TextQuestion
from eport_tui.widgets.grid import Grid

if TYPE_CHECKING:
    from eport_tui.domain.grants import GrantKey
    from eport_tui.domain.lists import PageSource
    from eport_tui.store.database import Store


_CHANGING = {
    *("new", "open_row", "add", "delete", "save"),
    *("mark", "mark_all", "renew", "lapse", "remind"),
}
"""What is refused on another day, and to a card that is not a legal person's."""


FINDING = "输入即定位，^O排序，^F筛选"
ONLY_LOOK = "只能查看：F11核查，^Y返回今天"


class DayScreen(FormScreen):
    """A form screen that shows the grants of today, or those of another day.

    While it shows another day a banner says so, and nothing can be changed.
    """

    BINDINGS = [*bindings("as_of")]

    _view: DayView | None = None

    def compose(self) -> Iterator[Widget]:
        """The banner stands above the body."""
        for widget in super().compose():
            if isinstance(widget, Body):
                yield Banner()
            yield widget

    def _shown_ids(self) -> tuple[str, ...]:
        """Nothing that changes something where that is refused; on another day the way back."""
        shown = super()._shown_ids()
        if self.may_change:
            return shown
        kept = [id for id in shown if id not in _CHANGING]
        if self._view is not None and "as_of" not in kept:
            kept.insert(1, "as_of")
        return tuple(kept)

    @property
    def may_change(self) -> bool:
        """Whether a legal person's card looks at today."""
        # A legend may still be asked for when the session has just ended.
        session = self.desk.session
        return self._view is None and session is not None and session.holder.is_legal_person

    @property
    def store(self) -> Store:
        """What the services read the lists from."""
        return self.desk.store if self._view is None else self._view.store

    @property
    def day(self) -> date:
        """The day that the lists are about."""
        return self.other_day or today()

    @property
    def other_day(self) -> date | None:
        """The day that is shown in place of today; none where it is today, whichever that is."""
        return None if self._view is None else self._view.on

    @property
    def before_records(self) -> str:
        """Why nothing can be listed of the day that is shown; empty where the records know it."""
        view = self._view
        if view is None or view.begins is None:
            return ""
        return f"操作记录从 {view.begins} 开始，看不到 {view.on} 的授权"

    async def show_day(self) -> None:
        """Read the lists anew, from `store` and as of `day`."""
        raise NotImplementedError

    async def require_that_a_day_can_be_shown(self) -> None:
        """Look for what would keep the lists of another day from being read.

        Raises:
            EportError: There is something, and it has to be put right first.
        """

    async def show_rows(
        self,
        grid: Grid[Any],
        source: PageSource[Any],
        what: Callable[[Any], tuple[GrantKey, str | None]] = lambda row: (row.grant.key, None),
    ) -> None:
        """Show the same list of grants of another day.

        What is selected stays selected, or else what is in its place; the first, where nothing was.

        Args:
            source: Of rows that are known by the numbers of grants.
            what: What the grant of a row gives, and to which card where it is an operator grant.
        """
        desk, selected, number = self.desk, grid.selected, None
        if selected is not None:
            number = await desk.call(
                history.number_of, self.store, desk.active_session, *what(selected)
            )
        await grid.show(desk.rows(source), select=number, near=selected, again=True)
        if grid.selected is None:
            await grid.select_first()

    async def check_grant(self, key: GrantKey | None, card_number: str = "") -> None:
        """Ask whether a card may use a grant on the day; none is one that was not selected."""
        from eport_tui.screens import check

        if key is None:
            await self.tell("请选择数据!")
        else:
            await self.desk.open_screen(
                check.about(self.desk.tables, key, card_number, on=self.day)
            )

    async def show_history(self, key: GrantKey | None, card_number: str | None = None) -> None:
        """Show what was done to a grant, or to that of a card under it; none was not selected."""
        from eport_tui.screens.history import HistoryScreen

        if key is None:
            await self.tell("请选择数据!")
        else:
            await self.desk.open_screen(HistoryScreen(key, card_number))

    @flow
    async def action_as_of(self) -> None:
        """Ask for a day and show that one, or today again."""
        await self.require_that_a_day_can_be_shown()
        if not await self.may_leave("确定放弃，查看其他日期吗？", "放弃录入"):
            return
        text = await self.desk.ask(
            TextQuestion(
                "查看其他日期",
                "查看过去某天结束时的授权，或将来某天还有哪些授权有效。"
                "例如 20260630、2026-06-30、+90（天）、-30（天前），空着为今天。",
                "查看日期",
                _parsed,
            )
        )
        if text is None:
            return
        await self._look_at(_parsed(text))

    async def _look_at(self, on: date) -> None:
        desk, before = self.desk, self._view
        view = None
        if on != today():
            view = await desk.call(history.on_day, desk.store, on)
        # No row is seen under the banner of another day, however long the reading takes.
        put_back = [grid.hide_rows() for grid in self.query(Grid)]
        self._show_as(view)
        try:
            await self.show_day()
        except BaseException:
            # Given up or failed: numbers of rows mean other grants on another day.
            self._show_as(before)
            for restore in put_back:
                restore()
            raise
        if view is None:
            self.say("已返回今天", "done")
        else:
            self.say(self.before_records, "warning")

    def _show_as(self, view: DayView | None) -> None:
        self._view = view
        self.query_one(Banner).text = "" if view is None else _banner(view)
        begins = None if view is None else view.begins
        for grid in self.query(Grid):
            grid.why_empty = f"没有记录（操作记录从 {begins} 开始）" if begins else ""
        self.show_legend()

    async def day_began(self) -> None:
        """A day that was to come is looked at as today, or as the past one that it is by now."""
        view = self._view
        if view is not None and not view.past and view.on <= today():
            await self._look_at(view.on)

    def is_another_day(self) -> bool:
        """Whether nothing can be changed, because another day is shown; then that is said."""
        if self._view is None:
            return False
        self.say(
            f"现在显示的是 {self._view.on} 的授权，不能改动；按Ctrl+Y再按Enter返回今天", "warning"
        )
        return True


def _parsed(text: str) -> date:
    if not text.strip():
        return today()
    return parse_date(text, today=today(), label="查看日期", past=True)


def _banner(view: DayView) -> str:
    which = "当天结束时的授权" if view.past else "如无变动，到那天的授权"
    return f"查看 {view.on}：{which}。只能查看，按Ctrl+Y再按Enter返回今天"
