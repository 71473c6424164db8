"""Who may change grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eport_tui.domain.holders import Holder
from eport_tui.errors import NotPermitted

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

NOT_LEGAL_PERSON = "非法人卡，不允许操作!"
"""The manual's text, to the letter (chapter 4, 1.1)."""


def require_legal_person(session: CardSession) -> Holder:
    """The holder of an unlocked legal-person card that may change grants right now.

    Raises:
        NotPermitted: It is another kind of card, or what `CardSession.require`
            and `require_granting` raise.
    """
    if not session.require().is_legal_person:
        raise NotPermitted(NOT_LEGAL_PERSON)
    return session.require_granting()
