"""企业内授权: what an operator of the agent's legal-person card meets."""

from __future__ import annotations

import sys
from datetime import date, timedelta

import pytest

from eport_tui.domain.grants import GrantState
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import enterprise_grants
from eport_tui.services.enterprise_grants import Conflict, row_of_operator_grant
from eport_tui.services.history import on_day
from eport_tui.services.operator_grants import (
    CheckedEntry,
    NewOperatorGrant,
    check_entry,
    delete,
    deletion_preview,
    find_next,
    granted,
    received,
    save,
)
from eport_tui.store import enterprise_grants as grant_rows
from eport_tui.store import enterprises
from eport_tui.store.database import Store
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
    position,
    register,
    rows,
    session,
    tables_of,
)

OURS = session(BROKER)
ALL = NewOperatorGrant(to_all=True)


def single(card: str) -> NewOperatorGrant:
    return NewOperatorGrant(to_all=False, card_number=card)


# -- the upper list ------------------------------------------------------------------


def test_the_upper_list_shows_what_was_received_by_principal(store: Store) -> None:
    grants = [
        grant(store, TRADER),
        grant(store, MANUFACTURER, subsystem="B1", valid_until=TODAY),
        grant(store, MANUFACTURER, subsystem="95"),
    ]
    grant(store, BROKER, OTHER_BROKER)
    hand_on(store, grants[0], CARD, OTHER_CARD)
    source = received(store, OURS, today=TODAY + timedelta(days=1))
    assert [
        (row.grant, row.principal, row.state, row.operator_grants.number) for row in rows(source)
    ] == [
        (grants[2], MANUFACTURER, GrantState.ACTIVE, 0),
        (grants[1], MANUFACTURER, GrantState.EXPIRED, 0),
        (grants[0], TRADER, GrantState.ACTIVE, 2),
    ]
    assert [position(source, each.id) for each in grants] == [2, 1, 0]


@pytest.mark.parametrize("day", [TODAY, TODAY - timedelta(days=1)])
def test_the_upper_list_tells_all_operators_from_one_card(store: Store, day: date) -> None:
    before = TODAY - timedelta(days=1)
    for subsystem, cards in (("95", ()), ("B1", (CARD,)), ("B3", (CARD, OTHER_CARD))):
        hand_on(store, grant(store, subsystem=subsystem, today=before), *cards, today=before)
    view = on_day(store, day, today=TODAY).store
    assert [(row.to_all, row.operator_grants.number) for row in rows(received(view, OURS))] == [
        (True, 1),
        (False, 1),
        (False, 2),
    ]


def test_the_quick_query_goes_on_to_the_next_match_and_begins_again_at_the_end(
    store: Store,
) -> None:
    first, second = grant(store, subsystem="95"), grant(store, subsystem="B1")
    grant(store, TRADER)
    found = [find_next(store, OURS, customs_code="3101")]
    for _ in range(2):
        found.append(find_next(store, OURS, customs_code="3101", after=found[-1].grant_id))
    assert [(row.grant_id, row.wrapped) for row in found] == [
        (first.id, False),
        (second.id, False),
        (first.id, True),
    ]


@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("asked", [{"customs_code": "3101"}, {"uscc": MANUFACTURER.uscc}])
def test_the_quick_query_goes_along_the_order_that_is_shown(
    store: Store, asked: dict[str, str], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grant_rows, "FEW", few)
    late = grant(store, subsystem="95", valid_until=date(2028, 1, 1))
    grant(store, TRADER, valid_until=date(2027, 6, 1))
    early = grant(store, subsystem="B1", valid_until=date(2027, 1, 1))
    by_day = received(store, OURS, today=TODAY).orders[1]

    def find(after: int | None, filter: str = "") -> tuple[int, bool, bool]:
        found = find_next(store, OURS, **asked, after=after, order=by_day, filter=filter)
        return found.grant_id, found.wrapped, found.alone

    assert find(None) == (early.id, False, False)
    assert find(early.id) == (late.id, False, False)
    assert find(late.id) == (early.id, True, False)
    assert find(None, "2028") == (late.id, False, True)
    # None of the list as it is narrowed matches.
    assert find(None, "202706") == (early.id, False, False)


def test_the_only_match_is_found_again(store: Store) -> None:
    only = grant(store, TRADER)
    again = find_next(store, OURS, customs_code="3205", after=only.id)
    assert (again.grant_id, again.wrapped) == (only.id, True)


def test_the_quick_query_tells_whether_another_one_matches(store: Store) -> None:
    first, second = grant(store, subsystem="95"), grant(store, subsystem="B1")
    only = grant(store, TRADER)

    def is_alone(code: str, after: int | None = None) -> bool:
        return find_next(store, OURS, customs_code=code, after=after).alone

    assert [is_alone("3101", after) for after in (None, first.id, second.id)] == [False] * 3
    assert [is_alone("3205", after) for after in (None, first.id, only.id)] == [True] * 3


def test_the_quick_query_goes_on_from_a_row_that_is_no_match(store: Store) -> None:
    before, wanted = grant(store), grant(store, TRADER)
    for parts in ({"customs_code": "3205"}, {"uscc": TRADER.uscc}):
        found = find_next(store, OURS, **parts, after=before.id)
        assert (found.grant_id, found.wrapped) == (wanted.id, False)
    found = find_next(store, OURS, customs_code="3101", after=wanted.id)
    assert (found.grant_id, found.wrapped) == (before.id, True)


@pytest.mark.parametrize(
    ("customs_code", "uscc"),
    [
        ("3205460003", ""),
        ("３２０５", ""),
        ("", "91310000PDY000036B"),
        ("", "91310000pdy00003"),
        ("3205", "91310000PDY00003"),
    ],
)
def test_the_quick_query_by_either_code_or_its_beginning(
    store: Store, customs_code: str, uscc: str
) -> None:
    grant(store)
    theirs = grant(store, TRADER)
    found = find_next(store, OURS, customs_code=customs_code, uscc=uscc)
    assert found.grant_id == theirs.id


@pytest.mark.parametrize(
    ("customs_code", "uscc"),
    [
        ("3205980004", ""),
        ("205460003", ""),
        ("3101", "91310000PDY000036B"),
        ("3101980002", ""),
        ("~", ""),
        ("%", ""),
    ],
    ids=["another agent's", "not the beginning", "only one fits", "oneself", "tilde", "percent"],
)
def test_the_quick_query_says_when_there_is_none(
    store: Store, customs_code: str, uscc: str
) -> None:
    grant(store)
    grant(store, TRADER)
    grant(store, MANUFACTURER, OTHER_BROKER)
    with pytest.raises(NotFound, match="未查询到相应记录"):
        find_next(store, OURS, customs_code=customs_code, uscc=uscc)


def test_the_quick_query_needs_something_to_look_for(store: Store) -> None:
    with pytest.raises(InvalidInput, match="请输入授权企业编号或授权企业社会信用代码"):
        find_next(store, OURS, customs_code=" ", uscc="")


# -- adding --------------------------------------------------------------------------


def test_an_entry_is_checked_and_made_canonical(store: Store) -> None:
    received_grant = grant(store)
    entry = check_entry(
        store, OURS, received_grant.id, single("03-８９０００００００００５１"), [], today=TODAY
    )
    assert entry == CheckedEntry(single(CARD), 0)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("", "请输入操作员IC卡号"),
        ("890000000005", "操作员IC卡号应为13位，现为12位"),
        ("89000000000a1", "操作员IC卡号中的字母须为大写"),
        ("89000000000-1", "操作员IC卡号只能由数字和大写字母组成"),
        (OURS.holder.card_number, "法人卡不是操作员卡，不能授予"),
    ],
)
def test_a_card_number_that_cannot_be_granted(store: Store, card: str, message: str) -> None:
    received_grant = grant(store)
    with pytest.raises(InvalidInput) as caught:
        check_entry(store, OURS, received_grant.id, single(card), [], today=TODAY)
    assert (caught.value.field, caught.value.message) == ("card_number", message)


def test_a_card_that_is_listed_as_some_legal_persons_is_no_operators(store: Store) -> None:
    with store.transaction():
        enterprises.put_legal_person_cards(store, [enterprises.Entry(MANUFACTURER, (CARD,))])
    with pytest.raises(InvalidInput, match="法人卡不是操作员卡") as caught:
        check_entry(store, OURS, grant(store).id, single(CARD), [], today=TODAY)
    assert caught.value.field == "card_number"


@pytest.mark.parametrize("where", ["stored", "pending"])
def test_a_card_that_is_already_there_is_refused(store: Store, where: str) -> None:
    received_grant = grant(store)
    pending = []
    if where == "stored":
        hand_on(store, received_grant, CARD)
    else:
        pending = [single(CARD)]
    with pytest.raises(InvalidInput, match=f"操作员 {CARD} 已在列表中"):
        check_entry(store, OURS, received_grant.id, single(CARD), pending, today=TODAY)
    check_entry(store, OURS, received_grant.id, single(OTHER_CARD), pending, today=TODAY)


@pytest.mark.parametrize("where", ["stored", "pending"])
def test_while_all_operators_stand_single_cards_and_all_are_refused(
    store: Store, where: str
) -> None:
    received_grant = grant(store)
    pending = []
    if where == "stored":
        hand_on(store, received_grant)
    else:
        pending = [ALL]
    with pytest.raises(InvalidInput, match="不能再授予单个操作员"):
        check_entry(store, OURS, received_grant.id, single(CARD), pending, today=TODAY)
    with pytest.raises(InvalidInput, match="已授予全部操作员"):
        check_entry(store, OURS, received_grant.id, ALL, pending, today=TODAY)


def test_all_operators_say_how_many_single_cards_they_replace(store: Store) -> None:
    received_grant = grant(store)
    hand_on(store, received_grant, CARD, OTHER_CARD)
    pending = [single("8900000000073")]
    assert check_entry(store, OURS, received_grant.id, ALL, pending, today=TODAY).replaces == 3


def test_nothing_can_be_handed_on_from_an_expired_grant(store: Store) -> None:
    expired = grant(store, valid_until=TODAY)
    after = TODAY + timedelta(days=1)
    check_entry(store, OURS, expired.id, single(CARD), [], today=TODAY)
    for attempt in (
        lambda: check_entry(store, OURS, expired.id, single(CARD), [], today=after),
        lambda: save(store, OURS, expired.id, [single(CARD)], today=after),
    ):
        with pytest.raises(InvalidInput, match="该企业间授权已于 2026-03-01 到期"):
            attempt()


# -- saving --------------------------------------------------------------------------


def test_saving_stores_every_entry_with_the_day_and_the_card(store: Store) -> None:
    received_grant = grant(store)
    saved = save(store, OURS, received_grant.id, [single(OTHER_CARD), single(CARD)], today=TODAY)
    assert [each.card_number for each in saved] == [OTHER_CARD, CARD]
    assert {(each.granted_on, each.changed_by) for each in saved} == {
        (TODAY, OURS.holder.card_number)
    }
    lower = granted(store, OURS, received_grant.id)
    assert rows(lower) == [saved[1], saved[0]]
    assert [position(lower, each.id) for each in saved] == [1, 0]
    assert position(lower, 999) is None


def test_handing_to_twice_as_many_cards_takes_twice_as_much(sqlite_store: Store) -> None:
    register(sqlite_store)
    calls = [0]

    def count(*_: object) -> None:
        calls[-1] += 1

    for many, subsystem in ((100, "95"), (200, "B1")):
        received_grant = grant(sqlite_store, subsystem=subsystem)
        entries = [single(f"{8900000001000 + at}") for at in range(many)]
        calls.append(0)
        sys.setprofile(count)
        try:
            save(sqlite_store, OURS, received_grant.id, entries, today=TODAY)
        finally:
            sys.setprofile(None)
    assert calls[2] < 2.2 * calls[1]


def test_all_operators_replace_as_many_single_cards_as_was_agreed(store: Store) -> None:
    received_grant = grant(store)
    hand_on(store, received_grant, CARD, OTHER_CARD)
    (saved,) = save(store, OURS, received_grant.id, [ALL], replacing=2, today=TODAY)
    assert saved.to_all
    assert rows(granted(store, OURS, received_grant.id)) == [saved]


@pytest.mark.parametrize("replacing", [0, 1, 3])
def test_all_operators_replace_no_other_number(store: Store, replacing: int) -> None:
    received_grant = grant(store)
    hand_on(store, received_grant, CARD, OTHER_CARD)
    before = tables_of(store)
    with pytest.raises(Conflict, match=f"由 {replacing} 条变为 2 条，没有保存") as caught:
        save(store, OURS, received_grant.id, [ALL], replacing=replacing, today=TODAY)
    assert caught.value.current == received_grant
    assert tables_of(store) == before


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [single(CARD), single(CARD)],
        [single(CARD), ALL],
        [ALL, single(CARD)],
        [ALL, ALL],
        [single(CARD), single("x")],
    ],
    ids=["none", "twice", "all after card", "card after all", "all twice", "malformed"],
)
def test_entries_that_do_not_go_together_are_stored_not_even_in_part(
    store: Store, entries: list[NewOperatorGrant]
) -> None:
    received_grant = grant(store)
    before = tables_of(store)
    with pytest.raises(InvalidInput):
        save(store, OURS, received_grant.id, entries, today=TODAY)
    assert tables_of(store) == before


def test_a_card_that_a_colleague_has_added_meanwhile_is_told(store: Store) -> None:
    received_grant = grant(store)
    entries = [single(OTHER_CARD), single(CARD)]
    hand_on(store, received_grant, CARD)
    before = tables_of(store)
    with pytest.raises(InvalidInput, match=f"操作员 {CARD} 已在列表中"):
        save(store, OURS, received_grant.id, entries, today=TODAY)
    assert tables_of(store) == before


def test_a_grant_that_its_principal_has_deleted_meanwhile(store: Store) -> None:
    gone = grant(store)
    enterprise_grants.delete(store, session(MANUFACTURER), gone.id, revision=1, operator_grants=0)
    for attempt in (
        lambda: granted(store, OURS, gone.id),
        lambda: check_entry(store, OURS, gone.id, ALL, [], today=TODAY),
        lambda: save(store, OURS, gone.id, [ALL], today=TODAY),
    ):
        with pytest.raises(NotFound, match="该企业间授权已不存在"):
            attempt()


def test_what_another_agent_received_is_out_of_reach(store: Store) -> None:
    theirs = grant(store, MANUFACTURER, OTHER_BROKER)
    (standing,) = hand_on(store, theirs)
    before = tables_of(store)
    for attempt in (
        lambda: granted(store, OURS, theirs.id),
        lambda: check_entry(store, OURS, theirs.id, single(CARD), [], today=TODAY),
        lambda: save(store, OURS, theirs.id, [single(CARD)], today=TODAY),
        lambda: delete(store, OURS, standing.id),
    ):
        with pytest.raises(NotPermitted, match="该授权不是授予本企业的"):
            attempt()
    assert tables_of(store) == before


# -- deleting ------------------------------------------------------------------------


def test_deleting_takes_one_card_and_leaves_the_others(store: Store) -> None:
    received_grant = grant(store)
    first, second = hand_on(store, received_grant, CARD, OTHER_CARD)
    delete(store, OURS, first.id)
    assert rows(granted(store, OURS, received_grant.id)) == [second]
    with pytest.raises(NotFound, match="该操作员授权已不存在"):
        delete(store, OURS, first.id)


def test_a_number_is_not_taken_for_another_grant_than_was_shown(store: Store) -> None:
    # On a past day the grants of a list have the numbers of their versions.
    standing, other = grant(store, subsystem="B1"), grant(store)
    one, another = hand_on(store, standing, CARD, OTHER_CARD)
    before = tables_of(store)
    for shown in (
        row_of_operator_grant(standing.key, another),
        row_of_operator_grant(other.key, one),
    ):
        for attempt in (
            lambda shown=shown: deletion_preview(store, TABLES, OURS, one.id, shown=shown),
            lambda shown=shown: delete(store, OURS, one.id, shown=shown),
        ):
            with pytest.raises(NotFound, match="不是同一条授权，没有改动"):
                attempt()
    with pytest.raises(NotFound, match="不是同一条授权，没有改动"):
        check_entry(store, OURS, standing.id, ALL, [], key=other.key, today=TODAY)
    assert tables_of(store) == before


def test_after_all_operators_are_deleted_single_cards_can_be_granted(store: Store) -> None:
    received_grant = grant(store)
    (to_all,) = hand_on(store, received_grant)
    delete(store, OURS, to_all.id, today=TODAY)
    hand_on(store, received_grant, CARD)


def test_a_right_can_be_taken_away_after_the_grant_has_expired(store: Store) -> None:
    expired = grant(store, valid_until=TODAY)
    (standing,) = hand_on(store, expired, CARD)
    delete(store, OURS, standing.id)
    assert granted(store, OURS, expired.id).count().number == 0


def test_every_refusal_is_told_in_words(store: Store) -> None:
    with pytest.raises(EportError) as caught:
        save(store, OURS, 1, [ALL])
    assert str(caught.value) == "该企业间授权已不存在（可能已被授权企业删除，请刷新列表）"
