"""Names that are held until the process is gone, known to all who use one file.

A name that is held is an empty file beside the database with a lock by `flock`, which the
kernel gives up when the process dies, however it does.  All are on one machine, because
SQLite's log demands that.  Where there can be no such file or lock nothing is held.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from contextlib import suppress

_NAME = re.compile(r"[0-9a-f]{1,64}", re.ASCII)


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
        if name in self._descriptors:
            return
        with suppress(OSError):
            descriptor = os.open(self._file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Others must be able to open it to see that it is locked, as they can the database.
                os.fchmod(descriptor, os.stat(self._database).st_mode & 0o666)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptors[name] = descriptor

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

        What a process that is gone has left behind is taken away.
        """
        # The names come from the database, and they are made into those of files.
        return {name for name in names if _NAME.fullmatch(name) and self._is_held(name)}

    def _is_held(self, name: str) -> bool:
        try:
            descriptor = os.open(self._file(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.unlink(self._file(name))
        except BlockingIOError:
            return True
        except OSError:
            pass
        finally:
            os.close(descriptor)
        return False

    def _file(self, name: str) -> str:
        return f"{self._database}-session-{name}"
