"""The code tables of the program, and those of an organisation in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from eport_tui.errors import InvalidInput, SettingsError
from eport_tui.reference import TABLES, load_tables, packaged


def test_the_subsystems_of_the_specification_in_its_order() -> None:
    tables = load_tables()
    assert [(code.code, code.name) for code in tables.subsystems.offered()] == [
        ("95", "加工贸易账册"),
        ("B1", "加工贸易手册"),
        ("Z8", "物流账册"),
        ("B3", "货物流转"),
        ("X1", "核注清单"),
        ("B2", "保税担保"),
        ("Z7", "海关特殊监管区域"),
        ("X2", "出境加工"),
    ]
    assert {code.code for code in tables.subsystems if code.note == "own"} == {"X1", "X2"}


def test_the_actions_and_the_grant_type_each_needs() -> None:
    tables = load_tables()
    needs = {
        action.name: tables.grant_types.name(tables.action_needs[action.code])
        for action in tables.actions
    }
    assert needs == {
        **dict.fromkeys(("查询", "暂存", "修改", "删除", "申报", "打印"), "操作权"),
        "报关调用": "报关权",
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_with_the_program(name: str) -> None:
    assert packaged(f"{name}.csv").is_file()
    assert len(getattr(load_tables(), name)) > 0


def test_a_folder_without_tables_changes_nothing(tmp_path: Path) -> None:
    assert [code.code for code in load_tables(tmp_path / "none").areas] == [
        code.code for code in load_tables().areas
    ]


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["UTF-8", "UTF-8 with BOM"])
def test_an_organisation_may_retire_and_add_codes(tmp_path: Path, start: str) -> None:
    (tmp_path / "subsystems.csv").write_text(
        f"{start}代码,名称,停用,备注\n95,加工贸易账册,1,\nQ1,本企业系统,,own\n", encoding="utf-8"
    )
    tables = load_tables(tmp_path)
    assert [code.code for code in tables.subsystems.offered()] == ["Q1"]
    assert tables.subsystems.name("95") == "加工贸易账册"
    with pytest.raises(InvalidInput, match="已停用"):
        tables.subsystems.parse("95")
    assert len(tables.grant_types) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("subsystems", b"\xb2\xe2\xca\xd4", "无法读取代码表"),
        ("subsystems", "代码\n95\n".encode(), "缺少列 名称"),
        ("subsystems", b"", "缺少列 代码、名称"),
        ("subsystems", "代码,名称\n95,甲\nB1,\n".encode(), "第3行缺少代码或名称"),
        ("subsystems", "代码,名称\n95,甲\n95,乙\n".encode(), "代码 95 重复"),
        ("subsystems", "代码,名称\n95,甲\nB1,甲\n".encode(), "名称 甲 重复"),
        ("subsystems", "代码,名称\n".encode(), "没有可以选择的代码"),
        ("grant_types", "代码,名称,停用\nX1,操作权,是\nX2,报关权,1\n".encode(), "没有可以选择的"),
        ("subsystems", '代码,名称\n95,"甲\nB1,乙\n'.encode(), "第2行.*引号"),
        ("actions", "代码,名称\nquery,查询\n".encode(), "「查询」所需的授权类型"),
        ("actions", "代码,名称,所需授权类型\nquery,查询,X9\n".encode(), "X9 不在代码表中"),
        ("grant_types", "代码,名称\nX1,操作权\n".encode(), "「报关调用」所需的授权类型 X2"),
    ],
)
def test_a_broken_table_is_told_with_its_place(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / f"{name}.csv").write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        load_tables(tmp_path)
    assert str(tmp_path) in str(caught.value)
