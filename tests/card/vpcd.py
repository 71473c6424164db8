"""The card's side of vpcd, the virtual reader of pcscd (vsmartcard).

Each message is its length in two bytes, big-endian, and its body; a body of one byte
is for the reader: power off, power on, reset, or what the ATR is.  A closed
connection is a pulled card.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from tests.card.piv_applet import PivApplet

PORT = 35963
_OFF, _ON, _RESET, _ATR = 0, 1, 2, 4


class VirtualReader:
    """One slot of vpcd, into which applets are put."""

    def __init__(self, port: int = PORT) -> None:
        self._port = port
        self._card: _Inserted | None = None

    def insert(self, applet: PivApplet, *, patience: float = 5.0) -> None:
        """Put a card in; the one that is there falls out."""
        self.pull()
        deadline = time.monotonic() + patience
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=patience)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.settimeout(None)
        self._card = _Inserted(connection, applet)

    def pull(self) -> None:
        """Take the card out, if one is in."""
        if self._card is not None:
            self._card.pull()
            self._card = None

    def mute(self) -> None:
        """Answer no APDU until `unmute`."""
        assert self._card is not None
        self._card.speaking.clear()

    def unmute(self) -> None:
        """Answer again, also what came meanwhile."""
        assert self._card is not None
        self._card.speaking.set()


class _Inserted:
    def __init__(self, connection: socket.socket, applet: PivApplet) -> None:
        self._connection = connection
        self._applet = applet
        self.speaking = threading.Event()
        self.speaking.set()
        applet.power_off()
        threading.Thread(target=self._serve, daemon=True).start()

    def pull(self) -> None:
        with suppress(OSError):  # the reader may have hung up first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        self.speaking.set()

    def _serve(self) -> None:
        try:
            while True:
                body = self._read(int.from_bytes(self._read(2)))
                if body in (bytes([_OFF]), bytes([_ON]), bytes([_RESET])):
                    self._applet.power_off()
                elif body == bytes([_ATR]):
                    self._write(self._applet.atr)
                else:
                    self.speaking.wait()
                    self._write(self._applet.exchange(body))
        except (OSError, EOFError):
            self._applet.power_off()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            # vpcd sends length and body apart; without this each waits for a late ACK.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = self._connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _write(self, body: bytes) -> None:
        self._connection.sendall(len(body).to_bytes(2) + body)
