"""The program on a PostgreSQL server that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from eport_tui import app
from eport_tui.services import databases
from eport_tui.settings import Settings
from eport_tui.store import postgres
from tests.engines import server as server
from tests.postgres import Server
from tests.ui.colleague import BROKER_CODE, at_the_same_database
from tests.ui.operator import MANUFACTURER, at_work
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
    monkeypatch.setattr(app, "SEE_OTHERS_SECONDS", 3600)
    with at_the_same_database(settings) as colleague:
        async with at_work(settings, MANUFACTURER, "11") as operator:
            assert operator.sees("共5条")
            colleague.grant("3101980001", "95")
            await operator.wait_for("共6条")


async def test_what_a_colleague_saves_is_seen_though_nobody_hears_of_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SEE_OTHERS_SECONDS", 0.02)
    monkeypatch.setattr(postgres, "_TAKE_TURN", postgres._TAKE_TURN.partition("RETURNING")[0])
    with at_the_same_database(settings) as colleague:
        async with at_work(settings, MANUFACTURER, "11") as operator:
            assert operator.sees("共5条")
            colleague.grant("3101980001", "95")
            await operator.wait_for("共6条")
