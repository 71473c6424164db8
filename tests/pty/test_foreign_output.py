"""What others write on stderr, such as a C library, never gets across the screen."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pty.desk import MANUFACTURER, ROOT, Desk

NOISE = "WARNING: something that a library has to say"

NOISY = """
import os, sys
from eport_tui.__main__ import main
from eport_tui.app import EportApp
from eport_tui.screens.menus import MainMenuScreen

async def noisy(self, id):
    for _ in range(3):
        os.write(2, b"{noise}\\n")
    self.say("after the noise")

MainMenuScreen.chosen = noisy
{more}
code = main(["demo"])
os.write(2, b"written after the program")
sys.exit(code)
"""

CRASH = """
def crash(self, *_):
    raise RuntimeError("a crash")

EportApp.run = crash
"""


def test_a_warning_of_a_library_goes_to_the_log_and_not_across_the_screen(home: Path) -> None:
    code = NOISY.format(noise=NOISE, more="")
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        desk.log_in(MANUFACTURER, "1")
        desk.wait_message("after the noise")
        assert NOISE not in "\n".join(desk.lines())
        assert desk.line(0).startswith(" 主选单")
        desk.press("ctrl+q")
        desk.wait_for("written after the program")
        assert desk.exit_code() == 0
        assert desk.left_on == []
    log = home / ".local/share/eport-tui/demo/eport-tui.log"
    (line,) = log.read_text().splitlines()
    assert line.endswith(f": {NOISE}")


def test_a_program_without_a_log_is_not_disturbed_either(home: Path) -> None:
    (home / ".local/share/eport-tui/demo/eport-tui.log").mkdir()
    code = NOISY.format(noise=NOISE, more="")
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        desk.log_in(MANUFACTURER, "1")
        desk.wait_message("after the noise")
        assert NOISE not in "\n".join(desk.lines())


def test_a_crash_is_told_in_a_sentence_and_its_traceback_logged(home: Path) -> None:
    code = NOISY.format(noise=NOISE, more=CRASH)
    with Desk([sys.executable, "-c", code], env={"HOME": str(home)}, cwd=ROOT) as desk:
        desk.wait_for("程序内部错误")
        desk.wait_for("written after the program")
        assert "详情记录在" in "".join(desk.lines())
        assert desk.exit_code() == 2
    log = home / ".local/share/eport-tui/demo/eport-tui.log"
    assert "RuntimeError: a crash" in log.read_text()
