"""The errors an operator may meet.

Every error that can reach a screen is an `EportError`: its message is Simplified
Chinese, says what is wrong, and its hint says what to do.  Anything else that is
raised is a defect of the program.
"""

from __future__ import annotations

from pathlib import Path


class EportError(Exception):
    """Something went wrong that an operator can be told about.

    Args:
        message: What is wrong, in Chinese, one sentence without a full stop.
        field: Identifier of the form field that is at fault, where there is one.
        hint: What to do about it, in Chinese.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}（{self.hint}）" if self.hint else self.message


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


def unreadable(
    what: str, path: Path, error: OSError, kind: type[EportError] = InvalidInput
) -> EportError:
    """The error for a file that was named and cannot be read.

    Args:
        what: What it should be, in Chinese, such as `设置文件`.
    """
    match error:
        case FileNotFoundError():
            return kind(f"{what} {path} 不存在", hint="请检查路径")
        case IsADirectoryError():
            return kind(f"{path} 是一个文件夹，不是{what}", hint="请写明文件夹中的哪个文件")
        case PermissionError():
            return kind(f"没有权限读取{what} {path}", hint="请检查文件及其所在文件夹的读权限")
        case _:
            return kind(f"无法读取{what} {path}", hint="请检查路径和磁盘")


def unwritable(what: str, path: Path) -> InvalidInput:
    """The error for a file that was named and cannot be written; `what` as in `unreadable`."""
    return InvalidInput(
        f"无法写入{what} {path}", hint="请检查文件夹是否存在、能否写入，以及磁盘空间"
    )
