"""Who stands behind a card: the enterprise, the role and the holder."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from eport_tui.domain.dates import in_shanghai


class Enterprise(NamedTuple):
    """An enterprise as customs knows it.

    Attributes:
        customs_code: 海关10位编码.
        uscc: 统一社会信用代码, 18 characters.
        name: 企业名称, as registered; may hold any character.
    """

    customs_code: str
    uscc: str
    name: str


class Role(StrEnum):
    """What a card may do (spec: 法人卡 or 操作员卡)."""

    LEGAL_PERSON = "legal_person"
    OPERATOR = "operator"

    @property
    def label(self) -> str:
        """The name of the role on the screen."""
        return "法人卡" if self is Role.LEGAL_PERSON else "操作员卡"


class Holder(NamedTuple):
    """The holder of a card, read from its certificate.

    Attributes:
        card_number: IC卡号, 13 characters.
        role: Legal person or operator.
        person: The name of the person.
        enterprise: The enterprise the card was issued to.
        valid_from: Start of the certificate's validity, with a time zone.
        valid_until: End of the certificate's validity, with a time zone.
    """

    card_number: str
    role: Role
    person: str
    enterprise: Enterprise
    valid_from: datetime
    valid_until: datetime

    @property
    def is_legal_person(self) -> bool:
        """Whether the card acts for the enterprise itself."""
        return self.role is Role.LEGAL_PERSON

    def days_left(self, at: datetime) -> int:
        """Days in Shanghai from that of `at` to the certificate's last; negative after it."""
        return (in_shanghai(self.valid_until).date() - in_shanghai(at).date()).days
