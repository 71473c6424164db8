"""企业内授权录入 (manual 1.2, spec §2.2): the lists, the quick query, deleting."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, Operator, at_work
from tests.ui.operator_grants import (
    CARD,
    NEW_CARD,
    NO_CARDS,
    ONE_CARD,
    OPERATOR_GRANTS,
    OTHER_CARD,
    TO_ALL,
    TWO_CARDS,
    choose,
    grant_of,
    to_the_operators,
)

# -- what is there -------------------------------------------------------------------


async def test_the_upper_list_shows_the_grants_to_this_enterprise(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        assert operator.sees("授予本企业的授权  第1条 共17条")
        assert operator.row("3101440001").split()[-3:] == ["2027-12-29", "有效", "1"]
        assert operator.sees("即将到期", "已过期")
        assert operator.at_field == ""


async def test_selecting_a_grant_shows_its_operators(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        assert operator.sees("操作员权限列表 共1条", f"{CARD} 指定操作员")
        await operator.press("down")
        assert operator.sees("操作员权限列表 共1条", "全部操作员")
        await operator.press("down")
        assert operator.sees("操作员权限列表 共2条", CARD, OTHER_CARD)
        await operator.press("end", "home")
        assert operator.sees("操作员权限列表 共1条", f"{CARD} 指定操作员")


async def test_the_name_of_the_principal_is_shown_in_full(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        assert operator.value("授权企业名称") == "上海样例精密机械有限公司"
        await operator.press("down", "down", "down")
        assert operator.value("授权企业名称") == "上海浦东样例电子科技有限公司"


async def test_a_grant_without_operators_says_so(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        assert operator.sees("操作员权限列表 共0条", "暂无数据")


async def test_an_enterprise_that_was_granted_nothing(settings: Settings) -> None:
    async with at_work(settings, "8900000000028", OPERATOR_GRANTS) as operator:
        assert operator.sees("授予本企业的授权 共0条", "暂无数据")
        for key in ("f6", "f8", "f9", "f11", "ctrl+r"):
            await operator.press(key)
            assert "没有授予本企业的授权。其他企业在企业间授权录入中授权" in operator.dialog
            await operator.press("enter")


# -- 快速查询 ------------------------------------------------------------------------


async def quick_query(operator: Operator, *, customs_code: str = "", uscc: str = "") -> None:
    await operator.press("shift+tab")
    await operator.type(uscc)
    await operator.press("shift+tab")
    await operator.type(customs_code)
    await operator.press("f5")


async def test_quick_query_by_customs_code_selects_and_scrolls_to_the_row(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        assert not operator.sees("5101920013")
        await quick_query(operator, customs_code="5101920013")
        assert operator.row("5101920013").startswith("> ")
        assert operator.sees("第17条 共17条")
        assert operator.value("授权企业名称") == "成都样例化工材料有限公司"
        assert operator.sees("操作员权限列表 共1条 操作员IC卡号", "全部操作员")


async def test_quick_query_by_uscc(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, uscc="91310115PDY000028D")
        assert operator.row("3122930002").startswith("> ")


async def test_quick_query_again_goes_to_the_next_match_and_begins_again_at_the_end(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code="3101440001")
        assert operator.sees("第1条 共17条")
        await operator.press("f5")
        assert operator.sees("第2条 共17条")
        await operator.press("enter")
        assert operator.sees("第3条 共17条")
        assert "再按F5转到下一条" in operator.message
        await operator.press("f5")
        assert operator.sees("第1条 共17条")
        assert "已从头查起" in operator.message


async def test_quick_query_says_at_once_that_one_alone_matches(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code="3122930002")
        assert "只有这一条符合" in operator.message
        assert "转到下一条" not in operator.message


async def test_another_question_begins_at_the_top(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code="44")
        at_first = operator.row("4401240010")
        assert at_first.startswith("> ")
        await operator.clear()
        await operator.type("3")
        await operator.press("f5")
        assert operator.sees("第1条 共17条")


async def test_quick_query_goes_along_the_order_that_is_shown(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("ctrl+o")
        await quick_query(operator, customs_code="3101440001")
        places = [_place(operator)]
        while "已从头查起" not in operator.message:
            await operator.press("f5")
            places.append(_place(operator))
        assert len(places) == 4
        assert places[:3] == sorted(places[:3])
        assert places[3] == places[0]


def _place(operator: Operator) -> int:
    """Which row of the upper list is selected."""
    found = re.search(r"第(\d+)条 共17条", operator.text)
    assert found
    return int(found[1])


async def test_quick_query_looks_in_the_narrowed_list_and_says_that_it_lifts_the_filter(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.burst("<ctrl+o>", "<ctrl+f>", "即将到期", "<enter>")
        await quick_query(operator, customs_code="3101440001")
        assert operator.sees("第4条 共4条 按有效期 筛选即将到期")
        assert "筛选「即将到期」的记录中只有这一条符合" in operator.message
        await operator.clear()
        await operator.type("3302320006")
        await operator.press("f5")
        assert "筛选「即将到期」的记录中没有符合的，已取消筛选" in operator.message
        assert operator.sees("共17条 按有效期")
        assert not operator.sees("筛选即将到期")
        assert operator.row("3302320006").startswith("> ")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("9999", "9999"), ("３９", "39"), ("[bold]", "[bold]"), ("' OR 1=1", "'OR1=1"), ("%", "%")],
)
async def test_quick_query_that_finds_nothing_says_so_and_moves_nothing(
    settings: Settings, typed: str, kept: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code=typed)
        assert "未查询到相应记录" in operator.dialog
        await operator.press("escape")
        assert operator.sees("第1条 共17条")
        assert operator.value("授权企业编号") == kept
        assert operator.at_field == "授权企业编号"
        await operator.type("3122")
        assert operator.value("授权企业编号") == "3122"


async def test_a_card_number_that_was_refused_is_replaced_by_what_is_typed_next(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("enter")
        await operator.burst("89", "<enter>")
        assert operator.value("操作员IC卡号") == "89"
        await operator.type("8900000000059")
        assert operator.value("操作员IC卡号") == "8900000000059"


async def test_quick_query_in_full_width_digits(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code="３１２２")
        assert operator.row("3122930002").startswith("> ")


async def test_quick_query_for_nothing_asks_what_for_and_shows_what_is_new(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        colleague.grant(BROKER_CODE, "B2")
        await operator.press("f5")
        assert "请输入授权企业编号或授权企业社会信用代码" in operator.message
        assert operator.at_field == "授权企业编号"
        assert operator.sees("共18条", "保税担保")


@pytest.mark.parametrize("day", ["", "+40"])
async def test_enter_in_the_empty_last_field_of_the_quick_query_queries_or_asks_what_for(
    settings: Settings, day: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.burst("<ctrl+y>", day, "<enter>", "<shift+tab>", "<enter>")
        assert operator.at_field == "授权企业社会信用代码"
        assert "请输入授权企业编号或授权企业社会信用代码，再按F5查询" in operator.message
        await operator.press("shift+tab")
        await operator.type("3122")
        await operator.press("tab", "enter")
        assert operator.row("3122930002").startswith("> ")
        assert "已定位到该授权" in operator.message


# -- 删除 ----------------------------------------------------------------------------


async def by_f8(operator: Operator) -> None:
    await operator.press("f8")


async def by_delete(operator: Operator) -> None:
    await operator.press("delete")


async def by_menu(operator: Operator) -> None:
    await operator.press("f9", "enter")


async def by_right_click(operator: Operator) -> None:
    await operator.click("指定操作员", button=3)
    await operator.click("删除  ")


@pytest.mark.parametrize("way", [by_f8, by_delete, by_menu, by_right_click])
async def test_deleting_an_operator_asks_and_takes_the_right_away(
    settings: Settings, broker: Colleague, way: Callable[[Operator], object]
) -> None:
    grant = grant_of(broker, TWO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        await to_the_operators(operator)
        await way(operator)
        assert f"确定删除操作员卡 {CARD} 的权限吗？" in operator.dialog
        assert "昆山样例汽车零部件有限公司" in operator.dialog
        assert "核注清单" in operator.dialog
        await operator.press("escape")
        assert broker.operators(grant) == [CARD, OTHER_CARD]
        await way(operator)
        await operator.type("y")
        assert f"已删除操作员卡 {CARD} 的权限" in operator.message
        assert operator.sees("操作员权限列表 第1条 共1条")
        assert operator.row(TWO_CARDS).endswith(" 1")
    assert broker.operators(grant) == [OTHER_CARD]
    assert CARD not in [
        right.card_number for right in broker.rights() if right.principal.customs_code == TWO_CARDS
    ]


async def test_deleting_the_grant_to_all_operators(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TO_ALL)
        await to_the_operators(operator, "delete")
        assert "确定删除全部操作员的权限吗？" in operator.dialog
        await operator.type("y")
        assert operator.sees("操作员权限列表 共0条")
    assert broker.operators(grant_of(broker, TO_ALL)) == []


async def test_deleting_an_entry_that_is_not_saved_yet_asks_nothing(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await to_the_operators(operator, "delete")
        assert f"已从列表中去掉操作员卡 {NEW_CARD}" in operator.message
        assert operator.sees("操作员权限列表 第1条 共1条")
        assert operator.row(ONE_CARD).endswith(" 1")
        await operator.press("escape")
        assert operator.place == "委托授权系统"
    assert broker.operators(grant_of(broker, ONE_CARD)) == [CARD]


@pytest.mark.parametrize("key", ["f8", "f9"])
async def test_with_no_operator_to_select(settings: Settings, key: str) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.press(key)
        assert "所选的授权没有授予操作员" in operator.dialog


@pytest.mark.parametrize("key", ["f8", "f9"])
async def test_with_no_operator_selected(settings: Settings, key: str) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press(key)
        assert "请选择数据!" in operator.dialog
        await operator.press("enter")
        assert operator.sees("操作员权限列表 共1条")


async def test_the_right_button_on_a_received_grant_offers_nothing_to_delete(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.click(NO_CARDS, button=3)
        assert operator.row(NO_CARDS).startswith("> ")
        assert operator.dialog == ""
        assert operator.sees("操作员权限列表 共0条")


# -- names that try to break the screen ----------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("甲[bold]乙[/bold]公司", "甲[bold]乙[/bold]公司"),
        ("甲\x1b[31m乙公司", "甲␛[31m乙公司"),
        ("甲公司\n授权子系统：伪造", "甲公司␊授权子系统：伪造"),
        ("长" * 200, "长" * 25),
    ],
    ids=["markup", "escape sequence", "line break", "200 characters"],
)
async def test_a_principal_whose_name_tries_to_break_the_screen(
    settings: Settings, broker: Colleague, name: str, shown: str
) -> None:
    broker.register(TWO_CARDS, name)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        assert operator.value("授权企业名称").startswith(shown)
        assert operator.row(TWO_CARDS).endswith(" 2")
        await to_the_operators(operator, "delete")
        assert shown in operator.dialog
        assert "删除后下次办理时即没有该权限" in operator.dialog
        assert "\x1b" not in operator.text
        await operator.type("y")
        assert "已删除" in operator.message
