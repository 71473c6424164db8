"""Whose card it is, and for how long."""

from __future__ import annotations

from datetime import datetime

import pytest

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.holders import Enterprise, Holder, Role

ENTERPRISE = Enterprise("3101940001", "91310000PDY00001XG", "上海甲制造有限公司")


@pytest.mark.parametrize(
    ("at", "days"),
    [
        ("2026-11-30T23:59", 20),
        ("2026-12-19T23:59", 1),
        ("2026-12-20T00:00", 0),
        ("2026-12-20T08:59", 0),
        ("2026-12-21T00:00", -1),
    ],
)
def test_days_are_counted_to_the_last_one_that_is_shown(at: str, days: int) -> None:
    begin, end = (datetime(year, 12, 20, 9, tzinfo=SHANGHAI) for year in (2024, 2026))
    holder = Holder("8900000000011", Role.OPERATOR, "张三", ENTERPRISE, begin, end)
    assert holder.days_left(datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)) == days
