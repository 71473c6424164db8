"""企业内授权录入 (manual 1.2, spec §2.2): handing what was received on to operators."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, Operator, at_work

OPERATOR_GRANTS = "12"
CARD, OTHER_CARD, NEW_CARD = "8900000000042", "8900000000059", "8900000000997"

# Principals of the demo, by what the broker has made of their grants.
ONE_CARD, TO_ALL, TWO_CARDS, NO_CARDS = "3122930002", "3202240003", "3223230005", "3205460004"
EXPIRED = "3302320006"


async def choose(operator: Operator, principal: str) -> None:
    """Select the first grant of a principal by the quick query, and go to the entry."""
    while operator.at_field != "授权企业编号":
        await operator.press("shift+tab")
    await operator.clear()
    await operator.type(principal)
    await operator.press("enter")
    assert "已定位到该授权" in operator.message
    await into_the_list(operator, principal)
    await operator.press("enter")
    assert operator.at_field == "操作员IC卡号"


async def into_the_list(operator: Operator, selected: str) -> None:
    """Move the focus to the upper list."""
    while operator.at_field != "授权企业社会信用代码":
        await operator.press("shift+tab" if operator.at_field != "授权企业编号" else "tab")
    await operator.press("tab")
    assert operator.row(selected).startswith("> ")


async def to_the_operators(operator: Operator, *moves: str) -> None:
    """Move the focus from the entry to the lower list, on its first row, and move there."""
    while operator.at_field:
        await operator.press("tab")
    await operator.press("home", *moves)


async def choose_all(operator: Operator) -> None:
    """From the card number: say that all operators are meant."""
    await operator.press("shift+tab", "space")
    await operator.type("S")
    await operator.press("enter")


def grant_of(colleague: Colleague, principal: str) -> int:
    """The number of the first grant that was received from a principal."""
    return next(r.grant.id for r in colleague.received() if r.grant.key.principal == principal)


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
        await operator.press("f6")
        assert operator.sees("请选择数据!")
        await operator.press("enter", "f8")
        assert operator.sees("请选择数据!")


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


async def test_another_question_begins_at_the_top(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code="44")
        at_first = operator.row("4401240010")
        assert at_first.startswith("> ")
        await operator.clear()
        await operator.type("3")
        await operator.press("f5")
        assert operator.sees("第1条 共17条")


@pytest.mark.parametrize("typed", ["9999", "３９", "[bold]", "' OR 1=1", "%"])
async def test_quick_query_that_finds_nothing_says_so_and_moves_nothing(
    settings: Settings, typed: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await quick_query(operator, customs_code=typed)
        assert "未查询到相应记录" in operator.dialog
        await operator.press("escape")
        assert operator.sees("第1条 共17条")
        assert operator.value("授权企业编号") == typed
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


# -- 添加 and 保存 -------------------------------------------------------------------


async def test_adding_a_card_and_saving_it(settings: Settings, broker: Colleague) -> None:
    grant = grant_of(broker, ONE_CARD)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        assert operator.row(NEW_CARD).endswith("未保存")
        assert operator.row(ONE_CARD).endswith("1+1")
        assert operator.value("操作员IC卡号") == ""
        assert broker.operators(grant) == [CARD]
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
        await operator.press("enter")
        assert operator.row(NEW_CARD).endswith("已保存")
        assert operator.row(ONE_CARD).endswith(" 2")
    assert broker.operators(grant) == [CARD, NEW_CARD]


async def test_enter_in_the_card_number_adds_it_too(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        for card in (CARD, OTHER_CARD, NEW_CARD):
            await operator.type(card)
            await operator.press("enter")
        assert operator.sees("操作员权限列表", "共3条")
        await operator.press("ctrl+s")
        assert "暂存成功" in operator.dialog
    assert broker.operators(grant_of(broker, NO_CARDS)) == [CARD, OTHER_CARD, NEW_CARD]


async def test_entries_under_several_grants_are_saved_together(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        for principal in (NO_CARDS, ONE_CARD):
            await choose(operator, principal)
            await operator.type(NEW_CARD)
            await operator.press("f6")
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    for principal in (NO_CARDS, ONE_CARD):
        assert NEW_CARD in broker.operators(grant_of(broker, principal))


async def test_granting_to_all_operators(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await choose_all(operator)
        assert operator.value("是否授予全部操作员") == "是"
        assert operator.sees("= 操作员IC卡号")
        await operator.press("f6")
        assert operator.sees("操作员权限列表 第1条 共1条", "全部操作员", "未保存")
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    assert broker.operators(grant_of(broker, NO_CARDS)) == [""]


async def test_for_all_operators_the_card_number_cannot_be_edited(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(CARD)
        await choose_all(operator)
        assert operator.value("操作员IC卡号") == ""
        await operator.press("tab")
        assert operator.at_field == "事由"
        await operator.press("shift+tab", "space")
        await operator.type("F")
        await operator.press("enter")
        assert operator.at_field == "操作员IC卡号"
        assert operator.sees("* 操作员IC卡号")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "请输入操作员IC卡号"),
        ("890000000004", "操作员IC卡号应为13位，现为12位"),
        ("jj7g000000073", "操作员IC卡号中的字母须为大写"),
        ("89000000000-2", "操作员IC卡号只能由数字和大写字母组成"),
        ("890000000000卡", "操作员IC卡号只能由数字和大写字母组成"),
    ],
    ids=["empty", "short", "lower case", "dash", "Chinese"],
)
async def test_a_card_number_that_cannot_be_is_told_and_kept(
    settings: Settings, typed: str, told: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(typed)
        await operator.press("f6")
        assert told in operator.message
        assert operator.at_field == "操作员IC卡号"
        assert operator.value("操作员IC卡号") == typed
        assert operator.sees("操作员权限列表 共0条")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("８９００００００００９９７", NEW_CARD),
        ("03-8900000000997", NEW_CARD),
        ("JJ7G000000073", "JJ7G000000073"),
    ],
    ids=["full width", "as middleware shows it", "letters"],
)
async def test_card_numbers_as_they_may_be_typed(
    settings: Settings, typed: str, meant: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(typed)
        await operator.press("f6")
        assert operator.row(meant).endswith("未保存")


async def test_a_card_that_is_there_already_is_refused(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(CARD)
        await operator.press("f6")
        assert f"操作员 {CARD} 已在列表中" in operator.message
        assert operator.at_field == "操作员IC卡号"
        await operator.clear()
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await operator.type(NEW_CARD)
        await operator.press("f6")
        assert f"操作员 {NEW_CARD} 已在列表中" in operator.message
        assert operator.sees("操作员权限列表 第1条 共2条")


async def test_while_all_operators_stand_a_single_card_is_refused(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TO_ALL)
        await operator.type(CARD)
        await operator.press("f6")
        assert "已授予全部操作员，不能再授予单个操作员" in operator.message
        assert operator.sees("操作员权限列表 共1条")


async def test_all_operators_replace_single_cards_after_asking_with_their_number(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, TWO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await choose_all(operator)
        await operator.press("f6")
        assert "取代已有的3张操作员卡" in operator.dialog
        await operator.press("escape")
        assert operator.row(NEW_CARD).endswith("未保存")
        await operator.press("f6")
        await operator.type("y")
        assert not operator.sees(NEW_CARD)
        assert broker.operators(grant) == [CARD, OTHER_CARD]
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
        await operator.press("enter")
        assert operator.sees("操作员权限列表", "共1条", "全部操作员")
        assert not operator.sees(OTHER_CARD)
    assert broker.operators(grant) == [""]


async def test_an_expired_grant_cannot_be_handed_on(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, EXPIRED)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        assert "到期，不能再授予操作员" in operator.message
        assert operator.value("操作员IC卡号") == NEW_CARD


async def test_saving_nothing_says_so(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("f10")
        assert "没有要保存的内容" in operator.message


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


# -- unsaved entries -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "then"), [("escape", "委托授权系统"), ("f12", "委托授权系统"), ("f3", "主选单")]
)
async def test_leaving_with_unsaved_entries_asks_first(
    settings: Settings, broker: Colleague, key: str, then: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(CARD)
        await operator.press("f6")
        await operator.type(OTHER_CARD)
        await operator.press("f6", key)
        assert "列表中有2条尚未保存的企业内授权" in operator.dialog
        await operator.press("escape")
        assert operator.row(OTHER_CARD).endswith("未保存")
        await operator.press(key)
        await operator.type("y")
        assert operator.place.startswith(then)
    assert broker.operators(grant_of(broker, NO_CARDS)) == []


async def test_leaving_the_program_with_unsaved_entries_asks_first(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.burst("<enter>", NEW_CARD, "<f6>", "<f1>", "<ctrl+q>")
        assert "列表中有1条尚未保存的企业内授权" in operator.dialog
        await operator.press("escape", "escape")
        assert operator.row(NEW_CARD).endswith("未保存")
        await operator.burst("<ctrl+q>", "y")
        await operator.wait_until(lambda: not operator.app.is_running, what="the end")


async def test_leaving_with_a_card_number_that_was_not_added_asks_first(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type("89000")
        await operator.press("escape")
        assert "录入的操作员IC卡号尚未添加" in operator.dialog
        await operator.press("escape")
        assert operator.value("操作员IC卡号") == "89000"


async def test_unsaved_entries_stay_while_other_grants_are_looked_at(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(CARD)
        await operator.press("f6")
        await choose(operator, ONE_CARD)
        assert not operator.sees("未保存")
        await choose(operator, NO_CARDS)
        assert operator.row(CARD).endswith("未保存")
        assert operator.row(NO_CARDS).endswith("0+1")


# -- two operators -------------------------------------------------------------------


async def test_a_card_that_a_colleague_has_added_meanwhile(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, NO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        for card in (CARD, NEW_CARD):
            await operator.type(card)
            await operator.press("f6")
        broker.hand_on(grant, CARD)
        await operator.press("f10")
        assert f"操作员 {CARD} 已在列表中" in operator.message
        assert operator.sees("操作员权限列表", "共3条")
        assert operator.row(NEW_CARD).endswith("未保存")
    assert broker.operators(grant) == [CARD]


async def test_cards_that_a_colleague_has_added_are_not_replaced_unseen(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, TWO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        await choose_all(operator)
        await operator.press("f6")
        assert "取代已有的2张操作员卡" in operator.dialog
        await operator.type("y")
        broker.hand_on(grant, NEW_CARD)
        await operator.press("f10")
        assert "由 2 条变为 3 条，没有保存" in operator.message
        assert operator.row(NEW_CARD).endswith("已保存")
    assert broker.operators(grant) == [CARD, OTHER_CARD, NEW_CARD]


async def test_an_operator_that_a_colleague_has_deleted(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, TWO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        await to_the_operators(operator)
        broker.take_back(grant, CARD)
        await operator.press("delete")
        await operator.type("y")
        assert "已不存在" in operator.message
        assert operator.sees("操作员权限列表", "共1条")


async def test_a_grant_that_the_principal_has_deleted_meanwhile(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("enter")
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.type(NEW_CARD)
        await operator.press("f6")
        assert "已不存在" in operator.message
        assert operator.value("操作员IC卡号") == NEW_CARD
    assert len(broker.received()) == 16


async def test_entries_under_a_deleted_grant_do_not_hold_up_the_others(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("enter")
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await choose(operator, NO_CARDS)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.press("f10")
        assert "有1条没有保存，其企业间授权已被授权企业删除" in operator.dialog
        assert NEW_CARD in operator.dialog
        await operator.press("enter")
        assert "暂存成功" in operator.dialog
        await operator.press("enter", "escape")
        assert operator.place == "委托授权系统"
    assert broker.operators(grant_of(broker, NO_CARDS)) == [NEW_CARD]


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
