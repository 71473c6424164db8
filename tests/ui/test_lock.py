"""The lock (spec §2): the card pulled or nobody there; the same card and its PIN bring all back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eport_tui import app
from eport_tui.card.authority import TestAuthority
from eport_tui.card.session import CardSession
from eport_tui.desk import changes, presence
from eport_tui.screens import lock as lock_screen
from eport_tui.settings import Settings
from tests.card.making import make_card
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, PIN, Operator, at_work

pytestmark = pytest.mark.usefixtures("watchful")

PULLED, PUT_BACK, LOCKED = "卡已拔出，程序已锁定", "请输入密码，按Enter解锁", "已锁定"
ENTERPRISE_GRANTS = "委托授权系统 / 企业间授权录入"


def file_of(settings: Settings, card: str) -> Path:
    return settings.cards_dir / f"{card}.card"


def file_gone(settings: Settings) -> None:
    file_of(settings, MANUFACTURER).rename(settings.cards_dir / "away")


def other_file_in_its_place(settings: Settings) -> None:
    file_gone(settings)
    file_of(settings, MANUFACTURER).write_bytes(file_of(settings, BROKER).read_bytes())


def file_cut_short(settings: Settings) -> None:
    path = file_of(settings, MANUFACTURER)
    path.write_bytes(path.read_bytes()[:100])


def put_back(settings: Settings) -> None:
    (settings.cards_dir / "away").rename(file_of(settings, MANUFACTURER))


async def half_a_grant(operator: Operator) -> None:
    """Begin a grant; the last field is still being typed."""
    await operator.burst("11", "3101980001", "<enter>", "95", "<enter>", "<enter>", "2027")


async def unlock(operator: Operator, pin: str = PIN) -> None:
    await operator.type(pin)
    await operator.press("enter")


# -- locking -------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [file_gone, other_file_in_its_place, file_cut_short])
async def test_a_card_that_is_pulled_or_exchanged_locks_at_once(
    settings: Settings, gone: Callable[[Settings], None]
) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        gone(settings)
        await operator.wait_until(lambda: operator.place == LOCKED)
        assert not operator.sees("3101980001")
        assert operator.value("持卡人") == "王样例"


async def test_f7_pulls_the_card_of_the_demo_and_puts_it_back(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press("f7")
        assert operator.place == LOCKED
        await operator.wait_for("请插入原来的卡")
        await operator.press("f7")
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert operator.place == ENTERPRISE_GRANTS
        assert operator.value("代理企业编号") == "3101980001"


class Clock:
    """What a module of the program takes for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType = presence) -> None:
        self.minutes = 0.0
        monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.minutes * 60


async def test_a_pin_without_the_card_is_not_used_and_a_card_that_is_back_is_not_said_to_be_away(
    settings: Settings,
) -> None:
    async with at_work(settings) as operator:
        file_gone(settings)
        await operator.wait_for("请插入原来的卡")
        assert PULLED in operator.message
        await unlock(operator)
        assert "卡还没有插回，密码没有使用" in operator.message
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        assert "卡已插回" in operator.message
        assert PULLED not in operator.message


async def test_nobody_there_for_ten_minutes_locks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        clock.minutes += 10.1
        await operator.wait_for("超过10分钟没有操作，程序已锁定")
        assert operator.place == LOCKED
        await unlock(operator)
        assert operator.place == ENTERPRISE_GRANTS
        assert operator.value("代理企业编号") == "3101980001"


async def test_after_as_many_minutes_as_are_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    async with at_work(replace(settings, idle_minutes=2.5)) as operator:
        clock.minutes += 2.6
        await operator.wait_for("超过2.5分钟没有操作，程序已锁定")


@pytest.mark.parametrize("sign_of_life", ["key", "mouse", "paste"])
async def test_somebody_there_does_not_lock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sign_of_life: str
) -> None:
    clock = Clock(monkeypatch)
    async with at_work(settings, typed="13") as operator:
        for _ in range(3):
            clock.minutes += 9.9
            if sign_of_life == "key":
                await operator.press("down")
            elif sign_of_life == "mouse":
                await operator.click("方向")
            else:
                await operator.paste("95")
            operator.app.presence.check()
        assert operator.place != LOCKED
        clock.minutes += 10.1
        await operator.wait_for("程序已锁定")


async def test_the_login_screen_does_not_lock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    async with at_work(settings) as operator:
        clock.minutes += 11
        await operator.wait_for("程序已锁定")
        await operator.press("escape")
        clock.minutes += 11
        operator.app.presence.check()
        await operator.settle()
        assert operator.sees("请插入IC卡或Ikey")


# -- unlocking -----------------------------------------------------------------------


async def test_the_same_card_and_its_pin_bring_the_same_screen_back(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        before = operator.text
        file_gone(settings)
        await operator.wait_for(PULLED)
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert operator.text == before
        await operator.type("1231")
        await operator.press("f10")
        assert "保存成功" in operator.dialog


async def test_a_question_that_was_open_is_open_again(settings: Settings) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        question = operator.dialog
        assert "确定删除这条企业间授权吗？" in question
        file_gone(settings)
        await operator.wait_for(PULLED)
        assert operator.dialog == ""
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert operator.dialog == question
        await operator.type("y")
        assert "已删除授权" in operator.message


async def test_a_list_that_was_open_is_open_again(settings: Settings) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.press("tab", "space", "down")
        before = operator.dialog
        await operator.press("f7")
        assert operator.place == LOCKED
        await operator.press("f7")
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert operator.dialog == before
        await operator.press("enter")
        assert operator.value("授权子系统") == "加工贸易手册"


async def test_the_prompt_after_saving_is_there_again(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.type("1231")
        await operator.press("f10")
        file_gone(settings)
        await operator.wait_for(PULLED)
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert "保存成功" in operator.dialog


@pytest.mark.parametrize("typed", ["", "1", "12", "13"])
async def test_every_screen_comes_back(settings: Settings, typed: str) -> None:
    async with at_work(settings, BROKER, typed) as operator:
        before = operator.text
        await operator.press("f7")
        assert operator.place == LOCKED
        await operator.press("f7")
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        assert operator.text == before


async def test_a_wrong_pin_does_not_unlock(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        file_gone(settings)
        await operator.wait_for(PULLED)
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        await unlock(operator, "12345678")
        assert "密码错误，还可再试4次" in operator.message
        assert operator.place == LOCKED
        await unlock(operator)
        assert operator.place == ENTERPRISE_GRANTS


async def test_too_many_wrong_pins_block_the_card_and_lose_nothing(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press("f7", "f7")
        await operator.wait_for(PUT_BACK)
        for _ in range(5):
            await unlock(operator, "12345678")
        assert "密码只剩最后一次机会" in operator.dialog
        await operator.type("y")
        assert "该卡已锁定" in operator.message
        await operator.press("escape")
        assert operator.sees("请插入IC卡或Ikey")


async def test_the_pin_without_the_card_does_not_unlock(settings: Settings) -> None:
    async with at_work(settings) as operator:
        file_gone(settings)
        await operator.wait_for("请插入原来的卡")
        await unlock(operator)
        assert operator.place == LOCKED
        assert "请插入原来的卡" in operator.message


async def test_a_card_that_is_pulled_just_behind_its_pin_opens_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlock_card = lock_screen.unlock

    async def pulled_then(desk: Any, session: CardSession, pin: bytearray) -> None:
        await unlock_card(desk, session, pin)
        file_gone(settings)

    monkeypatch.setattr(lock_screen, "unlock", pulled_then)
    # Nobody looks while the lock is taken away.
    monkeypatch.setattr(app, "WATCH_SECONDS", 3600)
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 3600)
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        operator.app.lock("锁定")
        await operator.settle()
        await unlock(operator)
        assert operator.place == LOCKED
        assert PULLED in operator.message


async def test_another_card_of_the_same_number_does_not_unlock(settings: Settings) -> None:
    async with at_work(settings) as operator:
        file_of(settings, MANUFACTURER).unlink()
        await operator.wait_for("请插入原来的卡")
        for leftover in settings.cards_dir.glob(f"{MANUFACTURER}.*"):
            leftover.unlink()
        make_card(TestAuthority.open(settings.authority_dir), settings.cards_dir)
        await operator.wait_for("插入的不是原来的卡")
        await unlock(operator)
        assert operator.place == LOCKED


async def test_a_card_that_was_revoked_while_it_was_away(settings: Settings) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.press("f7")
        authority = TestAuthority.open(settings.authority_dir)
        authority.revoke(MANUFACTURER)
        authority.publish(settings.trust_dir)
        await operator.press("f7")
        await operator.wait_for("吊销")
        await unlock(operator)
        assert operator.place == LOCKED


async def test_nothing_of_the_screen_below_can_be_reached_while_locked(
    settings: Settings,
) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press("f7")
        for key in ("f2", "f3", "f4", "f5", "f6", "f8", "f9", "f10", "tab", "delete", "ctrl+s"):
            await operator.press(key)
            assert operator.place == LOCKED
            assert operator.dialog == ""
            assert not operator.sees("3101980001")


async def test_the_pin_of_the_lock_is_not_shown(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.press("f7", "f7")
        await operator.wait_for(PUT_BACK)
        await operator.type(PIN)
        assert PIN not in operator.text
        assert operator.value("密码") == "********"


# -- another card --------------------------------------------------------------------


async def test_another_card_starts_afresh_and_the_first_finds_its_input_later(
    settings: Settings,
) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press("f7")
        assert operator.place == LOCKED
        await operator.press("escape")
        assert operator.sees("请插入IC卡或Ikey")
        await operator.log_in(OPERATOR)
        assert operator.place == "主选单"
        assert operator.sees("陈样例 操作员卡")
        assert not operator.sees("上次未保存的录入")
        await operator.type("2")
        await operator.log_in(MANUFACTURER)
        assert "上次未保存的录入" in operator.dialog
        await operator.type("y")
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("授权子系统") == "加工贸易账册"
        assert operator.value("权限有效期") == "2027"


async def test_the_lock_says_that_what_was_typed_is_kept(settings: Settings) -> None:
    told = "未保存的录入仍在。按Esc退出登录也不会丢失，该卡下次登录时可恢复"
    async with at_work(settings, typed="11") as operator:
        await operator.press("f7")
        assert not operator.sees("未保存的录入仍在")
        await operator.press("f7")
        await operator.wait_for(PUT_BACK)
        await unlock(operator)
        await operator.type("3101")
        await operator.press("f7")
        assert operator.sees(told)
        await operator.press("f7")
        await operator.wait_for(PUT_BACK)
        await unlock(operator, "12345678")
        assert operator.sees(told)


async def test_leaving_the_lock_while_a_question_is_open(settings: Settings) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        assert operator.dialog
        await operator.press("f7", "escape")
        assert operator.sees("请插入IC卡或Ikey")
        assert operator.dialog == ""
        await operator.log_in(OPERATOR)
        assert operator.place == "主选单"
        await operator.type("13")
        assert operator.place == "委托授权系统 / 查看操作员权限"


async def test_control_q_at_the_lock_keeps_what_was_typed(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press("f7", "ctrl+q")
        await operator.wait_until(lambda: not operator.app.is_running, what="the end")
    async with at_work(settings) as operator:
        assert "上次未保存的录入" in operator.dialog
