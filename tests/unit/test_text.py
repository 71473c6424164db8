"""Text from input methods, and text that may be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.text import half_width, printable


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
