"""A queue of those who want to write one file.

SQLite lets whoever asks at the right moment write, so that some wait long where many
write.  Here they stand in line before they ask.  The line is a lock that the kernel
gives up when a process dies.  Nothing depends on it: where there can be no such lock,
or one keeps it too long, writers go on as without.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_GLANCE = 0.01
"""Seconds between two looks at whether to go on waiting."""


@contextmanager
def turn(file: Path, until: float, cancelled: Callable[[], bool]) -> Generator[None]:
    """Have one's turn in the queue at a file during the block.

    Args:
        file: One that exists, and that nobody locks by `fcntl`: a process that closes a
            file gives up all locks of that kind which it has on it.
        until: The `time.monotonic()` at which one goes on without it.
        cancelled: Whether to go on at once.
    """
    leave = _queue(file, until, cancelled)
    try:
        yield
    finally:
        leave()


def _queue(file: Path, until: float, cancelled: Callable[[], bool]) -> Callable[[], None]:
    """Wait for one's turn; returns what ends it, or the wait for it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return lambda: None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        wait = _Wait(descriptor)
        while time.monotonic() < until and not cancelled() and not wait.over.wait(_GLANCE):
            pass
        return wait.leave
    except OSError:
        # A file system that knows no such locks.
        pass
    return lambda: os.close(descriptor)


class _Wait:
    """A wait in the kernel, in a thread of its own.

    Whoever asks again and again is overtaken by others, and one who waits in the kernel
    can neither be called off nor be given a time.
    """

    def __init__(self, descriptor: int) -> None:
        self.over = threading.Event()
        self._descriptor = descriptor
        self._left = False
        self._mutex = threading.Lock()
        threading.Thread(target=self._run, name="queue", daemon=True).start()

    def leave(self) -> None:
        with self._mutex:
            self._left = True
            if self.over.is_set():
                os.close(self._descriptor)

    def _run(self) -> None:
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._mutex:
            self.over.set()
            if self._left:
                os.close(self._descriptor)
