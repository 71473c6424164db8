"""A defect of the program: an operator meets one Chinese sentence and a terminal that works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pty.desk import MANUFACTURER, ROOT, Desk

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
