"""Dates as operators write them, always those of Asia/Shanghai."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, timezone

from eport_tui.domain.text import half_width
from eport_tui.errors import InvalidInput

# China has kept +08:00 without summer time since 1991; a fixed offset needs no zone database.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_SEPARATED = re.compile(r"(\d{4})([-/.年])(\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_RELATIVE = re.compile(r"([+-])(\d{1,6})([dmy天月年]?)", re.ASCII | re.IGNORECASE)

COMPACT_LENGTH, LONGEST = len("20271231"), len("2027年12月31日")


def now() -> datetime:
    """The present moment with the offset of Asia/Shanghai."""
    return datetime.now(SHANGHAI)


def in_shanghai(moment: datetime) -> datetime:
    """A moment with the offset of Asia/Shanghai; the calendar's last second where it is later.

    What has no end has 9999-12-31 23:59:59 UTC for one (RFC 5280, 4.1.2.5).
    """
    try:
        return moment.astimezone(SHANGHAI)
    except OverflowError:
        return datetime.max.replace(microsecond=0, tzinfo=SHANGHAI)


def today() -> date:
    """The present calendar date in Asia/Shanghai."""
    return now().date()


def add_months(start: date, months: int) -> date:
    """The same day `months` later, or the last day of that month where it has no such day.

    Raises:
        OverflowError: The result lies beyond the calendar, which ends with the year 9999.
    """
    month = start.year * 12 + start.month - 1 + months
    year, month = month // 12, month % 12 + 1
    if not date.min.year <= year <= date.max.year:
        raise OverflowError
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def later(day: date, count: int) -> date:
    """The day so many days later; the calendar's last one where that lies beyond it."""
    return day + timedelta(days=min(count, (date.max - day).days))


def parse_date(
    text: str,
    *,
    today: date,
    field: str | None = None,
    label: str = "日期",
    past: bool = False,
) -> date:
    """Return the date that `text` means.

    Understood are `20271231`, `2027-12-31` (also with `/`, `.` or 年月日),
    `+90` (days from today), `+6m` (months) and `+1y` (years); where the `past`
    makes sense also `-30` (days ago), `-6m` and `-1y`.

    Raises:
        InvalidInput: It is empty, in none of these forms, or no date of the calendar.
    """
    value = half_width(text)
    if not value:
        raise InvalidInput(f"请输入{label}", field=field)
    relative = _RELATIVE.fullmatch(value)
    if relative and (past or relative[1] == "+"):
        count = int(relative[1] + relative[2])
        return _relative(today, count, relative[3].lower(), field, label)
    if compact := _COMPACT.fullmatch(value):
        parts = compact.groups()
    elif separated := _SEPARATED.fullmatch(value):
        parts = separated.group(1, 3, 4)
    else:
        raise InvalidInput(
            f"{label}的格式不对",
            field=field,
            hint="例如 20271231、2027-12-31、+90（天）、+1y（年）"
            + ("、-30（天前）、-1y（年前）" if past else ""),
        )
    year, month, day = map(int, parts)
    try:
        return date(year, month, day)
    except ValueError:
        raise InvalidInput(_no_such_date(year, month, day, label), field=field) from None


def may_become_date(text: str) -> bool:
    """Whether `text` is short enough for `parse_date`: 8 digits, or 11 characters."""
    value = half_width(text)
    return len(value) <= (COMPACT_LENGTH if value.isdigit() else LONGEST)


def _relative(today: date, count: int, unit: str, field: str | None, label: str) -> date:
    try:
        if unit in ("y", "年"):
            return add_months(today, 12 * count)
        if unit in ("m", "月"):
            return add_months(today, count)
        return today + timedelta(days=count)
    except OverflowError:
        beyond = "超出了9999年" if count > 0 else "早于公元1年"
        raise InvalidInput(f"{label}{beyond}", field=field) from None


def _no_such_date(year: int, month: int, day: int, label: str) -> str:
    if not 1 <= month <= 12:
        return f"{label}不存在：没有{month}月"
    if year < 1:
        return f"{label}不存在：没有{year}年"
    return f"{label}不存在：{year}年{month}月没有{day}日"


def parse_valid_until(
    text: str, *, today: date, field: str | None = None, label: str = "权限有效期"
) -> date:
    """Return the last day of a grant (权限有效期), which may not lie before today.

    Args:
        label: What it is called where it is typed.

    Raises:
        InvalidInput: See `parse_date`; or the day has passed.
    """
    value = parse_date(text, today=today, field=field, label=label)
    require_not_past(value, today=today, field=field, label=label)
    return value


def require_not_past(day: date, *, today: date, field: str | None, label: str) -> None:
    """Refuse a day before today.

    Raises:
        InvalidInput: It has passed.
    """
    if day < today:
        raise InvalidInput(f"{label} {day} 已过", field=field, hint=f"不能早于今天 {today}")
