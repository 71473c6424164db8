"""The program outside the demo: real readers, and what it does for the PIN as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eport_tui.card import pcsc
from tests.pty.desk import PIN, Desk, Launch

_CAN_BE_DUMPED = """
import ctypes, sys
from eport_tui.commands.work import keep_memory_private
PR_GET_DUMPABLE = 3
keep_memory_private()
sys.exit(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
"""


@pytest.fixture
def desk(launch: Launch, database: Path) -> Desk:
    """The program at work with the files of the demo, in an SSH connection without a reader."""
    demo = database.parent
    return launch(
        "--database",
        str(database),
        EPORT_TUI_CARDS=str(demo / "cards"),
        EPORT_TUI_TRUST=str(demo / "trust"),
        SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22",
    )


def test_what_is_missing_for_real_readers_is_one_quiet_line_and_software_cards_work(
    desk: Desk,
) -> None:
    told = (pcsc.NOT_INSTALLED, pcsc.NO_LIBRARY, pcsc.NO_FORWARD)
    desk.wait_until(lambda desk: any(line.strip().endswith(told) for line in desk.lines()))
    desk.wait_for("软件卡读卡器  就绪")
    assert len([line for line in desk.lines() if "IC卡读卡器" in line]) == 1
    assert desk.message == ""
    desk.press("enter")
    desk.wait_for("请输入密码")
    desk.send(f"{PIN}\r")
    desk.wait_place("主选单")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0
    assert "".join(desk.lines()).strip() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells this about a process")
def test_a_program_that_holds_a_pin_leaves_no_core_file(desk: Desk) -> None:
    desk.wait_for("请插入IC卡或Ikey")
    limits = Path(f"/proc/{desk._process.pid}/limits").read_text("utf-8")
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows this")
def test_no_other_process_of_the_user_looks_into_the_memory() -> None:
    assert subprocess.run([sys.executable, "-c", _CAN_BE_DUMPED], check=False).returncode == 0


def test_where_memory_cannot_be_kept_private_the_program_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ctypes
    import resource

    from eport_tui.commands.work import keep_memory_private

    def refuse(*arguments: object) -> None:
        raise OSError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_memory_private()
