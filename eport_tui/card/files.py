"""Small files that a crash must not tear, and the lock over a change of them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from eport_tui.card.errors import CardError
from eport_tui.errors import cause_of

LOCK_WAIT = 10.0
"""Seconds to wait for another process that is using the same card."""


def file_error(deed: str, path: Path, error: OSError) -> CardError:
    """Turn a fault of the file system into a sentence: what could not be done, where, and why."""
    cause, hint = cause_of(error)
    return CardError(f"无法{deed} {path}：{cause}", hint=hint)


def make_folder(folder: Path, *, mode: int = 0o700) -> None:
    """Make a folder, which only its owner can enter unless said, if it is not there yet.

    Raises:
        CardError: It cannot be made.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise file_error("建立文件夹", folder, error) from error


def write_whole(
    path: Path,
    data: bytes,
    *,
    mode: int = 0o600,
    owner: os.stat_result | None = None,
    before: Callable[[os.stat_result], None] | None = None,
) -> os.stat_result:
    """Replace the content of `path`; whatever happens it holds the old content or the new.

    The caller holds a lock that keeps others from writing the same file.

    Args:
        owner: Whose the file is to be, and of which group, where root writes it.
        before: Told of the file that is about to take the place of `path`.

    Returns:
        The file that is at `path` now.

    Raises:
        CardError: The file cannot be written, or not so that it outlasts a power cut.
    """
    beside = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            with open(os.open(beside, flags, mode), "wb") as file:
                if owner is not None and os.geteuid() == 0:
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if before is not None:
                    before(os.fstat(file.fileno()))
                os.replace(beside, path)
                # Not by its path, where somebody may have put another one since.
                status = os.fstat(file.fileno())
        except OSError:
            with suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(path.parent)
        return status
    except OSError as error:
        raise file_error("写入", path, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: float = LOCK_WAIT) -> Generator[None]:
    """Hold an exclusive lock on the file `path`; it dies with the process.

    Another process may have replaced the file while this one waited; whoever
    replaces files looks at it again.

    Raises:
        OSError: The file cannot be opened for writing.
        CardError: Another process holds the lock for longer than `wait` seconds.
    """
    deadline = time.monotonic() + wait
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise CardError(f"{path.name} 正被另一个程序使用", hint="请稍后再试")
            time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
