"""Opening, locking, writing and failing, on real files."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from eport_tui.domain.dates import now
from eport_tui.errors import StoreError
from eport_tui.store import drafts
from eport_tui.store.database import APPLICATION_ID, Store


def write_something(store: Store, content: str = "{}") -> None:
    with store.transaction():
        drafts.put(store, "8900000000011", "screen", content, now())


def contents(store: Store) -> list[str]:
    return [content for _, content, _ in drafts.of_card(store, "8900000000011")]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    with Store.open(path) as store:
        write_something(store, "kept")
    with Store.open(path) as store:
        assert contents(store) == ["kept"]
        assert store.path == path


def _open_and_write(path: Path, number: int) -> None:
    with Store.open(path) as store, store.transaction():
        drafts.put(store, f"{number:013}", "screen", "{}", now())


def test_many_processes_may_make_a_new_database_at_once(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_open_and_write, args=(path, n)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6
    with Store.open(path) as store:
        assert store.rows("SELECT count(*) FROM draft") == [(6,)]
    assert [file.name for file in path.parent.iterdir()] == ["eport.db"]


def _count_up(path: Path, times: int) -> None:
    with Store.open(path) as store:
        for _ in range(times):
            with store.transaction():
                number = int(contents(store)[0])
                drafts.put(store, "8900000000011", "screen", str(number + 1), now())


def test_processes_that_change_the_same_row_lose_no_change(path: Path) -> None:
    with Store.open(path) as store:
        write_something(store, "0")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_count_up, args=(path, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Store.open(path) as store:
        assert contents(store) == ["100"]


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


def test_reading_only_allows_no_write(path: Path) -> None:
    with Store.open(path) as store:
        write_something(store, "kept")
    with Store.open(path, read_only=True) as store:
        assert contents(store) == ["kept"]
        with pytest.raises(StoreError, match="数据库是只读的"):
            write_something(store, "lost")


def test_outside_a_transaction_the_database_itself_refuses_to_write(path: Path) -> None:
    Store.open(path).close()
    with Store.open(path) as store:
        with pytest.raises(StoreError, match="只读"):
            store.rows("INSERT INTO draft VALUES ('8900000000011', 's', '{}', '')")
        with pytest.raises(RuntimeError):
            drafts.put(store, "8900000000011", "s", "{}", now())
        assert contents(store) == []


def test_a_transaction_within_another_is_a_mistake(store: Store) -> None:
    with store.transaction(), pytest.raises(RuntimeError), store.transaction():
        pass
    write_something(store, "still works")
    assert contents(store) == ["still works"]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with suppress(KeyError), store.transaction():
        drafts.put(store, "8900000000011", "s", "{}", now())
        raise KeyError
    assert contents(store) == []
    with pytest.raises(StoreError, match="只读"):
        store.rows("DELETE FROM draft")


def test_a_second_operator_sees_what_the_first_has_saved(path: Path, store: Store) -> None:
    with Store.open(path) as second:
        write_something(store, "first")
        assert contents(second) == ["first"]
        write_something(second, "second")
        assert contents(store) == ["second"]


def test_what_is_not_finished_is_not_seen_by_others(path: Path, store: Store) -> None:
    with Store.open(path) as second:
        with store.transaction():
            drafts.put(store, "8900000000011", "s", "{}", now())
            assert contents(second) == []
        assert contents(second) == ["{}"]


def test_a_store_can_be_used_from_another_thread(store: Store) -> None:
    write_something(store, "main")
    seen: list[str] = []

    def work() -> None:
        seen.extend(contents(store))
        write_something(store, "thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (seen, contents(store)) == (["main"], ["thread"])


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


def test_a_save_waits_for_another_one(path: Path, store: Store) -> None:
    began, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with Store.open(path) as other, other.transaction():
            drafts.put(other, "8900000000011", "screen", "first", now())
            began.set()
            may_end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    threading.Timer(0.05, may_end.set).start()
    write_something(store, "second")
    holder.join()
    assert contents(store) == ["second"]


def test_a_save_gives_up_when_another_program_keeps_the_lock(path: Path, store: Store) -> None:
    with Store.open(path, patience=0.05) as second, store.transaction():
        began = time.monotonic()
        with pytest.raises(StoreError, match="数据库正被其他程序占用，没有保存"):
            write_something(second)
        assert 0.05 <= time.monotonic() - began < 2
    write_something(second := Store.open(path), "later")
    second.close()
    assert contents(store) == ["later"]


def test_waiting_can_be_cancelled_from_another_thread(path: Path, store: Store) -> None:
    with Store.open(path, patience=30) as second, store.transaction():
        canceller = threading.Timer(0.05, second.cancel_waiting)
        canceller.start()
        began = time.monotonic()
        with pytest.raises(StoreError, match="已取消等待数据库，没有保存"):
            write_something(second)
        assert time.monotonic() - began < 5
        canceller.join()


def test_a_cancellation_does_not_reach_the_next_save(path: Path, store: Store) -> None:
    with Store.open(path, patience=0.05) as second:
        second.cancel_waiting()
        with store.transaction(), pytest.raises(StoreError, match="占用"):
            write_something(second)
        write_something(second, "next")
    assert contents(store) == ["next"]


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
