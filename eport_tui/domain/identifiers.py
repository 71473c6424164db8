"""The identifiers of enterprises and cards: their forms and check digits.

The parsers take what a person typed and return the canonical form; they raise
`InvalidInput` with a sentence that says which rule was broken.  Full-width
letters and digits are accepted and turned into half-width ones.
"""

from __future__ import annotations

import re

from eport_tui.domain.text import half_width, printable
from eport_tui.errors import InvalidInput

CUSTOMS_CODE = re.compile(r"\d{4}[0-9A-Z]{6}", re.ASCII)
CARD_NUMBER = re.compile(r"[0-9A-Z]{13}", re.ASCII)

CUSTOMS_CODE_LENGTH, USCC_LENGTH, CARD_NUMBER_LENGTH = 10, 18, 13

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015: digits and capitals without I, O, S, V and Z."""

_USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def _characters(text: str, length: int, field: str | None, label: str) -> str:
    value = half_width(text)
    if not value:
        raise InvalidInput(f"请输入{label}", field=field)
    if len(value) != length:
        raise InvalidInput(f"{label}应为{length}位，现为{len(value)}位", field=field)
    if value != value.upper() and re.fullmatch(r"[0-9A-Za-z]+", value, re.ASCII):
        raise InvalidInput(
            f"{label}中的字母须为大写", field=field, hint=f"是否应为 {value.upper()}"
        )
    return value


def parse_customs_code(text: str, *, field: str | None = None, label: str = "企业编号") -> str:
    """Return the 10-character customs registration code (海关10位编码) in `text`.

    Four digits of the place, then six digits or capitals; there is no check
    digit, and letters do occur in codes that are in use.

    Raises:
        InvalidInput: It is empty, of another length, or has a character that
            cannot stand where it does.
    """
    value = _characters(text, CUSTOMS_CODE_LENGTH, field, label)
    if not re.fullmatch(r"\d{4}", value[:4], re.ASCII):
        raise InvalidInput(f"{label}的前4位应为数字", field=field, hint="前4位是注册地的行政区划")
    if not CUSTOMS_CODE.fullmatch(value):
        raise InvalidInput(f"{label}只能由数字和大写字母组成", field=field)
    return value


def parse_uscc(text: str, *, field: str | None = None, label: str = "社会信用代码") -> str:
    """Return the unified social credit code (统一社会信用代码, GB 32100-2015) in `text`.

    The check digit is not looked at here, because codes that fail it have been
    issued; see `uscc_check_digit_holds`.

    Raises:
        InvalidInput: It is empty, not 18 characters long, or has a character
            outside the alphabet of the standard.
    """
    value = _characters(text, USCC_LENGTH, field, label)
    for character in value:
        if character not in USCC_ALPHABET:
            raise InvalidInput(
                f"{label}中不能有「{printable(character)}」",
                field=field,
                hint="只能由数字和大写字母组成，不用 I、O、S、V、Z",
            )
    return value


def uscc_check_digit(first_seventeen: str) -> str:
    """Compute the 18th character of a unified social credit code (GB 32100-2015).

    Raises:
        ValueError: A character is outside the alphabet, or there are not 17.
    """
    total = sum(
        USCC_ALPHABET.index(character) * weight
        for character, weight in zip(first_seventeen, _USCC_WEIGHTS, strict=True)
    )
    return USCC_ALPHABET[-total % 31]


def uscc_check_digit_holds(uscc: str) -> bool:
    """Tell whether a well-formed code carries the check digit of the standard."""
    return uscc_check_digit(uscc[:17]) == uscc[17]


def without_prefix(text: str) -> str:
    """A card number in half-width characters, without the `03-` that some middleware puts first."""
    return half_width(text).removeprefix("03-").lstrip()


def parse_card_number(text: str, *, field: str | None = None, label: str = "IC卡号") -> str:
    """Return the 13-character card number (IC卡号) in `text`.

    What `without_prefix` takes off may stand before it.

    Raises:
        InvalidInput: It is empty, of another length, or not digits and capitals.
    """
    value = _characters(without_prefix(text), CARD_NUMBER_LENGTH, field, label)
    if not CARD_NUMBER.fullmatch(value):
        raise InvalidInput(f"{label}只能由数字和大写字母组成", field=field)
    return value
