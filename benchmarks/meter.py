"""Measures a program on a pty: bytes, latency, processor time, wake-ups and memory.

The meter is the terminal: it answers what programs ask of one (cursor, device,
modes), reads as fast as it can, and draws nothing.  A program has *settled*
when it has written nothing for a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_ANSWERS = {
    rb"\x1b\[6n": b"\x1b[1;1R",
    rb"\x1b\[c": b"\x1b[?62;c",
    rb"\x1b\[\?2026\$p": b"\x1b[?2026;2$y",
    rb"\x1b\[\?2048\$p": b"\x1b[?2048;0$y",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of something that was sent.

    Attributes:
        bytes: How many bytes the program wrote.
        first_ms: Until the first of them.
        last_ms: Until the last of them.
        cpu_ms: Processor time of the program meanwhile, to the nanosecond where the kernel has it.
        output: The bytes.
    """

    bytes: int
    first_ms: float
    last_ms: float
    cpu_ms: float
    output: bytes


class Meter:
    """A program on a pty of its own; use it in a `with` statement, which ends the program.

    Args:
        argv: The program and its arguments.
        env: Variables besides PATH, LANG and TERM.
        cwd: Where it runs.
        size: Columns and lines.
        term: Kind of terminal.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        size: tuple[int, int] = (80, 24),
        term: str = "xterm-256color",
    ) -> None:
        self.output = bytearray()
        self.started = time.perf_counter()
        self.pid, self._pty = _spawn(argv, env, cwd, size, term)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._pty)

    def _read(self, timeout: float) -> bytes:
        if not select.select([self._pty], [], [], timeout)[0]:
            return b""
        try:
            data = os.read(self._pty, 65536)
        except OSError:
            raise EOFError(f"the program ended: {bytes(self.output[-2000:])!r}") from None
        for question, answer in _ANSWERS.items():
            for _ in re.findall(question, data):
                os.write(self._pty, answer)
        self.output += data
        return data

    def wait_for(self, text: str, *, timeout: float = 20, since: int = 0) -> float:
        """Read until a text was written; returns the milliseconds since the start of the program.

        Raises:
            TimeoutError: It did not come.
        """
        wanted, end = text.encode(), time.perf_counter() + timeout
        while wanted not in self.output[since:]:
            if time.perf_counter() > end:
                raise TimeoutError(f"{text!r} not in {bytes(self.output[since:])!r}")
            self._read(0.1)
        return (time.perf_counter() - self.started) * 1000

    def settle(self, quiet: float = 0.15, *, at_most: float = 30) -> None:
        """Read until nothing was written for so many seconds, or for `at_most`: some blink."""
        end = time.perf_counter() + at_most
        while time.perf_counter() < end and self._read(quiet):
            pass

    def send(self, text: str, *, quiet: float = 0.08) -> Effect:
        """Send something, and measure until the program has settled."""
        cpu, before = self.cpu_ms, len(self.output)
        sent = first = last = time.perf_counter()
        os.write(self._pty, text.encode())
        while self._read(quiet if last > sent else 1.0):
            last = time.perf_counter()
            if first == sent:
                first = last
        written = bytes(self.output[before:])
        return Effect(
            len(written),
            (first - sent) * 1000,
            (last - sent) * 1000,
            self.cpu_ms - cpu,
            written,
        )

    @property
    def cpu_ms(self) -> float:
        """Processor time that all threads of the program have used."""
        total = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError):
                total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e6

    def wakeups(self) -> dict[int, int]:
        """How often each thread has been woken up, by its number; the main thread's is `pid`."""
        found: dict[int, int] = {}
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            status = (thread / "status").read_text()
            match = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)
            found[int(thread.name)] = int(match[1]) if match else 0
        return found

    @property
    def private_mb(self) -> float:
        """Memory that only this program has (USS), in MB."""
        smaps = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        private = re.findall(r"^Private_\w+:\s+(\d+) kB", smaps, re.MULTILINE)
        return sum(map(int, private)) / 1024


def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | os.PathLike[str] | None,
    size: tuple[int, int],
    term: str,
) -> tuple[int, int]:
    """Start a program as the leader of a session on a new pty; its process and the pty."""
    pid, pty = os.forkpty()
    if pid == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            if cwd is not None:
                os.chdir(cwd)
            os.execve(argv[0], argv, {"PATH": os.defpath, "LANG": "C.UTF-8", **env, "TERM": term})
        finally:
            os._exit(127)
    return pid, pty


_PARTS = re.compile(
    rb"(?P<renditions>\x1b\[[\d;]*m)|(?P<erasing>\x1b\[\d*[JKX])"
    rb"|(?P<modes>\x1b\[(?:[?<=>][\d;$]*[a-zA-Z]|r)|\x1b\].*?\x1b\\)"
    rb"|(?P<moves>\x1b\[[\d;]*[ABCDH]|\x1b[DM]|[\x00-\x1f])|(?P<blanks>\x20+)|(?P<text>[^\x00-\x20]+)"
)


def parts(output: bytes) -> dict[str, int]:
    """How many bytes of what a program wrote are text, blanks, renditions, moves and so on."""
    counted = dict.fromkeys(("text", "blanks", "renditions", "moves", "erasing", "modes"), 0)
    for match in _PARTS.finditer(output):
        counted[match.lastgroup or ""] += len(match[0])
    return counted
