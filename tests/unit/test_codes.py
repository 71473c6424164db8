"""Code tables: what is offered, what is understood, and which tables are sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from eport_tui.domain.codes import YES_NO, Code, CodeTable
from eport_tui.errors import InvalidInput
from eport_tui.reference import load_tables

TABLE = CodeTable(
    "授权子系统",
    [Code("95", "加工贸易账册", mnemonic="JGMYZC"), Code("B1", "手册", retired=True)],
)


def test_a_retired_code_is_shown_but_neither_offered_nor_accepted() -> None:
    assert [code.code for code in TABLE.offered()] == ["95"]
    assert TABLE.name("B1") == "手册"
    assert "B1" in TABLE
    with pytest.raises(InvalidInput, match="授权子系统「手册」已停用"):
        TABLE.parse("B1")


@pytest.mark.parametrize(
    ("typed", "message"),
    [("", "请选择授权子系统"), ("96", "授权子系统代码 96 不在代码表中"), (" 95", "不在代码表中")],
)
def test_only_a_code_of_the_table_is_accepted(typed: str, message: str) -> None:
    assert TABLE.parse("95") == "95"
    with pytest.raises(InvalidInput, match=message) as caught:
        TABLE.parse(typed, field="subsystem")
    assert caught.value.field == "subsystem"


def test_an_unknown_code_stands_for_itself() -> None:
    assert TABLE.name("96") == "96"


@pytest.mark.parametrize("typed", ["", "9", "95", "jg", "JGMYZC", "账册"])
def test_what_finds_an_entry(typed: str) -> None:
    (code,) = TABLE.offered()
    assert code.matches(typed)


@pytest.mark.parametrize("typed", ["5", "gm", "手册"])
def test_what_does_not(typed: str) -> None:
    (code,) = TABLE.offered()
    assert not code.matches(typed)


@pytest.mark.parametrize(
    "codes",
    [[Code("95", "甲"), Code("95", "乙")], [Code("95", "甲"), Code("96", "甲")]],
    ids=["code twice", "name twice"],
)
def test_codes_and_names_are_unique(codes: list[Code]) -> None:
    with pytest.raises(InvalidInput, match="重复"):
        CodeTable("授权子系统", codes)


def test_yes_and_no() -> None:
    assert [YES_NO.name(code.code) for code in YES_NO] == ["是", "否"]


@pytest.mark.parametrize("needs", [{}, {"query": "X9"}], ids=["none", "unknown"])
def test_every_action_needs_a_grant_type_of_the_table(needs: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInput, match="所需的授权类型"):
        replace(load_tables(), action_needs=needs)


@pytest.mark.parametrize("table", ["subsystems", "grant_types"])
def test_a_table_with_nothing_to_choose_is_not_sound(table: str) -> None:
    tables = load_tables()
    retired = [code._replace(retired=True) for code in getattr(tables, table)]
    with pytest.raises(InvalidInput, match="没有可以选择的代码"):
        replace(tables, **{table: CodeTable("授权子系统", retired)})


def test_what_a_customs_code_says() -> None:
    tables = load_tables()
    assert tables.describe_customs_code("3101940001") == "上海市，其他，外商独资企业"
    assert tables.describe_customs_code("9990WX0001") == ""
