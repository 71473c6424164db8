"""A database: opened, brought up to date, read, and written in transactions.

What holds on either engine is here; `store.sqlite` and `store.postgres` have the rest,
and only the one that is used is imported.  SQL is written once for both, with `?` for
values: `docs/postgresql.md` has the rules.
"""

# Peewee's stubs leave much untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import migrations
from eport_tui.store.faults import GivenUp, InDoubt

if TYPE_CHECKING:
    from peewee import Database, Query

PATIENCE = 5.0
"""Seconds to wait for another program that is writing."""

_ATTEMPTS = 5
_FIRST_PAUSE = 0.01
"""Seconds before work that was given up is done anew; twice as long each time."""

_T = TypeVar("_T")


def harmless_twice() -> None:
    """For `transact`: the work comes out the same when it is done once more."""


class Store:
    """One database, open.

    Each thread that uses a store gets a connection of its own.  Rows are read at
    any time and written inside `transaction()` only: outside of one, the
    connections are set to refuse every write.

    Each engine has a class of its own; `open` chooses it.

    Attributes:
        tells_of_changes: Whether `wait_for_change` can be used.
        upgraded_from: The version from which it was brought up to date when it was
            opened, 0 where nothing was there; none where that was not needed.
    """

    tells_of_changes: ClassVar[bool] = False
    upgraded_from: int | None = None

    def __init__(self, place: Place, *, read_only: bool) -> None:
        self.place = place
        self.read_only = read_only

    @staticmethod
    def open(
        place: Place,
        *,
        read_only: bool = False,
        create: bool = True,
        patience: float = PATIENCE,
    ) -> Store:
        """Open a database; create it, or bring it up to date, unless `read_only`.

        Args:
            place: Its file, or its server.
            create: Whether a file that is not there is made.
            patience: Seconds to wait for another program that is writing.

        Raises:
            StoreError: It cannot be used; the message says why.
        """
        store = _of_engine(place, read_only, create, patience)
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def schema_version(self) -> int:
        """The number of the newest migration this database has been through."""
        if "migration" not in self.tables():
            return 0
        return self.rows("SELECT coalesce(max(number), 0) FROM migration")[0][0]

    # -- reading and writing ---------------------------------------------------

    def rows(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a fixed SELECT."""
        with self._told():
            return self._database.execute_sql(sql, parameters).fetchall()

    def iterate(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a fixed SELECT, read as they are asked for; inside a snapshot."""
        raise NotImplementedError

    def select(self, query: Any) -> list[tuple[Any, ...]]:
        """All rows of a query made by Peewee's builder, as tuples."""
        with self._told():
            return list(query.tuples().execute(self._database))

    def transact(
        self, work: Callable[[], _T], *, done: Callable[[], _T | None] | None = None
    ) -> _T:
        """The one way to write: all that `work` does is stored, or nothing.

        Where the database gives the transaction up, for another program's or because
        the connection is lost on the way, the work is done anew from its beginning,
        five times at most.

        Args:
            work: Reads and writes.  As it may be run more than once, it changes nothing
                but this database.
            done: Asked in the next transaction, when the connection was lost at the very
                commit: what the work gave if it was stored, none if it was not and is to
                be done anew; `harmless_twice` where that makes no difference.  Without
                it nothing is done anew then.

        Returns:
            What `work` gave.

        Raises:
            GivenUp: Each time; nothing was stored.
            InDoubt: It could not be found out whether it was stored.
            StoreError: As `transaction`; nothing was stored.
        """
        return self._until_stored(self.transaction, work, done)

    def transaction(self) -> AbstractContextManager[None]:
        """One attempt of `transact`: all of the block is stored, or nothing.

        One transaction has its turn after the other, whichever program begins it, so
        what the block reads stays so until it ends.

        Raises:
            StoreError: The database is locked for too long or cannot be written,
                or `cancel_waiting` was called meanwhile; nothing was stored.
            GivenUp: The same, and it may be done anew at once.
            InDoubt: The connection was lost at the commit.
        """
        raise NotImplementedError

    def snapshot(self) -> AbstractContextManager[None]:
        """See the database as it is at the beginning, whatever others write meanwhile.

        Nothing can be written in the block.
        """
        raise NotImplementedError

    def write(self, query: Query) -> int:
        """Run an INSERT, UPDATE or DELETE of Peewee's builder inside a transaction.

        Returns:
            The number of the new row, or how many rows were changed.
        """
        self._require_transaction()
        with self._told():
            return query.execute(self._database)

    def write_many(self, sql: str, rows: Iterable[Sequence[str | int | bytes | None]]) -> int:
        """Run a fixed statement once for each row inside a transaction.

        Args:
            rows: The values; they are not read from this store while they are written.

        Returns:
            How many rows were changed.
        """
        raise NotImplementedError

    def change_counter(self) -> Hashable:
        """What is another value after each commit, of this program or another one.

        Only good to be compared with an earlier value that the same thread got.
        """
        raise NotImplementedError

    def wait_for_change(self, seconds: float | None = None) -> bool:
        """Wait until somebody else has committed, in a thread of its own.

        A hint, to look at `change_counter` at once: it may be lost, and comes only while
        another thread goes on asking for that now and then.

        Args:
            seconds: How long at most; for ever where None.

        Returns:
            Whether there was a hint.

        Raises:
            StoreError: The store was closed.
        """
        raise NotImplementedError

    def trace_of_changes(self) -> Hashable | None:
        """What is another value after each commit, and may be so without; None if not known.

        Cheaper than `change_counter`, and of the same worth in every thread.
        """
        return None

    def hold(self, name: str) -> None:
        """Hold a name until it is let go, the store is closed or the process is gone.

        For one thread, which also lets go.  Nothing is written for it, and whoever looks at
        `held`, from another machine as well, sees it at once.  A lost connection lets it go until
        `hold_again`.

        Args:
            name: Up to 64 hexadecimal digits, which nobody else has.

        Raises:
            StoreError: The database is out of reach.
        """
        raise NotImplementedError

    @property
    def has_lost_hold(self) -> bool:
        """Whether a name is held no longer, or not yet, because a connection was lost.

        Asks nobody, and is callable from any thread: where somebody is in `wait_for_change`, the
        end of a connection is noticed by itself.
        """
        return False

    def hold_again(self) -> None:
        """Hold what a lost connection has let go; `change_counter` does so as well.

        Raises:
            StoreError: The database is out of reach.
        """

    def let_go(self, name: str) -> None:
        """Hold a name no longer; one that is not held is no fault.

        Raises:
            StoreError: The database is out of reach.
        """
        raise NotImplementedError

    def held(self, names: Iterable[str]) -> set[str]:
        """Which of some names anybody holds, this store included.

        Raises:
            StoreError: The database is out of reach.
        """
        raise NotImplementedError

    def cancel_waiting(self) -> None:
        """Make those who wait for a lock give up at once; callable from any thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection; the store cannot be used afterwards."""
        raise NotImplementedError

    # -- tables ----------------------------------------------------------------

    def tables(self) -> set[str]:
        """The names of its tables, without those of the engine."""
        raise NotImplementedError

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, in their order."""
        raise NotImplementedError

    def numbers_given(self) -> dict[str, int]:
        """The highest number that was given to a row, by table, if it was deleted since or not."""
        raise NotImplementedError

    def give_numbers_after(self, table: str, number: int) -> None:
        """Give the rows of a table higher numbers from now on, inside a transaction."""
        raise NotImplementedError

    def users_who_lack_tables(self) -> list[str]:
        """The users, without the owner, who may use some of the tables and not all, by name.

        Those of a database server, where a right holds for the table that was there when it was
        given; a file has none.
        """
        return []

    # -- opening ---------------------------------------------------------------

    def _prepare(self) -> None:
        """See that it can be used, and bring it up to date."""
        raise NotImplementedError

    def _until_stored(
        self,
        begin: Callable[[], AbstractContextManager[None]],
        work: Callable[[], _T],
        done: Callable[[], _T | None] | None,
    ) -> _T:
        """As `transact`, in transactions that `begin` begins."""
        doubt: InDoubt | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                with begin():
                    if doubt is not None and done is not None:
                        # Whoever has the turn knows that the lost transaction has ended.
                        if (found := done()) is not None:
                            return found
                        doubt = None
                    return work()
            except InDoubt as fault:
                if done is None or attempt == _ATTEMPTS:
                    raise
                doubt = fault
            except StoreError as fault:
                if not isinstance(fault, GivenUp) or attempt == _ATTEMPTS:
                    # What went wrong since says nothing about what may have been stored.
                    if doubt is not None:
                        raise doubt from fault
                    raise
                time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))

    @property
    def _database(self) -> Database:
        """The same connections for Peewee, which is imported when it is first used."""
        raise NotImplementedError

    def _in_transaction(self) -> bool:
        return self._database.in_transaction()

    def _told(self) -> AbstractContextManager[None]:
        """Turn the engine's errors that leave the block into `StoreError`."""
        raise NotImplementedError

    def _require_transaction(self) -> None:
        if not self._in_transaction():
            raise RuntimeError("writing needs a transaction")

    def _require_no_transaction(self) -> None:
        if self._in_transaction():
            raise RuntimeError("transactions do not nest")

    def _apply_migrations(self, schema: migrations.Schema) -> None:
        from eport_tui.store import models

        for migration in migrations.after(self.schema_version):
            migration.apply(schema)
            self.write(
                models.Migration.insert(
                    number=migration.NUMBER, name=migration.NAME, applied_at=now()
                )
            )

    def _behind(self) -> bool:
        """Whether there are migrations to be done.

        Raises:
            StoreError: The database is newer than the program, or to be read only.
        """
        self.require_known_version()
        is_behind = self.schema_version < migrations.latest()
        if is_behind and self.read_only:
            raise StoreError("数据库是旧版本的，需要先升级", hint="请运行 eport-tui db upgrade")
        return is_behind

    def require_known_version(self) -> None:
        """See that the program knows this version, or an older one.

        Raises:
            StoreError: The database is newer than the program.
        """
        number, latest = self.schema_version, migrations.latest()
        if number > latest:
            raise StoreError(
                f"数据库的版本{number}比程序的版本{latest}新",
                hint="请升级程序后再打开",
            )


def _of_engine(place: Place, read_only: bool, create: bool, patience: float) -> Store:
    if isinstance(place, Path):
        from eport_tui.store.sqlite import SqliteStore

        return SqliteStore(place.absolute(), read_only=read_only, create=create, patience=patience)
    try:
        from eport_tui.store.postgres import PostgresStore
    except ImportError as error:
        raise StoreError(
            "没有安装使用PostgreSQL所需的组件",
            hint="请管理员按 docs/postgresql.md 安装 psycopg",
        ) from error
    return PostgresStore(place, read_only=read_only, patience=patience)
