"""What the command line says when it is used wrongly."""

from __future__ import annotations

import re

import pytest

from eport_tui.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "命令 不能是 nothing，可用的是 demo、registry、card、check、"),
        (["don't"], "命令 不能是 don't，可用的是 demo、"),
        (["a, b"], "命令 不能是 a, b，可用的是 demo、"),
        (["--output=fast", "info"], "--output 不能是 fast，可用的是 lean、textual"),
        (["registry", "import"], "缺少参数 文件"),
        (["ledger", "checkpoint"], "缺少参数，须写明其中之一：--card、--reader"),
        (["--database"], "--database 后面缺少值"),
        (["info", "--surely"], "不认识的参数 --surely"),
        (["demo", "--output=textual"], "参数 --output=textual 要写在命令之前"),
        (["demo", "--reset=now"], "--reset 不带值"),
    ],
)
def test_wrong_usage_is_told_in_chinese(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    wrong, hint = capsys.readouterr().err.splitlines()
    assert wrong.startswith(f"错误：{said}")
    assert re.fullmatch("提示：用 eport-tui .*--help 查看用法", hint)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["card", "--help"], ["registry", "import", "-h"]]
)
def test_help_is_in_chinese(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "用法: eport-tui" in shown
    for english in ("usage", "options", "positional", "show this"):
        assert english not in shown
