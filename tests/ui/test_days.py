"""Another day that cannot be read, and a day that begins while somebody is at work."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from eport_tui import app as app_module
from eport_tui.domain.dates import SHANGHAI
from eport_tui.errors import StoreError
from eport_tui.services import history, operator_grants, permissions
from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, PIN, Operator, at_work

TO_THE_LIST = ("<tab>",) * 5
YESTERDAY, TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)
BANNER = f"查看 {YESTERDAY}"
ONLY_LOOK = "只能查看，按Ctrl+Y再按Enter返回今天"
LOST = "数据库连接中断"


def shown(operator: Operator) -> list[str]:
    """What is between the title and the message line: banner, forms and lists."""
    return operator.lines[1:-3]


def at_the_cursor(operator: Operator) -> str:
    """What the selected row is about: its beginning, up to the first day in it."""
    found = re.search(r"^> (\S.*?) +20\d\d-", operator.text, re.MULTILINE)
    assert found, operator.text
    return found[1]


def fail(*args: Any, **kwargs: Any) -> None:
    raise StoreError(LOST)


@pytest.fixture
def changed(colleague: Colleague) -> Colleague:
    """So much has been done today that yesterday's rows have the numbers of other grants."""
    for until in (date(2028, 1, 1), date(2028, 1, 2)):
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), until)
    for subsystem in ("95", "B3", "X1"):
        colleague.grant(BROKER_CODE, subsystem, "2027-06-30")
    return colleague


SCREENS = [
    (MANUFACTURER, "11", TO_THE_LIST, (history, "number_of")),
    (BROKER, "12", (), (history, "number_of")),
    (BROKER, "12", (), (operator_grants, "granted")),
    (BROKER, "13", ("<tab>", "<tab>"), (history, "number_of")),
    (BROKER, "13", ("<tab>", "<tab>"), (permissions, "query")),
    (BROKER, "15", (), (history, "number_of")),
]


# -- a day that cannot be read ---------------------------------------------------------


@pytest.mark.parametrize(("card", "screen", "to_the_list", "broken"), SCREENS)
@pytest.mark.parametrize(("first", "then"), [("-1", ""), ("", "-1"), ("-1", "+30")])
async def test_a_day_that_cannot_be_read_leaves_what_was_shown(
    settings: Settings,
    changed: Colleague,
    monkeypatch: pytest.MonkeyPatch,
    card: str,
    screen: str,
    to_the_list: tuple[str, ...],
    broken: tuple[object, str],
    first: str,
    then: str,
) -> None:
    async with at_work(settings, card, screen) as operator:
        await operator.burst(*to_the_list, "<down>", "<ctrl+y>", first, "<enter>")
        assert operator.sees(BANNER) == bool(first)
        before = shown(operator)
        with monkeypatch.context() as patch:
            patch.setattr(*broken, fail)
            await operator.burst("<ctrl+y>", then, "<enter>")
        assert LOST in operator.message
        assert shown(operator) == before
        await operator.burst("<down>", "<ctrl+y>", then, "<enter>")
        assert operator.sees(ONLY_LOOK) == bool(then)


async def test_giving_up_the_way_back_to_today_changes_nothing_under_another_number(
    settings: Settings, changed: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = changed.made()
    go_on, number_of = threading.Event(), history.number_of
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<ctrl+y>", "-1", "<enter>", "<home>")

        def slowly(*args: Any) -> int | None:
            go_on.wait()
            return number_of(*args)

        monkeypatch.setattr(history, "number_of", slowly)
        await operator.press("ctrl+y")
        operator.send("<enter>")
        await operator.wait_while_busy()
        # Neither yesterday's rows as today's, nor that there are none.
        assert not operator.sees(BANNER)
        assert not any(operator.sees(row.grant.key.agent) for row in made)
        assert not operator.sees("暂无数据")
        operator.send("<escape>")
        await operator.wait_for("已取消")
        go_on.set()
        await operator.settle()
        assert operator.sees(BANNER, "3101980001")
        await operator.press("enter")
        assert "不能改动" in operator.message
        await operator.burst("<shift+tab>", "<ctrl+u>", "20290101", "<f10>")
        assert "不能改动" in operator.message
    assert changed.made() == made


@pytest.mark.parametrize("screen", ["11", "12", "13", "15"])
@pytest.mark.parametrize("day", ["99991201", "99991231"])
async def test_the_calendar_s_last_days_can_be_looked_at(
    settings: Settings, screen: str, day: str
) -> None:
    async with at_work(settings, BROKER, screen) as operator:
        await operator.burst("<ctrl+y>", day, "<enter>")
        assert operator.sees(f"查看 9999-12-{day[-2:]}")
        assert "程序内部错误" not in operator.message


# -- a day that begins -----------------------------------------------------------------


@pytest.fixture
def evening(today: None) -> Iterator[Callable[[], None]]:
    """It is ten to twelve at night; calling it makes it eight in the morning."""
    with time_machine.travel(datetime(2026, 11, 24, 23, 50, tzinfo=SHANGHAI), tick=False) as clock:
        yield lambda: clock.move_to(datetime(2026, 11, 25, 8, 0, tzinfo=SHANGHAI))


@pytest.fixture
def one_that_ends_today(colleague: Colleague) -> Colleague:
    """One of the grants to the broker ends today."""
    colleague.grant(BROKER_CODE, "95", TODAY.isoformat())
    return colleague


@pytest.mark.parametrize(
    ("card", "screen", "to_the_list", "row"),
    [
        (MANUFACTURER, "11", TO_THE_LIST, "3101980001   上海样例第一报关.. 加工贸易账册"),
        (BROKER, "12", (), "3101440001 上海样例精密..  加工贸易账册"),
        (MANUFACTURER, "15", (), "代理本企业 3101980001 加工贸易账册"),
    ],
)
async def test_f5_shows_the_states_of_a_new_day_at_the_same_row(
    settings: Settings,
    one_that_ends_today: Colleague,
    evening: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    card: str,
    screen: str,
    to_the_list: tuple[str, ...],
    row: str,
) -> None:
    monkeypatch.setattr(app_module, "WATCH_SECONDS", 3600)
    async with at_work(settings, card, screen) as operator:
        await operator.burst(*to_the_list, "<home>", "<down>")
        assert "即将到期" in operator.row(row)
        selected = at_the_cursor(operator)
        evening()
        await operator.press("f5")
        assert "已过期" in operator.row(row)
        assert at_the_cursor(operator) == selected


async def test_a_new_day_shows_by_itself_in_the_list_and_as_the_date_of_a_new_grant(
    settings: Settings, one_that_ends_today: Colleague, evening: Callable[[], None], watchful: None
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<down>", "<shift+tab>", "客户来函", "<tab>")
        selected = at_the_cursor(operator)
        evening()
        await operator.wait_for(f"已到 {TOMORROW}，列表已按今天更新")
        assert operator.row("3101980001   上海样例第一报关.. 加工贸易账册").endswith("已过期")
        assert operator.value("授权日期") == TOMORROW.isoformat()
        assert operator.value("事由") == "客户来函"
        assert at_the_cursor(operator) == selected


async def test_the_date_of_a_grant_that_is_open_stays(
    settings: Settings, one_that_ends_today: Colleague, evening: Callable[[], None], watchful: None
) -> None:
    colleague = one_that_ends_today
    granted_on = colleague.grant_to(BROKER_CODE, "B1").granted_on
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<home>", "<down>", "<enter>")
        row = "3101980001   上海样例第一报关.. 加工贸易账册"
        evening()
        await operator.wait_until(lambda: operator.row(row).endswith("已过期"))
        assert operator.value("授权日期") == granted_on.isoformat()


async def test_what_comes_within_the_time_looked_ahead_is_listed_on_the_new_day(
    settings: Settings, colleague: Colleague, evening: Callable[[], None], watchful: None
) -> None:
    colleague.grant(BROKER_CODE, "95", (TODAY + timedelta(days=31)).isoformat())
    async with at_work(settings, MANUFACTURER, "15") as operator:
        assert operator.sees("共3条")
        await operator.press("space", "down")
        evening()
        await operator.wait_for("代理本企业 3101980001 加工贸易账册")
        assert operator.sees("第3条 共4条 已选1条")
        assert operator.row("代理本企业 3101980001 加工贸易手册").split()[-3:] == [
            "2026-12-14",
            "19天",
            "即将到期",
        ]


async def test_a_right_that_ended_at_midnight_is_listed_no_more(
    settings: Settings,
    one_that_ends_today: Colleague,
    broker: Colleague,
    evening: Callable[[], None],
    watchful: None,
) -> None:
    ending = next(row.grant.id for row in broker.received() if row.grant.valid_until == TODAY)
    broker.hand_on(ending)
    async with at_work(settings, BROKER, "13") as operator:
        await operator.burst("<tab>", "<tab>", "31014", "<ctrl+u>", "<home>")
        assert TODAY.isoformat() in operator.row("本企业代理 3101440001 加工贸易账册")
        evening()
        await operator.wait_for("所选的记录已不在列表中")
        assert not any("加工贸易账册" in line for line in operator.lines if "3101440001" in line)
        assert not any(line.startswith("> ") for line in operator.lines)


async def test_the_lock_gives_way_to_the_lists_of_the_new_day(
    settings: Settings, one_that_ends_today: Colleague, evening: Callable[[], None]
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press("f7")
        evening()
        await operator.press("f7")
        await operator.wait_for("请输入密码")
        await operator.burst(PIN, "<enter>")
        assert operator.row("3101980001   上海样例第一报关.. 加工贸易账册").endswith("已过期")
        assert operator.value("授权日期") == TOMORROW.isoformat()


async def test_what_lies_below_another_screen_is_of_the_new_day_when_one_comes_back(
    settings: Settings, one_that_ends_today: Colleague, evening: Callable[[], None], watchful: None
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*TO_THE_LIST, "<ctrl+r>")
        evening()
        await operator.wait_for(f"已到 {TOMORROW}")
        await operator.press("escape")
        assert operator.row("3101980001   上海样例第一报关.. 加工贸易账册").endswith("已过期")


async def test_a_question_is_answered_before_the_new_day_shows(
    settings: Settings, one_that_ends_today: Colleague, evening: Callable[[], None], watchful: None
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("3101", "<escape>")
        evening()
        assert operator.sees("录入的企业间授权尚未保存")
        await operator.press("n")
        await operator.wait_for(f"已到 {TOMORROW}")
        assert operator.value("代理企业编号") == "3101"


async def test_a_check_of_today_is_one_of_the_new_day(
    settings: Settings,
    one_that_ends_today: Colleague,
    broker: Colleague,
    evening: Callable[[], None],
    watchful: None,
) -> None:
    ending = next(row.grant.id for row in broker.received() if row.grant.valid_until == TODAY)
    broker.hand_on(ending, "8900000000042")
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<home>", "<enter>", "<tab>", "<tab>", "<home>", "<f11>")
        assert operator.sees("+ 允许", TODAY.isoformat())
        evening()
        await operator.wait_for("x 不允许")
        assert operator.value("核查日期") == TOMORROW.isoformat()


async def test_a_check_of_another_day_stays_one(
    settings: Settings, evening: Callable[[], None], watchful: None
) -> None:
    async with at_work(settings, BROKER, "14") as operator:
        await operator.burst("<tab>", "<tab>", "<tab>", "<ctrl+u>", "20261101", "<tab>")
        evening()
        await operator.wait_for(f"已到 {TOMORROW}")
        assert operator.value("核查日期") == "2026-11-01"


async def test_a_day_that_was_looked_forward_to_is_today_when_it_comes(
    settings: Settings, evening: Callable[[], None], watchful: None
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst("<ctrl+y>", "+1", "<enter>")
        assert operator.sees(f"查看 {TOMORROW}")
        evening()
        await operator.wait_for("已返回今天")
        assert not operator.sees(ONLY_LOOK)
        assert "F10保存" in operator.legend
