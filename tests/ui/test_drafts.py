"""Unsaved input survives a dropped line and is offered at the next login."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import date, datetime, timedelta

import pytest
import time_machine

from eport_tui.domain.dates import SHANGHAI
from eport_tui.services import drafts
from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OTHER_BROKER, Operator, at_work

OFFER = "上次未保存的录入"
ENTERPRISE_GRANTS, OPERATOR_GRANTS = (
    "委托授权系统 / 企业间授权录入",
    "委托授权系统 / 企业内授权录入",
)
CARD = "8900000000997"


class Gone(BaseException):
    """The process has ended at once."""


@pytest.fixture(autouse=True)
def end_of_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def exit_at_once(code: int) -> None:
        raise Gone

    monkeypatch.setattr(os, "_exit", exit_at_once)


def drop_line(operator: Operator) -> None:
    """Have the line drop, as the signal of the terminal tells it."""
    with suppress(Gone):
        operator.app._line_dropped(signal.SIGHUP)


async def half_a_grant(settings: Settings, *, kill: bool = False) -> None:
    """Type most of a grant; then the line drops."""
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101980001", "<enter>", "95", "<enter>", "<enter>", "2027")
        if not kill:
            drop_line(operator)


async def test_what_was_typed_is_offered_at_the_next_login(settings: Settings) -> None:
    await half_a_grant(settings)
    async with at_work(settings) as operator:
        assert OFFER in operator.dialog
        assert f"2026-11-24 10:00 在「{ENTERPRISE_GRANTS}」中有未保存的录入" in operator.dialog
        await operator.press("enter")
        assert operator.place == ENTERPRISE_GRANTS
        assert "已恢复上次未保存的录入" in operator.message
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        assert operator.value("授权子系统") == "加工贸易账册"
        assert operator.value("授权类型") == "操作权"
        assert operator.value("权限有效期") == "2027"


async def test_a_restored_draft_is_still_unsaved(settings: Settings) -> None:
    await half_a_grant(settings)
    async with at_work(settings, typed="y") as operator:
        await operator.press("escape")
        assert "录入的企业间授权尚未保存" in operator.dialog
        await operator.type("n")
        while operator.at_field != "权限有效期":
            await operator.press("tab")
        await operator.clear()
        await operator.type("20271231")
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    async with at_work(settings) as operator:
        assert operator.dialog == ""


async def test_a_process_that_is_killed_loses_at_most_the_field_being_typed(
    settings: Settings,
) -> None:
    await half_a_grant(settings, kill=True)
    async with at_work(settings, typed="y") as operator:
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("授权子系统") == "加工贸易账册"
        assert operator.value("权限有效期") == ""


async def test_a_draft_that_is_given_up_is_not_offered_again(settings: Settings) -> None:
    await half_a_grant(settings)
    async with at_work(settings) as operator:
        await operator.type("n")
        assert operator.place == "主选单"
        await operator.type("11")
        assert operator.value("代理企业编号") == ""
    async with at_work(settings) as operator:
        assert operator.dialog == ""
        assert operator.place == "主选单"


@pytest.mark.parametrize("key", ["escape", "l"])
async def test_a_draft_can_be_left_for_later(settings: Settings, key: str) -> None:
    await half_a_grant(settings)
    async with at_work(settings) as operator:
        assert "恢复(Y)" in operator.dialog
        assert "以后(L)" in operator.dialog
        await operator.press(key)
        assert operator.place == "主选单"
        assert operator.dialog == ""
    async with at_work(settings, typed="y") as operator:
        assert operator.value("代理企业编号") == "3101980001"


async def test_a_card_at_work_in_two_places_loses_the_input_of_neither(
    settings: Settings,
) -> None:
    await half_a_grant(settings)
    with time_machine.travel(datetime.now(SHANGHAI) + timedelta(hours=1), tick=False):
        async with at_work(settings) as elsewhere:
            await elsewhere.press("escape")
            await elsewhere.burst("11", "3101980002", "<enter>")
            drop_line(elsewhere)
        async with at_work(settings, typed="y") as operator:
            assert operator.value("代理企业编号") == "3101980002"
            drop_line(operator)
        async with at_work(settings, typed="n") as operator:
            assert OFFER in operator.dialog
            await operator.type("y")
            assert operator.value("代理企业编号") == "3101980001"


async def test_what_is_being_typed_elsewhere_is_offered_when_that_has_ended(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as elsewhere:
        await elsewhere.burst("3101980001", "<enter>")
        async with at_work(settings) as operator:
            assert operator.dialog == ""
            await operator.burst("11", "3205980002", "<enter>")
            # Input that stays behind the lock is still there.
            elsewhere.app.lock("卡已拔出，程序已锁定")
        async with at_work(settings) as operator:
            assert OFFER in operator.dialog
            await operator.type("y")
            assert operator.value("代理企业编号") == "3205980002"
            await operator.press("escape", "y")
    async with at_work(settings, typed="y") as operator:
        assert operator.value("代理企业编号") == "3101980001"


async def test_what_was_left_behind_the_lock_is_offered_at_once(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as elsewhere:
        await elsewhere.burst("3101980001", "<enter>")
        elsewhere.app.lock("卡已拔出，程序已锁定")
        await elsewhere.settle()
        await elsewhere.press("escape")
        async with at_work(settings) as operator:
            assert OFFER in operator.dialog


async def test_what_was_restored_elsewhere_meanwhile_is_told_and_the_next_is_offered(
    settings: Settings, colleague: Colleague
) -> None:
    await half_a_grant(settings)
    with time_machine.travel(datetime.now(SHANGHAI) + timedelta(hours=1), tick=False):
        async with at_work(settings) as elsewhere:
            await elsewhere.press("escape")
            await elsewhere.burst("11", "3101980002", "<enter>")
            drop_line(elsewhere)
        async with at_work(settings) as operator:
            latest, _ = drafts.offered(colleague.store, colleague.session)
            drafts.take_over(colleague.store, colleague.session, latest)
            await operator.type("y")
            assert "这份录入已在另一处恢复或改动，未在此恢复" in operator.text
            assert "2026-11-24 10:00" in operator.dialog
            await operator.type("y")
            assert operator.value("代理企业编号") == "3101980001"
            drop_line(operator)
    sessions = {session for (session,) in colleague.store.rows("SELECT session FROM draft")}
    assert len(sessions) == 2
    assert colleague.session.id in sessions


async def test_a_draft_is_offered_to_its_card_only(settings: Settings) -> None:
    await half_a_grant(settings)
    async with at_work(settings, OTHER_BROKER) as operator:
        assert operator.dialog == ""
        await operator.type("11")
        assert operator.value("代理企业编号") == ""


async def test_what_was_saved_is_not_offered(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101980001", "<enter>", "95", "<enter>", "<enter>", "20271231")
        await operator.press("f10")
        assert "保存成功" in operator.dialog
        await operator.press("enter", "tab")
        drop_line(operator)
    async with at_work(settings) as operator:
        assert operator.dialog == ""


async def test_what_was_given_up_on_leaving_is_not_offered(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101980001", "<enter>", "<escape>", "y")
        assert operator.place == "委托授权系统"
        drop_line(operator)
    async with at_work(settings) as operator:
        assert operator.dialog == ""


async def test_what_was_undone_again_is_not_offered(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101980001", "<enter>", "<shift+tab>")
        await operator.clear()
        await operator.press("tab")
        drop_line(operator)
    async with at_work(settings) as operator:
        assert operator.dialog == ""


async def test_a_dropped_line_with_nothing_typed_offers_nothing(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        drop_line(operator)
    async with at_work(settings) as operator:
        assert operator.dialog == ""


# -- an opened grant -----------------------------------------------------------------


async def change_half_done(settings: Settings) -> None:
    """Open the first grant and type another date; then the line drops."""
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*["tab"] * 5, "enter")
        await operator.clear()
        await operator.type("20290101")
        drop_line(operator)


async def test_an_opened_grant_is_open_again(settings: Settings, colleague: Colleague) -> None:
    await change_half_done(settings)
    async with at_work(settings, typed="y") as operator:
        assert operator.sees("= 代理企业编号", "= 授权子系统")
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        assert operator.value("权限有效期") == "20290101"
        assert operator.at_field == "权限有效期"
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2029, 1, 1)
    assert len(colleague.made()) == 5


async def test_an_opened_grant_that_was_changed_meanwhile_is_not_overwritten_unseen(
    settings: Settings, colleague: Colleague
) -> None:
    await change_half_done(settings)
    colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
    async with at_work(settings, typed="y") as operator:
        await operator.press("f10")
        for version in ("2027-12-29", "2028-08-08", "2029-01-01"):
            assert version in operator.dialog
        await operator.type("m")
        assert "保存成功" in operator.dialog
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2029, 1, 1)


async def test_an_opened_grant_that_was_deleted_meanwhile_can_be_granted_anew(
    settings: Settings, colleague: Colleague
) -> None:
    await change_half_done(settings)
    colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
    async with at_work(settings, typed="y") as operator:
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        assert operator.sees("* 代理企业编号")
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2029, 1, 1)


# -- 企业内授权 ----------------------------------------------------------------------


async def test_added_operators_are_restored(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<down>", "<down>", "<down>", "<enter>", CARD, "<f6>", "8900")
        assert operator.row(CARD).endswith("未保存")
        drop_line(operator)
    async with at_work(settings, BROKER) as operator:
        assert f"「{OPERATOR_GRANTS}」" in operator.dialog
        await operator.type("y")
        assert operator.place == OPERATOR_GRANTS
        assert operator.row("3122930002").startswith("> ")
        assert operator.row("3122930002").endswith("1+1")
        assert operator.row(CARD).endswith("未保存")
        assert "已恢复上次未保存的录入" in operator.message
        assert operator.value("操作员IC卡号") == "8900"
        assert operator.at_field == "操作员IC卡号"
        await operator.clear()
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    (grant,) = [r.grant for r in broker.received() if r.grant.key.principal == "3122930002"]
    assert broker.operators(grant.id) == ["8900000000042", CARD]


async def test_added_operators_are_kept_as_soon_as_they_are_added(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", CARD, "<f6>")
    async with at_work(settings, BROKER, "y") as operator:
        assert operator.row(CARD).endswith("未保存")


async def test_all_operators_that_were_chosen_and_not_added_are_offered_again(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", "<shift+tab>", "<space>", "S", "<enter>")
        drop_line(operator)
    async with at_work(settings, BROKER, "y") as operator:
        assert operator.place == OPERATOR_GRANTS
        assert operator.at_field == "是否授予全部操作员"
        assert operator.value("是否授予全部操作员") == "是"
        assert operator.sees("= 操作员IC卡号")


async def test_added_operators_under_a_grant_that_is_gone(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", CARD, "<f6>")
    colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
    async with at_work(settings, BROKER, "y") as operator:
        assert operator.place == OPERATOR_GRANTS
        await operator.press("f10")
        assert "已被授权企业删除" in operator.dialog
        await operator.press("enter", "escape")
        assert operator.place == "委托授权系统"


async def test_replacing_single_cards_is_restored_as_agreed(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", "<shift+tab>", "<space>", "S", "<enter>", "<f6>", "y")
        assert operator.sees("全部操作员", "未保存")
    async with at_work(settings, BROKER, "y") as operator:
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    assert broker.operators(broker.received()[0].grant.id) == [""]
