"""A database on a PostgreSQL server, by psycopg 3.

All is in a schema of its own.  Writers have their turns by a lock that each transaction
takes first, so it sees all that was committed before it, and READ COMMITTED is as good
for it as SQLite's IMMEDIATE.  The commits are counted in the row of the table `turn`,
and each is notified, which is a hint and no more.
"""

# Peewee's stubs leave much untyped, and psycopg's ask for statements that are literals.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportArgumentType=false

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from eport_tui.domain.places import ServerUrl
from eport_tui.errors import StoreError
from eport_tui.store.alone import peewee
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.dialect import in_psycopgs_words
from eport_tui.store.postgres_connections import (
    READING,
    SCHEMA,
    WRITING,
    Connections,
    Definitions,
)
from eport_tui.store.postgres_faults import Faults
from eport_tui.store.postgres_hints import Hints

_MIGRATING = 0x45505455
"""Of the advisory lock for those who bring a database up to date."""

_TURN = _MIGRATING + 1
"""Of the one for those who write."""

_NAMES = _MIGRATING + 2
"""The first of the two keys of the advisory locks by which names are held."""

# The lock of a row goes to whoever asks at the right moment, an advisory one to whoever
# has waited longest; all in one statement, because the server may be far away.
_TAKE_TURN = f"""
    UPDATE turn SET number = number + 1 WHERE pg_advisory_xact_lock({_TURN}) IS NOT NULL
    RETURNING pg_notify('{SCHEMA}', '')
"""
_BEFORE_ALL = (
    """
    CREATE TABLE migration (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE turn (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        number INTEGER NOT NULL
    ) STRICT
    """,
    "INSERT INTO turn VALUES (1, 0)",
    # The bytes of a value as SQLite has them, for `CAST(... AS BLOB)`.
    "CREATE FUNCTION blob(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
    "CREATE FUNCTION blob(text) RETURNS bytea IMMUTABLE LANGUAGE sql"
    " AS 'SELECT convert_to($1, ''UTF8'')'",
    "CREATE FUNCTION blob(bigint) RETURNS bytea IMMUTABLE LANGUAGE sql"
    " AS 'SELECT convert_to(CAST($1 AS text), ''UTF8'')'",
    # The lesser and the greater of two, which PostgreSQL calls otherwise.
    *(
        f"CREATE FUNCTION {name}({kind}, {kind}) RETURNS {kind} IMMUTABLE STRICT LANGUAGE sql"
        f" AS 'SELECT CASE WHEN $1 {sign} $2 THEN $1 ELSE $2 END'"
        for name, sign in (("min", "<="), ("max", ">="))
        for kind in ("text", "bigint")
    ),
)

_PAGE = 2000
_numbers = count(1)


class PostgresStore(Store):
    """A database on a server, open."""

    tells_of_changes = True

    def __init__(self, url: ServerUrl, *, read_only: bool, patience: float) -> None:
        self._connections = Connections(url, patience=patience)
        self._hints = Hints()
        self._faults = Faults(url)
        # Each name that is held, and the connection on which it is.
        self._held: dict[str, psycopg.Connection[Any] | None] = {}
        super().__init__(url, read_only=read_only)

    @property
    def _database(self) -> peewee.Database:
        return self._connections

    def close(self) -> None:
        self._hints.end()
        with self._told():
            self._connections.close_all()

    # -- reading and writing ---------------------------------------------------

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._require_no_transaction()
        # The server refuses to take the turn of one who may only read.
        how = READING if self.read_only else WRITING
        with self._told(), self._connections.atomic(how, _TAKE_TURN):
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        self._require_no_transaction()
        with self._told(), self._connections.atomic(READING, "SELECT 1"):
            yield

    def iterate(
        self, sql: str, parameters: Sequence[str | int | bytes | None] = ()
    ) -> Iterator[tuple[Any, ...]]:
        if not self._connections.in_transaction():
            # The server keeps no cursor for those who see another moment with each page.
            yield from self.rows(sql, parameters)
            return
        with self._told():
            connection = self._connections.connected()
            # A cursor of the server, which sends a page at a time.
            with psycopg.RawServerCursor(connection, f"rows_{next(_numbers)}") as cursor:
                cursor.itersize = _PAGE
                cursor.execute(in_psycopgs_words(sql), parameters)
                yield from cursor

    def write_many(self, sql: str, rows: Iterable[Sequence[str | int | bytes | None]]) -> int:
        self._require_transaction()
        with self._told():
            cursor = self._connections.connected().cursor()
            cursor.executemany(sql, rows)
            return max(cursor.rowcount, 0)

    def change_counter(self) -> int:
        self._listen()
        number = self.rows("SELECT number FROM turn")[0][0]
        self._hold_all()
        return number

    def _listen(self) -> None:
        with self._told():
            self._hints.listen_on(self._connections.connected())

    def wait_for_change(self, seconds: float | None = None) -> bool:
        with self._told():
            return self._hints.wait(seconds)

    def hold(self, name: str) -> None:
        self._held.setdefault(name, None)
        self._hold_all()

    @property
    def has_lost_hold(self) -> bool:
        # In one go, because the thread that holds them may be adding one.
        return any(_is_lost(each) for each in tuple(self._held.values()))

    def hold_again(self) -> None:
        self._hold_all()
        # So that the end of the new connection is noticed, too.
        self._listen()

    def let_go(self, name: str) -> None:
        connection = self._held.pop(name, None)
        # A lock is gone with its connection.
        if connection is not None and not connection.closed:
            with self._told():
                connection.execute(
                    "SELECT pg_advisory_unlock_shared(?, ?)", (_NAMES, _number_of(name))
                )

    def held(self, names: Iterable[str]) -> set[str]:
        rows = self.rows(
            f"""
            SELECT l.objid FROM pg_catalog.pg_locks l
            JOIN pg_catalog.pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory'
              AND l.classid = {_NAMES} AND l.objsubid = 2
            """
        )
        numbers = {number for (number,) in rows}
        # There it is shown without a sign.
        return {name for name in names if _number_of(name) & 0xFFFF_FFFF in numbers}

    def _hold_all(self) -> None:
        """Hold what was held on a connection that is lost, and what is not held yet."""
        for name, connection in self._held.items():
            if _is_lost(connection):
                self.rows("SELECT pg_advisory_lock_shared(?, ?)", (_NAMES, _number_of(name)))
                self._held[name] = self._connections.connected()

    def cancel_waiting(self) -> None:
        self._connections.cancel_waiting()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (psycopg.Error, peewee.PeeweeException) as error:
            cause: object = error
            while isinstance(cause, peewee.PeeweeException):
                cause = getattr(cause, "orig", None)
            if not isinstance(cause, psycopg.Error):
                raise
            was_cancelled = self._connections.wait_was_cancelled()
            raise self._faults.fault(cause, was_cancelled=was_cancelled) from error

    # -- tables ----------------------------------------------------------------

    def tables(self) -> set[str]:
        # Our own search path has this one schema; what others have is not looked at.
        sql = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = ?"
        return {name for (name,) in self.rows(sql, (SCHEMA,))} - {"turn"}

    def columns(self, table: str) -> list[str]:
        rows = self.rows(
            """
            SELECT attname FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
            """,
            (table,),
        )
        return [name for (name,) in rows]

    def numbers_given(self) -> dict[str, int]:
        rows = self.rows(
            "SELECT sequencename, last_value FROM pg_catalog.pg_sequences WHERE schemaname = ?",
            (SCHEMA,),
        )
        return {name.removesuffix("_id_seq"): number for name, number in rows if number is not None}

    def give_numbers_after(self, table: str, number: int) -> None:
        self._require_transaction()
        self.rows("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)", (table, number))

    def users_who_lack_tables(self) -> list[str]:
        rows = self.rows(
            """
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END
            FROM pg_catalog.pg_class c, LATERAL aclexplode(c.relacl) a
            WHERE c.relnamespace = to_regnamespace(?) AND c.relkind = 'r'
              AND a.grantee <> c.relowner
            GROUP BY a.grantee
            HAVING count(DISTINCT c.oid) < (
                SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = ?
            )
            ORDER BY 1
            """,
            (SCHEMA, SCHEMA),
        )
        return [name for (name,) in rows]

    # -- opening ---------------------------------------------------------------

    def _prepare(self) -> None:
        with self._told():
            self._check_url()
        if self.rows("SHOW server_encoding") != [("UTF8",)]:
            raise StoreError("数据库的编码不是UTF8", hint=f"请为 {self.place} 另建UTF8编码的数据库")
        # Without that right the tables would seem not to be there.
        if self.rows(
            "SELECT 1 FROM pg_catalog.pg_namespace"
            " WHERE nspname = ? AND NOT has_schema_privilege(oid, 'USAGE')",
            (SCHEMA,),
        ):
            raise self._faults.no_grant(f"the schema {SCHEMA}")
        if self._behind():
            self._until_stored(self._migrating, self._migrate, harmless_twice)

    @contextmanager
    def _migrating(self) -> Generator[None]:
        first = f"SELECT pg_advisory_xact_lock({_MIGRATING})"
        with self._told(), self._connections.atomic(WRITING, first):
            yield

    def _migrate(self) -> None:
        # Whoever had the lock before may have done it.
        if not self._behind():
            return
        schema = Definitions(self._connections)
        with self._told():
            self.upgraded_from = self.schema_version
            if self.upgraded_from:
                self._connections.execute_sql(_TAKE_TURN)
            else:
                self._make_schema()
                for statement in _BEFORE_ALL:
                    schema.execute_sql(statement)
            self._apply_migrations(schema)

    def _check_url(self) -> None:
        try:
            conninfo_to_dict(str(self.place))
        except psycopg.ProgrammingError as error:
            raise StoreError(
                "数据库地址的写法不对",
                hint="应为 postgresql://用户@主机/数据库 的形式",
            ) from error

    def _make_schema(self) -> None:
        # It may have been made for a user who could not make one.
        if not self.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?", (SCHEMA,)):
            self._connections.execute_sql(f"CREATE SCHEMA {SCHEMA}")


def _is_lost(connection: psycopg.Connection[Any] | None) -> bool:
    return connection is None or connection.closed


def _number_of(name: str) -> int:
    """The second key of the lock for a name, a number of 32 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], signed=True)
