"""What was typed comes back to the card that typed it."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from eport_tui.domain.holders import Enterprise, Holder
from eport_tui.domain.places import Place
from eport_tui.errors import NotFound, NotPermitted
from eport_tui.services.drafts import KeptDraft, forget, give_up, keep, leave, offered, take_over
from eport_tui.store.database import Store
from tests.postgres import Server, commits_that_are_not_acknowledged
from tests.services.world import BROKER, MANUFACTURER, StandIn, session

TYPED = {"agent": "310198", "valid_until": "+9", "pending": [{"card": "89", "名称": "甲[b]\x1b"}]}
_numbers = count(1)


class Locked(StandIn):
    def require(self) -> Holder:
        raise NotPermitted("当前已锁定")

    require_granting = require


def new_session(enterprise: Enterprise = MANUFACTURER, **options: Any) -> StandIn:
    """A session that nobody had before."""
    made = session(enterprise, **options)
    made.id = f"{next(_numbers):032x}"
    return made


def next_login(store: Store, *ended: StandIn) -> list[KeptDraft]:
    """What is offered to the manufacturer's card when some of its sessions have ended."""
    for each in ended:
        leave(store, each)
    return offered(store, new_session())


def contents(kept: list[KeptDraft]) -> list[dict[str, Any]]:
    return [draft.content for draft in kept]


def test_what_was_typed_is_offered_again_word_for_word(store: Store) -> None:
    ours = new_session()
    keep(store, ours, "enterprise_grants", TYPED)
    (draft,) = next_login(store, ours)
    assert (draft.screen, draft.content) == ("enterprise_grants", TYPED)
    assert draft.saved_at.utcoffset() is not None


def test_a_draft_can_be_kept_when_the_card_has_just_been_pulled(store: Store) -> None:
    locked = Locked(session(MANUFACTURER).holder)
    keep(store, locked, "enterprise_grants", TYPED)
    with pytest.raises(NotPermitted):
        offered(store, locked)
    assert len(next_login(store, locked)) == 1


def test_another_card_is_not_offered_it(store: Store) -> None:
    ours = new_session()
    keep(store, ours, "enterprise_grants", TYPED)
    assert len(next_login(store, ours)) == 1
    assert offered(store, new_session(BROKER)) == []
    assert offered(store, new_session(MANUFACTURER, number="8900000000099")) == []


def test_each_screen_has_its_latest_draft(store: Store) -> None:
    ours = new_session()
    keep(store, ours, "enterprise_grants", {"agent": "1"})
    keep(store, ours, "operator_grants", {"card": "2"})
    keep(store, ours, "enterprise_grants", {"agent": "3"})
    assert {draft.screen: draft.content for draft in next_login(store, ours)} == {
        "enterprise_grants": {"agent": "3"},
        "operator_grants": {"card": "2"},
    }


def test_a_draft_that_was_saved_or_dismissed_is_not_offered_again(store: Store) -> None:
    ours = new_session()
    keep(store, ours, "enterprise_grants", TYPED)
    forget(store, ours, "enterprise_grants")
    forget(store, ours, "enterprise_grants")
    assert next_login(store, ours) == []


def test_a_card_at_work_in_two_places_has_a_draft_of_each(store: Store) -> None:
    here, there = new_session(), new_session()
    keep(store, here, "enterprise_grants", {"agent": "1"})
    keep(store, there, "enterprise_grants", {"agent": "2"})
    kept = next_login(store, here, there)
    assert {draft.session: draft.content for draft in kept} == {
        here.id: {"agent": "1"},
        there.id: {"agent": "2"},
    }
    forget(store, there, "enterprise_grants")
    assert contents(next_login(store)) == [{"agent": "1"}]
    for draft in kept:
        give_up(store, new_session(), draft)
    assert next_login(store) == []


def test_what_a_session_that_is_still_at_work_has_typed_is_not_offered_elsewhere(
    store: Store, place: Place
) -> None:
    here, there = new_session(), new_session()
    with Store.open(place) as other:
        keep(store, here, "enterprise_grants", {"agent": "1"})
        keep(other, there, "enterprise_grants", {"agent": "2"})
        assert next_login(store) == next_login(other) == []
        leave(other, there)
        assert contents(next_login(store)) == contents(next_login(other)) == [{"agent": "2"}]
        leave(store, here)
        assert len(next_login(other)) == 2


def test_it_is_offered_when_the_program_was_closed_without_a_word(
    store: Store, place: Place
) -> None:
    with Store.open(place) as other:
        keep(other, new_session(), "enterprise_grants", TYPED)
        assert next_login(store) == []
    # A server sees the end of a connection a moment later.
    until = time.monotonic() + 10
    while not (kept := next_login(store)) and time.monotonic() < until:
        time.sleep(0.005)
    assert contents(kept) == [TYPED]


def test_a_draft_that_is_taken_over_belongs_to_the_session_that_goes_on_with_it(
    store: Store,
) -> None:
    before, ours = new_session(), new_session()
    keep(store, before, "enterprise_grants", TYPED)
    (draft,) = next_login(store, before)
    take_over(store, ours, draft)
    forget(store, before, "enterprise_grants")
    assert next_login(store) == []
    assert contents(next_login(store, ours)) == [TYPED]
    forget(store, ours, "enterprise_grants")
    assert next_login(store) == []


def test_a_draft_that_is_offered_in_two_places_is_taken_over_in_one(
    store: Store, place: Place
) -> None:
    before, here, there = new_session(), new_session(), new_session()
    keep(store, before, "enterprise_grants", TYPED)
    leave(store, before)
    (draft,) = offered(store, here)
    with Store.open(place) as other:
        assert offered(other, there) == [draft]
        take_over(other, there, draft)
        with pytest.raises(NotFound, match="已在另一处恢复"):
            take_over(store, here, draft)
        assert store.rows("SELECT session FROM draft") == [(there.id,)]
        leave(other, there)
    assert [each.session for each in next_login(store)] == [there.id]


def test_a_draft_that_was_given_up_elsewhere_meanwhile_is_not_taken_over(store: Store) -> None:
    before, here = new_session(), new_session()
    keep(store, before, "enterprise_grants", TYPED)
    (draft,) = next_login(store, before)
    give_up(store, new_session(), draft)
    with pytest.raises(NotFound, match="已在另一处"):
        take_over(store, here, draft)
    assert next_login(store, here) == []


def test_a_draft_whose_own_session_is_back_is_not_taken_over_as_it_was(
    store: Store, place: Place
) -> None:
    before, here = new_session(), new_session()
    with Store.open(place) as other:
        keep(other, before, "enterprise_grants", TYPED)
        # As it is after an outage.
        leave(other, before)
        (draft,) = offered(store, here)
        keep(other, before, "enterprise_grants", {"agent": "more"})
        with pytest.raises(NotFound, match="仍在另一处进行"):
            take_over(store, here, draft)
    with pytest.raises(NotFound, match="已在另一处恢复或改动"):
        take_over(store, here, draft)
    assert contents(next_login(store)) == [{"agent": "more"}]


@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_taking_over_goes_on_when_the_connection_is_lost_at_its_commit(
    store: Store, place: Place, server: Server
) -> None:
    before, ours = new_session(), new_session()
    keep(store, before, "enterprise_grants", TYPED)
    (draft,) = next_login(store, before)
    with commits_that_are_not_acknowledged(server, place):
        take_over(store, ours, draft)
    assert store.rows("SELECT session FROM draft") == [(ours.id,)]


def test_what_an_earlier_version_kept_is_offered(store: Store) -> None:
    ours = new_session()
    keep(store, ours, "enterprise_grants", TYPED)
    with store.transaction():
        store.rows("UPDATE draft SET session = ''")
    assert contents(next_login(store)) == [TYPED]


def test_a_draft_that_cannot_be_read_back_does_not_get_in_the_way_of_the_login(
    store: Store,
) -> None:
    ours = new_session()
    for screen in ("a", "b"):
        keep(store, ours, screen, TYPED)
    with store.transaction():
        store.rows("UPDATE draft SET content = '{\"cut' WHERE screen = 'a'")
        store.rows(
            "INSERT INTO draft SELECT card_number, 'c', '', '[]', saved_at FROM draft LIMIT 1"
        )
    assert [draft.screen for draft in next_login(store, ours)] == ["b"]
