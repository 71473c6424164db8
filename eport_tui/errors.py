"""The errors an operator may meet.

Every error that can reach a screen is an `EportError`: its message is Simplified
Chinese, says what is wrong, and its hint says what to do.  Anything else that is
raised is a defect of the program.
"""

from __future__ import annotations


class EportError(Exception):
    """Something went wrong that an operator can be told about.

    Args:
        message: What is wrong, in Chinese, one sentence without a full stop.
        field: Identifier of the form field that is at fault, where there is one.
        hint: What to do about it, in Chinese.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}（{self.hint}）" if self.hint else self.message


class InvalidInput(EportError):
    """What was typed cannot be stored; `field` names the place."""


class NotPermitted(EportError):
    """The card that is in use has no right to do this."""


class NotFound(EportError):
    """What was asked for does not exist, or no longer."""


class StoreError(EportError):
    """The database cannot be opened, read or written."""


class SettingsError(EportError):
    """A settings file or an environment variable cannot be understood."""
