"""Text from input methods, and text that may be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.text import Pasted, half_width, one_line, printable


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ＡＺａｚ０９", "AZaz09"),
        ("！～－＋", "!~-+"),
        ("　上海　", "上海"),
        ("上　海", "上 海"),
        ("「上海」、。", "「上海」、。"),
    ],
)
def test_full_width_becomes_half_width(typed: str, meant: str) -> None:
    assert half_width(typed) == meant


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("上海[bold]有限公司", "上海[bold]有限公司"),
        ("甲\x1b[31m乙", "甲␛[31m乙"),
        ("甲\r\n乙\t丙", "甲␍␊乙␉丙"),
        ("甲\x7f", "甲␡"),
        ("甲\x9b31m", "甲␦31m"),
        ("甲\u202e乙\u200b丙\ufeff", "甲␦乙␦丙␦"),
        ("甲\u2028乙", "甲␦乙"),
        ("甲\ud800乙", "甲␦乙"),
        ("上\u3000海", "上\u3000海"),
    ],
)
def test_nothing_that_acts_on_the_terminal_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_what_is_shown_is_one_line_of_visible_characters_of_known_width(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert printable(shown) == shown
    for before, after in zip(text, shown, strict=True):
        assert before == after or unicodedata.east_asian_width(after) != "A"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("公司 搬迁　了", "公司 搬迁　了"),
        ("公司\t搬迁", "公司 搬迁"),
        ("第一段\r\n第二段", "第一段 第二段"),
        ("第一段\u2028第二段", "第一段 第二段"),
        ("甲\x1b[31m乙", "甲[31m乙"),
        ("甲\u202e乙\u200b丙\ufeff\x7f\ud800", "甲乙丙"),
    ],
)
def test_one_line_has_what_can_be_seen_and_blanks(text: str, kept: str) -> None:
    assert one_line(text) == kept


@given(st.text())
def test_what_is_typed_in_one_line_is_shown_as_it_is(text: str) -> None:
    line = one_line(text)
    assert printable(line) == line
    assert one_line(line) == line
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "pasted"),
    [
        ("3101980001", ("3101980001", False)),
        ("\n 3101980001\t\r\n \n", ("3101980001", False)),
        ("一\n二", ("一", True)),
        ("\u200b\n二", ("二", False)),
        ("", ("", False)),
    ],
)
def test_of_a_pasted_text_the_first_line_with_something_on_it_is_taken(
    text: str, pasted: tuple[str, bool]
) -> None:
    assert Pasted.of(text) == pasted
