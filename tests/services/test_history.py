"""What was done to the grants, taking deletions back, and how the grants stood on another day."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eport_tui.card.certificates import person_of
from eport_tui.domain.decision import Request
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantState
from eport_tui.domain.holders import Role
from eport_tui.domain.lists import PageSource
from eport_tui.domain.operations import Kind, Operation, State, replay
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services import (
    decisions,
    enterprise_grants,
    expiry,
    history,
    operator_grants,
    permissions,
    reinstatement,
    replacement,
)
from eport_tui.services.enterprise_grants import Conflict, LossChanged
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.store import history as rows_of_history
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.history import PastStore, Subject
from tests.rows import insert_operator_grant
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    grant,
    hand_on,
    opened,
    position,
    register,
    rows,
    session,
)

OURS, THEIRS = session(MANUFACTURER), session(BROKER)
TOMORROW = TODAY + timedelta(days=1)


def delete(
    store: Store, standing: EnterpriseGrant, *, reason: str = "", today: date = TODAY
) -> int:
    """Delete a grant as it was shown; returns the number of the entry."""
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id, today=today)
    enterprise_grants.delete(
        store,
        OURS,
        standing.id,
        revision=standing.revision,
        operator_grants=shown.operator_grants,
        newest=shown.newest,
        reason=reason,
        today=today,
    )
    return ledger.head(store).number


def shorten(store: Store, standing: EnterpriseGrant, until: date) -> EnterpriseGrant:
    """Give a grant an earlier last day, after looking at what that takes away."""
    agreed = enterprise_grants.shortening_preview(
        store, TABLES, OURS, standing.id, until, today=TODAY
    )
    return enterprise_grants.save(
        store, TABLES, OURS, opened(standing, until), agreed=agreed, today=TODAY
    ).grant


def withdraw(store: Store, standing: EnterpriseGrant, card: str = CARD) -> int:
    """Delete the operator grant to a card; returns the number of the entry."""
    stored = operator_grants.granted(store, THEIRS, standing.id).after(None, 100)
    (number,) = [each.id for each in stored if each.card_number == card]
    operator_grants.delete(store, THEIRS, number, today=TODAY)
    return ledger.head(store).number


def decided(store: Store, on: date = TODAY) -> set[tuple[object, ...]]:
    """Every decision that is a yes."""
    return {
        (card, agent.customs_code, principal.customs_code, subsystem, action)
        for card in (CARD, OTHER_CARD, "8900000000073")
        for agent in (BROKER, OTHER_BROKER)
        for principal in (MANUFACTURER, TRADER)
        for subsystem in ("95", "B1")
        for action in ("declare", "customs")
        if decisions.check(
            store,
            TABLES,
            Request(
                card,
                Role.OPERATOR,
                agent.customs_code,
                principal.customs_code,
                subsystem,
                action,
                on,
            ),
        ).allowed
    }


def replayed(store: Store) -> State:
    """The state that the ledger gives, each entry being within the rights of its signer."""
    state, operations = State(), dict[int, Operation]()
    for entry in list(entries(store)):
        operation = operations[entry.number] = Operation.read(entry.payload)
        replay(state, entry.number, operation, operations.get(operation.reinstates or 0))
    return state


def entries(store: Store) -> list[ledger.Entry]:
    """The whole ledger."""
    found = (ledger.get(store, number) for number in range(1, ledger.head(store).number + 1))
    return [entry for entry in found if entry is not None]


# -- what would be lost ----------------------------------------------------------------


def test_deleting_says_which_operators_lose_what_and_until_when(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD, OTHER_CARD)
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id, today=TOMORROW)
    losses = rows(shown.losses)
    assert [loss.card_number for loss in losses] == [CARD, OTHER_CARD]
    assert losses[0].actions == ("query", "stage", "modify", "delete", "declare", "print")
    assert (losses[0].days.first, losses[0].days.last) == (TOMORROW, standing.valid_until)


def test_all_operators_are_one_row(store: Store) -> None:
    standing = grant(store, grant_type="X2")
    hand_on(store, standing)
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id, today=TODAY)
    (loss,) = rows(shown.losses)
    assert (loss.card_number, loss.key.agent) == (ALL_OPERATORS, BROKER.customs_code)
    assert loss.actions == ("customs",)


def test_shortening_says_from_when(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    shown = enterprise_grants.shortening_preview(
        store, TABLES, OURS, standing.id, TOMORROW, today=TODAY
    )
    (loss,) = rows(shown.losses)
    assert loss.days.first == TOMORROW + timedelta(days=1)
    assert loss.days.last == standing.valid_until


@pytest.mark.parametrize("later", [0, 1, 30])
def test_a_later_last_day_takes_nothing_away(store: Store, later: int) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    until = standing.valid_until + timedelta(days=later)
    shown = enterprise_grants.shortening_preview(
        store, TABLES, OURS, standing.id, until, today=TODAY
    )
    assert shown.losses.count().number == 0


def test_an_expired_grant_takes_nothing_away(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    day = standing.valid_until + timedelta(days=1)
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id, today=day)
    assert (shown.operator_grants, rows(shown.losses)) == (1, [])


def test_deleting_an_operator_says_what_he_loses(store: Store) -> None:
    standing = grant(store)
    (stored,) = hand_on(store, standing, CARD)
    shown = operator_grants.deletion_preview(store, TABLES, THEIRS, stored.id, today=TODAY)
    (loss,) = rows(shown.losses)
    assert (loss.card_number, loss.days.last) == (CARD, standing.valid_until)


def test_twenty_thousand_operators_are_shown_at_once(store: Store) -> None:
    standing = grant(store)
    with store.transaction():
        for number in range(20_000):
            insert_operator_grant(store, standing.id, f"89{number:011d}", TODAY)
    began = time.perf_counter()
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id, today=TODAY)
    assert shown.losses.count().number == 20_000
    assert shown.losses.before(None, 10)[-1].card_number == "8900000019999"
    assert time.perf_counter() - began < 0.5


def test_operators_that_were_exchanged_since_are_not_deleted_unseen(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    shown = enterprise_grants.deletion_preview(store, TABLES, OURS, standing.id)
    withdraw(store, standing)
    hand_on(store, standing, OTHER_CARD)
    with pytest.raises(Conflict):
        enterprise_grants.delete(
            store, OURS, standing.id, revision=1, operator_grants=1, newest=shown.newest
        )
    assert enterprise_grants.made(store, OURS).count().number == 1


def test_a_shortening_takes_nothing_that_was_handed_on_after_the_question(store: Store) -> None:
    standing = grant(store)
    asked = enterprise_grants.shortening_preview(
        store, TABLES, OURS, standing.id, TOMORROW, today=TODAY
    )
    assert asked.losses.count().number == 0
    hand_on(store, standing, CARD)
    for agreed in (asked, None):
        with pytest.raises(LossChanged, match="核对新的清单"):
            enterprise_grants.save(
                store, TABLES, OURS, opened(standing, TOMORROW), agreed=agreed, today=TODAY
            )
    assert rows(enterprise_grants.made(store, OURS))[0].grant == standing


def test_a_shortening_that_would_take_more_than_was_agreed_to_is_refused(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    agreed = enterprise_grants.shortening_preview(
        store, TABLES, OURS, standing.id, TOMORROW, today=TODAY
    )
    hand_on(store, standing, OTHER_CARD)
    with pytest.raises(LossChanged):
        enterprise_grants.save(
            store, TABLES, OURS, opened(standing, TOMORROW), agreed=agreed, today=TODAY
        )


# -- what was done ---------------------------------------------------------------------


def test_the_newest_operation_comes_first_with_its_reason_and_what_it_changed(
    store: Store,
) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    number = delete(store, standing, reason="合同终止")
    source = history.of_enterprise(store, OURS)
    assert [row.kind for row in rows(source)] == [Kind.DELETE, Kind.HAND_ON, Kind.GRANT]
    first = source.after(None, 1)[0]
    assert (first.number, first.reason, first.card_number) == (
        number,
        "合同终止",
        OURS.holder.card_number,
    )
    assert len(first.changes) == 2
    assert history.signer(store, first) == "张三"


def test_a_reason_is_recorded_as_one_line_of_what_can_be_seen(store: Store) -> None:
    delete(store, grant(store), reason="\t公司\t搬迁\x1b[31m\r\n合同\u202e终止\n")
    (first,) = history.of_enterprise(store, OURS).after(None, 1)
    assert first.reason == "公司 搬迁[31m 合同终止"


@pytest.mark.parametrize("role", list(Role))
def test_any_card_sees_what_concerns_its_enterprise_and_nothing_else(
    store: Store, role: Role
) -> None:
    ours, others = grant(store), grant(store, TRADER, OTHER_BROKER)
    for enterprise in (MANUFACTURER, BROKER):
        seen = rows(history.of_enterprise(store, session(enterprise, role)))
        assert [row.keys for row in seen] == [[ours.key]]
    looking = session(MANUFACTURER, role)
    with pytest.raises(NotPermitted):
        history.of_grant(store, looking, others.key)
    with pytest.raises(NotPermitted):
        history.entry(store, looking, 2)
    with pytest.raises(NotFound):
        history.entry(store, looking, 3)


def test_of_an_operation_on_several_grants_each_side_sees_its_own(store: Store) -> None:
    first, second = grant(store), grant(store, TRADER)
    for standing in (first, second):
        hand_on(store, standing, CARD)
    shown = replacement.preview(store, THEIRS, CARD, OTHER_CARD)
    replacement.replace(store, THEIRS, shown, today=TODAY)
    for enterprise, keys in (
        (BROKER, [first.key, second.key]),
        (MANUFACTURER, [first.key]),
        (TRADER, [second.key]),
    ):
        row = history.of_enterprise(store, session(enterprise)).after(None, 1)[0]
        assert row.kind is Kind.REPLACE_CARD
        assert row.keys == keys


def test_a_grant_and_an_operator_under_it_have_a_history_each(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    hand_on(store, standing, OTHER_CARD)
    withdraw(store, standing)
    grant(store, subsystem="B1")
    of_grant = rows(history.of_grant(store, OURS, standing.key))
    assert [row.kind for row in of_grant] == [
        Kind.WITHDRAW,
        Kind.HAND_ON,
        Kind.HAND_ON,
        Kind.GRANT,
    ]
    of_card = rows(history.of_grant(store, THEIRS, standing.key, CARD))
    assert [row.kind for row in of_card] == [Kind.WITHDRAW, Kind.HAND_ON]


def test_pages_do_not_move_while_others_record(store: Store) -> None:
    standing = grant(store)
    for number in range(6):
        hand_on(store, standing, f"890000000010{number}")
    source = history.of_enterprise(store, OURS)
    assert source.count().number == 7
    seen = source.after(None, 3)
    hand_on(store, standing, CARD)
    seen += source.after(seen[-1], 3)
    assert [row.number for row in seen] == [7, 6, 5, 4, 3, 2]
    assert [row.number for row in source.after(seen[-1], 9)] == [1]
    assert [row.number for row in source.before(seen[0], 9)] == [8]
    assert [position(source, number) for number in (8, 5, 9)] == [0, 3, None]


def test_a_day_of_the_history_is_jumped_to_and_the_list_narrowed_to_it(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    recorded = ledger.get(store, 1)
    assert recorded is not None
    day, source = recorded.recorded_at[:10], history.of_enterprise(store, OURS)
    found = source.seek(day.replace("-", ""))
    assert found is not None
    assert found.number == 2
    assert [row.number for row in rows(source.filtered(day[:7]))] == [2, 1]
    assert source.seek("1999") is None
    assert rows(source.filtered("1999")) == []


# -- taking a deletion back ------------------------------------------------------------


def test_a_deleted_grant_stands_again_with_its_operators_as_it_was(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD, OTHER_CARD)
    before = decided(store)
    number = delete(store, standing, today=TOMORROW)
    assert decided(store) == set()
    back = reinstatement.reinstate(store, OURS, number, reason="误删", today=TOMORROW)
    assert len(back.operator_grants) == 2
    assert decided(store) == before
    (again,) = rows(enterprise_grants.made(store, OURS, today=TOMORROW))
    assert (again.grant.granted_on, again.grant.valid_until, again.grant.revision) == (
        standing.granted_on,
        standing.valid_until,
        standing.revision,
    )
    entry = history.of_enterprise(store, OURS).after(None, 1)[0]
    assert (entry.kind, entry.reinstates, entry.reason) == (Kind.REINSTATE, number, "误删")
    replayed(store)


def test_a_form_that_was_open_on_the_deleted_grant_cannot_overwrite_the_new_one(
    store: Store,
) -> None:
    standing = grant(store)
    reinstatement.reinstate(store, OURS, delete(store, standing), today=TODAY)
    with pytest.raises(NotFound):
        enterprise_grants.save(store, TABLES, OURS, opened(standing, TOMORROW), today=TODAY)


def test_a_deleted_operator_is_reinstated_by_the_agent(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    before = decided(store)
    number = withdraw(store, standing)
    with pytest.raises(NotPermitted, match="只有删除该授权的企业才能恢复"):
        reinstatement.reinstate(store, OURS, number, today=TODAY)
    reinstatement.reinstate(store, THEIRS, number, today=TODAY)
    assert decided(store) == before
    assert history.of_enterprise(store, THEIRS).after(None, 1)[0].kind is Kind.REINSTATE_OPERATOR
    replayed(store)


def test_an_operator_s_card_takes_nothing_back(store: Store) -> None:
    number = delete(store, grant(store))
    clerk = session(MANUFACTURER, Role.OPERATOR)
    for attempt in (reinstatement.preview, reinstatement.reinstate):
        with pytest.raises(NotPermitted, match="非法人卡，不允许操作!"):
            attempt(store, clerk, number)


def granted_anew(store: Store, standing: EnterpriseGrant) -> None:
    grant(store)


def deleted_again(store: Store, standing: EnterpriseGrant) -> None:
    delete(store, grant(store))


def nothing(store: Store, standing: EnterpriseGrant) -> None:
    """Only time goes by."""


@pytest.mark.parametrize(
    ("then", "days", "told"),
    [
        (granted_anew, 0, "该授权现已存在，不必恢复"),
        (deleted_again, 0, "该授权在这之后又授予过并再次删除"),
        (nothing, 101, "到期，不能恢复"),
    ],
)
def test_a_grant_is_not_reinstated_where_that_would_not_be_as_before(
    store: Store, then: Callable[[Store, EnterpriseGrant], None], days: int, told: str
) -> None:
    standing = grant(store)
    number = delete(store, standing)
    then(store, standing)
    with pytest.raises(InvalidInput, match=told):
        reinstatement.reinstate(store, OURS, number, today=TODAY + timedelta(days=days))


def test_on_its_last_day_a_grant_can_be_reinstated(store: Store) -> None:
    standing = grant(store)
    number = delete(store, standing)
    reinstatement.reinstate(store, OURS, number, today=standing.valid_until)


def handed_on_again(store: Store, standing: EnterpriseGrant) -> None:
    hand_on(store, standing, CARD)


def all_operators(store: Store, standing: EnterpriseGrant) -> None:
    hand_on(store, standing)


def withdrawn_again(store: Store, standing: EnterpriseGrant) -> None:
    hand_on(store, standing, CARD)
    withdraw(store, standing)


def parent_deleted(store: Store, standing: EnterpriseGrant) -> None:
    delete(store, standing)


@pytest.mark.parametrize(
    ("then", "days", "error", "told"),
    [
        (handed_on_again, 0, InvalidInput, "的权限现已存在，不必恢复"),
        (all_operators, 0, InvalidInput, "现已授予全部操作员，不能再恢复单个操作员"),
        (withdrawn_again, 0, InvalidInput, "在这之后又授予过并再次删除"),
        (parent_deleted, 0, NotFound, "该企业间授权已不存在"),
        (nothing, 101, InvalidInput, "到期，不能恢复"),
    ],
)
def test_an_operator_is_not_reinstated_where_that_would_not_be_as_before(
    store: Store,
    then: Callable[[Store, EnterpriseGrant], None],
    days: int,
    error: type[Exception],
    told: str,
) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    number = withdraw(store, standing)
    then(store, standing)
    with pytest.raises(error, match=told):
        reinstatement.reinstate(store, THEIRS, number, today=TODAY + timedelta(days=days))


def test_all_operators_do_not_come_back_beside_single_cards(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing)
    number = withdraw(store, standing, ALL_OPERATORS)
    hand_on(store, standing, CARD)
    with pytest.raises(InvalidInput, match="现已授予单个操作员，不能再恢复全部操作员"):
        reinstatement.reinstate(store, THEIRS, number, today=TODAY)


def test_single_cards_that_all_operators_replaced_can_be_had_back(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD, OTHER_CARD)
    operator_grants.save(
        store, THEIRS, standing.id, [NewOperatorGrant(True)], replacing=2, today=TODAY
    )
    number = ledger.head(store).number
    with pytest.raises(InvalidInput, match="现已授予全部操作员"):
        reinstatement.reinstate(store, THEIRS, number, today=TODAY)
    withdraw(store, standing, ALL_OPERATORS)
    back = reinstatement.reinstate(store, THEIRS, number, today=TODAY)
    assert [row.card_number for row in back.operator_grants] == [CARD, OTHER_CARD]
    replayed(store)


NEW_CARD = "8900000000073"


def put_in_place(store: Store, old: str = CARD, new: str = NEW_CARD) -> None:
    """Have the agent put another card in the place of one."""
    shown = replacement.preview(store, THEIRS, old, new)
    replacement.replace(store, THEIRS, shown, today=TODAY)


def test_a_card_that_was_replaced_meanwhile_does_not_come_back_with_the_grant(
    store: Store,
) -> None:
    standing, other = grant(store), grant(store, subsystem="B1")
    hand_on(store, standing, CARD, OTHER_CARD)
    hand_on(store, other, CARD)
    number = delete(store, standing)
    put_in_place(store)
    shown = reinstatement.preview(store, OURS, number, today=TODAY)
    assert [row.card_number for row in shown.operator_grants] == [OTHER_CARD]
    assert shown.replaced == (CARD,)
    reinstatement.reinstate(store, OURS, number, today=TODAY)
    assert {each[0] for each in decided(store)} == {OTHER_CARD, NEW_CARD}
    replayed(store)


def test_a_grant_comes_back_alone_where_its_one_card_was_replaced(store: Store) -> None:
    standing, other = grant(store), grant(store, subsystem="B1")
    for each in (standing, other):
        hand_on(store, each, CARD)
    number = delete(store, standing)
    put_in_place(store)
    back = reinstatement.reinstate(store, OURS, number, today=TODAY)
    assert (back.grant is not None, back.operator_grants) == (True, ())
    replayed(store)


def test_the_agent_cannot_take_back_what_a_replaced_card_had(store: Store) -> None:
    standing, other = grant(store), grant(store, subsystem="B1")
    for each in (standing, other):
        hand_on(store, each, CARD)
    number = withdraw(store, standing)
    put_in_place(store)
    with pytest.raises(InvalidInput, match=f"操作员 {CARD} 已换卡，不能恢复原卡的权限"):
        reinstatement.reinstate(store, THEIRS, number, today=TODAY)
    assert not reinstatement.is_possible(store, THEIRS, number, today=TODAY)


def test_a_replaced_card_that_was_handed_something_again_comes_back(store: Store) -> None:
    standing, other = grant(store), grant(store, subsystem="B1")
    for each in (standing, other):
        hand_on(store, each, CARD)
    number = delete(store, standing)
    put_in_place(store)
    hand_on(store, other, CARD)
    back = reinstatement.reinstate(store, OURS, number, today=TODAY)
    assert [row.card_number for row in back.operator_grants] == [CARD]


def test_a_card_that_was_replaced_before_and_had_it_again_comes_back(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    put_in_place(store)
    hand_on(store, standing, CARD)
    number = delete(store, standing)
    back = reinstatement.reinstate(store, OURS, number, today=TODAY)
    assert [row.card_number for row in back.operator_grants] == [CARD, NEW_CARD]


def test_what_granted_something_has_nothing_to_take_back(store: Store) -> None:
    grant(store)
    with pytest.raises(InvalidInput, match="没有删除授权，不能恢复"):
        reinstatement.reinstate(store, OURS, 1, today=TODAY)
    with pytest.raises(NotFound):
        reinstatement.reinstate(store, OURS, 2, today=TODAY)


def test_an_operator_grant_that_no_agent_signed_does_not_come_back(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    with store.transaction():
        insert_operator_grant(store, standing.id, OTHER_CARD, TODAY)
    number = delete(store, standing)
    shown = reinstatement.preview(store, OURS, number, today=TODAY)
    assert ([row.card_number for row in shown.operator_grants], shown.unsigned) == ([CARD], 1)
    reinstatement.reinstate(store, OURS, number, today=TODAY)
    replayed(store)


worlds = st.lists(
    st.tuples(
        st.sampled_from((BROKER, OTHER_BROKER)),
        st.sampled_from(("95", "B1")),
        st.sampled_from(("X1", "X2")),
        st.sampled_from(((), (CARD,), (CARD, OTHER_CARD), (ALL_OPERATORS,))),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each[:3],
)


@settings(max_examples=15)
@given(worlds, st.data())
def test_deleting_and_reinstating_changes_no_decision(
    shared_store: Store, world: list[tuple[object, ...]], data: st.DataObject
) -> None:
    store = shared_store
    register(store)
    standing: list[EnterpriseGrant] = []
    for agent, subsystem, grant_type, cards in world:
        made = grant(store, agent=agent, subsystem=subsystem, grant_type=grant_type)  # type: ignore[arg-type]
        if cards:
            hand_on(store, made, *(() if cards == (ALL_OPERATORS,) else cards))  # type: ignore[arg-type]
        standing.append(made)
    try:
        before = decided(store)
        seen = [
            row.card_number
            for row in rows(permissions.query(store, OURS, subsystem=None, today=TODAY))
        ]
        number = delete(store, data.draw(st.sampled_from(standing)))
        reinstatement.reinstate(store, OURS, number, today=TODAY)
        assert decided(store) == before
        after = permissions.query(store, OURS, subsystem=None, today=TODAY)
        assert [row.card_number for row in rows(after)] == seen
    finally:
        for row in rows(enterprise_grants.made(store, OURS)):
            delete(store, row.grant)


# -- another day -----------------------------------------------------------------------


def looked_at(store: Store, on: date) -> list[object]:
    """All lists and all decisions of a day."""
    made = rows(enterprise_grants.made(store, OURS, today=on))
    received = rows(operator_grants.received(store, THEIRS, today=on))
    return [
        [(row.grant.key, row.grant.valid_until, row.state, row.agent) for row in made],
        [
            (row.grant.key, row.grant.valid_until, row.state, row.operator_grants)
            for row in received
        ],
        [
            [
                (each.card_number, each.granted_on, each.changed_by)
                for each in rows(operator_grants.granted(store, THEIRS, row.grant.id))
            ]
            for row in received
        ],
        [
            (row.card_number, row.granted_on, row.valid_until)
            for row in rows(permissions.query(store, OURS, subsystem=None, today=on))
        ],
    ]


def test_a_past_day_is_seen_as_it_was_when_it_ended(store: Store) -> None:
    days = [TODAY + timedelta(days=each) for each in range(7)]
    standing = grant(store, today=days[0], valid_until=days[5])
    seen = {days[0]: looked_at(store, days[0])}
    hand_on(store, standing, CARD, OTHER_CARD, today=days[1])
    seen[days[1]] = looked_at(store, days[1])
    grant(store, subsystem="B1", today=days[2])
    operator_grants.save(
        store, THEIRS, standing.id, [NewOperatorGrant(True)], replacing=2, today=days[3]
    )
    seen[days[3]] = looked_at(store, days[3])
    number = delete(store, standing, today=days[4])
    seen[days[4]] = looked_at(store, days[4])
    reinstatement.reinstate(store, OURS, number, today=days[5])
    seen[days[5]] = looked_at(store, days[5])
    for day, then in seen.items():
        view = history.on_day(store, day, today=days[6])
        assert looked_at(view.store, day) == then, day


def test_the_check_of_a_past_day_sees_what_stood_then(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD, today=TOMORROW)
    delete(store, standing, today=TOMORROW + timedelta(days=1))
    later = TODAY + timedelta(days=9)

    def allowed(on: date) -> bool:
        view = history.on_day(store, on, today=later)
        ours, theirs = MANUFACTURER.customs_code, BROKER.customs_code
        request = Request(CARD, Role.OPERATOR, theirs, ours, "95", "declare", on)
        return decisions.check(view.store, TABLES, request).allowed

    assert [allowed(TODAY + timedelta(days=each)) for each in range(4)] == [
        False,
        True,
        False,
        False,
    ]


def test_a_future_day_shows_what_will_have_run_out(store: Store) -> None:
    standing = grant(store)
    view = history.on_day(store, standing.valid_until + timedelta(days=1), today=TODAY)
    (row,) = rows(enterprise_grants.made(view.store, OURS, today=view.on))
    assert (row.state, view.past) == (GrantState.EXPIRED, False)


def test_before_the_records_begin_that_is_said_and_nothing_shown(store: Store) -> None:
    with pytest.raises(NotFound, match="还没有操作记录"):
        history.on_day(store, TODAY, today=TOMORROW)
    grant(store)
    view = history.on_day(store, TODAY - timedelta(days=1), today=TOMORROW)
    assert view.begins == TODAY
    assert rows(enterprise_grants.made(view.store, OURS, today=view.on)) == []


def test_the_past_cannot_be_written(store: Store) -> None:
    standing = grant(store)
    view = history.on_day(store, TODAY, today=TOMORROW)
    with pytest.raises(RuntimeError):
        enterprise_grants.save(view.store, TABLES, OURS, opened(standing, TOMORROW), today=TODAY)
    assert shorten(store, standing, TOMORROW).valid_until == TOMORROW


def test_a_clock_that_was_set_back_loses_no_entry_of_the_day(store: Store) -> None:
    grant(store, today=TOMORROW)
    with store.transaction():
        ledger.note_clock_reset(store, OURS.holder.valid_from)
    grant(store, subsystem="B1", today=TODAY)
    view = history.on_day(store, TODAY, today=TOMORROW + timedelta(days=1))
    assert enterprise_grants.made(view.store, OURS).count().number == 2


# -- how it is read --------------------------------------------------------------------


class Explained(PastStore):
    """Notes how each query is worked out."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, 5)
        self.steps: list[str] = []

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        plan = self._present.rows(f"EXPLAIN QUERY PLAN {self.in_the_past(sql)}", parameters)
        self.steps += [step for *_, step in plan]
        return super().rows(sql, parameters)


def test_no_list_of_a_past_day_reads_a_whole_table(sqlite_store: Store) -> None:
    register(sqlite_store)
    standing = grant(sqlite_store)
    hand_on(sqlite_store, standing, CARD)
    explained = Explained(sqlite_store)
    for source in (
        enterprise_grants.made(explained, OURS),
        operator_grants.received(explained, THEIRS),
        operator_grants.granted(explained, THEIRS, 1),
        permissions.query(explained, OURS, subsystem=None),
        permissions.query(explained, THEIRS, subsystem="95"),
        permissions.what_can(explained, THEIRS, CARD, subsystem=None),
        expiry.due(explained, OURS, within=60, today=TODAY),
    ):
        for order in source.orders:
            look_at(source.ordered(order))
    history.number_of(explained, OURS, standing.key, CARD)
    rows_of_history.decision_rows(
        explained, principal="3101940001", agent="3101980002", subsystem="95", card_number=CARD
    )
    versions = ("SCAN v", "SCAN g", "SCAN o", "SCAN e", "MATERIALIZE")
    assert [step for step in explained.steps if str(step).startswith(versions)] == []
    assert len(explained.steps) > 50


def test_the_lists_of_a_past_day_can_be_sorted_and_narrowed_too(store: Store) -> None:
    for subsystem, until in (("95", 90), ("B1", 30)):
        for principal in (MANUFACTURER, TRADER):
            day = TODAY + timedelta(days=until + (principal is TRADER))
            standing = grant(store, principal, subsystem=subsystem, valid_until=day)
            hand_on(store, standing, CARD, OTHER_CARD)
    view = history.on_day(store, TODAY, today=TOMORROW)
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant")
    received = operator_grants.received(view.store, THEIRS, today=view.on)
    _, by_day, by_subsystem = received.orders
    assert [row.grant.valid_until for row in rows(received.ordered(by_day))] == [
        TODAY + timedelta(days=number) for number in (30, 31, 90, 91)
    ]
    narrowed = received.ordered(by_subsystem).filtered("B1")
    assert [row.grant.key.subsystem for row in rows(narrowed)] == ["B1", "B1"]
    rights = permissions.query(view.store, THEIRS, subsystem=None, today=view.on)
    assert len(rows(rights)) == len(rows(rights.ordered(rights.orders[1]), 3)) == 8
    assert [row.card_number for row in rows(rights.filtered("3205"))] == [CARD, OTHER_CARD] * 2
    by_card = rights.ordered(rights.orders[2])
    assert [row.card_number for row in rows(by_card, 3)] == [CARD] * 4 + [OTHER_CARD] * 4
    assert [row.card_number for row in rows(by_card.filtered(OTHER_CARD))] == [OTHER_CARD] * 4
    due = expiry.due(view.store, THEIRS, within=60, today=view.on)
    assert [row.operator_grants.number for row in rows(due)] == [2, 2]
    last = due.before(None, 1)[0]
    assert (due.rank(last).number, due.at(last.grant.id)) == (1, last)


def look_at(source: PageSource[Any]) -> None:
    """Ask a list all that can be asked."""
    for shown in (source, source.filtered("3"), source.filtered("2026")):
        shown.count()
        shown.at(1)
        shown.seek("9")
        for row in shown.after(None, 1) + shown.before(None, 1):
            shown.after(row, 1)
            shown.before(row, 1)
            shown.rank(row)


@pytest.mark.parametrize("card", [None, CARD])
@pytest.mark.parametrize("of_grant", [False, True])
@pytest.mark.parametrize("direction", ["DESC", "ASC"])
def test_a_page_of_the_history_is_read_along_an_index(
    sqlite_store: Store, of_grant: bool, card: str | None, direction: str
) -> None:
    register(sqlite_store)
    key = grant(sqlite_store).key if of_grant else None
    subject = Subject(MANUFACTURER.customs_code, key, card)
    steps = sqlite_store.rows(
        f"EXPLAIN QUERY PLAN {subject.sql} ORDER BY entry {direction} LIMIT 10",
        subject.values((0, 5)),
    )
    assert [step for *_, step in steps if step.startswith("SCAN")] == []
    if card is None:
        assert not [step for *_, step in steps if "TEMP B-TREE" in step]


def test_the_entry_at_the_end_of_a_day_is_found_along_an_index(sqlite_store: Store) -> None:
    register(sqlite_store)
    steps = sqlite_store.rows(
        f"EXPLAIN QUERY PLAN {rows_of_history.LAST_BEFORE}",
        ("2026-01-01",),
    )
    assert "SEARCH" in steps[0][-1]


def test_a_certificate_that_cannot_be_read_names_nobody() -> None:
    assert person_of(b"no certificate") == ""
