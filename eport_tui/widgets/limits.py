"""How much can be typed in a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eport_tui.domain.dates import may_become_date
from eport_tui.domain.identifiers import (
    CARD_NUMBER_LENGTH,
    CUSTOMS_CODE_LENGTH,
    USCC_LENGTH,
    without_prefix,
)
from eport_tui.domain.text import half_width


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a field takes.

    Attributes:
        words: What is said of the field about it, behind its label.
        allows: Whether a text is not too long; what a parser drops does not count.
        clean: What is put in the field of a text that is typed or pasted.
    """

    words: str
    allows: Callable[[str], bool]
    clean: Callable[[str], str] = str


def _code(text: str) -> str:
    """As a code is written: half-width, and without the blanks that tables group digits with."""
    return "".join(half_width(text).split())


CUSTOMS_CODE = Limit(
    f"为{CUSTOMS_CODE_LENGTH}位", lambda text: len(text) <= CUSTOMS_CODE_LENGTH, _code
)
USCC = Limit(f"为{USCC_LENGTH}位", lambda text: len(text) <= USCC_LENGTH, _code)
CARD_NUMBER = Limit(
    f"为{CARD_NUMBER_LENGTH}位",
    lambda text: len(without_prefix(text)) <= CARD_NUMBER_LENGTH,
    _code,
)
DATE = Limit("写作20271231或2027-12-31", may_become_date)


def at_most(characters: int) -> Limit:
    """So many characters of any text."""
    return Limit(f"最多{characters}个字", lambda text: len(text) <= characters)
