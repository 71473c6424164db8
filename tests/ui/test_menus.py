"""主选单 and 委托授权系统 (spec §2): ways in, who may go where, ways out (manual 1.4)."""

from __future__ import annotations

import pytest

from eport_tui.settings import Settings
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, Operator, at_work

NOT_LEGAL_PERSON = "非法人卡，不允许操作!"
SCREENS = {
    "1": "委托授权系统 / 企业间授权录入",
    "2": "委托授权系统 / 企业内授权录入",
    "3": "委托授权系统 / 查看操作员权限",
    "4": "委托授权系统 / 授权核查",
}


async def test_the_way_in_by_arrows_and_enter(settings: Settings) -> None:
    async with at_work(settings) as operator:
        assert operator.place == "主选单"
        await operator.press("enter")
        assert operator.place == "委托授权系统"
        await operator.press("down", "down", "enter")
        assert operator.place == SCREENS["3"]


@pytest.mark.parametrize("number", SCREENS)
async def test_the_way_in_by_numbers(settings: Settings, number: str) -> None:
    async with at_work(settings, MANUFACTURER, "1" + number) as operator:
        assert operator.place == SCREENS[number]


async def test_the_way_in_by_mouse(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.click("委托授权系统")
        await operator.click("查看操作员权限")
        assert operator.place == SCREENS["3"]


async def test_a_number_without_an_entry_does_nothing(settings: Settings) -> None:
    async with at_work(settings, typed="09") as operator:
        assert operator.place == "主选单"


@pytest.mark.parametrize("number", SCREENS)
@pytest.mark.parametrize("key", ["escape", "f12"])
async def test_one_level_back_at_a_time(settings: Settings, number: str, key: str) -> None:
    async with at_work(settings, MANUFACTURER, "1" + number) as operator:
        await operator.press(key)
        assert operator.place == "委托授权系统"
        await operator.press(key)
        assert operator.place == "主选单"


@pytest.mark.parametrize("typed", ["1", "11", "12", "13", "14"])
async def test_f3_returns_to_the_main_menu_from_anywhere(settings: Settings, typed: str) -> None:
    async with at_work(settings, MANUFACTURER, typed) as operator:
        await operator.press("f3")
        assert operator.place == "主选单"
        await operator.type("1")
        assert operator.place == "委托授权系统"


# -- only a legal-person card may grant ------------------------------------------------


@pytest.mark.parametrize("entry", ["企业间授权录入", "企业内授权录入"])
@pytest.mark.parametrize("answer", ["enter", "escape", "space"])
async def test_an_operator_card_is_refused_and_stays_on_the_menu(
    settings: Settings, entry: str, answer: str
) -> None:
    async with at_work(settings, OPERATOR, "1") as operator:
        await operator.click(entry)
        assert f"提示{NOT_LEGAL_PERSON}> 确定" in operator.dialog
        await operator.press(answer)
        assert operator.dialog == ""
        assert operator.place == "委托授权系统"


@pytest.mark.parametrize("card", [MANUFACTURER, BROKER])
async def test_a_legal_person_card_is_not(settings: Settings, card: str) -> None:
    async with at_work(settings, card, "11") as operator:
        assert operator.place == SCREENS["1"]


async def test_a_key_at_the_refusal_goes_on_in_the_menu(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, "11") as operator:
        await operator.type("3")
        assert operator.place == SCREENS["3"]


# -- ways out --------------------------------------------------------------------------


async def left(operator: Operator) -> None:
    await operator.wait_until(lambda: not operator.app.is_running, what="the end")


@pytest.mark.parametrize("way", ["<escape>", "<f12>", "<end>"])
async def test_the_exit_of_the_main_menu_ends_the_program_after_asking(
    settings: Settings, way: str
) -> None:
    ask = [way, "<enter>"] if way == "<end>" else [way]
    async with at_work(settings) as operator:
        await operator.burst(*ask)
        assert "确定退出程序吗？" in operator.dialog
        await operator.press("escape")
        assert operator.place == "主选单"
        assert operator.dialog == ""
        await operator.burst(*ask, "<enter>")
        await left(operator)
    assert operator.app.return_code == 0


async def test_the_pin_can_be_changed_from_the_main_menu(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.click("修改密码")
        assert operator.place == "主选单 / 修改密码"


@pytest.mark.parametrize("typed", ["", "1", "11", "12", "13", "14"])
async def test_control_q_leaves_from_anywhere(settings: Settings, typed: str) -> None:
    async with at_work(settings, typed=typed) as operator:
        await operator.press("ctrl+q")
        await left(operator)
    assert operator.app.return_code == 0


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("11", ["f1"]),
        ("11", ["tab", "space"]),
        ("11", ["f8"]),
        ("12", ["tab", "space"]),
        ("13", ["space"]),
        ("", ["escape"]),
    ],
    ids=["help", "list", "prompt", "entry", "picker", "question"],
)
async def test_control_q_leaves_from_help_and_dialogs_too(
    settings: Settings, where: str, keys: list[str]
) -> None:
    async with at_work(settings, typed=where) as operator:
        await operator.press(*keys, "ctrl+q")
        await left(operator)
    assert operator.app.return_code == 0


async def test_control_q_asks_when_something_is_unsaved(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.type("3101980001")
        await operator.press("ctrl+q")
        assert "录入的企业间授权尚未保存。确定不保存就退出程序吗？" in operator.dialog
        assert "不保存，退出(Y)" in operator.dialog
        await operator.press("escape")
        assert operator.value("代理企业编号") == "3101980001"
        await operator.press("ctrl+q")
        await operator.type("y")
        await left(operator)


async def test_control_q_from_a_list_asks_when_something_is_unsaved(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.type("3101980001")
        await operator.press("tab", "space", "ctrl+q")
        assert "录入的企业间授权尚未保存" in operator.dialog
        await operator.press("escape", "escape")
        assert operator.value("代理企业编号") == "3101980001"


async def test_another_card_can_log_in(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.type("2")
        assert operator.sees("请插入IC卡或Ikey")
        await operator.log_in(OPERATOR)
        assert operator.sees("陈样例 操作员卡")
        await operator.type("11")
        assert NOT_LEGAL_PERSON in operator.dialog


@pytest.mark.parametrize("typed", ["", "1", "11", "12", "13", "14"])
async def test_control_l_paints_the_same_screen_again(settings: Settings, typed: str) -> None:
    async with at_work(settings, typed=typed) as operator:
        before = operator.text
        await operator.press("ctrl+l")
        assert operator.text == before
