"""Why not, what will run out, who did it, and taking it back: one day's story on a terminal."""

from __future__ import annotations

import re

from eport_tui.__main__ import main
from eport_tui.domain.dates import add_months, today
from tests.pty.desk import BROKER, MANUFACTURER, OPERATOR, Desk, Launch

NEW_CARD = "8900000000099"


def test_the_questions_of_a_day_are_answered_and_the_ledger_holds(
    launch: Launch, home, monkeypatch, capsys
) -> None:  # type: ignore[no-untyped-def]
    the_manufacturer_sees_why_and_renews(launch())
    the_manufacturer_takes_a_deletion_back(launch())
    the_broker_replaces_a_card(launch())
    demo = home / ".local" / "share" / "eport-tui" / "demo"
    monkeypatch.setenv("EPORT_TUI_TRUST", str(demo / "trust"))
    assert main(["--database", str(demo / "eport.db"), "ledger", "verify"]) == 0
    assert "台账完好" in capsys.readouterr().out


def the_manufacturer_sees_why_and_renews(desk: Desk) -> None:
    desk.log_in(MANUFACTURER, "11")
    desk.wait_for("共5条")
    desk.press(*["tab"] * 5)
    desk.press("down", "down")
    desk.wait_for(re.compile("> 3101980001 .* 物流账册"))
    # From the row: everything is filled in but the card.
    desk.press("f11")
    desk.wait_place("委托授权系统 / 授权核查")
    desk.wait_for(">* 操作员IC卡号")
    desk.send(OPERATOR)
    desk.press("f5")
    desk.wait_for("x 不允许")
    desk.find("x 已到期")
    desk.find("办法  1. 由授权企业 3101440001 的法人卡在")
    desk.press("f12")
    desk.wait_place("委托授权系统 / 企业间授权录入")
    desk.press("f12")
    desk.wait_place("委托授权系统")
    desk.press("5")
    desk.wait_place("委托授权系统 / 到期提醒")
    desk.wait_for("共3条")
    desk.press("f6", "enter")
    desk.wait_for(">+ 续期至")
    desk.send("+1y")
    desk.press("f10")
    desk.wait_for("将3条授权续期至")
    desk.find("其中2条已过期")
    desk.send("y")
    desk.wait_for(f"已将3条授权续期至 {add_months(today(), 12)}")
    desk.wait_for("到期的授权  共0条")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0


def the_manufacturer_takes_a_deletion_back(desk: Desk) -> None:
    desk.log_in(MANUFACTURER, "11")
    desk.wait_for("共5条")
    desk.press(*["tab"] * 5)
    desk.wait_for(re.compile("> 3101980001 .* 加工贸易手册 +操作权"))
    desk.press("f8")
    desk.wait_for("删除确认")
    # What is lost is said card by card, with the card that loses it.
    desk.find(OPERATOR)
    desk.send("y")
    desk.wait_for("共4条")
    desk.press("f12")
    desk.wait_place("委托授权系统")
    desk.press("7")
    desk.wait_place("委托授权系统 / 操作历史")
    desk.wait_for(re.compile("> [0-9]+ .* 删除授权"))
    desk.press("f6")
    desk.wait_for("恢复确认")
    desk.send("y")
    desk.wait_for("恢复成功")
    desk.press("enter")
    desk.wait_gone("恢复成功")
    desk.wait_for(re.compile("> [0-9]+ .* 恢复授权"))
    desk.press("f12")
    desk.wait_place("委托授权系统")
    desk.press("1")
    desk.wait_for("共5条")
    # As of a day on which it had run out already, and back.
    desk.press("ctrl+y")
    desk.wait_for("查看其他日期")
    desk.send("+5000\r")
    desk.wait_for("只能查看，按Ctrl+Y再按Enter返回今天")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0


def the_broker_replaces_a_card(desk: Desk) -> None:
    desk.log_in(BROKER, "16")
    desk.wait_place("委托授权系统 / 换卡")
    desk.send(f"{OPERATOR}\r{NEW_CARD}\r")
    desk.wait_for("要转移的企业内授权")
    desk.wait_for("3101440001")
    desk.press("f10")
    desk.wait_for("左右换选")
    desk.send("y")
    desk.wait_for("换卡成功")
    desk.press("enter")
    desk.wait_gone("换卡成功")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0
