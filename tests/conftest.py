"""What all tests have in common."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

# Each test leaves screens and databases behind; to look for them less often takes a seventh
# off the time of all tests.
gc.set_threshold(100_000, 20, 50)

_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3


def pytest_configure() -> None:
    """Have temporary folders in memory: nobody waits for a disk to have it all, ten times a test.

    `--basetemp` and `PYTEST_DEBUG_TEMPROOT` have them elsewhere.
    """
    if (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK)
        and shutil.disk_usage(_MEMORY).free > _ROOM
        # Some tests make programs and run them.
        and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    ):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end, so nobody need look through it."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Leave little to the five collections with which pytest ends.

    A worker that is still at them five seconds after its last test is interrupted.
    """
    gc.collect()
    gc.freeze()
