"""Whoever has a mouse can use it for everything; nobody must."""

from __future__ import annotations

import re

import pytest

from tests.pty.desk import (
    BROKER,
    ENTERPRISE_GRANTS,
    MANUFACTURER,
    OPERATOR,
    OPERATOR_GRANTS,
    Desk,
    Launch,
)


@pytest.fixture
def desk(launch: Launch) -> Desk:
    """The manufacturer's form and list."""
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    return desk


def test_a_right_click_on_a_row_opens_its_menu_and_deletes_it(desk: Desk) -> None:
    row = desk.find("物流账册")
    desk.click(*row, button="right")
    desk.wait_for(re.compile("> 3101980001 .* 物流账册"))
    desk.wait_for("企业间授权  ")
    menu = desk.find("> 打开")
    assert menu[1] > row[1]
    desk.click(*desk.find("删除      "))
    desk.wait_for("删除确认")
    desk.find("授权子系统：物流账册  授权类型：操作权")
    desk.find("2条企业内授权将一并删除")
    desk.click(*desk.find("确定(Y)"))
    desk.wait_message("已删除授权，一并删除企业内授权2条")
    desk.wait_for("共4条")
    assert "物流账册" not in "\n".join(desk.lines())


def test_a_right_click_on_an_operator_takes_the_permission_away(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, OPERATOR_GRANTS)
    desk.wait_for(f"{OPERATOR} 指定操作员")
    desk.click(*desk.find(f"{OPERATOR} 指定操作员"), button="right")
    desk.wait_for("> 删除  ")
    desk.click(*desk.find("> 删除  "))
    desk.wait_for(f"确定删除操作员卡 {OPERATOR} 的权限吗？")
    desk.press("y")
    desk.wait_message(f"已删除操作员卡 {OPERATOR} 的权限")
    desk.wait_for("暂无数据")


def test_a_click_beside_a_menu_or_on_no_takes_nothing_away(desk: Desk) -> None:
    desk.click(*desk.find("物流账册"), button="right")
    desk.wait_for("> 打开")
    desk.click(70, 20)
    desk.wait_gone("> 打开")
    desk.click(*desk.find("物流账册"), button="right")
    desk.wait_for("> 打开")
    desk.press("f8")
    desk.wait_for("删除确认")
    desk.click(*desk.find("取消(N)"))
    desk.wait_gone("删除确认")
    desk.find("物流账册")
    desk.find("共5条")


def test_a_double_click_opens_a_row(desk: Desk) -> None:
    desk.click(*desk.find("物流账册"))
    desk.wait_for("第3条 共5条")
    desk.wait_value("代理企业编号", "")
    desk.double_click(*desk.find("加工贸易手册"))
    desk.wait_value("代理企业编号", "3101980001")
    desk.wait_value("授权子系统", "加工贸易手册")
    desk.wait_for(">* 权限有效期")


def test_a_click_into_a_field_puts_the_cursor_there(desk: Desk) -> None:
    desk.send("31019")
    desk.wait_value("代理企业编号", "31019")
    x, y = desk.find("31019 ")
    desk.click(x + 2, y)
    desk.wait_until(lambda desk: desk.cursor_address == (x + 2, y))
    desk.send("x")
    desk.wait_value("代理企业编号", "31x019")
    x, y = desk.find("权限有效期")
    desk.click(x + 13, y)
    desk.wait_for(">* 权限有效期")
    desk.send("+1")
    desk.wait_value("权限有效期", "+1")
    desk.click(x + 13, desk.find("授权子系统")[1])
    desk.wait_for("选择授权子系统")
    desk.click(*desk.find("货物流转"))
    desk.wait_value("授权子系统", "货物流转")


def test_a_click_among_keys_keeps_its_place(desk: Desk) -> None:
    x, y = desk.find("权限有效期")
    field = f"\x1b[<0;{x + 14};{y + 1}"
    desk.send(f"3101980001\r{field}M{field}m20311231\r")
    desk.wait_value("代理企业编号", "3101980001")
    desk.wait_value("权限有效期", "2031-12-31")
    desk.wait_value("代理企业名称", "上海样例第一报关有限公司")


def test_a_click_chooses_from_the_menus_and_answers_a_prompt(launch: Launch) -> None:
    desk = launch()
    desk.wait_for("李样例")
    desk.double_click(*desk.find("李样例"))
    desk.wait_for("苏州样例光学仪器有限公司")
    desk.send("88888888\r")
    desk.wait_place("主选单")
    desk.click(*desk.find("委托授权系统"))
    desk.wait_place("委托授权系统")
    desk.click(*desk.find("企业内授权录入"))
    desk.wait_place("委托授权系统 / 企业内授权录入")
    desk.wait_for("暂无数据")
    desk.press("f6")
    desk.wait_for("没有授予本企业的授权。")
    desk.click(*desk.find("> 确定"))
    desk.wait_gone("没有授予本企业的授权。")


def test_the_wheel_moves_in_the_list_under_the_mouse(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, OPERATOR_GRANTS)
    desk.wait_for("第1条 共17条")
    over = desk.find("3122930002")
    desk.scroll(*over)
    desk.wait_for("第4条 共17条")
    desk.scroll(*over)
    desk.wait_for("第7条 共17条")
    desk.scroll(*over, down=False)
    desk.wait_for("第4条 共17条")
