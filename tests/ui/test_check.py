"""授权核查: the question, the chain, what would help, and the way there from a row."""

from __future__ import annotations

import re

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, OTHER_BROKER, Operator, at_work

CHECK = "14"
PLACE = "委托授权系统 / 授权核查"
PRINCIPAL_CODE, BROKER_CODE = "3101440001", "3101980001"


async def to_the_list(operator: Operator) -> None:
    """On from the fields to the list that comes next."""
    await operator.press("tab")
    while operator.at_field:
        await operator.press("tab")


async def ask(operator: Operator, enterprise: str, subsystem: str, action: str) -> None:
    """Fill in the rest of the form, about the own card, which asks."""
    await operator.burst(
        enterprise, "<enter>", "<enter>", "<space>", subsystem, "<enter>", "<space>", action
    )
    await operator.press("enter")


def chain(operator: Operator) -> list[str]:
    """The links with their states."""
    labels = ("IC卡", "-> 企业内授权", "代理企业", "-> 企业间授权", "授权企业")
    return [
        " ".join(line.split())
        for line in operator.lines
        if line.startswith("  ") and line[2:].startswith(labels) and "*" not in line[:4]
    ]


def states(operator: Operator) -> list[str]:
    return [" ".join(line.split()[-2:]) for line in chain(operator)]


async def test_an_operator_asks_about_the_own_card(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        assert operator.place == PLACE
        assert operator.value("操作员IC卡号") == OPERATOR
        assert operator.value("卡所属企业编号") == BROKER_CODE
        assert operator.value("核查日期") == "2026-11-24"
        assert operator.at_field == "授权企业编号"
        await ask(operator, PRINCIPAL_CODE, "B1", "申报")
        assert operator.sees("核查结果 + 允许：操作权有效，代理企业已授予该卡")
        assert chain(operator) == [
            f"IC卡 {OPERATOR} 操作员卡 + 有效",
            "-> 企业内授权 授予该卡，2026-05-08 起 + 有效",
            "代理企业 3101980001 上海样例第一报关有限公司 + 有效",
            "-> 企业间授权 加工贸易手册 操作权，2026-05-08 至 2027-12-29 + 有效",
            "授权企业 3101440001 上海样例精密机械有限公司 + 有效",
        ]
        assert not operator.sees("办法")


async def test_a_legal_person_asks_about_an_operator_s_card(settings: Settings) -> None:
    async with at_work(settings, BROKER, CHECK) as operator:
        # The own card can never be an operator's.
        assert operator.value("操作员IC卡号") == ""
        assert operator.value("卡所属企业编号") == BROKER_CODE
        assert operator.at_field == "操作员IC卡号"
        await operator.burst(OPERATOR, "<enter>", "<enter>")
        await ask(operator, PRINCIPAL_CODE, "B1", "申报")
        assert operator.sees("+ 允许：操作权有效，代理企业已授予该卡")


async def test_a_card_that_nobody_knows_is_not_called_valid(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await operator.press("shift+tab", "shift+tab")
        await operator.burst("8900000009999", "<enter>", "<enter>")
        await ask(operator, PRINCIPAL_CODE, "B1", "报关")
        assert operator.sees("+ 允许：报关权有效，代理企业已授予全部操作员")
        assert chain(operator)[0] == (
            "IC卡 8900000009999 操作员卡（按所填，请核对是谁的卡） = 未核实"
        )


async def test_f4_is_offered_where_it_opens_a_list(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        offered: dict[str, str] = {}
        await operator.press("shift+tab", "shift+tab")
        for _ in range(6):
            offered[operator.at_field] = "".join(re.findall("F4(..)", operator.legend))
            await operator.press("tab")
        assert offered == {
            "操作员IC卡号": "",
            "卡所属企业编号": "",
            "授权企业编号": "",
            "核查日期": "日历",
            "授权子系统": "列表",
            "操作": "列表",
        }
        # In the answer below there is nothing to be chosen.
        assert "F4" not in operator.legend


async def test_the_last_line_and_the_hint_use_the_same_word(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        assert "F5核查" in operator.legend
        await operator.press("enter", "enter", "enter", "enter", "enter")
        await operator.press("f1")
        assert operator.sees("核查录入的卡在那一天能否办理该操作")


async def test_a_no_says_what_is_missing_and_who_can_help(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await ask(operator, PRINCIPAL_CODE, "Z8", "申报")
        assert operator.sees("核查结果 x 不允许")
        assert states(operator) == ["+ 有效", "+ 有效", "+ 有效", "x 已到期", "+ 有效"]
        assert operator.sees(
            "缺少 操作权的有效期至 2026-11-14，在核查日期之前",
            "办法 1. 由授权企业 3101440001 的法人卡在「企业间授权录入」打开「物流账册」的操作权，"
            "把有效期改到 2026-11-24 或以后，原有的企业内授权随之恢复",
        )


async def test_another_firm_s_legal_person_is_no_operator_of_one_s_own(settings: Settings) -> None:
    async with at_work(settings, BROKER, CHECK) as operator:
        await operator.burst(OTHER_BROKER, "<enter>", "<enter>")
        await ask(operator, PRINCIPAL_CODE, "B1", "报关")
        assert operator.message.startswith(f"x 卡 {OTHER_BROKER} 是另一企业的法人卡")


async def test_a_slip_in_an_enterprise_s_code_is_told_first(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await to_the_list(operator)
        await operator.press("f11")
        await operator.burst(BROKER, "<enter>", "8900000000", "<f5>")
        # That card is known, and not as one of an enterprise which does not exist.
        assert operator.message.startswith("x 未查询到该企业 8900000000（请核对编号")
        assert operator.at_field == "卡所属企业编号"
        await operator.press("shift+tab")
        await operator.burst(OPERATOR, "<f5>")
        assert operator.sees("x 不允许", "缺少 企业 8900000000 不在企业库中；企业 3101440001 没有")


async def test_the_longest_way_is_whole_at_80x24(settings: Settings) -> None:
    async with at_work(settings, BROKER, CHECK) as operator:
        await operator.burst(BROKER, "<enter>", "<enter>")
        await operator.burst("3199940009", "<enter>", "20260101", "<enter>")
        await operator.burst("<space>", "Z7", "<enter>", "<space>", "报关", "<enter>")
        assert operator.sees("1. 改用企业 3101980001 的操作员卡", "2. 授权不追溯以往")
        assert operator.sees("3. 企业 3199940009 不在企业库中", "4. 由授权企业", "5. 由代理企业")
        assert operator.sees("授予该操作员卡或全部操作员")
        before = operator.text
        await operator.press("tab", "pagedown")
        assert operator.text != before
        await operator.press("pageup", "up")
        assert operator.sees("IC卡")


async def test_a_day_in_the_past_can_be_asked_about(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await operator.burst(PRINCIPAL_CODE, "<enter>", "20261114", "<enter>")
        await operator.burst("<space>", "Z8", "<enter>", "<space>", "申报", "<enter>")
        assert operator.sees("+ 允许")


@pytest.mark.parametrize("key", ["f5", "enter"])
async def test_a_new_question_takes_the_old_answer_away(settings: Settings, key: str) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await ask(operator, PRINCIPAL_CODE, "B1", "申报")
        await operator.press("shift+tab", "shift+tab")
        await operator.burst("20300101")
        assert chain(operator) == []
        if key == "enter":
            await operator.press("enter", "enter")
        await operator.press(key)
        assert "x 已到期" in states(operator)


@pytest.mark.parametrize(
    ("keys", "field", "sentence"),
    [
        (["<f5>"], "授权企业编号", "请输入授权企业编号"),
        (["310144", "<f5>"], "授权企业编号", "授权企业编号应为10位，现为6位"),
        ([PRINCIPAL_CODE, "<f5>"], "授权子系统", "请选择授权子系统"),
        ([PRINCIPAL_CODE, "<enter>", "2026", "<f5>"], "核查日期", "核查日期的格式不对"),
        (["<shift+tab>", "<shift+tab>", "89", "<f5>"], "操作员IC卡号", "IC卡号应为13位"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    settings: Settings, keys: list[str], field: str, sentence: str
) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await operator.burst(*keys)
        assert sentence in operator.message
        assert operator.at_field == field


async def test_what_others_granted_each_other_is_refused(settings: Settings) -> None:
    async with at_work(settings, OTHER_BROKER, CHECK) as operator:
        await operator.burst(OPERATOR, "<enter>", BROKER_CODE, "<enter>", PRINCIPAL_CODE)
        await operator.burst("<enter>", "<enter>", "<space>", "B1", "<enter>")
        await operator.burst("<space>", "申报", "<enter>")
        assert "只能核查与本企业有关的授权" in operator.message
        assert chain(operator) == []


async def test_what_has_changed_since_is_seen_at_the_next_query(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await ask(operator, PRINCIPAL_CODE, "B1", "申报")
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.press("f5")
        assert operator.sees("x 不允许", "只有报关权，没有操作权")


async def test_esc_goes_back_and_nothing_is_unsaved(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, CHECK) as operator:
        await operator.type("3101")
        await operator.press("escape")
        assert operator.place == "委托授权系统"


# -- from a row --------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["f11", "ctrl+t"])
async def test_from_a_grant_that_was_made(settings: Settings, key: str) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await to_the_list(operator)
        await operator.press("down")
        before = operator.text
        await operator.press(key)
        assert operator.place == PLACE
        assert operator.value("授权企业编号") == PRINCIPAL_CODE
        assert operator.value("卡所属企业编号") == BROKER_CODE
        assert operator.value("操作") == "报关调用"
        assert operator.at_field == "操作员IC卡号"
        await operator.burst("8900000000059", "<f5>")
        assert operator.sees("+ 允许：报关权有效，代理企业已授予全部操作员")
        await operator.press("escape")
        assert operator.text == before


async def test_from_a_grant_that_was_made_what_is_typed_stays(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.type("3205980002")
        await to_the_list(operator)
        await operator.press("f11", "escape")
        assert operator.value("代理企业编号") == "3205980002"


async def test_from_an_operator_of_a_received_grant(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.press("down", "down")
        await to_the_list(operator)
        await operator.press("f11")
        assert operator.place == PLACE
        assert operator.value("操作员IC卡号") == OPERATOR
        assert states(operator) == ["= 未核实", "+ 有效", "+ 有效", "x 已到期", "+ 有效"]
        await operator.press("escape")
        assert operator.place == "委托授权系统 / 企业内授权录入"
        assert operator.sees("第3条")


async def test_from_a_permission(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, "13") as operator:
        await to_the_list(operator)
        await operator.press("down")
        before = operator.text
        await operator.press("f11")
        # Granted to all operators: it is asked about the own card.
        assert operator.value("操作员IC卡号") == OPERATOR
        assert operator.sees("+ 允许：报关权有效，代理企业已授予全部操作员")
        await operator.press("escape")
        assert operator.text == before


@pytest.mark.parametrize(
    ("card", "where"),
    [(MANUFACTURER, "11"), (BROKER, "12"), (OPERATOR, "13"), (MANUFACTURER, "15")],
)
async def test_from_a_list_of_another_day_that_day_is_asked_about(
    settings: Settings, card: str, where: str
) -> None:
    async with at_work(settings, card, where) as operator:
        await operator.burst("<ctrl+y>", "2026-11-20", "<enter>")
        await to_the_list(operator)
        await operator.press("f11")
        assert operator.place == PLACE
        assert operator.value("核查日期") == "2026-11-20"
        await operator.press("escape")
        assert operator.sees("查看 2026-11-20")


@pytest.mark.parametrize(("card", "where"), [(MANUFACTURER, "11"), (BROKER, "12")])
async def test_from_the_menu_of_a_row(settings: Settings, card: str, where: str) -> None:
    async with at_work(settings, card, where) as operator:
        await to_the_list(operator)
        await operator.press("f9")
        assert "核查" in operator.dialog
        await operator.press("f11")
        assert operator.place == PLACE


async def test_without_a_row_there_is_nothing_to_ask_about(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press("f11")
        assert "请选择数据!" in operator.dialog


@pytest.mark.parametrize("key", ["f11", "ctrl+r"])
async def test_where_no_rights_are_listed_that_is_said(settings: Settings, key: str) -> None:
    async with at_work(settings, OTHER_BROKER, "13") as operator:
        await operator.burst("<space>", "X2", "<enter>")
        await operator.press(key)
        assert "列表中没有操作员权限" in operator.dialog
