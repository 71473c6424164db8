"""What went wrong in the database, told to an operator."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import apsw
import peewee

from eport_tui.errors import StoreError

_LOCKED = ("数据库正被其他程序占用，没有保存", "请稍候再试，一直如此则检查谁在占用 {path}")
_CANCELLED = ("已取消等待数据库，没有保存", "请稍候再保存一次")
_FULL = ("磁盘空间已满，没有保存", "请清理 {folder} 所在的磁盘，再保存一次")
_READ_ONLY = ("数据库是只读的，不能保存", "请检查 {path} 及其所在文件夹的写权限")
_DAMAGED = ("数据库已损坏或不完整", "请停止使用，并用备份恢复 {path}")
_NO_ACCESS = ("没有权限打开数据库", "请检查 {path} 及其所在文件夹的读写权限")

_NO_FOLDER = ("无法建立文件夹 {folder}", "请另选存放数据库的位置")

_TOLD: dict[type[apsw.Error], tuple[str, str]] = {
    apsw.BusyError: _LOCKED,
    apsw.LockedError: _LOCKED,
    apsw.FullError: _FULL,
    apsw.ReadOnlyError: _READ_ONLY,
    apsw.PermissionsError: _NO_ACCESS,
    apsw.AuthError: _NO_ACCESS,
    apsw.CantOpenError: ("无法打开数据库", "请检查 {path} 是否存在、能否读写"),
    apsw.NotADBError: _DAMAGED,
    apsw.CorruptError: _DAMAGED,
    apsw.IOError: ("读写磁盘出错，没有保存", "请检查 {folder} 所在的磁盘"),
    apsw.ConstraintError: ("数据库拒绝了不合规则的数据，没有保存", "请刷新后再试"),
    apsw.ConnectionClosedError: ("数据库已关闭", "请重新启动程序"),
}

_TOLD_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS,
    errno.EROFS: _READ_ONLY,
    errno.ENOENT: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
}


def _never() -> bool:
    return False


@contextmanager
def told(path: Path, *, cancelled: Callable[[], bool] = _never) -> Generator[None]:
    """Turn the errors of SQLite that leave this block into `StoreError`.

    Args:
        path: The database, for the hints.
        cancelled: Whether the last wait for a lock was given up on request.
    """
    try:
        yield
    except (apsw.Error, peewee.PeeweeException) as error:
        # Peewee wraps the errors of apsw in its own, several times over, and keeps them here.
        cause: object = error
        while isinstance(cause, peewee.PeeweeException):
            cause = getattr(cause, "orig", None)
        if not isinstance(cause, apsw.Error):
            raise
        found = next((told for kind, told in _TOLD.items() if isinstance(cause, kind)), None)
        if found is _LOCKED and cancelled():
            found = _CANCELLED
        code = getattr(cause, "extendedresult", type(cause).__name__)
        raise _fault(found, code, path) from error


@contextmanager
def told_by_system(path: Path) -> Generator[None]:
    """Turn the errors of the operating system that leave this block into `StoreError`."""
    try:
        yield
    except OSError as error:
        raise _fault(_TOLD_BY_ERRNO.get(error.errno or 0), error.errno, path) from error


def _fault(found: tuple[str, str] | None, code: object, path: Path) -> StoreError:
    message, hint = found or ("数据库操作失败", f"数据库 {{path}}，错误代码 {code}")
    names = {"path": path, "folder": path.parent}
    return StoreError(message.format(**names), hint=hint.format(**names))


def damaged(path: Path) -> StoreError:
    """The error for a database that SQLite would open but that is not whole."""
    return _fault(_DAMAGED, "", path)
