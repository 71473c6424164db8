"""A defect of the program: an operator meets one Chinese sentence and a terminal that works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pty.desk import MANUFACTURER, ROOT, Desk, Launch

EXPIRED = "8900000000080"

BROKEN = """
import sys
from eport_tui.__main__ import main
from eport_tui.widgets.grid import Grid
from eport_tui.screens.menus import MainMenuScreen, MenuScreen

def fail(*_):
    raise RuntimeError("a defect \\x1b[31m")

{place} = fail
sys.exit(main(["demo"]))
"""


@pytest.mark.parametrize("place", ["Grid.render_line", "Grid.on_focus", "MenuScreen.body"])
def test_a_defect_ends_the_program_with_one_sentence_and_a_log(home: Path, place: str) -> None:
    code = BROKEN.format(place=place)
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        if place.startswith("Menu"):
            desk.log_in(MANUFACTURER, "1")
        assert desk.exit_code() == 1
        told = "".join(line.rstrip() for line in desk.lines())
        assert desk.left_on == []
    log = home / ".local/share/eport-tui/demo/eport-tui.log"
    assert told == (
        f"程序内部错误，已退出。未保存的录入在下次登录时可恢复。详情记录在 {log}".replace(" ", "")
    )
    assert "RuntimeError: a defect" in log.read_text()


def test_a_defect_in_what_a_key_began_is_told_and_work_goes_on(home: Path) -> None:
    code = BROKEN.format(place="MainMenuScreen.chosen")
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        desk.log_in(MANUFACTURER, "1")
        desk.wait_for("程序内部错误，刚才的操作可能没有完成")
        desk.press("ctrl+q")
        assert desk.exit_code() == 0


def test_without_a_log_file_the_sentence_says_that_nothing_was_logged(home: Path) -> None:
    log = home / ".local/share/eport-tui/demo/eport-tui.log"
    log.mkdir()
    code = BROKEN.format(place="MainMenuScreen.chosen")
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        desk.log_in(MANUFACTURER, "1")
        desk.wait_for("日志无法写入，没有记录")
        desk.press("ctrl+q")
        assert desk.exit_code() == 0


def test_a_log_file_that_cannot_be_written_does_not_hide_why_a_card_is_refused(
    home: Path, launch: Launch
) -> None:
    (home / ".local/share/eport-tui/demo/eport-tui.log").mkdir()
    desk = launch()
    desk.wait_for(EXPIRED)
    desk.send(f"{EXPIRED}\r")
    desk.wait_for("证书已于")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0
