"""Something to write and to read back."""

from __future__ import annotations

from eport_tui.domain.dates import now
from eport_tui.store import drafts
from eport_tui.store.database import Store
from eport_tui.store.drafts import DraftKey

CARD = "8900000000011"


def draft_of(screen: str = "screen") -> DraftKey:
    """What a draft of that screen is known by."""
    return DraftKey(CARD, screen, "0123")


def write_something(store: Store, content: str = "{}") -> None:
    with store.transaction():
        drafts.put(store, draft_of(), content, now())


def contents(store: Store) -> list[str]:
    return [content for _, content, _ in drafts.of_card(store, CARD)]
