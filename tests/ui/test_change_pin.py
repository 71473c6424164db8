"""修改密码: the PIN of the card that is logged in."""

from __future__ import annotations

import pytest

from eport_tui.settings import Settings
from tests.ui.operator import MANUFACTURER, PIN, Operator, at_login, at_work

NEW = "Zq7!xK#2"


async def change(operator: Operator, *pins: str) -> None:
    """Open the screen and fill it in."""
    await operator.press("f11")
    assert operator.place == "主选单 / 修改密码"
    for pin in pins:
        await operator.type(pin)
        await operator.press("enter")


async def test_the_new_pin_is_the_one_that_counts(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW, NEW)
        assert "密码已修改" in operator.dialog
        await operator.press("enter")
        assert operator.place == "主选单"
        await operator.type("11")
        assert operator.place == "委托授权系统 / 企业间授权录入"
        await operator.press("f3")
        await operator.type("2")
        await operator.insert(MANUFACTURER)
        await operator.type(PIN)
        await operator.press("enter")
        assert "密码错误" in operator.message
        await operator.type(NEW)
        await operator.press("enter")
        assert operator.place == "主选单"


async def test_no_pin_is_shown(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW)
        await operator.type(NEW)
        assert PIN not in operator.text
        assert NEW not in operator.text
        assert operator.value("再输一次") == "********"


@pytest.mark.parametrize(
    ("pins", "told"),
    [
        ((PIN, NEW, NEW[:-1] + "3"), "两次输入的新密码不同"),
        ((PIN, PIN, PIN), "新密码与原密码相同"),
        ((PIN, NEW[:7], NEW), "新密码不对：密码应为8个字符"),
        ((PIN, NEW, ""), "请再输入一次新密码"),
        (("", NEW, NEW), "请输入原密码"),
        (("12345678", NEW, NEW), "密码错误，还可再试4次"),
    ],
    ids=["different", "the old one", "short", "not repeated", "no old one", "wrong old one"],
)
async def test_what_keeps_the_old_pin(settings: Settings, pins: tuple[str, ...], told: str) -> None:
    async with at_work(settings) as operator:
        await operator.press("f11")
        for pin in pins:
            await operator.burst(pin, "<tab>")
        await operator.press("f10")
        assert told in operator.message
        assert operator.place == "主选单 / 修改密码"
    async with at_login(settings) as operator:
        await operator.log_in()
        assert operator.place == "主选单"


async def test_enter_does_not_leave_a_pin_that_is_not_complete(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW[:7])
        assert "新密码不对：密码应为8个字符" in operator.message
        assert operator.at_field == "新密码"
        await operator.burst(NEW[7:], "<enter>", NEW, "<enter>")
        assert "密码已修改" in operator.dialog


async def test_what_was_wrong_is_not_said_any_more_when_it_is_right(settings: Settings) -> None:
    async with at_work(settings, typed="3") as operator:
        await operator.type("8888888")
        await operator.press("enter")
        assert "原密码不对" in operator.message
        await operator.type("8")
        await operator.press("enter")
        assert operator.message == ""
        await operator.type("123456789")
        await operator.press("enter")
        assert "新密码不对：密码最长8位，多输入的字符没有采用（请重新输入密码）" in operator.message


async def test_only_the_new_pin_has_to_be_typed_again_where_it_was_repeated_wrongly(
    settings: Settings,
) -> None:
    async with at_work(settings) as operator:
        await operator.press("f11")
        await operator.burst(PIN, "<tab>", NEW, "<tab>", NEW[:-1] + "3", "<f10>")
        assert operator.at_field == "新密码"
        await operator.burst(NEW, "<enter>", NEW, "<enter>")
        assert "密码已修改" in operator.dialog


async def test_the_fifth_wrong_old_pin_blocks_the_card(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.press("f11")
        for _ in range(5):
            for pin in ("12345678", NEW, NEW):
                await operator.type(pin)
                await operator.press("enter")
        assert "密码只剩最后一次机会" in operator.dialog
        # The new one is still there for the second thought, the one in doubt is not.
        await operator.press("escape")
        assert operator.value("再输一次") == "********"
        assert operator.value("原密码") == ""
        assert operator.at_field == "原密码"
        await operator.type("12345678")
        await operator.press("f10")
        await operator.type("y")
        assert "该卡已锁定" in operator.message


@pytest.mark.parametrize("key", ["escape", "f12", "f3"])
async def test_leaving_changes_nothing(settings: Settings, key: str) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW)
        await operator.press(key)
        assert operator.place == "主选单"
    async with at_login(settings) as operator:
        await operator.log_in()
        assert operator.place == "主选单"


async def test_f10_changes_it_too(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW)
        await operator.type(NEW)
        await operator.press("f10")
        assert "密码已修改" in operator.dialog


async def test_characters_that_cannot_be_in_a_pin_are_told_at_once(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await change(operator)
        await operator.type("密")
        assert "请关闭输入法" in operator.message
        await operator.paste(PIN)
        assert "密码不能粘贴" in operator.message


async def test_a_card_that_is_in_use_stays_unlocked_after_its_pin_was_changed(
    settings: Settings,
) -> None:
    async with at_work(settings) as operator:
        await change(operator, PIN, NEW, NEW)
        await operator.press("enter")
        await operator.type("11")
        await operator.press("tab", "tab", "tab", "tab", "tab", "enter")
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert "保存成功" in operator.dialog
