"""The messages of the client control of China E-Port: JSON over a WebSocket.

The control runs on Windows, at the desk of the operator; its address there is
`ws://127.0.0.1:61232`, and what is configured here is a forward of it.  The messages
are those of `docs/control.md`.  They come from public descriptions and were tried
against a stand-in only, never against a real control: whatever is not exactly as
described is an error, and the card counts as gone.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from eport_tui.card.errors import (
    CardDamaged,
    CardError,
    CardGone,
)
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.identifiers import CARD_NUMBER
from eport_tui.errors import SettingsError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

LARGEST = 64 * 1024
"""Bytes of the largest reply that is read."""

_LOCAL = {"127.0.0.1", "localhost", "::1"}
_CODE = re.compile(r"(?:Err:)?([A-Z][A-Za-z]{1,15}[0-9]{1,8})", re.ASCII)
_MOMENT = re.compile(r"\d{14}", re.ASCII)
_ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")

_log = logging.getLogger(__name__)

# Its debugging output has every frame in it, and with it the PIN.
_SILENT = logging.Logger("websockets of the control", logging.CRITICAL + 1)


class ControlFault(CardGone):
    """The control cannot be reached, or does not speak as described."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds to wait.

    Attributes:
        connect: For a connection.
        ask: For an answer that the control gives by itself or from the card's files.
        work: For an answer that the card has to compute: PIN and signature.
        poll: Between two looks for a card.
        rest: Before the next look after a fault.
    """

    connect: float = 3.0
    ask: float = 3.0
    work: float = 15.0
    poll: float = 0.25
    rest: float = 1.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Details:
    """What the control says about the card in it; the certificate is what counts.

    Attributes:
        person: Name of the person.
        enterprise_id: The control's own identifier of the enterprise.
        enterprise_name: Name of the enterprise.
        valid_from, valid_until: Validity of the certificate, with a time zone.
    """

    person: str
    enterprise_id: str
    enterprise_name: str
    valid_from: datetime
    valid_until: datetime


class Control:
    """The control at an address: one request at a time, from any thread.

    Args:
        address: `ws://127.0.0.1:<port>`, or `unix:<path>` for a socket that only its
            owner can use.
        limits: How long to wait for it.

    Raises:
        SettingsError: The address is neither.
    """

    def __init__(self, address: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._address = _Address.parse(address)
        self._limits = limits
        self._lock = threading.Lock()
        self._connection: ClientConnection | None = None
        self._greeted = False
        self._number = 0

    def card_id(self) -> str:
        """The number of the card that is in the reader (IC卡号, without `03-`).

        Raises:
            CardGone: There is none, or the control cannot be asked; this is raised by
                every other method too.
        """
        number = self._text(self._call("SpcGetCardID")).removeprefix("03-")
        if not CARD_NUMBER.fullmatch(number):
            raise _misunderstood("卡号")
        return number

    def certificate(self) -> bytes:
        """The certificate of the signature key, DER.

        Raises:
            CardDamaged: What the control gives is none.
        """
        text = self._text(self._call("SpcGetSignCertAsPEM"))
        try:
            return _decode(text)
        except ValueError as error:
            raise CardDamaged("控件给出的证书无法读取") from error

    def details(self) -> Details:
        """What the control says about holder and validity."""
        person = self._text(self._call("SpcGetUName"))
        enterprise_id = self._text(self._call("SpcGetEntID"))
        enterprise_name = self._text(self._call("SpcGetEntName"))
        validity = self._call("SpcGetValidTimeFromCert")
        try:
            begin, end = (_moment(text) for text in validity)
        except ValueError as error:
            raise _misunderstood("有效期") from error
        return Details(person, enterprise_id, enterprise_name, begin, end)

    def verify_pin(self, pin: bytearray) -> bool:
        """Have the card check a PIN; False when the control says no without a known reason."""
        return self._accepts("SpcVerifyPIN", {"passwd": pin})

    def change_pin(self, old: bytearray, new: bytearray) -> bool:
        """Replace the PIN; False when the control says no without a known reason."""
        return self._accepts("SpcChangePIN", {"oldPin": old, "newPin": new})

    def sign_random(self, random: str, pin: bytearray) -> bytes:
        """The card's signature over a random text, with the PIN."""
        reply = self._call(
            "SpcSignRandom", {"random": random}, hidden={"passwd": pin}, limit=self._limits.work
        )
        return self._signature(reply)

    def sign(self, text: str) -> bytes:
        """The card's signature over a text, with the PIN that was verified before."""
        return self._signature(
            self._call("SpcSignDataAsPEM", {"inData": text}, limit=self._limits.work)
        )

    def close(self) -> None:
        """End the connection, also under a request that waits; never waits for long."""
        connection = self._connection
        if connection is not None:
            connection.close()

    def _accepts(self, method: str, hidden: Mapping[str, bytearray]) -> bool:
        try:
            self._call(method, hidden=hidden, limit=self._limits.work)
        except _Refused:
            return False
        return True

    @staticmethod
    def _text(data: list[object]) -> str:
        if not data or not isinstance(data[0], str) or not data[0].strip():
            raise _misunderstood("数据")
        return data[0].strip()

    def _signature(self, data: list[object]) -> bytes:
        try:
            return _decode(self._text(data))
        except ValueError as error:
            raise _misunderstood("签名") from error

    def _call(
        self,
        method: str,
        arguments: Mapping[str, str] | None = None,
        *,
        hidden: Mapping[str, bytearray] | None = None,
        limit: float | None = None,
    ) -> list[object]:
        """The `Data` of the reply to a request.

        Args:
            method: Without the prefix.
            arguments: As the method takes them.
            hidden: Further arguments, of which no copy is kept here.
            limit: Seconds to wait; those for asking unless given.

        Raises:
            ControlFault: It cannot be reached or does not answer as described; the
                connection is closed.
            CardError: The control refuses, see `_refusal`.
        """
        with self._lock:
            try:
                self._number += 1
                name = f"cus-sec_{method}"
                self._send(name, arguments or {}, hidden or {})
                reply = self._receive(name, limit or self._limits.ask)
            except BaseException:
                # A late answer must not be taken for that to the next request.
                self._drop()
                raise
        if reply["Result"]:
            return reply["Data"]
        raise _refusal(reply["Error"])

    def _send(
        self, method: str, arguments: Mapping[str, str], hidden: Mapping[str, bytearray]
    ) -> None:
        connection = self._connection = self._connection or self._connect()
        message = _message(method, self._number, arguments, hidden)
        try:
            connection.send(message, text=True)
        except Exception as error:
            raise _unreachable() from error
        finally:
            message[:] = bytes(len(message))

    def _receive(self, method: str, limit: float) -> dict[str, Any]:
        connection = self._connection
        assert connection is not None
        deadline = time.monotonic() + limit
        while True:
            try:
                text = connection.recv(timeout=max(deadline - time.monotonic(), 0.001))
            except TimeoutError:
                raise ControlFault(
                    f"控件在{limit:g}秒内没有应答", hint="请检查读卡器，或重新启动控件"
                ) from None
            except Exception as error:
                raise _unreachable() from error
            reply = _parsed(text)
            # It greets once, after the connection was made.
            if reply.get("_method") == "open" and not self._greeted:
                self._greeted = True
                continue
            return _checked(reply, method, self._number)

    def _connect(self) -> ClientConnection:
        try:
            from websockets.sync import client
        except ImportError as error:
            raise ControlFault(
                "没有安装websockets", hint="请管理员按 docs/control.md 安装"
            ) from error
        # With so many overloads the checker loses what it returns.
        connect = cast("Callable[..., ClientConnection]", client.connect)
        self._greeted = False
        try:
            line = self._address.open(self._limits.connect)
            return connect(
                self._address.uri,
                # A socket of our own, because a redirection must lead nowhere else.
                sock=line,
                open_timeout=self._limits.connect,
                close_timeout=0.2,
                # Whether a control answers pings is not known; the looks for a card serve as such.
                ping_interval=None,
                max_size=LARGEST,
                compression=None,
                logger=_SILENT,
            ).__enter__()
        except CardError:
            raise
        except Exception as error:
            raise _unreachable() from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Refused(CardError):
    """The control says no, with a code that is not in its published list or none."""


def _refusal(errors: list[object]) -> CardError:
    """What a control's error means; its own text is not shown, it could hold anything."""
    match = next(
        (found for each in errors if isinstance(each, str) and (found := _CODE.fullmatch(each))),
        None,
    )
    code = match[1] if match else ""
    if code == "Base60408":
        return _unreachable()
    if code == "Base50000":
        return CardError("控件不接受这次请求的参数", hint="请管理员核对控件的版本")
    if code == "Custom50070":
        return CardGone("读卡器复位失败", hint="请拔出卡重新插入，仍不行请重新启动控件")
    if code == "Custom50200":
        return CardGone("打不开读卡器", hint="请插好IC卡或Ikey，仍不行请重新启动控件")
    if code == "Custom51590":
        return CardGone("读卡器中没有卡")
    what = f"，错误代码 {code}" if code else ""
    return _Refused(f"控件拒绝了这次请求{what}", hint="请检查卡和读卡器，仍不行请联系管理员")


def sentence(fault: CardError) -> str:
    """What is wrong and what to do, for the line of the reader."""
    return f"{fault.message}，{fault.hint}" if fault.hint else fault.message


def _unreachable() -> ControlFault:
    return ControlFault("无法连接客户端控件", hint="请在本机启动控件，并检查端口转发")


def _misunderstood(what: str) -> ControlFault:
    return ControlFault(f"控件应答中的{what}不符合约定", hint="请管理员核对控件的版本")


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the control is: a Unix socket, or a port of this machine."""

    uri: str
    socket: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> _Address:
        """Read an address; raises `SettingsError`."""
        fault = SettingsError(
            f"控件地址 {text} 不对", hint="应为 unix:路径，或 ws://127.0.0.1:端口"
        )
        if text.startswith("unix:"):
            path = Path(text.removeprefix("unix:"))
            if not path.is_absolute():
                raise fault
            return cls("ws://localhost/", path)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise fault from None
        # Without TLS the PIN would cross the network in clear.
        if parts.scheme != "ws" or parts.hostname not in _LOCAL or not port or parts.username:
            raise fault
        return cls(text, host=parts.hostname, port=port)

    def open(self, timeout: float) -> socket.socket:
        """Connect.

        Raises:
            ControlFault: Others can use the socket.
            OSError: It cannot be reached.
        """
        if self.socket is None:
            line = socket.create_connection((self.host, self.port), timeout)
        else:
            _demand_own(self.socket)
            line = socket.socket(socket.AF_UNIX)
            try:
                line.settimeout(timeout)
                line.connect(str(self.socket))
            except BaseException:
                line.close()
                raise
        # From here on the library keeps the time.
        line.settimeout(None)
        return line


def _demand_own(path: Path) -> None:
    """See that nobody else on this machine can reach the operator's card through the socket.

    Raises:
        ControlFault: It is not there, or others can.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        raise _unreachable() from error
    if (
        not stat.S_ISSOCK(status.st_mode)
        or status.st_uid != os.getuid()
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise ControlFault(
            f"{path} 不是只有本人可用的套接字", hint="请管理员检查SSH服务的StreamLocalBindMask"
        )


def _message(
    method: str, number: int, arguments: Mapping[str, str], hidden: Mapping[str, bytearray]
) -> bytearray:
    """A request in JSON; the hidden arguments are written into it byte by byte."""
    head = json.dumps({"_method": method, "_id": number, "args": dict(arguments)}).encode()
    # Made in its full length, because a buffer that grows leaves copies behind.
    room = sum(len(name) + 6 + 2 * len(value) for name, value in hidden.items())
    message = bytearray(len(head) + room)
    message[: len(head) - 2] = head[:-2]
    at = len(head) - 2
    is_first = not arguments
    for name, value in hidden.items():
        opening = f'{"" if is_first else ", "}"{name}":"'.encode()
        message[at : at + len(opening)] = opening
        at += len(opening)
        for character in value:
            if character in b'"\\':
                message[at] = 0x5C
                at += 1
            message[at] = character
            at += 1
        message[at] = 0x22
        at += 1
        is_first = False
    message[at : at + 2] = b"}}"
    # White space after the object means nothing.
    message[at + 2 :] = b" " * (len(message) - at - 2)
    return message


def _parsed(text: str | bytes) -> dict[str, object]:
    if not isinstance(text, str):
        raise _misunderstood("格式")
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _misunderstood("格式") from error
    if not isinstance(reply, dict):
        raise _misunderstood("格式")
    return cast(dict[str, object], reply)


def _checked(reply: dict[str, object], method: str, number: int) -> dict[str, Any]:
    """The `_args` of a reply that has every field as described, and is that to this request."""
    if reply.get("_id") != number or type(reply.get("_id")) is not int:
        raise _misunderstood("序号")
    if reply.get("_method") != method:
        raise _misunderstood("方法")
    if reply.get("_status") != "00":
        raise _misunderstood("状态")
    inner = reply.get("_args")
    if not isinstance(inner, dict):
        raise _misunderstood("内容")
    fields = cast(dict[str, Any], inner)
    if (
        not isinstance(fields.get("Result"), bool)
        or not isinstance(fields.get("Data"), list)
        or not isinstance(fields.get("Error"), list)
    ):
        raise _misunderstood("内容")
    return fields


def _decode(text: str) -> bytes:
    """Base64 with or without armour and line breaks.

    Raises:
        ValueError: It is not.
    """
    bare = "".join(_ARMOUR.sub("", text).split())
    try:
        decoded = base64.b64decode(bare, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if not decoded:
        raise ValueError("empty")
    return decoded


def _moment(text: object) -> datetime:
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise ValueError("not a moment")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)


def number_in(certificate: bytes) -> str:
    from eport_tui.card.eport_profile import is_eport_card, read_identity
    from eport_tui.card.profile import load_certificate, read_holder

    parsed = load_certificate(certificate)
    if is_eport_card(parsed):
        return read_identity(parsed).card_number
    return read_holder(parsed).card_number
