"""Something to write and to read back."""

from __future__ import annotations

from eport_tui.domain.dates import now
from eport_tui.store import drafts
from eport_tui.store.database import Store


def write_something(store: Store, content: str = "{}") -> None:
    with store.transaction():
        drafts.put(store, "8900000000011", "screen", content, now())


def contents(store: Store) -> list[str]:
    return [content for _, content, _ in drafts.of_card(store, "8900000000011")]
