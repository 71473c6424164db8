"""From every earlier form of the database to the present one."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from eport_tui.domain.grants import GrantKey
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import drafts, migrations, models, permissions
from eport_tui.store.database import Store
from tests.migrating import all_migrations, next_migration, pretend
from tests.rows import insert_grant, insert_operator_grant

DAY = date(2026, 3, 1)

ON_SQLITE = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
ON_POSTGRESQL = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default,
           CAST(is_identity AS text)
    FROM information_schema.columns WHERE table_schema = 'eport_tui'
    UNION ALL
    SELECT CAST(conrelid AS regclass)::text, conname, pg_get_constraintdef(oid), '', '', '', ''
    FROM pg_constraint WHERE connamespace = CAST('eport_tui' AS regnamespace)
    UNION ALL
    SELECT tablename, indexname, indexdef, '', '', '', '' FROM pg_indexes
    WHERE schemaname = 'eport_tui'
    UNION ALL
    SELECT CAST(tgrelid AS regclass)::text, tgname, pg_get_triggerdef(t.oid), prosrc, '', '', ''
    FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal
    ORDER BY 1, 2, 3
"""


def schema_of(store: Store) -> list[tuple[object, ...]]:
    return store.rows(ON_SQLITE if isinstance(store.place, Path) else ON_POSTGRESQL)


def content_of(place: Place) -> object:
    if isinstance(place, Path):
        return place.read_bytes()
    with Store.open(place, read_only=True) as store:
        return schema_of(store)


def test_numbers_are_unique_without_gaps_and_the_same_as_in_the_file_name() -> None:
    found = all_migrations()
    assert [each.NUMBER for each in found] == list(range(1, migrations.latest() + 1))
    folder = Path(migrations.__file__).parent
    assert len(list(folder.glob("m*.py"))) == len(found)
    for each in found:
        assert isinstance(each, ModuleType)
        assert each.__name__.endswith(f".m{each.NUMBER:04}_{each.NAME}")


@pytest.mark.parametrize("number", range(1, migrations.latest() + 1))
def test_a_database_of_every_earlier_number_becomes_like_a_new_one(
    new_place: Place, store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        pretend(patch, all_migrations()[:number])
        with Store.open(new_place) as old:
            assert old.schema_version == number
    with Store.open(new_place) as old:
        assert old.schema_version == migrations.latest()
        assert schema_of(old) == schema_of(store) != []


def test_what_was_stored_before_is_there_after_every_migration(
    new_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ("3101940001", "91310000PDY00001XG", "上海甲制造有限公司")
    with monkeypatch.context() as patch:
        pretend(patch, all_migrations()[:1])
        with Store.open(new_place) as store, store.transaction():
            store.rows("INSERT INTO enterprise VALUES (?, ?, ?)", row)
    with Store.open(new_place) as store:
        assert store.rows("SELECT * FROM enterprise") == [row]
        assert store.rows("SELECT * FROM legal_person_card") == []


@pytest.mark.parametrize("number", [4, 8])
def test_what_cards_were_handed_before_is_listed_after_the_migration(
    new_place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        pretend(patch, all_migrations()[:number])
        with Store.open(new_place) as store, store.transaction():
            for principal in ("3205940003", "3101940001"):
                number = insert_grant(
                    store, GrantKey(principal, "3101980002", "95", "X1"), DAY, DAY
                )
                insert_operator_grant(store, number, "8900000000051", DAY)
    with Store.open(new_place) as store:
        question = permissions.what_can("8900000000051", "3101980002", None, DAY)
        listed = permissions.listed(store, [question]).after(None, 9)
        assert [row.principal.customs_code for row in listed] == ["3101940001", "3205940003"]
        with store.transaction():
            insert_operator_grant(store, 1, "8900000000040", DAY)
            store.rows("DELETE FROM operator_grant WHERE enterprise_grant_id = 2")
        everything = permissions.of_operators("3101980002", None, DAY)
        listed = permissions.listed(store, [everything], permissions.CARD).after(None, 9)
        assert [row.card_number[-2:] for row in listed] == ["40", "51"]


def test_what_was_typed_before_is_offered_after_the_migration(
    new_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ("8900000000011", "permissions", '{"subsystem": "95"}', "2026-03-01T10:00:00+08:00")
    with monkeypatch.context() as patch:
        pretend(patch, all_migrations()[:7])
        with Store.open(new_place) as store, store.transaction():
            store.rows("INSERT INTO draft VALUES (?, ?, ?, ?)", kept)
    with Store.open(new_place) as store:
        ((key, content, saved_at),) = drafts.of_card(store, kept[0])
        assert (key.screen, content, saved_at.isoformat()) == kept[1:]


def test_each_migration_is_recorded_once(new_place: Place) -> None:
    Store.open(new_place).close()
    with Store.open(new_place) as store:
        assert store.rows("SELECT number, name FROM migration") == [
            (each.NUMBER, each.NAME) for each in all_migrations()
        ]


def test_the_models_name_the_columns_of_the_tables(store: Store) -> None:
    for model in models.ALL:
        columns = store.columns(model._meta.table_name)
        assert columns == [field.column_name for field in model._meta.sorted_fields]


def test_a_copy_is_made_before_a_database_is_migrated(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path) as store, store.transaction():
        store.rows("INSERT INTO draft VALUES ('8900000000011', 's', '', 'before', '')")
    added = next_migration("UPDATE draft SET content = 'after'")
    pretend(monkeypatch, [*all_migrations(), added])
    with Store.open(path) as store:
        assert store.schema_version == added.NUMBER
        assert store.rows("SELECT content FROM draft") == [("after",)]
    monkeypatch.undo()

    copy = path.with_name(f"eport.db.before-{added.NUMBER}.bak")
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Store.open(copy) as store:
        assert store.schema_version == migrations.latest()
        assert store.rows("SELECT content FROM draft") == [("before",)]


def test_a_new_database_needs_no_copy(path: Path) -> None:
    Store.open(path).close()
    assert list(path.parent.glob("*.bak")) == []


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(place).close()
    pretend(
        monkeypatch, [*all_migrations(), next_migration("INSERT INTO no_such_table VALUES (1)")]
    )
    with pytest.raises(StoreError):
        Store.open(place)
    monkeypatch.undo()
    with Store.open(place) as store:
        assert store.schema_version == migrations.latest()


def test_a_database_that_is_newer_than_the_program_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        pretend(patch, [*all_migrations(), next_migration("CREATE TABLE novelty (a TEXT)")])
        Store.open(place).close()
        before = content_of(place)
    with pytest.raises(StoreError, match=f"比程序的版本{migrations.latest()}新") as caught:
        Store.open(place)
    assert caught.value.hint == "请升级程序后再打开"
    with monkeypatch.context() as patch:
        pretend(patch, [*all_migrations(), next_migration("CREATE TABLE novelty (a TEXT)")])
        assert content_of(place) == before


def test_an_old_database_is_not_migrated_for_reading_only(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(place).close()
    pretend(monkeypatch, [*all_migrations(), next_migration("CREATE TABLE novelty (a TEXT)")])
    with pytest.raises(StoreError, match="需要先升级") as caught:
        Store.open(place, read_only=True)
    assert caught.value.hint == "请运行 eport-tui db upgrade"
    assert list(tmp_path.glob("*.bak")) == []
