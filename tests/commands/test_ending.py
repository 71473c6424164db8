"""However a command goes wrong: a sentence in Chinese, the documented exit code, no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from eport_tui.domain import dates
from eport_tui.reference import packaged
from eport_tui.store.database import Store
from eport_tui.store.enterprises import put_all
from tests.ledger.making import trust_in
from tests.services.world import BROKER, MANUFACTURER, grant, register

# Root may look everywhere but for this.
AS_ANYBODY = """
import ctypes, os, sys
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24
for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

# More than a pipe holds, so that it is written before the end, too.
MANY = 3000

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a database in which a grant is, and with an authority that is trusted."""
    home = tmp_path_factory.mktemp("home")
    trust_in(home / "trust")
    with Store.open(home / "eport.db") as store:
        register(store)
        grant(store, valid_until=dates.today() + timedelta(days=30))
    return home


@pytest.fixture
def run(home: Path) -> Run:
    """Runs a command; returns exit code, output and errors."""

    def run(
        *arguments: str | Path, stdout: Any = subprocess.PIPE, wrapped: tuple[str, ...] = (), **more
    ) -> tuple[int, str, str]:
        done = subprocess.run(
            [*wrapped, sys.executable, "-m", "eport_tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={
                "HOME": str(home),
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "EPORT_TUI_DATABASE": str(home / "eport.db"),
                "EPORT_TUI_TRUST": str(home / "trust"),
                **more,
            },
            check=False,
            timeout=60,
        )
        out = (done.stdout or b"").decode(more.get("PYTHONIOENCODING", "utf-8"))
        err = done.stderr.decode(more.get("PYTHONIOENCODING", "utf-8"))
        assert "Traceback" not in out + err
        assert "Exception ignored" not in err
        return done.returncode, out, err

    return run


COMMANDS = [
    ("--help",),
    ("card", "--help"),
    ("--version",),
    ("info",),
    ("registry", "show", MANUFACTURER.customs_code),
    ("card", "list"),
    ("expiring", "--within", "3650"),
    ("expiring", "--within", "3650", "--json"),
    ("ledger", "verify"),
    ("ledger", "verify", "--json"),
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_output_that_cannot_be_written_is_told_and_gives_2(
    run: Run, command: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:
        code, _, err = run(*command, stdout=full)
    assert (code, err) == (2, "错误：无法读写输出：磁盘已满\n提示：请清理磁盘后再试\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_output_that_nobody_reads_any_more_ends_the_command_quietly(
    run: Run, command: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, err = run(*command, stdout=writing)
    finally:
        os.close(writing)
    assert (code, err) == (141, "")


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_was_closed_is_no_defect(run: Run, closed: int) -> None:
    without = "import os, sys; os.close(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
    code, out, err = run(
        *("ledger", "verify"), wrapped=(sys.executable, "-ISc", without, str(closed))
    )
    assert (code, err) == (0, "")
    assert out.startswith("" if closed == 1 else "台账完好")


@pytest.fixture
def hidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be looked into."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


WRAPPED = (sys.executable, "-ISc", AS_ANYBODY)


def test_info_tells_which_places_may_not_be_looked_at(run: Run, hidden: Path) -> None:
    places = {
        f"EPORT_TUI_{name.upper()}": str(hidden / name)
        for name in ("database", "cards", "trust", "authority")
    }
    code, out, err = run("info", wrapped=WRAPPED, **places)
    assert (code, err) == (1, "")
    for name in ("database", "cards", "trust", "authority"):
        assert f"{hidden / name}（无法查看：没有权限）" in out
    assert "有问题" in out
    assert "没有权限打开数据库" in out


def test_cards_that_may_not_be_seen_are_not_said_to_be_none(run: Run, hidden: Path) -> None:
    for folder in (hidden, hidden / "cards"):
        code, out, err = run("card", "list", wrapped=WRAPPED, EPORT_TUI_CARDS=str(folder))
        assert (code, out) == (1, "")
        assert err.startswith(f"错误：无法读取软件卡文件夹 {folder}：没有权限\n")


@pytest.mark.parametrize(
    "command",
    [
        ("ledger", "verify"),
        ("ledger", "export", "/nowhere.zip"),
        ("expiring",),
        ("registry", "show", "3101940001"),
        ("card", "show", "8900000000011"),
        ("card", "revoke", "8900000000011"),
        ("check", "--batch", "-"),
        ("db", "copy", "{hidden}/a.db", "{hidden}/b.db"),
    ],
    ids=lambda command: command[0],
)
def test_places_that_may_not_be_looked_at_are_told_by_every_command(
    run: Run, hidden: Path, command: tuple[str, ...]
) -> None:
    places = {
        f"EPORT_TUI_{name.upper()}": str(hidden / name)
        for name in ("database", "cards", "trust", "authority")
    }
    arguments = [word.format(hidden=hidden) for word in command]
    code, out, err = run(*arguments, wrapped=WRAPPED, **places)
    assert (code in (1, 2), out) == (True, "")
    assert "没有权限" in err


def test_authorities_that_may_not_be_read_are_not_said_to_be_missing(
    run: Run, hidden: Path
) -> None:
    code, _, err = run("ledger", "verify", wrapped=WRAPPED, EPORT_TUI_TRUST=str(hidden))
    assert code == 2
    assert err.startswith(
        f"错误：信任的机构文件夹 {hidden}/authorities 没有权限读取，无法核对签名\n"
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("info",), {"EPORT_TUI_CONTROL": "unix:~nosuch/c.sock"}, "没有 ~nosuch 所指的主文件夹"),
        (("info",), {"EPORT_TUI_CARDS": "~nosuch/cards"}, "没有 ~nosuch 所指的主文件夹"),
        (("--config", "~nosuch/c.toml", "info"), {}, "没有 ~nosuch 所指的主文件夹"),
        (("--database", "x" * 300, "expiring"), {}, "x" * 300),
        (("registry", "import", "x" * 300), {}, "x" * 300),
        (("--database", os.fsdecode(b"/\xd6\xd0.db"), "registry", "show", "1"), {}, "不存在"),
        (("db", "backup", os.fsdecode(b"\xd6\xd0.db")), {}, "路径不是UTF-8文字"),
        (("db", "restore", os.fsdecode(b"\xd6\xd0.db")), {}, "数据库不存在"),
    ],
)
def test_paths_that_cannot_be_are_told(
    run: Run, arguments: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    code, out, err = run(*arguments, **environment)
    assert (code, out) == (2, "")
    assert told in err
    assert "程序内部错误" not in err


@pytest.mark.parametrize(
    "written",
    ["idle_minutes = " + "9" * 5000, "idle_minutes = 1" + "0" * 400, "cards = " + "[" * 5000],
    ids=["longer than Python reads", "beyond a float", "brackets"],
)
def test_settings_that_no_parser_likes_are_told(run: Run, tmp_path: Path, written: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(written)
    code, out, err = run("--config", file, "info")
    assert (code, out) == (2, "")
    assert err.startswith("错误：设置")
    assert str(file) in err


NAME = "上海\u20ac𠮷样例有限公司"
"""Has a character beyond U+FFFF, which GBK lacks as well as Latin-1 lacks all of it."""


@pytest.fixture
def named(home: Path) -> Iterator[None]:
    with Store.open(home / "eport.db") as store:
        with store.transaction():
            put_all(store, [BROKER._replace(name=NAME)])
        yield
        with store.transaction():
            put_all(store, [BROKER])


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("encoding", ["gbk", "latin-1", "ascii"])
def test_an_output_that_lacks_a_character_is_written_all_the_same(run: Run, encoding: str) -> None:
    code, out, err = run("registry", "show", BROKER.customs_code, PYTHONIOENCODING=encoding)
    assert (code, err) == (0, "")
    assert "\\ud842\\udfb7" in out
    assert BROKER.customs_code in out
    code, out, err = run("expiring", "--within", "3650", "--json", PYTHONIOENCODING=encoding)
    assert (code, err) == (0, "")
    assert json.loads(out)[0]["agent_name"] == NAME


def test_an_argument_that_is_no_text_is_repeated_so_that_it_can_be_read(run: Run) -> None:
    code, _, err = run("registry", "import", os.fsdecode(b"\xff.csv"))
    assert code == 2
    assert err.startswith("错误：文件 ")
    assert ".csv 不存在" in err


def test_a_defect_is_one_sentence_that_names_the_log(run: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import eport_tui.commands.info as info\n"
        "def fail(settings): raise ZeroDivisionError('what was typed')\n"
        "info.run = fail\n"
    )
    code, out, err = run("info", PYTHONPATH=f"{tmp_path}:{Path.cwd()}")
    log = home / ".local/state/eport-tui/eport-tui.log"
    assert (code, out) == (2, "")
    assert err == (f"错误：程序内部错误：ZeroDivisionError\n提示：详情记录在 {log}\n")
    assert "Traceback" in log.read_text()


def test_a_table_that_another_program_has_dropped_is_told(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "eport.db"
    Store.open(place).close()
    connection = apsw.Connection(str(place))
    connection.execute("DROP TABLE ledger_entry")
    connection.close()
    code, out, err = run("ledger", "verify", EPORT_TUI_DATABASE=str(place))
    assert (code, out) == (2, "")
    told = "数据库的结构被其他程序改动过"
    assert err == f"错误：{told}\n提示：请停止使用，并用备份恢复 {place}\n"
    code, out, err = run("info", EPORT_TUI_DATABASE=str(place))
    assert (code, err) == (1, "")
    assert told in out


def test_info_shows_what_decides_beside_the_paths(run: Run, home: Path, tmp_path: Path) -> None:
    _, out, _ = run("info")
    assert re.search("^严格核查 +否$", out, re.M)
    assert re.search("^代码表 +程序自带$", out, re.M)
    assert re.search("^台账 +1笔操作$", out, re.M)
    file = tmp_path / "config.toml"
    file.write_text("strict = true\n")
    (tmp_path / "subsystems.csv").write_text(packaged("subsystems.csv").read_text())
    _, out, _ = run("--config", file, "info")
    assert re.search("^严格核查 +是，只认台账证明的授权$", out, re.M)
    assert re.search(f"^代码表 +{tmp_path} 中的 subsystems.csv，其余为程序自带$", out, re.M)
