"""Previews, reasons, 操作历史 and other days, by keyboard."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from eport_tui.domain.dates import today
from eport_tui.services import enterprise_grants, expiry, history, replacement
from eport_tui.settings import Settings
from tests.rows import insert_operator_grant
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, Operator, at_work

TO_THE_LIST = ("<tab>",) * 5
GRANT = ("3101980001", "<tab>", "95", "<enter>", "<tab>", "20271231")
REASON = "客户来函"
NEW = "8900000000997"


def last_reason(colleague: Colleague) -> str:
    """The reason of the newest operation that concerns the colleague's enterprise."""
    return history.of_enterprise(colleague.store, colleague.session).after(None, 1)[0].reason


# -- what would be lost ----------------------------------------------------------------


async def test_a_deletion_shows_who_loses_what_and_begins_on_no(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f8>")
        assert operator.sees("8900000000042  3101980001  2026-11-24 至 2027-12-29")
        assert operator.sees("查询、暂存、修改、删除、申报、打印")
        await operator.press("enter")
        assert len(colleague.made()) == 5


async def test_a_reason_is_typed_before_the_deletion(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f8>", "<tab>", "n y ", REASON, "<enter>", "y")
        assert operator.sees("已删除授权，一并删除企业内授权1条")
        assert last_reason(colleague) == f"n y {REASON}"


def add_operators(colleague: Colleague, count: int) -> None:
    """Put many operators under a grant, as another program would."""
    grant = colleague.grant_to(BROKER_CODE, "B1")
    with colleague.store.transaction():
        for number in range(1000, 1000 + count):
            insert_operator_grant(colleague.store, grant.id, f"89{number:011d}", today())


async def test_the_number_of_many_operators_has_to_be_typed(
    settings: Settings, colleague: Colleague
) -> None:
    add_operators(colleague, 30)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f8>")
        assert operator.sees("请输入条数 31 以确认")
        await operator.burst("30", "<enter>")
        assert operator.sees("条数不符，请输入 31")
        await operator.burst("<tab>", "y")
        assert operator.sees("条数不符，请输入 31")
        assert len(colleague.made()) == 5
        await operator.burst("<ctrl+u>", "31", "<enter>")
        assert operator.sees("已删除授权，一并删除企业内授权31条")


async def test_what_the_demo_s_past_holds_was_signed_by_the_holders_of_its_cards(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "17") as operator:
        await operator.press("end", "enter")
        assert operator.sees(f"操作卡号 {MANUFACTURER} 王样例 所属企业")


async def test_a_long_list_is_scrolled_to_its_end_and_back(
    settings: Settings, colleague: Colleague
) -> None:
    add_operators(colleague, 300)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f8>")
        assert operator.sees("8900000000042  3101980001")
        await operator.press("end")
        assert operator.sees("8900000001299  3101980001", "条 共301条")
        await operator.press("pageup", "up", "home")
        assert operator.sees("8900000000042  3101980001", "第1-")
        await operator.press("escape")
        assert operator.dialog == ""


async def test_shortening_asks_with_what_stops_working_and_from_when(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<enter>", "<ctrl+u>", "+9", "<tab>", REASON, "<f10>")
        assert operator.sees("缩短有效期", "由 2027-12-29 缩短为 2026-12-03")
        assert operator.sees("8900000000042  3101980001  2026-12-04 至 2027-12-29", REASON)
        await operator.type("n")
        assert colleague.grant_to(BROKER_CODE, "B1").valid_until.isoformat() == "2027-12-29"
        await operator.burst("<f10>", "y")
        assert operator.sees("保存成功")
        assert colleague.grant_to(BROKER_CODE, "B1").valid_until.isoformat() == "2026-12-03"
        assert last_reason(colleague) == REASON


async def test_what_was_handed_on_just_before_a_shortening_is_asked_about(
    settings: Settings, colleague: Colleague, broker: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = colleague.grant(BROKER_CODE, "95", "2027-12-29")
    preview = enterprise_grants.shortening_preview

    def first_handed_on(*args: Any, **kwargs: Any) -> enterprise_grants.LossPreview:
        shown = preview(*args, **kwargs)
        if not broker.operators(grant.id):
            broker.hand_on(grant.id, OPERATOR)
        return shown

    monkeypatch.setattr(enterprise_grants, "shortening_preview", first_handed_on)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<home>", "<enter>", "<ctrl+u>", "+9", "<f10>")
        assert "请再保存一次，核对新的清单" in operator.message
        assert colleague.grant_to(BROKER_CODE, "95").valid_until == grant.valid_until
        await operator.press("f10")
        assert operator.sees("缩短有效期", f"{OPERATOR}  3101980001  2026-12-04 至 2027-12-29")


async def test_a_longer_time_is_saved_without_a_question(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<enter>", "<ctrl+u>", "+3y", "<f10>")
        assert operator.sees("保存成功")


# -- the reason in the forms -----------------------------------------------------------


async def test_the_reason_is_recorded_with_a_grant_and_new_clears_it(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT, "<tab>", REASON, "<f10>", "<enter>")
        assert last_reason(colleague) == REASON
        assert operator.value("事由") == ""
        await operator.burst("<f2>", "<shift+tab>", "<tab>")
        await operator.burst("<tab>", "<tab>", "<tab>", "<tab>", "另一事由", "<f2>", "y")
        assert operator.value("事由") == ""


async def test_a_reason_alone_is_no_change(settings: Settings, colleague: Colleague) -> None:
    before = last_reason(colleague)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<enter>", "<tab>", REASON, "<f10>")
        assert "授权没有改动，没有保存" in operator.message
        assert last_reason(colleague) == before


async def test_no_more_than_a_hundred_characters_fit_in_a_reason(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<tab>", "<tab>", "<tab>", "<tab>", "长" * 120)
        assert operator.app.screen.focused.value == "长" * 100  # type: ignore[union-attr]


async def test_the_reason_of_handing_on_is_recorded_and_kept_in_the_draft(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst(
            "<enter>", "8900000000997", "<f6>", "<tab>", REASON, "<f7>", "<escape>"
        )
    async with at_work(settings, BROKER, "y") as operator:
        assert operator.value("事由") == REASON
        await operator.press("f10")
        assert operator.sees("暂存成功")
        assert last_reason(broker) == REASON
        await operator.press("enter")
        assert operator.value("事由") == ""


# -- history ---------------------------------------------------------------------------


async def into_history(operator: Operator) -> None:
    """Delete the first grant with a reason, and look at the history."""
    await operator.burst("11", *TO_THE_LIST, "<f8>", "<tab>", REASON, "<tab>", "y")
    await operator.burst("<escape>", "7")


async def test_the_history_shows_what_was_done_and_all_its_changes(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        await into_history(operator)
        assert operator.sees("> 35", "删除授权", "3101980001", REASON)
        await operator.press("enter")
        assert operator.sees("8900000000011 王样例", "3101440001 上海样例精密机械有限公司")
        assert operator.sees("删除 8900000000042，授权日期 2026-05-08")
        await operator.press("escape")
        assert operator.sees("本企业的操作历史 第1条")


async def test_a_deleted_grant_comes_back_from_the_history(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    rights = [(row.card_number, row.subsystem) for row in broker.rights()]
    async with at_work(settings, MANUFACTURER) as operator:
        await into_history(operator)
        await operator.press("f6")
        assert operator.sees("恢复确认", "企业内授权1条一并恢复", "8900000000042")
        await operator.press("n")
        assert len(colleague.made()) == 4
        await operator.press("f6", "y")
        assert operator.sees("恢复成功", "> 36", "恢复授权")
        assert [(row.card_number, row.subsystem) for row in broker.rights()] == rights
        await operator.press("enter", "down", "f6")
        assert operator.message.endswith("该授权现已存在，不必恢复")


async def test_a_card_that_was_replaced_meanwhile_is_said_not_to_come_back(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        await into_history(operator)
        confirmed = replacement.preview(broker.store, broker.session, OPERATOR, NEW)
        replacement.replace(broker.store, broker.session, confirmed)
        await operator.press("f6")
        assert operator.sees(
            "其下没有企业内授权恢复",
            f"另有1张卡已由代理企业换卡，不恢复：{OPERATOR}。新卡的权限由代理企业授予。",
        )
        await operator.press("y")
        assert operator.sees("恢复成功")
    rights = {(row.card_number, row.subsystem, row.grant_type) for row in broker.rights()}
    assert not any(card == OPERATOR for card, _, _ in rights)


async def test_any_card_looks_and_only_a_legal_person_s_takes_back(
    settings: Settings, broker: Colleague
) -> None:
    grant = broker.received()[0].grant
    broker.take_back(grant.id, OPERATOR)
    async with at_work(settings, OPERATOR, "17") as operator:
        assert operator.sees("删除操作员", "8900000000042")
        await operator.press("f6")
        assert "非法人卡，不允许操作!" in operator.message


async def test_f6_is_offered_where_the_selected_operation_can_be_taken_back(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        await into_history(operator)
        assert "F6恢复" in operator.legend
        assert "按F6恢复" in operator.message
        await operator.press("down")
        assert "F6" not in operator.legend + operator.message
        await operator.press("f6")
        assert operator.message.endswith("该操作没有删除授权，不能恢复（只有删除的操作可以恢复）")
        await operator.press("up")
        assert "F6恢复" in operator.legend
        colleague.grant(BROKER_CODE, "B1")
        await operator.press("f5")
        assert "F6" not in operator.legend


async def test_f6_is_not_offered_to_those_who_may_not_take_back(
    settings: Settings, broker: Colleague
) -> None:
    broker.take_back(broker.received()[0].grant.id, OPERATOR)
    for card in (OPERATOR, MANUFACTURER):
        async with at_work(settings, card, "17") as operator:
            assert "删除操作员" in operator.row("35")
            assert "F6" not in operator.legend + operator.message


async def test_a_replaced_card_is_summed_up_as_that(settings: Settings, broker: Colleague) -> None:
    confirmed = replacement.preview(broker.store, broker.session, OPERATOR, NEW)
    replacement.replace(broker.store, broker.session, confirmed)
    count = len(confirmed.moving)
    async with at_work(settings, BROKER, "17") as operator:
        assert operator.value("改动") == f"换卡 {OPERATOR} -> {NEW}，{count}条授权"
        assert operator.value("授权企业") == "共7家"
        assert operator.value("代理企业") == "3101980001 上海样例第一报关有限公司"
        await operator.press("enter")
        assert operator.sees(f"改动 换卡 {OPERATOR} -> {NEW}，{count}条授权")
        # What went from a grant and what came is told in one place.
        lines = [line.split("，")[0].split() for line in operator.lines]
        at = lines.index(["授权", "3101440001", "授权", "3101980001：加工贸易手册", "操作权"])
        assert lines[at + 1 : at + 3] == [
            ["企业内授权", "删除", OPERATOR],
            ["企业内授权", "增加", NEW],
        ]
    async with at_work(settings, MANUFACTURER, "17") as operator:
        assert f"换卡 {OPERATOR} -> {NEW}，" in operator.value("改动")


async def test_marks_that_were_put_anew_are_summed_up_as_one(
    settings: Settings, colleague: Colleague
) -> None:
    grant = colleague.grant_to(BROKER_CODE, "B1", "X2")
    expiry.let_lapse(colleague.store, colleague.session, [grant])
    colleague.change(grant, date(2026, 12, 20))
    chosen = [
        colleague.grant_to(BROKER_CODE, code, type) for code, type in (("B1", "X2"), ("Z8", "X1"))
    ]
    expiry.let_lapse(colleague.store, colleague.session, chosen)
    async with at_work(settings, MANUFACTURER, "17") as operator:
        assert operator.value("改动") == "到期不续"


async def test_a_long_operation_says_how_to_see_the_rest(
    settings: Settings, broker: Colleague
) -> None:
    confirmed = replacement.preview(broker.store, broker.session, OPERATOR, NEW)
    replacement.replace(broker.store, broker.session, confirmed)
    async with at_work(settings, BROKER, "17") as operator:
        await operator.press("enter")
        assert operator.sees("第1-18行，共", "上下键翻看")
        await operator.press("end")
        assert re.search(r"第\d+-(\d+)行，共\1行", operator.text)
        await operator.press("home", "down")
        assert operator.sees("第2-19行，共")


async def test_a_short_operation_says_nothing_of_more(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER) as operator:
        await into_history(operator)
        await operator.press("enter")
        assert not operator.sees("翻看")


async def test_one_key_opens_the_history_of_the_selected_grant_and_operator(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.press("ctrl+r")
        assert operator.sees("该授权的操作历史", "共2条")
        await operator.press("escape", "enter", "tab", "tab", "ctrl+r")
        assert operator.sees("8900000000042 在该授权下的操作历史", "共1条")
        await operator.press("escape", "f9", "ctrl+r")
        assert operator.sees("8900000000042 在该授权下的操作历史")


# -- other days ------------------------------------------------------------------------


async def test_another_day_is_shown_and_cannot_be_changed(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "20260130", "<enter>")
        assert operator.sees("查看 2026-01-30：当天结束时的授权", "共2条")
        assert operator.row("3101980001   上海样例第一报关.. 物流账册").endswith("有效")
        assert "^Y日期" in operator.legend
        assert not {"F2", "F8", "F10"} & set(re.findall(r"F\d+", operator.legend))
        await operator.burst(*TO_THE_LIST)
        assert operator.message == "只能查看：F11核查，^Y返回今天"
        for key in ("f10", "enter", "f8"):
            await operator.press(key)
            assert "不能改动；按Ctrl+Y再按Enter返回今天" in operator.message
        await operator.burst("<ctrl+y>", "<ctrl+u>", "<enter>")
        assert operator.sees("已返回今天", "共5条")
        assert not operator.sees("查看 2026-01-30")
        assert "F10保存" in operator.legend
    assert len(colleague.made()) == 5


async def test_no_new_grant_is_begun_while_another_day_is_shown(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "-180", "<enter>", "<f2>")
        assert "不能改动；按Ctrl+Y再按Enter返回今天" in operator.message
        assert operator.sees("= 代理企业编号", "= 授权子系统", "= 权限有效期", "= 事由")
        await operator.burst("3101", "<ctrl+y>", "<enter>")
        assert operator.dialog == ""
        assert operator.sees("已返回今天", "* 代理企业编号")


async def test_the_menu_of_a_row_of_another_day_offers_nothing_that_changes_it(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<f9>")
        assert operator.sees("打开", "删除", "核查", "操作历史")
        await operator.burst("<escape>", "<ctrl+y>", "+3y", "<enter>", "<f9>")
        assert operator.sees("核查", "操作历史")
        assert not operator.sees("打开")
        assert not operator.sees("删除")
        await operator.press("enter")
        assert operator.place == "委托授权系统 / 授权核查"


async def test_a_future_day_shows_what_will_have_run_out(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "+90", "<enter>")
        assert operator.row("3101980001   上海样例第一报关.. 加工贸易手册     报关权").endswith(
            "已过期"
        )


@pytest.mark.parametrize(
    ("card", "screen"), [(MANUFACTURER, "11"), (BROKER, "12"), (BROKER, "13"), (BROKER, "15")]
)
async def test_before_the_records_begin_the_screen_and_its_lists_say_so(
    settings: Settings, card: str, screen: str
) -> None:
    async with at_work(settings, card, screen) as operator:
        await operator.burst("<ctrl+y>", "20200101", "<enter>")
        assert "操作记录从 2025-10-20 开始" in operator.message
        assert "  没有记录（操作记录从 2025-10-20 开始）" in operator.lines
        assert not operator.sees("暂无数据")
        await operator.burst("<ctrl+y>", "<enter>")
        assert not operator.sees("没有记录")


@pytest.mark.parametrize(("screen", "key"), [("13", "f5"), ("15", "f2")])
async def test_before_the_records_begin_nothing_else_is_said_to_be_why_there_is_nothing(
    settings: Settings, screen: str, key: str
) -> None:
    async with at_work(settings, BROKER, screen) as operator:
        await operator.burst("<ctrl+y>", "20200101", "<enter>", f"<{key}>")
        assert operator.message == "! 操作记录从 2025-10-20 开始，看不到 2020-01-01 的授权"
        await operator.burst("<ctrl+f>", "2026", "<enter>")
        assert "  没有记录（操作记录从 2025-10-20 开始）" in operator.lines


async def test_a_date_that_is_none_is_told_and_can_be_corrected(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "2026-13-01", "<enter>")
        assert operator.sees("查看日期不存在：没有13月")
        await operator.press("escape")
        assert operator.sees("共5条")


def at_the_cursors(operator: Operator) -> list[str]:
    """What the selected rows are about: their beginnings, up to the first day in each."""
    rows = (re.match(r"> (\S.*?) +(?=20\d\d-)", line) for line in operator.lines)
    return [row[1] for row in rows if row]


@pytest.mark.parametrize("day", ["20261101", "+30"])
@pytest.mark.parametrize(
    ("card", "screen", "to_the_row", "rows"),
    [
        (
            MANUFACTURER,
            "11",
            (*TO_THE_LIST, "<end>"),
            ["3205980002   苏州样例通达报关.. 加工贸易账册     报关权"],
        ),
        (BROKER, "12", ("<end>", "<up>"), ["5001140014 重庆样例食品..  货物流转         操作权"]),
        (
            BROKER,
            "12",
            ("<down>", "<down>", "<enter>", "<tab>", "<tab>", "<end>"),
            ["3101440001 上海样例精密..  物流账册         操作权", "8900000000059 指定操作员"],
        ),
        (
            BROKER,
            "13",
            ("<tab>", "<tab>", "<end>", "<up>"),
            ["本企业代理 4403940008 加工贸易账册     报关权 全部操作员"],
        ),
        (
            BROKER,
            "15",
            ("<down>", "<down>"),
            ["本企业代理 3502360011 海关特殊监管区域 操作权"],
        ),
    ],
    ids=["made", "received", "operators", "permissions", "due"],
)
async def test_what_is_selected_stays_selected_on_another_day_and_back(
    settings: Settings,
    card: str,
    screen: str,
    to_the_row: tuple[str, ...],
    rows: list[str],
    day: str,
) -> None:
    async with at_work(settings, card, screen) as operator:
        await operator.burst(*to_the_row)
        assert at_the_cursors(operator) == rows
        for other in (day, ""):
            await operator.burst("<ctrl+y>", other, "<enter>")
            # The banner takes a line from the list.
            await operator.wait_until(lambda: at_the_cursors(operator) == rows, what=str(rows))


async def test_what_stands_in_the_place_is_selected_on_a_day_when_the_selected_one_was_not(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "13") as operator:
        await operator.burst("<tab>", "<tab>", "<end>", "<up>", "<up>")
        assert at_the_cursors(operator) == [
            "本企业代理 4401240010 核注清单         操作权 8900000000059"
        ]
        await operator.burst("<ctrl+y>", "20261101", "<enter>")
        following = ["本企业代理 4403940008 加工贸易账册     报关权 全部操作员"]
        assert at_the_cursors(operator) == following
        await operator.burst("<ctrl+y>", "<enter>")
        assert at_the_cursors(operator) == following


async def test_the_last_is_selected_on_a_day_when_none_stands_in_the_place(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.grant("3205980002", "X1")
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<end>", "<ctrl+y>", "20260130", "<enter>")
        assert operator.sees("第2条 共2条")


async def test_a_narrowed_list_selects_what_it_has_on_another_day(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst(
            "<ctrl+f>", "31", "<enter>", "<end>", "<ctrl+y>", "20251101", "<enter>"
        )
        assert operator.sees("筛选31", "共0条")
        await operator.burst("<ctrl+y>", "20261101", "<enter>")
        assert operator.sees("筛选31", "第1条 共4条")


async def test_the_operators_of_another_grant_are_shown_with_none_selected(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("4401", "<enter>", "<tab>", "<tab>", "<end>")
        assert "8900000000059 指定操作员" in at_the_cursors(operator)[-1]
        await operator.burst("<ctrl+y>", "20261101", "<enter>")
        assert len(at_the_cursors(operator)) == 1


async def test_operators_and_permissions_of_another_day(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<ctrl+y>", "20260130", "<enter>")
        assert operator.sees("3101440001 上海样例精密..  物流账册", "操作员权限列表  共2条")
        await operator.press("f6")
        assert "不能改动" in operator.message
        await operator.burst("<escape>", "3", "<ctrl+y>", "20260130", "<enter>")
        assert operator.sees("查看 2026-01-30", "物流账册")


async def test_on_another_day_the_form_takes_nothing_and_today_it_does_again(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "20260130", "<enter>")
        assert not operator.at_field
        assert operator.sees("= 代理企业编号", "= 授权子系统", "= 权限有效期", "= 事由")
        assert operator.message == "只能查看：F11核查，^Y返回今天"
        for key in ("tab", "shift+tab"):
            await operator.press(key)
            assert not operator.at_field
        await operator.type("310")
        assert operator.sees("查找310")
        await operator.press("escape")
        assert operator.place == "委托授权系统"
        await operator.burst("1", "<ctrl+y>", "20260130", "<enter>", "<ctrl+y>", "<enter>", "<tab>")
        assert operator.at_field == "代理企业编号"
        await operator.burst("3101980001", "<enter>")
        assert operator.value("代理企业名称") == "上海样例第一报关有限公司"


async def test_on_another_day_an_opened_grant_is_not_shown_as_of_that_day(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<home>", "<enter>")
        assert operator.value("权限有效期")
        await operator.burst("<ctrl+y>", "20260130", "<enter>")
        assert not operator.value("权限有效期")
        await operator.burst("<ctrl+y>", "<enter>")
        assert operator.sees("* 代理企业编号")


async def test_on_another_day_nobody_is_entered_under_a_grant(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", "<ctrl+y>", "20260130", "<enter>")
        assert operator.sees("= 是否授予全部操作员", "= 操作员IC卡号", "= 事由")
        assert operator.row("3101440001").startswith("> ")
        await operator.press("enter")
        assert "不能改动" in operator.message
        assert not operator.at_field
        await operator.burst("<f5>", "3101")
        assert operator.value("授权企业编号") == "3101"
        await operator.burst("<ctrl+y>", "<enter>")
        assert operator.sees("* 操作员IC卡号")


async def test_on_another_day_no_date_to_renew_to_is_taken(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.burst("<enter>", "20271231")
        assert operator.at_field == "续期至"
        await operator.burst("<ctrl+y>", "+10", "<enter>")
        assert operator.sees("= 续期至", "* 到期范围")
        assert not operator.at_field
        await operator.press("enter")
        assert "不能改动" in operator.message
        await operator.burst("<ctrl+y>", "<enter>", "<enter>")
        assert operator.at_field == "续期至"


async def test_what_is_not_saved_is_asked_about_before_another_day_is_shown(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101", "<ctrl+y>")
        assert operator.sees("录入的企业间授权尚未保存")
        await operator.type("n")
        assert operator.value("代理企业编号") == "3101"
