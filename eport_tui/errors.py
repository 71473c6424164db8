"""The errors an operator may meet.

Every error that can reach a screen is an `EportError`: its message is Simplified
Chinese, says what is wrong, and its hint says what to do.  Anything else that is
raised is a defect of the program.
"""

from __future__ import annotations

import errno
from pathlib import Path

_CAUSES = {
    errno.ENOSPC: ("磁盘已满", "请清理磁盘后再试"),
    errno.EDQUOT: ("磁盘配额已用完", "请清理磁盘后再试"),
    errno.EROFS: ("磁盘是只读的", "请检查磁盘的挂载方式"),
    errno.EACCES: ("没有权限", "请检查文件和文件夹的权限"),
    errno.EPERM: ("没有权限", "请检查文件和文件夹的权限"),
    errno.EEXIST: ("已有同名的文件", "请检查路径"),
    errno.ENOTDIR: ("路径中有一段不是文件夹", "请检查路径"),
    errno.ENOENT: ("文件或文件夹不存在", "请检查路径"),
    errno.EFBIG: ("磁盘空间不足", "请清理磁盘后再试"),
    errno.EISDIR: ("是一个文件夹", "请写明文件夹中的哪个文件"),
    errno.ENAMETOOLONG: ("文件名太长", "请检查路径"),
    errno.ELOOP: ("符号链接循环", "请检查路径"),
}


class EportError(Exception):
    """Something went wrong that an operator can be told about.

    Args:
        message: What is wrong, in Chinese, one sentence without a full stop.
        field: Identifier of the form field that is at fault, where there is one.
        hint: What to do about it, in Chinese.

    Attributes:
        done: What was done all the same before it, in Chinese, told in front of the message.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint
        self.done = ""

    def __str__(self) -> str:
        told = self.done + self.message
        return f"{told}（{self.hint}）" if self.hint else told


class InvalidInput(EportError):
    """What was typed cannot be stored; `field` names the place."""


class NotPermitted(EportError):
    """The card that is in use has no right to do this."""


class NotFound(EportError):
    """What was asked for does not exist, or no longer."""


class StoreError(EportError):
    """The database cannot be opened, read or written."""


class OutOfReach(StoreError):
    """The server of the database cannot be reached, which passes.

    The next try connects anew, and what only reads is done anew by itself.
    """


class SettingsError(EportError):
    """A settings file or an environment variable cannot be understood."""


def cause_of(error: OSError) -> tuple[str, str]:
    """Why the file system refused something, and what to do about it."""
    return _CAUSES.get(error.errno or 0, ("磁盘读写出错", "请检查磁盘"))


def unreadable(
    what: str, path: Path, error: OSError, kind: type[EportError] = InvalidInput
) -> EportError:
    """The error for a file that was named and cannot be read.

    Args:
        what: What it should be, in Chinese, such as `设置文件`.
    """
    if isinstance(error, FileNotFoundError):
        return kind(f"{what} {path} 不存在", hint="请检查路径")
    cause, hint = cause_of(error)
    return kind(f"无法读取{what} {path}：{cause}", hint=hint)


def unwritable(what: str, path: Path, error: OSError) -> InvalidInput:
    """The error for a file that was named and cannot be written; `what` as in `unreadable`."""
    cause, hint = cause_of(error)
    return InvalidInput(f"无法写入{what} {path}：{cause}", hint=hint)
