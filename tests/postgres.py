"""A PostgreSQL server of the tests' own, as an ordinary user, on a socket in a temporary folder."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eport_tui.domain.places import Place, ServerUrl
from eport_tui.store.database import Store

PROGRAMS = ("initdb", "postgres")

# What is lost when the machine dies does not matter here.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "deadlock_timeout": "50ms",
}


def programs() -> Path:
    """The folder of the server's programs.

    Debian keeps them off the path, one folder for each release.
    """
    found = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if all((folder / name).exists() for name in PROGRAMS):
            return folder
    raise RuntimeError("there is no PostgreSQL server: apt-get install postgresql")


def _in_memory() -> str | None:
    """A folder in memory, where there is room: a new database is many small files."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30:
        return memory
    return None


class Server:
    """A server that can be stopped and started; every user may do everything."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="eport-pg-", dir=_in_memory()))
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            # The server refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        subprocess.run(
            # A collation that sorts unlike SQLite, so that ours has to be named.
            [
                *(self._programs / "initdb", "-D", self._data, "-A", "trust", "-U", "eport"),
                *("--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
                *("--locale-provider=icu", "--icu-locale=zh"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_user,
        )
        self.start()
        try:
            with self.connection() as connection:
                connection.execute("CREATE DATABASE made")
            Store.open(self.url("made")).close()
        except BaseException:
            self.remove()
            raise

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def url(self, database: str, user: str = "eport", **more: str) -> ServerUrl:
        """Of a database, for a user."""
        query = "".join(f"&{name}={value}" for name, value in more.items())
        return ServerUrl(f"postgresql://{user}@/{database}?host={self._folder}{query}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self._data, "-k", self._folder),
                    *(f"--{name}={value}" for name, value in SETTINGS.items()),
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._as_user,
            )
        import psycopg

        until = time.monotonic() + 30
        while True:
            try:
                self.connection().close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT throws the programs out, SIGQUIT is a crash."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()

    def remove(self) -> None:
        """Stop it, and take away what it has made."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def connection(self, database: str = "postgres") -> Any:
        """A connection past the program."""
        import psycopg

        return psycopg.connect(str(self.url(database)), autocommit=True)

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[ServerUrl]:
        """A new database, which is removed at the end.

        Args:
            template: What it begins as; `made` is one that the program has made.
        """
        name = f"t{next(self._numbers)}"
        with self.connection() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            with self.connection() as connection:
                connection.execute(f"DROP DATABASE {name} (FORCE)")

    @contextmanager
    def admitting(self, rules: str) -> Iterator[None]:
        """Have the server admit only who is named, and `eport` to the database `postgres`.

        Args:
            rules: Lines of `pg_hba.conf`.
        """
        before = (self._data / "pg_hba.conf").read_text()
        self._admit(f"local postgres eport trust\n{rules}\n")
        try:
            yield
        finally:
            self._admit(before)

    def _admit(self, rules: str) -> None:
        (self._data / "pg_hba.conf").write_text(rules)
        sql = "SELECT pg_conf_load_time()"
        with self.connection() as connection:
            loaded = connection.execute(sql).fetchone()
            connection.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 10
        while True:
            # A new connection knows what the server knew when it began.
            with self.connection() as connection:
                if connection.execute(sql).fetchone() != loaded:
                    return
            assert time.monotonic() < until
            time.sleep(0.005)


def database_of(place: Place) -> str:
    """The name of the database at a place on the server."""
    return str(place).partition("@/")[2].partition("?")[0]


def throw_out(other: Any) -> None:
    """End the other connections to this database, and wait until they have ended."""
    ended = other.execute(
        "SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert ended.fetchone() == (True,)


def until_someone_waits(other: Any) -> None:
    """Wait until a connection waits for a lock."""
    until = time.monotonic() + 10
    while other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
        assert time.monotonic() < until
        time.sleep(0.005)


@contextmanager
def commits_that_are_not_acknowledged(server: Server, place: Place) -> Iterator[None]:
    """Let the next commit at a place be done, and the connection be lost before it is told so.

    The commit waits for a standby that is not there, which those who connect later do not.
    """
    name = database_of(place)
    with server.connection() as connection:
        connection.execute("SET synchronous_commit = local")
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        _reload(connection, "nobody")
        _until_commits_wait(server)
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = local")
        losing = threading.Thread(target=_lose_who_waits_for_the_standby, args=(server,))
        losing.start()
        try:
            yield
        finally:
            losing.join()
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            _reload(connection, "")


def _reload(connection: Any, names: str) -> None:
    connection.execute("SELECT pg_reload_conf()")
    until = time.monotonic() + 10
    while connection.execute("SHOW synchronous_standby_names").fetchone() != (names,):
        assert time.monotonic() < until
        time.sleep(0.005)


def _until_commits_wait(server: Server) -> None:
    """Commit until one waits: the checkpointer, which sees to it, reads the settings by itself."""
    until = time.monotonic() + 10
    with server.connection() as probe, server.connection() as other:
        pid, waits = probe.info.backend_pid, False
        while not waits:
            assert time.monotonic() < until
            committing = threading.Thread(
                target=probe.execute, args=("SELECT pg_logical_emit_message(true, 'probe', '')",)
            )
            committing.start()
            while committing.is_alive():
                waits |= bool(
                    other.execute(
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                        " WHERE pid = %s AND wait_event = 'SyncRep'",
                        (pid,),
                    ).fetchall()
                )
            committing.join()


def _lose_who_waits_for_the_standby(server: Server) -> None:
    until = time.monotonic() + 10
    with server.connection() as connection:
        while not connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE wait_event = 'SyncRep'"
        ).fetchall():
            assert time.monotonic() < until
            time.sleep(0.005)
