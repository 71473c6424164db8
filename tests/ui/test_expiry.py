"""到期提醒: what runs out, renewed by keyboard one by one or together, or meant to lapse."""

from __future__ import annotations

import re
from datetime import date

import pytest

from eport_tui.domain.grants import GrantKey
from eport_tui.settings import Settings
from tests.rows import insert_grant
from tests.ui.colleague import BROKER_CODE, OTHER_BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, OTHER_BROKER, Operator, at_work

EXPIRY = "15"
NEXT_YEAR = date(2027, 11, 24)
ONLY_LEGAL_PERSONS = "续期和到期不续只有法人卡可以办理"


def shown(operator: Operator) -> list[str]:
    """The rows of the list, without cursor and marks."""
    return [
        " ".join(line[2:].split())
        for line in operator.lines
        if line[2:].startswith(("本企业代理", "代理本企业"))
    ]


def marks(operator: Operator) -> int:
    """How many of the rows on the screen are marked."""
    return sum(line[1:].startswith(("*本企业代理", "*代理本企业")) for line in operator.lines)


async def choose_within(operator: Operator, days: str) -> None:
    """From the list: another time to look ahead."""
    await operator.press("shift+tab", "shift+tab", "space")
    await operator.type(days)
    await operator.press("enter")


def until(colleague: Colleague, agent: str, subsystem: str, grant_type: str) -> date:
    return colleague.grant_to(agent, subsystem, grant_type).valid_until


# -- what is listed ----------------------------------------------------------------------


async def test_what_has_run_out_and_what_will_within_thirty_days(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        assert operator.place == "委托授权系统 / 到期提醒"
        assert operator.value("到期范围") == "30天内"
        assert shown(operator) == [
            "代理本企业 3205980002 加工贸易账册 报关权 2026-10-20 已过35天 已过期",
            "代理本企业 3101980001 物流账册 操作权 2026-11-14 已过10天 已过期",
            "代理本企业 3101980001 加工贸易手册 报关权 2026-12-14 20天 即将到期",
        ]
        assert "按空格键选择" in operator.message


@pytest.mark.parametrize(("days", "count"), [("30", 1), ("60", 2), ("90", 3)])
async def test_the_time_looked_ahead_can_be_chosen(
    settings: Settings, colleague: Colleague, days: str, count: int
) -> None:
    for last_day in ("2027-01-23", "2027-02-22"):
        colleague.grant("3101980001", "B3" if last_day < "2027-02" else "Z7", last_day)
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await choose_within(operator, days)
        assert operator.value("到期范围") == f"{days}天内"
        assert operator.sees(f"第1条 共{2 + count}条")


async def test_an_agent_sees_what_it_received(settings: Settings) -> None:
    async with at_work(settings, BROKER, EXPIRY) as operator:
        assert len(shown(operator)) == 7
        assert all(row.startswith("本企业代理") for row in shown(operator))


async def test_the_selected_grant_is_shown_in_full(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("down")
        assert operator.value("授权企业") == "3101440001 上海样例精密机械有限公司"
        assert operator.value("代理企业") == "3101980001 上海样例第一报关有限公司"
        assert operator.value("授权期间") == "2026-01-28至2026-11-14"
        assert operator.value("操作员") == "2条企业内授权"
        assert operator.value("续期") == "由本企业办理"
        assert operator.value("中断") == "没有"


async def test_nothing_to_tell_is_told(settings: Settings, colleague: Colleague) -> None:
    for row in colleague.made():
        if row.grant.valid_until < NEXT_YEAR:
            colleague.delete(row.grant)
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        assert operator.message == "30天内没有到期的授权，也没有已过期的"
        assert operator.sees("暂无数据")
        assert operator.value("授权企业") == ""
        await operator.press("f10")
        assert "请选择数据!" in operator.dialog


async def test_a_gap_is_marked_in_the_list_and_told(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.change(colleague.grant_to(OTHER_BROKER_CODE, "95", "X2"), date(2026, 12, 1))
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("down")
        assert "2026-12-01~" in operator.row("代理本企业 3205980002")
        assert operator.value("中断") == "2026-10-21至2026-11-23"


async def test_a_name_that_tries_to_break_the_screen(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.register(OTHER_BROKER_CODE, "甲[bold]\x1b[31m乙\n公司")
    async with at_work(settings, MANUFACTURER, EXPIRY, size=(120, 24)) as operator:
        assert "甲[bold]␛[31m乙␊公司" in operator.row("代理本企业 3205980002")
        assert operator.value("代理企业") == "3205980002 甲[bold]␛[31m乙␊公司"


# -- marks -------------------------------------------------------------------------------


async def test_space_marks_a_row_and_goes_on(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("space", "space")
        assert operator.sees("第3条 共3条 已选2条")
        assert marks(operator) == 2
        await operator.press("home", "space")
        assert operator.sees("第2条 共3条 已选1条")
        await operator.press("f6")
        assert (marks(operator), operator.sees("已选3条")) == (3, True)
        await operator.press("f6")
        assert (marks(operator), operator.sees("已选")) == (0, False)


async def test_marks_stay_when_the_list_is_read_again(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("space", "f5")
        assert operator.row("代理本企业 3205980002").startswith(" *")


# -- renewing ----------------------------------------------------------------------------


async def test_several_are_renewed_with_one_date(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<f6>", "<enter>", "+1y", "<f10>")
        assert operator.sees(
            "将3条授权续期至 2027-11-24。",
            "其中2条已过期，续期后从今天起有效，代理企业原有的2条企业内授权将一并恢复。",
        )
        assert until(colleague, BROKER_CODE, "Z8", "X1") == date(2026, 11, 14)
        await operator.type("y")
        assert operator.message == "+ 已将3条授权续期至 2027-11-24"
        assert shown(operator) == []
    for agent, subsystem, grant_type in (
        (BROKER_CODE, "B1", "X2"),
        (BROKER_CODE, "Z8", "X1"),
        (OTHER_BROKER_CODE, "95", "X2"),
    ):
        assert until(colleague, agent, subsystem, grant_type) == NEXT_YEAR


async def test_without_marks_the_selected_one_is_renewed(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("end", "f10")
        assert operator.at_field == "续期至"
        assert "请录入续期至的日期" in operator.message
        await operator.burst("20261123", "<f10>")
        assert "续期至 2026-11-23 已过" in operator.message
        await operator.press("ctrl+u")
        await operator.burst("20270101", "<f10>")
        assert "将1条授权续期至 2027-01-01" in operator.dialog
        assert operator.sees("代理企业：3101980001 授权子系统：加工贸易手册 授权类型：报关权")
        assert "已过期" not in operator.dialog
        await operator.press("enter")
        assert len(shown(operator)) == 2
    assert until(colleague, BROKER_CODE, "B1", "X2") == date(2027, 1, 1)


async def test_the_date_is_asked_for_again_after_a_renewal(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<enter>", "+1y", "<f10>", "<enter>")
        assert operator.message == "+ 已将1条授权续期至 2027-11-24"
        assert operator.value("续期至") == ""
        await operator.burst("<f10>", "<enter>")
        assert operator.dialog == ""
        assert operator.at_field == "续期至"
        assert len(shown(operator)) == 2
        await operator.burst("20270101", "<f10>")
        assert "将1条授权续期至 2027-01-01" in operator.dialog


@pytest.mark.parametrize("answer", ["n", "<escape>"])
async def test_a_no_renews_nothing_and_keeps_what_was_chosen(
    settings: Settings, colleague: Colleague, answer: str
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<f6>", "<enter>", "+1y", "<f10>", answer)
        assert marks(operator) == 3
        assert operator.value("续期至") == "+1y"
    assert until(colleague, BROKER_CODE, "B1", "X2") == date(2026, 12, 14)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("20261101", "已过"),
        ("2026-02-30", "不存在"),
        ("+0", "有效期已至 2026-12-14"),
        ("soon", "格式"),
    ],
)
async def test_a_date_that_will_not_do_is_told_at_its_field(
    settings: Settings, typed: str, told: str
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<end>", "<enter>", typed, "<f10>")
        assert operator.dialog == ""
        assert told in operator.message
        assert operator.at_field == "续期至"
        assert operator.value("续期至") == typed


async def test_a_date_far_away_is_asked_about_with_the_cursor_on_no(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<end>", "<enter>", "+11y", "<f10>")
        assert "有效期超过10年，请核对" in operator.dialog
        await operator.press("enter")
        assert operator.dialog == ""
    assert until(colleague, BROKER_CODE, "B1", "X2") == date(2026, 12, 14)


async def test_what_was_received_says_whom_to_ask(settings: Settings) -> None:
    async with at_work(settings, BROKER, EXPIRY) as operator:
        await operator.press("f10")
        assert operator.sees(
            "本企业不能续期。请联系授权企业：", "3101440001 上海样例精密机械有限公司"
        )


async def test_of_both_kinds_only_those_made_are_renewed(
    settings: Settings, broker: Colleague
) -> None:
    made = broker.grant("3205980002", "95", "2026-12-01")
    async with at_work(settings, BROKER, EXPIRY) as operator:
        await operator.burst("<f6>", "<enter>", "+1y", "<f10>")
        assert operator.sees("将1条授权续期至", "授予本企业的不在其内", "等6家")
        await operator.type("y")
        assert len(shown(operator)) == 7
    assert until(broker, made.key.agent, "95", "X1") == NEXT_YEAR


async def test_a_colleague_s_change_is_told_and_shown(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.burst("<f6>", "<enter>", "+1y")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1", "X2"), date(2026, 12, 20))
        await operator.press("f10")
        assert "已被他人修改，没有保存" in operator.message
        assert "2026-12-20" in operator.row("代理本企业 3101980001 加工贸易手册")
        assert marks(operator) == 0


@pytest.mark.parametrize("at", [(), ("shift+tab",)])
@pytest.mark.parametrize("key", ["f10", "f8"])
async def test_an_operator_s_card_may_only_look(
    settings: Settings, key: str, at: tuple[str, ...]
) -> None:
    async with at_work(settings, OPERATOR, EXPIRY) as operator:
        assert len(shown(operator)) == 7
        assert operator.message == f"{ONLY_LEGAL_PERSONS}；F11核查"
        await operator.press(*at)
        assert not {"空格", "F6", "F8", "F10"} & set(re.findall(r"空格|F\d+", operator.legend))
        await operator.press(key)
        assert operator.message == f"! {ONLY_LEGAL_PERSONS}"
        assert operator.dialog == ""


async def test_an_operator_s_card_types_no_date_to_renew_to(settings: Settings) -> None:
    async with at_work(settings, OPERATOR, EXPIRY) as operator:
        assert operator.sees("= 续期至", "* 到期范围")
        await operator.press("enter")
        assert not operator.at_field
        assert operator.message == f"! {ONLY_LEGAL_PERSONS}"
        await operator.press("shift+tab")
        assert operator.at_field == "到期范围"
        await operator.press("enter")
        assert not operator.at_field
        assert "按F10" not in operator.message
        await operator.burst("<ctrl+y>", "+10", "<enter>", "<ctrl+y>", "<enter>")
        assert operator.sees("= 续期至", "* 到期范围")


# -- meant to lapse ----------------------------------------------------------------------


async def test_f8_is_for_the_list_alone(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        assert "Enter到「续期至」" in operator.message
        await operator.press("enter", "f8")
        assert operator.message == "! F8只在列表中可用，请按Tab到列表，核对所选的授权"
        assert len(shown(operator)) == 3


async def test_what_is_meant_to_lapse_is_not_listed_any_more_until_taken_back(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f8")
        assert operator.message == "+ 已标记到期不续1条，不再提醒。按F2可查看和恢复"
        assert len(shown(operator)) == 2
        assert "F2含不续" in operator.legend
        await operator.press("f2")
        assert operator.sees("到期的授权（含到期不续的） 第1条 共3条")
        assert operator.row("代理本企业 3205980002").endswith("到期不续")
        assert "F2不含" in operator.legend
        await operator.press("f8")
        assert operator.message == "+ 已恢复提醒1条"
        await operator.press("f8")
        assert operator.message == "+ 已标记到期不续1条，不再提醒。再按F8恢复提醒"
        await operator.press("f8", "f2")
        assert "F2含不续" in operator.legend
        assert len(shown(operator)) == 3


async def test_where_all_is_meant_to_lapse_it_is_said_how_much_is_not_listed(
    settings: Settings,
) -> None:
    told = "30天内没有要提醒的授权；到期不续的有{}条，按F2列出"
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f6", "f8", "f2", "f2")
        assert operator.message == told.format(3)
        assert operator.sees("共0条")
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        assert operator.message == told.format(3)
        await operator.burst("<ctrl+y>", "20261101", "<enter>", "<ctrl+y>", "<enter>")
        assert operator.message == "+ 已返回今天"
        await operator.press("f2")
        assert len(shown(operator)) == 3
        await operator.press("space", "f8", "f2")
        assert len(shown(operator)) == 1


async def test_f2_says_where_nothing_is_meant_to_lapse(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f2")
        assert "没有标记为到期不续的授权" in operator.message


async def test_an_operators_card_is_not_told_of_keys_that_it_may_not_use(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, EXPIRY) as operator:
        await operator.press("f8")
        assert "已标记到期不续1条" in operator.message
    async with at_work(settings, OPERATOR, EXPIRY) as operator:
        await operator.press("f2")
        assert "已列出到期不续的授权" in operator.message
        assert "F8" not in operator.message


async def test_who_received_a_grant_is_not_told_to_renew_it(settings: Settings) -> None:
    async with at_work(settings, BROKER, EXPIRY) as operator:
        assert operator.message == "授予本企业的授权由授权企业续期；不再续期的按空格键选择，再按F8"


async def test_the_last_line_says_what_f8_does_with_what_is_chosen(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        assert "F8不续" in operator.legend
        await operator.press("end", "f8", "f2", "end")
        assert "F8恢复" in operator.legend
        assert "按F8恢复提醒" in operator.message
        await operator.press("space", "home")
        assert "F8恢复" in operator.legend
        await operator.press("space")
        assert "F8不续" in operator.legend
        await operator.press("f6", "f6", "end")
        assert "F8恢复" in operator.legend
        await operator.press("f6")
        assert "F8不续" in operator.legend
        await operator.press("f6", "f8")
        assert operator.message == "+ 已恢复提醒1条"
        assert "F8不续" in operator.legend


async def test_several_at_once_lapse(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f6", "f8")
        assert "已标记到期不续3条" in operator.message
        assert shown(operator) == []


async def test_a_renewal_elsewhere_lists_it_again(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("end", "f8")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1", "X2"), date(2026, 12, 20))
        await operator.press("f5")
        assert operator.row("代理本企业 3101980001 加工贸易手册").endswith("即将到期")


# -- the main menu -------------------------------------------------------------------------


async def test_after_the_login_one_line_says_how_many_are_due(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        assert operator.message == "30天内到期的授权：授出1条。可在到期提醒中办理"
    async with at_work(settings, BROKER) as operator:
        assert operator.message == "30天内到期的授权：受托4条。可在到期提醒中查看"


async def test_and_it_says_nothing_where_none_is(settings: Settings) -> None:
    async with at_work(settings, OTHER_BROKER) as operator:
        assert operator.message == ""


async def test_it_counts_anew_when_one_comes_back(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f6", "f8", "f3")
        assert operator.place == "主选单"
        assert operator.message == ""


async def test_f11_asks_about_the_selected_grant(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f11")
        assert operator.place == "委托授权系统 / 授权核查"
        assert operator.sees("3205980002")


async def test_the_whole_of_a_long_list_is_renewed_at_once(
    settings: Settings, colleague: Colleague
) -> None:
    with colleague.store.transaction():
        for number in range(250):
            key = GrantKey("3101440001", f"31019{80_000 + number}", "95", "X1")
            insert_grant(colleague.store, key, date(2026, 1, 1), date(2026, 12, 20))
    async with at_work(settings, MANUFACTURER, EXPIRY) as operator:
        await operator.press("f6")
        assert operator.sees("共253条 已选253条")
        await operator.burst("<enter>", "20271231", "<f10>", "y")
        await operator.wait_for("已将253条授权续期至 2027-12-31")
        assert shown(operator) == []
    assert colleague.grant_to("3101980249", "95").valid_until == date(2027, 12, 31)


# -- other days ------------------------------------------------------------------------


async def test_what_was_due_on_a_past_day_can_be_seen_and_not_worked_on(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.burst("<ctrl+y>", "20261101", "<enter>")
        assert operator.sees("查看 2026-11-01：当天结束时的授权")
        # By then this one had run out, and the other was to run out within thirty days.
        assert operator.sees("2026-10-20 已过12天 已过期", "2026-11-14 13天 即将到期")
        await operator.press("f10")
        assert operator.sees("现在显示的是 2026-11-01 的授权，不能改动")
        await operator.press("f8")
        assert operator.sees("不能改动")
        await operator.burst("<ctrl+y>", "<ctrl+u>", "<enter>")
        assert operator.sees("已返回今天", "2026-11-14 已过10天 已过期")


async def test_what_will_be_due_on_a_coming_day_can_be_seen(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.burst("<ctrl+y>", "20271215", "<enter>")
        assert operator.sees("查看 2027-12-15", "2027-12-29 14天 即将到期")
