"""Every kind of terminal: its function keys, its colours or none, and its size."""

from __future__ import annotations

import base64
import re
import time
from dataclasses import replace

import pytest

from eport_tui.actions import legend
from eport_tui.screens.change_pin import ChangePinScreen
from eport_tui.screens.enterprise_grants import EnterpriseGrantsScreen
from eport_tui.screens.menus import AuthorizationMenuScreen, MainMenuScreen
from eport_tui.screens.operator_grants import OperatorGrantsScreen
from eport_tui.screens.permissions import PermissionsScreen
from tests.pty.desk import (
    BROKER,
    ENTERPRISE_GRANTS,
    F11,
    F12,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Desk,
    Launch,
)
from tests.pty.terminal import Cell

FORM = "委托授权系统 / 企业间授权录入"

# PuTTY sends these when nothing else is set; F5 and later are those of xterm.
PUTTY_KEYS = {"f1": "\x1b[11~", "f2": "\x1b[12~", "f3": "\x1b[13~", "f4": "\x1b[14~"}


# Keys


@pytest.mark.parametrize("terminal", ["linux", "xterm", "screen", "xterm-256color", "putty"])
def test_the_function_keys_of_every_terminal_do_what_the_legend_says(
    launch: Launch, terminal: str
) -> None:
    desk = launch(term=terminal)

    def press(key: str) -> None:
        if terminal == "putty" and key in PUTTY_KEYS:
            desk.send(PUTTY_KEYS[key])
        else:
            desk.press(key)

    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    press("f1")
    desk.wait_place(f"帮助 - {FORM}")
    press("f1")
    desk.wait_place(FORM)
    press("f8")
    desk.wait_for("请选择数据!")
    press("f12")
    desk.wait_gone("请选择数据!")
    press("f9")
    desk.wait_for("请选择数据!")
    press("enter")
    desk.wait_gone("请选择数据!")
    press("f10")
    desk.wait_message("请输入代理企业编号")
    press("tab")
    press("f4")
    desk.wait_for("选择授权子系统")
    press("end")
    press("enter")
    desk.wait_value("授权子系统", "出境加工")
    press("f2")
    desk.wait_for("录入的企业间授权尚未保存")
    desk.send("y")
    desk.wait_value("授权子系统", "")
    press("f3")
    desk.wait_place("主选单")
    press("f11")
    desk.wait_place("主选单 / 修改密码")
    press("f12")
    desk.wait_place("主选单")
    press("f7")
    desk.wait_place("已锁定")


def test_esc_takes_effect_at_once(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}\t")
    desk.wait_for(">* 授权子系统")
    took: list[float] = []
    for _ in range(3):
        desk.press("f4")
        desk.wait_for("选择授权子系统")
        pressed = time.monotonic()
        desk.press("escape")
        desk.wait_gone("选择授权子系统")
        took.append(time.monotonic() - pressed)
    assert min(took) < 0.2


def test_keys_that_stop_or_end_other_programs_leave_this_one_alone(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    # An operator without a shell could not bring a stopped program back.
    desk.press("3", "ctrl+z", "1", "ctrl+d", "0")
    desk.send("\x1c1")
    desk.wait_value("代理企业编号", "3101")
    desk.press("ctrl+c")
    desk.wait_message("退出程序请按Ctrl+Q")
    desk.press("9")
    desk.wait_value("代理企业编号", "31019")

    desk.send("\x1b[1;2H")
    desk.press("ctrl+c")
    desk.send("X")
    desk.wait_value("代理企业编号", "X")
    copied = base64.b64encode(b"31019")
    assert b"\x1b]52;c;" + copied in desk.output


def test_ctrl_l_repaints_what_another_program_wrote_over(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    desk.press("tab")
    desk.wait_message("按空格键选择，也可直接输入代码或拼音首字母")
    whole = picture(desk)
    for noise in ("\x1b[H" + "#授权" * 700, "\x1b[5;10H\x1b[0m\x1b[J"):
        desk.garble(noise)
        assert picture(desk) != whole
        desk.press("ctrl+l")
        desk.wait_until(lambda desk: picture(desk) == whole)
    desk.press("space")
    desk.wait_for("选择授权子系统")
    dialog = picture(desk)
    desk.garble("\x1b[H\x1b[0m\x1b[J")
    desk.press("ctrl+l")
    desk.wait_until(lambda desk: picture(desk) == dialog)


def picture(desk: Desk) -> list[Cell]:
    """The whole screen with what is seen of its colours."""
    cells = (desk.cell(x, y) for y in range(24) for x in range(80))
    return [
        replace(cell, fg="", bold=False)
        if cell.text == " " and not (cell.underline or cell.reverse)
        else cell
        for cell in cells
    ]


# Colours


def fields(desk: Desk) -> dict[str, Cell]:
    """A cell of a field that must be filled, of one that may be, and of one that is shown."""
    desk.log_in(BROKER, OPERATOR_GRANTS)
    desk.wait_for("共1条")
    places = {
        "required": ("* 是否授予全部操作员", 21),
        "optional": ("+ 授权企业编号", 15),
        "shown": ("= 授权企业名称", 21),
    }
    found: dict[str, Cell] = {}
    for ground, (label, cells) in places.items():
        x, y = desk.find(label)
        found[ground] = desk.cell(x + cells, y)
    return found


@pytest.mark.parametrize(
    ("term", "colorterm", "grounds"),
    [
        ("linux", "", ("blue", "yellow", "white")),
        ("xterm", "", ("blue", "yellow", "white")),
        ("screen", "", ("blue", "yellow", "white")),
        ("xterm-256color", "", ("005faf", "5f5f00", "303030")),
        ("xterm-256color", "truecolor", ("005faf", "5f5f00", "303030")),
    ],
)
def test_the_ground_of_a_field_tells_what_it_is(
    launch: Launch, term: str, colorterm: str, grounds: tuple[str, str, str]
) -> None:
    desk = launch(term=term, COLORTERM=colorterm)
    found = fields(desk)
    assert tuple(found[ground].bg for ground in ("required", "optional", "shown")) == grounds
    assert all(cell.fg != cell.bg for cell in found.values())
    uses_16_only = not re.search(rb"\x1b\[[\d;]*[34]8[;:]", desk.output)
    assert uses_16_only == (not term.endswith("256color"))
    assert bool(re.search(rb"[34]8;2;", desk.output)) == bool(colorterm)


@pytest.mark.parametrize("term", ["linux", "xterm-256color"])
def test_without_colour_marks_and_styles_say_the_same(launch: Launch, term: str) -> None:
    desk = launch(term=term, NO_COLOR="1")
    found = fields(desk)
    assert found["required"].underline
    assert found["optional"].underline
    assert not found["shown"].underline
    selected = desk.find("> 3101440001")
    assert desk.cell(*selected).reverse
    # Through dialogs and back: not one colour in all that was written.
    desk.press("enter", "f10", "tab", "tab", "f8")
    desk.wait_for("Tab事由、答复")
    x, y = desk.find("> 取消(N)")
    assert desk.cell(x, y).reverse
    assert not desk.cell(*desk.find("确定(Y)")).reverse
    desk.press("escape")
    desk.wait_gone("删除确认")
    assert colours(bytes(desk.output)) == set()


def colours(output: bytes) -> set[bytes]:
    """The renditions that set a colour other than the terminal's own (39 and 49)."""
    return {
        parameters
        for parameters in re.findall(rb"\x1b\[([\d;:]+)m", output)
        if re.search(rb"(?<!\d)(?:3[0-8]|4[0-8]|58|9[0-7]|10[0-7])(?!\d)", parameters)
    }


# Size


def test_every_screen_is_whole_at_80x24(launch: Launch) -> None:
    desk = launch()
    desk.wait_for(MANUFACTURER)
    assert_keys(desk, ("choose", "reload", "leave", "help"))
    desk.log_in(BROKER, "")
    for typed, screen in (
        ("", MainMenuScreen),
        (F11, ChangePinScreen),
        (f"{F12}1", AuthorizationMenuScreen),
        ("1", EnterpriseGrantsScreen),
        (f"{F12}2", OperatorGrantsScreen),
        (f"{F12}3", PermissionsScreen),
    ):
        desk.send(typed)
        desk.wait_place(screen.PLACE)
        assert_keys(desk, (*screen.LEGEND, "card_slot"))
        desk.press("f1")
        desk.wait_place(f"帮助 - {screen.PLACE}")
        desk.press("f1")
        desk.wait_place(screen.PLACE)


def assert_keys(desk: Desk, ids: tuple[str, ...]) -> None:
    """The last line shows all these keys whole, and the first all of where one is."""
    last = desk.line(23)
    assert [caps + label for caps, label in legend(ids) if f"{caps}{label}" not in last] == []
    assert ".." not in desk.line(0)


def test_another_size_of_the_window_is_filled_and_the_first_comes_back_as_it_was(
    launch: Launch,
) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r89")
    desk.wait_value("操作员IC卡号", "89")
    small = desk.lines()
    keys = small[-1].rstrip()
    assert "上海浦东样例电子科技有限公司" not in "\n".join(small)

    desk.resize(120, 36)
    desk.wait_until(lambda desk: desk.lines()[-1].rstrip() == keys)
    desk.wait_for("上海浦东样例电子科技有限公司")
    desk.wait_value("操作员IC卡号", "89")

    # As when a corner of the window is dragged.
    for _ in range(8):
        for columns in range(81, 121):
            desk.resize(columns, 24 + columns % 12)
        desk.resize(80, 24)
        desk.wait_until(lambda desk: desk.lines() == small)

    for columns, lines in ((40, 10), (20, 3), (1, 1)):
        desk.resize(columns, lines)
        desk.send("0")
        desk.press("backspace", "f8", "escape")
    desk.resize(80, 24)
    desk.wait_until(lambda desk: desk.lines() == small)
