"""Reads the keyboard without polling, and asks the terminal for less."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import tty
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

from eport_tui.terminal.incoming import Incoming

# A piece of this size never has to wait on a line that takes any at all.
_SHORT = 1024

# Who wants to leave takes a line for dead that takes nothing for so long.  A slow one takes four
# kilobytes at a time, as the kernel has them ready.
_DEAD_SECONDS = 15.0


class Writer:
    """Writes to the terminal: short pieces at once, others in a thread, all in order."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno
        self._pieces: deque[bytes] = deque()
        self._changed = Condition()
        self._closing = self._busy = self._given_up = False
        self._written = 0
        self._thread: Thread | None = None
        self._line = select.poll()
        self._line.register(fileno, select.POLLOUT)

    def write(self, data: bytes) -> None:
        """Write, at once or soon."""
        with self._changed:
            waiting = self._busy or self._pieces
            if not waiting and len(data) <= _SHORT and self._line.poll(0):
                self._put(data)
                return
            self._pieces.append(data)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="textual-output", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until everything is written, for as long as the terminal takes any of it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is None:
            return
        written = -1
        while self._thread.is_alive() and written != self._written:
            written = self._written
            self._thread.join(_DEAD_SECONDS)
        # Where it is still writing then, the rest would come between what another one writes.
        self._given_up = True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._closing)
                if not self._pieces:
                    return
                data = b"".join(self._pieces)
                self._pieces.clear()
                self._busy = True
            self._put(data)
            with self._changed:
                self._busy = False

    def _put(self, pieces: bytes) -> None:
        data = memoryview(pieces)
        while data and not self._given_up:
            try:
                # In one call all of it would be written, however long the line takes for it.
                count = os.write(self._fileno, data[:_SHORT])
                data = data[count:]
                self._written += count
            except BlockingIOError:
                self._line.poll()
            except OSError:
                # The line is gone; the driver's reader notices as well and ends the program.
                return


class LeanDriver(LinuxDriver):
    """Textual's driver for a terminal, with an input loop that sleeps until something comes.

    The stock loop wakes up ten times a second, and so sees up to 0.1 seconds
    late that an Esc was no beginning of something longer.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._wake_reader, self._wake = os.pipe()
        self._taken: Callable[[], None] = app.terminal_taken

    def write(self, data: str) -> None:
        """Write at once what is short; a slow line must not hold the program up for the rest."""
        self._writer.write(data.encode(errors="replace"))

    def close(self) -> None:
        """Have everything written, and end the threads that write."""
        self._writer.close()
        super().close()

    def start_application_mode(self) -> None:
        """Take the terminal over, at the start and after it was lent to others."""
        self._taken()
        assert self._file is not None
        self._writer = Writer(self._file.fileno())
        super().start_application_mode()
        # Nothing that is written needs changing on its way.
        with contextlib.suppress(termios.error):
            attributes = termios.tcgetattr(self.fileno)
            attributes[tty.OFLAG] &= ~termios.OPOST
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)

    def disable_input(self) -> None:
        """Stop listening to the keyboard."""
        if not self.exit_event.is_set():
            os.write(self._wake, b"\0")
        super().disable_input()

    def _enable_mouse_support(self) -> None:
        """Ask for clicks, the wheel and dragging; a mouse that only moves says nothing."""
        if self._mouse:
            self.write("\x1b[?1000;1002;1006h")

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000;1002;1006l")

    def run_input_thread(self) -> None:
        """Turn what is typed into events until the program ends."""
        incoming = Incoming(self._debug)
        waiting = select.poll()
        waiting.register(self.fileno, select.POLLIN)
        waiting.register(self._wake_reader, select.POLLIN)
        while not self.exit_event.is_set():
            wait = incoming.wait
            ready = dict(waiting.poll(None if wait is None else wait * 1000))
            if self._wake_reader in ready:
                os.read(self._wake_reader, 1)
                return
            if self.fileno in ready:
                data = self._read()
                if not data:
                    # Nothing will come any more: the line is gone, whether or not a signal says so.
                    os.kill(os.getpid(), signal.SIGHUP)
                    return
                for event in incoming.feed(data):
                    self.process_message(event)
            for event in incoming.tick():
                self.process_message(event)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""
