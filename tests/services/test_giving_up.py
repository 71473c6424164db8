"""What an operator gives up: in time nothing is stored, and later it is known to be too late."""

from __future__ import annotations

import pytest

from eport_tui.giving_up import Cancelled, Step
from eport_tui.services import drafts, enterprise_grants
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.faults import GivenUp
from tests.services.world import MANUFACTURER, TODAY, StandIn, grant, rows, session


def given_up_at(
    monkeypatch: pytest.MonkeyPatch, step: Step, owner: object, name: str, *, after: bool = False
) -> list[bool]:
    """Have a step given up right before or after a function; returns what is told of that."""
    told: list[bool] = []
    real = getattr(owner, name)

    def call(*arguments: object, **options: object) -> object:
        if not after:
            told.append(step.give_up())
        found = real(*arguments, **options)
        if after:
            told.append(step.give_up())
        return found

    monkeypatch.setattr(owner, name, call)
    return told


def made(store: Store) -> int:
    """How many grants the manufacturer has made."""
    return len(rows(enterprise_grants.made(store, session(MANUFACTURER), today=TODAY)))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", ["sign", "hash_of"])
def test_what_is_given_up_before_it_is_written_is_not_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch, moment: str, after: bool
) -> None:
    step = Step()
    owner = StandIn if moment == "sign" else ledger
    in_time = given_up_at(monkeypatch, step, owner, moment, after=after)
    with pytest.raises(Cancelled, match="已取消"):
        step.run(lambda: grant(store))
    assert in_time == [True]
    assert made(store) == 0
    assert ledger.head(store).number == 0
    monkeypatch.undo()
    grant(store)
    assert made(store) == 1


def test_what_was_given_up_before_it_began_asks_no_card_to_sign(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[bytes] = []
    monkeypatch.setattr(StandIn, "sign", lambda self, data: signed.append(data))
    step = Step()
    step.give_up()
    with pytest.raises(Cancelled):
        step.run(lambda: grant(store))
    assert signed == []


def test_what_is_being_written_is_stored_and_told_to_be_too_late(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step()
    in_time = given_up_at(monkeypatch, step, ledger, "append")
    step.run(lambda: grant(store))
    assert in_time == [False]
    assert step.is_past
    assert made(store) == 1


def test_what_the_database_gave_up_is_not_done_anew_once_the_operator_has_given_it_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, told = Step(), list[bool]()
    append = ledger.append

    def refused(*arguments: object, **options: object) -> int:
        append(*arguments, **options)  # type: ignore[arg-type]
        told.append(step.give_up())
        raise GivenUp("not now")

    monkeypatch.setattr(ledger, "append", refused)
    with pytest.raises(Cancelled):
        step.run(lambda: grant(store))
    # Whether it would be undone was not known then.
    assert told == [False]
    assert made(store) == 0


def test_a_draft_that_was_offered_stays_where_its_answer_is_given_up(store: Store) -> None:
    before, card = session(MANUFACTURER), session(MANUFACTURER)
    card.id = "4567"
    drafts.keep(store, before, "enterprise_grants", {"agent": "3101980002"})
    drafts.leave(store, before)
    (kept,) = drafts.offered(store, card)
    for answer in (drafts.give_up, drafts.take_over):
        step = Step()
        step.give_up()
        with pytest.raises(Cancelled):
            step.run(lambda: answer(store, card, kept))  # noqa: B023
        assert drafts.offered(store, card) == [kept]
