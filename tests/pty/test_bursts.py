"""Keys that arrive all at once, as on a slow line or from a scanner, each reach their place."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from itertools import product
from pathlib import Path

from eport_tui.domain.dates import today
from tests.pty.desk import (
    BROKER,
    ENTERPRISE_GRANTS,
    F2,
    F3,
    F10,
    MANUFACTURER,
    OPERATOR_GRANTS,
    Launch,
    logging_in,
)

TIMES = 20

AGENTS = ("4403980003", "3302980004", "4403W6A001", "3101660A2B", "3702980007")
# What is typed in a field to choose its code: space and the code, or the initials at once.
SUBSYSTEMS = {"95": " 95\r", "B1": "jgmysc\r", "Z8": " 物流账册\r", "B3": "hwlz\r"}
GRANT_TYPES = {"X1": "\r", "X2": " X2\r"}


def valid_until(day: date, form: int) -> str:
    """A date as an operator may write it."""
    written = ("%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", f"+{(day - today()).days}")
    return day.strftime(written[form])


def test_a_burst_from_the_login_to_the_next_record_puts_every_key_in_its_field(
    launch: Launch, database: Path
) -> None:
    chance = random.Random(20261124)
    records = chance.sample(list(product(AGENTS, SUBSYSTEMS, GRANT_TYPES)), TIMES)
    desk = launch()
    desk.wait_for(MANUFACTURER)
    begin = ""
    for at, (agent, subsystem, grant_type) in enumerate(records):
        day = today() + timedelta(chance.randrange(1, 3000))
        begun = str(chance.randrange(10**6))
        desk.send(
            f"{begin}{logging_in(MANUFACTURER)}{ENTERPRISE_GRANTS}"
            f"{agent}\r{SUBSYSTEMS[subsystem]}{GRANT_TYPES[grant_type]}"
            f"{valid_until(day, at % 4)}{F10}{F2}{begun}"
        )
        desk.wait_value("代理企业编号", begun)
        desk.wait_for(f"共{6 + at}条")
        assert stored(database, agent, subsystem, grant_type) == day.isoformat()
        for cleared in ("代理企业社会信用代码", "代理企业名称", "授权子系统", "权限有效期"):
            desk.wait_value(cleared, "")
        desk.wait_value("授权类型", "操作权")
        # Leave without saving, and log in with another card.
        begin = f"{F3}y2"


def test_keys_typed_while_another_program_writes_wait_and_land_right(
    launch: Launch, database: Path
) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, ENTERPRISE_GRANTS)
    desk.wait_for("共5条")
    with writing(database):
        desk.send(f"4403980003\r 95\r\r+90{F10}{F2}3302980004\r Z8\r")
        desk.wait_message("正在处理，请稍候。按Esc可取消")
        desk.wait_value("代理企业编号", "4403980003")
    desk.wait_for("共6条")
    desk.wait_for(">* 授权类型")
    desk.wait_value("代理企业编号", "3302980004")
    desk.wait_value("代理企业名称", "宁波样例海关业务报关有限公司")
    desk.wait_value("授权子系统", "物流账册")
    desk.wait_value("权限有效期", "")
    until = today() + timedelta(90)
    assert stored(database, "4403980003", "95", "X1") == until.isoformat()


def test_a_scanner_s_burst_of_24_characters_goes_whole_into_one_field(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r")
    desk.wait_for(">* 操作员IC卡号")
    scanned = "Q1W2E3R4T5Y6U7I8O9P0A1S2"
    desk.send(f"\t{scanned}\r")
    desk.wait_for("已是最后一栏，按F10保存")
    desk.wait_value("事由", scanned)
    desk.wait_value("操作员IC卡号", "")
    desk.wait_value("授权企业编号", "")


def test_a_scanner_s_burst_that_is_too_long_stops_at_its_field(launch: Launch) -> None:
    desk = launch()
    desk.log_in(BROKER, f"{OPERATOR_GRANTS}\r")
    desk.wait_for(">* 操作员IC卡号")
    scanned = "Q1W2E3R4T5Y6U7I8O9P0A1S2"
    desk.send(f"{scanned}\r")
    desk.wait_message("操作员IC卡号为13位，多输入的字符没有采用（核对后再按一次）")
    desk.wait_value("操作员IC卡号", scanned[:13])
    desk.wait_value("事由", "")
    desk.wait_value("授权企业编号", "")


def test_a_paste_among_keys_goes_whole_into_its_field(launch: Launch) -> None:
    desk = launch()
    desk.log_in(MANUFACTURER, f"{ENTERPRISE_GRANTS}{pasted('4403980003')}\r")
    desk.wait_value("代理企业编号", "4403980003")
    # Into a list it narrows the list; from a table or a page blanks and line ends come along.
    desk.send(f"{pasted('物流')}\r\r{pasted(chr(10) + ' 2031-12-31 ' + chr(10))}{F10}{F2}")
    desk.wait_for(re.compile("4403980003 .* 物流账册 +操作权 +2031-12-31"))


def pasted(text: str) -> str:
    """What a terminal sends when a text is pasted."""
    return f"\x1b[200~{text}\x1b[201~"


@contextmanager
def writing(database: Path) -> Iterator[None]:
    """Hold the database's write lock, as another program that writes."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def stored(database: Path, *key: str) -> str | None:
    """The last day of one of the manufacturer's grants, as it is in the database."""
    sql = (
        "SELECT valid_until FROM enterprise_grant WHERE principal = '3101440001'"
        " AND agent = ? AND subsystem = ? AND grant_type = ?"
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute(sql, key).fetchone()
    return found[0] if found else None
