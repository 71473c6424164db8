"""Where nobody does anything, nothing goes over the line."""

from __future__ import annotations

import time

from tests.pty.desk import (
    BROKER,
    DOWN,
    ENTERPRISE_GRANTS,
    F7,
    F8,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Desk,
    Launch,
)

SECONDS = 3
A_MOMENT = 0.3


def test_nothing_is_written_while_nobody_types(launch: Launch) -> None:
    desks = login, form, lists, question, locked = [launch() for _ in range(5)]
    login.wait_for(MANUFACTURER)
    form.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}3302980004\r 95\r\r2031")
    form.wait_value("权限有效期", "2031")
    lists.log_in(BROKER, f"{OPERATOR_GRANTS}{DOWN}")
    lists.wait_for("第2条 共17条")
    question.log_in(BROKER, f"{OPERATOR_GRANTS}\r\t\t{F8}")
    question.wait_for("删除确认")
    locked.log_in(MANUFACTURER, F7)
    locked.wait_for("请插入原来的卡")
    for desk in desks:
        while written_within(A_MOMENT, desk):
            pass
    before = [desk.bytes_written for desk in desks]
    time.sleep(SECONDS)
    assert [desk.bytes_written for desk in desks] == before


def written_within(seconds: float, desk: Desk) -> bool:
    """Whether the program still writes."""
    before = desk.bytes_written
    try:
        desk.wait_until(lambda desk: desk.bytes_written > before, timeout=seconds)
    except AssertionError:
        return False
    return True
