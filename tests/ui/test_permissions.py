"""查看操作员权限 (manual 1.3, spec §2.3): who may work on whose data today."""

from __future__ import annotations

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, OTHER_BROKER, Operator, at_work

PERMISSIONS = "13"
AT_PRINCIPALS, ON_OWN_DATA = "本企业代理", "代理本企业"


async def query(operator: Operator, subsystem: str) -> None:
    """Choose a subsystem, which queries it."""
    await operator.press("space")
    await operator.type(subsystem)
    await operator.press("enter")


def shown(operator: Operator) -> list[str]:
    """The rows of the list."""
    return [
        " ".join(line[2:].removesuffix("#").split())
        for line in operator.lines
        if line[2:].startswith((AT_PRINCIPALS, ON_OWN_DATA))
    ]


async def test_a_principal_sees_who_may_work_on_its_data(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        assert shown(operator) == [
            "代理本企业 3101980001 加工贸易手册 操作权 8900000000042 2027-12-29",
            "代理本企业 3101980001 加工贸易手册 报关权 全部操作员 2026-12-14",
            "代理本企业 3205980002 加工贸易账册 操作权 全部操作员 2027-10-25",
        ]


async def test_an_agent_sees_what_its_operators_may_do(settings: Settings) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        assert shown(operator)[0] == (
            "本企业代理 3101440001 加工贸易手册 操作权 8900000000042 2027-12-29"
        )
        assert all(row.startswith(AT_PRINCIPALS) for row in shown(operator))


async def test_an_enterprise_sees_both_directions(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    colleague.hand_on(broker.grant("3101440001", "Z8").id, "8900000000997")
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        assert shown(operator)[0] == (
            "本企业代理 3101980001 物流账册 操作权 8900000000997 2027-12-31"
        )
        assert [row.split()[0] for row in shown(operator)[1:]] == [ON_OWN_DATA] * 3


async def test_all_operators_are_one_row(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, "95")
        assert shown(operator) == [
            "代理本企业 3205980002 加工贸易账册 操作权 全部操作员 2027-10-25"
        ]
        assert operator.value("操作员") == "全部操作员"


async def test_a_card_s_own_rights_are_marked_those_given_to_all_among_them(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    # The others' operators are not this card's, whatever card number they have typed.
    colleague.hand_on(broker.grant("3101440001", "Z8").id, OPERATOR)
    async with at_work(settings, OPERATOR, PERMISSIONS) as operator:
        assert operator.sees("* 本卡")
        ours = [row for row in shown(operator) if row.startswith(AT_PRINCIPALS)]
        assert any(f" {OPERATOR}* " in row for row in ours)
        assert any(" 全部操作员* " in row for row in ours)
        assert not any(" 8900000000059* " in row for row in ours)
        await operator.press("tab", "tab", "end")
        (theirs,) = [row for row in shown(operator) if row.startswith(ON_OWN_DATA)]
        assert "*" not in theirs


async def test_a_legal_person_has_no_rights_to_be_marked(settings: Settings) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        assert operator.sees("全部操作员")
        assert not operator.sees("本卡")
        assert not any("*" in row for row in shown(operator))


@pytest.mark.parametrize(
    ("subsystem", "title", "rows"),
    [("B1", "加工贸易手册", 2), ("95", "加工贸易账册", 1)],
)
async def test_choosing_a_subsystem_shows_only_that(
    settings: Settings, subsystem: str, title: str, rows: int
) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, subsystem)
        assert operator.sees(f"操作员权限（{title}） 第1条 共{rows}条")
        assert all(title in row for row in shown(operator))


async def test_all_subsystems_can_be_chosen_again(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, "95")
        await query(operator, "全部")
        assert operator.sees("操作员权限（全部） 第1条 共3条")


@pytest.mark.parametrize("key", ["f5", "enter"])
async def test_querying_again_shows_what_has_changed_since(
    settings: Settings, colleague: Colleague, key: str
) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
        await operator.press(key)
        assert operator.sees("共2条")


async def test_a_subsystem_without_rights_says_so(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, "X2")
        assert operator.sees("操作员权限（出境加工） 共0条")
        assert "暂无数据" in operator.message
        assert operator.value("操作员") == operator.value("授权企业") == ""


async def test_expired_grants_give_no_rights(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, "Z8")
        assert "暂无数据" in operator.message


async def test_an_operator_card_may_look(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, PERMISSIONS) as operator:
        assert operator.place == "委托授权系统 / 查看操作员权限"
        assert operator.sees("3101440001", OPERATOR)


async def test_the_selected_permission_is_shown_in_full(settings: Settings) -> None:
    async with at_work(settings, OTHER_BROKER, PERMISSIONS) as operator:
        assert operator.value("授权企业") == "3101440001 上海样例精密机械有限公司"
        assert operator.value("代理企业") == "3205980002 苏州样例通达报关有限公司"
        assert operator.value("授权期间") == "2026-10-25 至 2027-10-25"


async def test_moving_in_the_list_shows_another_one(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await operator.press("tab", "tab", "down", "down")
        assert operator.value("代理企业") == "3205980002 苏州样例通达报关有限公司"
        assert operator.value("操作员") == "全部操作员"


# -- what one card may do ----------------------------------------------------------------


async def narrow(operator: Operator, text: str) -> None:
    """From the list: have it narrowed."""
    await operator.press("ctrl+f")
    await operator.clear()
    await operator.type(text)
    await operator.press("enter")


async def test_the_list_is_sorted_and_narrowed_by_card_and_by_all_operators(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await operator.press("tab", "tab", "ctrl+o", "ctrl+o")
        assert operator.sees("按操作员IC卡号")
        cards = [row.split()[-2] for row in shown(operator)]
        assert "全部操作员" in cards
        assert cards == sorted(cards, key=lambda card: (card[0] == "8", card))
        await narrow(operator, "全部")
        assert {row.split()[-2] for row in shown(operator)} == {"全部操作员"}
        assert operator.sees("筛选全部")
        await narrow(operator, "8900000000059")
        assert {row.split()[-2] for row in shown(operator)} == {"8900000000059"}
        await operator.press("escape")
        assert [row.split()[-2] for row in shown(operator)] == cards


async def test_of_what_one_card_may_do_that_given_to_all_can_be_told_apart(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await ask_about(operator, OPERATOR)
        await operator.press("tab", "ctrl+o", "ctrl+o")
        assert {row.split()[-2] for row in shown(operator)} == {"全部操作员", OPERATOR}
        await narrow(operator, "全部操作员")
        assert {row.split()[-2] for row in shown(operator)} == {"全部操作员"}


async def ask_about(operator: Operator, card: str, key: str = "f5") -> None:
    await operator.press("tab")
    await operator.clear()
    await operator.type(card)
    await operator.press(key)


@pytest.mark.parametrize("key", ["f5", "enter"])
async def test_what_a_card_may_do_is_listed_with_what_all_operators_may(
    settings: Settings, key: str
) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await ask_about(operator, "8900000000059", key)
        assert operator.sees("8900000000059（未核实） 可以办理（全部）")
        assert shown(operator)
        assert "本企业代理 3101440001 加工贸易手册 报关权 全部操作员 2026-12-14" in shown(operator)
        assert not any(OPERATOR in row for row in shown(operator))
        whose = {row.split()[4] for row in shown(operator) if len(row.split()) == 6}
        assert whose == {"8900000000059", "全部操作员"}


async def test_what_a_card_may_do_in_one_subsystem(settings: Settings) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await ask_about(operator, OPERATOR)
        await operator.press("shift+tab")
        await query(operator, "X1")
        assert operator.sees(f"{OPERATOR}（未核实） 可以办理（核注清单）")
        assert all("核注清单" in row for row in shown(operator))


async def test_without_the_card_number_all_are_listed_again(settings: Settings) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        before = shown(operator)
        await ask_about(operator, OPERATOR)
        assert shown(operator) != before
        await operator.clear()
        await operator.press("f5")
        assert shown(operator) == before


@pytest.mark.parametrize(
    ("card", "sentence"),
    [("89", "操作员IC卡号应为13位，现为2位"), (BROKER, "法人卡不是操作员卡")],
)
async def test_a_card_that_cannot_be_asked_about_is_told_at_its_field(
    settings: Settings, card: str, sentence: str
) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await operator.burst("<tab>", "<tab>", "<ctrl+o>", "<shift+tab>", "<shift+tab>")
        await ask_about(operator, OPERATOR)
        assert shown(operator)
        await operator.clear()
        await operator.type(card)
        await operator.press("f5")
        assert sentence in operator.message
        assert operator.at_field == "操作员IC卡号"
        assert shown(operator) == []
        assert operator.sees("操作员权限（没有查询） 共0条 按有效期")
        assert not operator.sees("可以办理")
        await operator.clear()
        await operator.press("f5")
        assert operator.sees("操作员权限（全部） 第1条", "按有效期")


@pytest.mark.parametrize(
    ("card", "sentence"),
    [("123", "操作员IC卡号应为13位，现为3位"), (BROKER, "法人卡不是操作员卡")],
)
async def test_no_day_is_asked_for_that_could_not_be_shown(
    settings: Settings, card: str, sentence: str
) -> None:
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await operator.press("tab")
        await operator.type(card)
        await operator.press("ctrl+y")
        assert operator.dialog == ""
        assert sentence in operator.message
        assert "再按Ctrl+Y查看其他日期" in operator.message
        assert operator.at_field == "操作员IC卡号"
        await operator.clear()
        await operator.burst("<ctrl+y>", "+30", "<enter>")
        assert operator.sees("查看 2026-12-24")


async def test_whose_a_card_is_that_nobody_knows_is_said_to_be_unverified(
    settings: Settings,
) -> None:
    """There is no list of operators' cards, and so a typing error may do what all may."""
    async with at_work(settings, BROKER, PERMISSIONS) as operator:
        await ask_about(operator, "8900000000992")
        assert operator.sees("8900000000992（未核实） 可以办理（全部）")
        assert "8900000000992 未核实：是本企业的操作员卡，才可以办理" in operator.message
        assert all("全部操作员" in row for row in shown(operator))


async def test_the_card_at_work_has_proved_whose_it_is(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, PERMISSIONS) as operator:
        await ask_about(operator, OPERATOR)
        assert operator.sees(f"{OPERATOR} 可以办理（全部）")
        assert "未核实" not in operator.message


async def test_nothing_is_unsaved_here(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, PERMISSIONS) as operator:
        await query(operator, "95")
        await operator.press("escape")
        assert operator.place == "委托授权系统"


async def test_a_name_that_tries_to_break_the_screen(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.register("3205980002", "甲[bold]\x1b[31m乙\n公司" + "长" * 200)
    async with at_work(settings, MANUFACTURER, PERMISSIONS, size=(120, 24)) as operator:
        assert "甲[bold]␛[31m乙␊公司" in operator.row("代理本企业 3205980002")
        await operator.press("tab", "tab", "end")
        assert operator.value("代理企业").startswith("3205980002 甲[bold]␛[31m乙␊公司长")
        assert operator.value("代理企业").endswith("..")
