"""企业间授权录入: what is typed in its fields."""

from __future__ import annotations

from datetime import date

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.enterprise_grants import (
    ENTERPRISE_GRANTS,
    THE_DATE,
    fill,
)
from tests.ui.operator import MANUFACTURER, at_work

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
