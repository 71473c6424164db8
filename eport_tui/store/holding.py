"""Names that are held until the process is gone, known to all who use one file.

A name that is held is an empty file beside the database with a lock by `flock`, which the
kernel gives up when the process dies, however it does.  All are on one machine, because
SQLite's log demands that.  Where there can be no such file or lock nothing is held.

A file gets its name only when it is locked.  So one without a lock is of a process that is
gone, which nobody holds again, and whoever comes by takes it away.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from contextlib import suppress

_NAME = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_NEW = ".new"
"""What the file of a name is called after it until it is locked."""

_TRIES = 10


class Names:
    """Those that one store holds, and a look at those of all others.

    Args:
        database: The database file, which exists.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._descriptors: dict[str, int] = {}

    def hold(self, name: str) -> None:
        """Hold a name; one that is held already stays so."""
        for _ in range(_TRIES):
            if name in self._descriptors:
                return
            with suppress(OSError):
                self._descriptors[name] = self._locked(name)

    def _locked(self, name: str) -> int:
        """Make the file of a name, which fails where somebody looks at it before it is locked."""
        new = f"{self._file(name)}{_NEW}"
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Others must be able to open it to see that it is locked, as they can the database.
            os.fchmod(descriptor, os.stat(self._database).st_mode & 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(new, self._file(name))
        except OSError:
            with suppress(OSError):
                os.unlink(new)
            os.close(descriptor)
            raise
        return descriptor

    def let_go(self, name: str) -> None:
        """Hold a name no longer."""
        descriptor = self._descriptors.pop(name, None)
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(self._file(name))
            os.close(descriptor)

    def let_all_go(self) -> None:
        """Hold nothing any more."""
        for name in tuple(self._descriptors):
            self.let_go(name)

    def held(self, names: Iterable[str]) -> set[str]:
        """Which of some names are held, by this store or another one.

        What processes that are gone have left behind is taken away, whatever its name.
        """
        # The names come from the database, and they are made into those of files.
        held = {name for name in names if _NAME.fullmatch(name) and _is_locked(self._file(name))}
        self._sweep()
        return held

    def _sweep(self) -> None:
        folder, beginning = os.path.split(self._file(""))
        with suppress(OSError):
            for each in os.listdir(folder):
                name = each.removeprefix(beginning)
                if name != each and _NAME.fullmatch(name.removesuffix(_NEW)):
                    _is_locked(os.path.join(folder, each))

    def _file(self, name: str) -> str:
        return f"{self._database}-session-{name}"


def _is_locked(file: str) -> bool:
    """Whether somebody has locked a file; an empty one that nobody has is taken away."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that of two who look neither takes the other for one who holds it.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # What somebody has written into is none of ours.
        if os.fstat(descriptor).st_size == 0:
            os.unlink(file)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False
