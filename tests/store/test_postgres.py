"""What is PostgreSQL's own: lost connections, locks of others, its schema, its words."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from eport_tui.domain.dates import now
from eport_tui.domain.places import Place, ServerUrl
from eport_tui.errors import OutOfReach, StoreError
from eport_tui.store import drafts
from eport_tui.store.database import Store
from eport_tui.store.faults import GivenUp
from tests.postgres import Server, database_of, throw_out, until_someone_waits
from tests.store.writing import contents, draft_of, write_something

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


# -- a connection that is lost -----------------------------------------------------


def test_reading_and_saving_go_on_after_the_connection_was_ended(store: Store, other: Any) -> None:
    write_something(store, "before")
    throw_out(other)
    assert contents(store) == ["before"]
    throw_out(other)
    write_something(store, "after")
    assert contents(store) == ["after"]


def test_a_connection_that_is_lost_in_a_transaction_loses_the_whole_of_it(
    store: Store, other: Any
) -> None:
    write_something(store, "before")

    def save() -> None:
        with store.transaction():
            drafts.put(store, draft_of(), "half", now())
            throw_out(other)
            drafts.put(store, draft_of("other"), "half", now())

    with pytest.raises(StoreError, match="与数据库服务器的连接已断开，没有保存") as lost:
        save()
    assert isinstance(lost.value, OutOfReach)
    assert contents(store) == ["before"]
    write_something(store, "after")
    assert contents(store) == ["after"]


def test_a_connection_that_is_lost_when_it_commits_is_not_said_to_have_failed(
    store: Store, other: Any
) -> None:

    def save() -> None:
        with store.transaction():
            drafts.put(store, draft_of(), "in doubt", now())
            throw_out(other)

    with pytest.raises(StoreError, match="不能确定是否已保存"):
        save()
    write_something(store, "after")
    assert contents(store) == ["after"]


def test_a_connection_that_is_lost_while_waiting_for_others_waits_on_a_new_one(
    store: Store, place: Place, other: Any
) -> None:
    other.execute("BEGIN; UPDATE turn SET number = number + 1")
    waiting = threading.Thread(target=write_something, args=(store, "after all"))
    waiting.start()
    until_someone_waits(other)
    throw_out(other)
    until_someone_waits(other)
    other.execute("COMMIT")
    waiting.join()
    assert contents(store) == ["after all"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_server_that_is_gone_is_told_and_work_goes_on_when_it_is_back(
    store: Store, server: Server, how: signal.Signals
) -> None:
    write_something(store, "before")
    server.stop(how)
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="无法连接数据库服务器") as refused:
                contents(store)
            assert isinstance(refused.value, OutOfReach)
            assert refused.value.hint == f"请检查网络和 {store.place}"
            with pytest.raises(StoreError, match="无法连接数据库服务器"):
                write_something(store, "lost")
    finally:
        server.start()
    assert contents(store) == ["before"]
    write_something(store, "after")
    assert contents(store) == ["after"]


def test_a_server_that_is_not_there(server: Server) -> None:
    with pytest.raises(StoreError, match="无法连接数据库服务器"):
        Store.open(ServerUrl("postgresql://eport@/eport?host=/nowhere"))


# -- a connection that is refused ----------------------------------------------------


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged so far, line by line."""
    return lambda: [line for each in caplog.records for line in each.getMessage().splitlines()]


@pytest.fixture
def clerk(other: Any) -> Iterator[Any]:
    """A user with a password and without rights; the connection is the administrator's."""
    other.execute("CREATE ROLE clerk LOGIN PASSWORD 'right'")
    try:
        yield other
    finally:
        other.execute("DROP OWNED BY clerk; DROP ROLE clerk")


def refused(place: Place) -> StoreError:
    """Why a database cannot be opened."""
    with pytest.raises(StoreError) as refusal:
        Store.open(place)
    return refusal.value


def test_a_database_that_is_not_there(server: Server, log: Callable[[], list[str]]) -> None:
    why = refused(server.url("absent"))
    assert why.message == "服务器上没有该数据库"
    assert "数据库名" in (why.hint or "")
    assert any('database "absent" does not exist' in line for line in log())


def test_a_user_who_is_not_there(place: Place, server: Server) -> None:
    why = refused(server.url(database_of(place), user="nobody"))
    assert why.message == "数据库服务器上没有该用户"
    assert "用户名" in (why.hint or "")


def test_a_user_who_may_not_log_in(place: Place, server: Server, clerk: Any) -> None:
    clerk.execute("ALTER ROLE clerk NOLOGIN")
    assert refused(server.url(database_of(place), user="clerk")).message == "该数据库用户不能登录"


def test_a_service_that_is_not_there(server: Server, log: Callable[[], list[str]]) -> None:
    why = refused(ServerUrl("postgresql:///?service=y"))
    assert why.message == "没有找到数据库地址中的服务名"
    assert "PGSERVICEFILE" in (why.hint or "")
    assert any('"y" not found' in line for line in log())


@pytest.mark.parametrize("rule", ["local all eport reject", ""])
def test_a_host_that_is_not_admitted(place: Place, server: Server, rule: str) -> None:
    with server.admitting(rule):
        why = refused(place)
    assert why.message == "数据库服务器不准从本机以该用户连接该数据库"
    assert "pg_hba.conf" in (why.hint or "")


def test_a_wrong_password(
    place: Place, server: Server, clerk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    url = server.url(database_of(place), user="clerk")
    with server.admitting("local all clerk scram-sha-256"):
        assert refused(url).message == "没有找到数据库的密码"
        passwords.write_text("*:*:*:*:wrong")
        passwords.chmod(0o600)
        assert refused(url).message == "数据库的用户名或密码不对"
        passwords.write_text("*:*:*:*:right")
        # It is the right one; what is missing now is something else.
        assert refused(url).message == "该数据库用户没有所需的权限"


def test_another_way_to_prove_who_one_is(place: Place, server: Server, clerk: Any) -> None:
    with server.admitting("local all clerk peer"):
        why = refused(server.url(database_of(place), user="clerk"))
    assert why.message == "数据库服务器没有认可该用户的身份"


def test_a_user_who_may_not_connect(place: Place, server: Server, clerk: Any) -> None:
    clerk.execute(f"REVOKE CONNECT ON DATABASE {database_of(place)} FROM PUBLIC")
    why = refused(server.url(database_of(place), user="clerk"))
    assert why.message == "该用户没有连接该数据库的权限"


def test_a_user_without_grants_is_told_so(
    place: Place, server: Server, clerk: Any, log: Callable[[], list[str]]
) -> None:
    url = server.url(database_of(place), user="clerk")
    assert refused(url).message == "该数据库用户没有所需的权限"
    clerk.execute("GRANT USAGE ON SCHEMA eport_tui TO clerk")
    assert refused(url).message == "该数据库用户没有所需的权限"
    assert any("permission denied for table migration" in line for line in log())


def test_more_connections_than_the_user_may_have(place: Place, server: Server, clerk: Any) -> None:
    clerk.execute("ALTER ROLE clerk CONNECTION LIMIT 0")
    why = refused(server.url(database_of(place), user="clerk"))
    assert why.message == "数据库服务器的连接已满"


def test_a_host_that_has_no_address() -> None:
    why = refused(ServerUrl("postgresql://eport@nowhere.invalid/eport"))
    assert why.message == "找不到数据库服务器的主机"


def test_a_server_without_encryption_where_that_is_wanted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse_encryption() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(8)
                connection.sendall(b"N")

        answering = threading.Thread(target=refuse_encryption)
        answering.start()
        port = listening.getsockname()[1]
        why = refused(ServerUrl(f"postgresql://eport@127.0.0.1:{port}/eport?sslmode=require"))
        answering.join()
    assert why.message == "与数据库服务器的加密连接没有建立"


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    store: Store, server: Server, log: Callable[[], list[str]]
) -> None:
    contents(store)
    server.stop()
    try:
        for _ in range(3):
            with pytest.raises(StoreError):
                contents(store)
            refused(store.place)
        (told,) = [line for line in log() if "connection" in line]
        assert told.startswith("no connection to the database: ")
    finally:
        server.start()
    contents(store)
    contents(store)
    (again,) = [line for line in log() if "again" in line]
    assert again.startswith("connected to the database again, after ")


def test_a_url_that_libpq_does_not_understand() -> None:
    with pytest.raises(StoreError, match="数据库地址的写法不对"):
        Store.open(ServerUrl("postgresql://eport@/eport?hots=here"))


def test_a_closed_store_says_so(place: Place) -> None:
    store = Store.open(place)
    store.close()
    with pytest.raises(StoreError, match="数据库已关闭"):
        contents(store)


# -- transactions ------------------------------------------------------------------


def test_a_failure_that_is_passed_over_in_a_transaction_is_no_save(store: Store) -> None:
    def save() -> None:
        with store.transaction():
            drafts.put(store, draft_of(), "kept", now())
            with suppress(StoreError):
                store.rows("INSERT INTO legal_person_card VALUES ('x', 'y')")

    with pytest.raises(RuntimeError, match="passed over"):
        save()
    assert contents(store) == []


def test_a_transaction_sees_what_was_committed_while_it_waited(store: Store, other: Any) -> None:
    other.execute("BEGIN; UPDATE turn SET number = number + 1")
    other.execute("INSERT INTO draft VALUES ('8900000000011', 's', '', 'just now', '2026-01-01')")
    seen: list[int] = []

    def look() -> None:
        with store.transaction():
            seen.append(store.rows("SELECT count(*) FROM draft")[0][0])

    waiting = threading.Thread(target=look)
    waiting.start()
    until_someone_waits(other)
    other.execute("COMMIT")
    waiting.join()
    assert seen == [1]


def test_that_a_wait_was_given_up_is_told_of_that_wait_alone(store: Store, other: Any) -> None:
    other.execute("BEGIN; UPDATE turn SET number = number + 1")

    def give_up() -> None:
        until_someone_waits(other)
        store.cancel_waiting()

    giving_up = threading.Thread(target=give_up)
    giving_up.start()
    with pytest.raises(StoreError, match="已取消等待数据库"):
        write_something(store)
    giving_up.join()
    other.execute("ROLLBACK")
    store.rows("SELECT set_config('statement_timeout', '10', false)")
    with pytest.raises(StoreError, match="数据库操作超时"):
        store.rows("SELECT pg_sleep(30)")


def test_a_deadlock_with_another_program_is_given_up_and_can_be_done_anew(
    store: Store, server: Server, other: Any
) -> None:
    write_something(store, "before")
    # The one who finds out is the one who gives up: that shall be us.
    other.execute("SET deadlock_timeout = '1h'")
    other.execute("BEGIN; UPDATE draft SET content = 'theirs'")
    taking = threading.Thread(target=other.execute, args=("UPDATE turn SET number = 0",))

    def save() -> None:
        with store.transaction():
            taking.start()
            until_someone_waits(third)
            drafts.put(store, draft_of(), "ours", now())

    with (
        server.connection(database_of(store.place)) as third,
        pytest.raises(GivenUp, match="没有保存"),
    ):
        save()
    taking.join()
    other.execute("ROLLBACK")
    write_something(store, "anew")
    assert contents(store) == ["anew"]


# -- the schema --------------------------------------------------------------------


def test_everything_is_in_a_schema_of_its_own(store: Store, other: Any) -> None:
    found = other.execute(
        "SELECT DISTINCT schemaname FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    assert found == [("eport_tui",)]


def test_a_table_of_the_same_name_elsewhere_is_not_ours(new_place: Place, server: Server) -> None:
    with server.connection(database_of(new_place)) as connection:
        connection.execute("CREATE TABLE public.migration (number int)")
        connection.execute("INSERT INTO public.migration VALUES (99)")
    with Store.open(new_place) as store:
        write_something(store, "ours")
        assert contents(store) == ["ours"]


def test_a_user_who_may_not_make_tables_can_work_with_those_that_are_there(
    place: Place, server: Server, clerk: Any
) -> None:
    clerk.execute("GRANT USAGE ON SCHEMA eport_tui TO clerk")
    clerk.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA eport_tui TO clerk")
    with Store.open(server.url(database_of(place), user="clerk")) as store:
        write_something(store, "kept")
        assert contents(store) == ["kept"]


def test_a_database_in_another_encoding_is_refused(server: Server) -> None:
    with server.connection() as connection:
        connection.execute(
            "CREATE DATABASE old TEMPLATE template0 ENCODING 'EUC_CN'"
            " LOCALE_PROVIDER libc LOCALE 'C'"
        )
    try:
        with pytest.raises(StoreError, match="数据库的编码不是UTF8"):
            Store.open(server.url("old"))
    finally:
        with server.connection() as connection:
            connection.execute("DROP DATABASE old (FORCE)")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_certificate SET der = ''",
        "DELETE FROM ledger_certificate",
        "TRUNCATE ledger_certificate CASCADE",
        "TRUNCATE ledger_entry CASCADE",
    ],
)
def test_the_ledger_refuses_every_way_to_take_something_away(
    store: Store, other: Any, statement: str
) -> None:
    import psycopg

    other.execute("INSERT INTO ledger_certificate VALUES (repeat('0', 64), '')")
    with pytest.raises(psycopg.errors.CheckViolation, match="the ledger is append-only"):
        other.execute(statement)


def test_a_save_is_on_the_disk_even_where_the_server_is_set_otherwise(
    place: Place, other: Any
) -> None:
    name = database_of(place)
    other.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with Store.open(place) as store:
        assert store.rows("SHOW synchronous_commit") == [("on",)]
    other.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    with Store.open(place) as store:
        assert store.rows("SHOW synchronous_commit") == [("remote_apply",)]


# -- words -------------------------------------------------------------------------


def test_texts_sort_and_compare_as_in_sqlite(store: Store) -> None:
    screens = ["b", "A", "a", "B", "中", "1", "-", "é"]
    with store.transaction():
        for screen in screens:
            drafts.put(store, draft_of(screen), "{}", now())
    found = [name for (name,) in store.rows("SELECT screen FROM draft ORDER BY screen")]
    assert found == sorted(screens)
    between = store.rows("SELECT screen FROM draft WHERE screen >= ? AND screen < ?", ("A", "a"))
    assert sorted(name for (name,) in between) == ["A", "B"]


def test_a_question_mark_or_a_percent_sign_in_a_text_is_no_place_for_a_value(store: Store) -> None:
    rows = store.rows("SELECT '?', '100%', 'it''s ?', CAST(? AS text) -- why?", ("value",))
    assert rows == [("?", "100%", "it's ?", "value")]


def test_a_value_with_a_number_may_stand_more_than_once(store: Store, sqlite_store: Store) -> None:
    sql = "SELECT CAST(?2 AS text), CAST(?1 AS text), CAST(?2 AS text), CAST(? AS text)"
    for each in (store, sqlite_store):
        assert each.rows(sql, ("a", "b", "c")) == [("b", "a", "b", "c")]


def test_the_bytes_of_a_value_are_those_of_sqlite(store: Store, sqlite_store: Store) -> None:
    sql = """
        SELECT CAST(t.a AS BLOB), CAST(b AS BLOB), CAST(c AS BLOB), CAST(d AS BLOB)
        FROM bytes_of t
    """
    found = []
    for each in (store, sqlite_store):
        blob = "BLOB" if each is sqlite_store else "bytea"
        with each.transaction():
            each.rows(f"CREATE TABLE bytes_of (a text, b {blob}, c bigint, d text)")
            each.rows("INSERT INTO bytes_of VALUES (?, ?, ?, ?)", ("中\\x", b"\0\xff", 12, None))
        found += each.rows(sql)
    assert found == [("中\\x".encode(), b"\0\xff", b"12", None)] * 2


def test_the_lesser_and_the_greater_of_two_values(store: Store, sqlite_store: Store) -> None:
    sql = "SELECT min(screen, ?), max(screen, ?), min(1, 2), max(screen, NULL) FROM draft"
    for each in (store, sqlite_store):
        with each.transaction():
            drafts.put(each, draft_of("B"), "{}", now())
        assert each.rows(sql, ("a", "a")) == [("B", "a", 1, None)]
        assert each.rows("SELECT min(screen), max(screen) FROM draft") == [("B", "B")]


def test_which_table_and_index_to_begin_with_is_told_to_sqlite_alone(
    store: Store, sqlite_store: Store
) -> None:
    sql = """
        SELECT 1 FROM enterprise a INDEXED BY enterprise_uscc
        CROSS JOIN enterprise b ON a.name = b.name WHERE a.uscc = ?
    """
    for each in (store, sqlite_store):
        assert each.rows(sql, ("none",)) == []
