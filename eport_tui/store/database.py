"""A database file: opened, created, migrated, read, and written in transactions.

Why the settings are as they are: WAL lets others read while one writes,
`synchronous=FULL` keeps an acknowledged save through a power cut, and a
transaction that begins IMMEDIATE waits for its turn instead of failing half way.
"""

# playhouse has no type stubs, so APSWDatabase and what it hands on are unknown.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUntypedBaseClass=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import apsw
from peewee import Query
from playhouse.apsw_ext import APSWDatabase

from eport_tui.domain.dates import now
from eport_tui.errors import StoreError
from eport_tui.store import migrations, models
from eport_tui.store.faults import damaged, told, told_by_system

APPLICATION_ID = 0x45505455
"""`EPTU`, in the header of every database of ours."""

PATIENCE = 5.0
"""Seconds to wait for another program that is writing."""

_LONGEST_NAP = 0.025
_MAGIC = b"SQLite format 3\0"
_MIGRATION_TABLE = """
    CREATE TABLE migration (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at TEXT NOT NULL
    ) STRICT
"""


class Store:
    """One database file, open.

    Each thread that uses a store gets a connection of its own.  Rows are read at
    any time and written inside `transaction()` only: outside of one, the
    connections are set to refuse every write.
    """

    def __init__(self, path: Path, *, read_only: bool = False, patience: float = PATIENCE) -> None:
        self.path = path
        self.read_only = read_only
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        self._database = _Database(str(path), patience=patience, flags=flags)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, patience: float = PATIENCE) -> Self:
        """Open a database; create it, or bring it up to date, unless `read_only`.

        An existing database is copied to `<name>.before-<number>.bak` before it
        is migrated.  New files can be read by their owner alone.

        Raises:
            StoreError: It cannot be used; the message says why.
        """
        store = cls(path.absolute(), read_only=read_only, patience=patience)
        try:
            with told_by_system(store.path):
                store._check_place()
                store._check_identity()
                store._migrate()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection; the store cannot be used afterwards."""
        with self._told():
            self._database.close_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def schema_version(self) -> int:
        """The number of the newest migration this database has been through."""
        sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'"
        if not self.rows(sql):
            return 0
        return self.rows("SELECT coalesce(max(number), 0) FROM migration")[0][0]

    # -- reading and writing ---------------------------------------------------

    def rows(self, sql: str, parameters: Sequence[str | int | None] = ()) -> list[tuple[Any, ...]]:
        """All rows of a fixed SELECT."""
        with self._told():
            return self._database.execute_sql(sql, parameters).fetchall()

    def iterate(
        self, sql: str, parameters: Sequence[str | int | None] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a fixed SELECT, read as they are asked for; inside a snapshot."""
        with self._told():
            yield from self._database.execute_sql(sql, parameters)

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """See the database as it is at the beginning, whatever others write meanwhile."""
        if self._database.in_transaction():
            raise RuntimeError("a snapshot in a transaction would see what is not stored yet")
        with self._told(), self._database.connection():
            # The first one that reads fixes what is seen.
            self.rows("SELECT 1 FROM sqlite_schema")
            yield

    def select(self, query: Any) -> list[tuple[Any, ...]]:
        """All rows of a query made by Peewee's builder, as tuples."""
        with self._told():
            return list(query.tuples().execute(self._database))

    @contextmanager
    def transaction(self) -> Generator[None]:
        """The one way to write: all of the block is stored, or nothing.

        Raises:
            StoreError: The database is locked for too long or cannot be written,
                or `cancel_waiting` was called meanwhile; nothing was stored.
        """
        if self._database.in_transaction():
            raise RuntimeError("transactions do not nest")
        with self._told():
            self._database.execute_sql("PRAGMA query_only = OFF")
            try:
                with self._database.atomic("immediate"):
                    yield
            finally:
                self._database.execute_sql("PRAGMA query_only = ON")

    def write(self, query: Query) -> int:
        """Run an INSERT, UPDATE or DELETE of Peewee's builder inside a transaction.

        Returns:
            The number of the new row, or how many rows were changed.
        """
        self._require_transaction()
        with self._told():
            return query.execute(self._database)

    def write_many(self, sql: str, rows: Iterable[Sequence[str | int | bytes]]) -> int:
        """Run a fixed statement once for each row inside a transaction.

        Returns:
            How many rows were changed.
        """
        self._require_transaction()
        with self._told():
            connection = self._database.connection()
            before = connection.total_changes()
            connection.cursor().executemany(sql, rows)
            return connection.total_changes() - before

    def cancel_waiting(self) -> None:
        """Make those who wait for a lock give up at once; callable from any thread."""
        self._database.cancel_waiting()

    def _require_transaction(self) -> None:
        if not self._database.in_transaction():
            raise RuntimeError("writing needs a transaction")

    def _told(self) -> AbstractContextManager[None]:
        return told(self.path, cancelled=self._database.wait_was_cancelled)

    @property
    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    # -- opening ---------------------------------------------------------------

    def _check_place(self) -> None:
        path = self.path
        # Asked first, because another process may be making both just now.
        log_exists = self._log.exists()
        if not path.exists():
            if self.read_only:
                raise StoreError("数据库不存在", hint=f"请检查路径 {path}")
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
            if not _starts_like_sqlite(self.path):
                raise StoreError("该文件不是数据库", hint=f"请检查路径 {self.path}")
        if self._is_cut_short():
            raise damaged(self.path)
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
        if not self._behind():
            return
        if self.read_only:
            raise StoreError("数据库是旧版本的，需要先升级", hint="请先正常启动一次程序")
        with self.transaction():
            # Whoever had the lock before may have done it.
            if not self._behind():
                return
            number = self.schema_version
            if number:
                with self._told():
                    _back_up(self.path, migrations.latest())
            else:
                self._database.execute_sql(_MIGRATION_TABLE)
            for migration in migrations.after(number):
                migration.apply(self._database)
                self.write(
                    models.Migration.insert(
                        number=migration.NUMBER, name=migration.NAME, applied_at=now()
                    )
                )

    def _behind(self) -> bool:
        number, latest = self.schema_version, migrations.latest()
        if number > latest:
            raise StoreError(
                f"数据库的版本{number}比程序的版本{latest}新",
                hint="请升级程序后再打开",
            )
        return number < latest


class _Patience:
    """Waits for a lock with short naps, up to a limit or until cancelled."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self.cancelled = threading.Event()

    def __call__(self, earlier_calls: int) -> bool:
        """Whether SQLite should try once more; called after each attempt that failed."""
        if earlier_calls == 0:
            self.cancelled.clear()
            self._until = time.monotonic() + self._seconds
        left = self._until - time.monotonic()
        nap = min(left, _LONGEST_NAP, 0.001 * (earlier_calls + 1))
        return left > 0 and not self.cancelled.wait(nap)


class _Database(APSWDatabase):
    """Peewee's database with our settings on every connection."""

    def __init__(self, path: str, *, patience: float, flags: int) -> None:
        self._seconds = patience
        self._open: list[tuple[apsw.Connection, _Patience]] = []
        self._own = threading.local()
        self._closed_for_good = False
        settings = {"foreign_keys": 1, "synchronous": "full", "query_only": 1}
        super().__init__(path, pragmas=settings, timeout=None, flags=flags)

    def _connect(self) -> apsw.Connection:
        if self._closed_for_good:
            raise apsw.ConnectionClosedError
        return super()._connect()

    def _add_conn_hooks(self, conn: apsw.Connection) -> None:
        patience = _Patience(self._seconds)
        conn.set_busy_handler(patience)
        self._own.patience = patience
        self._open.append((conn, patience))
        super()._add_conn_hooks(conn)

    def cancel_waiting(self) -> None:
        for _, patience in self._open:
            patience.cancelled.set()

    def wait_was_cancelled(self) -> bool:
        patience: _Patience | None = getattr(self._own, "patience", None)
        return patience is not None and patience.cancelled.is_set()

    def close_all(self) -> None:
        self._closed_for_good = True
        self.close()
        while self._open:
            self._open.pop()[0].close()


def _starts_like_sqlite(path: Path) -> bool:
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
def _new_file_beside(path: Path) -> Generator[Path]:
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
    with _new_file_beside(path) as fresh:
        connection = apsw.Connection(str(fresh))
        try:
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("journal_mode", "wal")
        finally:
            connection.close()
        with suppress(FileExistsError):
            os.link(fresh, path)


def _back_up(path: Path, number: int) -> None:
    """Copy a database as it is before it is brought to `number`."""
    with _new_file_beside(path) as fresh:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        target = apsw.Connection(str(fresh))
        try:
            with target.backup("main", source, "main") as backup:
                backup.step()
        finally:
            target.close()
            source.close()
        fresh.replace(path.with_name(f"{path.name}.before-{number}.bak"))
