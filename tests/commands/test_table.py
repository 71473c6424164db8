"""Tables on terminals of any width, and in files."""

from __future__ import annotations

import sys

import pytest

from eport_tui.commands.table import print_table

CARDS = [
    ("卡号", "角色", "姓名", "企业", "有效期至", "剩余次数", "状态"),
    (
        *("8900000000011", "操作员卡", "王样例", "上海样例精密机械制造有限公司"),
        *("2028-03-01", "5", "有效"),
    ),
    ("8900000000028", "法人卡", "李样例", "乙公司", "2028-03-01", "5", "不可用：" + "因" * 30),
]


def lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int | None
) -> list[str]:
    """What is printed on a terminal of so many columns, or into a file."""
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: columns is not None, raising=False)
        patch.setenv("COLUMNS", str(columns or 80))
        print_table(CARDS, cut=[3])
    return capsys.readouterr().out.splitlines()


def width(line: str) -> int:
    return sum(1 if ord(character) < 0x80 else 2 for character in line)


def test_a_name_is_cut_so_that_the_state_stays_in_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head, first, second = lines(monkeypatch, capsys, 80)
    assert width(first) <= 80
    assert "上海样例精.." in first
    assert first.endswith("有效")
    # Columns still stand below one another.
    assert width(first.partition("2028")[0]) == width(second.partition("2028")[0])
    assert width(head.partition("有效期至")[0]) == width(first.partition("2028")[0])


def test_where_there_is_room_and_in_a_file_names_are_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in (120, None):
        assert "上海样例精密机械制造有限公司" in lines(monkeypatch, capsys, columns)[1]


def test_where_there_is_no_room_at_all_a_column_is_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first, _, told = lines(monkeypatch, capsys, 64)
    assert width(first) <= 64
    assert "上海" not in first
    assert told == "终端太窄，没有列出企业；请加宽终端，或输出到文件"
