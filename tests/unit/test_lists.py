"""What a text that is typed to a list means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.lists import EVERYTHING, Order, Span, Spans, days, meant
from eport_tui.errors import InvalidInput
from eport_tui.reference import load_tables

TABLE = load_tables().subsystems
DAYS = ("2025-12-31", "2026-01-01", "2026-03-01", "2026-03-15", "2026-12-03")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("2026", DAYS[1:]),
        ("2026年", DAYS[1:]),
        ("202603", DAYS[2:4]),
        ("2026-3", DAYS[2:4]),
        ("2026年3月", DAYS[2:4]),
        ("2026 3", DAYS[2:4]),
        ("20260315", DAYS[3:4]),
        ("2026/3/15", DAYS[3:4]),
        ("2026年3月15日", DAYS[3:4]),
        ("２０２６", DAYS[1:]),
        ("20261", DAYS[4:]),
        ("", DAYS),
        ("abc", ()),
        ("全部", ()),
        ("y", ()),
        ("2026abc", ()),
        ("2026年x月", ()),
        ("202603150", ()),
        ("-2026", ()),
        ("20-26-03-15", ()),
    ],
)
def test_a_year_a_month_or_a_day_and_nothing_else_is_some_days(
    typed: str, wanted: tuple[str, ...]
) -> None:
    assert tuple(day for day in DAYS if day in days(typed)) == wanted


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("加工", {"95", "B1", "X2"}),
        ("jgmy", {"95", "B1"}),
        ("手册", {"B1"}),
        ("b", {"B1", "B3", "B2"}),
        ("Ｂ１", {"B1"}),
        ("无", set()),
        ("", {code.code for code in TABLE}),
    ],
)
def test_a_code_is_meant_as_in_its_picker(typed: str, wanted: set[str]) -> None:
    assert {code.code for code in TABLE if code.code in meant(TABLE, typed)} == wanted


def test_a_code_that_is_in_no_table_is_meant_by_its_beginning() -> None:
    assert "QQ7" in meant(TABLE, "q")
    assert "B10" not in meant(TABLE, "手册")


def test_what_cannot_be_in_a_column_is_refused_with_what_can() -> None:
    order = Order("valid_until", "有效期", "年月，如202603", days)
    order.check("202603")
    order.check("")
    with pytest.raises(InvalidInput, match="「abc」不是有效期（请输入年月，如202603）"):
        order.check(" abc ")


SPANS = st.lists(st.builds(Span, st.text("abc", max_size=2), st.text("abc", max_size=2)))


@given(SPANS, SPANS, st.text("abc", max_size=3))
def test_spans_have_the_values_of_any_and_share_those_of_both(
    one: list[Span], other: list[Span], value: str
) -> None:
    united, more = Spans.of(*one), Spans.of(*other)
    assert (value in united) == any(value in span for span in one)
    assert (value in united.within(more)) == (value in united and value in more)
    assert united.within(EVERYTHING) == united
    ends = [end for span in united for end in span]
    assert ends == sorted(set(ends))
