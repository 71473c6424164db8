"""`eport-tui expiring`: the table, the JSON and the calendar of what runs out."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from icalendar import Calendar, Event

from eport_tui.__main__ import main
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.text import printable
from eport_tui.services import enterprise_grants, expiry
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.services.world import (
    BROKER,
    MANUFACTURER,
    OTHER_BROKER,
    TABLES,
    TODAY,
    TRADER,
    grant,
    hand_on,
    opened,
    register,
    session,
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def at_three() -> Iterator[None]:
    """It is three o'clock in the afternoon of the day of the stories."""
    with time_machine.travel(datetime(2026, 3, 1, 15, tzinfo=SHANGHAI), tick=False):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The database."""
    return tmp_path / "eport.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Two grants of the manufacturer and one of the trader that run out one after the other."""
    with Store.open(path) as store:
        register(store)
        # Over already, which is no news.
        grant(store, subsystem="B3", today=TODAY - timedelta(9), valid_until=TODAY - timedelta(1))
        grant(store, valid_until=TODAY + timedelta(30))
        hand_on(store, grant(store, TRADER, BROKER, valid_until=TODAY), "8900000000051")
        grant(store, agent=OTHER_BROKER, grant_type="X2", valid_until=TODAY + timedelta(31))
        yield store


@pytest.fixture
def run(store: Store, path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on the database; returns exit code, output and errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["--database", str(path), "expiring", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def events(file: Path) -> list[Event]:
    return list(Calendar.from_ical(file.read_bytes()).walk("VEVENT"))


def test_what_runs_out_stands_in_columns_by_its_last_day(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "有效期至    剩余  授权企业    名称                      代理企业    名称"
        "                授权子系统    授权类型",
        "2026-03-01  0天   3205460003  苏州丙贸易[bold]有限公司  3101980002  上海乙报关有限公司"
        "  加工贸易账册  操作权",
        "2026-03-31  30天  3101940001  上海甲制造有限公司        3101980002  上海乙报关有限公司"
        "  加工贸易账册  操作权",
    ]


def test_on_a_terminal_no_row_is_broken_into_two(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for columns in (80, 90, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = run()[1].splitlines()
        assert max(len(line.encode("gbk")) for line in lines) <= columns
        assert ("上海乙" in lines[1]) is (columns > 80)
    assert "终端太窄" not in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--within", "0"), 1),
        (("--within", "31"), 3),
        (("--enterprise", "3101940001"), 1),
        (("--enterprise", "３１０１９８０００２"), 2),
        (("--enterprise", "3205980004", "--within", "60"), 1),
    ],
)
def test_the_time_and_the_enterprise_can_be_said(
    run: Run, arguments: tuple[str, ...], count: int
) -> None:
    code, out, _ = run(*arguments)
    assert (code, len(out.splitlines())) == (0, count + 1)


def test_what_is_meant_to_lapse_is_left_out(run: Run, store: Store) -> None:
    (first, *_) = expiry.of_database(store, within=30).after(None, 9)
    expiry.let_lapse(store, session(TRADER), [first.grant])
    assert len(run()[1].splitlines()) == 2
    assert "3205460003" in run("--enterprise", BROKER.customs_code)[1]


def test_nothing_to_tell_is_told(run: Run) -> None:
    assert run("--enterprise", "3205980004") == (0, "今后30天内没有到期的授权\n", "")
    assert run("--enterprise", "3205980004", "--json") == (0, "[]\n", "")


def test_as_json_it_is_complete(run: Run) -> None:
    code, out, _ = run("--json", "--within", "0")
    assert code == 0
    assert json.loads(out) == [
        {
            "principal": "3205460003",
            "principal_name": "苏州丙贸易[bold]有限公司",
            "agent": "3101980002",
            "agent_name": "上海乙报关有限公司",
            "subsystem": "95",
            "subsystem_name": "加工贸易账册",
            "grant_type": "X1",
            "grant_type_name": "操作权",
            "granted_on": "2026-03-01",
            "valid_until": "2026-03-01",
            "days_left": 0,
            "operator_grants": 1,
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--within", "soon"), "--within 应为0至3650的整数，现为 soon"),
        (("--within", "-1"), "--within"),
        (("--within", "3651"), "0至3650"),
        (("--within", "9" * 5000), "0至3650"),
        (("--within", "٣"), "0至3650"),
        (("--enterprise", "310194"), "企业编号应为10位，现为6位"),
        (("--enterprise", "3101940009"), "未查询到该企业"),
        (("--ics", "/nowhere/at/all.ics"), "无法写入 /nowhere/at/all.ics：文件或文件夹不存在"),
    ],
)
def test_what_cannot_be_right_is_told(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    try:
        code, _, err = run(*arguments)
    except SystemExit as end:
        code, err = end.code, capsys.readouterr().err
    assert code == 2
    assert told in err


def test_without_a_database_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.db"
    assert main(["--database", str(missing), "expiring"]) == 2
    assert "数据库不存在" in capsys.readouterr().err
    assert not missing.exists()


def test_the_calendar_has_a_whole_day_with_a_reminder_for_each(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "expiring.ics"
    code, out, err = run("--ics", file)
    assert (code, err) == (0, f"已写入日历 {file}：2条\n")
    assert len(out.splitlines()) == 3
    content = file.read_bytes()
    assert content.startswith(b"BEGIN:VCALENDAR\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 75
    first, _ = events(file)
    assert (first["DTSTART"].dt, first["DTEND"].dt) == (date(2026, 3, 1), date(2026, 3, 2))
    assert first["DTSTART"].params["VALUE"] == "DATE"
    assert str(first["SUMMARY"]) == ("授权到期：加工贸易账册 操作权，3101980002 上海乙报关有限公司")
    assert first["DTSTAMP"].dt == datetime(2026, 3, 1, 15, tzinfo=SHANGHAI)
    (alarm,) = first.walk("VALARM")
    assert (str(alarm["ACTION"]), alarm["TRIGGER"].dt) == ("DISPLAY", timedelta(days=-7))
    for name in ("PRODID", "VERSION"):
        assert name in Calendar.from_ical(content)


def test_a_full_disk_costs_no_calendar_that_was_good(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shared" / "expiring.ics"
    file.parent.mkdir()
    run("--ics", file)
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, out, err = run("--ics", file, "--within", "99")
    assert (code, out) == (2, "")
    assert err.startswith(f"错误：无法写入 {file}：磁盘已满\n")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    assert run("--ics", file, "--within", "99")[0] == 0
    assert len(events(file)) == 3


def test_who_may_read_the_calendar_and_where_it_lies_stays_as_it_was(
    run: Run, tmp_path: Path
) -> None:
    file, link = tmp_path / "published" / "e.ics", tmp_path / "expiring.ics"
    file.parent.mkdir()
    link.symlink_to(file)
    umask = os.umask(0o027)
    try:
        run("--ics", link)
        assert file.stat().st_mode & 0o777 == 0o640
        file.chmod(0o664)
        run("--ics", link)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o664
    assert link.is_symlink()
    assert len(events(file)) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another user")
def test_whose_the_calendar_is_stays_as_it_was(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "expiring.ics"
    run("--ics", file)
    file.chmod(0o640)
    os.chown(file, 65534, 65533)
    assert run("--ics", file, "--within", "99")[0] == 0
    assert len(events(file)) == 3
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65533, 0o640)


def test_a_calendar_that_is_read_anew_moves_what_was_renewed(
    run: Run, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "expiring.ics"
    run("--ics", file, "--within", "99")
    before = {str(event["UID"]): event["DTSTART"].dt for event in events(file)}
    assert len(before) == 3
    (row,) = expiry.of_database(store, within=0).after(None, 9)
    later = TODAY + timedelta(days=77)
    enterprise_grants.save(store, TABLES, session(TRADER), opened(row.grant, later))
    run("--ics", file, "--within", "99")
    after = {str(event["UID"]): event["DTSTART"].dt for event in events(file)}
    assert after.keys() == before.keys()
    assert set(after.items()) - set(before.items()) == {
        (uid, later) for uid, day in before.items() if day == TODAY
    }


def test_a_name_is_data_in_the_table_and_in_the_calendar(
    run: Run, store: Store, tmp_path: Path
) -> None:
    name = "甲;乙,丙\\丁\r\nEND:VEVENT\x1b[31m"
    with store.transaction():
        enterprises.put_all(store, [BROKER._replace(name=name)])
    file = tmp_path / "expiring.ics"
    code, out, _ = run("--ics", file)
    assert code == 0
    assert printable(name) in out
    assert "\x1b" not in out
    assert len(events(file)) == 2
    assert str(events(file)[0]["SUMMARY"]).endswith(f"3101980002 {printable(name)}")
    assert b"\x1b" not in file.read_bytes()
    assert json.loads(run("--json")[1])[0]["agent_name"] == name


def test_the_database_may_be_read_only(run: Run, path: Path) -> None:
    before = path.read_bytes()
    assert run()[0] == 0
    assert path.read_bytes() == before
    assert MANUFACTURER.customs_code in run()[1]
