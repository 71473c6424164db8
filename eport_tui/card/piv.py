"""What is said to PIV cards (NIST SP 800-73-4), whatever reader they are in.

`piv_card.PivCard` is the card as the program sees it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import zlib
from typing import TYPE_CHECKING, Protocol, TypeVar

from eport_tui.card.errors import (
    BadPin,
    CardDamaged,
    CardError,
    CardGone,
    CardMute,
    PinBlocked,
    WrongPin,
    WrongPuk,
)
from eport_tui.card.software import wipe

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.ciphers.base import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

Result = TypeVar("Result")

AUTHENTICATION, SIGNATURE = 0x9A, 0x9C
"""The keys that are used; 9C demands the PIN before each signature (Part 1, table 5)."""

RSA_2048, P_256, P_384 = 0x07, 0x11, 0x14
"""Algorithm identifiers (SP 800-78-4, table 6-2)."""

TRIES = 3
"""Wrong PINs in a row that lock most PIV cards; those with more say so when they are asked."""

EXCHANGE_SECONDS = 5.0
"""How long a command may take; a slow card signs within a second."""

GENERATE_SECONDS = 120.0
"""How long a card may search for the primes of an RSA key."""

_APPLICATION = bytes.fromhex("A00000030800001000")
_CHUID = bytes.fromhex("5FC102")
_CERTIFICATES = {AUTHENTICATION: bytes.fromhex("5FC105"), SIGNATURE: bytes.fromhex("5FC10A")}
_PIN, _MANAGEMENT = 0x80, 0x9B
_SECRET = 8

_VERIFY, _CHANGE, _UNBLOCK, _GENERATE = 0x20, 0x24, 0x2C, 0x47
_AUTHENTICATE, _SELECT, _GET_RESPONSE, _GET_DATA, _PUT_DATA = 0x87, 0xA4, 0xC0, 0xCB, 0xDB
_CHAINED = 0x10

_OK, _SECURITY, _NOT_FOUND = 0x9000, 0x6982, 0x6A82
_BLOCKED = (0x6983, 0x6984)

_LARGEST = 32 * 1024
_SHA256_INFO = bytes.fromhex("3031300D060960864801650304020105000420")


class Transport(Protocol):
    """An exclusive connection to a card that has power."""

    def transmit(self, apdu: bytearray | bytes, limit: float) -> tuple[bytes, int]:
        """Send a command; returns the answer's data and its status word.

        Args:
            apdu: Stays the caller's, who wipes it.
            limit: Seconds after which the exchange is given up.

        Raises:
            CardGone: The exchange failed in any way; the connection is of no more use.
        """
        ...

    def close(self) -> None:
        """Take the card's power away and leave it, without waiting for it."""
        ...


def check_pin(pin: bytearray) -> None:
    """See that `pin` has the form of a PIV PIN: 6 to 8 digits (Part 2, 2.4.3).

    Raises:
        BadPin: It has not.
    """
    if not 6 <= len(pin) <= _SECRET:
        raise BadPin("该卡的密码应为6至8位数字", hint="请核对后重新输入")
    if not all(0x30 <= character <= 0x39 for character in pin):
        raise BadPin("该卡的密码应为6至8位数字", hint="只能用数字，不能用字母和符号")


def check_puk(puk: bytearray) -> None:
    """See that `puk` can be an unblocking key: 6 to 8 printable ASCII characters.

    Raises:
        BadPin: It cannot.
    """
    if not 6 <= len(puk) <= _SECRET or not all(0x21 <= character <= 0x7E for character in puk):
        raise BadPin("解锁码应为6至8个字符", hint="请核对后重新输入")


def _malformed() -> CardDamaged:
    return CardDamaged("卡的应答不符合PIV规范", hint="请重新插卡，仍不行请联系制卡点")


def _refused(deed: str, status: int) -> CardError:
    return CardError(f"卡拒绝{deed}，状态码{status:04X}", hint="请重新插卡，仍不行请联系制卡点")


def parse_tlv(data: bytes) -> list[tuple[int, bytes]]:
    """Take BER-TLV apart, one level deep (ISO/IEC 7816-4, 5.2.2).

    Raises:
        CardDamaged: It is cut short or malformed.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    try:
        while at < len(data):
            start, at = at, at + 1
            if data[start] & 0x1F == 0x1F:
                while data[at] & 0x80:
                    at += 1
                at += 1
            tag = int.from_bytes(data[start:at])
            size, at = data[at], at + 1
            if size & 0x80:
                count = size & 0x7F
                if not 1 <= count <= 3 or at + count > len(data):
                    raise _malformed()
                size, at = int.from_bytes(data[at : at + count]), at + count
            if at + size > len(data):
                raise _malformed()
            found.append((tag, data[at : at + size]))
            at += size
    except IndexError:
        raise _malformed() from None
    return found


def _field(data: bytes, tag: int) -> bytes:
    """The value of the one field `tag`."""
    values = [value for found, value in parse_tlv(data) if found == tag]
    if len(values) != 1:
        raise _malformed()
    return values[0]


def _tlv(tag: int, value: bytes = b"") -> bytes:
    size = len(value)
    count = 0 if size < 0x80 else (size.bit_length() + 7) // 8
    length = bytes([0x80 | count]) + size.to_bytes(count) if count else bytes([size])
    return tag.to_bytes((tag.bit_length() + 7) // 8) + length + value


class PivClient:
    """One connection to a PIV card.

    Every method raises `CardGone` when the exchange fails, and `CardError` when the
    card refuses or its answer is malformed.

    Args:
        transport: The connection; it is closed with the client.
        seconds: How long a command may take.
    """

    def __init__(self, transport: Transport, seconds: float = EXCHANGE_SECONDS) -> None:
        self._transport = transport
        self._seconds = seconds

    def close(self) -> None:
        """Leave the card."""
        self._transport.close()

    # Commands

    def _command(
        self, ins: int, p1: int, p2: int, data: bytes = b"", *, seconds: float | None = None
    ) -> tuple[bytes, int]:
        """Send a command, in as many parts as it takes, and gather the whole answer."""
        deadline = time.monotonic() + (seconds or self._seconds)
        while len(data) > 0xFF:
            part, data = data[:0xFF], data[0xFF:]
            _, status = self._transmit(bytes((_CHAINED, ins, p1, p2, len(part))) + part, deadline)
            if status != _OK:
                return b"", status
        length = bytes((len(data),)) if data else b""
        return self._gather(bytes((0, ins, p1, p2)) + length + data, deadline)

    def _gather(self, header: bytes, deadline: float) -> tuple[bytes, int]:
        gathered, expected = b"", 0
        answer, status = self._ask(header, expected, deadline)
        while status >> 8 == 0x61:
            gathered += answer
            if len(gathered) > _LARGEST:
                raise _malformed()
            answer, status = self._ask(bytes((0, _GET_RESPONSE, 0, 0)), status & 0xFF, deadline)
            if not answer and status >> 8 == 0x61:
                raise _malformed()
        return gathered + answer, status

    def _ask(self, header: bytes, expected: int, deadline: float) -> tuple[bytes, int]:
        answer, status = self._transmit(header + bytes((expected,)), deadline)
        if status >> 8 == 0x6C:
            # The card says how much it has; it is asked once more, and not for ever.
            return self._transmit(header + bytes((status & 0xFF,)), deadline)
        return answer, status

    def _transmit(self, apdu: bytearray | bytes, deadline: float) -> tuple[bytes, int]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise CardMute
        return self._transport.transmit(apdu, left)

    def select(self) -> None:
        """Choose the PIV application; every PIN state is lost.

        Raises:
            CardDamaged: The card has none.
        """
        answer, status = self._command(_SELECT, 0x04, 0x00, _APPLICATION)
        if status != _OK:
            raise CardDamaged("不是PIV卡，不能使用", hint="请插入电子口岸委托授权用的IC卡或Ikey")
        if _field(answer, 0x61) == b"":
            raise _malformed()

    # PIN and PUK

    def pin_state(self) -> int | None:
        """How many PINs may still be tried, without spending one; None when one is verified."""
        _, status = self._transmit(bytes((0, _VERIFY, 0, _PIN)), time.monotonic() + self._seconds)
        if status == _OK:
            return None
        if status in _BLOCKED:
            return 0
        if status & 0xFFF0 != 0x63C0:
            raise _refused("说明还可试几次密码", status)
        return status & 0xF

    def verify(self, pin: bytearray) -> None:
        """Give the PIN.

        Raises:
            WrongPin, PinBlocked: It is not the card's.
        """
        _demand_pin(self._secret_command(_VERIFY, pin))

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """Replace the PIN.

        Raises:
            WrongPin, PinBlocked: `old` is not the card's.
        """
        _demand_pin(self._secret_command(_CHANGE, old, new))

    def unblock(self, puk: bytearray, new: bytearray) -> None:
        """Set a new PIN with the unblocking key, and all its tries.

        Raises:
            WrongPuk: `puk` is not the card's.
        """
        status = self._secret_command(_UNBLOCK, puk, new)
        if status & 0xFFF0 == 0x63C0:
            raise WrongPuk(status & 0xF)
        if status in _BLOCKED:
            raise WrongPuk(0)
        if status != _OK:
            raise _refused("解锁", status)

    def _secret_command(self, ins: int, *given: bytearray) -> int:
        # One buffer from the start: each copy of a PIN is one that cannot be wiped.
        size = _SECRET * len(given)
        apdu = bytearray((0, ins, 0, _PIN, size)) + bytearray(b"\xff" * size)
        try:
            for at, secret in enumerate(given):
                start = 5 + _SECRET * at
                apdu[start : start + len(secret)] = secret
            return self._transmit(apdu, time.monotonic() + self._seconds)[1]
        finally:
            wipe(apdu)

    # What is stored

    def read_guid(self) -> bytes:
        """The card's GUID, 16 bytes of its CHUID (Part 1, 3.1.2); empty when it has no CHUID."""
        content = self._get_data(_CHUID)
        if not content:
            return b""
        guid = _field(content, 0x34)
        if len(guid) != 16:
            raise _malformed()
        return guid

    def read_certificate(self, slot: int) -> bytes:
        """The certificate of a key, DER; empty when there is none."""
        content = self._get_data(_CERTIFICATES[slot])
        if not content:
            return b""
        certificate, info = _field(content, 0x70), _field(content, 0x71)
        return _decompress(certificate) if info[:1] == b"\x01" else certificate

    def _get_data(self, tag: bytes) -> bytes:
        answer, status = self._command(_GET_DATA, 0x3F, 0xFF, _tlv(0x5C, tag))
        if status == _NOT_FOUND:
            return b""
        if status != _OK:
            raise _refused("读取", status)
        return _field(answer, 0x53)

    # Signatures

    def sign(self, slot: int, key: PublicKey, data: bytes) -> bytes:
        """Sign `data` as `Card.sign` promises, with the key of `slot`, whose public half is `key`.

        Raises:
            CardGone: The PIN is not verified, so the card is not in the state it was left in.
        """
        algorithm, challenge = _challenge(key, data)
        template = _tlv(0x7C, _tlv(0x82) + _tlv(0x81, challenge))
        answer, status = self._command(_AUTHENTICATE, algorithm, slot, template)
        if status == _SECURITY:
            raise CardGone("卡已被复位，密码须重新输入", hint="请重新输入密码")
        if status != _OK:
            raise _refused("签名", status)
        return _field(_field(answer, 0x7C), 0x82)

    # Issuing

    def authenticate(self, key: bytearray) -> None:
        """Prove the management key to the card, and have the card prove it too (Part 2, A.1).

        Args:
            key: 16, 24 or 32 bytes: AES-128; 3DES or AES-192; AES-256.

        Raises:
            CardError: It is not the card's.
        """
        for algorithm in {16: (0x08,), 24: (0x03, 0x0A), 32: (0x0C,)}.get(len(key), ()):
            answer, status = self._command(
                _AUTHENTICATE, algorithm, _MANAGEMENT, _tlv(0x7C, _tlv(0x80))
            )
            if status == _OK:
                self._prove_key(algorithm, key, _field(_field(answer, 0x7C), 0x80))
                return
        raise CardError("卡不接受这种管理密钥", hint="请核对管理密钥的长度")

    def _prove_key(self, algorithm: int, key: bytearray, witness: bytes) -> None:
        cipher, size = _cipher(algorithm, key)
        if len(witness) != size:
            raise _malformed()
        challenge = secrets.token_bytes(size)
        proof = _tlv(0x80, cipher.decryptor().update(witness)) + _tlv(0x81, challenge)
        answer, status = self._command(_AUTHENTICATE, algorithm, _MANAGEMENT, _tlv(0x7C, proof))
        if status != _OK or not hmac.compare_digest(
            _field(_field(answer, 0x7C), 0x82), cipher.encryptor().update(challenge)
        ):
            raise CardError("管理密钥错误", hint="请核对管理密钥")

    def generate(self, slot: int, algorithm: int) -> PublicKey:
        """Have the card make a key pair, of which the private half never leaves it.

        Args:
            slot: Where; the key there is replaced.
            algorithm: `RSA_2048` or `P_256`.
        """
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        answer, status = self._command(
            _GENERATE,
            0,
            slot,
            _tlv(0xAC, _tlv(0x80, bytes((algorithm,)))),
            seconds=GENERATE_SECONDS,
        )
        if status != _OK:
            raise _refused("生成密钥", status)
        template = _field(answer, 0x7F49)
        try:
            if algorithm == RSA_2048:
                modulus, exponent = _field(template, 0x81), _field(template, 0x82)
                numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
                return numbers.public_key()
            point = _field(template, 0x86)
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError:
            raise _malformed() from None

    def write_certificate(self, slot: int, certificate: bytes) -> None:
        """Store a certificate (DER) for the key of `slot`."""
        content = _tlv(0x70, certificate) + _tlv(0x71, b"\0") + _tlv(0xFE)
        self._put_data(_CERTIFICATES[slot], content)

    def write_chuid(self) -> None:
        """Give the card a GUID of its own."""
        # The FASC-N of cards that are not of the US government: agency, system and
        # credential all nines (Part 1, 3.1.2).
        number = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")
        content = (
            _tlv(0x30, number)
            + _tlv(0x34, secrets.token_bytes(16))
            + _tlv(0x35, b"20991231")
            + _tlv(0x3E)
            + _tlv(0xFE)
        )
        self._put_data(_CHUID, content)

    def _put_data(self, tag: bytes, content: bytes) -> None:
        data = _tlv(0x5C, tag) + _tlv(0x53, content)
        _, status = self._command(_PUT_DATA, 0x3F, 0xFF, data)
        if status != _OK:
            raise _refused("写入", status)


def _demand_pin(status: int) -> None:
    if status == _OK:
        return
    # A last wrong try is answered with 63C0 by some cards and with 6983 by others.
    if status in _BLOCKED or status == 0x63C0:
        raise PinBlocked
    if status & 0xFFF0 == 0x63C0:
        raise WrongPin(status & 0xF)
    raise _refused("该密码", status)


def _decompress(data: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        content = unpacking.decompress(data, _LARGEST)
    except zlib.error:
        raise _malformed() from None
    if not unpacking.eof or unpacking.unused_data:
        raise _malformed()
    return content


def _challenge(key: PublicKey, data: bytes) -> tuple[int, bytes]:
    """The algorithm identifier, and what the card computes with its key."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return P_384, hashlib.sha384(data).digest()
    digest = hashlib.sha256(data).digest()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return P_256, digest
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048:
        # EMSA-PKCS1-v1_5 (RFC 8017, 9.2): the card itself only raises to a power.
        info = _SHA256_INFO + digest
        return RSA_2048, b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info
    raise CardError("不支持卡的密钥类型", hint="请使用RSA-2048或P-256的卡")


def _cipher(algorithm: int, key: bytearray) -> tuple[Cipher[ECB], int]:
    """The management key's cipher and its block size in bytes."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    block = TripleDES(bytes(key)) if algorithm == 0x03 else algorithms.AES(bytes(key))
    return Cipher(block, modes.ECB()), block.block_size // 8
