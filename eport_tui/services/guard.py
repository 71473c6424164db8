"""Who may change grants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eport_tui.domain.holders import Holder
from eport_tui.errors import NotPermitted

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

NOT_LEGAL_PERSON = "非法人卡，不允许操作!"
"""The manual's text, to the letter (chapter 4, 1.1)."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A legal person's leave to change grants, until the session is locked.

    Attributes:
        holder: The legal person.
    """

    holder: Holder
    _session: CardSession
    _generation: int

    def require(self) -> None:
        """Demand that it still stands; for use in a transaction, because the card is not asked.

        Raises:
            Locked: The session was locked since, even if it is unlocked again.
            CardGone, CertificateRefused: As `CardSession.require`.
        """
        self._session.require_same(self._generation)


def require_legal_person(session: CardSession) -> Permit:
    """Leave for the holder of an unlocked legal-person card that may change grants right now.

    The card is asked, which takes seconds when it does not answer: never to be called
    in a transaction, which would keep everybody else from writing meanwhile.

    Raises:
        NotPermitted: It is another kind of card, or what `CardSession.require`
            and `require_granting` raise.
    """
    generation = session.generation
    _demand_role(session.require())
    holder = session.require_granting()
    # With the card the registry was asked anew, which may be what tells the role.
    _demand_role(holder)
    return Permit(holder, session, generation)


def _demand_role(holder: Holder) -> None:
    if not holder.is_legal_person:
        raise NotPermitted(NOT_LEGAL_PERSON)
