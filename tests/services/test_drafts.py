"""What was typed comes back to the card that typed it."""

from __future__ import annotations

import pytest

from eport_tui.domain.holders import Holder
from eport_tui.errors import NotPermitted
from eport_tui.services.drafts import forget, give_up, keep, offered, take_over
from eport_tui.store.database import Store
from tests.services.world import BROKER, MANUFACTURER, StandIn, session

TYPED = {"agent": "310198", "valid_until": "+9", "pending": [{"card": "89", "名称": "甲[b]\x1b"}]}


class Locked(StandIn):
    def require(self) -> Holder:
        raise NotPermitted("当前已锁定")

    require_granting = require


def test_what_was_typed_is_offered_again_word_for_word(store: Store) -> None:
    keep(store, session(MANUFACTURER), "enterprise_grants", TYPED)
    (draft,) = offered(store, session(MANUFACTURER))
    assert (draft.screen, draft.content) == ("enterprise_grants", TYPED)
    assert draft.saved_at.utcoffset() is not None


def test_a_draft_can_be_kept_when_the_card_has_just_been_pulled(store: Store) -> None:
    locked = Locked(session(MANUFACTURER).holder)
    keep(store, locked, "enterprise_grants", TYPED)
    with pytest.raises(NotPermitted):
        offered(store, locked)
    assert len(offered(store, session(MANUFACTURER))) == 1


def test_another_card_is_not_offered_it(store: Store) -> None:
    keep(store, session(MANUFACTURER), "enterprise_grants", TYPED)
    assert offered(store, session(BROKER)) == []
    assert offered(store, session(MANUFACTURER, number="8900000000099")) == []


def test_each_screen_has_its_latest_draft(store: Store) -> None:
    ours = session(MANUFACTURER)
    keep(store, ours, "enterprise_grants", {"agent": "1"})
    keep(store, ours, "operator_grants", {"card": "2"})
    keep(store, ours, "enterprise_grants", {"agent": "3"})
    assert {draft.screen: draft.content for draft in offered(store, ours)} == {
        "enterprise_grants": {"agent": "3"},
        "operator_grants": {"card": "2"},
    }


def test_a_draft_that_was_saved_or_dismissed_is_not_offered_again(store: Store) -> None:
    ours = session(MANUFACTURER)
    keep(store, ours, "enterprise_grants", TYPED)
    forget(store, ours, "enterprise_grants")
    forget(store, ours, "enterprise_grants")
    assert offered(store, ours) == []


def test_a_card_at_work_in_two_places_has_a_draft_of_each(store: Store) -> None:
    here, there = session(MANUFACTURER), session(MANUFACTURER)
    there.id = "4567"
    keep(store, here, "enterprise_grants", {"agent": "1"})
    keep(store, there, "enterprise_grants", {"agent": "2"})
    kept = offered(store, here)
    assert {draft.session: draft.content for draft in kept} == {
        here.id: {"agent": "1"},
        there.id: {"agent": "2"},
    }
    forget(store, there, "enterprise_grants")
    assert [draft.content for draft in offered(store, here)] == [{"agent": "1"}]
    for draft in kept:
        give_up(store, here, draft)
    assert offered(store, here) == []


def test_a_draft_that_is_taken_over_belongs_to_the_session_that_goes_on_with_it(
    store: Store,
) -> None:
    before, ours = session(MANUFACTURER), session(MANUFACTURER)
    ours.id = "4567"
    keep(store, before, "enterprise_grants", TYPED)
    (draft,) = offered(store, ours)
    take_over(store, ours, draft)
    forget(store, before, "enterprise_grants")
    assert [each.content for each in offered(store, ours)] == [TYPED]
    forget(store, ours, "enterprise_grants")
    assert offered(store, ours) == []


def test_a_draft_that_cannot_be_read_back_does_not_get_in_the_way_of_the_login(
    store: Store,
) -> None:
    ours = session(MANUFACTURER)
    for screen in ("a", "b"):
        keep(store, ours, screen, TYPED)
    with store.transaction():
        store.rows("UPDATE draft SET content = '{\"cut' WHERE screen = 'a'")
        store.rows(
            "INSERT INTO draft SELECT card_number, 'c', '', '[]', saved_at FROM draft LIMIT 1"
        )
    assert [draft.screen for draft in offered(store, ours)] == ["b"]
