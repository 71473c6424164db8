"""What was typed and not saved, kept for the card that typed it."""

# Peewee's stubs leave the arguments of its query builder untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from eport_tui.store.database import Store
from eport_tui.store.models import Draft


class DraftKey(NamedTuple):
    """What makes a draft the same one.

    Attributes:
        card_number: IC卡号 of the card that typed it.
        screen: Identifier of the screen it was typed on.
        session: The session it was typed in, which tells it from another one of that card.
    """

    card_number: str
    screen: str
    session: str


def put(store: Store, key: DraftKey, content: str, saved_at: datetime) -> None:
    """Keep a draft in place of an earlier one of the same session and screen."""
    store.write(
        Draft.insert(**key._asdict(), content=content, saved_at=saved_at).on_conflict(
            conflict_target=[Draft.card_number, Draft.screen, Draft.session],
            preserve=[Draft.content, Draft.saved_at],
        )
    )


def of_card(store: Store, card_number: str) -> list[tuple[DraftKey, str, datetime]]:
    """The drafts of a card with content and moment, the latest first."""
    query = (
        Draft.select(Draft.screen, Draft.session, Draft.content, Draft.saved_at)
        .where(Draft.card_number == card_number)
        .order_by(Draft.saved_at.desc(), Draft.screen, Draft.session)
    )
    return [
        (DraftKey(card_number, screen, session), content, saved_at)
        for screen, session, content, saved_at in store.select(query)
    ]


def content_of(store: Store, key: DraftKey) -> str | None:
    """The content of a draft; none where there is no such draft."""
    found = store.select(Draft.select(Draft.content).where(_is(key)))
    return found[0][0] if found else None


def delete(store: Store, key: DraftKey) -> None:
    """Forget a draft."""
    store.write(Draft.delete().where(_is(key)))


def _is(key: DraftKey) -> Any:
    return (
        (Draft.card_number == key.card_number)
        & (Draft.screen == key.screen)
        & (Draft.session == key.session)
    )
