"""What went wrong in the database, told to an operator.

Each engine says by its own codes which of these it is.
"""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from eport_tui.domain.places import Place
from eport_tui.errors import OutOfReach, StoreError

Told = tuple[str, str]
"""A message and its hint, with `{place}` and `{folder}` where those are named."""

LOCKED: Told = ("数据库正被其他程序占用，没有保存", "请稍候再试，一直如此则检查谁在占用 {place}")
CANCELLED: Told = ("已取消等待数据库，没有保存", "请稍候再保存一次")
FULL: Told = ("磁盘空间已满，没有保存", "请清理 {folder} 所在的磁盘，再保存一次")
READ_ONLY: Told = ("数据库是只读的，不能保存", "请检查 {place} 及其所在文件夹的写权限")
DAMAGED: Told = ("数据库已损坏或不完整", "请停止使用，并用备份恢复 {place}")
ALTERED: Told = ("数据库的结构被其他程序改动过", "请停止使用，并用备份恢复 {place}")
NO_ACCESS: Told = ("没有权限打开数据库", "请检查 {place} 及其所在文件夹的读写权限")
DISK: Told = ("读写磁盘出错，没有保存", "请检查 {folder} 所在的磁盘")
REFUSED: Told = ("数据库拒绝了不合规则的数据，没有保存", "请刷新后再试")
CLOSED: Told = ("数据库已关闭", "请重新启动程序")

_NO_FOLDER: Told = ("无法建立文件夹 {folder}", "请另选存放数据库的位置")

_TOLD_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: NO_ACCESS,
    errno.EPERM: NO_ACCESS,
    errno.EROFS: READ_ONLY,
    errno.ENOENT: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
}


class GivenUp(StoreError):
    """The database gave a transaction up, or lost it on the way; nothing was stored.

    The same may go through when it is done anew from its beginning.
    """


class Lost(GivenUp, OutOfReach):
    """The connection was lost on the way; nothing was stored."""


class InDoubt(StoreError):
    """The connection was lost at the very commit: all was stored, or nothing."""


@contextmanager
def told_by_system(path: Path) -> Generator[None]:
    """Turn the errors of the operating system that leave this block into `StoreError`."""
    try:
        yield
    except OSError as error:
        raise fault(_TOLD_BY_ERRNO.get(error.errno or 0), error.errno, path) from error


def fault(
    found: Told | None, code: object, place: Place, kind: type[StoreError] = StoreError
) -> StoreError:
    """The error for an operator.

    Args:
        found: What it is; none where only its code is known.
        code: What the engine calls it.
        place: The database, for the hint.
    """
    message, hint = found or ("数据库操作失败", f"数据库 {{place}}，错误代码 {code}")
    folder = place.parent if isinstance(place, Path) else "数据库服务器"
    names = {"place": place, "folder": folder}
    return kind(message.format(**names), hint=hint.format(**names))
