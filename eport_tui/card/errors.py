"""What can go wrong with a card.

None of these ever carries a PIN, in its text or in its attributes.
"""

from __future__ import annotations

from typing import Literal

from eport_tui.errors import EportError


class CardError(EportError):
    """Something is wrong with the card or its reader."""


class CardGone(CardError):
    """The card is not in the reader any more, or no longer answers."""

    def __init__(
        self, message: str = "卡已拔出或已更换", *, hint: str | None = "请插入IC卡或Ikey"
    ) -> None:
        super().__init__(message, hint=hint)


class CardMute(CardGone):
    """The card or its reader takes longer than any card may; the exchange was given up."""

    def __init__(self) -> None:
        super().__init__("卡没有响应", hint="请拔出卡，检查方向后重新插入")


class CardBusy(CardError):
    """Another program is using the card."""

    def __init__(self) -> None:
        super().__init__("卡正被另一个程序使用", hint="请关闭其他使用该卡的程序后再试")


class CardDamaged(CardError):
    """What is on the card cannot be read as a card's content."""

    def __init__(self, message: str, *, hint: str | None = "请联系制卡点换卡") -> None:
        super().__init__(message, hint=hint)


class BadPin(CardError):
    """What was typed cannot be a PIN; the card was not asked and no try was spent."""

    def __init__(
        self,
        message: str = "密码应为8个字符",
        *,
        hint: str = "只能用英文字母、数字和半角符号，不含空格",
    ) -> None:
        super().__init__(message, field="pin", hint=hint)


class WrongPin(CardError):
    """The PIN is not that of the card.

    Attributes:
        left: How many tries are left, at least 1.

    Args:
        left: The same.
        at_most: Whether there may be fewer, because the card does not tell.
    """

    def __init__(self, left: int, *, at_most: bool = False) -> None:
        hint = "再输错一次，该卡将被锁定" if left == 1 else "请核对后重新输入"
        much = "最多还可" if at_most else "还可"
        super().__init__(f"密码错误，{much}再试{left}次", field="pin", hint=hint)
        self.left = left


class WrongPuk(CardError):
    """The unblocking key is not that of the card.

    Attributes:
        left: How many tries are left, 0 when the card can no longer be unblocked.
    """

    def __init__(self, left: int) -> None:
        if left:
            super().__init__(f"解锁码错误，还可再试{left}次", hint="请核对后重新输入")
        else:
            super().__init__("解锁码已锁定，该卡不能再解锁", hint="请到制卡点换卡")
        self.left = left


class PinBlocked(CardError):
    """No try is left, or how many are left cannot be known."""

    def __init__(self, message: str = "该卡已锁定，密码不能再试") -> None:
        super().__init__(message, hint="请到制卡点解锁或换卡；软件卡请管理员重新签发")


RefusalCode = Literal[
    "unreadable",
    "weak-key",
    "unsupported-key",
    "bad-profile",
    "no-authority",
    "untrusted",
    "not-yet-valid",
    "expired",
    "revoked",
    "hardware-required",
    "no-key",
    "mixed-card",
    "no-registry",
    "unknown-enterprise",
    "ambiguous-enterprise",
]
"""Which rule a certificate failed; `docs/card-profile.md` has them in their order."""

REFUSALS: dict[RefusalCode, str] = {
    "unreadable": "not an X.509 certificate",
    "weak-key": "the RSA key is shorter than 2048 bits",
    "unsupported-key": "the key is of a kind or on a curve that is not accepted",
    "bad-profile": "subject, extended key usage and private extensions are not as the profile says",
    "no-authority": "no trusted authority is configured, or its file cannot be read",
    "untrusted": "no trusted authority issued the certificate for this use",
    "not-yet-valid": "the validity of the certificate has not begun",
    "expired": "the validity of the certificate is over",
    "revoked": "the certificate is on the revocation list of its issuer",
    "hardware-required": "the key is in a file, and the settings require a chip",
    "no-key": "the signature of the card does not fit its certificate",
    "mixed-card": "the two certificates of the card name different holders",
    "no-registry": "the certificate names no role, and there is no registry to look it up in",
    "unknown-enterprise": "the organization code of the certificate is not in the registry",
    "ambiguous-enterprise": "several enterprises of the registry share the organization code",
}
"""What the log says about each refusal; nothing in it is about a person."""


class CertificateRefused(CardError):
    """The card's certificate is not accepted.

    Attributes:
        code: Which rule it failed.
        log_message: The same for the log, in English.
    """

    def __init__(self, code: RefusalCode, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code: RefusalCode = code
        self.log_message = f"certificate refused ({code}): {REFUSALS[code]}"


class Locked(CardError):
    """The session is locked: the PIN has to be given first."""

    def __init__(self) -> None:
        super().__init__("当前已锁定", hint="请插入原来的卡并输入密码")


class OtherCard(CardError):
    """The card that was inserted is not the one the session began with."""

    def __init__(self) -> None:
        super().__init__("插入的不是原来的卡", hint="请插入原来的卡，或退出后重新登录")
