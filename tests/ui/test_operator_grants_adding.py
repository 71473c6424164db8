"""企业内授权录入: handing what was received on to operators."""

from __future__ import annotations

from typing import Any

import pytest

from eport_tui.card.session import CardSession
from eport_tui.errors import StoreError
from eport_tui.services import operator_grants
from eport_tui.settings import Settings
from eport_tui.store.database import Store
from eport_tui.store.faults import Lost
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, PIN, at_work
from tests.ui.operator_grants import (
    CARD,
    EXPIRED,
    NEW_CARD,
    NO_CARDS,
    ONE_CARD,
    OPERATOR_GRANTS,
    OTHER_CARD,
    TO_ALL,
    TWO_CARDS,
    add_to_two_grants,
    choose,
    choose_all,
    grant_of,
    to_the_operators,
)

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
        await add_to_two_grants(operator)
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    for principal in (NO_CARDS, ONE_CARD):
        assert NEW_CARD in broker.operators(grant_of(broker, principal))


async def test_saving_tells_how_many_grants_and_cards_it_was(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await add_to_two_grants(operator)
        await operator.type(OTHER_CARD)
        await operator.press("f6", "f10")
        assert "暂存成功2条授权共2张卡，操作员的权限已生效" in operator.dialog


async def test_saving_tells_of_all_operators_beside_cards(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await choose(operator, NO_CARDS)
        await choose_all(operator)
        await operator.press("f6", "f10")
        assert "1条授权共1张卡，1条授权授予全部操作员，操作员的权限已生效" in operator.dialog


async def test_what_is_saved_already_is_told_where_the_rest_is_refused(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await choose(operator, TWO_CARDS)
        await choose_all(operator)
        await operator.burst("<f6>", "y")
        broker.hand_on(grant_of(broker, TWO_CARDS), NEW_CARD)
        await operator.press("f10")
        assert "已保存1条。其余的：" in operator.message
        assert "由 2 条变为 3 条，没有保存" in operator.message
        assert operator.row(NO_CARDS).endswith(" 1")
    assert broker.operators(grant_of(broker, NO_CARDS)) == [NEW_CARD]
    # What is in force is not offered as unsaved after the line has dropped.
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        assert operator.dialog
        await operator.press("y")
        assert not operator.row(NO_CARDS).endswith("+1")


async def test_what_is_saved_already_is_told_where_the_server_is_lost_for_the_rest(
    settings: Settings, broker: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, tried = operator_grants.save, list[int]()

    def lose_the_second(store: Store, session: CardSession, grant_id: int, *a: Any, **kw: Any):
        tried.append(grant_id)
        if len(tried) == 2:
            raise Lost("与数据库服务器的连接已断开，没有保存")
        return save(store, session, grant_id, *a, **kw)

    monkeypatch.setattr(operator_grants, "save", lose_the_second)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await add_to_two_grants(operator)
        await operator.press("f10")
        assert "已保存1条。其余的：与数据库服务器的连接已断开，没有保存" in operator.message
        # The rest can be saved later.
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    for principal in (NO_CARDS, ONE_CARD):
        assert NEW_CARD in broker.operators(grant_of(broker, principal))


@pytest.mark.usefixtures("watchful")
async def test_what_is_saved_already_is_told_though_the_card_was_pulled_before_the_rest(
    settings: Settings, broker: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, tried = operator_grants.save, list[int]()
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:

        def pulled_before_the_second(
            store: Store, session: CardSession, grant_id: int, *a: Any, **kw: Any
        ):
            tried.append(grant_id)
            if len(tried) == 2:
                assert operator.app.demo_reader is not None
                operator.app.demo_reader.eject(session.card.ref)
            return save(store, session, grant_id, *a, **kw)

        monkeypatch.setattr(operator_grants, "save", pulled_before_the_second)
        await add_to_two_grants(operator)
        await operator.press("f10")
        await operator.wait_until(lambda: operator.place == "已锁定")
        await operator.press("f7")
        await operator.wait_for("请输入密码")
        await operator.burst(PIN, "<enter>")
        assert operator.place.endswith("企业内授权录入")
        assert "已保存1条。其余的：刚才的操作因程序锁定而中断" in operator.message


async def test_a_refusal_is_told_though_the_list_cannot_be_read_again(
    settings: Settings, broker: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, tried = operator_grants.save, list[int]()

    def disk_full(store: Store, session: CardSession, grant_id: int, *a: Any, **kw: Any):
        tried.append(grant_id)
        if len(tried) == 1:
            return save(store, session, grant_id, *a, **kw)

        def unreadable(*_: object) -> None:
            raise StoreError("读写磁盘出错")

        monkeypatch.setattr(type(store), "rows", unreadable)
        raise StoreError("磁盘空间已满，没有保存")

    monkeypatch.setattr(operator_grants, "save", disk_full)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await add_to_two_grants(operator)
        await operator.press("f10")
        assert "已保存1条。其余的：磁盘空间已满，没有保存" in operator.message


async def test_granting_to_all_operators(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await choose_all(operator)
        assert operator.value("是否授予全部操作员") == "是"
        assert operator.sees("= 操作员IC卡号")
        await operator.press("f6")
        assert operator.sees("操作员权限列表 第1条 共1条", "全部操作员", "未保存")
        assert operator.row(NO_CARDS).endswith(" +全部")
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
        await operator.press("enter")
        assert operator.row(NO_CARDS).endswith(" 全部")
    assert broker.operators(grant_of(broker, NO_CARDS)) == [""]


@pytest.mark.parametrize(
    ("principal", "count"), [(NO_CARDS, "0"), (ONE_CARD, "1"), (TO_ALL, "全部")]
)
async def test_the_upper_list_tells_all_operators_from_one_card(
    settings: Settings, principal: str, count: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, principal)
        assert operator.row(principal).endswith(f" {count}")


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


async def test_cards_that_will_be_replaced_read_so_until_the_entry_is_taken_away(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, TWO_CARDS)
        await choose_all(operator)
        await operator.burst("<f6>", "y")
        for card in (CARD, OTHER_CARD):
            assert operator.row(card).endswith("将被取代")
        await to_the_operators(operator)
        await operator.press("delete")
        for card in (CARD, OTHER_CARD):
            assert operator.row(card).endswith("已保存")


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


async def test_saving_adds_what_was_typed_first_and_shows_it(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, ONE_CARD)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("enter")
        await operator.type(OTHER_CARD)
        await operator.press("f10")
        assert "刚录入的已添加到列表，请核对后再按F10保存" in operator.message
        assert operator.row(OTHER_CARD).endswith("未保存")
        assert broker.operators(grant) == [CARD]
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    assert broker.operators(grant) == [CARD, OTHER_CARD, NEW_CARD]


async def test_saving_stops_at_a_typed_card_number_that_cannot_be(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, ONE_CARD)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("enter")
        await operator.type("89000")
        await operator.press("f10")
        assert "操作员IC卡号应为13位，现为5位" in operator.message
        assert operator.at_field == "操作员IC卡号"
    assert broker.operators(grant) == [CARD]


async def test_saving_does_not_leave_all_operators_behind(
    settings: Settings, broker: Colleague
) -> None:
    grant = grant_of(broker, NO_CARDS)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(CARD)
        await operator.press("enter")
        await choose_all(operator)
        await operator.press("f10")
        assert "取代已有的1张操作员卡" in operator.dialog
        await operator.press("escape")
        assert operator.value("是否授予全部操作员") == "是"
        assert broker.operators(grant) == []
        await operator.burst("<f10>", "y", "<f10>")
        assert "暂存成功" in operator.dialog
        await operator.press("enter")
        assert operator.value("是否授予全部操作员") == "否"
    assert broker.operators(grant) == [""]


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


async def test_leaving_with_all_operators_chosen_asks_first(settings: Settings) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(CARD)
        await operator.press("enter")
        await choose_all(operator)
        await operator.press("escape")
        assert "列表中有1条尚未保存的企业内授权，所选的授予全部操作员尚未添加" in operator.dialog
        await operator.press("escape")
        assert operator.value("是否授予全部操作员") == "是"


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


# -- another grant is selected ---------------------------------------------------------


async def test_a_card_number_typed_for_one_grant_is_not_added_to_another_unasked(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(NEW_CARD)
        await choose(operator, ONE_CARD)
        await operator.press("f6")
        assert (
            f"操作员IC卡号 {NEW_CARD} 是为「{NO_CARDS} 货物流转 操作权」录入的" in operator.dialog
        )
        assert f"现在选中的是「{ONE_CARD} " in operator.dialog
        await operator.press("enter")
        assert operator.value("操作员IC卡号") == NEW_CARD
        assert not operator.sees("未保存")
        await operator.burst("<f6>", "y")
        assert operator.row(NEW_CARD).endswith("未保存")
        assert operator.row(ONE_CARD).endswith("1+1")


@pytest.mark.parametrize("to_all", [True, False])
async def test_what_was_entered_for_another_grant_can_be_given_up_and_the_rest_saved(
    settings: Settings, broker: Colleague, to_all: bool
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await (choose_all(operator) if to_all else operator.type(OTHER_CARD))
        while operator.at_field != "授权企业编号":
            await operator.press("shift+tab")
        await operator.clear()
        await operator.burst(NO_CARDS, "<enter>", "<f10>")
        assert "还没有添加" in operator.dialog
        await operator.press("c")
        assert "录入的没有添加，已清除" in operator.message
        assert operator.value("操作员IC卡号") == ""
        assert operator.value("是否授予全部操作员") == "否"
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    assert broker.operators(grant_of(broker, ONE_CARD)) == [CARD, NEW_CARD]
    assert broker.operators(grant_of(broker, NO_CARDS)) == []


async def test_a_card_number_that_is_corrected_at_another_grant_is_meant_for_that(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(OTHER_CARD)
        await choose(operator, ONE_CARD)
        await operator.clear()
        await operator.type(NEW_CARD)
        await operator.press("f6")
        assert operator.dialog == ""
        assert operator.row(NEW_CARD).endswith("未保存")


async def test_whom_a_card_number_was_typed_for_is_known_after_a_dropped_line(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(NEW_CARD)
        await choose(operator, ONE_CARD)
        await operator.press("tab")
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await operator.press("y")
        assert operator.value("操作员IC卡号") == NEW_CARD
        await operator.press("f6")
        assert f"是为「{NO_CARDS} 货物流转 操作权」录入的" in operator.dialog


@pytest.mark.parametrize(("way", "told"), [("enter", "按Enter"), ("shift+tab", "按Shift+Tab")])
async def test_a_card_number_typed_in_a_list_by_mistake_is_told_not_to_be_entered(
    settings: Settings, way: str, told: str
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        if way == "shift+tab":
            await operator.press("tab", "tab", "tab", "tab")
        await operator.type(NEW_CARD)
        assert f"没有以「{NEW_CARD}」开头的" in operator.message
        assert f"没有录入；要录入操作员IC卡号请先{told}到该栏" in operator.message
        await operator.press(way)
        while operator.at_field == "事由":
            await operator.press(way)
        assert operator.at_field == "操作员IC卡号"


# -- two operators -------------------------------------------------------------------


async def test_what_was_granted_elsewhere_meanwhile_does_not_hold_up_the_rest(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        for card in (CARD, NEW_CARD):
            await operator.type(card)
            await operator.press("f6")
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        broker.hand_on(grant_of(broker, NO_CARDS), CARD)
        await operator.press("f10")
        assert "有1条已在别处授予，不必再保存：" in operator.dialog
        assert f"{NO_CARDS} 货物流转 操作权：{CARD}" in operator.dialog
        await operator.press("enter")
        assert "暂存成功" in operator.dialog
        await operator.press("enter", "escape")
        assert operator.place == "委托授权系统"
    for principal in (NO_CARDS, ONE_CARD):
        assert broker.operators(grant_of(broker, principal)) == [CARD, NEW_CARD]


@pytest.mark.parametrize("all_here", [True, False])
async def test_what_all_operators_were_granted_elsewhere_is_not_granted_again(
    settings: Settings, broker: Colleague, all_here: bool
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await (choose_all(operator) if all_here else operator.type(CARD))
        await operator.press("f6")
        broker.hand_on(grant_of(broker, NO_CARDS))
        await operator.press("f10")
        assert "有1条已在别处授予，不必再保存：" in operator.dialog
        await operator.press("enter")
        assert operator.dialog == ""
        assert operator.row(NO_CARDS).endswith(" 全部")
        await operator.press("f10")
        assert "没有要保存的内容" in operator.message
    assert broker.operators(grant_of(broker, NO_CARDS)) == [""]


async def test_what_was_granted_elsewhere_is_told_though_the_rest_is_refused(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await choose(operator, TWO_CARDS)
        await choose_all(operator)
        await operator.burst("<f6>", "y")
        broker.hand_on(grant_of(broker, NO_CARDS), NEW_CARD)
        broker.hand_on(grant_of(broker, TWO_CARDS), NEW_CARD)
        await operator.press("f10")
        assert "1条已在别处授予。其余的：" in operator.message
        assert operator.row(NO_CARDS).endswith(" 1")


async def test_of_a_row_that_is_not_saved_the_hint_speaks_of_taking_it_off_the_list(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, ONE_CARD)
        await operator.type(NEW_CARD)
        await operator.press("f6")
        await to_the_operators(operator)
        assert "按F8从列表中去掉（尚未保存）" in operator.message
        await operator.press("f9")
        assert "从列表中去掉" in operator.dialog
        await operator.press("escape", "down")
        assert "按F8删除所选操作员的权限" in operator.message
        await operator.press("up")
        assert "按F8从列表中去掉（尚未保存）" in operator.message


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
        assert operator.row(NEW_CARD).endswith("将被取代")
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
        assert f"3101440001 加工贸易手册 操作权：{NEW_CARD}" in operator.dialog
        await operator.press("enter")
        assert "暂存成功" in operator.dialog
        await operator.press("enter", "escape")
        assert operator.place == "委托授权系统"
    assert broker.operators(grant_of(broker, NO_CARDS)) == [NEW_CARD]
