"""The whole job, from login to exit, on a terminal and in the manual's order (chapter 4)."""

from __future__ import annotations

import re

import pytest

from eport_tui.domain.dates import add_months, today
from tests.pty.desk import BROKER, MANUFACTURER, OPERATOR, PIN, Desk, Launch

REFUSED = "非法人卡，不允许操作!"


def enter_pin(desk: Desk, card: str, *shown: str) -> None:
    """Insert a card, see whose it is, and give the PIN, which is never seen."""
    desk.wait_for("请插入IC卡或Ikey")
    desk.wait_for(card)
    while f"> {card}" not in "\n".join(desk.lines()):
        at = next(line for line in desk.lines() if line.startswith("> "))
        desk.press("down")
        desk.wait_until(lambda desk, at=at: at not in desk.lines())
    desk.press("enter")
    for text in (card, *shown):
        desk.wait_for(text)
    desk.send(PIN)
    desk.wait_for(re.compile(r"\* 密码 +\*{8} "))
    assert PIN not in "\n".join(desk.lines())
    desk.press("enter")
    desk.wait_place("主选单")
    for entry in ("1  委托授权系统", "2  换卡登录", "退出程序"):
        desk.find(entry)


def go_to(desk: Desk, entry: str, place: str) -> None:
    """From the main menu to a screen of the subsystem."""
    desk.press("enter")
    desk.wait_place("委托授权系统")
    for each in ("1  企业间授权录入", "2  企业内授权录入", "3  查看操作员权限"):
        desk.find(each)
    desk.press(entry)
    desk.wait_place(f"委托授权系统 / {place}")


def leave(desk: Desk) -> None:
    """Back to the main menu, and out of the program."""
    desk.press("f3")
    desk.wait_place("主选单")
    desk.press("escape")
    desk.wait_for("确定退出程序吗？")
    desk.press("enter")
    assert desk.exit_code() == 0
    assert desk.left_on == []
    assert "".join(desk.lines()).strip() == ""


@pytest.fixture
def until() -> str:
    """The last day of the grants: a year from today."""
    return add_months(today(), 12).isoformat()


def test_from_the_grant_to_the_operator_and_back(launch: Launch, until: str) -> None:
    the_manufacturer_grants_to_the_broker(launch(), until)
    the_broker_hands_it_on(launch(), until)
    the_operator_sees_the_rights(launch(), until)
    the_manufacturer_deletes_the_grants(launch())
    the_operator_has_no_rights_left(launch())


def the_manufacturer_grants_to_the_broker(desk: Desk, until: str) -> None:
    enter_pin(desk, MANUFACTURER, "王样例", "法人卡", "上海样例精密机械有限公司", "3101440001")
    go_to(desk, "1", "企业间授权录入")
    desk.wait_for("共5条")
    desk.wait_value("授权企业编号", "3101440001")
    desk.wait_value("授权企业社会信用代码", "91310000PDY00001XG")
    desk.wait_value("授权企业名称", "上海样例精密机械有限公司")
    desk.wait_value("授权日期", today().isoformat())
    desk.wait_value("授权类型", "操作权")

    desk.send("3101980001")
    desk.wait_value("代理企业编号", "3101980001")
    desk.press("enter")
    desk.wait_value("代理企业社会信用代码", "91310000PDY000255M")
    desk.wait_value("代理企业名称", "上海样例第一报关有限公司")
    desk.press("space")
    desk.wait_for("选择授权子系统")
    desk.find("> 95  加工贸易账册")
    desk.press("enter")
    desk.wait_value("授权子系统", "加工贸易账册")
    desk.press("enter")
    desk.send("+1y")
    desk.press("enter")
    desk.wait_value("权限有效期", until)
    desk.press("f10")
    desk.wait_for("保存成功")
    desk.press("enter")
    desk.wait_gone("保存成功")
    desk.wait_for(re.compile(rf"> 3101980001 .* 加工贸易账册 +操作权 +{until} +有效"))
    desk.find("共6条")

    # The other type is a second grant beside the first.
    desk.press("f2")
    for cleared in ("代理企业编号", "代理企业社会信用代码", "代理企业名称", "授权子系统"):
        desk.wait_value(cleared, "")
    desk.wait_value("权限有效期", "")
    desk.wait_value("授权类型", "操作权")
    desk.send("3101980001\r")
    desk.wait_value("代理企业名称", "上海样例第一报关有限公司")
    desk.press("space", "enter")
    desk.wait_value("授权子系统", "加工贸易账册")
    desk.press("space", "down", "enter")
    desk.wait_value("授权类型", "报关权")
    desk.send(until)
    desk.press("ctrl+s")
    desk.wait_for("保存成功")
    desk.press("enter")
    desk.wait_for(re.compile(rf"> 3101980001 .* 加工贸易账册 +报关权 +{until} +有效"))
    desk.find("共7条")
    leave(desk)


def the_broker_hands_it_on(desk: Desk, until: str) -> None:
    enter_pin(desk, BROKER, "张样例", "法人卡", "上海样例第一报关有限公司", "3101980001")
    go_to(desk, "2", "企业内授权录入")
    desk.wait_for("共19条")
    desk.press("f5")
    desk.wait_message("请输入授权企业编号或授权企业社会信用代码，再按F5查询")
    desk.send("4403980003")
    desk.press("f5")
    desk.wait_for("未查询到相应记录")
    desk.press("enter")
    desk.wait_gone("未查询到相应记录")
    desk.press("ctrl+u")
    desk.send("3101440001")
    desk.press("enter")
    desk.wait_message("已定位到该授权，再按F5转到下一条")

    find_with_f5(desk, f"> 3101440001 .* 加工贸易账册 +操作权 {until} 有效 +0")
    desk.press("tab", "tab", "enter")
    desk.wait_for(">* 操作员IC卡号")
    desk.wait_value("授权企业名称", "上海样例精密机械有限公司")
    desk.wait_value("是否授予全部操作员", "否")
    desk.send(OPERATOR)
    desk.press("f6")
    desk.wait_for(re.compile(f"{OPERATOR} 指定操作员 .*未保存"))
    desk.press("f10")
    desk.wait_for("暂存成功")
    desk.press("enter")
    desk.wait_for(re.compile(f"{OPERATOR} 指定操作员 +{today()} {BROKER} .*已保存"))

    find_with_f5(desk, f"> 3101440001 .* 加工贸易账册 +报关权 {until} 有效 +0")
    desk.press("shift+tab")
    desk.wait_for(">* 是否授予全部操作员")
    desk.press("space", "home", "enter")
    desk.wait_value("是否授予全部操作员", "是")
    desk.wait_for("= 操作员IC卡号")
    desk.press("f6")
    desk.wait_for(re.compile("  {14}全部操作员 .*未保存"))
    desk.press("f10")
    desk.wait_for("暂存成功")
    desk.press("enter")
    desk.wait_for(re.compile(f"  {{14}}全部操作员 +{today()} {BROKER} .*已保存"))
    leave(desk)


def find_with_f5(desk: Desk, row: str) -> None:
    """Go from match to match of the quick query until a row is selected."""
    while not re.search(row, "\n".join(desk.lines())):
        (at,) = re.findall(r"第\d+条 共19条", "\n".join(desk.lines()))
        assert at != "第19条 共19条"
        desk.press("f5")
        desk.wait_gone(at)


def the_operator_sees_the_rights(desk: Desk, until: str) -> None:
    enter_pin(desk, OPERATOR, "陈样例", "操作员卡", "上海样例第一报关有限公司")
    desk.press("enter")
    desk.wait_place("委托授权系统")
    for entry in "12":
        desk.press(entry)
        desk.wait_for(REFUSED)
        desk.press("enter")
        desk.wait_gone(REFUSED)
        desk.wait_place("委托授权系统")
    desk.press("3")
    desk.wait_place("委托授权系统 / 查看操作员权限")
    query_account_books(desk)
    # The own card, marked, on the one, and the words where all operators have the right.
    desk.find(f"本企业代理 3101440001 加工贸易账册     操作权 {OPERATOR}* {until}")
    desk.find(f"本企业代理 3101440001 加工贸易账册     报关权 全部操作员*    {until}")
    leave(desk)


def query_account_books(desk: Desk) -> None:
    """Query the permissions of one subsystem."""
    desk.wait_for("操作员权限（全部）")
    desk.press("space")
    desk.wait_for("选择授权子系统")
    desk.send("95")
    desk.press("enter")
    desk.wait_value("授权子系统", "加工贸易账册")
    desk.wait_for("操作员权限（加工贸易账册）")
    desk.press("f5")
    desk.wait_for("本企业代理")


def the_manufacturer_deletes_the_grants(desk: Desk) -> None:
    enter_pin(desk, MANUFACTURER)
    go_to(desk, "1", "企业间授权录入")
    desk.wait_for("共7条")
    desk.press("f8")
    desk.wait_for("请选择数据!")
    desk.press("enter")
    desk.wait_gone("请选择数据!")
    desk.press(*["tab"] * 5)
    for grant_type, left in (("操作权", 6), ("报关权", 5)):
        desk.wait_for(re.compile(f"> 3101980001 .* 加工贸易账册 +{grant_type}"))
        desk.press("f8")
        desk.wait_for("删除确认")
        desk.find("代理企业：3101980001 上海样例第一报关有限公司")
        desk.find(f"授权子系统：加工贸易账册  授权类型：{grant_type}")
        desk.find("1条企业内授权将一并删除")
        desk.press("y")
        desk.wait_for(f"共{left}条")
        desk.wait_message("已删除授权，一并删除企业内授权1条")
    leave(desk)


def the_operator_has_no_rights_left(desk: Desk) -> None:
    enter_pin(desk, OPERATOR)
    go_to(desk, "3", "查看操作员权限")
    query_account_books(desk)
    assert "3101440001" not in "\n".join(desk.lines())
    leave(desk)
