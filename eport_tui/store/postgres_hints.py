"""Notifications of commits on a PostgreSQL server, by `LISTEN`."""

# Psycopg's stubs ask for statements that are literals.
# pyright: reportArgumentType=false

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg

from eport_tui.store.postgres_connections import SCHEMA
from eport_tui.store.postgres_faults import Closed


class Hints:
    """Notifications of commits, on a connection that is there anyway.

    Nothing depends on them: where they cannot be had, or are lost with their connection,
    the next look at the change counter tells the same.
    """

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._waker: socket.socket | None = None
        self._has_come = threading.Event()
        self._has_ended = False

    def listen_on(self, connection: psycopg.Connection[Any]) -> None:
        """Have the commits of others notified on a connection from now on."""
        if connection is self._connection or connection.closed:
            return
        connection.add_notify_handler(partial(self._note, connection.info.backend_pid))
        # A standby refuses, and is not asked again.
        with suppress(psycopg.Error):
            connection.execute(f"LISTEN {SCHEMA}")
        self._connection = connection
        self._wake()

    def wait(self, seconds: float | None) -> bool:
        """Wait for a hint.

        Raises:
            Closed: There will be none.
        """
        until = None if seconds is None else time.monotonic() + seconds
        woken, waker = socket.socketpair()
        with woken, waker:
            waker.setblocking(False)
            self._waker = waker
            while not self._has_ended:
                if self._has_come.is_set():
                    self._has_come.clear()
                    return True
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._wait_for_anything(woken, left)
        raise Closed

    def _wait_for_anything(self, woken: socket.socket, seconds: float | None) -> None:
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        connection = self._connection
        if connection is not None:
            # One that was closed is made anew, and `_wake` tells of it.
            with suppress(psycopg.Error):
                poll.register(connection.fileno(), select.POLLIN)
        ready = [number for number, _ in poll.poll(None if seconds is None else 1000 * seconds)]
        if woken.fileno() in ready:
            woken.recv(4096)
        elif ready and connection is not None:
            self._read(connection)

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._has_ended = True
        self._wake()

    def _read(self, connection: psycopg.Connection[Any]) -> None:
        """Read what has come; it was for another thread if that is using the connection."""
        with connection.lock:
            try:
                connection.pgconn.consume_input()
                while (notification := connection.pgconn.notifies()) is not None:
                    self._note_by(connection.info.backend_pid, notification.be_pid)
            except psycopg.Error:
                pass
            if connection.closed and connection is self._connection:
                self._connection = None

    def _note(self, own: int, notification: psycopg.Notify) -> None:
        self._note_by(own, notification.pid)

    def _note_by(self, own: int, who: int) -> None:
        if who != own:
            self._has_come.set()
            self._wake()

    def _wake(self) -> None:
        # Where it is full or closed, the one who waits is awake already.
        if self._waker is not None:
            with suppress(OSError):
                self._waker.send(b"!")
