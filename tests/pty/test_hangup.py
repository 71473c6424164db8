"""The line drops, or the program is killed: at most the field being typed is lost."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.pty.desk import (
    BROKER,
    ENTERPRISE_GRANTS,
    F3,
    F6,
    F10,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Desk,
    Launch,
)

OFFERED = "上次未保存的录入"


def in_the_middle_of_a_form(desk: Desk) -> None:
    """Type one field after the other, and half of the last one."""
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}3302980004\r 物流账册\r X2\r2031")
    desk.wait_value("授权类型", "报关权")
    desk.wait_value("权限有效期", "2031")


def at_the_next_login(desk: Desk) -> None:
    """Log in with the same card and take up what is offered."""
    desk.log_in(MANUFACTURER, "")
    desk.wait_for(OFFERED)
    desk.wait_for("在「委托授权系统 / 企业间授权录入」中有")
    desk.press("y")
    desk.wait_place("委托授权系统 / 企业间授权录入")
    desk.wait_message("已恢复上次未保存的录入")
    desk.wait_value("代理企业编号", "3302980004")
    desk.wait_value("代理企业名称", "宁波样例海关业务报关有限公司")
    desk.wait_value("授权子系统", "物流账册")
    desk.wait_value("授权类型", "报关权")


def test_a_dropped_line_ends_the_program_and_loses_nothing(launch: Launch) -> None:
    desk = launch()
    in_the_middle_of_a_form(desk)
    dropped = time.monotonic()
    desk.hangup()
    assert desk.exit_code() == 128 + signal.SIGHUP
    assert time.monotonic() - dropped < 1

    desk = launch()
    at_the_next_login(desk)
    desk.wait_value("权限有效期", "2031")
    # What is saved is not offered again.
    desk.wait_for(">* 权限有效期")
    desk.send(f"1231{F10}")
    desk.wait_for("保存成功")
    desk.send(f"\r{F3}2")
    desk.wait_for("请插入IC卡或Ikey")
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for(re.compile("3302980004 .* 物流账册 +报关权 +2031-12-31"))


def test_a_killed_program_loses_at_most_the_field_being_typed(launch: Launch) -> None:
    desk = launch()
    in_the_middle_of_a_form(desk)
    desk.signal(signal.SIGKILL)
    assert desk.exit_code() == -signal.SIGKILL
    at_the_next_login(launch())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_told_to_end_keeps_the_form_and_restores_the_terminal(
    launch: Launch, number: signal.Signals
) -> None:
    desk = launch()
    in_the_middle_of_a_form(desk)
    desk.signal(number)
    assert desk.exit_code() == 128 + number
    assert desk.left_on == []
    desk = launch()
    at_the_next_login(desk)
    desk.wait_value("权限有效期", "2031")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_without_a_card_there_is_nothing_to_keep_and_the_program_ends(
    launch: Launch, number: signal.Signals
) -> None:
    desk = launch()
    desk.wait_for(MANUFACTURER)
    desk.signal(number)
    assert desk.exit_code() == 128 + number


@pytest.mark.parametrize("typed", ["20311231" + F10, "2031"], ids=["saved", "unsaved"])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_no_file_of_a_session_stays_beside_the_database(
    launch: Launch, home: Path, number: signal.Signals, typed: str
) -> None:
    def files() -> list[Path]:
        return list(home.rglob("eport.db-session-*"))

    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}3302980004\r 物流账册\r X2\r{typed}")
    if F10 in typed:
        desk.wait_for("保存成功")
    else:
        desk.wait_value("权限有效期", "2031")
    assert files()
    if number == signal.SIGHUP:
        desk.hangup()
    else:
        desk.signal(number)
    desk.exit_code()
    if number == signal.SIGKILL:
        # The next login takes it away, also that of another card.
        assert files()
        desk = launch()
        desk.log_in(BROKER, OPERATOR_GRANTS)
        desk.wait_for("共17条")
    assert files() == []


def test_operators_that_were_added_but_not_saved_are_offered_again(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r8900000000991{F6}890000")
    desk.wait_for(re.compile("8900000000991 指定操作员 .*未保存"))
    desk.wait_value("操作员IC卡号", "890000")
    desk.hangup()
    assert desk.exit_code() == 128 + signal.SIGHUP

    desk = launch()
    desk.log_in(BROKER, "")
    desk.wait_for(OFFERED)
    desk.press("y")
    desk.wait_for(re.compile("8900000000991 指定操作员 .*未保存"))
    desk.wait_value("操作员IC卡号", "890000")
    # What is half typed is not left behind, so it is taken away first.
    desk.send(f"\x15{F10}")
    desk.wait_for("暂存成功")


def test_a_draft_that_is_given_up_is_not_offered_again(launch: Launch) -> None:
    desk = launch()
    in_the_middle_of_a_form(desk)
    desk.hangup()
    desk.exit_code()
    desk = launch()
    desk.log_in(MANUFACTURER, "")
    desk.wait_for(OFFERED)
    desk.send("n2")
    desk.wait_for("请插入IC卡或Ikey")
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    desk.wait_value("代理企业编号", "")
