"""Moving in the lists of the program: jumping, sorting, narrowing."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from eport_tui.reference import load_tables
from eport_tui.settings import Settings
from tests.ui.colleague import Colleague
from tests.ui.operator import BROKER, MANUFACTURER, Operator, at_work

pytestmark = pytest.mark.usefixtures("nobody_else")

TO_THE_LIST = ["tab"] * 5


def selected(operator: Operator) -> str:
    """The first selected line of a list."""
    return next(line for line in operator.lines if line.startswith("> 3"))


async def test_typing_in_a_list_jumps_and_the_title_says_what_was_typed(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST)
        await operator.type("3205")
        assert selected(operator).startswith("> 3205")
        assert operator.sees("查找3205")
        await operator.type("x")
        assert operator.sees("查找3205x，没有")
        await operator.press("backspace", "up")
        assert not operator.sees("查找")


async def test_a_jump_and_what_comes_after_it_may_be_typed_ahead(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*["<tab>"] * 5, "3205", "<enter>")
        assert operator.value("代理企业编号").startswith("3205")
        assert operator.at_field == "权限有效期"


async def test_the_list_is_sorted_by_each_offered_column_and_keeps_its_selection(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST, "down")
        row = selected(operator)
        orders = []
        for _ in range(3):
            await operator.press("ctrl+o")
            assert selected(operator) == row
            orders.append([line for line in operator.lines if line[2:4] in ("31", "32", "33")])
        by_day, by_subsystem, usual = orders
        assert by_day == sorted(by_day, key=lambda line: re.findall(r"20..-..-..", line))
        codes = [[line[2:12] for line in lines] for lines in (usual, by_subsystem)]
        assert codes[0] == sorted(codes[0]) != codes[1]
        subsystems = [line.split()[-4] for line in by_subsystem]
        changes = sum(a != b for a, b in pairwise(subsystems))
        assert changes == len(set(subsystems)) - 1


async def test_sorting_is_told_in_the_title_unless_it_is_the_usual(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST, "ctrl+o")
        assert operator.sees("按有效期")
        await operator.press("ctrl+o")
        assert operator.sees("按授权子系统")
        await operator.press("ctrl+o")
        assert not operator.sees("按授权子系统")


async def test_where_there_is_one_order_that_is_said(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.press("ctrl+o")
        assert operator.message == "! 这个列表只有一种排序"


@pytest.mark.parametrize("key", ["ctrl+f", "slash"])
async def test_a_list_is_narrowed_and_whole_again_with_esc(settings: Settings, key: str) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        assert operator.sees("共17条")
        await operator.press(key)
        assert "授权企业编号的开头几位" in operator.dialog
        await operator.type("3302")
        await operator.press("enter")
        assert operator.sees("筛选3302")
        assert not operator.sees("共17条")
        assert {line[2:6] for line in operator.lines if line[2:4] == "33"} == {"3302"}
        await operator.press("escape")
        assert operator.sees("共17条")
        assert operator.place.endswith("企业内授权录入")
        await operator.press("escape")
        assert not operator.place.endswith("企业内授权录入")


async def test_an_empty_answer_takes_the_filter_away_and_esc_leaves_it(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+f>", "3302", "<enter>", "<ctrl+f>", "99", "<escape>")
        assert operator.sees("筛选3302")
        await operator.press("ctrl+f", "ctrl+u", "enter")
        assert operator.sees("共17条")


async def test_by_last_day_one_narrows_by_month_or_state(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+o>", "<ctrl+f>", "已过期", "<enter>")
        states = {line.split()[-2] for line in operator.lines if line[2:4] in ("31", "32", "33")}
        assert states == {"已过期"}
        await operator.burst("<ctrl+f>", "<ctrl+u>", "1999", "<enter>")
        assert operator.sees("筛选1999", "没有符合「1999」的记录，按Esc取消筛选")
        await operator.press("escape")
        assert operator.sees("共17条")


@pytest.mark.parametrize(
    ("screen", "to_the_list"),
    [
        ("11", [*TO_THE_LIST, "ctrl+o"]),
        ("12", ["ctrl+o"]),
        ("13", ["tab", "tab", "ctrl+o"]),
        ("17", []),
        ("15", []),
    ],
)
async def test_what_is_no_day_narrows_no_list_by_days_and_is_not_found_in_it(
    settings: Settings, screen: str, to_the_list: list[str]
) -> None:
    async with at_work(settings, MANUFACTURER, screen) as operator:
        await operator.press(*to_the_list, "end")
        title = next(line for line in operator.lines if "共" in line)
        await operator.type("y")
        assert operator.sees("查找y，没有")
        await operator.burst("<ctrl+u>", "<ctrl+f>", "abc", "<enter>")
        assert "「abc」不是" in operator.dialog
        assert "请输入年月" in operator.dialog
        await operator.burst("<ctrl+u>", "2026年", "<enter>")
        assert operator.sees("筛选2026年")
        await operator.press("escape", "end")
        assert title in operator.lines


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("加工", {"加工贸易账册", "加工贸易手册", "出境加工"}),
        ("jgmysc", {"加工贸易手册"}),
        ("b1", {"加工贸易手册"}),
    ],
)
async def test_a_subsystem_is_narrowed_to_as_its_list_is(
    settings: Settings, typed: str, names: set[str]
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+o>", "<ctrl+o>", "<ctrl+f>")
        assert "授权子系统的代码、名称或助记码" in operator.dialog
        await operator.burst(typed, "<enter>")
        found = subsystems(operator)
        assert found
        assert found <= names
        assert not operator.sees("共17条")
        await operator.press("escape")
        assert operator.sees("共17条")


@pytest.mark.parametrize(("screen", "to_the_list"), [("11", TO_THE_LIST), ("12", [])])
async def test_a_subsystem_is_jumped_to_by_its_name(
    settings: Settings, screen: str, to_the_list: list[str]
) -> None:
    async with at_work(settings, BROKER if screen == "12" else MANUFACTURER, screen) as operator:
        await operator.press(*to_the_list, "ctrl+o", "ctrl+o")
        await operator.type("手册")
        assert "加工贸易手册" in selected(operator)
        await operator.press("home")
        await operator.type("jgmyzc")
        assert "加工贸易账册" in selected(operator)
        await operator.type("x")
        assert operator.sees("查找jgmyzcx，没有")


async def test_another_order_takes_a_filter_away_and_says_so(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+f>", "3302", "<enter>", "<ctrl+o>")
        assert operator.sees("共17条")
        assert operator.message == "! 已取消筛选「3302」，现在按有效期排序"


@pytest.mark.parametrize(
    ("card", "screen", "to_the_list"),
    [(MANUFACTURER, "11", TO_THE_LIST), (BROKER, "12", []), (BROKER, "13", [])],
)
async def test_a_list_says_how_to_find_a_row(
    settings: Settings, card: str, screen: str, to_the_list: list[str]
) -> None:
    async with at_work(settings, card, screen) as operator:
        await operator.press(*to_the_list)
        if operator.at_field:
            await operator.press("tab", "tab")
        assert operator.message.endswith("输入即定位，^O排序，^F筛选")
        assert len(operator.lines[-3].strip()) == 0


async def test_the_next_filter_begins_empty_and_names_the_present_one(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+f>", "33", "<enter>", "<ctrl+f>")
        assert "现在的筛选是「33」" in operator.dialog
        await operator.burst("3101", "<enter>")
        assert operator.sees("筛选3101")


async def test_entries_that_are_not_saved_stand_before_the_others_and_can_be_jumped_to(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        for card in ("8900000000059", "8900000000071", "8900000000082"):
            await operator.press(*(["tab", "tab", "enter"] if operator.at_field == "" else []))
            await operator.type(card)
            await operator.press("f6")
        assert operator.sees("第3条 共4条")
        await operator.press("tab", "tab")
        await operator.type("890000000007")
        assert operator.sees("第2条 共4条")
        await operator.press("f8")
        assert operator.sees("第2条 共3条")
        assert selected_operator(operator).startswith("> 8900000000082")
        await operator.press("end", "up", "up", "down")
        assert operator.sees("第2条 共3条")


def selected_operator(operator: Operator) -> str:
    """The selected line of the lower list."""
    return next(line for line in operator.lines if line.startswith("> 89"))


async def test_what_is_found_or_saved_is_shown_even_where_a_filter_would_hide_it(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+f>", "3302", "<enter>", "<f5>", "3101", "<f5>")
        assert selected(operator).startswith("> 3101")
        assert not operator.sees("筛选3302")
        assert "已取消筛选" in operator.message


# -- the same list, asked for anew ---------------------------------------------------------


@pytest.mark.parametrize(("screen", "to_the_list"), [("11", TO_THE_LIST), ("12", []), ("13", [])])
async def test_order_and_filter_stay_when_another_day_is_shown(
    settings: Settings, screen: str, to_the_list: list[str]
) -> None:
    async with at_work(settings, BROKER if screen == "12" else MANUFACTURER, screen) as operator:
        await operator.press(*(to_the_list or (["tab"] * 2 if operator.at_field else [])))
        await operator.burst(
            "<ctrl+o>", "<ctrl+f>", "2027", "<enter>", "<ctrl+y>", "+30", "<enter>"
        )
        assert operator.sees("查看 2026-12-24", "按有效期 筛选2027")
        days = re.findall(r"20\d\d-\d\d-\d\d", "\n".join(list_lines(operator)))
        assert days
        assert days == sorted(days)
        assert {day[:4] for day in days} == {"2027"}
        await operator.burst("<ctrl+y>", "<ctrl+u>", "<enter>")
        assert operator.sees("已返回今天", "按有效期 筛选2027")
        await operator.press("escape")
        assert operator.sees("按有效期")
        assert not operator.sees("筛选2027")


def list_lines(operator: Operator) -> list[str]:
    """The rows of the first list: those behind its heading that end in no field."""
    return [
        line for line in operator.lines if re.match(r"..(代理本企业 |本企业代理 )?3\d{9} ", line)
    ]


def subsystems(operator: Operator) -> set[str]:
    """The subsystems of the rows that are shown."""
    names = [code.name for code in load_tables().subsystems]
    return {name for line in list_lines(operator) for name in names if f" {name} " in line}


async def test_a_state_is_read_as_of_the_day_that_is_shown(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+o>", "<ctrl+f>", "已过期", "<enter>")
        expired_today = operator.text.count("已过期") - 1
        await operator.burst("<ctrl+y>", "+90", "<enter>")
        assert operator.sees("筛选已过期")
        rows = list_lines(operator)
        assert len(rows) > expired_today
        assert all("已过期" in row for row in rows)


async def test_a_filter_that_leaves_nothing_on_another_day_says_how_to_end_it(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+f>", "3302", "<enter>", "<ctrl+y>", "20251101", "<enter>")
        assert operator.sees("筛选3302", "没有符合「3302」的记录，按Esc取消筛选")
        await operator.press("tab")
        assert operator.sees("没有符合「3302」的记录，到列表中按Esc取消筛选")


async def test_order_and_filter_stay_at_another_query(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "13") as operator:
        await operator.press("tab", "tab")
        await operator.burst("<ctrl+o>", "<ctrl+f>", "2027", "<enter>")
        await operator.burst("<tab>", "<space>", "B1", "<enter>")
        assert operator.sees("操作员权限（加工贸易手册） 第1条 共1条 按有效期 筛选2027")
        await operator.burst("<space>", "X2", "<enter>")
        assert operator.sees("共0条 按有效期 筛选2027", "没有符合「2027」的记录")
        assert "暂无数据" not in operator.message


async def test_order_and_filter_end_when_the_screen_is_left(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+o>", "<ctrl+f>", "2027", "<enter>", "<f3>", "12")
        assert operator.sees("共17条")
        assert not operator.sees("按有效期")


async def test_within_another_time_what_is_due_is_narrowed_as_before(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.burst("<ctrl+f>", "已过期", "<enter>", "<f2>")
        assert operator.sees("（含到期不续的）", "筛选已过期")


async def test_the_operators_of_the_same_grant_stay_narrowed_and_those_of_another_do_not(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.press(*["shift+tab"] * 3)
        await operator.burst("<ctrl+f>", "89000", "<enter>")
        assert operator.sees("操作员权限列表 第1条 共1条 筛选89000")
        await operator.burst("<ctrl+y>", "+30", "<enter>")
        assert operator.sees("查看 2026-12-24", "筛选89000")
        await operator.burst("<ctrl+y>", "<ctrl+u>", "<enter>")
        assert operator.sees("筛选89000")
        await operator.press("tab", "tab", "tab", "down")
        assert not operator.sees("筛选89000")


# -- from the form -----------------------------------------------------------------------


@pytest.mark.parametrize("field", ["a text", "a code"])
async def test_ctrl_f_in_a_field_narrows_the_list_behind_it(settings: Settings, field: str) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("310198", "<home>", *(["<tab>"] if field == "a code" else []))
        await operator.press("ctrl+f")
        assert "只列出代理企业编号符合的记录" in operator.dialog
        await operator.burst("3205", "<enter>")
        assert operator.sees("筛选3205")
        assert operator.value("代理企业编号") == "310198"
        await operator.press("escape")
        assert not operator.sees("筛选3205")


async def test_ctrl_o_in_a_field_sorts_the_list_behind_it(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<f5>", "<ctrl+o>")
        assert operator.sees("共17条 按有效期")
        await operator.burst("<tab>", "<ctrl+o>")
        assert "这个列表只有一种排序" in operator.message


async def test_where_there_is_no_list_that_is_said(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "14") as operator:
        for key in ("ctrl+f", "ctrl+o"):
            await operator.press(key)
            assert operator.message == "! 此处没有列表"
            assert operator.at_field == "操作员IC卡号"
