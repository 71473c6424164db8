"""企业间授权录入: deleting grants, and the menu of a row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.enterprise_grants import (
    ENTERPRISE_GRANTS,
    THE_DATE,
    TO_BROKER,
    fill,
    into_the_list,
)
from tests.ui.operator import MANUFACTURER, Operator, at_work

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
