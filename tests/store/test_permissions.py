"""Lists and decisions go along indexes, however many grants there are."""

from __future__ import annotations

import re
from datetime import date

from eport_tui.store import permissions
from eport_tui.store.database import Store

DAY = date(2026, 3, 1)
AGENT, PRINCIPAL, CARD = "3101980002", "3101940001", "8900000000051"


def plans(store: Store, sql: str, parameters: tuple[str | int, ...]) -> list[str]:
    return [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def scanned(plan: list[str]) -> list[str]:
    """The tables that are read from end to end; what a query has made itself is none."""
    return [step for step in plan if re.match(r"SCAN (?!q$|k$|permission$|page$)", step)]


def test_a_decision_is_read_without_going_through_a_whole_table(sqlite_store: Store) -> None:
    ends = (PRINCIPAL, AGENT, "95")
    for plan in (
        plans(sqlite_store, permissions.DECISION, (CARD, *ends)),
        plans(sqlite_store, permissions.EXPLANATION, ("", CARD, *ends)),
    ):
        assert any(re.match(r"SEARCH g .*subsystem=\?", step) for step in plan)
        assert scanned(plan) == []


def test_a_scan_would_be_noticed(sqlite_store: Store) -> None:
    assert scanned(
        plans(sqlite_store, "SELECT count(*) FROM operator_grant o WHERE granted_on > ''", ())
    )
