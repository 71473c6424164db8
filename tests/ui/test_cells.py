"""Text measured in terminal cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eport_tui.widgets.cells import fit, wrap


def commands(text: str) -> list[str]:
    """Characters that would do something to the terminal instead of being shown."""
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("上海", 6, "上海  "),
        ("上海", 4, "上海"),
        ("上海样例", 6, "上海.."),
        ("上海样例", 7, "上海.. "),
        ("A上海样例", 6, "A上.. "),
        ("3101980001", 8, "310198.."),
        ("", 3, "   "),
        ("上海", 2, "上"),
        ("上海", 1, " "),
        ("上海", 0, ""),
        ("甲[bold]乙", 10, "甲[bold]乙"),
        ("甲\x1b[31m", 7, "甲␛[31m"[:7]),
        ("甲\n乙", 5, "甲␊乙"),
    ],
)
def test_text_is_made_to_fit(text: str, width: int, shown: str) -> None:
    assert fit(text, width) == shown


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("上海样例", 4, ["上海", "样例"]),
        ("上海样例", 5, ["上海", "样例"]),
        ("A上海", 3, ["A上", "海"]),
        ("一\n二", 10, ["一", "二"]),
        ("一\n\n二", 10, ["一", "", "二"]),
        ("", 10, [""]),
        ("甲\x1b[31m", 10, ["甲␛[31m"]),
        ("上海，苏州", 4, ["上", "海，", "苏州"]),
        ("原有的 2 条", 8, ["原有的 2", "条"]),
        ("是否继续？", 8, ["是否继", "续？"]),
        ("可写+90（天）或+1y（年）。", 19, ["可写+90（天）或+1y", "（年）。"]),
        ("可写+90（天）或+1y（年）。", 17, ["可写+90（天）或", "+1y（年）。"]),
        ("可写+90（天）或+1y（年）。", 16, ["可写+90（天）或", "+1y（年）。"]),
        ("如+1y，20271231", 5, ["如", "+1y，", "20271", "231"]),
        ("上海 eport-tui 苏州", 10, ["上海 ", "eport-tui ", "苏州"]),
        # With the mark behind it the heart is as wide as a Chinese character.
        ("甲\u2764\ufe0f乙", 3, ["甲", "\u2764\ufe0f", "乙"]),
        ("甲\u2764\ufe0f乙", 4, ["甲\u2764\ufe0f", "乙"]),
    ],
)
def test_text_is_wrapped_where_a_character_ends(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width) == lines


@given(st.text(max_size=60), st.integers(0, 40))
def test_what_fits_is_exactly_as_wide_as_was_said_and_one_line(text: str, width: int) -> None:
    shown = fit(text, width)
    assert cell_len(shown) == width
    assert not commands(shown)


@given(
    st.text(max_size=100) | st.text("甲a\u2764\ufe0f\u0301\u200d，", max_size=30),
    st.integers(2, 40),
)
def test_wrapped_lines_are_never_too_wide_and_hold_everything(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert not any(commands(line) for line in lines)
    assert len("".join(lines).replace(" ", "")) == len(text.replace("\n", "").replace(" ", ""))
