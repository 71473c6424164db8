"""Chinese from an input method: whole characters, and its window where one types."""

from __future__ import annotations

from datetime import date

import pytest

from tests.pty.desk import (
    BROKER,
    ENTERPRISE_GRANTS,
    F2,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Desk,
    Launch,
)


@pytest.fixture
def desk(launch: Launch) -> Desk:
    """The manufacturer's empty form."""
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    return desk


def place_of(desk: Desk, label: str) -> tuple[int, int]:
    """The first cell of a field, whose label is padded to the width of its column's longest."""
    x, y = desk.find(label)
    return x + len("授权企业编号") * 2 + 1, y


def test_a_character_that_comes_in_two_parts_is_whole(desk: Desk) -> None:
    data = "上海𠮷样".encode()
    for at in range(1, len(data)):
        desk.send_bytes(data[:at])
        whole = data[:at].decode(errors="ignore")
        desk.wait_value("代理企业编号", whole)
        desk.send_bytes(data[at:])
        desk.wait_value("代理企业编号", "上海𠮷样")
        desk.press("ctrl+u")
        desk.wait_value("代理企业编号", "")


def test_the_terminal_s_cursor_stands_where_the_next_character_appears(desk: Desk) -> None:
    x, y = place_of(desk, "代理企业编号")
    assert desk.cursor_address == (x, y)
    for typed, cells in (("上", 2), ("a", 3), ("海", 5)):
        desk.send(typed)
        desk.wait_until(lambda desk, at=x + cells: desk.cursor_address == (at, y))
    desk.wait_value("代理企业编号", "上a海")
    desk.press("left")
    desk.wait_until(lambda desk: desk.cursor_address == (x + 3, y))
    desk.press("end")
    desk.send("样例报关有限公司")
    desk.wait_until(lambda desk: desk.cursor_address == (x + 11, y))


def test_the_terminal_s_cursor_follows_the_focus_and_not_what_is_filled_in(desk: Desk) -> None:
    agent, subsystem, until = map(
        lambda label: place_of(desk, label), ("代理企业编号", "授权子系统", "权限有效期")
    )
    desk.send("3101980001\r")
    desk.wait_value("代理企业名称", "上海样例第一报关有限公司")
    desk.wait_until(lambda desk: desk.cursor_address == subsystem)
    desk.send(" ")
    desk.wait_for("筛选 _")
    x, y = desk.find("筛选 _")
    desk.wait_until(lambda desk: desk.cursor_address == (x + 5, y))
    desk.send("物流")
    desk.wait_until(lambda desk: desk.cursor_address == (x + 9, y))
    desk.send("\r\r")
    desk.wait_for(">* 权限有效期")
    desk.wait_until(lambda desk: desk.cursor_address == until)
    desk.send(f"{F2}y")
    desk.wait_for(">* 代理企业编号")
    desk.wait_until(lambda desk: desk.cursor_address == agent)
    desk.resize(120, 36)
    desk.wait_until(lambda desk: desk.cursor_address == place_of(desk, "代理企业编号"))


def test_chinese_narrows_a_list(desk: Desk) -> None:
    desk.press("tab")
    desk.wait_for(">* 授权子系统")
    # The first character opens the list.
    desk.send("手册")
    desk.wait_for("筛选 手册_")
    desk.wait_for("> B1  加工贸易手册")
    assert "加工贸易账册  " not in "".join(desk.lines()[6:9])
    desk.press("enter")
    desk.wait_value("授权子系统", "加工贸易手册")


def test_chinese_where_a_code_belongs_stays_and_is_told(desk: Desk) -> None:
    desk.send("上海样例\r")
    desk.wait_message("代理企业编号应为10位，现为4位")
    desk.wait_value("代理企业编号", "上海样例")
    desk.wait_for(">* 代理企业编号")


def test_full_width_digits_are_taken_for_digits(desk: Desk) -> None:
    desk.send("３１０１９８０００１\r")
    desk.wait_value("代理企业编号", "3101980001")
    desk.wait_value("代理企业名称", "上海样例第一报关有限公司")
    desk.send("９５\r\r２０３１－１２－３１\r")
    desk.wait_value("授权子系统", "加工贸易账册")
    desk.wait_value("权限有效期", date(2031, 12, 31).isoformat())


def test_a_full_width_card_number_is_taken(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r８９００００００００９９９\r")
    desk.wait_for("8900000000999 指定操作员")


def test_a_pin_typed_with_an_input_method_is_refused_and_the_next_is_taken(launch: Launch) -> None:
    desk = launch()
    desk.wait_for(MANUFACTURER)
    desk.send("\r８")
    desk.wait_message("密码只能是半角的字母、数字和符号，请关闭输入法")
    desk.send("88888888")
    desk.wait_for("********")
    x, y = desk.find("********")
    assert desk.cursor_address == (x + 8, y)
    desk.press("enter")
    desk.wait_place("主选单")
