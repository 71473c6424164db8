"""The program on a PostgreSQL server that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from eport_tui.card import glance
from eport_tui.card.trust import TrustStore
from eport_tui.desk import changes
from eport_tui.services import databases, drafts
from eport_tui.settings import Settings
from eport_tui.store import postgres
from tests.engines import server as server
from tests.postgres import Server
from tests.ui.colleague import BROKER_CODE, at_the_same_database
from tests.ui.operator import BROKER, MANUFACTURER, PIN, Operator, at_login, at_work
from tests.ui.test_faults import GRANT, THE_DATE

pytestmark = pytest.mark.postgresql


@pytest.fixture
def settings(settings: Settings, server: Server) -> Iterator[Settings]:
    """The demo, on the server."""
    with server.database() as url:
        assert not databases.copy(settings.database, url, settings.trust_dir).faults
        yield replace(settings, database=url)


async def test_a_day_at_work_on_a_server(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        assert operator.sees("共5条")
        await operator.burst(*GRANT)
        await operator.press("f10")
        assert "保存成功" in operator.dialog
        await operator.press("enter")
        assert operator.sees("共6条")


async def test_a_server_that_is_gone_locks_writing_keeps_what_was_typed_and_comes_back(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        server.stop()
        try:
            for _ in range(2):
                await operator.press("f10")
                kept = "无法连接数据库服务器（输入的内容还在，服务器恢复后会自动重新连接；"
                assert kept in operator.message
                assert operator.dialog == ""
                assert operator.value("代理企业编号") == BROKER_CODE
                assert operator.value("权限有效期") in THE_DATE
        finally:
            server.start()
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    with at_the_same_database(settings) as colleague:
        assert colleague.grant_to(BROKER_CODE, "95")


async def test_what_a_colleague_saves_is_seen_without_waiting_for_the_next_look(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 3600)
    with at_the_same_database(settings) as colleague:
        async with at_work(settings, MANUFACTURER, "11") as operator:
            assert operator.sees("共5条")
            colleague.grant("3101980001", "95")
            await operator.wait_for("共6条")


async def test_what_a_colleague_saves_is_seen_though_nobody_hears_of_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 0.02)
    monkeypatch.setattr(postgres, "_TAKE_TURN", postgres._TAKE_TURN.partition("RETURNING")[0])
    with at_the_same_database(settings) as colleague:
        async with at_work(settings, MANUFACTURER, "11") as operator:
            assert operator.sees("共5条")
            colleague.grant("3101980001", "95")
            await operator.wait_for("共6条")


# -- what is opened while the server is gone -------------------------------------------

UNREAD = "没有读到数据：无法连接数据库服务器"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch, watchful: None) -> None:
    """Have the program look at the database so often that nobody has to wait."""
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 0.02)


@contextmanager
def outage(server: Server) -> Iterator[None]:
    """The server is gone meanwhile."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("card", "entry", "shown"),
    [
        (MANUFACTURER, "1", "共5条"),
        (BROKER, "2", "共17条"),
        (MANUFACTURER, "3", "权限（全部） 第1条"),
        (MANUFACTURER, "5", "到期的授权 第1条"),
        (MANUFACTURER, "7", "操作历史 第1条"),
    ],
)
async def test_a_list_that_is_opened_while_the_server_is_gone_says_so_and_appears_by_itself(
    settings: Settings, server: Server, card: str, entry: str, shown: str
) -> None:
    async with at_work(settings, card, "1") as operator:
        with outage(server):
            await operator.type(entry)
            assert "无法连接数据库服务器" in operator.message
            # When the message is gone the list still says why it is empty.
            await operator.press("tab", "enter", "tab")
            assert operator.sees(UNREAD)
            assert not operator.sees("暂无数据")
            assert not operator.sees("共0条")
        await operator.wait_for(shown)
        assert not operator.sees("没有读到数据")
        assert not operator.sees("无法连接")


def listed(operator: Operator) -> list[str]:
    """The lower list, with its title."""
    at = next(at for at, line in enumerate(operator.lines) if "操作员权限列表" in line)
    return operator.lines[at:-3]


@pytest.mark.usefixtures("soon")
async def test_the_operators_under_a_grant_appear_by_themselves_too(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        operators = listed(operator)
        await operator.press("f3")
        await operator.type("1")
        with outage(server):
            await operator.type("2")
            assert operator.text.count("没有读到数据") == 2
        await operator.wait_for("共17条")
        assert listed(operator) == operators


@pytest.mark.usefixtures("soon")
async def test_a_list_that_appears_by_itself_moves_no_cursor_and_hides_no_newer_message(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, MANUFACTURER, "1") as operator:
        with outage(server):
            await operator.type("1")
            await operator.type(BROKER_CODE[:6])
            await operator.press("f4")
            told = operator.message
            assert "没有可选的列表" in told
        await operator.wait_for("共5条")
        assert operator.message == told
        assert operator.at_field == "代理企业编号"
        await operator.type(BROKER_CODE[6:])
        assert operator.value("代理企业编号") == BROKER_CODE


@pytest.mark.usefixtures("soon")
async def test_a_row_stays_selected_where_a_list_cannot_be_read_anew(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, MANUFACTURER, "17") as operator:
        await operator.press("down", "down")
        assert operator.sees("第3条")
        row = next(line for line in operator.lines if line.startswith("> "))
        with outage(server):
            await operator.press("f5")
            assert "无法连接数据库服务器" in operator.message
            assert row in operator.lines
        await operator.wait_until(lambda: "无法连接" not in operator.message)
        assert operator.sees("第3条")
        assert row in operator.lines


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("another", [False, True], ids=["the same", "another"])
async def test_an_answer_appears_by_itself_unless_the_question_is_another_by_now(
    settings: Settings, server: Server, another: bool
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press("shift+tab")
        with outage(server):
            await operator.press("f11")
            await operator.type("8900000000042")
            await operator.press("f5")
            assert "无法连接数据库服务器" in operator.message
            assert not operator.sees("核查结果  +")
            if another:
                await operator.press("end", "backspace")
        if another:
            await operator.wait_until(lambda: not operator.app.changes.has_unread)
            assert not operator.sees("核查结果  +")
            assert operator.value("操作员IC卡号") == "890000000004"
        else:
            await operator.wait_for("核查结果  + 允许")


@pytest.mark.usefixtures("soon")
async def test_what_moves_to_another_card_is_listed_by_itself(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, BROKER, "16") as operator:
        with outage(server):
            await operator.burst("8900000000042", "<enter>", "8900000000158", "<enter>")
            assert operator.sees(UNREAD)
            assert not operator.sees("暂无数据")
        await operator.wait_for("请核对列出的")
        assert operator.at_field == "新IC卡号"
        await operator.press("end", "backspace")
        assert operator.sees("暂无数据")


@pytest.mark.usefixtures("soon")
async def test_what_runs_out_soon_is_told_when_the_server_is_back(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, MANUFACTURER, "1") as operator:
        with outage(server):
            await operator.press("escape")
            assert operator.place == "主选单"
            assert "无法连接数据库服务器" in operator.message
        await operator.wait_for("30天内到期的授权")


@pytest.mark.usefixtures("soon")
async def test_what_others_saved_before_the_outage_is_seen_after_it(
    settings: Settings, server: Server
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        with at_the_same_database(settings) as colleague:
            await operator.press("f1")
            colleague.grant("3101980001", "95")
        with outage(server):
            await operator.press("escape")
        await operator.wait_for("共6条")


# -- what is unsaved ---------------------------------------------------------------------


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("key", "shown"),
    [("f7", "请插入原来的卡"), ("escape", "录入的企业间授权尚未保存")],
    ids=["locked", "asked"],
)
async def test_what_is_unsaved_behind_a_lock_or_a_question_is_offered_nowhere_after_an_outage(
    settings: Settings, server: Server, key: str, shown: str
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(BROKER_CODE, "<enter>")
        await operator.press(key)
        assert operator.sees(shown)
        # The second one hits the connection that was made after the first.
        for _ in range(2):
            with outage(server):
                await operator.wait_until(lambda: operator.app.store.has_lost_hold)
            await operator.wait_until(lambda: not operator.app.store.has_lost_hold)
            with at_the_same_database(settings) as elsewhere:
                assert elsewhere.store.rows("SELECT screen FROM draft") == [("enterprise_grants",)]
                assert drafts.offered(elsewhere.store, elsewhere.session) == []
        assert operator.sees(shown)


@pytest.mark.usefixtures("soon")
async def test_the_server_is_asked_for_nothing_while_the_program_is_locked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(BROKER_CODE, "<enter>")
        await operator.press("f7")
        assert operator.place == "已锁定"
        data = operator.app.steps.data
        # What was begun before is behind us.
        data.submit(int).result()
        changes = operator.app.changes
        looks: list[object] = []
        asked: list[object] = []
        look = changes.look_if_due
        with monkeypatch.context() as patch:
            patch.setattr(data, "submit", lambda *what: asked.append(what))
            patch.setattr(changes, "look_if_due", lambda: looks.append(look()))
            await operator.wait_until(lambda: len(looks) >= 10)
        assert asked == []


# -- the login -------------------------------------------------------------------------


@pytest.mark.usefixtures("soon")
async def test_a_program_that_is_started_while_the_server_is_gone_lists_the_cards_by_itself(
    settings: Settings, server: Server
) -> None:
    with outage(server):
        login = at_login(settings)
        operator = await login.__aenter__()
        assert "无法连接数据库服务器" in operator.message
        assert operator.sees(UNREAD)
        assert not operator.sees("暂无数据")
        # A PIN is typed where one usually is, although no card is listed.
        await operator.type(PIN)
        await operator.paste(PIN)
        assert PIN not in operator.text
        assert not operator.sees("查找")
    try:
        await operator.wait_for("共8条")
        assert "无法连接" not in operator.message
        await operator.log_in()
        assert operator.place == "主选单"
    finally:
        await login.__aexit__(None, None, None)


@pytest.mark.usefixtures("soon")
async def test_whose_card_it_is_is_asked_again_when_the_registry_is_back(
    settings: Settings, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As it is with cards that leave it to the registry whose they are.
    holder_of = TrustStore.holder_of

    def ask_the_registry(self: TrustStore, certificate: bytes) -> Any:
        operator.app.store.rows("SELECT count(*) FROM enterprise")
        return holder_of(self, certificate)

    monkeypatch.setattr(glance, "glance", lambda certificate: None)
    monkeypatch.setattr(TrustStore, "holder_of", ask_the_registry)
    async with at_login(settings, ready=False) as operator:
        await operator.wait_for("共8条")
        with outage(server):
            await operator.press("f5")
            assert operator.row(MANUFACTURER).endswith("无法连接数据库服务器")
            await operator.type(PIN)
            assert PIN not in operator.text
        await operator.wait_for(f"{MANUFACTURER} 法人卡")
        assert not operator.sees("无法连接")
