"""Saves whose transaction the server gives up or loses: one signature, one entry, one grant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from eport_tui.domain.grants import GrantDraft
from eport_tui.domain.places import Place
from eport_tui.errors import NotPermitted
from eport_tui.services import drafts, enterprise_grants, operations
from eport_tui.services.operations import ledger
from eport_tui.store.database import Store
from tests.postgres import Server, commits_that_are_not_acknowledged, throw_out
from tests.services.world import MANUFACTURER, TABLES, TODAY, StandIn, session

pytestmark = pytest.mark.postgresql

FORM = GrantDraft("3101980002", "95", "X1", "20261231")


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


@dataclass
class Card(StandIn):
    """A legal person's card, which knows how often it has signed and may be pulled."""

    signed: list[bytes] = field(default_factory=list)
    pulled: bool = False

    def sign(self, data: bytes) -> bytes:
        self.signed.append(data)
        return super().sign(data)

    def require_same(self, generation: int) -> Any:
        if self.pulled:
            raise NotPermitted("卡已拔出")
        return self.holder


@pytest.fixture
def card() -> Card:
    return Card(session(MANUFACTURER).holder)


def save(store: Store, card: Card) -> enterprise_grants.Saved:
    return enterprise_grants.save(store, TABLES, card, FORM, today=TODAY)


def at_the_end(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something in the first transaction, when the entry is written and not yet committed."""
    append = ledger.append

    def appended(*args: Any, **options: Any) -> int:
        monkeypatch.undo()
        number = append(*args, **options)
        do()
        return number

    monkeypatch.setattr(operations.ledger, "append", appended)


def assert_saved_once(store: Store, card: Card) -> None:
    assert store.rows("SELECT number FROM ledger_entry") == [(1,)]
    assert store.rows("SELECT revision FROM enterprise_grant") == [(1,)]
    assert len(card.signed) == 1


def test_a_save_whose_connection_is_lost_on_the_way_asks_the_card_for_no_other_signature(
    store: Store, card: Card, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    def lose() -> None:
        throw_out(other)
        ledger.head(store)

    at_the_end(monkeypatch, lose)
    assert save(store, card).created
    assert_saved_once(store, card)


def test_a_save_whose_commit_never_came(
    store: Store, card: Card, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_end(monkeypatch, lambda: throw_out(other))
    assert save(store, card).created
    assert_saved_once(store, card)


def test_a_save_whose_commit_was_not_acknowledged(
    store: Store, card: Card, server: Server, place: Place
) -> None:
    with commits_that_are_not_acknowledged(server, place):
        assert save(store, card).created
    assert_saved_once(store, card)


def test_a_save_is_not_recorded_anew_after_the_card_was_pulled(
    store: Store, card: Card, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    def pull_and_lose() -> None:
        card.pulled = True
        throw_out(other)

    at_the_end(monkeypatch, pull_and_lose)
    with pytest.raises(NotPermitted, match="卡已拔出"):
        save(store, card)
    assert store.rows("SELECT number FROM ledger_entry") == []


def test_a_save_that_was_stored_is_told_so_though_the_card_was_pulled_since(
    store: Store, card: Card, server: Server, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_end(monkeypatch, lambda: setattr(card, "pulled", True))
    with commits_that_are_not_acknowledged(server, place):
        assert save(store, card).created
    assert_saved_once(store, card)


def test_what_a_standby_that_took_over_has_never_seen_is_signed_anew(
    store: Store, card: Card, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, Card(session(MANUFACTURER).holder))
    second = GrantDraft("3101980002", "B1", "X1", "20261231")

    def lose_the_first() -> None:
        # As it would be where the standby was behind when the primary died.
        other.execute("SET search_path = eport_tui; SET session_replication_role = replica")
        other.execute(
            "TRUNCATE ledger_certificate, enterprise_grant_version, enterprise_grant CASCADE"
        )

    sign = card.sign

    def signed(data: bytes) -> bytes:
        if not card.signed:
            lose_the_first()
        return sign(data)

    monkeypatch.setattr(card, "sign", signed)
    enterprise_grants.save(store, TABLES, card, second, today=TODAY)
    assert len(card.signed) == 2
    assert b'"seen":{"hash":"' + b"0" * 64 in card.signed[1]
    assert store.rows("SELECT number FROM ledger_entry") == [(1,)]


def test_a_draft_whose_commit_was_not_acknowledged_is_kept(
    store: Store, card: Card, server: Server, place: Place
) -> None:
    with commits_that_are_not_acknowledged(server, place):
        drafts.keep(store, card, "screen", {"typed": "乙"})
    assert [each.content for each in drafts.offered(store, card)] == [{"typed": "乙"}]
