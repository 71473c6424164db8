"""Database files: opening, locking and failing."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from eport_tui.errors import StoreError
from eport_tui.store import permissions
from eport_tui.store.database import Store
from eport_tui.store.sqlite import APPLICATION_ID
from tests.store.writing import contents, write_something


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_decision_is_not_prepared_anew_for_each_card(store: Store) -> None:
    """That would take longer than to read it."""
    prepared: list[int] = []

    def look(*_: object) -> int:
        # SQLite asks for leave while it prepares a statement, and only then.
        prepared.append(1)
        return apsw.SQLITE_OK

    store._database.connection().set_authorizer(look)
    counts: list[int] = []
    for card in ("8900000000011", "8900000000022", "8900000000033"):
        permissions.decision_rows(
            store, principal="3101940001", agent="3101980002", subsystem="95", card_number=card
        )
        counts.append(len(prepared))
    assert counts[0] > 0
    assert counts == [counts[0]] * 3


def refusal(path: Path, *, read_only: bool = False) -> StoreError:
    """Why a database is not opened; every reason must come with a way on."""
    with pytest.raises(StoreError) as caught:
        Store.open(path, read_only=read_only, patience=0)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def ordinary_user() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run something in a child process to which file permissions apply (root ignores them)."""

    def run(task: Callable[[], None]) -> None:
        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:
                    os.setgid(65534)
                    os.setuid(65534)
                task()
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return run


# -- a new database ------------------------------------------------------------


def test_a_new_database_is_private_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "eport.db"
    old = os.umask(0)
    try:
        with Store.open(path) as store:
            write_something(store)
            files = sorted(path.parent.iterdir())
            modes = {file.name: mode(file) for file in files}
    finally:
        os.umask(old)
    assert modes == {"eport.db": 0o600, "eport.db-shm": 0o600, "eport.db-wal": 0o600}
    assert mode(path.parent) == 0o700


def test_settings_that_keep_a_save_through_a_power_cut(store: Store) -> None:
    assert store.rows("PRAGMA journal_mode") == [("wal",)]
    assert store.rows("PRAGMA synchronous") == [(2,)]
    assert store.rows("PRAGMA foreign_keys") == [(1,)]
    assert store.rows("PRAGMA application_id") == [(APPLICATION_ID,)]


# -- places that cannot hold one -------------------------------------------------


def test_a_text_file_is_no_database(path: Path) -> None:
    path.write_text("企业编号,企业名称\n" * 500, encoding="utf-8")
    before = path.read_bytes()
    assert refusal(path).message == "该文件不是数据库"
    assert path.read_bytes() == before


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    assert refusal(path).message == "该文件是其他程序的数据库"
    assert path.read_bytes() == before


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path).message == "数据库路径是一个文件夹"


def test_a_device(tmp_path: Path) -> None:
    assert refusal(Path("/dev/null")).message == "数据库路径不是普通文件"


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "eport.db").message.startswith("无法建立文件夹")


def test_an_empty_file_is_not_taken_for_a_new_database(path: Path) -> None:
    path.touch()
    assert refusal(path).message == "数据库文件是空的"


@pytest.mark.parametrize("length", [1, 15, 16, 99, 100, 512, 4095, 4096, 4097, 20480, -4096, -1])
def test_a_truncated_database_is_refused_and_kept(path: Path, length: int) -> None:
    with Store.open(path) as store:
        write_something(store)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    assert refusal(path).message == "数据库已损坏或不完整"
    assert path.read_bytes() == whole[:length]


def test_a_database_whose_log_was_not_worked_in_yet_is_not_taken_for_truncated(
    path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with Store.open(path) as store:
        write_something(store, "in the log")
        for suffix in ("", "-wal"):
            (tmp_path / f"copy.db{suffix}").write_bytes(
                (tmp_path / f"eport.db{suffix}").read_bytes()
            )
    with Store.open(copy) as store:
        assert contents(store) == ["in the log"]


def test_the_log_of_a_lost_database_is_not_worked_into_a_new_one(path: Path) -> None:
    log = path.with_name("eport.db-wal")
    with Store.open(path) as store:
        write_something(store)
        kept = log.read_bytes()
    path.unlink()
    log.write_bytes(kept)
    assert refusal(path).message == "数据库文件不见了，而它的日志还在"
    assert (path.exists(), log.read_bytes()) == (False, kept)


def test_a_page_that_was_overwritten_is_told_when_it_is_read(path: Path) -> None:
    with Store.open(path) as store:
        write_something(store)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="数据库已损坏或不完整"):
        contents(Store.open(path))


def test_a_missing_database_is_not_made_for_reading_only(path: Path) -> None:
    assert refusal(path, read_only=True).message == "数据库不存在"
    assert not path.exists()


def test_a_database_that_may_not_be_read(
    path: Path, ordinary_user: Callable[[Callable[[], None]], None]
) -> None:
    Store.open(path).close()
    path.chmod(0o000)
    _let_others_reach(path)

    def task() -> None:
        assert refusal(path).message == "没有权限读取数据库文件"

    ordinary_user(task)


def test_a_database_that_may_not_be_written(
    path: Path, ordinary_user: Callable[[Callable[[], None]], None]
) -> None:
    Store.open(path).close()
    path.chmod(0o444)
    _let_others_reach(path)

    def task() -> None:
        assert refusal(path).message == "数据库文件是只读的"

    ordinary_user(task)


def test_a_folder_that_may_not_be_written(
    path: Path, ordinary_user: Callable[[Callable[[], None]], None]
) -> None:
    Store.open(path).close()
    path.chmod(0o666)
    _let_others_reach(path)

    def task() -> None:
        assert refusal(path).message == "数据库所在的文件夹是只读的"
        assert refusal(path.parent / "other.db").message == "没有权限打开数据库"

    path.parent.chmod(0o555)
    try:
        ordinary_user(task)
    finally:
        path.parent.chmod(0o755)


def _let_others_reach(path: Path) -> None:
    for folder in path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o555)


# -- reading and writing ---------------------------------------------------------


def test_a_closed_store_says_so_and_leaves_one_file(path: Path) -> None:
    store = Store.open(path)
    thread = threading.Thread(target=contents, args=(store,))
    thread.start()
    thread.join()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["eport.db"]
    with pytest.raises(StoreError, match="数据库已关闭"):
        contents(store)


# -- waiting for others ------------------------------------------------------------


def test_opening_a_database_that_another_program_has_to_itself(path: Path) -> None:
    Store.open(path).close()
    other = apsw.Connection(str(path))
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    assert refusal(path).message.startswith("数据库正被其他程序占用")
    other.close()


# -- disks -----------------------------------------------------------------------


class _FailingFile(apsw.VFSFile):
    error: type[apsw.Error] | None = None

    def xWrite(self, data: bytes, offset: int) -> None:
        if _FailingFile.error:
            raise _FailingFile.error
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:
        if _FailingFile.error is apsw.IOError:
            raise apsw.IOError
        return super().xRead(amount, offset)


class _FailingDisk(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("failing", base="", makedefault=True)

    def xOpen(self, name: object, flags: list[int]) -> _FailingFile:
        return _FailingFile("unix", name, flags)


@contextmanager
def failing_disk() -> Iterator[None]:
    """Every file that is opened in this block fails when `_FailingFile.error` says so."""
    disk = _FailingDisk()
    try:
        yield
    finally:
        _FailingFile.error = None
        disk.unregister()


@pytest.mark.parametrize(
    ("error", "message"),
    [(apsw.FullError, "磁盘空间已满，没有保存"), (apsw.IOError, "读写磁盘出错，没有保存")],
)
def test_a_disk_that_fails_loses_nothing_that_was_there(
    path: Path, error: type[apsw.Error], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with failing_disk(), Store.open(path) as store:
        write_something(store, "before")
        _FailingFile.error = error
        with pytest.raises(StoreError, match=message):
            write_something(store, "lost" * 100_000)
        _FailingFile.error = None
        assert contents(store) == ["before"]
        write_something(store, "after")
    with Store.open(path) as store:
        assert contents(store) == ["after"]
    capfd.readouterr()


def test_a_full_disk_is_told_when_the_database_is_to_be_made(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with failing_disk():
        _FailingFile.error = apsw.FullError
        assert refusal(path).message == "磁盘空间已满，没有保存"
        _FailingFile.error = None
    assert list(path.parent.iterdir()) == []
    Store.open(path).close()
    capfd.readouterr()


def test_a_database_that_may_not_grow_further(store: Store) -> None:
    store.rows("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="磁盘空间已满"):
        write_something(store, "x" * 1_000_000)
    assert contents(store) == []
