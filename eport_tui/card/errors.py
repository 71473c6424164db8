"""What can go wrong with a card.

None of these ever carries a PIN, in its text or in its attributes.
"""

from __future__ import annotations

from eport_tui.errors import EportError


class CardError(EportError):
    """Something is wrong with the card or its reader."""


class CardGone(CardError):
    """The card is not in the reader any more, or no longer answers."""

    def __init__(
        self, message: str = "卡已拔出或已更换", *, hint: str | None = "请插入IC卡或Ikey"
    ) -> None:
        super().__init__(message, hint=hint)


class CardDamaged(CardError):
    """What is on the card cannot be read as a card's content."""

    def __init__(self, message: str, *, hint: str | None = "请联系制卡点换卡") -> None:
        super().__init__(message, hint=hint)


class BadPin(CardError):
    """What was typed cannot be a PIN; the card was not asked and no try was spent."""

    def __init__(self, message: str = "密码应为8个字符") -> None:
        super().__init__(message, field="pin", hint="只能用英文字母、数字和半角符号，不含空格")


class WrongPin(CardError):
    """The PIN is not that of the card.

    Attributes:
        left: How many tries are left, at least 1.
    """

    def __init__(self, left: int) -> None:
        hint = "再输错一次，该卡将被锁定" if left == 1 else "请核对后重新输入"
        super().__init__(f"密码错误，还可再试{left}次", field="pin", hint=hint)
        self.left = left


class PinBlocked(CardError):
    """No try is left, or how many are left cannot be known."""

    def __init__(self, message: str = "该卡已锁定，密码不能再试") -> None:
        super().__init__(message, hint="请到制卡点解锁或换卡")


class CertificateRefused(CardError):
    """The card's certificate is not accepted.

    Attributes:
        code: Which rule it failed, one of `unreadable`, `weak-key`,
            `unsupported-key`, `bad-profile`, `no-authority`, `untrusted`,
            `not-yet-valid`, `expired`, `revoked`, `hardware-required`, `no-key`.
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Locked(CardError):
    """The session is locked: the PIN has to be given first."""

    def __init__(self) -> None:
        super().__init__("当前已锁定", hint="请插入原来的卡并输入密码")


class OtherCard(CardError):
    """The card that was inserted is not the one the session began with."""

    def __init__(self) -> None:
        super().__init__("插入的不是原来的卡", hint="请插入原来的卡，或退出后重新登录")
