"""换卡: what an operator's card was granted goes over to another one."""

from __future__ import annotations

import pytest

from eport_tui.services import operator_grants
from eport_tui.settings import Settings
from eport_tui.store import ledger
from tests.ui.colleague import Colleague
from tests.ui.operator import BROKER, OPERATOR, OTHER_BROKER, Operator, at_work

REPLACEMENT = "16"
OLD, OTHER, NEW = "8900000000042", "8900000000059", "8900000000997"
NOT_LEGAL_PERSON = "非法人卡，不允许操作!"


def count(colleague: Colleague, card: str) -> int:
    """How many operator grants a card has under what the enterprise received."""
    return sum(card in colleague.operators(row.grant.id) for row in colleague.received())


async def look(operator: Operator, old: str = OLD, new: str = NEW) -> None:
    """From an empty form: give both numbers."""
    await operator.burst(old, "<enter>", new, "<enter>")


async def test_everything_moves_after_it_was_shown_and_agreed_to(
    settings: Settings, broker: Colleague
) -> None:
    held = count(broker, OLD)
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        assert operator.place == "委托授权系统 / 换卡"
        assert operator.at_field == "原IC卡号"
        await look(operator)
        assert operator.sees(f"要转移的企业内授权 第1条 共{held}条", "已过期1条")
        assert operator.message == f"请核对列出的{held}条授权，再按F10换卡"
        await operator.press("f10")
        assert operator.sees(
            f"原卡：{OLD}",
            f"新卡：{NEW}",
            "程序无法核实新卡是本企业的卡，请核对卡号。",
            f"{held}条企业内授权转到新卡，原卡不再有这些权限。",
            "其中1条的企业间授权已过期，续期后新卡才能办理。",
        )
        assert count(broker, OLD) == held
        await operator.type("y")
        assert f"换卡成功{OLD}的8条权限已转到{NEW}" in operator.dialog
        await operator.press("enter")
        assert operator.value("原IC卡号") == operator.value("新IC卡号") == ""
        assert operator.sees("共0条")
        await operator.press("escape")
        assert operator.place == "委托授权系统"
    assert (count(broker, OLD), count(broker, NEW)) == (0, held)


async def test_the_cursor_begins_on_no(settings: Settings, broker: Colleague) -> None:
    held = count(broker, OLD)
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        await operator.press("f10", "enter")
        assert operator.dialog == ""
        assert operator.value("原IC卡号") == OLD
    assert count(broker, OLD) == held


async def test_f10_shows_first_what_would_move(settings: Settings) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await operator.burst(OLD, "<enter>", NEW, "<f10>")
        assert operator.dialog == ""
        assert "请核对列出的" in operator.message


async def test_the_list_scrolls_and_shows_each_with_its_state(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        assert operator.row("3101440001   上海样例精密..  物流账册").endswith("已过期")
        assert operator.row("3101440001   上海样例精密..  加工贸易手册").endswith("有效")
        await operator.press("end")
        held = count(broker, OLD)
        assert operator.sees(f"第{held}条 共{held}条")


async def test_where_the_new_card_has_one_already_that_is_said(
    settings: Settings, broker: Colleague
) -> None:
    held = count(broker, OLD)
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator, new=OTHER)
        assert operator.sees("新卡已有4条")
        assert operator.row("3101440001   上海样例精密..  物流账册").endswith("已有 已过期")
        await operator.press("f10")
        assert "其中4条新卡已有，只删除原卡的。" in operator.dialog
        await operator.type("y")
        assert f"{held}条权限已转到{OTHER}其中4条新卡已有，只删除了原卡的" in operator.dialog
    assert count(broker, OLD) == 0
    assert count(broker, OTHER) >= held


@pytest.mark.parametrize(
    ("old", "new", "field", "told"),
    [
        ("89", NEW, "原IC卡号", "原IC卡号应为13位，现为2位"),
        (OLD, "", "新IC卡号", "请输入新IC卡号"),
        (OLD, "890000000004-", "新IC卡号", "只能由数字和大写字母组成"),
        (OLD, OLD, "新IC卡号", "新IC卡号与原IC卡号相同"),
        (OLD, BROKER, "新IC卡号", "法人卡不是操作员卡"),
        (NEW, OTHER, "原IC卡号", f"卡 {NEW} 没有本企业授予的权限，不需要换卡"),
    ],
)
async def test_numbers_that_will_not_do_are_told_at_their_field(
    settings: Settings, old: str, new: str, field: str, told: str
) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator, old, new)
        assert told in operator.message
        assert operator.at_field == field
        assert (operator.value("原IC卡号"), operator.value("新IC卡号")) == (old, new)


async def test_another_number_takes_the_list_away(settings: Settings) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        await operator.press("shift+tab", "shift+tab", "backspace")
        assert operator.sees("共0条")
        await operator.press("f10")
        assert operator.dialog == ""
        assert "应为13位，现为12位" in operator.message


async def test_what_a_colleague_has_changed_is_told_and_shown(
    settings: Settings, broker: Colleague
) -> None:
    held = count(broker, OLD)
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        grant = next(r.grant for r in broker.received() if OLD in broker.operators(r.grant.id))
        broker.take_back(grant.id, OLD)
        await operator.press("f10")
        await operator.type("y")
        assert f"原为 {held} 条，现为 {held - 1} 条，没有换卡" in operator.message
        assert operator.sees(f"共{held - 1}条")
        await operator.press("f10")
        await operator.type("y")
        assert "换卡成功" in operator.dialog


async def test_the_reason_is_recorded(settings: Settings, broker: Colleague) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        await operator.press("shift+tab")
        assert operator.at_field == "事由"
        await operator.burst("卡片损坏", "<f10>", "y")
        assert "换卡成功" in operator.dialog
    last = ledger.get(broker.store, ledger.head(broker.store).number)
    assert last is not None
    assert '"reason":"卡片损坏"' in last.payload


async def test_leaving_with_numbers_asks(settings: Settings) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await operator.burst(OLD, "<escape>")
        assert "录入的换卡尚未办理" in operator.dialog
        await operator.press("escape")
        assert operator.value("原IC卡号") == OLD
        await operator.press("escape")
        await operator.type("y")
        assert operator.place == "委托授权系统"


async def test_a_line_that_drops_loses_nothing(settings: Settings) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await operator.burst(OLD, "<enter>", NEW, "<tab>", "<f7>", "<escape>")
        await operator.log_in(BROKER)
        assert "在「委托授权系统 / 换卡」中有未保存的录入" in operator.dialog
        await operator.press("enter")
        assert (operator.value("原IC卡号"), operator.value("新IC卡号")) == (OLD, NEW)


async def test_an_operator_s_card_is_refused_at_the_menu(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, REPLACEMENT) as operator:
        assert NOT_LEGAL_PERSON in operator.dialog
        await operator.press("enter")
        assert operator.place == "委托授权系统"


async def test_another_agent_moves_nothing_of_this_one(
    settings: Settings, broker: Colleague
) -> None:
    held = count(broker, OLD)
    async with at_work(settings, OTHER_BROKER, REPLACEMENT) as operator:
        await look(operator)
        assert "没有本企业授予的权限" in operator.message
        assert operator.sees("暂无数据")
    assert count(broker, OLD) == held


async def test_f11_asks_about_the_old_card(settings: Settings) -> None:
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        await operator.press("f11")
        assert operator.place == "委托授权系统 / 授权核查"
        assert operator.sees(OLD)


async def test_a_name_that_tries_to_break_the_screen(settings: Settings, broker: Colleague) -> None:
    broker.register("3101440001", "甲[bold]\x1b[31m乙\n公司")
    async with at_work(settings, BROKER, REPLACEMENT, size=(120, 24)) as operator:
        await look(operator)
        assert "甲[bold]␛[31m乙␊公司" in operator.row("3101440001")


async def test_to_all_operators_is_left_alone(settings: Settings, broker: Colleague) -> None:
    def to_all() -> list[int]:
        return [row.grant.id for row in broker.received() if "" in broker.operators(row.grant.id)]

    before = to_all()
    assert before
    async with at_work(settings, BROKER, REPLACEMENT) as operator:
        await look(operator)
        await operator.press("f10")
        await operator.type("y")
    assert to_all() == before
    assert operator_grants.granted(broker.store, broker.session, before[0]).count().number == 1
