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
_PATIENCE = 10.0
_OFF, _ON, _RESET, _ATR = 0, 1, 2, 4


class VirtualReader:
    """One slot of vpcd, into which applets are put."""

    def __init__(self, port: int = PORT) -> None:
        self._port = port
        self._card: _Inserted | None = None

    def insert(self, applet: PivApplet) -> None:
        """Put a card in, and wait until the service has noticed it.

        pcscd 1.9.9 overlooks a card that takes, between two looks, the place of one that
        was spoken to in vain; it is then pulled and put in once more.
        """
        deadline = time.monotonic() + _PATIENCE
        self.swap(applet)
        while not (card := self._card) or not card.is_noticed(deadline):
            assert time.monotonic() < deadline, "the service does not notice the card"
            self.swap(applet)

    def swap(self, applet: PivApplet) -> None:
        """Put a card in, without waiting; the one that is there falls out."""
        self.pull()
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), _PATIENCE)
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
        self._change = threading.Condition()
        self._powered = False
        self._looks = 0
        applet.power_off()
        threading.Thread(target=self._serve, daemon=True).start()

    def is_noticed(self, deadline: float) -> bool:
        """Wait for the service: it powers a card that it notices after two looks at it."""
        with self._change:
            self._change.wait_for(
                lambda: self._powered or self._looks > 2, deadline - time.monotonic()
            )
            return self._powered

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
                    with self._change:
                        self._powered = self._powered or body[0] == _ON
                        self._change.notify_all()
                elif body == bytes([_ATR]):
                    with self._change:
                        self._looks += 1
                        self._change.notify_all()
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
