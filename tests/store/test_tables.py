"""What the database itself refuses, whichever program writes."""

from __future__ import annotations

import re
from datetime import date

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.grants import ALL_OPERATORS, GrantKey
from eport_tui.errors import StoreError
from eport_tui.store import enterprise_grants, operator_grants
from eport_tui.store.database import Store
from tests.rows import insert_grant, insert_operator_grant

KEY = GrantKey("3101940001", "3101980002", "95", "X1")
CARD, OTHER_CARD = "8900000000011", "8900000000022"


def grant(
    store: Store,
    key: GrantKey = KEY,
    *,
    granted_on: date = date(2026, 1, 1),
    valid_until: date = date(2026, 12, 31),
) -> int:
    with store.transaction():
        return insert_grant(store, key, granted_on, valid_until)


def grant_card(store: Store, grant_id: int, card_number: str) -> int:
    with store.transaction():
        return insert_operator_grant(store, grant_id, card_number, date(2026, 1, 1))


def test_a_grant_comes_back_as_it_was_stored(store: Store) -> None:
    number = grant(store)
    stored = enterprise_grants.get(store, number)
    assert stored is not None
    assert (stored.key, stored.granted_on, stored.valid_until, stored.revision) == (
        KEY,
        date(2026, 1, 1),
        date(2026, 12, 31),
        1,
    )
    assert stored.changed_at.utcoffset() == now().utcoffset()
    assert enterprise_grants.find(store, KEY) == stored


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        GrantKey("3101940001", "3101940001", "95", "X1"),
        GrantKey("310194000", "3101980002", "95", "X1"),
        GrantKey("3101940001", "", "95", "X1"),
        GrantKey("3101940001", "3101980002", "", "X1"),
    ],
    ids=["the same key", "to itself", "short code", "no agent", "no subsystem"],
)
def test_a_grant_that_cannot_be(store: Store, key: GrantKey) -> None:
    grant(store)
    with pytest.raises(StoreError, match="数据库拒绝了不合规则的数据"):
        grant(store, key)


def test_a_grant_that_ends_before_it_begins(store: Store) -> None:
    with pytest.raises(StoreError, match="不合规则"):
        grant(store, granted_on=date(2026, 1, 2), valid_until=date(2026, 1, 1))


def test_the_number_of_a_deleted_grant_is_not_used_again(store: Store) -> None:
    number = grant(store)
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant WHERE id = ?", (number,))
    assert grant(store) > number


def test_operator_grants_go_with_their_enterprise_grant(store: Store) -> None:
    number, other = grant(store), grant(store, GrantKey("3101940001", "3101980002", "B1", "X1"))
    grant_card(store, number, CARD)
    kept = grant_card(store, other, CARD)
    with store.transaction():
        store.rows("DELETE FROM enterprise_grant WHERE id = ?", (number,))
    assert store.rows("SELECT id FROM operator_grant") == [(kept,)]


def test_an_operator_grant_needs_an_enterprise_grant(store: Store) -> None:
    with pytest.raises(StoreError, match="不合规则"):
        grant_card(store, 1, CARD)


@pytest.mark.parametrize(
    ("standing", "added"),
    [(ALL_OPERATORS, CARD), (CARD, ALL_OPERATORS), (CARD, CARD), (ALL_OPERATORS, ALL_OPERATORS)],
    ids=["card under all", "all over card", "card twice", "all twice"],
)
def test_all_operators_and_single_cards_never_stand_together(
    store: Store, standing: str, added: str
) -> None:
    number = grant(store)
    grant_card(store, number, standing)
    with pytest.raises(StoreError, match="不合规则"):
        grant_card(store, number, added)
    assert operator_grants.count(store, number) == 1


def test_nor_by_changing_a_card_into_all(store: Store) -> None:
    number = grant(store)
    grant_card(store, number, CARD)
    grant_card(store, number, OTHER_CARD)
    with pytest.raises(StoreError, match="不合规则"), store.transaction():
        store.rows("UPDATE operator_grant SET card_number = '' WHERE card_number = ?", (CARD,))


@pytest.mark.parametrize("event", ["insert", "update"])
def test_that_they_do_not_mix_is_found_out_by_one_look_at_an_index(
    sqlite_store: Store, event: str
) -> None:
    ((trigger,),) = sqlite_store.rows(
        "SELECT sql FROM sqlite_schema WHERE name = ?", (f"operator_grant_{event}",)
    )
    condition = re.search(r"WHEN(.+)BEGIN", trigger, re.DOTALL)
    assert condition
    question, values = re.subn(r"\b(NEW|OLD)\.\w+", "?", condition[1])
    plan = sqlite_store.rows(f"EXPLAIN QUERY PLAN SELECT {question}", (0,) * values)
    steps = [step for *_, step in plan if "operator_grant" in step]
    index = r"SEARCH operator_grant USING COVERING INDEX \w+ "
    for step, compared in zip(steps, ">=", strict=True):
        assert re.match(rf"{index}\(enterprise_grant_id=\? AND card_number{compared}\?\)", step)


def test_a_card_number_has_thirteen_characters(store: Store) -> None:
    with pytest.raises(StoreError, match="不合规则"):
        grant_card(store, grant(store), "890000000001")


# -- what each card was handed -------------------------------------------------------

OTHER_KEY = GrantKey("3205940003", "3101980002", "B1", "X2")


def handed(store: Store) -> list[tuple[object, ...]]:
    """By the table that says so, after a look at the grants that it is made from."""
    columns = "card_number, agent, principal, subsystem, grant_type"
    stored = store.rows(f"SELECT {columns}, operator_grant_id FROM card_right ORDER BY {columns}")
    made = store.rows(
        f"""
        SELECT {columns}, o.id FROM operator_grant o
        JOIN enterprise_grant g ON g.id = o.enterprise_grant_id ORDER BY {columns}
        """
    )
    assert stored == made
    return [(row[0], row[2]) for row in stored]


def test_what_a_card_was_handed_is_there_as_long_as_it_stands(store: Store) -> None:
    first, second = grant(store), grant(store, OTHER_KEY)
    to_card = grant_card(store, first, CARD)
    grant_card(store, second, ALL_OPERATORS)
    grant_card(store, first, OTHER_CARD)
    assert handed(store) == [
        (ALL_OPERATORS, "3205940003"),
        (CARD, "3101940001"),
        (OTHER_CARD, "3101940001"),
    ]
    with store.transaction():
        store.rows("DELETE FROM operator_grant WHERE id = ?", (to_card,))
        store.rows("DELETE FROM enterprise_grant WHERE id = ?", (second,))
    assert handed(store) == [(OTHER_CARD, "3101940001")]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f"UPDATE operator_grant SET card_number = '{OTHER_CARD}'", (OTHER_CARD, "3101940001")),
        ("UPDATE operator_grant SET card_number = ''", (ALL_OPERATORS, "3101940001")),
        (
            "UPDATE operator_grant SET enterprise_grant_id ="
            " (SELECT id FROM enterprise_grant WHERE subsystem = 'B1')",
            (CARD, "3205940003"),
        ),
        (
            "UPDATE enterprise_grant SET principal = '3101940009' WHERE subsystem = '95'",
            (CARD, "3101940009"),
        ),
        ("UPDATE operator_grant SET granted_on = '2026-01-05'", (CARD, "3101940001")),
    ],
)
def test_what_another_program_changes_is_followed(
    store: Store, statement: str, expected: tuple[str, str]
) -> None:
    number = grant(store)
    grant(store, OTHER_KEY)
    grant_card(store, number, CARD)
    with store.transaction():
        store.rows(statement)
    assert handed(store) == [expected]
