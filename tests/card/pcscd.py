"""pcscd, started and stopped by tests in the namespaces of `in_namespace.sh`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

SOCKET = Path("/run/pcscd/pcscd.comm")
_PATIENCE = 5.0


class Pcscd:
    """The daemon; its log goes to `EPORT_PCSCD_LOG`, which the script prints on a failure."""

    def __init__(self) -> None:
        if "EPORT_PCSCD_LOG" not in os.environ:
            pytest.fail("run these tests with `make test-card`: they start a daemon of their own")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start it, and wait until it listens."""
        with open(os.environ["EPORT_PCSCD_LOG"], "ab") as log:
            self._process = subprocess.Popen(
                ["pcscd", "--foreground", "--error", *options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not SOCKET.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("pcscd does not come up")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        SOCKET.unlink(missing_ok=True)
