"""Little goes over the line, and the terminal looks as it would if much did."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.pty.desk import (
    BROKER,
    DOWN,
    ENTERPRISE_GRANTS,
    F8,
    F10,
    F12,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Desk,
    Launch,
    logging_in,
)
from tests.pty.terminal import Cell


def picture(desk: Desk) -> list[tuple[str, str, str, bool, bool]]:
    """The whole screen with what is seen of its colours."""
    return [seen(desk.cell(x, y)) for y in range(24) for x in range(80)]


def seen(cell: Cell) -> tuple[str, str, str, bool, bool]:
    blank = cell.text == " " and not (cell.underline or cell.reverse)
    bold = cell.bold and not blank
    return cell.text, "" if blank else cell.fg, cell.bg, bold, cell.underline or cell.reverse


def written_for(desk: Desk, text: str) -> bytes:
    """What the program writes for something that is typed."""
    before = len(desk.output)
    desk.send(text)
    desk.wait_until(lambda desk: len(desk.output) > before, what=f"an effect of {text!r}")
    settle(desk)
    return bytes(desk.output[before:])


def settle(desk: Desk) -> None:
    """Wait until the program has nothing more to write for the moment."""
    while True:
        before = desk.bytes_written
        try:
            desk.wait_until(lambda desk: desk.bytes_written > before, timeout=0.15)  # noqa: B023
        except AssertionError:
            return


@pytest.mark.parametrize(
    "environment",
    [{"term": "xterm"}, {}, {"COLORTERM": "truecolor"}, {"NO_COLOR": "1"}, {"term": "linux"}],
    ids=["16", "256", "truecolor", "NO_COLOR", "linux"],
)
def test_screen_after_screen_looks_as_textual_draws_it(
    launch: Launch, environment: dict[str, str]
) -> None:
    lean = launch("demo", **environment)  # type: ignore[arg-type]
    stock = launch("--output=textual", "demo", **environment)  # type: ignore[arg-type]
    # Places where no field has the focus, in which Textual's output paints the cursor.
    tour = [
        ("", MANUFACTURER),
        (f"{logging_in(MANUFACTURER)}1", "1  企业间授权录入"),
        ("1\t\t", "按空格键选择"),
        (" ", "选择授权类型"),
        (f"{F12}\t\t\t{DOWN}{DOWN}", "第3条 共5条"),
        (F8, "删除确认"),
        (f"{F12}{F12}", "1  企业间授权录入"),
    ]
    for typed, text in tour:
        for desk in (lean, stock):
            desk.send(typed)
            desk.wait_for(text)
            settle(desk)
        assert picture(lean) == picture(stock), text
        assert lean.cursor_address == stock.cursor_address
    assert lean.bytes_written < stock.bytes_written / 8


def test_what_is_typed_goes_back_as_what_is_typed(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}3")
    desk.wait_value("代理企业编号", "3")
    written_for(desk, "3")
    assert written_for(desk, "0") == b"0"
    assert written_for(desk, "中") == "中".encode()
    assert len(written_for(desk, "\x7f")) <= 12
    assert len(written_for(desk, "\x7f")) <= 12
    assert len(written_for(desk, "\t")) <= 200
    assert len(written_for(desk, "\x1b[Z")) <= 200
    assert len(written_for(desk, "\t\t\t\t\t")) <= 900
    assert len(written_for(desk, DOWN)) <= 400
    # A mouse that only moves is not even asked for.
    assert not re.search(rb"\x1b\[\?[\d;]*100[35]", bytes(desk.output))


def test_a_character_too_many_is_told_once_and_rings_no_bell(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}3")
    desk.wait_value("代理企业编号", "3")
    written_for(desk, "1")
    for digit in "01980001":
        assert written_for(desk, digit) == digit.encode()
    told = written_for(desk, "5")
    assert "多输入的字符没有采用".encode() in told
    assert b"\a" not in told
    before = desk.bytes_written
    desk.send("555")
    settle(desk)
    assert desk.bytes_written == before


def test_the_terminals_cursor_is_seen_in_the_field_that_has_the_focus_and_nowhere_else(
    launch: Launch,
) -> None:
    desk = launch()
    desk.wait_for(MANUFACTURER)
    assert desk.cursor is None
    desk.send("\r")
    desk.wait_for("* 密码")
    x, y = desk.find("* 密码")
    desk.wait_until(lambda desk: desk.cursor == (12, y), what="a cursor")
    desk.send("888")
    desk.wait_until(lambda desk: desk.cursor == (15, y), what="a cursor behind what was typed")
    desk.send(f"88888\r{ENTERPRISE_GRANTS}中")
    desk.wait_value("代理企业编号", "中")
    x, y = desk.find("中")
    desk.wait_until(lambda desk: desk.cursor == (x + 2, y), what="a cursor")
    # The cell below it has the ground of the field.
    assert desk.cell(x + 2, y).bg == desk.cell(x + 4, y).bg == "005faf"
    desk.press("left")
    desk.wait_until(lambda desk: desk.cursor == (x, y), what="a cursor on the character")
    desk.press("tab")
    x, y = desk.find("* 授权子系统")
    desk.wait_until(lambda desk: desk.cursor == (x + 15, y), what="a cursor in a code field")
    desk.press("space")
    desk.wait_for("选择授权子系统")
    desk.wait_until(lambda desk: desk.cursor is None, what="no cursor in a list")


def test_with_textuals_own_output_the_cursor_is_painted(launch: Launch) -> None:
    desk = launch("--output=textual", "demo")
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}33")
    desk.wait_value("代理企业编号", "33")
    assert desk.cursor is None
    x, y = desk.cursor_address
    assert desk.cell(x, y).bg == "ffffff"


def test_a_program_that_was_stopped_paints_its_screen_again(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r89")
    desk.wait_value("操作员IC卡号", "89")
    settle(desk)
    before, address = picture(desk), desk.cursor
    for number in (signal.SIGTSTP, signal.SIGTSTP):
        desk.signal(number)
        os.waitid(os.P_PID, desk._process.pid, os.WSTOPPED)
        desk.wait_until(lambda desk: not desk.left_on, what="the shell's screen")
        desk.garble("\x1b[?7h\x1b[31mwhat the shell wrote\x1b[5;10r")
        desk.signal(signal.SIGCONT)
        desk.wait_until(lambda desk: picture(desk) == before, what="the form")
    desk.wait_until(lambda desk: desk.cursor == address, what="the cursor")
    desk.send("0")
    desk.wait_value("操作员IC卡号", "890")


def test_an_end_of_the_keyboard_ends_the_program_without_a_signal(
    launch: Launch, home: Path
) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    desk.send(F12)
    desk.wait_place("委托授权系统")
    desk.hangup()
    assert desk.exit_code() == 128 + signal.SIGHUP


def test_while_nobody_types_the_terminals_threads_sleep(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    settle(desk)
    # One looks whether others have saved; it asks the data thread once after the login.
    assert any(threads_woken_in_a_second(desk) <= 1 for _ in range(3))


def threads_woken_in_a_second(desk: Desk) -> int:
    """How many threads beside the main one are woken up in a second."""
    before = woken(desk)
    assert len(before) >= 2
    time.sleep(1)
    after = woken(desk)
    return sum(after[thread] != before[thread] for thread in before)


def woken(desk: Desk) -> dict[str, str]:
    """How often each thread beside the main one was woken up."""
    found = {}
    for thread in Path(f"/proc/{desk._process.pid}/task").iterdir():
        if thread.name != str(desk._process.pid):
            status = (thread / "status").read_text()
            found[thread.name] = re.findall(r"^voluntary_ctxt_switches:.*", status, re.MULTILINE)[0]
    return found


def test_a_session_goes_over_the_line_in_a_few_thousand_bytes(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    desk.send(f"4403980003\r 95\r\r20311231{F10}")
    desk.wait_for("保存成功")
    desk.send(f"\r{F12}{F12}")
    desk.wait_place("主选单")
    assert desk.bytes_written < 9_000
