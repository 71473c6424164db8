"""How long what is said stays: until it is read and another key comes."""

from __future__ import annotations

import pytest

from eport_tui.settings import Settings
from eport_tui.widgets import bars
from tests.ui.operator import BROKER, MANUFACTURER, at_work

TO_THE_LIST = ("<shift+tab>",)
IN_THE_LIST = "Enter修改有效期"


AWAY_AND_BACK = [("f1", "escape"), ("f9", "escape"), ("ctrl+f", "escape")]


@pytest.mark.parametrize(
    "keys",
    [("down",), ("end",), ("f11", "escape"), ("ctrl+r", "escape"), *AWAY_AND_BACK],
    ids=lambda keys: keys[0],
)
async def test_what_a_list_says_about_its_order_gives_way_to_the_next_key(
    settings: Settings, keys: tuple[str, ...]
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<ctrl+o>", "<ctrl+f>", "2027年", "<enter>")
        await operator.press("ctrl+o")
        assert "已取消筛选「2027年」" in operator.message
        await operator.press(*keys)
        assert operator.place == "委托授权系统 / 企业间授权录入"
        assert IN_THE_LIST in operator.message


async def test_a_message_that_nobody_can_have_read_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "READING_SECONDS", 3600)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f5>", "<down>")
        assert operator.message == "+ 列表已刷新"


async def test_the_same_in_the_history(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "17") as operator:
        await operator.press("f5")
        assert operator.message == "+ 列表已刷新"
        await operator.press("down")
        assert operator.message.startswith("按Enter查看全部改动")


async def test_what_is_wrong_stays_until_it_is_put_right(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101", "<enter>")
        assert "代理企业编号应为10位" in operator.message
        await operator.press("left", "home")
        assert "代理企业编号应为10位" in operator.message
        await operator.type("9")
        assert operator.message == "10位海关编码，按Enter查询企业"


async def test_where_nothing_can_be_done_what_was_said_stays(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        assert "30天内到期的授权" in operator.message
        await operator.press("down", "down")
        assert "30天内到期的授权" in operator.message


async def test_after_saving_the_hint_of_the_field_is_there_again(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<home>", "<enter>", "+2y", "<f10>")
        assert "保存成功" in operator.dialog
        await operator.press("enter")
        assert operator.at_field == "权限有效期"
        assert operator.message.startswith("例如 20271231")


@pytest.mark.parametrize(
    "keys", [("f5",), ("ctrl+o",), ("down",), *AWAY_AND_BACK], ids=lambda keys: keys[0]
)
async def test_a_search_ends_at_a_key_that_does_not_go_on_with_it(
    settings: Settings, keys: tuple[str, ...]
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "x")
        assert operator.sees("查找x，没有")
        await operator.press(*keys)
        assert operator.sees("已授权列表")
        assert not operator.sees("查找")


async def test_a_search_goes_on_with_what_is_typed_and_taken_back(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "31", "<backspace>")
        assert operator.sees("查找3")
        await operator.press("ctrl+u")
        assert not operator.sees("查找")


async def test_an_empty_list_says_nothing_about_rows(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("3205460004", "<tab>", "<tab>", "<tab>", "<tab>")
        assert operator.sees("操作员权限列表 共0条")
        assert not operator.at_field
        assert operator.message == ""
    async with at_work(settings, MANUFACTURER, "12") as operator:
        assert operator.sees("授予本企业的授权 共0条")
        assert operator.message == ""
