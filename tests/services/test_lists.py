"""Lists of any length: each page comes along an index, and shows what is there, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eport_tui.domain.grants import ALL_OPERATORS, GrantKey
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.lists import BOUND, BOUND_OF_JOINED, Count, Order, PageSource
from eport_tui.errors import InvalidInput, NotFound
from eport_tui.services import (
    enterprise_grants,
    expiry,
    history,
    operator_grants,
    permissions,
)
from eport_tui.services.permissions import Direction
from eport_tui.store import enterprise_grants as grant_rows
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.rows import insert_grant, insert_operator_grant
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    TABLES,
    TODAY,
    grant,
    hand_on,
    position,
    register,
    rows,
    session,
)

OURS = session(BROKER)
OWN = BROKER.customs_code

Make = Callable[[Store], PageSource[Any]]

LISTS: dict[str, Make] = {
    "made": lambda store: enterprise_grants.made(
        store, OURS, today=TODAY, subsystems=TABLES.subsystems
    ),
    "received": lambda store: operator_grants.received(
        store, OURS, today=TODAY, subsystems=TABLES.subsystems
    ),
    "under a grant": lambda store: operator_grants.granted(store, OURS, _first_received(store)),
    "permissions": lambda store: permissions.query(store, OURS, subsystem=None, today=TODAY),
    "in a subsystem": lambda store: permissions.query(store, OURS, subsystem="95", today=TODAY),
    "who can": lambda store: permissions.who_can(store, OURS, subsystem=None, today=TODAY),
    "what can": lambda store: permissions.what_can(store, OURS, CARD, subsystem=None, today=TODAY),
    "due": lambda store: expiry.due(store, OURS, within=60, today=TODAY),
    "due, lapsing too": lambda store: expiry.due(
        store, OURS, within=60, lapsing_too=True, today=TODAY
    ),
    "due of all": lambda store: expiry.of_database(store, within=60, today=TODAY),
    "due of one": lambda store: expiry.of_database(store, within=60, enterprise=OWN, today=TODAY),
    "history": lambda store: history.of_enterprise(store, OURS),
}


def _first_received(store: Store) -> int:
    return operator_grants.received(store, OURS).after(None, 1)[0].grant.id


def shown_in(make: Make, store: Store) -> Iterator[PageSource[Any]]:
    """A list in each of its orders, whole and narrowed."""
    source = make(store)
    for order in source.orders:
        for text in ("", "3", "2026", "9", "89", "加", "JGMY", CARD, "全部"):
            yield source.ordered(order).filtered(text)


# -- along indexes -----------------------------------------------------------------


class Explained:
    """Notes how each query of a store is worked out."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, list[str]] = {}
        read = store.rows

        def rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            plan = read(f"EXPLAIN QUERY PLAN {sql}", parameters)
            self.plans[sql] = [step for *_, step in plan]
            return read(sql, parameters)

        monkeypatch.setattr(store, "rows", rows)

    def steps(self, *patterns: str) -> list[tuple[str, str]]:
        """The steps that begin so, with their statements."""
        return [
            (step, sql)
            for sql, steps in self.plans.items()
            for step in steps
            if any(re.match(pattern, step) for pattern in patterns)
        ]


# Of what a query has made itself, `c` and `u`, there is no more than it was to count.
SCANS = r"SCAN (?!c\b|u\b|CONSTANT ROW)"
SORTS = "USE TEMP B-TREE"


@pytest.mark.parametrize("name", LISTS)
def test_no_list_is_read_or_sorted_as_a_whole(
    sqlite_store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(sqlite_store)
    hand_on(sqlite_store, grant(sqlite_store), CARD)
    hand_on(sqlite_store, grant(sqlite_store, BROKER, MANUFACTURER), CARD)
    explained = Explained(sqlite_store, monkeypatch)
    for source in shown_in(LISTS[name], sqlite_store):
        source.count()
        source.at(1)
        source.seek("3")
        for row in source.after(None, 1) + source.before(None, 1):
            source.after(row, 1)
            source.before(row, 1)
            source.rank(row)
    assert explained.steps(SCANS) == []
    sorted_ones = explained.steps(SORTS)
    if name == "what can":
        # By their last day those of one card are sorted; in the usual order they are not.
        by_day = ("FROM card_right r", "ORDER BY g.valid_until")
        sorted_ones = [
            each
            for each in sorted_ones
            if not all(part in " ".join(each[1].split()) for part in by_day)
        ]
    # The rows of a grant's history are put together from two indexes, of one page each.
    assert sorted_ones == []


@pytest.mark.parametrize("uscc", ["", "9", "91310000PDY00001XG"])
@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_quick_query_reads_no_whole_table(
    sqlite_store: Store, uscc: str, few: int, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grant_rows, "FEW", few)
    register(sqlite_store)
    first = grant(sqlite_store)
    explained = Explained(sqlite_store, monkeypatch)
    code = "" if uscc else "31"
    for after in (None, first.id):
        operator_grants.find_next(
            sqlite_store,
            OURS,
            customs_code=code,
            uscc=uscc,
            after=after,
            order=operator_grants.received(sqlite_store, OURS).orders[order],
        )
    # Those of the few enterprises that were found are sorted, and the few grants.
    few_ones = ("FROM enterprise e", "LIMIT ?) g")
    assert [plan for plan in explained.steps(SCANS) if few_ones[1] not in plan[1]] == []
    assert [
        sql for _, sql in explained.steps(SORTS) if not any(each in sql for each in few_ones)
    ] == []


def test_the_counts_of_the_main_menu_read_no_whole_table(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained = Explained(sqlite_store, monkeypatch)
    expiry.due_soon(sqlite_store, OURS, today=TODAY)
    assert explained.steps(SCANS, SORTS) == []
    assert len(explained.plans) == 2


def test_a_scan_and_a_sort_would_be_noticed(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained = Explained(sqlite_store, monkeypatch)
    sqlite_store.rows("SELECT * FROM enterprise_grant ORDER BY changed_by")
    assert len(explained.steps(SCANS)) == len(explained.steps(SORTS)) == 1


# -- whatever one does, one sees the list --------------------------------------------

CODES = [f"{area}98{number:04}" for area in (3101, 3205) for number in (1, 3, 12)]
SUBSYSTEMS, TYPES = ("95", "B1", "B3"), ("X1", "X2")
CARDS = ("8900000000051", "8900000000062", "8912345678901")


@dataclass(frozen=True, slots=True)
class Standing:
    """A grant with the operators under it; to all where there are none and `to_all`."""

    other: str
    made: bool
    subsystem: str
    grant_type: str
    days: int
    cards: frozenset[str]

    @property
    def key(self) -> GrantKey:
        ends = (OWN, self.other) if self.made else (self.other, OWN)
        return GrantKey(*ends, self.subsystem, self.grant_type)

    @property
    def valid_until(self) -> date:
        return TODAY + timedelta(days=self.days)


STANDING = st.builds(
    Standing,
    other=st.sampled_from(CODES),
    made=st.booleans(),
    subsystem=st.sampled_from(SUBSYSTEMS),
    grant_type=st.sampled_from(TYPES),
    days=st.sampled_from([-40, -1, 0, 1, 31, 61]),
    cards=st.one_of(
        st.just(frozenset({""})), st.frozensets(st.sampled_from(CARDS), max_size=len(CARDS))
    ),
)
WORLDS = st.lists(STANDING, max_size=14, unique_by=lambda each: each.key)


def put(store: Store, world: list[Standing]) -> None:
    """Have exactly these grants in the database."""
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant")
        for each in world:
            number = insert_grant(store, each.key, TODAY - timedelta(days=50), each.valid_until)
            for card in sorted(each.cards):
                insert_operator_grant(store, number, card, TODAY)


def sorting(name: str, order: Order) -> Callable[[Any], tuple[Any, ...]]:
    """The place of a row as one would tell it from the screen."""

    def of_grant(row: Any) -> tuple[Any, ...]:
        key = row.grant.key
        other = key.agent if key.principal == OWN else key.principal
        what = (other, key.subsystem, key.grant_type)
        if order.column == "valid_until":
            return (row.grant.valid_until, getattr(row, "direction", ""), *what)
        return (key.subsystem, other, key.grant_type) if order.column == "subsystem" else what

    def of_permission(row: Any) -> tuple[Any, ...]:
        ours = row.direction is Direction.OURS
        other = (row.principal if ours else row.agent).customs_code
        what = (other, row.subsystem, row.grant_type)
        if order.column == "card_number":
            return (row.direction, row.card_number, *what)
        day = (row.valid_until,) if order.column == "valid_until" else ()
        return (row.direction, *day, *what, row.card_number)

    return of_permission if name in RIGHTS else of_grant


RIGHTS = ("permissions", "what can")


def lead(name: str, order: Order, row: Any) -> str:
    """The text of the column that is typed to."""
    place = sorting(name, order)(row)
    return str(place[1] if name in RIGHTS else place[0])


def naive(name: str, world: list[Standing], whole: Sequence[Any]) -> None:
    """See that a list has what the world has, and no more."""
    wanted = {
        "made": [each.key for each in world if each.made],
        "received": [each.key for each in world if not each.made],
        "due": [each.key for each in world if each.days <= 60],
    }
    if name in wanted:
        assert sorted(map(repr, wanted[name])) == sorted(repr(row.grant.key) for row in whole)
        return
    rights = sorted(
        repr((each.key, card))
        for each in world
        for card in each.cards
        if each.days >= 0
        and (name == "permissions" or (not each.made and card in (CARD, ALL_OPERATORS)))
    )
    assert rights == sorted(
        repr(
            (
                GrantKey(
                    row.principal.customs_code,
                    row.agent.customs_code,
                    row.subsystem,
                    row.grant_type,
                ),
                row.card_number,
            )
        )
        for row in whole
    )


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["first", "last", "after", "before", "seek", "at", "rank", "elsewhere"]),
        st.integers(0, 40),
        st.integers(1, 5),
        st.sampled_from(
            [
                "31",
                "3205980001",
                "2026-03",
                "202604",
                "b",
                "95",
                "有效",
                "已过期",
                "8900",
                "全部操作员",
                "手册",
                "jgmy",
                "无",
            ]
        ),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", ["made", "received", "permissions", "what can", "due"])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), world=WORLDS, moves=MOVES)
def test_any_walk_through_a_list_shows_exactly_its_rows(
    shared_store: Store, name: str, data: st.DataObject, world: list[Standing], moves: list[Any]
) -> None:
    put(shared_store, world)
    source = LISTS[name](shared_store)
    order = data.draw(st.sampled_from(source.orders))
    text = data.draw(
        st.sampled_from(
            [
                *("", "3101", "2026-03", "20260", "95", "即将到期", "加工", "册", "无"),
                *("89000000000", CARD, "全部"),
            ]
        )
    )
    whole = rows(source.ordered(order), 3)
    naive(name, world, whole)
    assert whole == sorted(whole, key=sorting(name, order))
    source = source.ordered(order).filtered(text)
    expected = [row for row in whole if not text or lead(name, order, row) in order.read(text)]
    assert rows(source, 4) == expected
    row: Any = None
    for move, key, limit, typed in moves:
        at = expected.index(row) if row is not None else None
        found: list[Any] = []
        match move:
            case "first":
                found = source.after(None, limit)
                assert found == expected[:limit]
            case "last":
                found = source.before(None, limit)
                assert found == expected[-limit:]
            case "after" if at is not None:
                found = source.after(row, limit)
                assert found == expected[at + 1 : at + 1 + limit]
            case "before" if at is not None:
                found = source.before(row, limit)
                assert found == expected[max(0, at - limit) : at]
            case "rank" if at is not None:
                assert source.rank(row) == Count(at)
            case "elsewhere" if whole:
                there = whole[key % len(whole)]
                place = sorting(name, order)
                ahead = [each for each in expected if place(each) < place(there)]
                behind = [each for each in expected if place(each) > place(there)]
                assert source.rank(there) == Count(len(ahead))
                assert source.before(there, limit) == ahead[-limit:]
                assert source.after(there, limit) == behind[:limit]
            case "seek":
                sought = source.seek(typed)
                wanted = [r for r in expected if lead(name, order, r) in order.read(typed)]
                assert sought == (wanted[0] if wanted else None)
                found = [sought] if sought else []
            case "at":
                numbers = [key_of(each) for each in expected]
                wanted_key = numbers[key % len(numbers)] if numbers else key
                there = source.at(wanted_key)
                assert there == (expected[key % len(numbers)] if numbers else None)
                found = [there] if there else []
        row = found[-1] if found else row


def key_of(row: Any) -> Hashable:
    """What tells a row from others."""
    return row.grant.id if hasattr(row, "grant") else row.operator_grant_id


@settings(max_examples=15, deadline=None)
@given(
    world=st.lists(STANDING, min_size=4, max_size=14, unique_by=lambda each: each.key),
    data=st.data(),
)
def test_what_others_do_meanwhile_costs_no_row_and_shows_none_twice(
    shared_store: Store, world: list[Standing], data: st.DataObject
) -> None:
    come = data.draw(st.lists(st.sampled_from(world), max_size=4, unique=True))
    put(shared_store, [each for each in world if each not in come])
    source = permissions.query(shared_store, OURS, subsystem=None, today=TODAY)
    source = source.ordered(data.draw(st.sampled_from(source.orders)))
    seen: list[Any] = source.after(None, 2)
    stayed = {key_of(row) for row in rows(source)}
    while seen:
        for each in come[-1:]:
            come.pop()
            with shared_store.transaction():
                number = insert_grant(
                    shared_store, each.key, TODAY - timedelta(days=50), each.valid_until
                )
                insert_operator_grant(shared_store, number, CARDS[0], TODAY)
        if data.draw(st.booleans()):
            # Also the very row from which one goes on.
            gone = key_of(seen[-1])
            stayed.discard(gone)
            with shared_store.transaction():
                shared_store.rows("DELETE FROM operator_grant WHERE id = ?", (int(str(gone)),))
        page = source.after(seen[-1], 2)
        if not page:
            break
        seen += page
    keys = [key_of(row) for row in seen]
    assert len(set(keys)) == len(keys)
    assert stayed <= set(keys)


# -- long ones ---------------------------------------------------------------------

LONG = 12_000


@pytest.fixture(scope="module")
def long_store(shared_store: Store) -> Iterator[Store]:
    """Somebody has received twelve thousand grants, and handed the first on to as many cards."""
    codes = [f"32{number:08d}" for number in range(LONG)]
    day = TODAY.isoformat()
    with shared_store.transaction():
        shared_store.rows("DELETE FROM enterprise_grant")
        # By hand, as two thousand pages of the ordinary way would take a minute.
        for at in range(0, LONG, 3000):
            values = ", ".join(
                f"('{code}', '{OWN}', '95', 'X1', '{day}', '2027-01-01', '{day} 12:00:00', 'x')"
                for code in codes[at : at + 3000]
            )
            shared_store.rows(
                "INSERT INTO enterprise_grant (principal, agent, subsystem, grant_type,"
                f" granted_on, valid_until, changed_at, changed_by) VALUES {values} RETURNING id"
            )
    yield shared_store
    with shared_store.transaction():
        shared_store.rows("DELETE FROM enterprise_grant")


def test_a_long_list_is_counted_as_far_as_makes_sense(long_store: Store) -> None:
    source = operator_grants.received(long_store, OURS, today=TODAY)
    assert (source.count(), str(source.count())) == (Count(BOUND, exact=False), "10000+")
    (last,) = source.before(None, 1)
    assert last.grant.key.principal == f"32{LONG - 1:08d}"
    assert source.rank(last) == Count(BOUND, exact=False)
    assert source.filtered("320000").count() == Count(10_000)
    assert source.filtered("3200000").count() == Count(1_000)
    sought = source.seek("32000099")
    assert sought is not None
    assert source.rank(sought) == Count(9_900)
    due = expiry.due(long_store, OURS, within=400, today=TODAY)
    assert due.count() == Count(BOUND_OF_JOINED, exact=False)


def test_the_quick_query_by_code_goes_anywhere_and_by_uscc_no_farther_than_makes_sense(
    long_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last has a USCC, which the registry has at once and no walk would reach."""
    last = Enterprise(f"32{LONG - 1:08d}", "91310000PDY00009XX", "末")
    with long_store.transaction():
        enterprises.put_all(long_store, (last,))
    found = operator_grants.find_next(long_store, OURS, customs_code=last.customs_code)
    assert operator_grants.find_next(long_store, OURS, uscc="9131") == found
    monkeypatch.setattr(grant_rows, "FEW", 0)
    with pytest.raises(InvalidInput, match="查了10000条授权还没有查到") as caught:
        operator_grants.find_next(long_store, OURS, uscc="9131")
    assert caught.value.field == "uscc"
    assert operator_grants.find_next(long_store, OURS, customs_code="320001", uscc="91") == found
    with pytest.raises(NotFound):
        operator_grants.find_next(long_store, OURS, customs_code="32001199", uscc="99")
    by_day = operator_grants.received(long_store, OURS).orders[1]
    with pytest.raises(InvalidInput, match="查了10000条授权还没有查到") as caught:
        operator_grants.find_next(long_store, OURS, customs_code="320001", order=by_day)
    assert caught.value.field == "customs_code"


def test_many_operators_under_a_grant_are_told_as_more_than_a_thousand(long_store: Store) -> None:
    (first,) = operator_grants.received(long_store, OURS, today=TODAY).after(None, 1)
    with long_store.transaction():
        for number in range(grant_rows.UNDER + 1):
            insert_operator_grant(long_store, first.grant.id, f"89{number:011d}", TODAY)
    (first,) = operator_grants.received(long_store, OURS, today=TODAY).after(None, 1)
    assert str(first.operator_grants) == "1000+"
    under = operator_grants.granted(long_store, OURS, first.grant.id)
    assert under.count() == Count(grant_rows.UNDER + 1)
    assert [row.card_number[-4:] for row in under.before(None, 2)] == ["0999", "1000"]
    (row,) = under.before(None, 1)
    assert position(under, row.id) == grant_rows.UNDER


def test_the_rows_of_a_page_come_with_the_days_of_the_order(long_store: Store) -> None:
    """One day for all: the order goes on by what else tells the grants apart."""
    source = expiry.due(long_store, OURS, within=400, today=TODAY)
    page = source.after(source.after(None, 300)[-1], 300)
    codes = [row.grant.key.principal for row in page]
    assert codes == [f"32{number:08d}" for number in range(300, 600)]
