"""The program itself on a terminal, with PIV cards in a reader of a real pcscd."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.card import pcsc
from eport_tui.domain.dates import today
from tests.card.guard_story import until
from tests.card.piv_making import PIN
from tests.card.workplace import AGENT, OTHERS, OWN, Workplace
from tests.pty.desk import F10, Desk

pytestmark = pytest.mark.card

GIVE_PIN = PIN.decode() + "\r"
PUT_BACK = "请输入密码，按Enter解锁"
YEAR = str(today().year + 1)
HALF_A_FORM = f"11{AGENT}\r95\r\r{YEAR}"


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A reader, a daemon that is not started yet, and everything else."""
    workplace = Workplace(tmp_path)
    yield workplace
    workplace.leave()


@pytest.fixture
def desk(workplace: Workplace) -> Iterator[Desk]:
    """The program at its login screen; the daemon runs."""
    workplace.service.start()
    with workplace.program() as desk:
        desk.wait_for(pcsc.NO_CARD)
        yield desk


def leave_at_once(desk: Desk) -> None:
    began = time.monotonic()
    desk.press("ctrl+q")
    assert desk.exit_code() == 0
    assert time.monotonic() - began < 2
    assert desk.left_on == []
    assert "".join(desk.lines()).strip() == ""


def test_a_day_with_a_card_in_a_reader(workplace: Workplace) -> None:
    own, other = workplace.card(), workplace.card(OTHERS)
    with workplace.program() as desk:
        desk.wait_for(f"IC卡读卡器    {pcsc.NO_SERVICE}")
        workplace.service.start()
        desk.wait_for(f"IC卡读卡器    {pcsc.NO_CARD}")
        workplace.insert(own)
        desk.wait_for("持卡人   张三")
        desk.wait_for(OWN)
        desk.send(f"{GIVE_PIN}{HALF_A_FORM}")
        desk.wait_value("授权子系统", "加工贸易账册")
        desk.wait_value("权限有效期", YEAR)
        before = desk.lines()

        workplace.pull()
        desk.wait_place("已锁定")
        assert AGENT not in "\n".join(desk.lines())
        desk.wait_message("卡已拔出，程序已锁定。请插入原来的卡")
        workplace.insert(other)
        desk.wait_message("插入的不是原来的卡（请插入原来的卡，或退出后重新登录）")
        desk.send(GIVE_PIN)
        desk.wait_place("已锁定")
        workplace.pull()
        desk.wait_message("卡已拔出，程序已锁定。请插入原来的卡")
        workplace.insert(own)
        desk.wait_for(PUT_BACK)
        desk.press("ctrl+u")
        desk.send(GIVE_PIN)
        desk.wait_until(lambda desk: desk.lines() == before, what="the form as it was")
        desk.send(f"1231{F10}")
        desk.wait_for("保存成功")
        desk.press("enter")

        workplace.service.stop()
        desk.wait_place("已锁定")
        desk.wait_for(pcsc.NO_SERVICE)
        workplace.service.start()
        workplace.insert(own)
        desk.wait_for(PUT_BACK)
        desk.send(GIVE_PIN)
        desk.wait_for(f"{YEAR}-12-31")
        desk.press("f3")
        desk.wait_place("主选单")
        # The card is still there after the logout, so that its PIN is asked for anew.
        desk.press("2")
        desk.wait_for("请输入密码，按Enter登录")
        desk.send(GIVE_PIN)
        desk.wait_place("主选单")
        desk.press("2")
        desk.wait_for("请输入密码，按Enter登录")
        leave_at_once(desk)
    assert other.tries == own.tries == 3


def test_a_card_pulled_before_its_pin_is_asked_for_again(workplace: Workplace, desk: Desk) -> None:
    workplace.insert(workplace.card())
    desk.wait_for("持卡人   张三")
    desk.send("123")
    workplace.pull()
    desk.wait_message("卡已拔出")
    desk.wait_for("暂无数据")
    workplace.insert(workplace.card(OTHERS))
    desk.wait_for(re.compile(rf"IC卡号 +{OTHERS}"))
    desk.send(GIVE_PIN)
    desk.wait_place("主选单")


def test_the_last_try_is_asked_about_and_a_blocked_card_is_told(
    workplace: Workplace, desk: Desk
) -> None:
    own = workplace.card()
    own.tries = 1
    workplace.insert(own)
    desk.wait_for("密码还可试1次，试完卡即锁定")
    desk.send("654321\r")
    desk.wait_for("密码只剩最后一次机会，输错卡即锁定。确定继续吗？")
    # Enter stays with what cannot do harm.
    desk.press("enter")
    desk.wait_message("密码没有提交，请重新输入")
    assert own.tries == 1
    desk.send("654321\r")
    desk.wait_for("最后一次机会")
    desk.press("y")
    desk.wait_for("该卡已锁定")
    assert own.tries == 0


@pytest.mark.parametrize("hung", ["card", "daemon"])
def test_the_program_ends_at_once_beside_what_does_not_answer(
    workplace: Workplace, desk: Desk, hung: str
) -> None:
    workplace.insert(workplace.card())
    desk.wait_for("持卡人   张三")
    if hung == "daemon":
        os.kill(workplace.service.pid, signal.SIGSTOP)
    else:
        workplace.mute()
    try:
        desk.send(GIVE_PIN)
        desk.wait_for("正在处理，请稍候。按Esc可取消")
        desk.press("escape")
        desk.wait_for("已取消")
        leave_at_once(desk)
    finally:
        if hung == "daemon":
            os.kill(workplace.service.pid, signal.SIGCONT)


def test_two_programs_at_one_reader_do_not_get_into_each_others_way(
    workplace: Workplace, desk: Desk
) -> None:
    workplace.insert(workplace.card())
    desk.wait_for("持卡人   张三")
    desk.send(GIVE_PIN)
    desk.wait_place("主选单")
    with workplace.program() as second:
        second.wait_for("卡正被另一个程序使用")
        desk.press("2")
        second.wait_for("持卡人   张三")
        leave_at_once(second)


def test_a_dropped_line_lets_go_of_the_card(workplace: Workplace, desk: Desk) -> None:
    own = workplace.card()
    workplace.insert(own)
    desk.wait_for("持卡人   张三")
    desk.send(GIVE_PIN)
    desk.wait_place("主选单")
    assert own.verified
    desk.hangup()
    assert desk.exit_code() == 128 + signal.SIGHUP
    until(lambda: not own.verified, "the PIN is still verified")
