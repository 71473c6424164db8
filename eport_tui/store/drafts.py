"""What was typed and not saved, kept for the card that typed it."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import datetime

from eport_tui.store.database import Store
from eport_tui.store.models import Draft


def put(store: Store, card_number: str, screen: str, content: str, saved_at: datetime) -> None:
    """Keep the draft of a screen in place of an earlier one."""
    store.write(
        Draft.insert(
            card_number=card_number, screen=screen, content=content, saved_at=saved_at
        ).on_conflict(
            conflict_target=[Draft.card_number, Draft.screen],
            preserve=[Draft.content, Draft.saved_at],
        )
    )


def of_card(store: Store, card_number: str) -> list[tuple[str, str, datetime]]:
    """The drafts of a card as screen, content and moment, the latest first."""
    query = (
        Draft.select(Draft.screen, Draft.content, Draft.saved_at)
        .where(Draft.card_number == card_number)
        .order_by(Draft.saved_at.desc(), Draft.screen)
    )
    return [(screen, content, saved_at) for screen, content, saved_at in store.select(query)]


def delete(store: Store, card_number: str, screen: str) -> None:
    """Forget the draft of a screen."""
    store.write(Draft.delete().where((Draft.card_number == card_number) & (Draft.screen == screen)))
