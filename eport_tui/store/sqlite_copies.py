"""Copies of a database in a file: a backup of one in use, and one put back in its place."""

# What APSW takes and returns is known in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

import apsw

from eport_tui.errors import StoreError
from eport_tui.store import faults
from eport_tui.store.database import PATIENCE
from eport_tui.store.faults import Told, fault, told_by_system
from eport_tui.store.sqlite import SqliteStore, new_file_beside, starts_like_sqlite, told

_PATIENCE_OF_COPY = 60_000  # milliseconds
_DAMAGED_COPY: Told = ("备份 {place} 已损坏或不完整，没有恢复", "请改用另一份备份")


def back_up(path: Path, target: Path) -> None:
    """Copy a database, of whatever version, while others go on working with it.

    The copy is whole and on the disk before it gets its name.  Only its owner can read it.

    Raises:
        StoreError: There is no such database, or it is damaged; the target is there
            already, or cannot be written.  Nothing is left of the copy then.
    """
    if target.exists():
        raise StoreError(f"文件 {target} 已存在，没有备份", hint="请另选文件名")
    if not target.parent.is_dir():
        raise StoreError(f"文件夹 {target.parent} 不存在，没有备份", hint="请检查路径")
    _version_of(path)
    with _whole_copy(path, target, faults.DAMAGED) as copy:
        copy.rename(target)


def restore(path: Path, copy: Path, stamp: str) -> tuple[Path | None, int]:
    """Put a copy in the place of a database that nobody has open; the former is kept beside it.

    Args:
        stamp: When it is; tells the former from others that were replaced earlier.

    Returns:
        Where the former is, if there was one; and the version of the copy.

    Raises:
        StoreError: The copy is not there, is damaged or newer than the program, or
            somebody has the database open; nothing was changed.
    """
    try:
        version = _version_of(copy)
    except StoreError as error:
        raise StoreError(
            f"备份 {copy} 不能用，没有恢复：{error.message}", hint="请改用另一份备份"
        ) from error
    with told_by_system(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _whole_copy(copy, path, _DAMAGED_COPY) as fresh:
        if path.exists():
            was = path.stat()
            # SQLite would throw away the log of what it does not take for a database.
            if was.st_size and starts_like_sqlite(path):
                _require_alone(path)
            if os.geteuid() == 0:
                os.chown(fresh, was.st_uid, was.st_gid)
            # A group may share it.
            fresh.chmod(stat.S_IMODE(was.st_mode))
        former = _set_aside(path, _free_name(f"{path}.replaced-{stamp}"))
        fresh.replace(path)
        _sync(path.parent)
    return former, version


def _version_of(path: Path) -> int:
    """The version of a database, which need not be that of the program.

    Raises:
        StoreError: It is none of ours, is damaged, or newer than the program.
    """
    store = SqliteStore(path, read_only=True, create=False, patience=PATIENCE)
    try:
        store.require_ours()
        store.require_known_version()
        return store.schema_version
    finally:
        store.close()


@contextmanager
def _whole_copy(path: Path, target: Path, damaged: Told) -> Generator[Path]:
    """A copy beside `target` that was read through; removed at the end unless it was moved.

    Raises:
        StoreError: As `damaged` says where not all of the database can be read.
    """
    with told_by_system(target), told(target), new_file_beside(target) as fresh:
        try:
            source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                source.set_busy_timeout(_PATIENCE_OF_COPY)
                # The newest saves may still lie in the log: only SQLite knows.
                source.execute("VACUUM INTO ?", (str(fresh),))
            finally:
                source.close()
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise fault(damaged, "", path) from error
        copy = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found = copy.execute("PRAGMA integrity_check").fetchall()
        finally:
            copy.close()
        if found != [("ok",)]:
            raise fault(damaged, "", path)
        _sync(fresh)
        _sync(target.parent)
        yield fresh


def _sync(place: Path) -> None:
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _require_alone(path: Path) -> None:
    """See that nobody has a database open; its log is worked into it."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # SQLite gives its log up only while nobody else has the database open.
            is_alone = connection.pragma("journal_mode", "delete") == "delete"
        except apsw.BusyError:
            is_alone = False
        finally:
            connection.close()
    except apsw.Error:
        # Too damaged to be opened, which is why it is replaced.
        return
    if not is_alone:
        raise StoreError("数据库正在使用，没有恢复", hint=f"请先结束所有使用 {path} 的程序，再恢复")


def _free_name(start: str) -> Path:
    """A name for a database that nothing has, nor what SQLite left beside it."""
    names = (Path(f"{start}{more}.bak") for more in chain([""], (f"-{n}" for n in count(2))))
    return next(
        name
        for name in names
        if not any(Path(f"{name}{end}").exists() for end in ("", "-wal", "-shm"))
    )


def _set_aside(path: Path, former: Path) -> Path | None:
    """Give a database another name, with what SQLite has left beside it."""
    left = [name for name in ("-wal", "-shm") if Path(f"{path}{name}").exists()]
    if not path.exists() and not left:
        return None
    if path.exists():
        # A second name, so that there is a database under the first at any time.
        os.link(path, former)
    for name in left:
        Path(f"{path}{name}").rename(f"{former}{name}")
    return former
