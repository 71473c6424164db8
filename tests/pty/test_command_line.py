"""The command line as a person types it: another process, and on a terminal where one is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import eport_tui
from tests.pty.desk import OPERATOR, PIN, ROOT, Desk, Launch

HEADER = "海关编码,社会信用代码,企业名称"
GOOD = "3101980001,91310000PDY000255M,上海样例第一报关有限公司"
BAD = "310198000,91310000PDY000255M,上海样例第二报关有限公司"

# Root may write everywhere but for this.
WITHOUT_OVERRIDE = """
import ctypes, os, sys
CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the program without a terminal; returns exit code, output and errors."""

    def run(*arguments: str | Path, wrapped: tuple[str, ...] = (), **environment: str):
        done = subprocess.run(
            [*wrapped, sys.executable, "-m", "eport_tui", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=ROOT,
            env={"HOME": str(tmp_path), "PATH": os.defpath, "LANG": "C.UTF-8", **environment},
            encoding="utf-8",
            check=False,
            timeout=30,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def test_help_says_what_there_is_in_chinese(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert out.startswith("用法: eport-tui ")
    commands = ("demo", "registry", "card", "info")
    for word in (*commands, "--database", "--config", "--output", "--version"):
        assert word in out
    assert re.findall("usage|options|arguments|show|exit|error", out) == []


def test_the_version_is_the_package_s(run: Run) -> None:
    assert run("--version") == (0, f"eport-tui {eport_tui.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nonsense",), "nonsense"),
        (("--nonsense",), "--nonsense"),
        (("registry",), "缺少参数"),
        (("registry", "import"), "缺少参数 文件"),
        (("card", "issue"), "缺少参数"),
        (("--database",), "--database"),
        (("ledger", "checkpoint"), "缺少参数，须写明其中之一：--card、--reader"),
    ],
)
def test_a_wrong_command_is_told_in_chinese_and_where_help_is(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    wrong, hint = err.splitlines()
    assert wrong.startswith("错误：")
    assert told in wrong
    assert re.fullmatch("提示：用 eport-tui .*--help 查看用法", hint)


def test_without_a_terminal_the_program_says_so(run: Run) -> None:
    assert run() == (2, "", "错误：请在终端中运行本程序\n提示：现在的输入或输出不是终端\n")


def test_without_a_terminal_a_demo_is_not_thrown_away(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / ".local/share/eport-tui/demo/demo.db"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"kept")
    assert run("demo", "--reset")[0] == 2
    assert kept.read_bytes() == b"kept"
    assert list(kept.parent.iterdir()) == [kept]


def test_a_demo_that_is_open_in_another_window_is_not_thrown_away(
    launch: Launch, database: Path
) -> None:
    first, second = launch("demo"), launch("demo")
    for desk in (first, second):
        desk.wait_for("JJ7G000000073")
    before = database.stat().st_ino
    reset = launch("demo", "--reset")
    reset.wait_for("错误：另一个窗口正在使用演示数据，没有删除")
    reset.wait_for("请先在那里退出程序，再运行 eport-tui demo --reset")
    assert reset.exit_code() == 2
    first.press("ctrl+q")
    assert first.exit_code() == 0
    assert launch("demo", "--reset").exit_code() == 2
    assert database.stat().st_ino == before
    second.log_in()
    second.press("ctrl+q")
    assert second.exit_code() == 0
    reset = launch("demo", "--reset")
    reset.wait_for("正在建立演示数据和演示卡")
    reset.wait_for(re.compile(r"\A 电子口岸委托授权 - 登录 "), timeout=30)
    assert database.stat().st_ino != before


def test_a_server_that_is_not_there_is_told_in_the_words_of_a_command(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "企业.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")
    url = "postgresql://eport@127.0.0.1:1/eport"
    for command in (
        ("expiring",),
        ("registry", "import", file),
        ("db", "copy", url, "new.db"),
    ):
        code, out, err = run("--database", url, *command)
        assert (code, out) == (2, "")
        assert err == (
            "错误：无法连接数据库服务器\n"
            f"提示：没有改动任何内容；请检查网络和 {url}，恢复后重新运行本命令\n"
        )
    log = (tmp_path / ".local/state/eport-tui/eport-tui.log").read_text().splitlines()
    assert all("Connection refused" in line for line in log)
    assert len(log) == 3


def test_a_command_with_nothing_to_store_makes_no_database(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "typo.db"
    for command in (("registry", "show", "3101980001"), ("ledger", "accept-clock")):
        code, out, err = run("--database", place, *command)
        assert (code, out) == (2, "")
        assert err.startswith(f"错误：数据库不存在\n提示：请检查路径 {place}")
    assert run("--database", place, "registry", "import", tmp_path / "none.csv")[0] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("registry", "import"), "文件"),
        (("check", "--batch"), "文件"),
        (("ledger", "verify", "--against"), "检查点文件"),
        (("--config",), "设置文件"),
        (("card", "show"), "卡文件"),
    ],
)
def test_a_file_that_is_not_there_is_told_by_every_command_alike(
    launch: Launch, run: Run, database: Path, arguments: tuple[str, ...], what: str
) -> None:
    there = {"EPORT_TUI_DATABASE": str(database), "EPORT_TUI_TRUST": str(database.parent / "trust")}
    code, out, err = run(*arguments, database.parent / "no.card", **there)
    assert (code in (1, 2), out) == (True, "")
    assert err == f"错误：{what} {database.parent}/no.card 不存在\n提示：请检查路径\n"


def test_a_log_that_cannot_be_written_is_no_failure_of_a_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("no folder")
    code, _, err = run("--database", "postgresql://eport@127.0.0.1:1/eport", "expiring")
    assert code == 2
    assert re.match("错误：无法连接数据库服务器", err)


# Settings and info


def test_info_says_where_everything_is_and_that_nothing_is_there_yet(
    run: Run, tmp_path: Path
) -> None:
    code, out, err = run("info")
    assert (code, err) == (0, "")
    assert re.search(rf"^设置文件 +没有（{tmp_path}/.config/eport-tui/config.toml）$", out, re.M)
    assert re.search(rf"^数据库 +{tmp_path}/.local/share/eport-tui/eport.db（不存在）$", out, re.M)
    assert re.search(r"^信任的机构 .*/trust（不存在）$", out, re.M)
    assert f"eport-tui {eport_tui.__version__}" in out
    assert "数据库尚未建立" in out
    assert list(tmp_path.iterdir()) == []


def test_info_says_which_settings_file_was_read(run: Run, tmp_path: Path) -> None:
    usual = tmp_path / ".config" / "eport-tui" / "config.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text('idle_minutes = 7\ndatabase = "~/usual.db"\n')
    _, out, _ = run("info")
    assert re.search(rf"^设置文件 +{usual}$", out, re.M)
    assert re.search(rf"^数据库 +{tmp_path}/usual.db（不存在）$", out, re.M)
    assert "7分钟没有操作" in out

    other = tmp_path / "other.toml"
    other.write_text("idle_minutes = 8\n")
    _, out, _ = run("--config", other, "info", EPORT_TUI_DATABASE="/of/environment.db")
    assert re.search(rf"^设置文件 +{other}$", out, re.M)
    assert re.search(r"^数据库 +/of/environment.db（不存在）$", out, re.M)
    assert "8分钟没有操作" in out

    _, out, _ = run("--database", "/of/command.db", "info", EPORT_TUI_DATABASE="/of/environment.db")
    assert re.search(r"^数据库 +/of/command.db（不存在）$", out, re.M)


@pytest.mark.parametrize(
    ("written", "environment", "told"),
    [
        ("idle_minutes = ", {}, "格式不对"),
        ("idle = 3", {}, "未知的设置项 idle"),
        ("", {"EPORT_TUI_IDLE_MINUTES": "soon"}, "现为 soon"),
        (None, {}, "不存在"),
    ],
)
def test_settings_that_cannot_be_understood_are_told(
    run: Run, tmp_path: Path, written: str | None, environment: dict[str, str], told: str
) -> None:
    file = tmp_path / "config.toml"
    if written is not None:
        file.write_text(written)
    code, out, err = run("--config", file, "info", **environment)
    assert (code, out) == (2, "")
    assert told in err


# The registry


@pytest.mark.parametrize(
    ("encoding", "start"), [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("gb18030", b"")]
)
def test_enterprises_come_in_from_a_file_and_are_found(
    run: Run, tmp_path: Path, encoding: str, start: bytes
) -> None:
    file = tmp_path / "企业.csv"
    file.write_bytes(start + f"{HEADER}\n{GOOD}\n".encode(encoding))
    code, out, err = run("registry", "import", file)
    assert (code, out, err) == (0, "新增1个企业，更新0个，0行没有变化，0行有错未导入\n", "")
    code, out, _ = run("registry", "show", "３１０１９８０００１")
    assert code == 0
    assert "上海样例第一报关有限公司" in out
    assert "91310000PDY000255M" in out
    assert (tmp_path / ".local/share/eport-tui/eport.db").stat().st_mode & 0o777 == 0o600


def test_a_bad_line_is_told_and_with_strict_nothing_comes_in(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "企业.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n{BAD}\n")
    code, out, _ = run("registry", "import", "--strict", file)
    assert code == 1
    assert "第3行，海关编码应为10位，现为9位" in out
    assert "没有导入任何企业" in out
    code, _, err = run("registry", "show", "3101980001")
    assert (code, err) == (
        2,
        "错误：未查询到该企业\n提示：请核对编号；编号无误的，请管理员导入该企业\n",
    )
    code, out, _ = run("registry", "import", file)
    assert code == 1
    assert "第3行，海关编码应为10位，现为9位" in out
    assert "新增1个企业" in out
    assert run("registry", "show", "3101980001")[0] == 0
    _, out, _ = run("info")
    assert re.search(r"^企业 +1$", out, re.M)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "不存在"),
        (b"", "文件是空的"),
        (b"PK\x03\x04\0\0", "不是CSV文件"),
        (f"{GOOD}\n".encode(), "缺少列"),
    ],
)
def test_a_file_that_is_no_list_of_enterprises_is_told(
    run: Run, tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "企业.csv"
    if content is not None:
        file.write_bytes(content)
    code, out, err = run("registry", "import", file)
    assert (code, out) == (2, "")
    assert told in err


# Cards


def test_a_card_is_issued_listed_and_shown(run: Run) -> None:
    assert run("card", "list")[1].startswith("没有软件卡")
    issue = [
        *("card", "issue", "--number", "8900000000011", "--role", "legal", "--person", "王样例"),
        *("--customs-code", "3101440001", "--uscc", "91310000PDY00001XG"),
        *("--enterprise", "上海样例精密机械有限公司"),
    ]
    code, _, err = run(*issue)
    assert code == 1
    assert "eport-tui card authority init" in err
    assert run("card", "authority", "init")[0] == 0
    code, out, err = run(*issue)
    assert (code, err) == (0, "")
    assert "已发卡 8900000000011" in out
    _, out, _ = run("card", "list")
    assert re.search("8900000000011 +法人卡 +王样例 +上海样例精密机械有限公司 .* 5 +有效", out)
    code, out, _ = run("card", "show", "8900000000011")
    assert code == 0
    for text in ("91310000PDY00001XG", "3101440001", "还可试5次", "状态"):
        assert text in out
    code, _, err = run("card", "show", "8900000000999")
    assert code == 1
    assert err.startswith("错误：没有卡 8900000000999")


def test_a_pin_is_changed_on_a_terminal_without_being_seen(
    launch: Launch, run: Run, database: Path
) -> None:
    cards = str(database.parent / "cards")

    def change(old: str, new: str) -> Desk:
        desk = launch("card", "change-pin", OPERATOR, EPORT_TUI_CARDS=cards)
        for prompt, pin in (("原密码", old), ("新密码（8个字符）", new), ("再输入一次", new)):
            desk.wait_for(prompt)
            desk.send(f"{pin}\n")
        return desk

    desk = change(PIN, "Ab3$5678")
    desk.wait_for("密码已修改")
    assert desk.exit_code() == 0
    assert b"Ab3$" not in desk.output
    assert PIN.encode() not in desk.output

    desk = change(PIN, "12345678")
    desk.wait_for("密码错误，还可再试4次")
    assert desk.exit_code() == 1

    code, _, err = run("card", "change-pin", OPERATOR, EPORT_TUI_CARDS=cards)
    assert code == 1
    assert "请在终端中运行" in err


def test_bytes_that_are_no_text_do_not_show_the_pin_that_they_were_typed_with(
    launch: Launch, home: Path, database: Path
) -> None:
    cards = database.parent / "cards"
    tries = (cards / f"{OPERATOR}.tries").read_bytes()
    for locale in ({"LANG": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}):
        desk = launch("card", "change-pin", OPERATOR, EPORT_TUI_CARDS=str(cards), **locale)
        desk.wait_for("原密码")
        # As an input method has it on a terminal that speaks GBK.
        desk.send(os.fsdecode(b"\xd6\xd0Zq7!xK\n"))
        desk.wait_for("请关闭输入法后重新输入")
        assert desk.exit_code() == 1
        assert b"Zq7" not in desk.output
    assert (cards / f"{OPERATOR}.tries").read_bytes() == tries
    assert not [log for log in home.rglob("*.log") if "Zq7" in log.read_text()]


# Where the data cannot be


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "数据库路径是一个文件夹"),
        (lambda path: path.write_text("这是一个文本文件，不是数据库" * 200), "不是"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(2000)), "损坏"),
    ],
)
def test_a_database_that_is_none_is_told_on_the_login_screen(
    launch: Launch, run: Run, tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    place = tmp_path / "eport.db"
    make(place)
    code, out, err = run("--database", place, "registry", "show", "3101980001")
    assert (code, out) == (2, "")
    assert told in err

    desk = launch("--database", str(place))
    desk.wait_for(told)
    desk.wait_place("电子口岸委托授权 - 登录")
    # Once it is put right, F5 goes on without a new start.
    place.rename(tmp_path / "aside")
    desk.press("f5")
    desk.wait_for("请插入IC卡或Ikey")
    desk.wait_gone(told)
    desk.press("ctrl+q")
    assert desk.exit_code() == 0


def test_a_truncated_database_is_told_and_not_touched(
    launch: Launch, database: Path, tmp_path: Path
) -> None:
    place = tmp_path / "eport.db"
    whole = database.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    desk = launch("--database", str(place))
    desk.wait_for("数据库已损坏或不完整")
    desk.press("ctrl+q")
    assert desk.exit_code() == 0
    assert place.read_bytes() == whole[: len(whole) // 2]


def test_a_home_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "good.csv").write_text(f"{HEADER}\n{GOOD}\n")
    home.chmod(0o555)
    wrapped = (sys.executable, "-ISc", WITHOUT_OVERRIDE)
    environment = {"HOME": str(home), "wrapped": wrapped}
    code, _, err = run("registry", "import", tmp_path / "good.csv", **environment)
    assert code == 2
    assert str(home) in err
    code, _, err = run("demo", **environment)
    assert code == 2
    assert "无法建立演示数据" in err
    code, out, _ = run("info", **environment)
    assert code == 0
    assert "数据库尚未建立" in out
    with Desk(
        [*wrapped, sys.executable, "-m", "eport_tui"], env={"HOME": str(home)}, cwd=ROOT
    ) as desk:
        desk.wait_for("没有权限打开数据库")
        desk.press("ctrl+q")
        assert desk.exit_code() == 0
    assert list(home.iterdir()) == []
