"""Text as people type it, and text as it may be shown."""

from __future__ import annotations

import unicodedata

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

# Controls, format characters (which reorder text or take no room, so that a name could
# imitate another), surrogates, and separators of lines and paragraphs.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def half_width(text: str) -> str:
    """Turn full-width ASCII (as input methods produce it) into half-width, and trim it."""
    return text.translate(_FULL_WIDTH).strip()


def first_line(pasted: str) -> str:
    """The first line of a pasted text that has something on it, without blanks around it."""
    return next((line.strip() for line in pasted.splitlines() if line.strip()), "")


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
