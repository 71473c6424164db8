"""A whole database put into another one, between all engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import copying, drafts, enterprises
from eport_tui.store.copying import TABLES
from eport_tui.store.database import Store
from tests.engines import ENGINES, place_on
from tests.rows import insert_grant, insert_operator_grant
from tests.store.writing import draft_of, write_something

KEY = GrantKey("3101940001", "3101980002", "95", "X1")
ROWS = 3 * copying._PAGE + 1


@pytest.fixture(params=ENGINES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with (
        place_on(request.param, request, tmp_path / "target.db", "template0") as place,
        Store.open(place) as target,
    ):
        yield target


def fill(store: Store) -> None:
    """Rows of several pages, texts that sort otherwise elsewhere, and gaps in the numbers."""
    with store.transaction():
        store.write_many(
            "INSERT INTO enterprise (customs_code, uscc, name) VALUES (?, ?, ?)",
            ((f"{number:010}", "91310000PDY00001XG", f"企业{number}") for number in range(ROWS)),
        )
        for screen in ("b", "A", "a", "B", "中"):
            drafts.put(store, draft_of(screen), '{"a": "?%"}', now())
        gone = insert_grant(store, KEY, date(2026, 1, 1), date(2026, 12, 31))
        store.rows("DELETE FROM enterprise_grant WHERE id = ?", (gone,))
        grant = insert_grant(store, KEY, date(2026, 1, 1), date(2026, 12, 31))
        insert_operator_grant(store, grant, "8900000000051", date(2026, 1, 2))
        other = insert_grant(
            store, GrantKey("3101940001", "3101980002", "B1", "X1"), date(2026, 1, 1), date.max
        )
        store.rows("DELETE FROM enterprise_grant WHERE id = ?", (other,))
        store.write_many(
            "INSERT INTO ledger_certificate (fingerprint, der) VALUES (?, ?)",
            [("0" * 64, b"\x00\xff")],
        )


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: store.rows(f"SELECT * FROM {table} ORDER BY {', '.join(key)}")
        for table, key in TABLES.items()
    }


def test_every_table_is_copied(store: Store) -> None:
    assert store.tables() == {*TABLES, *copying._NOT_COPIED}


def test_the_copy_holds_the_same(store: Store, target: Store) -> None:
    fill(store)
    told: list[tuple[int, int]] = []
    counts = copying.copy(store, target, progress=lambda done, of: told.append((done, of)))
    assert content(target) == content(store)
    assert counts == {table: len(rows) for table, rows in content(store).items()}
    assert counts["enterprise"] == ROWS
    handed = "SELECT * FROM card_right ORDER BY operator_grant_id"
    assert target.rows(handed) == store.rows(handed) != []
    total = sum(counts.values())
    assert told[-1] == (total, total)


def test_the_copy_gives_no_number_that_was_given(store: Store, target: Store) -> None:
    fill(store)
    highest = store.numbers_given()["enterprise_grant"]
    copying.copy(store, target)
    with target.transaction():
        fresh = insert_grant(
            target, GrantKey("3101940001", "3101980002", "B1", "X2"), date(2026, 1, 1), date.max
        )
    assert fresh == highest + 1


def test_a_copy_into_what_is_not_empty_is_refused(store: Store, target: Store) -> None:
    fill(store)
    write_something(target, "theirs")
    before = content(target)
    with pytest.raises(StoreError, match="中已有数据，没有复制"):
        copying.copy(store, target)
    assert content(target) == before


def test_a_copy_that_is_interrupted_leaves_nothing(store: Store, target: Store) -> None:
    fill(store)

    def interrupt(done: int, of: int) -> None:
        if done > ROWS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(store, target, progress=interrupt)
    assert not any(content(target).values())
    copying.copy(store, target)
    assert content(target) == content(store)


def test_a_copy_that_reads_back_otherwise_is_refused(store: Store, target: Store) -> None:
    fill(store)
    name = "CREATE TRIGGER altering AFTER INSERT ON draft"
    change = "UPDATE draft SET content = 'altered' WHERE screen = 'a'"
    with target.transaction():
        if isinstance(target.place, Path):
            target.rows(f"{name} BEGIN {change}; END")
        else:
            target.rows(
                "CREATE FUNCTION altering() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ BEGIN {change}; RETURN NEW; END $$"
            )
            target.rows(f"{name} FOR EACH ROW EXECUTE FUNCTION altering()")
    with pytest.raises(StoreError, match="表 draft 复制后的内容与原来不同"):
        copying.copy(store, target)
    assert not any(content(target).values())


def test_the_copy_is_of_one_moment_while_others_save(
    store: Store, place: Place, target: Store
) -> None:
    fill(store)
    before = content(store)

    def save(done: int, of: int) -> None:
        with Store.open(place) as colleague:
            write_something(colleague, f"after {done}")

    copying.copy(store, target, progress=save)
    assert content(target) == before


def test_a_table_that_the_program_does_not_know_is_not_left_out_silently(
    store: Store, target: Store
) -> None:
    with store.transaction():
        store.rows("CREATE TABLE notes (text text)")
    with pytest.raises(StoreError, match="不认识的表 notes"):
        copying.copy(store, target)


def test_the_registry_of_the_copy_is_used_as_that_of_the_source(
    store: Store, target: Store
) -> None:
    fill(store)
    copying.copy(store, target)
    assert enterprises.get(target, f"{ROWS - 1:010}") == enterprises.get(store, f"{ROWS - 1:010}")
