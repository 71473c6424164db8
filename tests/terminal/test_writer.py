"""Writing to a terminal that takes what it is given, slowly, or not at all."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Iterator
from threading import Thread

import pytest

from eport_tui.terminal import driver
from eport_tui.terminal.driver import Writer

MUCH = b"0123456789" * 20_000
"""More than a terminal holds that nobody reads."""


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    """The two ends of a line: what is written into the second can be read from the first."""
    far, near = pty.openpty()
    tty.setraw(near)
    yield far, near
    for end in (far, near):
        os.close(end)


def test_all_is_written_in_order_before_it_closes(line: tuple[int, int]) -> None:
    far, near = line
    read = bytearray()

    def listen() -> None:
        while len(read) < len(MUCH) + 6:
            read.extend(os.read(far, 4096))

    listener = Thread(target=listen)
    listener.start()
    writer = Writer(near)
    for piece in (b"one", MUCH, b"two"):
        writer.write(piece)
    writer.close()
    listener.join()
    assert read == b"one" + MUCH + b"two"


def test_a_terminal_that_takes_nothing_does_not_keep_anybody_from_leaving(
    line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_DEAD_SECONDS", 0.05)
    far, near = line
    writer = Writer(near)
    writer.write(MUCH)
    writer.close()
    # What it takes later is what it had already, and then what the next one writes.
    next_writer = Writer(near)
    closing = Thread(target=lambda: (next_writer.write(b"!" * 2000), next_writer.close()))
    closing.start()
    read = bytearray()
    while not read.endswith(b"!" * 2000):
        read.extend(os.read(far, 4096))
    closing.join()
    held, _, rest = read.partition(b"!")
    assert MUCH.startswith(held)
    assert len(held) < len(MUCH)
    assert rest == b"!" * 1999
