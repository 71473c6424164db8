"""The card is pulled, or nobody types: the screen is covered until card and PIN are there again."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty.desk import BROKER, ENTERPRISE_GRANTS, F3, MANUFACTURER, PIN, Desk, Launch, field

# Typed at the main menu: half a form, with the list of its fourth field open.
HALF_A_FORM = f"{ENTERPRISE_GRANTS}3302980004\r 物流\r X2"


@pytest.fixture
def card(database: Path) -> Path:
    """The file of the manufacturer's card."""
    return database.parent / "cards" / f"{MANUFACTURER}.card"


@pytest.fixture
def pulled(card: Path) -> Path:
    """Where the card's file is while it is not in the reader."""
    return card.parent.parent / card.name


def shows_nothing_of_the_form(desk: Desk) -> None:
    """Neither what was typed nor what the list held is on the screen."""
    shown = "\n".join(desk.lines())
    for text in ("授权", "代理", "3302980004", "宁波样例", "物流", "筛选", "X2", "共5条"):
        assert text not in shown


def test_pulling_the_card_covers_the_screen_and_the_pin_brings_all_back(
    launch: Launch, card: Path, pulled: Path
) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, HALF_A_FORM)
    desk.wait_for("筛选 X2_")
    before = desk.lines()

    card.rename(pulled)
    gone = time.monotonic()
    desk.wait_place("已锁定")
    assert time.monotonic() - gone < 2
    shows_nothing_of_the_form(desk)
    desk.wait_message("卡已拔出，程序已锁定。请插入原来的卡")
    # No PIN helps while the card is away, and no key leads past the lock.
    desk.send(f"{PIN}\r\t{F3}")
    desk.press("space", "f9", "f10", "f4")
    desk.wait_place("已锁定")
    shows_nothing_of_the_form(desk)

    pulled.rename(card)
    desk.wait_message("卡已插回。请输入密码，按Enter解锁")
    desk.press("ctrl+u")
    desk.send("12345678\r")
    desk.wait_for("密码错误，还可再试4次")
    shows_nothing_of_the_form(desk)
    desk.send(f"{PIN}\r")
    desk.wait_until(lambda desk: desk.lines() == before)
    desk.press("enter")
    desk.wait_value("授权类型", "报关权")
    desk.wait_for(">* 权限有效期")


def leave_the_lock(desk: Desk) -> None:
    desk.press("escape")
    desk.wait_for("请插入IC卡或Ikey")


def drop_the_line(desk: Desk) -> None:
    desk.hangup()
    assert desk.exit_code() == 128 + signal.SIGHUP


@pytest.mark.parametrize("give_up", [leave_the_lock, drop_the_line])
def test_what_was_typed_before_a_lock_that_is_given_up_is_offered_at_the_next_login(
    launch: Launch, card: Path, pulled: Path, give_up: Callable[[Desk], None]
) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, HALF_A_FORM)
    desk.wait_for("筛选 X2_")
    card.rename(pulled)
    desk.wait_place("已锁定")
    give_up(desk)

    pulled.rename(card)
    desk = launch()
    # Another card begins afresh and is offered nothing.
    desk.log_in(BROKER, "2")
    desk.wait_for("请插入IC卡或Ikey")
    desk.log_in(MANUFACTURER, "")
    desk.wait_for("上次未保存的录入")
    desk.press("y")
    desk.wait_value("代理企业编号", "3302980004")
    desk.wait_value("授权子系统", "物流账册")


def test_a_key_of_the_demo_pulls_the_card_and_puts_it_back(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}33")
    desk.wait_value("代理企业编号", "33")
    desk.press("f7")
    desk.wait_message("卡已拔出，程序已锁定。请插入原来的卡")
    desk.press("f7")
    desk.wait_for("请输入密码")
    desk.send(f"{PIN}\r")
    desk.wait_value("代理企业编号", "33")


def test_when_nobody_types_the_program_locks_by_itself(launch: Launch) -> None:
    desk = launch(EPORT_TUI_IDLE_MINUTES="0.02")
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}33")
    desk.wait_value("代理企业编号", "33")
    desk.wait_place("已锁定")
    shows_nothing_of_the_form(desk)
    desk.wait_for(re.compile("超过.*没有操作，程序已锁定。请输入密码，按Enter解锁"))
    desk.send(f"{PIN}\r02")
    desk.wait_for(field("代理企业编号", "3302"))
