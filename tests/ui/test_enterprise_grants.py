"""企业间授权录入 (manual 1.1, spec §2.1): what is there, and recording grants to agents."""

from __future__ import annotations

from datetime import date

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.enterprise_grants import (
    ENTERPRISE_GRANTS,
    TO_BROKER,
    UNSAVED,
    fill,
    into_the_list,
)
from tests.ui.operator import MANUFACTURER, at_work

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
