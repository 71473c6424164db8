"""What was typed and not saved, kept over a lock, a dropped line or a crash.

A draft belongs to a card and to the session that it was typed in, because a card may
be at work in two places.  As long as that session lives it has the input itself, so it is
held by its name in the store (`Store.hold`), and only what nobody holds is offered.  A
draft needs no PIN to be kept, because it is kept at the very moment the card is pulled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from eport_tui.domain.dates import now
from eport_tui.errors import NotFound
from eport_tui.giving_up import point_of_no_return
from eport_tui.store import drafts
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.drafts import DraftKey

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft.

    Attributes:
        screen: Identifier of the screen it was typed on.
        session: Identifier of the session it was typed in.
        content: What that screen gave to be kept.
        saved_at: When it was kept.
    """

    screen: str
    session: str
    content: dict[str, Any]
    saved_at: datetime


def keep(store: Store, session: CardSession, screen: str, content: dict[str, Any]) -> None:
    """Keep what was typed on a screen in place of what this session kept of it earlier.

    Args:
        content: Anything that JSON can hold.
    """
    key, at = _own(session, screen), now()
    text = json.dumps(content, ensure_ascii=False)
    # First, because whoever finds the draft looks for this.
    store.hold(session.id)
    store.transact(lambda: drafts.put(store, key, text, at), done=harmless_twice)


def offered(store: Store, session: CardSession) -> list[KeptDraft]:
    """The drafts of the session's card, the latest first; asks for an unlocked card.

    Those of sessions that are still there are left out, and one that cannot be read back.
    """
    kept = drafts.of_card(store, session.require().card_number)
    held = store.held({key.session for key, _, _ in kept})
    return [
        KeptDraft(key.screen, key.session, content, saved_at)
        for key, text, saved_at in kept
        if key.session not in held and (content := _parsed(text)) is not None
    ]


def take_over(store: Store, session: CardSession, kept: KeptDraft) -> None:
    """Go on with a draft in this session; that it was kept by another one is forgotten.

    Raises:
        NotFound: Since it was offered somebody has taken it over, given it up or gone on with it;
            nothing is changed.
    """
    theirs, ours = _offered(session, kept), _own(session, kept.screen)
    text = json.dumps(kept.content, ensure_ascii=False)

    def content_of(key: DraftKey) -> dict[str, Any] | None:
        stored = drafts.content_of(store, key)
        return None if stored is None else _parsed(stored)

    def move() -> None:
        if content_of(theirs) != kept.content:
            raise NotFound(
                "这份录入已在另一处恢复或改动，未在此恢复", hint="未完成的下次登录时会再提示"
            )
        point_of_no_return()
        drafts.delete(store, theirs)
        drafts.put(store, ours, text, kept.saved_at)

    def moved() -> Literal[True] | None:
        is_ours = content_of(ours) == kept.content and content_of(theirs) is None
        return True if is_ours else None

    # Its session may be back after an outage.
    if store.held({kept.session}):
        raise NotFound(
            "这份录入仍在另一处进行，未在此恢复", hint="请到那里继续，或退出那里后重新登录"
        )
    store.hold(session.id)
    store.transact(move, done=moved)


def give_up(store: Store, session: CardSession, kept: KeptDraft) -> None:
    """Remove a draft that was offered."""
    key = _offered(session, kept)

    def remove() -> None:
        point_of_no_return()
        drafts.delete(store, key)

    store.transact(remove, done=harmless_twice)


def forget(store: Store, session: CardSession, screen: str) -> None:
    """Remove what this session kept of a screen, if it did."""
    key = _own(session, screen)
    store.transact(lambda: drafts.delete(store, key), done=harmless_twice)


def leave(store: Store, session: CardSession) -> None:
    """The session has ended: what it kept and did not save is offered from now on."""
    store.let_go(session.id)


def _own(session: CardSession, screen: str) -> DraftKey:
    return DraftKey(session.holder.card_number, screen, session.id)


def _offered(session: CardSession, kept: KeptDraft) -> DraftKey:
    return DraftKey(session.holder.card_number, kept.screen, kept.session)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None
