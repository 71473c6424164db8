"""企业间授权录入: a grant that stands already, opened, or changed by a colleague."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.services import history
from eport_tui.services.enterprise_grants import row_of
from eport_tui.services.proof import Proof
from eport_tui.settings import Settings
from eport_tui.store import ledger
from tests.ui.colleague import BROKER_CODE, OTHER_BROKER_CODE, Colleague, with_a_lost_card
from tests.ui.enterprise_grants import (
    ENTERPRISE_GRANTS,
    THE_DATE,
    TO_BROKER,
    UNSAVED,
    fill,
    into_the_list,
)
from tests.ui.operator import MANUFACTURER, at_work

# -- the same grant again ----------------------------------------------------------


async def test_the_same_key_in_force_is_refused_and_the_grant_that_stands_is_offered(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3205980002")
        await operator.press("f10")
        assert operator.sees("已授权 3205980002", "「加工贸易账册」「操作权」", "2027-10-25")
        await operator.press("enter")
        assert operator.at_field == "权限有效期"
        assert operator.value("权限有效期") in THE_DATE
        assert operator.sees("= 代理企业编号", "第4条 共5条", "原授权（有效期至2027-10-25）")


async def test_the_reason_goes_over_to_the_grant_that_stands(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3205980002")
        await operator.press("tab")
        await operator.type("合同12号")
        await operator.press("f10", "enter")
        assert operator.sees("原授权（有效期至2027-10-25）")
        assert operator.value("事由") == "合同12号"
        await operator.press("f10")
        assert operator.sees("保存成功")
    newest = history.of_enterprise(colleague.store, colleague.session).after(None, 1)[0]
    assert newest.reason == "合同12号"


async def test_the_same_key_in_force_can_be_turned_into_another(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3205980002")
        await operator.press("f10", "escape")
        assert "已授权 3205980002" in operator.message
        assert operator.at_field == "代理企业编号"
        assert operator.value("权限有效期") in THE_DATE
        await operator.press("tab", "space")
        await operator.type("B1")
        await operator.press("enter", "f10")
        assert operator.sees("保存成功")
    assert colleague.grant_to(OTHER_BROKER_CODE, "95").valid_until == date(2027, 10, 25)
    assert colleague.grant_to(OTHER_BROKER_CODE, "B1").valid_until == date(2027, 12, 31)


async def test_an_expired_one_may_be_granted_again(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3205980002", until="")
        await operator.press("shift+tab", "space")
        await operator.type("BGQ")
        await operator.press("enter")
        await operator.type("20271231")
        await operator.press("f10")
        assert operator.sees("保存成功")
        await operator.press("enter")
        assert operator.sees("共5条")
    grant = colleague.grant_to(OTHER_BROKER_CODE, "95", "X2")
    assert (grant.granted_on, grant.valid_until) == (date(2026, 11, 24), date(2027, 12, 31))


async def test_granting_an_expired_one_again_asks_when_operators_come_back(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, subsystem="Z8")
        await operator.press("f10")
        assert operator.sees("2026-11-14 到期", "2 条企业内授权将一并恢复")
        await operator.press("escape")
        assert operator.value("权限有效期") == "20271231"
        assert colleague.grant_to(BROKER_CODE, "Z8").valid_until == date(2026, 11, 14)
        await operator.press("f10")
        await operator.type("y")
        assert operator.sees("保存成功")
    assert colleague.grant_to(BROKER_CODE, "Z8").valid_until == date(2027, 12, 31)


# -- changing ----------------------------------------------------------------------


async def test_enter_in_the_list_opens_a_grant_whose_key_fields_are_grey(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        assert operator.value("授权子系统") == "加工贸易手册"
        assert operator.value("授权日期") == "2026-05-08"
        assert operator.sees("= 代理企业编号", "= 授权子系统", "= 授权类型", "* 权限有效期")
        assert operator.at_field == "权限有效期"
        await operator.press("shift+tab")
        assert operator.at_field != "授权类型"


async def test_up_from_the_date_of_an_opened_grant_stays_there(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "up")
        assert operator.at_field == "权限有效期"
        assert operator.message == "已是第一栏"
        await operator.type("20271231")
        assert operator.value("权限有效期") == "20271231"
        await operator.press("tab", "up")
        assert operator.at_field == "权限有效期"
        assert operator.value("权限有效期") == "2027-12-31"


async def test_saving_an_opened_grant_changes_its_last_day(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert operator.sees("保存成功")
        await operator.press("enter")
        assert operator.row(TO_BROKER + "加工贸易手册     操作权").endswith("2029-01-01 有效")
        assert operator.sees("第1条 共5条")
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2029, 1, 1)


async def test_saving_an_opened_grant_that_was_not_changed_does_nothing(
    settings: Settings, colleague: Colleague
) -> None:
    before = colleague.made()
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "f10")
        assert "没有改动，不需要保存" in operator.message
    assert colleague.made() == before


async def test_a_reason_alone_is_kept_and_said_to_be_nothing_to_save(
    settings: Settings, colleague: Colleague
) -> None:
    before = colleague.made()
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "tab")
        await operator.type("客户来函")
        await operator.press("f10")
        assert operator.message == "! 只录入了事由，授权没有改动，没有保存"
        assert operator.value("事由") == "客户来函"
        await operator.press("escape")
        assert operator.sees(UNSAVED)
        await operator.press("escape")
        assert operator.at_field == "权限有效期"
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert operator.sees("保存成功")
        assert operator.value("事由") == ""
    assert colleague.made() != before
    assert history.of_enterprise(colleague.store, colleague.session).after(None, 1)[0].reason == (
        "客户来函"
    )


async def test_a_reason_alone_is_there_again_after_the_line_dropped(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "tab")
        await operator.type("客户来函")
        await operator.press("f10")
    async with at_work(settings, MANUFACTURER, "y") as operator:
        assert operator.value("事由") == "客户来函"


async def test_a_grant_that_another_program_put_there_is_signed_by_saving_it_as_it_is(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.grant_to_many(1)
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "f10")
        assert operator.sees("3101980000", "保存成功，该授权已用本卡重新签名")
        await operator.press("enter", "f10")
        assert "没有改动，不需要保存" in operator.message
    assert ledger.has_enterprise_grant(colleague.store, colleague.made()[0].grant.key)


async def test_a_grant_that_a_revoked_card_had_signed_is_signed_anew_by_saving_it_as_it_is(
    settings: Settings, colleague: Colleague
) -> None:
    with with_a_lost_card(settings, colleague) as thief:
        grant = thief.grant("3101980001", "95")
    proof = Proof(colleague.store, TrustStore.of(settings.trust_dir))
    assert not proof.holds(row_of(grant))
    async with at_work(replace(settings, strict=True), MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "f10")
        assert operator.sees("3101980001", "保存成功，该授权已用本卡重新签名")
    assert proof.holds(row_of(colleague.grant_to("3101980001", "95")))


async def test_opening_a_row_asks_before_something_unsaved_is_replaced(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3205980002")
        await into_the_list(operator, "enter")
        assert operator.sees(UNSAVED)
        await operator.press("escape")
        assert operator.value("代理企业编号") == "3205980002"
        await operator.press("enter")
        await operator.type("y")
        assert operator.value("代理企业编号") == "3101980001"


async def test_double_click_opens_a_row(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.click("物流账册", times=2)
        assert operator.value("授权子系统") == "物流账册"
        assert operator.value("权限有效期") == "2026-11-14"


# -- two operators -------------------------------------------------------------------


async def test_refreshing_shows_what_a_colleague_has_saved(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3205980002", until="+1y")
        colleague.grant(BROKER_CODE, "95")
        await operator.press("f5")
        assert operator.sees("共6条", "加工贸易账册     操作权   2027-12-31 有效")
        assert operator.value("代理企业编号") == "3205980002"
        assert operator.value("权限有效期").startswith(("+1y", "2027-11-24"))


async def test_a_change_by_a_colleague_is_told_with_both_versions(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert operator.sees("该授权已被他人修改", "2027-12-29", "2028-08-08", "2029-01-01")
        assert operator.sees(MANUFACTURER, "2026-11-24 10:00")
        assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2028, 8, 8)
        await operator.press("escape")
        assert operator.value("权限有效期") in ("20290101", "2029-01-01")
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2028, 8, 8)


@pytest.mark.parametrize(("answer", "stands"), [("t", date(2028, 8, 8)), ("m", date(2029, 1, 1))])
async def test_a_conflict_is_settled_by_the_one_who_sees_both(
    settings: Settings, colleague: Colleague, answer: str, stands: date
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        await operator.type(answer)
        await operator.press("enter")
        assert operator.row(TO_BROKER + "加工贸易手册     操作权").endswith(f"{stands} 有效")
        assert operator.value("权限有效期") == stands.isoformat()
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == stands


async def test_an_opened_grant_that_a_colleague_has_deleted(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert operator.message == ("x 该授权已不存在（没有保存；要重新授权，请按F2另录一条）")
        assert operator.value("权限有效期") in ("20290101", "2029-01-01")


async def test_what_a_colleague_changed_meanwhile_is_not_deleted(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "delete")
        assert operator.sees("2027-12-29")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        await operator.type("y")
        assert "该授权已被他人修改，没有删除" in operator.message
        assert operator.row(TO_BROKER + "加工贸易手册     操作权").endswith("2028-08-08 有效")
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == date(2028, 8, 8)


async def test_operators_added_meanwhile_do_not_go_unseen(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    grant = colleague.grant_to(BROKER_CODE, "B1")
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "delete")
        assert operator.sees("1条企业内授权将一并删除")
        broker.hand_on(grant.id, "8900000000059")
        await operator.type("y")
        assert "由 1 条变为 2 条，没有删除" in operator.message
    assert broker.operators(grant.id) == ["8900000000042", "8900000000059"]


async def test_a_row_that_a_colleague_has_deleted_is_told_and_leaves_the_list(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator)
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.press("delete")
        assert "该授权已不存在" in operator.message
        assert operator.sees("共4条")
