"""Lists and decisions go along indexes, however many grants there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest

from eport_tui.store import permissions
from eport_tui.store.database import Store
from eport_tui.store.permissions import Question

DAY = date(2026, 3, 1)
AGENT, PRINCIPAL, CARD = "3101980002", "3101940001", "8900000000051"


def questions() -> Iterator[tuple[str, Question]]:
    for subsystem in (None, "95"):
        yield "who_can", permissions.who_can(PRINCIPAL, subsystem, DAY)
        yield "of_operators", permissions.of_operators(AGENT, subsystem, DAY)
        yield "what_can", permissions.what_can(CARD, AGENT, subsystem, DAY)


def plans(store: Store, sql: str, parameters: tuple[str | int, ...]) -> list[str]:
    return [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def scanned(plan: list[str]) -> list[str]:
    """The tables that are read from end to end; what a query has made itself is none."""
    return [step for step in plan if re.match(r"SCAN (?!q$|k$|permission$|page$)", step)]


@pytest.mark.parametrize(("name", "question"), questions())
def test_no_list_is_read_by_going_through_a_whole_table(
    sqlite_store: Store, name: str, question: Question
) -> None:
    for sql, more in (
        (permissions.COUNT, ()),
        (permissions.FETCH, (100, 0)),
        (permissions.POSITION, (1,)),
    ):
        plan = plans(sqlite_store, f"{question.sql} {sql}", (*question.parameters, *more))
        assert any(step.startswith("SEARCH g ") for step in plan)
        assert any(step.startswith("SEARCH o ") for step in plan)
        assert scanned(plan) == []


def test_a_decision_is_read_without_going_through_a_whole_table(sqlite_store: Store) -> None:
    plan = plans(sqlite_store, permissions.DECISION, ("", CARD, PRINCIPAL, AGENT, "95"))
    assert any(re.match(r"SEARCH g .*subsystem=\?", step) for step in plan)
    assert scanned(plan) == []


def test_a_page_of_an_agents_list_is_read_in_order_and_not_sorted(sqlite_store: Store) -> None:
    question = permissions.of_operators(AGENT, None, DAY)
    plan = plans(
        sqlite_store, f"{question.sql} {permissions.FETCH}", (*question.parameters, 100, 0)
    )
    assert not any("ORDER BY" in step for step in plan)


def test_a_scan_would_be_noticed(sqlite_store: Store) -> None:
    assert scanned(
        plans(sqlite_store, "SELECT count(*) FROM operator_grant o WHERE granted_on > ''", ())
    )
