"""A stand-in for the client control of China E-Port, as `docs/control.md` describes it.

It is no proof of how the real one behaves; it can also be told to misbehave.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve, unix_serve

Reply = dict[str, Any]

# Tests look for the PIN in the logs of the client alone.
QUIET = logging.Logger("the stand-in", logging.CRITICAL + 1)


class HangUp(Exception):
    """The stand-in closes the connection in place of an answer."""


class Raw(bytes):
    """Bytes for the line as they are, after which the stand-in closes the connection."""


@dataclass
class StandInCard:
    """A card in the reader of the stand-in.

    Attributes:
        number: As the control gives it.
        certificate: DER.
        sign: Signs with its key.
        pin: Its PIN.
        wrong: How many wrong PINs were given since the last right one.
        verified: Whether the PIN was given since the card was inserted.
    """

    number: str
    certificate: bytes
    sign: Callable[[bytes], bytes]
    pin: str = "88888888"
    wrong: int = 0
    verified: bool = False


@dataclass
class StandIn:
    """The control.

    Attributes:
        address: What a client connects to.
        card: The card in the reader.
        requests: The requests that came, oldest first.
        instead: What to do in place of answering a method: a text or bytes to send, or
            a function of the proper reply that returns what to send (None for nothing).
        greets: Whether it begins with its greeting.
    """

    address: str = ""
    card: StandInCard | None = None
    requests: list[Reply] = field(default_factory=list)
    instead: dict[str, object] = field(default_factory=dict)
    greets: bool = True
    _connections: set[ServerConnection] = field(default_factory=set)

    def insert(self, card: StandInCard) -> None:
        """Put a card in, fresh from power-up."""
        card.verified = False
        self.card = card

    def pull(self) -> None:
        """Take the card out."""
        self.card = None

    def hang_up(self) -> None:
        """End every connection."""
        for connection in list(self._connections):
            connection.close()

    def called(self, method: str) -> list[Reply]:
        """The arguments of the requests for a method."""
        name = f"cus-sec_{method}"
        return [each["args"] for each in self.requests if each["_method"] == name]

    def serve(self, connection: ServerConnection) -> None:
        """One connection, from greeting to end."""
        self._connections.add(connection)
        try:
            if self.greets:
                greeting = {"_method": "open", "_id": 0, "_status": "00", "_args": {"Result": True}}
                connection.send(json.dumps(greeting))
            for text in connection:
                request = json.loads(text)
                self.requests.append(request)
                answer = self._answer(request)
                if isinstance(answer, Raw):
                    connection.socket.sendall(answer)
                    raise HangUp
                if answer is not None:
                    connection.send(answer)
        except (HangUp, ConnectionClosed):
            pass
        finally:
            self._connections.discard(connection)
            connection.close()

    def _answer(self, request: Reply) -> str | bytes | None:
        method = request["_method"].removeprefix("cus-sec_")
        reply = {
            "_id": request["_id"],
            "_method": request["_method"],
            "_status": "00",
            "_args": self._result(method, request["args"]),
        }
        instead = self.instead.get(method)
        made = instead(reply) if callable(instead) else instead if instead is not None else reply
        return made if made is None or isinstance(made, str | bytes) else json.dumps(made)

    def _result(self, method: str, arguments: Reply) -> Reply:
        card = self.card
        if card is None:
            return refusal("[读卡器底层库]读卡器中没有卡", "Err:Custom51590")
        if method == "SpcVerifyPIN":
            return self._verify(card, arguments["passwd"])
        if method == "SpcChangePIN":
            result = self._verify(card, arguments["oldPin"])
            if result["Result"]:
                card.pin = arguments["newPin"]
            return result
        if method == "SpcSignRandom":
            result = self._verify(card, arguments["passwd"])
            return self._signed(card, arguments["random"]) if result["Result"] else result
        if method == "SpcSignDataAsPEM":
            if not card.verified:
                return refusal("没有验证密码", "Err:Custom50999")
            return self._signed(card, arguments["inData"])
        data = {
            "SpcGetCardID": [f"03-{card.number}"],
            "SpcGetUName": ["张三"],
            "SpcGetEntID": ["PDY00001X"],
            "SpcGetEntName": ["上海甲制造有限公司"],
            "SpcGetSignCertAsPEM": [base64.encodebytes(card.certificate).decode()],
            "SpcGetValidTimeFromCert": ["20260101000000", "20351231235959"],
        }
        return {"Result": True, "Data": data[method], "Error": []}

    @staticmethod
    def _verify(card: StandInCard, pin: str) -> Reply:
        if card.wrong >= 5 or pin != card.pin:
            card.wrong += 1
            return refusal(f"密码错误 {pin}", "Err:Custom51002")
        card.wrong, card.verified = 0, True
        return {"Result": True, "Data": [], "Error": []}

    @staticmethod
    def _signed(card: StandInCard, text: str) -> Reply:
        signature = base64.b64encode(card.sign(text.encode())).decode()
        return {"Result": True, "Data": [signature, "0123456789abcdef"], "Error": []}


def refusal(text: str, code: str) -> Reply:
    """The `_args` of a refusal."""
    return {"Result": False, "Data": [], "Error": [text, code]}


@contextmanager
def running(stand_in: StandIn, socket: Path | None = None) -> Iterator[StandIn]:
    """Serve on a free port of 127.0.0.1, or on a socket that only its owner can use."""
    if socket is None:
        server = serve(
            stand_in.serve, "127.0.0.1", 0, compression=None, close_timeout=0.2, logger=QUIET
        )
        stand_in.address = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    else:
        server = unix_serve(
            stand_in.serve, str(socket), compression=None, close_timeout=0.2, logger=QUIET
        )
        socket.chmod(0o600)
        stand_in.address = f"unix:{socket}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        stand_in.hang_up()
        thread.join()
