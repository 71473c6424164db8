"""企业间授权录入 (manual 1.1, spec §2.1): recording, changing and deleting grants to agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from eport_tui.card.authority import TestAuthority
from eport_tui.card.trust import TrustStore
from eport_tui.services.enterprise_grants import row_of
from eport_tui.services.proof import Proof
from eport_tui.settings import Settings
from eport_tui.store import ledger
from tests.card.making import make_card, software_session
from tests.ui.colleague import BROKER_CODE, OTHER_BROKER_CODE, Colleague
from tests.ui.operator import MANUFACTURER, Operator, at_work

ENTERPRISE_GRANTS = "11"
TO_BROKER = "3101980001   上海样例第一报关.. "
THE_DATE = ("20271231", "2027-12-31")
UNSAVED = "录入的企业间授权尚未保存"


async def fill(
    operator: Operator, agent: str = "3101980001", subsystem: str = "95", until: str = "20271231"
) -> None:
    """Fill the form for a new grant as one would, from its first field on."""
    await operator.type(agent)
    await operator.press("tab", "space")
    await operator.type(subsystem)
    await operator.press("enter", "tab")
    await operator.type(until)


async def into_the_list(operator: Operator, *moves: str) -> None:
    """Go to the list, on its first row, and move there."""
    while operator.at_field:
        await operator.press("tab")
    await operator.press("home", *moves)


# -- what is there to begin with -------------------------------------------------


async def test_the_own_enterprise_comes_from_the_card_and_the_date_from_the_program(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        assert operator.value("授权企业编号") == "3101440001"
        assert operator.value("授权企业社会信用代码") == "91310000PDY00001XG"
        assert operator.value("授权企业名称") == "上海样例精密机械有限公司"
        assert operator.value("授权日期") == "2026-11-24"
        assert operator.value("授权类型") == "操作权"
        assert operator.at_field == "代理企业编号"


async def test_grounds_are_marked_in_text_too(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        for required in ("代理企业编号", "授权子系统", "授权类型", "权限有效期"):
            assert operator.sees(f"* {required}")
        for shown in ("授权企业编号", "代理企业名称", "代理企业社会信用代码", "授权日期"):
            assert operator.sees(f"= {shown}")
        assert operator.sees("* 必填", "+ 选填", "= 系统填写")


async def test_the_list_shows_the_grants_made_with_their_states(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        assert operator.sees("已授权列表  共5条")
        assert operator.row(TO_BROKER + "加工贸易手册     操作权").endswith("2027-12-29 有效")
        assert operator.row(TO_BROKER + "加工贸易手册     报关权").endswith("2026-12-14 即将到期")
        assert operator.row(TO_BROKER + "物流账册").endswith("2026-11-14 已过期")


async def test_grey_fields_are_never_entered(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        visited = [operator.at_field]
        await operator.press("tab")
        while operator.at_field:
            visited.append(operator.at_field)
            await operator.press("tab")
        assert visited == ["代理企业编号", "授权子系统", "授权类型", "权限有效期", "事由"]


async def test_up_and_down_move_between_fields_and_take_what_was_typed(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101980001")
        await operator.press("down")
        assert operator.at_field == "授权子系统"
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        await operator.press("down", "down")
        assert operator.at_field == "权限有效期"
        await operator.press("up", "up", "up")
        assert operator.at_field == "代理企业编号"


async def test_a_click_moves_the_cursor_and_takes_what_was_typed(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.burst("<tab>", "95", "<enter>", "<tab>", "+90")
        x, y = operator.place_of("代理企业编号")
        await operator.click_at(x + 13, y)
        assert operator.at_field == "代理企业编号"
        assert operator.value("权限有效期") == "2027-02-22"


# -- recording -------------------------------------------------------------------


async def test_recording_a_grant_and_seeing_it_in_the_list(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101980001")
        await operator.press("enter")
        assert operator.sees("91310000PDY000255M", "上海样例第一报关有限公司")
        await operator.press("space")
        await operator.type("95")
        await operator.press("enter", "enter")
        await operator.type("20271231")
        await operator.press("f10")
        assert operator.sees("保存成功")
        await operator.press("enter")
        assert operator.sees("第1条 共6条", "2027-12-31")
    grant = colleague.grant_to(BROKER_CODE, "95")
    assert (grant.granted_on, grant.valid_until) == (date(2026, 11, 24), date(2027, 12, 31))
    assert (grant.key.grant_type, grant.changed_by) == ("X1", MANUFACTURER)


async def test_a_second_grant_type_is_a_second_grant(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.grant(BROKER_CODE, "95")
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, until="")
        await operator.press("shift+tab", "space")
        await operator.type("BGQ")
        await operator.press("enter")
        await operator.type("20281231")
        await operator.press("f10")
        assert operator.sees("保存成功")
    assert colleague.grant_to(BROKER_CODE, "95", "X1").valid_until == date(2027, 12, 31)
    assert colleague.grant_to(BROKER_CODE, "95", "X2").valid_until == date(2028, 12, 31)


async def test_control_s_saves_like_f10(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator)
        await operator.press("ctrl+s")
        assert operator.sees("保存成功")
    assert colleague.grant_to(BROKER_CODE, "95")


async def test_a_key_at_the_saved_prompt_goes_on_with_the_work(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator)
        await operator.press("f10")
        assert operator.sees("保存成功")
        await operator.press("f2")
        assert operator.at_field == "代理企业编号"
        assert operator.value("代理企业编号") == ""


async def test_new_clears_what_the_manual_names_and_sets_the_operation_right(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "end", "enter")
        assert operator.value("授权类型") == "报关权"
        await operator.press("f2")
        for cleared in (
            "代理企业编号",
            "代理企业社会信用代码",
            "代理企业名称",
            "权限有效期",
            "授权子系统",
        ):
            assert operator.value(cleared) == ""
        assert operator.value("授权类型") == "操作权"
        assert operator.value("授权日期") == "2026-11-24"
        assert operator.value("授权企业编号") == "3101440001"
        assert operator.at_field == "代理企业编号"
        await fill(operator)
        await operator.press("f10")
        assert operator.sees("保存成功")


async def test_new_asks_before_it_clears_something_unsaved(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator)
        await operator.press("f2")
        assert operator.sees(UNSAVED)
        await operator.press("escape")
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("权限有效期") == "20271231"
        await operator.press("f2")
        await operator.type("y")
        assert operator.value("代理企业编号") == operator.value("权限有效期") == ""


# -- 代理企业编号 ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "请输入代理企业编号"),
        ("310198000", "代理企业编号应为10位，现为9位"),
        ("4403w6a001", "代理企业编号中的字母须为大写（是否应为 4403W6A001）"),
        ("31A1980001", "代理企业编号的前4位应为数字"),
        ("310198000-", "代理企业编号只能由数字和大写字母组成"),
        ("310198000报", "代理企业编号只能由数字和大写字母组成"),
        ("3101440001", "代理企业不能是本企业"),
        ("3101989999", "未查询到该企业"),
    ],
)
async def test_a_code_that_names_no_agent_is_told_and_kept(
    settings: Settings, typed: str, told: str
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent=typed)
        await operator.press("f10")
        assert told in operator.message
        assert operator.at_field == "代理企业编号"
        assert operator.value("代理企业编号") == typed
        assert operator.value("代理企业名称") == ""
        assert operator.value("权限有效期") in THE_DATE
        assert operator.sees("共5条")


@pytest.mark.parametrize("typed", ["3101989999", "4403w6a001", "3101440001", "310198"])
async def test_enter_does_not_leave_a_code_that_names_no_agent(
    settings: Settings, typed: str
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type(typed)
        await operator.press("enter")
        assert operator.message.startswith("x ")
        assert operator.at_field == "代理企业编号"
        assert operator.value("代理企业编号") == typed
        assert operator.value("代理企业名称") == ""


async def test_full_width_digits_are_turned_into_half_width(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("３２０５９８０００２")
        await operator.press("enter")
        assert operator.value("代理企业名称") == "苏州样例通达报关有限公司"
        assert operator.value("代理企业编号") == "3205980002"


async def test_letters_where_they_may_stand(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("4403W6A001")
        await operator.press("enter")
        assert operator.value("代理企业名称") == "深圳样例保税物流（前海）有限公司"


async def test_a_mistake_is_no_longer_told_once_it_is_being_corrected(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101989999")
        await operator.press("enter")
        assert "未查询到该企业" in operator.message
        await operator.press("backspace", "backspace", "backspace", "backspace")
        assert "未查询到该企业" not in operator.message
        await operator.type("0001")
        await operator.press("enter")
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"


async def test_another_code_replaces_the_name_of_the_former_one(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101980001")
        await operator.press("enter", "shift+tab")
        await operator.clear()
        await operator.type("3101989999")
        await operator.press("enter")
        assert operator.value("代理企业名称") == operator.value("代理企业社会信用代码") == ""


async def test_another_code_clears_the_name_while_it_is_being_typed(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.burst("3101980001", "<tab>", "<shift+tab>", "<backspace>")
        assert operator.value("代理企业名称") == operator.value("代理企业社会信用代码") == ""


async def test_nothing_is_granted_to_an_agent_whose_name_was_not_seen(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="")
        while operator.at_field != "代理企业编号":
            await operator.press("shift+tab")
        await operator.burst("3101980001", "<f10>")
        assert "请核对代理企业「上海样例第一报关有限公司」，再按F10保存" in operator.message
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"
        assert len(colleague.made()) == 5
        await operator.press("f10")
        assert operator.sees("保存成功")


# -- 权限有效期 --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("20271231", "2027-12-31"),
        ("2027-12-31", "2027-12-31"),
        ("２０２７１２３１", "2027-12-31"),
        ("20280229", "2028-02-29"),
        ("20261124", "2026-11-24"),
        ("+90", "2027-02-22"),
        ("+1y", "2027-11-24"),
        ("+3m", "2027-02-24"),
    ],
)
async def test_a_date_as_people_write_it(settings: Settings, typed: str, meant: str) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, until=typed)
        await operator.press("enter")
        assert operator.value("权限有效期") == meant
        await operator.press("f10")
        assert operator.sees("保存成功")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "请输入权限有效期"),
        ("20270229", "权限有效期不存在：2027年2月没有29日"),
        ("20270431", "权限有效期不存在：2027年4月没有31日"),
        ("20271301", "权限有效期不存在：没有13月"),
        ("20261123", "权限有效期 2026-11-23 已过（不能早于今天 2026-11-24）"),
        ("2027", "权限有效期的格式不对"),
        ("明年", "权限有效期的格式不对"),
        ("+999999y", "权限有效期超出了9999年"),
    ],
)
async def test_a_date_that_cannot_be_is_told_and_kept(
    settings: Settings, typed: str, told: str
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, until=typed)
        await operator.press("f10")
        assert told in operator.message
        assert operator.at_field == "权限有效期"
        assert operator.value("权限有效期") == typed
        assert operator.sees("共5条")


async def test_the_calendar_chooses_a_date_and_esc_leaves_it_as_it_was(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, until="+10")
        await operator.press("f4")
        assert operator.sees("选择权限有效期", "2026年12月4日 星期五")
        await operator.press("down", "escape")
        assert operator.value("权限有效期") == "+10"
        await operator.press("space", "down", "right", "enter")
        assert operator.value("权限有效期") == "2026-12-12"


async def test_a_date_that_is_far_away_is_asked_about(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, until="20721231")
        await operator.press("f10")
        assert "2072-12-31，超过10年" in operator.dialog
        await operator.press("escape")
        assert operator.value("权限有效期") in ("20721231", "2072-12-31")
        assert len(colleague.made()) == 5
        await operator.press("f10")
        await operator.type("y")
        assert operator.sees("保存成功")
    assert colleague.grant_to(BROKER_CODE, "95").valid_until == date(2072, 12, 31)


# -- missing fields ----------------------------------------------------------------


async def test_saving_without_a_subsystem_goes_there(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101980001")
        await operator.press("f10")
        assert "请选择授权子系统" in operator.message
        assert operator.at_field == "授权子系统"
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.sees("共5条")


async def test_what_is_missing_is_told_one_after_the_other(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.press("f10")
        assert operator.at_field == "代理企业编号"
        await operator.type("3101980001")
        await operator.press("f10")
        assert operator.at_field == "授权子系统"
        await operator.type("95")
        await operator.press("enter", "f10")
        assert operator.at_field == "权限有效期"
        await operator.type("+1y")
        await operator.press("f10")
        assert operator.sees("保存成功")


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
    own = colleague.session.holder
    authority = TestAuthority.open(settings.authority_dir)
    lost = make_card(
        authority,
        settings.cards_dir,
        number="8900000000019",
        customs_code=own.enterprise.customs_code,
        uscc=own.enterprise.uscc,
        enterprise=own.enterprise.name,
    )
    trust = TrustStore.of(settings.trust_dir)
    thief = Colleague(colleague.store, software_session(lost, trust))
    grant = thief.grant("3101980001", "95")
    authority.revoke("8900000000019")
    authority.publish(settings.trust_dir)
    proof = Proof(colleague.store, trust)
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


# -- deleting ----------------------------------------------------------------------


async def by_f8(operator: Operator) -> None:
    await operator.press("f8")


async def by_delete(operator: Operator) -> None:
    await operator.press("delete")


async def by_menu(operator: Operator) -> None:
    await operator.press("f9", "down", "enter")


async def by_menu_and_key(operator: Operator) -> None:
    await operator.press("f9", "f8")


async def by_right_click(operator: Operator) -> None:
    await operator.click("加工贸易手册", button=3)
    await operator.click("删除")


WAYS = [by_f8, by_delete, by_menu, by_menu_and_key, by_right_click]


@pytest.mark.parametrize("way", WAYS)
async def test_deleting_says_what_goes_with_it_and_removes_both(
    settings: Settings,
    colleague: Colleague,
    broker: Colleague,
    way: Callable[[Operator], object],
) -> None:
    grant = colleague.grant_to(BROKER_CODE, "B1")
    assert broker.operators(grant.id) == ["8900000000042"]
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator)
        await way(operator)
        assert operator.sees("代理企业：3101980001 上海样例第一报关有限公司")
        assert operator.sees("加工贸易手册", "操作权", "2027-12-29", "1条企业内授权将一并删除")
        await operator.type("y")
        assert operator.sees("共4条")
        assert "已删除授权，一并删除企业内授权1条" in operator.message
    assert grant.id not in [row.grant.id for row in colleague.made()]
    assert ("3101440001", "X1") not in [
        (right.principal.customs_code, right.grant_type) for right in broker.rights()
    ]


@pytest.mark.parametrize(
    ("way", "answer"),
    [*((way, "escape") for way in WAYS), (by_f8, "f12"), (by_f8, "n"), (by_f8, "enter")],
)
async def test_any_answer_but_yes_deletes_nothing(
    settings: Settings, colleague: Colleague, way: Callable[[Operator], object], answer: str
) -> None:
    before = colleague.made()
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator)
        await way(operator)
        assert operator.sees("删除确认")
        await operator.press(answer)
        assert operator.sees("第1条 共5条")
    assert colleague.made() == before


@pytest.mark.parametrize("key", ["f8", "f9"])
async def test_with_no_row_selected(settings: Settings, key: str) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.press(key)
        assert operator.sees("请选择数据!")
        await operator.press("escape")
        assert operator.at_field == "代理企业编号"
        assert operator.sees("共5条")


async def test_after_new_no_row_is_selected_any_more(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator)
        await operator.press("f2", "f8")
        assert operator.sees("请选择数据!")


async def test_delete_in_an_empty_list(settings: Settings, colleague: Colleague) -> None:
    for row in colleague.made():
        colleague.delete(row.grant)
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        assert operator.sees("共0条", "暂无数据")
        await into_the_list(operator, "delete")
        assert operator.sees("请选择数据!")


async def test_delete_while_typing_deletes_a_character_and_no_grant(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator)
        await operator.press("shift+tab", "shift+tab")
        await operator.type("+90")
        await operator.press("home", "delete")
        assert operator.value("权限有效期") == "90"


async def test_deleting_takes_one_row_at_a_time(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "down", "delete")
        await operator.type("y")
        assert operator.sees("第2条 共4条")
        assert operator.row(TO_BROKER + "物流账册").startswith("> ")
    left = [(row.grant.key.subsystem, row.grant.key.grant_type) for row in colleague.made()]
    assert left == [("B1", "X1"), ("Z8", "X1"), ("95", "X1"), ("95", "X2")]


async def test_deleting_the_grant_that_is_open_empties_the_form(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter", "f8")
        await operator.type("y")
        assert operator.value("代理企业编号") == operator.value("权限有效期") == ""
        assert operator.sees("* 代理企业编号")


async def test_deleting_leaves_what_is_being_typed(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator)
        await into_the_list(operator, "end", "delete")
        await operator.type("y")
        assert operator.sees("共4条")
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("权限有效期") in THE_DATE


async def test_the_menu_opens_beside_the_row_and_esc_closes_it(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        x, y = operator.place_of("物流账册")
        await operator.click_at(x, y, button=3)
        assert operator.sees("打开", "删除")
        assert operator.place_of("打开")[1] == y + 2
        await operator.press("escape")
        assert operator.sees("第3条 共5条")
        assert operator.row(TO_BROKER + "物流账册").startswith("> ")


async def test_the_menu_opens_a_grant(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "down", "f9", "enter")
        assert operator.value("权限有效期") == "2026-12-14"


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
        assert "该授权已不存在" in operator.message
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


# -- names that try to break the screen ----------------------------------------------

NAMES = {
    "markup": ("甲[bold]乙[/bold]公司", "甲[bold]乙[/bold]公司"),
    "escape sequence": ("甲\x1b[31m乙公司", "甲␛[31m乙公司"),
    "line break": ("甲公司\n第二行", "甲公司␊第二行"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES.keys())
async def test_a_name_that_tries_to_break_the_screen_is_shown_as_it_is(
    settings: Settings, colleague: Colleague, name: str, shown: str
) -> None:
    colleague.register("3101980077", name)
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS, size=(100, 24)) as operator:
        await fill(operator, agent="3101980077")
        assert operator.value("代理企业名称") == shown
        await operator.press("f10")
        assert operator.sees("保存成功")
        await operator.press("enter")
        assert shown in operator.row("3101980077")
        assert "\x1b" not in operator.text
        assert len(operator.lines) == 24
        await into_the_list(operator, "down", "down", "down", "delete")
        assert operator.sees(f"3101980077 {shown}")


async def test_a_name_of_200_characters_is_cut_with_dots_and_breaks_nothing(
    settings: Settings, colleague: Colleague
) -> None:
    name = "长" * 199 + "末"
    colleague.register("3101980077", name)
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator, agent="3101980077")
        assert operator.value("代理企业名称").startswith("长长长")
        assert operator.value("代理企业名称").endswith("..")
        await operator.press("f10", "enter")
        assert operator.row("3101980077").endswith("2027-12-31 有效")
        await operator.press("f8")
        assert operator.sees("末", "权限有效期：2027-12-31", "确定(Y)", "Esc")
        await operator.press("escape")
        assert operator.place == "委托授权系统 / 企业间授权录入"


async def test_an_agent_that_is_no_longer_in_the_registry_is_still_listed(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.register("3101980077", "将注销的公司")
    colleague.grant("3101980077", "95")
    with colleague.store.transaction():
        colleague.store.write_many(
            "DELETE FROM enterprise WHERE customs_code = ?", [("3101980077",)]
        )
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        assert operator.row("3101980077").endswith("2027-12-31 有效")
        await into_the_list(operator, "down", "down", "down", "enter")
        assert operator.value("代理企业编号") == "3101980077"


# -- leaving -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "then"), [("escape", "委托授权系统"), ("f12", "委托授权系统"), ("f3", "主选单")]
)
async def test_leaving_asks_when_something_is_unsaved(
    settings: Settings, key: str, then: str
) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await operator.type("3101980001")
        await operator.press(key)
        assert operator.sees(UNSAVED, "不保存，离开(Y)", "继续编辑(N)")
        await operator.press("enter")
        assert operator.value("代理企业编号") == "3101980001"
        await operator.press(key)
        await operator.type("y")
        assert operator.place == then


@pytest.mark.parametrize("key", ["escape", "f12", "f3"])
async def test_leaving_asks_nothing_when_nothing_is_unsaved(settings: Settings, key: str) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "enter")
        await operator.press(key)
        assert operator.place in ("委托授权系统", "主选单")


async def test_a_wide_screen_shows_names_in_full(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS, size=(120, 36)) as operator:
        assert operator.row("3101980001").startswith("  3101980001   上海样例第一报关有限公司 ")


async def test_another_code_takes_the_old_name_away(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await fill(operator)
        await operator.press("up", "up", "up")
        await operator.press("end", "ctrl+u")
        assert operator.value("代理企业名称") == ""
        await operator.type("3205980002")
        await operator.press("f10")
        assert operator.sees("请核对代理企业「苏州样例通达报关有限公司」，再按F10保存", "共5条")
        await operator.press("f10")
        assert operator.sees("已授权 3205980002")
