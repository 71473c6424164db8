"""Codes and card numbers as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.identifiers import (
    USCC_ALPHABET,
    parse_card_number,
    parse_customs_code,
    parse_uscc,
    uscc_check_digit,
    uscc_check_digit_holds,
)
from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput

SYNTHETIC = (
    "91310000PDY00001XG",
    "91310000PDY000028G",
    "91310000PDY000036B",
    "91310000PDY0000446",
    "91310000PDY0000521",
    "91310000PDY000060U",
)


# -- 海关10位编码 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("3101940001", "3101940001"),
        ("３１０１９４０００１", "3101940001"),
        ("3101W4A0BZ", "3101W4A0BZ"),
        ("3101Ｗ4A0BZ", "3101W4A0BZ"),
        ("  3101940001 ", "3101940001"),
        ("　3101940001", "3101940001"),
    ],
)
def test_customs_codes_that_are_understood(typed: str, code: str) -> None:
    assert parse_customs_code(typed) == code


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "请输入企业编号"),
        ("  ", "请输入企业编号"),
        ("310194000", "企业编号应为10位，现为9位"),
        ("31019400011", "企业编号应为10位，现为11位"),
        ("310194000a", "企业编号中的字母须为大写"),
        ("310194000ａ", "企业编号中的字母须为大写"),
        ("A101940001", "企业编号的前4位应为数字"),
        ("310A940001", "企业编号的前4位应为数字"),
        ("3101-40001", "企业编号只能由数字和大写字母组成"),
        ("3101 40001", "企业编号只能由数字和大写字母组成"),
        ("310194000上", "企业编号只能由数字和大写字母组成"),
        ("310194000\u0661", "企业编号只能由数字和大写字母组成"),
        ("310194000\x1b", "企业编号只能由数字和大写字母组成"),
        ("3101\n40001", "企业编号只能由数字和大写字母组成"),
    ],
)
def test_customs_codes_that_are_refused_say_what_is_wrong(typed: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_customs_code(typed, field="agent")
    assert (caught.value.message, caught.value.field) == (message, "agent")


def test_small_letters_are_shown_as_they_should_be() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_customs_code("3101w4a0bz")
    assert caught.value.hint == "是否应为 3101W4A0BZ"


# -- IC卡号 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("8900000000011", "8900000000011"),
        ("JJ7G000000073", "JJ7G000000073"),
        ("03-8900000000011", "8900000000011"),
        ("０３－８９０００００００００１１", "8900000000011"),
    ],
)
def test_card_numbers_that_are_understood(typed: str, number: str) -> None:
    assert parse_card_number(typed) == number


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "请输入IC卡号"),
        ("03-", "请输入IC卡号"),
        ("890000000001", "IC卡号应为13位，现为12位"),
        ("89000000000111", "IC卡号应为13位，现为14位"),
        ("jj7g000000073", "IC卡号中的字母须为大写"),
        ("890000000001_", "IC卡号只能由数字和大写字母组成"),
    ],
)
def test_card_numbers_that_are_refused(typed: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_card_number(typed)
    assert caught.value.message == message


# -- 统一社会信用代码 ------------------------------------------------------------------------


@pytest.mark.parametrize("uscc", SYNTHETIC)
def test_the_check_digit_of_the_standard(uscc: str) -> None:
    assert uscc_check_digit_holds(parse_uscc(uscc))
    assert uscc_check_digit(uscc[:17]) == uscc[17]


@pytest.mark.parametrize("uscc", SYNTHETIC)
def test_any_other_check_digit_fails(uscc: str) -> None:
    holding = [last for last in USCC_ALPHABET if uscc_check_digit_holds(uscc[:17] + last)]
    assert holding == [uscc[17]]


def test_a_remainder_of_nothing_gives_0_and_not_a_thirty_second_character() -> None:
    """31 - 0 is 31, which is no place of the alphabet; some libraries fail here."""
    assert uscc_check_digit("0" * 17) == "0"
    zeros = [
        last
        for last in (uscc_check_digit("91310000PDY000" + middle) for middle in _three())
        if last == "0"
    ]
    assert zeros


def _three() -> list[str]:
    return [f"{number:03}" for number in range(1000)]


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17), st.integers(0, 16))
def test_every_single_wrong_character_is_noticed(first_seventeen: str, place: int) -> None:
    right = uscc_check_digit(first_seventeen)
    for character in USCC_ALPHABET:
        changed = first_seventeen[:place] + character + first_seventeen[place + 1 :]
        assert (uscc_check_digit(changed) == right) == (changed == first_seventeen)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "请输入社会信用代码"),
        ("91310000PDY00001X", "社会信用代码应为18位，现为17位"),
        ("91310000PDY00001XGG", "社会信用代码应为18位，现为19位"),
        ("91310000pdy00001xg", "社会信用代码中的字母须为大写"),
        ("91310000PDYO0001XG", "社会信用代码中不能有「O」"),
        ("91310000PDY00001X-", "社会信用代码中不能有「-」"),
        ("91310000PDY00001X\x1b", "社会信用代码中不能有「␛」"),
    ],
)
def test_usccs_that_are_refused(typed: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_uscc(typed, field="uscc")
    assert (caught.value.message, caught.value.field) == (message, "uscc")


@pytest.mark.parametrize("character", "IOSVZ")
def test_letters_that_the_standard_leaves_out(character: str) -> None:
    with pytest.raises(InvalidInput, match=f"不能有「{character}」"):
        parse_uscc("91310000PDY00001X" + character)


def test_full_width_usccs_are_understood() -> None:
    assert parse_uscc("９１３１００００ＰＤＹ００００１ＸＧ") == "91310000PDY00001XG"


# -- anything --------------------------------------------------------------------------


@given(st.text(max_size=20))
def test_whatever_is_typed_is_understood_or_refused_in_words(typed: str) -> None:
    for parse in (parse_customs_code, parse_card_number, parse_uscc):
        try:
            parsed, refusal = parse(typed), ""
        except InvalidInput as fault:
            parsed, refusal = "", fault.message
        assert printable(refusal) == refusal
        assert parsed.isascii()
        assert not parsed or parse(parsed) == parsed
