"""The program is started while the PostgreSQL server is gone, and the server comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from eport_tui.services import databases
from tests.engines import server as server
from tests.postgres import Server
from tests.pty.desk import _CARDS, PIN, Launch

pytestmark = pytest.mark.postgresql

PLACE = "电子口岸委托授权 - 登录"


def test_the_login_screen_stays_whole_and_works_when_the_server_is_back(
    home: Path, database: Path, launch: Launch, server: Server
) -> None:
    passwords = home / "passwords"
    passwords.write_text("*:*:*:*:secret")
    # libpq warns of a file that others can read, on stderr and at each connection.
    passwords.chmod(0o644)
    folder = database.parent
    with server.database() as url:
        assert not databases.copy(database, url, folder / "trust").faults
        server.stop()
        try:
            desk = launch(
                *("--database", str(url)),
                EPORT_TUI_CARDS=str(folder / "cards"),
                EPORT_TUI_TRUST=str(folder / "trust"),
                PGPASSFILE=str(passwords),
            )
            desk.wait_for("没有读到数据：无法连接数据库服务器")
            desk.wait_place(PLACE)
            # The help is opened only when the PIN has had its whole effect.
            desk.send(PIN)
            desk.press("f1")
            desk.wait_for("插入IC卡或Ikey后显示持卡人")
            desk.press("escape")
            desk.wait_for("没有读到数据")
            assert PIN not in "\n".join(desk.lines())
            assert "查找" not in "\n".join(desk.lines())
        finally:
            server.start()
        desk.wait_for(_CARDS[-1])
        desk.wait_place(PLACE)
        assert "WARNING" not in "\n".join(desk.lines())
        desk.press("ctrl+q")
        assert desk.exit_code() == 0
    log = (home / ".local/state/eport-tui/eport-tui.log").read_text().splitlines()
    assert sum("group or world access" in line for line in log) == 1
    assert sum("no connection" in line for line in log) == 1
    assert sum("connected to the database again" in line for line in log) == 1
