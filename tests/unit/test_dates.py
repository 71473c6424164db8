"""Dates as people type them, seen from a day in Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain import dates
from eport_tui.domain.dates import (
    SHANGHAI,
    add_months,
    in_shanghai,
    parse_date,
    parse_valid_until,
)
from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput

TODAY = date(2026, 3, 1)
LEAP_DAY = date(2028, 2, 29)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("20271231", date(2027, 12, 31)),
        ("２０２７１２３１", date(2027, 12, 31)),
        (" 2027-12-31 ", date(2027, 12, 31)),
        ("2027/1/2", date(2027, 1, 2)),
        ("2027.01.02", date(2027, 1, 2)),
        ("2027年1月2日", date(2027, 1, 2)),
        ("20280229", LEAP_DAY),
        ("+0", TODAY),
        ("+90", date(2026, 5, 30)),
        ("+90d", date(2026, 5, 30)),
        ("＋９０天", date(2026, 5, 30)),
        ("+1y", date(2027, 3, 1)),
        ("+1Y", date(2027, 3, 1)),
        ("+2年", date(2028, 3, 1)),
        ("+6m", date(2026, 9, 1)),
        ("+11月", date(2027, 2, 1)),
        ("99991231", date(9999, 12, 31)),
    ],
)
def test_dates_that_are_understood(typed: str, meant: date) -> None:
    assert parse_date(typed, today=TODAY) == meant


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "请输入日期"),
        ("2027123", "日期的格式不对"),
        ("202712311", "日期的格式不对"),
        ("2027-12", "日期的格式不对"),
        ("31-12-2027", "日期的格式不对"),
        ("明天", "日期的格式不对"),
        ("90", "日期的格式不对"),
        ("-90", "日期的格式不对"),
        ("+1w", "日期的格式不对"),
        ("2027-12-3\u0661", "日期的格式不对"),
        ("20270229", "日期不存在：2027年2月没有29日"),
        ("21000229", "日期不存在：2100年2月没有29日"),
        ("20270431", "日期不存在：2027年4月没有31日"),
        ("20271301", "日期不存在：没有13月"),
        ("20270001", "日期不存在：没有0月"),
        ("20270100", "日期不存在：2027年1月没有0日"),
        ("00000101", "日期不存在：没有0年"),
        ("+999999y", "日期超出了9999年"),
        ("+7974y", "日期超出了9999年"),
        ("+95688m", "日期超出了9999年"),
    ],
)
def test_dates_that_are_refused_say_what_is_wrong(typed: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_date(typed, today=TODAY, field="valid_until")
    assert (caught.value.message, caught.value.field) == (message, "valid_until")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("-30", date(2026, 1, 30)),
        ("－1天", date(2026, 2, 28)),
        ("-6m", date(2025, 9, 1)),
        ("-1y", date(2025, 3, 1)),
        ("+1y", date(2027, 3, 1)),
    ],
)
def test_days_that_have_passed_are_understood_where_they_make_sense(
    typed: str, meant: date
) -> None:
    assert parse_date(typed, today=TODAY, past=True) == meant


def test_days_before_the_calendar() -> None:
    for typed in ("-999999", "-2026y"):
        with pytest.raises(InvalidInput, match="早于公元1年"):
            parse_date(typed, today=TODAY, past=True)


def test_a_last_day_is_not_counted_back() -> None:
    with pytest.raises(InvalidInput, match="权限有效期的格式不对") as caught:
        parse_valid_until("-30", today=TODAY)
    assert "-30" not in (caught.value.hint or "")


def test_days_that_run_past_the_calendar() -> None:
    with pytest.raises(InvalidInput, match="超出了9999年"):
        parse_date("+999999", today=date(9000, 1, 1))
    assert parse_date("+7973y", today=TODAY) == date(9999, 3, 1)


@pytest.mark.parametrize(
    ("start", "typed", "meant"),
    [
        (LEAP_DAY, "+1y", date(2029, 2, 28)),
        (LEAP_DAY, "+4y", date(2032, 2, 29)),
        (date(2026, 1, 31), "+1m", date(2026, 2, 28)),
        (date(2028, 1, 31), "+1m", LEAP_DAY),
        (date(2026, 12, 31), "+1m", date(2027, 1, 31)),
    ],
)
def test_a_month_without_that_day_ends_on_its_last(start: date, typed: str, meant: date) -> None:
    assert parse_date(typed, today=start) == meant


@given(st.dates(max_value=date(9000, 1, 1)), st.integers(0, 1000))
def test_months_move_the_month_and_at_most_shorten_the_day(start: date, months: int) -> None:
    end = add_months(start, months)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    assert end.day == start.day or (end.day < start.day and (end + timedelta(days=1)).day == 1)


@pytest.mark.parametrize("typed", ["20260301", "+0", "20260302"])
def test_a_grant_may_end_today_or_later(typed: str) -> None:
    assert parse_valid_until(typed, today=TODAY) >= TODAY


def test_a_grant_may_not_end_yesterday() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_valid_until("20260228", today=TODAY, field="valid_until")
    assert caught.value.message == "权限有效期 2026-02-28 已过"
    assert (caught.value.hint, caught.value.field) == ("不能早于今天 2026-03-01", "valid_until")


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 1, 16, 0, 0, tzinfo=UTC), date(2026, 3, 2)),
    ],
)
def test_the_day_changes_at_midnight_in_shanghai(
    monkeypatch: pytest.MonkeyPatch, moment: datetime, day: date
) -> None:
    monkeypatch.setattr(dates, "now", lambda: moment.astimezone(SHANGHAI))
    assert dates.today() == day


def test_now_has_the_offset_of_shanghai() -> None:
    assert dates.now().utcoffset() == timedelta(hours=8)


def test_a_moment_beyond_the_calendar_is_its_last_second() -> None:
    noon = datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert in_shanghai(noon) == noon
    assert in_shanghai(noon).utcoffset() == timedelta(hours=8)
    endless = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert in_shanghai(endless).isoformat() == "9999-12-31T23:59:59+08:00"


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_date_or_is_refused_in_words(typed: str) -> None:
    refusal = ""
    try:
        parse_date(typed, today=TODAY)
    except InvalidInput as fault:
        refusal = fault.message
    assert printable(refusal) == refusal
