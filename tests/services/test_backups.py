"""Copies of a database file: made, kept, put back; and a database of an earlier version."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from eport_tui.__main__ import main
from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.services import registry
from eport_tui.store import migrations
from eport_tui.store.database import Store
from tests.engines import ENGINES, place_on
from tests.migrating import all_migrations, pretend
from tests.postgres import Server, database_of
from tests.services.world import BROKER, register

STAMPED = "eport-????????-??????.db"
SECRET = 0o600


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings say that the database is."""
    monkeypatch.setenv("EPORT_TUI_DATABASE", str(tmp_path / "eport.db"))
    return tmp_path / "eport.db"


@pytest.fixture
def working(path: Path) -> Iterator[Store]:
    """A database that somebody has open; the newest saves are in its log alone."""
    with Store.open(path) as store:
        register(store)
        yield store


def names_in(place: Path) -> set[str]:
    with Store.open(place) as store:
        return {name for (name,) in store.rows("SELECT name FROM enterprise")}


def rename_agent(store: Store) -> None:
    with store.transaction():
        store.rows(
            "UPDATE enterprise SET name = '改名' WHERE customs_code = ?", (BROKER.customs_code,)
        )


def said(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    return told.out + told.err


# -- backing up ----------------------------------------------------------------


def test_a_copy_holds_what_was_saved_last_and_is_closed_to_others(
    working: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    assert main(["db", "backup", str(copy)]) == 0
    assert stat.S_IMODE(copy.stat().st_mode) == SECRET
    with Store.open(copy) as restored:
        name = registry.look_up(working, BROKER.customs_code).name
        assert registry.look_up(restored, BROKER.customs_code).name == name


def test_of_the_copies_in_a_folder_the_newest_stay(working: Store, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    old = [folder / f"eport-20200101-00000{second}.db" for second in range(4)]
    others = [folder / name for name in ("eport-before-moving.db", "notes.txt")]
    for file in (*old, *others):
        file.write_text("")
    assert main(["db", "backup", "--keep", "3", str(folder)]) == 0
    (new,) = set(folder.glob(STAMPED)) - set(old)
    assert names_in(new)
    assert {file for file in folder.iterdir() if file != new} == {*old[2:], *others}


def test_a_copy_stays_though_others_seem_to_be_newer(working: Store, tmp_path: Path) -> None:
    # As after the clock was set back.
    later = [tmp_path / f"eport-20990101-00000{second}.db" for second in range(3)]
    for file in later:
        file.write_text("")
    assert main(["db", "backup", "--keep", "1", str(tmp_path)]) == 0
    (only,) = tmp_path.glob(STAMPED)
    assert only not in later
    assert names_in(only)


def test_without_a_number_all_copies_stay(working: Store, tmp_path: Path) -> None:
    (tmp_path / "eport-20200101-000000.db").write_text("")
    assert main(["db", "backup", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob(STAMPED))) == 2


def test_a_copy_that_cannot_be_made_leaves_the_earlier_ones(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    earlier = folder / "eport-20200101-000000.db"
    earlier.write_text("")
    Store.open(path).close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    assert main(["db", "backup", "--keep", "1", str(folder)]) == 2
    assert list(folder.iterdir()) == [earlier]


def test_neither_a_mistyped_source_nor_a_target_that_is_taken_makes_a_copy(
    working: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken.db").write_text("precious")
    assert main(["db", "backup", str(tmp_path / "taken.db")]) == 2
    assert "已存在，没有备份" in said(capsys)
    assert (tmp_path / "taken.db").read_text() == "precious"
    mistyped, copy = tmp_path / "epotr.db", tmp_path / "copy.db"
    assert main(["--database", str(mistyped), "db", "backup", str(copy)]) == 2
    assert "数据库不存在" in said(capsys)
    assert not mistyped.exists()
    assert not copy.exists()


def test_a_folder_that_is_not_there_is_no_place_for_copies(
    working: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups"
    assert main(["db", "backup", "--keep", "30", str(folder)]) == 2
    assert f"没有文件夹 {folder}，没有备份" in said(capsys)
    assert main(["db", "backup", str(folder / "copy.db")]) == 2
    assert f"文件夹 {folder} 不存在，没有备份" in said(capsys)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "tool"), [(["backup", "copy.db"], "pg_dump"), (["restore", "copy.db"], "pg_restore")]
)
def test_a_server_has_tools_of_its_own(
    words: list[str], tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--database", "postgresql://nowhere.invalid/eport", "db", *words]) == 2
    assert tool in said(capsys)


# -- restoring -----------------------------------------------------------------


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    """A copy from before the agent was given another name; nobody has the database open."""
    with Store.open(path) as store:
        register(store)
        assert main(["db", "backup", str(tmp_path / "copy.db")]) == 0
        rename_agent(store)
    return tmp_path / "copy.db"


def formers(path: Path) -> list[Path]:
    return sorted(path.parent.glob("eport.db.replaced-*.bak"))


def test_what_was_there_before_is_kept_beside_what_was_restored(path: Path, copy: Path) -> None:
    path.chmod(0o660)
    assert main(["db", "restore", str(copy)]) == 0
    (former,) = formers(path)
    assert "改名" in names_in(former)
    assert "改名" not in names_in(path)
    # A group may share it.
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert copy.exists()


def test_nothing_is_lost_when_it_is_restored_once_more(path: Path, copy: Path) -> None:
    assert main(["db", "restore", str(copy)]) == 0
    (first,) = formers(path)
    with Store.open(path) as store:
        rename_agent(store)
    # Within the same second, for all that the names say.
    with time_machine.travel(now(), tick=False):
        for _ in range(3):
            assert main(["db", "restore", str(copy)]) == 0
    assert first in formers(path)
    assert sorted("改名" in names_in(former) for former in formers(path)) == [
        False,
        False,
        True,
        True,
    ]


def test_as_long_as_somebody_has_the_database_open_it_stays(
    path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(path) as store:
        before = names_in(path)
        assert main(["db", "restore", str(copy)]) == 2
        assert "数据库正在使用，没有恢复" in said(capsys)
        rename_agent(store)
    assert names_in(path) == before
    assert formers(path) == []
    assert main(["db", "restore", str(copy)]) == 0


@pytest.mark.parametrize(
    "content", [b"", b"no database at all", None], ids=["emptied", "overwritten", "lost"]
)
def test_what_is_damaged_or_lost_is_replaced_with_its_log(
    path: Path, copy: Path, content: bytes | None
) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(b"what was left")
    assert main(["db", "restore", str(copy)]) == 0
    assert "改名" not in names_in(path)
    (log,) = path.parent.glob("eport.db.replaced-*.bak-wal")
    assert log.read_bytes() == b"what was left"


def test_a_copy_that_is_damaged_is_not_put_in_place(
    path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names_in(path)
    content = copy.read_bytes()
    for spoilt in (content[:5000], content[:4096] + bytes(len(content) - 4096), b"none", None):
        copy.unlink()
        if spoilt is not None:
            copy.write_bytes(spoilt)
        assert main(["db", "restore", str(copy)]) == 2
        assert f"备份 {copy} " in said(capsys)
    assert names_in(path) == before
    assert formers(path) == []


# -- another version -----------------------------------------------------------


@pytest.fixture(params=ENGINES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of the version before this one."""
    with place_on(request.param, request, tmp_path / "old.db", "template0") as place:
        with pytest.MonkeyPatch.context() as patch:
            pretend(patch, all_migrations()[:-1])
            Store.open(place).close()
        yield place


def test_a_database_is_brought_up_to_date_once_and_copied_before(
    old: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    latest = migrations.latest()
    for words, code in ((["info"], 1), (["registry", "show", BROKER.customs_code], 2)):
        assert main(["--database", str(old), *words]) == code
        assert "请运行 eport-tui db upgrade" in said(capsys)
    assert main(["--database", str(old), "db", "upgrade"]) == 0
    told = said(capsys)
    assert f"数据库已从版本{latest - 1}升级到版本{latest}" in told
    if isinstance(old, Path):
        copy = old.with_name(f"{old.name}.before-{latest}.bak")
        assert f"升级前的副本：{copy}" in told
        assert copy.exists()
    assert main(["--database", str(old), "info"]) == 0
    said(capsys)
    assert main(["--database", str(old), "db", "upgrade"]) == 0
    assert said(capsys) == f"数据库已是版本{latest}，不需要升级\n"


@pytest.mark.postgresql
def test_whoever_owns_a_database_on_a_server_can_make_its_tables(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with place_on("postgresql", request, tmp_path / "none", "template0") as place:
        assert main(["--database", str(place), "db", "upgrade"]) == 0
        assert said(capsys) == f"已在数据库中建立数据表，版本{migrations.latest()}\n"
        assert names_in(place) == set()


RIGHTS = """
    GRANT USAGE ON SCHEMA eport_tui TO clerk;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA eport_tui TO clerk;
    REVOKE UPDATE, DELETE ON eport_tui.ledger_entry, eport_tui.ledger_certificate FROM clerk;
"""
FROM_NOW_ON = """
    ALTER DEFAULT PRIVILEGES FOR ROLE eport IN SCHEMA eport_tui
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO clerk
"""


@pytest.mark.postgresql
@pytest.mark.parametrize("has_them_from_now_on", [False, True])
def test_who_needs_rights_anew_after_an_upgrade_is_told_of_and_nobody_else(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    has_them_from_now_on: bool,
) -> None:
    with (
        place_on("postgresql", request, tmp_path / "none", "template0") as place,
        server.connection(database_of(place)) as owner,
    ):
        with pytest.MonkeyPatch.context() as patch:
            # The next one makes a table anew.
            pretend(patch, all_migrations()[:8])
            Store.open(place).close()
        owner.execute("CREATE ROLE clerk LOGIN")
        try:
            owner.execute(RIGHTS)
            if has_them_from_now_on:
                owner.execute(FROM_NOW_ON)
            assert main(["--database", str(place), "db", "upgrade"]) == 0
            told = said(capsys)
            assert ("数据库用户clerk没有新建的表的权限" in told) == (not has_them_from_now_on)
            assert "eport没有" not in told
            if not has_them_from_now_on:
                owner.execute(RIGHTS)
            with Store.open(server.url(database_of(place), user="clerk")) as store:
                assert store.rows("SELECT count(*) FROM card_right") == [(0,)]
                assert store.users_who_lack_tables() == []
        finally:
            owner.execute("DROP OWNED BY clerk; DROP ROLE clerk")


def test_an_upgrade_makes_no_database_where_the_path_is_mistyped(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "upgrade"]) == 2
    assert "数据库不存在" in said(capsys)
    assert not path.exists()


def test_a_copy_of_an_earlier_version_can_be_made_and_restored(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch, all_migrations()[:-1])
        Store.open(path).close()
    copy = tmp_path / "copy.db"
    assert main(["db", "backup", str(copy)]) == 0
    assert main(["db", "restore", str(copy)]) == 0
    assert "备份是旧版本的，请运行 eport-tui db upgrade 升级" in said(capsys)
    with Store.open(path) as store:
        assert store.upgraded_from == migrations.latest() - 1


def test_after_an_upgrade_one_can_go_back_to_the_former_program(path: Path) -> None:
    latest = migrations.latest()
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch, all_migrations()[:-1])
        Store.open(path).close()
    assert main(["db", "upgrade"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch, all_migrations()[:-1])
        assert main(["db", "restore", str(path.with_name(f"eport.db.before-{latest}.bak"))]) == 0
        with Store.open(path, read_only=True) as store:
            assert store.schema_version == latest - 1


def test_a_copy_that_is_newer_than_the_program_is_not_put_in_place(
    path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch, all_migrations()[:-1])
        assert main(["db", "restore", str(copy)]) == 2
        assert "没有恢复：数据库的版本" in said(capsys)
    assert formers(path) == []
