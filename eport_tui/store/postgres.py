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

import logging
import re
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from math import ceil
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from eport_tui.domain.places import ServerUrl
from eport_tui.errors import OutOfReach, StoreError
from eport_tui.store import faults
from eport_tui.store.alone import peewee
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.dialect import definitions, in_psycopgs_words
from eport_tui.store.faults import GivenUp, InDoubt, Lost, Told, fault

SCHEMA = "eport_tui"
"""The schema that holds everything."""

_MIGRATING = 0x45505455
"""Of the advisory lock for those who bring a database up to date."""

_TURN = _MIGRATING + 1
"""Of the one for those who write."""

# Milliseconds; a program that was stopped within a transaction keeps all others from writing.
_LONGEST_PAUSE = 60_000

# `off` of the last one would lose saves that were acknowledged; what is stricter stays.
_SETTINGS = f"""
    SELECT set_config('search_path', '{SCHEMA}', false),
           set_config('default_transaction_read_only', 'on', false),
           set_config('idle_in_transaction_session_timeout', '{_LONGEST_PAUSE}', false),
           set_config('lock_timeout', ?, false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""
_WRITING = "ISOLATION LEVEL READ COMMITTED READ WRITE"
_READING = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
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
    # A value in JSON by its path, as SQLite writes it: `payload ->> '$.card'`.
    "CREATE FUNCTION value_at(text, text) RETURNS text IMMUTABLE LANGUAGE sql"
    " AS 'SELECT CAST($1 AS jsonb) #>> string_to_array(substr($2, 3), ''.'')'",
    "CREATE OPERATOR ->> (LEFTARG = text, RIGHTARG = text, FUNCTION = value_at)",
)

_PAGE = 2000
_numbers = count(1)
_log = logging.getLogger(__name__)

_LOST: Told = (
    "与数据库服务器的连接已断开，没有保存",
    "请检查网络和 {place}",
)
_IN_DOUBT: Told = (
    "保存时与数据库服务器的连接断开，不能确定是否已保存",
    "服务器恢复后请刷新列表，核对后再决定是否重新保存",
)
_UNREACHABLE: Told = (
    "无法连接数据库服务器",
    "请检查网络和 {place}",
)
_STARTING: Told = (
    "数据库服务器正在启动或关闭",
    "一直如此则请管理员检查 {place}",
)
_NO_HOST: Told = (
    "找不到数据库服务器的主机",
    "请检查 {place} 中的主机名和域名解析",
)
_NO_PRIMARY: Told = (
    "没有可以保存的数据库服务器，连得上的都是备用的",
    "请检查 {place} 中的主机和主服务器",
)
_TOO_MANY: Told = ("数据库服务器的连接已满", "一直如此则请管理员增加连接数")
_READ_ONLY: Told = ("数据库是只读的，不能保存", "请检查 {place} 是否为备用服务器")
_NO_USER: Told = (
    "数据库服务器上没有该用户",
    "请检查 {place} 中的用户名，或请管理员建立该用户",
)
_NO_LOGIN: Told = ("该数据库用户不能登录", "请检查 {place} 中的用户名，或请管理员准许其登录")
_NO_DATABASE: Told = (
    "服务器上没有该数据库",
    "请检查 {place} 中的数据库名，或请管理员建立该数据库",
)
_NO_SERVICE: Told = (
    "没有找到数据库地址中的服务名",
    "请检查 {place}，以及 ~/.pg_service.conf 或 PGSERVICEFILE 指定的文件",
)
_NOT_ADMITTED: Told = (
    "数据库服务器不准从本机以该用户连接该数据库",
    "请管理员检查服务器的 pg_hba.conf，并核对 {place}",
)
_WRONG_PASSWORD: Told = (
    "数据库的用户名或密码不对",
    "请检查 {place} 的用户，以及 ~/.pgpass 或 PGPASSFILE 指定的文件",
)
_NO_PASSWORD: Told = (
    "没有找到数据库的密码",
    "请为 {place} 把密码写在 ~/.pgpass 或 PGPASSFILE 指定的文件中，该文件只能由本人读写",
)
_NOT_PROVEN: Told = (
    "数据库服务器没有认可该用户的身份",
    "请检查 {place} 的用户，以及服务器的 pg_hba.conf 规定的认证方式",
)
_NOT_SECURE: Told = (
    "与数据库服务器的加密连接没有建立",
    "请检查 {place} 的 sslmode 和证书，详情见日志",
)
_MAY_NOT_CONNECT: Told = (
    "该用户没有连接该数据库的权限",
    "请管理员执行 GRANT CONNECT，或检查 {place}",
)
_NO_GRANT: Told = (
    "该数据库用户没有所需的权限",
    "请管理员按文档执行 GRANT，或检查 {place} 的用户，详情见日志",
)
_TURNED_AWAY: Told = ("数据库服务器拒绝了连接", "原因见日志，请检查 {place}")
_GIVEN_UP: Told = (
    "与其他程序的修改互相冲突，没有保存",
    "请稍候再试，一直如此则检查谁在占用 {place}",
)
_TIMED_OUT: Told = ("数据库操作超时，没有保存", "请稍候再试")

# By SQLSTATE, or its class (PostgreSQL documentation, appendix A).
_TOLD: dict[str, Told] = {
    "08": _LOST,
    "57P": _LOST,
    "25P03": _LOST,
    "55P03": faults.LOCKED,
    "40": _GIVEN_UP,
    "57014": _TIMED_OUT,
    "53100": faults.FULL,
    "25006": _READ_ONLY,
    "42501": _NO_GRANT,
    "23": faults.REFUSED,
    "58030": faults.DISK,
    "XX001": faults.DAMAGED,
    "XX002": faults.DAMAGED,
}

# What happens every day, and nobody has to look for the reason of.
_EVERYDAY = (faults.LOCKED, _GIVEN_UP, _TIMED_OUT)

# What is surely rolled back and may go through when it is done anew.
_WORTH_ANOTHER_TRY = {"40001", "40P01"}

# What a commit may end with although it is done.
_OUTCOME_UNKNOWN = {"40003", "08007"}

# libpq gives no SQLSTATE where there is no connection yet.  Of several hosts each has its own
# reason: what somebody has to put right goes before what passes.
_TOLD_BY_TEXT = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"definition of service|service file", _NO_SERVICE),
        (r"pg_hba\.conf", _NOT_ADMITTED),
        (r"password authentication failed", _WRONG_PASSWORD),
        (r"no password supplied", _NO_PASSWORD),
        (r"authentication failed|authentication method", _NOT_PROVEN),
        (r'role ".*" does not exist', _NO_USER),
        (r"not permitted to log in", _NO_LOGIN),
        (r'database ".*" does not exist', _NO_DATABASE),
        (r"permission denied for database", _MAY_NOT_CONNECT),
        (r"too many|remaining connection slots", _TOO_MANY),
        (r"is (starting up|shutting down|not yet accepting)|in recovery mode", _STARTING),
        (r"session is read-only|server is in hot standby mode", _NO_PRIMARY),
        (r"SSL|certificate", _NOT_SECURE),
        (r"resolve host|translate host name", _NO_HOST),
        # A server may speak its administrator's language.
        (r"FATAL:|致命错误:", _TURNED_AWAY),
    )
)

# What passes without anybody doing something about it on this side.
_PASSING = (_UNREACHABLE, _STARTING, _NO_HOST, _NO_PRIMARY, _TOO_MANY)

_LOG_AGAIN_SECONDS = 600.0
"""How soon the same text of the server is logged once more."""


class PostgresStore(Store):
    """A database on a server, open."""

    tells_of_changes = True

    def __init__(self, url: ServerUrl, *, read_only: bool, patience: float) -> None:
        self._connections = _Database(url, patience=patience)
        self._hints = _Hints()
        self._logged, self._log_again = "", 0.0
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
        how = _READING if self.read_only else _WRITING
        with self._told(), self._connections.atomic(how, _TAKE_TURN):
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        self._require_no_transaction()
        with self._told(), self._connections.atomic(_READING, "SELECT 1"):
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
        with self._told():
            self._hints.listen_on(self._connections.connected())
        return self.rows("SELECT number FROM turn")[0][0]

    def wait_for_change(self, seconds: float | None = None) -> bool:
        with self._told():
            return self._hints.wait(seconds)

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
            raise self._fault(cause) from error

    def _fault(self, error: psycopg.Error) -> StoreError:
        state = error.sqlstate or ""
        if isinstance(error, _Closed):
            return fault(faults.CLOSED, "", self.place)
        if isinstance(error, _InDoubt):
            return fault(_IN_DOUBT, "", self.place, InDoubt)
        if isinstance(error, _Unreachable):
            told = error.told
            kind = OutOfReach if told in _PASSING else StoreError
            return fault(told, "", self.place, kind)
        if state == "57014" and self._connections.wait_was_cancelled():
            return fault(faults.CANCELLED, state, self.place)
        found = next((_TOLD[part] for part in (state, state[:3], state[:2]) if part in _TOLD), None)
        if found is None and isinstance(error, psycopg.OperationalError) and not state:
            found = _LOST
        if found not in _EVERYDAY:
            self._log_why(f"{state} {error}")
        if found is _LOST:
            return fault(found, state, self.place, Lost)
        again = state in _WORTH_ANOTHER_TRY
        return fault(found, state, self.place, GivenUp if again else StoreError)

    def _log_why(self, text: str) -> None:
        """Log what the server says; what it repeats, now and then."""
        moment = time.monotonic()
        if text != self._logged or moment >= self._log_again:
            self._logged, self._log_again = text, moment + _LOG_AGAIN_SECONDS
            _log.warning("the database says: %s", _in_one_line(text))

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
            self._log_why(f"no USAGE on the schema {SCHEMA}")
            raise fault(_NO_GRANT, "", self.place)
        if self._behind():
            self._until_stored(self._migrating, self._migrate, harmless_twice)

    @contextmanager
    def _migrating(self) -> Generator[None]:
        first = f"SELECT pg_advisory_xact_lock({_MIGRATING})"
        with self._told(), self._connections.atomic(_WRITING, first):
            yield

    def _migrate(self) -> None:
        # Whoever had the lock before may have done it.
        if not self._behind():
            return
        schema = _Definitions(self._connections)
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


# -- connections -----------------------------------------------------------------


class _Closed(psycopg.OperationalError):
    """The store was closed."""


class _Unreachable(psycopg.OperationalError):
    """There is no connection to be had.

    Attributes:
        told: Why not.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        found = (told for pattern, told in _TOLD_BY_TEXT if pattern.search(text))
        self.told = next(found, _UNREACHABLE)


class _Outage:
    """When there was a connection to a database last: logged when none is to be had, and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._why: Told | None = None
        self._since = 0.0

    def goes_on(self, error: _Unreachable) -> None:
        """There is no connection: news at the beginning, and for a reason to do something about."""
        with self._lock:
            if self._why is None:
                self._since = time.monotonic()
            elif error.told in (self._why, *_PASSING):
                return
            self._why = error.told
        _log.warning("no connection to the database: %s", _in_one_line(str(error)))

    def ends(self) -> None:
        """There is a connection."""
        with self._lock:
            if self._why is None:
                return
            self._why = None
            seconds = time.monotonic() - self._since
        _log.warning("connected to the database again, after %.0f seconds", seconds)


_outages: defaultdict[str, _Outage] = defaultdict(_Outage)
"""By URL, because a store that could not be opened is not there any more at the next try."""


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


class _InDoubt(psycopg.OperationalError):
    """The connection was lost when it was to commit."""


class _Hints:
    """Notifications of commits, on a connection that is there anyway.

    Nothing depends on them: where they cannot be had, or are lost with their connection,
    the next look at the change counter tells the same.
    """

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._waker: socket.socket | None = None
        self._has_come = threading.Event()
        self._has_ended = False

    def listen_on(self, connection: psycopg.Connection[Any]) -> None:
        """Have the commits of others notified on a connection from now on."""
        if connection is self._connection or connection.closed:
            return
        connection.add_notify_handler(partial(self._note, connection.info.backend_pid))
        # A standby refuses, and is not asked again.
        with suppress(psycopg.Error):
            connection.execute(f"LISTEN {SCHEMA}")
        self._connection = connection
        self._wake()

    def wait(self, seconds: float | None) -> bool:
        """Wait for a hint.

        Raises:
            _Closed: There will be none.
        """
        until = None if seconds is None else time.monotonic() + seconds
        woken, waker = socket.socketpair()
        with woken, waker:
            waker.setblocking(False)
            self._waker = waker
            while not self._has_ended:
                if self._has_come.is_set():
                    self._has_come.clear()
                    return True
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._wait_for_anything(woken, left)
        raise _Closed

    def _wait_for_anything(self, woken: socket.socket, seconds: float | None) -> None:
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        connection = self._connection
        if connection is not None:
            # One that was closed is made anew, and `_wake` tells of it.
            with suppress(psycopg.Error):
                poll.register(connection.fileno(), select.POLLIN)
        ready = [number for number, _ in poll.poll(None if seconds is None else 1000 * seconds)]
        if woken.fileno() in ready:
            woken.recv(4096)
        elif ready and connection is not None:
            self._read(connection)

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._has_ended = True
        self._wake()

    def _read(self, connection: psycopg.Connection[Any]) -> None:
        """Read what has come; it was for another thread if that is using the connection."""
        with connection.lock:
            try:
                connection.pgconn.consume_input()
                while (notification := connection.pgconn.notifies()) is not None:
                    self._note_by(connection.info.backend_pid, notification.be_pid)
            except psycopg.Error:
                pass
            if connection.closed and connection is self._connection:
                self._connection = None

    def _note(self, own: int, notification: psycopg.Notify) -> None:
        self._note_by(own, notification.pid)

    def _note_by(self, own: int, who: int) -> None:
        if who != own:
            self._has_come.set()
            self._wake()

    def _wake(self) -> None:
        # Where it is full or closed, the one who waits is awake already.
        if self._waker is not None:
            with suppress(OSError):
                self._waker.send(b"!")


class _Wait:
    """A wait of one thread for its turn."""

    def __init__(self, connection: psycopg.Connection[Any], seconds: float) -> None:
        self.cancelled = False
        self._connection = connection
        self._seconds = seconds
        self._canceller: threading.Thread | None = None

    def cancel(self) -> None:
        """Ask the server to end it; whoever calls this does not wait for the server."""
        self.cancelled = True
        self._canceller = threading.Thread(target=self._ask, name="cancel", daemon=True)
        self._canceller.start()

    def end(self) -> None:
        """See that no cancelling that is under way hits what comes after."""
        if self._canceller is not None:
            self._canceller.join()

    def _ask(self) -> None:
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=self._seconds)


class _Cursor(psycopg.RawCursor[Any]):
    """A cursor that takes `?` for values, as SQLite does."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(in_psycopgs_words(query), params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        super().executemany(in_psycopgs_words(query), params_seq, **options)

    def fetchall(self) -> list[Any]:
        # SQLite has no rows of a statement that gives none, and no error.
        return super().fetchall() if self.description else []


class _Database(peewee.PostgresqlDatabase):
    """Peewee's database with our settings on every connection, and connections made anew."""

    param = "?"

    def __init__(self, url: ServerUrl, *, patience: float) -> None:
        self._seconds = patience
        self._open: list[psycopg.Connection[Any]] = []
        self._waiting: set[_Wait] = set()
        self._own = threading.local()
        self._closed_for_good = False
        super().__init__(str(url))

    def _connect(self) -> psycopg.Connection[Any]:
        if self._closed_for_good:
            raise _Closed
        # Without these a server that has vanished would be waited for, for hours.
        usual: dict[str, Any] = {
            "connect_timeout": max(2, ceil(self._seconds)),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            "application_name": "eport-tui",
        }
        given = conninfo_to_dict(self.database)
        wanted = {name: value for name, value in usual.items() if name not in given}
        try:
            connection = psycopg.connect(
                self.database,
                autocommit=True,
                cursor_factory=_Cursor,
                client_encoding="utf8",
                **wanted,
            )
        except psycopg.OperationalError as error:
            unreachable = _Unreachable(str(error))
            _outages[self.database].goes_on(unreachable)
            raise unreachable from error
        try:
            # As 0 it would be no limit at all.
            connection.execute(_SETTINGS, (str(max(1, round(self._seconds * 1000))),))
        except BaseException:
            connection.close()
            raise
        _outages[self.database].ends()
        self._open = [each for each in self._open if not each.closed]
        self._open.append(connection)
        return connection

    def _set_server_version(self, conn: psycopg.Connection[Any]) -> None:
        self.server_version = conn.info.server_version

    def connected(self) -> psycopg.Connection[Any]:
        """This thread's connection."""
        return self.connection()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        try:
            return super().execute_sql(sql, params)
        except peewee.PeeweeException:
            # Outside of a transaction one can only read, and may do so again.
            if self.in_transaction() or not self._is_lost():
                raise
            self.close()
            return super().execute_sql(sql, params)

    def begin(self, isolation_level: str | None = _WRITING, first: str | None = None) -> None:
        """Begin a transaction, and run its first statement, which waits for a lock.

        Nothing was done before, so a connection that is found lost is made anew.
        """
        try:
            self._begin(isolation_level, first)
        except peewee.PeeweeException:
            if not self._is_lost():
                raise
            self.close()
            self._begin(isolation_level, first)

    def _begin(self, isolation_level: str | None, first: str | None) -> None:
        wait = self._own.wait = _Wait(self.connected(), self._seconds)
        try:
            super().execute_sql(f"BEGIN {isolation_level}")
            if first:
                self._waiting.add(wait)
                try:
                    super().execute_sql(first)
                finally:
                    self._waiting.discard(wait)
                    wait.end()
        except peewee.NotSupportedError as error:
            # What a server says that only follows another one.
            self.rollback()
            raise psycopg.errors.ReadOnlySqlTransaction from error
        except BaseException:
            self.rollback()
            raise

    def commit(self) -> None:
        connection = self.connected()
        if connection.info.transaction_status is TransactionStatus.INERROR:
            # PostgreSQL would roll back without a word.
            raise RuntimeError("a statement of this transaction has failed, and was passed over")
        try:
            connection.commit()
        except psycopg.OperationalError as error:
            if connection.closed or error.sqlstate in _OUTCOME_UNKNOWN:
                raise _InDoubt from error
            raise

    def rollback(self) -> None:
        connection = self.connected()
        try:
            connection.rollback()
        except psycopg.Error:
            # The server rolls back what it has lost the connection of.
            connection.close()

    def _is_lost(self) -> bool:
        return not self.is_closed() and self.connected().closed

    def cancel_waiting(self) -> None:
        for wait in tuple(self._waiting):
            wait.cancel()

    def wait_was_cancelled(self) -> bool:
        wait: _Wait | None = getattr(self._own, "wait", None)
        return wait is not None and wait.cancelled

    def close_all(self) -> None:
        self._closed_for_good = True
        self.close()
        while self._open:
            self._open.pop().close()


class _Definitions:
    """The tables of a database, for migrations."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    def execute_sql(self, sql: str) -> object:
        for statement in definitions(sql):
            self._database.execute_sql(statement)
        return None
