"""A database in a file, by SQLite.

Why the settings are as they are: WAL lets others read while one writes,
`synchronous=FULL` keeps an acknowledged save through a power cut, and a
transaction that begins IMMEDIATE waits for its turn instead of failing half way.
"""

# What APSW takes and returns is known in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from eport_tui.errors import StoreError
from eport_tui.store import faults, migrations
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.faults import Told, fault, told_by_system
from eport_tui.store.holding import Names
from eport_tui.store.turns import turn

if TYPE_CHECKING:
    from peewee import Database

APPLICATION_ID = 0x45505455
"""`EPTU`, in the header of every database of ours."""

_LONGEST_NAP = 0.025
_TICK = 100_000_000  # nanoseconds, and more than any
_FIRST = "；尚未建立的，用 eport-tui registry import 建立，或用 eport-tui demo 试用"
_NO_TEXT: Told = ("数据库的路径不是UTF-8文字", "请把 {place} 改名，或另选路径")
_MAGIC = b"SQLite format 3\0"
_MIGRATION_TABLE = """
    CREATE TABLE migration (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at TEXT NOT NULL
    ) STRICT
"""

_TOLD: dict[type[apsw.Error], Told] = {
    apsw.BusyError: faults.LOCKED,
    apsw.LockedError: faults.LOCKED,
    apsw.FullError: faults.FULL,
    apsw.ReadOnlyError: faults.READ_ONLY,
    apsw.PermissionsError: faults.NO_ACCESS,
    apsw.AuthError: faults.NO_ACCESS,
    apsw.CantOpenError: ("无法打开数据库", "请检查 {place} 是否存在、能否读写"),
    apsw.NotADBError: faults.DAMAGED,
    apsw.CorruptError: faults.DAMAGED,
    # Statements are the program's own, so what is wrong is what they speak of.
    apsw.SQLError: faults.ALTERED,
    apsw.IOError: faults.DISK,
    apsw.ConstraintError: faults.REFUSED,
    apsw.ConnectionClosedError: faults.CLOSED,
    apsw.CursorClosedError: faults.CLOSED,
}


def _never() -> bool:
    return False


@contextmanager
def told(path: Path, *, cancelled: Callable[[], bool] = _never) -> Generator[None]:
    """Turn the errors of SQLite that leave this block into `StoreError`.

    Args:
        path: The database, for the hints.
        cancelled: Whether the last wait for a lock was given up on request.
    """
    try:
        yield
    except Exception as error:
        # Peewee wraps the errors of apsw in its own, several times over, and keeps them here.
        cause: object = error
        while (wrapped := getattr(cause, "orig", None)) is not None:
            cause = wrapped
        if isinstance(cause, UnicodeEncodeError):
            raise fault(_NO_TEXT, "", path) from error
        if not isinstance(cause, apsw.Error):
            raise
        found = next((told for kind, told in _TOLD.items() if isinstance(cause, kind)), None)
        if found is faults.LOCKED and cancelled():
            found = faults.CANCELLED
        code = getattr(cause, "extendedresult", type(cause).__name__)
        raise fault(found, code, path) from error


class SqliteStore(Store):
    """A database file, open."""

    def __init__(self, path: Path, *, read_only: bool, create: bool, patience: float) -> None:
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        super().__init__(path, read_only=read_only)
        self._connections = _Connections(str(path), patience=patience, flags=flags)
        self.path = path
        self._may_create = create and not read_only
        # Looked at once a second for as long as the program runs, and so not as a `Path`.
        self._log_name = f"{path}-wal"
        self._for_peewee: Database | None = None
        self._commits = 0
        self._names = Names(str(path))

    def close(self) -> None:
        self._names.let_all_go()
        with self._told():
            self._connections.close_all()

    @property
    def _database(self) -> Database:
        if self._for_peewee is None:
            # A start does without Peewee, which takes longer than all else in opening.
            from eport_tui.store.builder import ApswConnections

            self._for_peewee = ApswConnections(self._connections.of_this_thread)
        return self._for_peewee

    def _in_transaction(self) -> bool:
        return self._connections.in_transaction()

    # -- reading and writing ---------------------------------------------------

    def rows(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> list[tuple[Any, ...]]:
        # A block would take a tenth of what a short SELECT takes.
        try:
            return self._connections.reader().execute(sql, parameters).fetchall()
        except apsw.Error:
            with self._told():
                raise

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._require_no_transaction()
        with self._told():
            patience = self._connections.patience()
            patience.start()
            self._connections.execute_sql("PRAGMA query_only = OFF")
            try:
                # SQLite has no lock on its log, which is there as long as anybody is.
                with turn(self._log, patience.until, patience.cancelled.is_set):
                    if patience.cancelled.is_set():
                        raise fault(faults.CANCELLED, "", self.path)
                    with self._connections.atomic("immediate"):
                        patience.finish()
                        yield
            finally:
                patience.finish()
                self._connections.execute_sql("PRAGMA query_only = ON")
            self._commits += 1

    @contextmanager
    def snapshot(self) -> Generator[None]:
        self._require_no_transaction()
        with self._told(), self._connections.atomic("deferred"):
            # The first one that reads fixes what is seen.
            self.rows("SELECT 1 FROM sqlite_schema LIMIT 1")
            yield

    def iterate(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> Iterator[tuple[Any, ...]]:
        with self._told():
            yield from self._connections.execute_sql(sql, parameters)

    def write_many(self, sql: str, rows: Iterable[Sequence[str | int | bytes | None]]) -> int:
        self._require_transaction()
        with self._told():
            connection = self._connections.of_this_thread()
            cursor, changed = connection.cursor(), 0
            for row in rows:
                cursor.execute(sql, row)
                # Not `total_changes`, which counts what triggers and foreign keys do, too.
                changed += connection.changes()
            return changed

    def change_counter(self) -> tuple[int, int]:
        # SQLite's own counter tells of the commits of other connections alone.
        return self.rows("PRAGMA data_version")[0][0], self._commits

    def trace_of_changes(self) -> tuple[int, int, int] | None:
        try:
            log = os.stat(self._log_name)
        except OSError:
            return None
        # The clock of files goes by ticks: what was just written to may be so again in the same.
        is_old = time.time_ns() - log.st_mtime_ns > _TICK
        return (log.st_ino, log.st_size, log.st_mtime_ns) if is_old else None

    def hold(self, name: str) -> None:
        self._names.hold(name)

    def let_go(self, name: str) -> None:
        self._names.let_go(name)

    def held(self, names: Iterable[str]) -> set[str]:
        return self._names.held(names)

    def cancel_waiting(self) -> None:
        self._connections.cancel_waiting()

    def _told(self) -> AbstractContextManager[None]:
        return told(self.path, cancelled=self._connections.wait_was_cancelled)

    # -- tables ----------------------------------------------------------------

    def tables(self) -> set[str]:
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return {name for (name,) in self.rows(sql)}

    def columns(self, table: str) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM pragma_table_info(?)", (table,))]

    def numbers_given(self) -> dict[str, int]:
        return dict(self.rows("SELECT name, seq FROM sqlite_sequence"))

    def give_numbers_after(self, table: str, number: int) -> None:
        # Other tables begin after the highest number that stands.
        sql = "SELECT 1 FROM sqlite_schema WHERE name = ? AND sql LIKE '% AUTOINCREMENT%'"
        if self.rows(sql, (table,)):
            self.write_many("DELETE FROM sqlite_sequence WHERE name = ?", [(table,)])
            self.write_many("INSERT INTO sqlite_sequence VALUES (?, ?)", [(table, number)])

    # -- opening ---------------------------------------------------------------

    @property
    def _log(self) -> Path:
        return Path(self._log_name)

    def _prepare(self) -> None:
        self.require_ours()
        with told_by_system(self.path):
            if self._behind():
                self.transact(self._migrate, done=harmless_twice)

    def require_ours(self) -> None:
        """See that the file is a database of ours, of whatever version, and not cut short.

        Raises:
            StoreError: It is not, or cannot be used.
        """
        with told_by_system(self.path):
            self._check_place()
            self._check_identity()

    def _check_place(self) -> None:
        path = self.path
        # Asked first, because another process may be making both just now.
        log_exists = self._log.exists()
        if not path.exists():
            if not self._may_create:
                raise StoreError("数据库不存在", hint=f"请检查路径 {path}{_FIRST}")
            if log_exists:
                # SQLite would work the log of the lost database into the new one.
                raise StoreError(
                    "数据库文件不见了，而它的日志还在", hint=f"请找回 {path}，或删除 {self._log}"
                )
            with self._told():
                _create(path)
        if path.is_dir():
            raise StoreError("数据库路径是一个文件夹", hint=f"请在 {path} 后加上文件名")
        if not path.is_file():
            raise StoreError("数据库路径不是普通文件", hint=f"请检查路径 {path}")
        if path.stat().st_size == 0:
            # We never leave an empty file behind, so this one has lost its contents.
            raise StoreError("数据库文件是空的", hint=f"请用备份恢复 {path}，或删除它以新建")
        if not os.access(path, os.R_OK):
            raise StoreError("没有权限读取数据库文件", hint=f"请检查 {path} 的读权限")
        if self.read_only:
            return
        if not os.access(path, os.W_OK):
            raise StoreError("数据库文件是只读的", hint=f"请检查 {path} 的写权限")
        if not os.access(path.parent, os.W_OK):
            raise StoreError("数据库所在的文件夹是只读的", hint=f"请检查 {path.parent} 的写权限")

    def _check_identity(self) -> None:
        with self._told():
            if not starts_like_sqlite(self.path):
                raise StoreError("该文件不是数据库", hint=f"请检查路径 {self.path}")
        if self._is_cut_short():
            raise fault(faults.DAMAGED, "", self.path)
        if self.rows("PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise StoreError("该文件是其他程序的数据库", hint=f"请检查路径 {self.path}")
        # Only now, because it would change the file of another program.
        if not self.read_only and self.rows("PRAGMA journal_mode") != [("wal",)]:
            self.rows("PRAGMA journal_mode = WAL")

    def _is_cut_short(self) -> bool:
        """Whether the end is missing; SQLite itself overlooks less than a page."""
        pages, page_size = (
            self.rows(f"PRAGMA {name}")[0][0] for name in ("page_count", "page_size")
        )
        # With a log, the file may be short until the log is worked into it.
        if self._log.exists() and self._log.stat().st_size:
            return False
        return self.path.stat().st_size < max(pages, 1) * page_size

    def _migrate(self) -> None:
        # Whoever had the lock before may have done it.
        if not self._behind():
            return
        self.upgraded_from = self.schema_version
        if self.upgraded_from:
            with self._told():
                _copy_before(self.path, migrations.latest())
        else:
            self._connections.execute_sql(_MIGRATION_TABLE)
        self._apply_migrations(self._connections)


class _Patience:
    """Waits for a lock with short naps, up to a limit or until cancelled."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_started = False
        self.until = 0.0
        self.cancelled = threading.Event()

    def start(self) -> None:
        """Let all waits until `finish` be one."""
        self._has_started = True
        self.cancelled.clear()
        self.until = time.monotonic() + self._seconds

    def finish(self) -> None:
        """Let each further wait be one of its own."""
        self._has_started = False

    def __call__(self, earlier_calls: int) -> bool:
        """Whether SQLite should try once more; called after each attempt that failed."""
        if earlier_calls == 0 and not self._has_started:
            self.start()
            self.finish()
        left = self.until - time.monotonic()
        nap = min(left, _LONGEST_NAP, 0.001 * (earlier_calls + 1))
        return left > 0 and not self.cancelled.wait(nap)


class _Own(threading.local):
    """What each thread has for itself."""

    connection: apsw.Connection | None = None
    reader: apsw.Cursor | None = None
    patience: _Patience
    is_inside = False


class _Connections:
    """A connection for each thread, with our settings."""

    def __init__(self, path: str, *, patience: float, flags: int) -> None:
        self._path, self._flags, self._seconds = path, flags, patience
        self._open: list[tuple[apsw.Connection, _Patience]] = []
        self._own = _Own()
        self._closed_for_good = False

    def of_this_thread(self) -> apsw.Connection:
        connection = self._own.connection
        if connection is None:
            connection = self._own.connection = self._connect()
        return connection

    def reader(self) -> apsw.Cursor:
        """A cursor for what is read at once and whole: a new one costs as much as a row."""
        reader = self._own.reader
        if reader is None:
            reader = self._own.reader = self.of_this_thread().cursor()
        return reader

    def _connect(self) -> apsw.Connection:
        if self._closed_for_good:
            raise apsw.ConnectionClosedError
        connection = apsw.Connection(self._path, flags=self._flags)
        patience = _Patience(self._seconds)
        connection.set_busy_handler(patience)
        # Else SQLite prepares many a statement anew each time that it is given values.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._own.patience = patience
        self._open.append((connection, patience))
        for name, value in {"foreign_keys": 1, "synchronous": "full", "query_only": 1}.items():
            connection.pragma(name, value)
        return connection

    def execute_sql(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> apsw.Cursor:
        return self.of_this_thread().execute(sql, parameters)

    @contextmanager
    def atomic(self, kind: str) -> Generator[None]:
        """A transaction around the block; it is one as a whole, or nothing."""
        connection = self.of_this_thread()
        connection.execute(f"BEGIN {kind}")
        self._own.is_inside = True
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # Some faults end a transaction by themselves.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            self._own.is_inside = False

    def in_transaction(self) -> bool:
        return self._own.is_inside

    def patience(self) -> _Patience:
        """That of this thread's connection."""
        self.of_this_thread()
        return self._own.patience

    def cancel_waiting(self) -> None:
        for _, patience in self._open:
            patience.cancelled.set()

    def wait_was_cancelled(self) -> bool:
        patience: _Patience | None = getattr(self._own, "patience", None)
        return patience is not None and patience.cancelled.is_set()

    def close_all(self) -> None:
        self._closed_for_good = True
        while self._open:
            self._open.pop()[0].close()


def starts_like_sqlite(path: Path) -> bool:
    """Whether a file begins as databases of SQLite do; an empty one does."""
    # Through SQLite's own file layer: to open and close the file in any other way
    # would drop the locks that this process may hold on it.
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB
    file = apsw.VFSFile("", str(path), [flags, 0])
    try:
        start = file.xRead(min(len(_MAGIC), file.xFileSize()), 0)
    finally:
        file.xClose()
    return _MAGIC.startswith(start)


@contextmanager
def new_file_beside(path: Path) -> Generator[Path]:
    """A file that only its owner can read, removed at the end unless it was moved."""
    fresh = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    # SQLite gives its -wal and -shm files the mode of the database.
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _create(path: Path) -> None:
    """Put an empty database of ours at `path`, unless another process was faster.

    It is made elsewhere and linked into place, so that nobody ever meets one that
    is half made, or an empty file that might be a database cut to nothing.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new_file_beside(path) as fresh:
        connection = apsw.Connection(str(fresh))
        try:
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("journal_mode", "wal")
        finally:
            connection.close()
        with suppress(FileExistsError):
            os.link(fresh, path)


def copy_before(path: Path, number: int) -> Path:
    """What the copy is called that is made before a database is brought to `number`."""
    return path.with_name(f"{path.name}.before-{number}.bak")


def _copy_before(path: Path, number: int) -> None:
    with new_file_beside(path) as fresh:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        target = apsw.Connection(str(fresh))
        try:
            with target.backup("main", source, "main") as backup:
                backup.step()
        finally:
            target.close()
            source.close()
        fresh.replace(copy_before(path, number))
