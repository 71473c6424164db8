"""What was typed and not saved, kept over a lock, a dropped line or a crash.

A draft belongs to a card and needs no PIN to be kept, because it is kept at the
very moment the card is pulled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from eport_tui.domain.dates import now
from eport_tui.store import drafts
from eport_tui.store.database import Store, harmless_twice

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft.

    Attributes:
        screen: Identifier of the screen it was typed on.
        content: What that screen gave to be kept.
        saved_at: When it was kept.
    """

    screen: str
    content: dict[str, Any]
    saved_at: datetime


def keep(store: Store, session: CardSession, screen: str, content: dict[str, Any]) -> None:
    """Keep what was typed on a screen in place of an earlier draft of it.

    Args:
        content: Anything that JSON can hold.
    """
    text = json.dumps(content, ensure_ascii=False)
    card, at = session.holder.card_number, now()
    store.transact(lambda: drafts.put(store, card, screen, text, at), done=harmless_twice)


def offered(store: Store, session: CardSession) -> list[KeptDraft]:
    """The drafts of the session's card, the latest first; asks for an unlocked card.

    One that cannot be read back is left out.
    """
    kept = drafts.of_card(store, session.require().card_number)
    return [
        KeptDraft(screen, content, saved_at)
        for screen, text, saved_at in kept
        if (content := _parsed(text)) is not None
    ]


def forget(store: Store, session: CardSession, screen: str) -> None:
    """Remove the draft of a screen, if there is one."""
    card = session.holder.card_number
    store.transact(lambda: drafts.delete(store, card, screen), done=harmless_twice)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None
