"""Databases and disks that fail: a clear message, nothing lost, and a way on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import apsw
import pytest

from eport_tui.desk import steps
from eport_tui.services import enterprise_grants
from eport_tui.settings import Settings
from eport_tui.store.database import Store
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, at_login, at_work

THE_DATE = ("20271231", "2027-12-31")
GRANT = ("3101980001", "<tab>", "95", "<enter>", "<tab>", "20271231")


@pytest.fixture(autouse=True)
def busy_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a wait shown so early that no test takes long."""
    monkeypatch.setattr(steps, "SHOW_BUSY_AFTER", 0.05)


@contextmanager
def taken(database: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Another program keeps the database for itself."""
    other = apsw.Connection(str(database))
    try:
        if how == "BEGIN EXCLUSIVE":
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute(how)
        yield
    finally:
        other.close()


class FailingFile(apsw.VFSFile):
    """A file that cannot be written while there is an error."""

    error: type[apsw.Error] | None = None

    def xWrite(self, data: bytes, offset: int) -> None:
        if FailingFile.error is not None:
            raise FailingFile.error
        super().xWrite(data, offset)


class FailingDisk(apsw.VFS):
    """A disk of such files."""

    def __init__(self) -> None:
        super().__init__("failing for tests", base="", makedefault=True)

    def xOpen(self, name: object, flags: list[int]) -> FailingFile:
        return FailingFile("unix", name, flags)


@pytest.fixture
def disk() -> Iterator[type[FailingFile]]:
    """Every database that is opened in the test fails to write when the file has an error."""
    disk = FailingDisk()
    yield FailingFile
    FailingFile.error = None
    disk.unregister()


# -- at the start --------------------------------------------------------------------


def cut_in_half(database: Path) -> None:
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def cut_by_a_byte(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:-1])


def text_file(database: Path) -> None:
    database.write_text("海关编码,社会信用代码,企业名称\n", encoding="utf-8")


def emptied(database: Path) -> None:
    database.write_bytes(b"")


def of_another_program(database: Path) -> None:
    database.unlink()
    with apsw.Connection(str(database)) as other:
        other.execute("CREATE TABLE something (x)")


def of_a_newer_program(database: Path) -> None:
    with apsw.Connection(str(database)) as newer:
        newer.execute("INSERT INTO migration VALUES (99, 'later', '2027-01-01T00:00:00+08:00')")


BROKEN = {
    cut_in_half: "数据库已损坏或不完整（请停止使用，并用备份恢复",
    cut_by_a_byte: "数据库已损坏或不完整（请停止使用，并用备份恢复",
    text_file: "该文件不是数据库（请检查路径",
    emptied: "数据库文件是空的（请用备份恢复",
    of_another_program: "该文件是其他程序的数据库（请检查路径",
    of_a_newer_program: "新（请升级程序后再打开）",
}


@pytest.mark.parametrize(("breaking", "told"), BROKEN.items(), ids=[f.__name__ for f in BROKEN])
async def test_a_database_that_cannot_be_used_is_told_left_alone_and_tried_again(
    settings: Settings, breaking: object, told: str
) -> None:
    good = settings.database.read_bytes()
    breaking(settings.database)  # type: ignore[operator]
    broken = settings.database.read_bytes()
    async with at_login(settings) as operator:
        assert operator.message.startswith("x ")
        assert told in operator.message
        assert settings.database.read_bytes() == broken
        await operator.press("enter")
        assert operator.sees("请插入IC卡或Ikey", "没有读到数据")
        await operator.press("f5")
        assert told in operator.message
        settings.database.write_bytes(good)
        await operator.press("f5")
        assert operator.message == "演示卡的密码都是88888888"
        await operator.log_in(MANUFACTURER)
        assert operator.place == "主选单"


@pytest.mark.parametrize("key", ["ctrl+q", "escape"])
async def test_one_can_leave_when_the_database_cannot_be_used(settings: Settings, key: str) -> None:
    emptied(settings.database)
    async with at_login(settings) as operator:
        await operator.press(key, *(["enter"] if key == "escape" else []))
        await operator.wait_until(lambda: not operator.app.is_running, what="the end")


async def test_a_database_that_may_only_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The super-user may write everything, so the answer of the system is given for it.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))
    async with at_login(settings) as operator:
        assert "数据库文件是只读的（请检查" in operator.message
        monkeypatch.setattr(os, "access", allowed)
        await operator.press("f5")
        await operator.log_in(MANUFACTURER)
        assert operator.place == "主选单"


async def test_a_folder_where_the_database_should_be(settings: Settings) -> None:
    settings.database.unlink()
    settings.database.mkdir()
    async with at_login(settings) as operator:
        assert "数据库路径是一个文件夹" in operator.message


async def test_a_missing_database_is_made(settings: Settings) -> None:
    settings.database.unlink()
    async with at_work(settings, MANUFACTURER, "11") as operator:
        assert operator.sees("共0条")
        await operator.type("3101980001")
        await operator.press("enter")
        assert "未查询到该企业" in operator.message


async def test_a_code_table_that_cannot_be_understood(settings: Settings, tmp_path: Path) -> None:
    table = tmp_path / "config" / "subsystems.csv"
    table.parent.mkdir()
    table.write_text("这不是代码表", encoding="utf-8")
    async with at_login(replace(settings, config_dir=table.parent)) as operator:
        assert operator.message.startswith("x ")
        assert "subsystems.csv" in operator.message
        table.unlink()
        await operator.press("f5")
        await operator.log_in(MANUFACTURER)
        assert operator.place == "主选单"


async def test_waiting_for_a_database_that_another_program_has_is_shown_and_given_up(
    settings: Settings,
) -> None:
    with ExitStack() as other_program:
        other_program.enter_context(taken(settings.database, "BEGIN EXCLUSIVE"))
        async with at_login(settings, ready=False) as operator:
            await operator.wait_while_busy()
            assert "按Esc可取消" in operator.message
            await operator.press("escape")
            assert "已取消" in operator.message
            other_program.close()
            await operator.press("f5")
            await operator.log_in(MANUFACTURER)
            assert operator.place == "主选单"


# -- locked by another program -----------------------------------------------------


async def test_waiting_for_another_program_is_shown_and_can_be_cancelled(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        with taken(settings.database):
            operator.send("<f10>")
            await operator.wait_while_busy()
            assert operator.message == "~ 正在处理，请稍候。按Esc可取消"
            await operator.press("escape")
            assert "已取消等待数据库，没有保存" in operator.message
            assert operator.place.endswith("企业间授权录入")
            assert operator.dialog == ""
            assert operator.value("代理企业编号") == "3101980001"
            assert operator.value("权限有效期") in THE_DATE
        assert len(colleague.made()) == 5
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    assert colleague.grant_to(BROKER_CODE, "95")


async def test_a_save_that_waited_is_done_when_the_other_program_is(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        with taken(settings.database):
            operator.send("<f10>")
            await operator.wait_while_busy()
        await operator.wait_for("保存成功")
        await operator.press("enter")
        assert operator.sees("共6条")


async def test_keys_typed_during_a_wait_are_not_lost(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        with taken(settings.database):
            operator.send("<f10>")
            await operator.wait_while_busy()
            operator.send("<enter>", "<f2>", "3205980002", "<enter>")
        await operator.settle()
        assert operator.value("代理企业名称") == "苏州样例通达报关有限公司"
        assert operator.value("权限有效期") == ""
        assert operator.sees("共6条")


async def test_a_lock_that_lasts_too_long_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Store.open
    monkeypatch.setattr(Store, "open", lambda path: original(path, patience=0.02))
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        with taken(settings.database):
            await operator.press("f10")
            assert "数据库正被其他程序占用，没有保存" in operator.message
            assert operator.value("权限有效期") in THE_DATE
        await operator.press("f10")
        assert "保存成功" in operator.dialog


async def test_deleting_waits_like_saving(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        with taken(settings.database):
            operator.send("y")
            await operator.wait_while_busy()
            await operator.press("escape")
            assert "已取消等待数据库" in operator.message
        assert len(colleague.made()) == 5
        assert operator.sees("第1条 共5条")


async def test_entries_of_operators_stay_when_they_cannot_be_saved(
    settings: Settings, broker: Colleague
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", "8900000000997", "<f6>")
        with taken(settings.database):
            operator.send("<f10>")
            await operator.wait_while_busy()
            await operator.press("escape")
            assert "已取消等待数据库" in operator.message
            assert operator.row("8900000000997").endswith("未保存")
        await operator.press("f10")
        assert "暂存成功" in operator.dialog
    assert "8900000000997" in broker.operators(broker.received()[0].grant.id)


# -- a disk that fails while the program runs ------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (apsw.FullError, "磁盘空间已满，没有保存"),
        (apsw.ReadOnlyError, "数据库是只读的，不能保存"),
        (apsw.IOError, "读写磁盘出错，没有保存"),
    ],
)
async def test_a_disk_that_fails_while_saving_is_told_and_loses_nothing(
    settings: Settings, disk: type[FailingFile], error: type[apsw.Error], told: str
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        disk.error = error
        await operator.press("f10")
        assert told in operator.message
        assert "（请" in operator.message
        assert operator.value("代理企业编号") == "3101980001"
        assert operator.value("权限有效期") in THE_DATE
        await operator.press("tab", "tab", "tab")
        assert operator.at_field == "代理企业编号"
        disk.error = None
        await operator.press("f10")
        assert "保存成功" in operator.dialog


async def test_a_disk_that_fails_while_deleting_deletes_nothing(
    settings: Settings, disk: type[FailingFile]
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        disk.error = apsw.FullError
        await operator.type("y")
        assert "磁盘空间已满" in operator.message
        disk.error = None
        await operator.press("f5")
        assert operator.sees("共5条")


def overwritten(database: Path) -> None:
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.write(b"garbage!" * (size // 8))


def truncated(database: Path) -> None:
    os.truncate(database, 4096)


@pytest.mark.parametrize("breaking", [overwritten, truncated])
async def test_a_database_that_is_broken_while_the_program_runs_is_told(
    settings: Settings, colleague: Colleague, breaking: object
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        # Without a change by somebody else the program would look at what it has in memory.
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        good = settings.database.read_bytes()
        breaking(settings.database)  # type: ignore[operator]
        for key in ("f5", "f10"):
            await operator.press(key)
            assert "数据库已损坏或不完整（请停止使用，并用备份恢复" in operator.message
            assert operator.value("代理企业编号") == "3101980001"
            assert operator.row("3101980001").endswith("2027-12-29 有效")
        await operator.press("ctrl+q")
        await operator.type("y")
        await operator.wait_until(lambda: not operator.app.is_running, what="the end")
    settings.database.write_bytes(good)
    async with at_login(settings) as operator:
        await operator.log_in(MANUFACTURER)
        await operator.press("escape" if operator.dialog else "home")
        await operator.type("11")
        assert operator.sees("2028-08-08")


async def test_looking_at_permissions_in_a_broken_database(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "13") as operator:
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        overwritten(settings.database)
        await operator.press("f5")
        assert "数据库已损坏" in operator.message
        await operator.press("tab", "up")
        assert operator.sees("没有读到数据：数据库已损坏或不完整")
        assert not operator.sees("暂无数据")
        await operator.press("escape")
        assert operator.place == "委托授权系统"


async def test_scrolling_in_a_broken_database_does_not_end_the_program(
    settings: Settings, colleague: Colleague
) -> None:
    colleague.grant_to_many(300)
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*["tab"] * 5)
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        overwritten(settings.database)
        await operator.press("end")
        assert operator.app.is_running
        assert "数据库已损坏" in operator.message


async def test_a_defect_is_logged_and_told_in_chinese(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect made for this test")

    monkeypatch.setattr(enterprise_grants, "save", broken)
    settings.log_file.touch()
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(*GRANT)
        await operator.press("f10")
        assert "程序内部错误，刚才的操作可能没有完成。详情记录在" in operator.message
        assert "ZeroDivisionError" not in operator.text
        assert operator.value("权限有效期") in THE_DATE
    assert "a defect made for this test" in caplog.text
    caplog.clear()
