"""Text as people type it, and text as it may be shown."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

# Controls, format characters (which reorder text or take no room, so that a name could
# imitate another), surrogates, and separators of lines and paragraphs.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def half_width(text: str) -> str:
    """Turn full-width ASCII (as input methods produce it) into half-width, and trim it."""
    return text.translate(_FULL_WIDTH).strip()


ONE_LINE = "只有一行，粘贴的第二行起没有采用"
"""What is said of a field, behind its label, when it has taken the first of some lines."""


class Pasted(NamedTuple):
    """What a field of one line makes of a pasted text.

    Attributes:
        line: The first line that has something on it, without blanks around it.
        more: Whether there is something on another line, too, which is left out.
    """

    line: str
    more: bool

    @staticmethod
    def of(text: str) -> Pasted:
        """What there is of a pasted text."""
        lines = [line for each in text.splitlines() if (line := one_line(each).strip())]
        return Pasted(lines[0] if lines else "", len(lines) > 1)


def one_line(text: str) -> str:
    """Text as it is typed in one line and kept: of characters that can be seen, and blanks.

    A tab or the end of a line becomes a blank.  Other characters that nobody sees are left
    out, such as an escape or what came along from a web page.
    """
    if text.isprintable():
        return text
    return "".join(map(_kept, text.replace("\r\n", "\n")))


def _kept(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    return " " if character.isspace() else ""


def printable(text: str) -> str:
    """Make text from outside safe to show in one line of a terminal.

    Control characters become their visible symbols (U+2400 block) and the
    remaining invisible ones U+2426, so that neither an escape sequence nor a
    line break in an enterprise's name can reach the terminal.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) in _INVISIBLE:
        # Not U+FFFD, which is one or two cells wide as the terminal likes.
        return "\u2426"
    return character
