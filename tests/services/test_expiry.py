"""到期提醒: what is listed, renewing several at once, and what is meant to lapse."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from eport_tui.domain.grants import EnterpriseGrant, GrantKey
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.lists import Count
from eport_tui.domain.operations import Kind, Operation, State, replay
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import enterprise_grants as enterprise_grants_of
from eport_tui.services import expiry, history, reinstatement
from eport_tui.services.enterprise_grants import Conflict
from eport_tui.services.expiry import DueRow, RenewalPreview
from eport_tui.services.guard import NOT_LEGAL_PERSON
from eport_tui.store import enterprise_grants, ledger
from eport_tui.store.database import Store
from eport_tui.store.expiry import Gap
from eport_tui.store.permissions import Direction
from tests.rows import insert_grant
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TODAY,
    TRADER,
    StandIn,
    grant,
    hand_on,
    position,
    register,
    rows,
    session,
    tables_of,
)

OURS, THEIRS = Direction.OURS, Direction.THEIRS
LATER = TODAY + timedelta(days=400)


def days(count: int) -> timedelta:
    return timedelta(days=count)


def listed(
    store: Store,
    who: Enterprise = MANUFACTURER,
    within: int = 30,
    *,
    lapsing_too: bool = False,
    today: date = TODAY,
) -> list[DueRow]:
    """What an operator's card sees, which may do no more than look."""
    return rows(
        expiry.due(
            store,
            session(who, Role.OPERATOR),
            within=within,
            lapsing_too=lapsing_too,
            today=today,
        )
    )


def renew(
    store: Store,
    *chosen: EnterpriseGrant,
    until: date | str = LATER,
    by: StandIn | None = None,
    today: date = TODAY,
) -> RenewalPreview:
    """Look at what a renewal would do, agree, and do it."""
    by = by or session(MANUFACTURER)
    preview = expiry.renewal_preview(store, by, chosen, str(until), today=today)
    expiry.renew(store, by, chosen, preview, today=today)
    return preview


def operations(store: Store) -> list[Operation]:
    return [Operation.read(entry.payload) for entry in ledger.entries(store)]


def replay_all(store: Store) -> None:
    """Every operation fits what was there before, and its signer was entitled to it."""
    state = State()
    for number, operation in enumerate(operations(store), 1):
        replay(state, number, operation)


# -- the list ------------------------------------------------------------------


def test_what_runs_out_is_listed_in_both_directions_by_its_last_day(store: Store) -> None:
    over = grant(store, MANUFACTURER, BROKER, today=TODAY - days(9), valid_until=TODAY - days(2))
    received = grant(store, TRADER, BROKER, valid_until=TODAY + days(30))
    made = grant(store, BROKER, OTHER_BROKER, valid_until=TODAY + days(10))
    grant(store, TRADER, OTHER_BROKER, valid_until=TODAY)
    grant(store, TRADER, BROKER, subsystem="B1", valid_until=TODAY + days(31))
    source = expiry.due(store, session(BROKER), within=30, today=TODAY)
    assert [(row.direction, row.grant, row.principal, row.agent) for row in rows(source)] == [
        (OURS, over, MANUFACTURER, BROKER),
        (THEIRS, made, BROKER, OTHER_BROKER),
        (OURS, received, TRADER, BROKER),
    ]
    assert [position(source, row.grant.id) for row in rows(source)] == [0, 1, 2]
    assert position(source, 999) is None


@pytest.mark.parametrize(("within", "count"), [(30, 1), (60, 2), (90, 3)])
def test_the_last_day_of_the_time_asked_for_is_included(
    store: Store, within: int, count: int
) -> None:
    for subsystem, ahead in (("95", 30), ("B1", 60), ("Z8", 90), ("B3", 91)):
        grant(store, subsystem=subsystem, valid_until=TODAY + days(ahead))
    assert len(listed(store, within=within)) == count


@pytest.mark.parametrize("left", [0, 29, 31])
def test_the_calendar_s_last_days_are_days_like_others(store: Store, left: int) -> None:
    last = grant(store, valid_until=date.max)
    grant(store, subsystem="B1")
    day = date.max - days(left)
    due = listed(store, today=day)
    assert [row.grant for row in due][1:] == ([last] if left <= 30 else [])
    source = expiry.due(store, session(MANUFACTURER), within=30, lapsing_too=True, today=day)
    assert [row.grant for row in rows(source.filtered("即将"))] == ([last] if left <= 30 else [])
    assert expiry.due_soon(store, session(MANUFACTURER), today=day).made.number == (left <= 30)


def test_on_one_day_they_stand_by_the_other_end_and_what_is_granted(store: Store) -> None:
    day = TODAY + days(5)
    for agent, subsystem in ((OTHER_BROKER, "95"), (BROKER, "B1"), (BROKER, "95")):
        grant(store, agent=agent, subsystem=subsystem, valid_until=day)
    grant(store, TRADER, MANUFACTURER, valid_until=day)
    assert [(row.direction, row.agent, row.grant.key.subsystem) for row in listed(store)] == [
        (OURS, MANUFACTURER, "95"),
        (THEIRS, BROKER, "95"),
        (THEIRS, BROKER, "B1"),
        (THEIRS, OTHER_BROKER, "95"),
    ]


def test_a_row_says_how_many_operators_hang_on_it(store: Store) -> None:
    hand_on(store, grant(store, valid_until=TODAY + days(3)), CARD, OTHER_CARD)
    assert [row.operator_grants for row in listed(store)] == [Count(2)]


def test_an_enterprise_that_is_not_in_the_registry_is_listed_by_its_code(store: Store) -> None:
    unknown = Enterprise("3101980009", "", "")
    grant(store, unknown, BROKER, valid_until=TODAY)
    with store.transaction():
        store.rows("DELETE FROM enterprise WHERE customs_code = '3101980009'")
    assert [row.principal for row in listed(store, BROKER)] == [unknown]


# -- interruptions -------------------------------------------------------------


def test_a_gap_between_an_end_and_a_renewal_is_told(store: Store) -> None:
    first = grant(store, today=TODAY - days(90), valid_until=TODAY - days(60))
    renew(store, first, until=TODAY + days(5), today=TODAY)
    assert [row.gap for row in listed(store)] == [Gap(TODAY - days(59), TODAY - days(1))]


def test_a_renewal_on_the_day_after_leaves_no_gap(store: Store) -> None:
    first = grant(store, today=TODAY - days(90), valid_until=TODAY - days(1))
    renew(store, first, until=TODAY + days(5), today=TODAY)
    assert [row.gap for row in listed(store)] == [None]


def test_an_extension_does_not_hide_the_gap_before_it(store: Store) -> None:
    first = grant(store, today=TODAY - days(90), valid_until=TODAY - days(60))
    renew(store, first, until=TODAY - days(20), today=TODAY - days(40))
    (row,) = listed(store, today=TODAY - days(30))
    renew(store, row.grant, until=TODAY + days(5), today=TODAY - days(30))
    assert [row.gap for row in listed(store)] == [Gap(TODAY - days(59), TODAY - days(41))]


def test_a_grant_that_was_deleted_and_made_again_was_interrupted_too(store: Store) -> None:
    first = grant(store, today=TODAY - days(50))
    then = TODAY - days(20)
    deleted(store, first, then)
    grant(store, valid_until=TODAY + days(5), today=TODAY)
    assert [row.gap for row in listed(store)] == [Gap(then + days(1), TODAY - days(1))]


def deleted(store: Store, standing: EnterpriseGrant, on: date) -> int:
    """Delete a grant under which nothing stands; returns the number of the entry."""
    enterprise_grants_of.delete(
        store,
        session(MANUFACTURER),
        standing.id,
        revision=standing.revision,
        operator_grants=0,
        today=on,
    )
    return ledger.last_number(store)


def delete_and_reinstate(store: Store, deleted_on: date, reinstated_on: date) -> None:
    """Delete the one grant there is, and take that back on another day."""
    (row,) = listed(store, within=200)
    number = deleted(store, row.grant, deleted_on)
    reinstatement.reinstate(store, session(MANUFACTURER), number, today=reinstated_on)


def test_a_grant_that_was_deleted_and_reinstated_was_interrupted(store: Store) -> None:
    grant(store, today=TODAY - days(50), valid_until=TODAY + days(5))
    delete_and_reinstate(store, TODAY - days(20), TODAY - days(16))
    assert [row.gap for row in listed(store)] == [Gap(TODAY - days(19), TODAY - days(17))]
    # On a day when it had not been deleted yet, it was not.
    then = history.on_day(store, TODAY - days(21), today=TODAY)
    assert [row.gap for row in rows(expiry.due(then.store, session(MANUFACTURER), within=60))] == [
        None
    ]


def test_one_that_was_reinstated_on_the_next_day_was_not(store: Store) -> None:
    grant(store, today=TODAY - days(50), valid_until=TODAY + days(5))
    delete_and_reinstate(store, TODAY - days(20), TODAY - days(19))
    assert [row.gap for row in listed(store)] == [None]


def test_what_was_no_interruption_does_not_hide_the_one_before_it(store: Store) -> None:
    first = grant(store, today=TODAY - days(90), valid_until=TODAY - days(60))
    renew(store, first, until=TODAY + days(5), today=TODAY - days(40))
    delete_and_reinstate(store, TODAY - days(20), TODAY - days(19))
    renew(store, listed(store)[0].grant, until=TODAY + days(9), today=TODAY - days(2))
    assert [row.gap for row in listed(store)] == [Gap(TODAY - days(59), TODAY - days(41))]


# -- renewing ------------------------------------------------------------------


def test_several_are_renewed_at_once_as_one_operation(store: Store) -> None:
    chosen = [
        grant(store, subsystem=subsystem, valid_until=TODAY + days(10))
        for subsystem in ("95", "B1")
    ]
    assert renew(store, *chosen, until="+1y") == RenewalPreview(date(2027, 3, 1), 2, 0, 0)
    for before in chosen:
        after = enterprise_grants.get(store, before.id)
        assert after is not None
        assert (after.valid_until, after.granted_on) == (date(2027, 3, 1), before.granted_on)
        assert after.revision == before.revision + 1
    last = operations(store)[-1]
    assert (last.kind, len(last.changes)) == (Kind.CHANGE, 2)
    assert listed(store) == []
    replay_all(store)


def test_one_that_has_run_out_begins_anew_with_its_operators(store: Store) -> None:
    over = grant(store, today=TODAY - days(9), valid_until=TODAY - days(1))
    hand_on(store, over, CARD, OTHER_CARD, today=TODAY - days(9))
    running = grant(store, subsystem="B1", valid_until=TODAY)
    hand_on(store, running, CARD)
    assert renew(store, over, running) == RenewalPreview(LATER, 2, 1, 2)
    after = enterprise_grants.get(store, over.id)
    assert after is not None
    assert (after.granted_on, after.valid_until) == (TODAY, LATER)
    assert operations(store)[-1].kind is Kind.RENEW
    replay_all(store)


def test_what_was_received_is_renewed_by_the_principal_alone(store: Store) -> None:
    made = grant(store, valid_until=TODAY)
    received = grant(store, TRADER, MANUFACTURER, valid_until=TODAY)
    before = tables_of(store)
    with pytest.raises(NotPermitted) as error:
        renew(store, made, received)
    assert str(error.value) == (
        "该授权是授予本企业的，本企业不能续期（请联系授权企业 3205460003 苏州丙贸易[bold]有限公司）"
    )
    assert tables_of(store) == before


def test_an_operator_s_card_looks_and_changes_nothing(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    operator = session(MANUFACTURER, Role.OPERATOR)
    assert len(rows(expiry.due(store, operator, within=30, today=TODAY))) == 1
    before = tables_of(store)
    preview = RenewalPreview(LATER, 1, 0, 0)
    for attempt in (
        lambda: expiry.renewal_preview(store, operator, [standing], "+1y", today=TODAY),
        lambda: expiry.renew(store, operator, [standing], preview, today=TODAY),
        lambda: expiry.let_lapse(store, operator, [standing], today=TODAY),
        lambda: expiry.keep(store, operator, [standing], today=TODAY),
    ):
        with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
            attempt()
    assert tables_of(store) == before


@pytest.mark.parametrize("stranger", [BROKER, TRADER])
def test_another_legal_person_s_card_renews_nothing(store: Store, stranger: Enterprise) -> None:
    standing = grant(store, valid_until=TODAY)
    preview = RenewalPreview(LATER, 1, 0, 0)
    with pytest.raises(NotPermitted, match="本企业不能续期"):
        expiry.renew(store, session(stranger), [standing], preview, today=TODAY)
    assert enterprise_grants.get(store, standing.id) == standing


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "请输入续期至"),
        ("2026-02-28", "续期至 2026-02-28 已过"),
        ("2026-02-30", "不存在"),
        ("soon", "格式"),
    ],
)
def test_a_date_that_is_none_is_told_at_its_field(store: Store, typed: str, told: str) -> None:
    standing = grant(store, valid_until=TODAY)
    with pytest.raises(InvalidInput, match=told) as error:
        renew(store, standing, until=typed)
    assert error.value.field == expiry.DATE_FIELD


def test_a_renewal_never_shortens_and_then_none_is_renewed(store: Store) -> None:
    shorter, longer = grant(store, valid_until=TODAY), grant(store, subsystem="B1")
    with pytest.raises(InvalidInput, match=f"有效期已至 {longer.valid_until}"):
        renew(store, shorter, longer, until=longer.valid_until)
    assert enterprise_grants.get(store, shorter.id) == shorter


def test_a_colleague_s_change_in_between_is_a_conflict_for_all(store: Store) -> None:
    chosen = [grant(store, subsystem=code, valid_until=TODAY) for code in ("95", "B1")]
    by = session(MANUFACTURER)
    preview = expiry.renewal_preview(store, by, chosen, "+1y", today=TODAY)
    renew(store, chosen[1], until=TODAY + days(5))
    with pytest.raises(Conflict, match="已被他人修改"):
        expiry.renew(store, by, chosen, preview, today=TODAY)
    assert enterprise_grants.get(store, chosen[0].id) == chosen[0]


def test_one_that_was_deleted_in_between_is_told(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    with pytest.raises(NotFound, match="已不存在"):
        renew(store, standing._replace(id=999))


def test_the_operators_that_come_back_are_as_many_as_was_agreed_to(store: Store) -> None:
    from eport_tui.services import operator_grants

    over = grant(store, today=TODAY - days(9), valid_until=TODAY - days(1))
    first, _ = hand_on(store, over, CARD, OTHER_CARD, today=TODAY - days(9))
    by = session(MANUFACTURER)
    preview = expiry.renewal_preview(store, by, [over], "+1y", today=TODAY)
    assert preview.revived == 2
    operator_grants.delete(store, session(BROKER), first.id, today=TODAY)
    with pytest.raises(Conflict, match="由 2 条变为 1 条"):
        expiry.renew(store, by, [over], preview, today=TODAY)
    assert enterprise_grants.get(store, over.id) == over


def test_a_renewal_that_was_confirmed_for_yesterday_alone_is_told_so(store: Store) -> None:
    over = grant(store, today=TODAY - days(9), valid_until=TODAY - days(1))
    by = session(MANUFACTURER)
    preview = expiry.renewal_preview(store, by, [over], "+0", today=TODAY)
    with pytest.raises(InvalidInput, match=f"续期至 {TODAY} 已过") as error:
        expiry.renew(store, by, [over], preview, today=TODAY + days(1))
    assert error.value.field == expiry.DATE_FIELD
    assert enterprise_grants.get(store, over.id) == over


def test_one_that_ran_out_after_the_question_is_told_as_that(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    by = session(MANUFACTURER)
    preview = expiry.renewal_preview(store, by, [standing], "+1y", today=TODAY)
    with pytest.raises(Conflict, match="已过期的由 0 条变为 1 条，没有续期"):
        expiry.renew(store, by, [standing], preview, today=TODAY + days(1))
    assert enterprise_grants.get(store, standing.id) == standing


def test_a_number_is_not_taken_for_another_grant_than_was_shown(store: Store) -> None:
    standing, other = grant(store, subsystem="B1"), grant(store)
    shown, by = other._replace(id=standing.id), session(MANUFACTURER)
    before = tables_of(store)
    preview = RenewalPreview(LATER, 1, 0, 0)
    for attempt in (
        lambda: expiry.renewal_preview(store, by, [shown], "+1y", today=TODAY),
        lambda: expiry.renew(store, by, [shown], preview, today=TODAY),
        lambda: expiry.let_lapse(store, by, [shown], today=TODAY),
        lambda: expiry.keep(store, by, [shown], today=TODAY),
    ):
        with pytest.raises(NotFound, match="不是同一条授权，没有改动"):
            attempt()
    assert tables_of(store) == before


# -- meant to lapse ------------------------------------------------------------


def test_what_is_meant_to_lapse_is_not_listed_until_that_is_taken_back(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    other = grant(store, subsystem="B1", valid_until=TODAY)
    by = session(MANUFACTURER)
    assert expiry.let_lapse(store, by, [standing], today=TODAY) == 1
    assert [row.grant for row in listed(store)] == [other]
    shown = listed(store, lapsing_too=True)
    assert [(row.grant, row.lapsing) for row in shown] == [(standing, True), (other, False)]
    assert expiry.let_lapse(store, by, [standing, other], today=TODAY) == 1
    assert listed(store) == []
    assert expiry.keep(store, by, [standing], today=TODAY) == 1
    assert [row.grant for row in listed(store)] == [standing]
    assert expiry.keep(store, by, [standing], today=TODAY) == 0
    assert [each.kind for each in operations(store)][-3:] == [Kind.LAPSE, Kind.LAPSE, Kind.KEEP]
    replay_all(store)


def test_each_end_decides_for_its_own_list(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    expiry.let_lapse(store, session(BROKER), [standing], today=TODAY)
    assert listed(store, BROKER) == []
    assert [row.grant for row in listed(store, MANUFACTURER)] == [standing]


def test_a_renewal_lists_it_again_and_it_can_be_marked_again(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    for by in (session(MANUFACTURER), session(BROKER)):
        expiry.let_lapse(store, by, [standing], today=TODAY)
    renew(store, standing, until=TODAY + days(20))
    for who in (MANUFACTURER, BROKER):
        (row,) = listed(store, who)
        assert not row.lapsing
        before = len(operations(store))
        assert expiry.let_lapse(store, session(who), [row.grant], today=TODAY) == 1
        assert [each.kind for each in operations(store)[before:]] == [Kind.LAPSE]
        assert listed(store, who) == []
    replay_all(store)


def test_marks_about_an_earlier_end_and_new_ones_are_put_together(store: Store) -> None:
    chosen = [grant(store, subsystem=code, valid_until=TODAY) for code in ("95", "B1", "B3", "Z8")]
    by = session(MANUFACTURER)
    expiry.let_lapse(store, by, [chosen[0], chosen[2]], today=TODAY)
    renew(store, chosen[0], chosen[2], until=TODAY + days(20))
    current = [row.grant for row in listed(store)]
    before = len(operations(store))
    assert expiry.let_lapse(store, by, current, today=TODAY) == 4
    assert len(operations(store)) == before + 1
    assert listed(store) == []
    assert expiry.let_lapse(store, by, current, today=TODAY) == 0
    assert expiry.keep(store, by, current, today=TODAY) == 4
    replay_all(store)


def test_a_mark_is_not_about_a_grant_that_was_made_after_a_deletion(store: Store) -> None:
    until = TODAY + days(9)
    standing = grant(store, valid_until=until)
    for who in (MANUFACTURER, BROKER):
        expiry.let_lapse(store, session(who), [standing], today=TODAY)
    deleted(store, standing, TODAY)
    again = grant(store, valid_until=until)
    for who in (MANUFACTURER, BROKER):
        assert [(row.grant, row.lapsing) for row in listed(store, who)] == [(again, False)]
        assert expiry.keep(store, session(who), [again], today=TODAY) == 0
        assert expiry.let_lapse(store, session(who), [again], today=TODAY) == 1
        assert listed(store, who) == []
        assert expiry.let_lapse(store, session(who), [again], today=TODAY) == 0
    assert expiry.keep(store, session(BROKER), [again], today=TODAY) == 1
    assert [row.grant for row in listed(store, BROKER)] == [again]
    replay_all(store)


def test_a_mark_is_not_about_a_later_grant_where_the_clock_was_set_back_between(
    store: Store,
) -> None:
    until, yesterday = TODAY + days(9), TODAY - days(1)
    standing = grant(store, valid_until=until, today=yesterday)
    by = session(MANUFACTURER)
    expiry.let_lapse(store, by, [standing], today=TODAY)
    with store.transaction():
        ledger.note_clock_reset(store, by.holder.valid_from)
    deleted(store, standing, yesterday)
    again = grant(store, valid_until=until, today=yesterday)
    assert [(row.grant, row.lapsing) for row in listed(store)] == [(again, False)]


def test_a_mark_is_not_about_a_grant_that_was_made_after_one_of_another_program(
    store: Store,
) -> None:
    until = TODAY + days(9)
    key = GrantKey(MANUFACTURER.customs_code, BROKER.customs_code, "95", "X1")
    with store.transaction():
        number = insert_grant(store, key, TODAY, until)
    standing = enterprise_grants.get(store, number)
    assert standing is not None
    expiry.let_lapse(store, session(BROKER), [standing], today=TODAY)
    assert listed(store, BROKER) == []
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant")
    again = grant(store, valid_until=until)
    assert [(row.grant, row.lapsing) for row in listed(store, BROKER)] == [(again, False)]


@pytest.mark.parametrize("clock_set_back", [False, True])
def test_the_operations_are_not_read_for_what_was_granted_and_marked_once(
    sqlite_store: Store, clock_set_back: bool
) -> None:
    store = sqlite_store
    register(store)
    by, granted_on = session(MANUFACTURER), TODAY - days(clock_set_back)
    chosen = [
        grant(store, subsystem=subsystem, valid_until=TODAY + days(9), today=granted_on)
        for subsystem in ("95", "B1")
    ]
    expiry.let_lapse(store, by, chosen[:1], today=TODAY)
    with store.transaction():
        if clock_set_back:
            ledger.note_clock_reset(store, by.holder.valid_from)
        # Whoever reads it now is told that it is not JSON.
        store.rows("DROP TRIGGER ledger_entry_no_update")
        store.rows("UPDATE ledger_entry SET payload = 'not read'")
    assert [row.grant.key.subsystem for row in listed(store)] == ["B1"]


def test_a_deletion_that_is_taken_back_leaves_the_mark_as_it_was(store: Store) -> None:
    expiry.let_lapse(
        store, session(MANUFACTURER), [grant(store, valid_until=TODAY + days(9))], today=TODAY
    )
    (row,) = listed(store, lapsing_too=True)
    number = deleted(store, row.grant, TODAY)
    reinstatement.reinstate(store, session(MANUFACTURER), number, today=TODAY)
    assert listed(store) == []


def test_a_stranger_marks_nothing(store: Store) -> None:
    standing = grant(store, valid_until=TODAY)
    with pytest.raises(NotPermitted, match="与本企业无关"):
        expiry.let_lapse(store, session(TRADER), [standing], today=TODAY)
    assert store.rows("SELECT * FROM lapse_mark") == []


def test_one_that_was_renewed_meanwhile_is_not_marked(store: Store) -> None:
    standing, other = grant(store, valid_until=TODAY), grant(store, subsystem="B1")
    renew(store, standing)
    with pytest.raises(Conflict):
        expiry.let_lapse(store, session(MANUFACTURER), [other, standing], today=TODAY)
    assert store.rows("SELECT * FROM lapse_mark") == []


# -- how many are due ----------------------------------------------------------


def test_what_is_due_is_counted_for_each_direction(store: Store) -> None:
    grant(store, subsystem="B3", today=TODAY - days(9), valid_until=TODAY - days(1))
    grant(store, valid_until=TODAY + days(30))
    lapsing = grant(store, subsystem="B1", valid_until=TODAY)
    grant(store, subsystem="Z8", valid_until=TODAY + days(31))
    grant(store, TRADER, MANUFACTURER, valid_until=TODAY)
    expiry.let_lapse(store, session(MANUFACTURER), [lapsing], today=TODAY)
    counts = expiry.due_soon(store, session(MANUFACTURER, Role.OPERATOR), today=TODAY)
    assert counts == expiry.DueCounts(made=Count(1), received=Count(1))
    counts = expiry.due_soon(store, session(OTHER_BROKER), today=TODAY)
    assert counts == expiry.DueCounts(made=Count(0), received=Count(0))


def test_the_administrator_sees_all_but_what_the_principal_lets_lapse(store: Store) -> None:
    grant(store, subsystem="B3", today=TODAY - days(9), valid_until=TODAY - days(1))
    first = grant(store, valid_until=TODAY)
    second = grant(store, TRADER, BROKER, valid_until=TODAY + days(5))
    expiry.let_lapse(store, session(BROKER), [first, second], today=TODAY)
    source = expiry.of_database(store, within=30, today=TODAY)
    assert [row.grant for row in rows(source)] == [first, second]
    assert rows(expiry.of_database(store, within=30, enterprise="3101980002", today=TODAY)) == []
    expiry.let_lapse(store, session(MANUFACTURER), [first], today=TODAY)
    assert [row.grant for row in rows(source)] == [second]


def test_rows_that_another_program_put_there_are_taken_over_by_a_renewal(store: Store) -> None:
    key = grant(store, agent=OTHER_BROKER).key
    with store.transaction():
        number = insert_grant(
            store, key._replace(agent=BROKER.customs_code), TODAY - days(9), TODAY
        )
    found = enterprise_grants.get(store, number)
    assert found is not None
    renew(store, found)
    replay_all(store)


def test_an_error_in_the_store_leaves_all_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [grant(store, subsystem=code, valid_until=TODAY) for code in ("95", "B1")]
    before = tables_of(store)

    def broken(*_: object) -> None:
        raise EportError("中断")

    monkeypatch.setattr(ledger, "_change_versions", broken)
    with pytest.raises(EportError, match="中断"):
        renew(store, *chosen)
    assert tables_of(store) == before
