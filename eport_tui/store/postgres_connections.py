"""Connections to a PostgreSQL server: their settings, and how a lost one is made anew."""

# Peewee's stubs leave much untyped, and psycopg's ask for statements that are literals.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportArgumentType=false

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from contextlib import suppress
from math import ceil
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from eport_tui.domain.places import ServerUrl
from eport_tui.store.alone import peewee
from eport_tui.store.dialect import definitions, in_psycopgs_words
from eport_tui.store.faults import Told
from eport_tui.store.postgres_faults import PASSING, Closed, LostAtCommit, Unreachable, in_one_line

SCHEMA = "eport_tui"
"""The schema that holds everything."""

# Milliseconds; a program that was stopped within a transaction keeps all others from writing.
_LONGEST_PAUSE = 60_000

# Without those of TCP the server would keep what a machine that lost its power holds, for hours.
# `off` of the last one would lose saves that were acknowledged; what is stricter stays.
_SETTINGS = f"""
    SELECT set_config('search_path', '{SCHEMA}', false),
           set_config('default_transaction_read_only', 'on', false),
           set_config('idle_in_transaction_session_timeout', '{_LONGEST_PAUSE}', false),
           set_config('lock_timeout', ?, false),
           set_config('tcp_keepalives_idle', '60', false),
           set_config('tcp_keepalives_interval', '10', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""

WRITING = "ISOLATION LEVEL READ COMMITTED READ WRITE"
"""How a transaction that writes begins."""

READING = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""How one that only reads does: it sees one moment."""

# What a commit may end with although it is done.
_OUTCOME_UNKNOWN = {"40003", "08007"}

_log = logging.getLogger(__name__)


class _Outage:
    """When there was a connection to a database last: logged when none is to be had, and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._why: Told | None = None
        self._since = 0.0

    def goes_on(self, error: Unreachable) -> None:
        """There is no connection: news at the beginning, and for a reason to do something about."""
        with self._lock:
            if self._why is None:
                self._since = time.monotonic()
            elif error.told in (self._why, *PASSING):
                return
            self._why = error.told
        _log.warning("no connection to the database: %s", in_one_line(str(error)))

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


class Connections(peewee.PostgresqlDatabase):
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
            raise Closed
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
            unreachable = Unreachable(str(error))
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

    def begin(self, isolation_level: str | None = WRITING, first: str | None = None) -> None:
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
        # What fails from now on does not fail because that wait was given up.
        self._own.wait = None

    def commit(self) -> None:
        connection = self.connected()
        if connection.info.transaction_status is TransactionStatus.INERROR:
            # PostgreSQL would roll back without a word.
            raise RuntimeError("a statement of this transaction has failed, and was passed over")
        try:
            connection.commit()
        except psycopg.OperationalError as error:
            if connection.closed or error.sqlstate in _OUTCOME_UNKNOWN:
                raise LostAtCommit from error
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
        """Whether this thread's last wait was given up on request; told once."""
        wait: _Wait | None = getattr(self._own, "wait", None)
        self._own.wait = None
        return wait is not None and wait.cancelled

    def close_all(self) -> None:
        self._closed_for_good = True
        self.close()
        while self._open:
            self._open.pop().close()


class Definitions:
    """The tables of a database, for migrations."""

    def __init__(self, database: Connections) -> None:
        self._database = database

    def execute_sql(self, sql: str) -> object:
        for statement in definitions(sql):
            self._database.execute_sql(statement)
        return None
