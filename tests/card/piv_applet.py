"""A PIV card in memory (NIST SP 800-73-4), with the faults that real cards and readers have.

It shares no code with the client, and OpenSC and yubikey-manager accept it
(`test_acceptance.py`), so that card and client cannot agree on a common mistake.
"""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AID = bytes.fromhex("A000000308000010000100")
APPLICATION = bytes.fromhex("61114F0600001000010079074F05A000000308")
ATR = bytes.fromhex("3B89800165706F72742D74756931")  # T=0 and T=1, historical bytes "eport-tui"
ATR_T0 = bytes.fromhex("3B00")
DEFAULT_MANAGEMENT_KEY = bytes.fromhex("010203040506070801020304050607080102030405060708")

CHUID, CCC, DISCOVERY = "5FC102", "5FC107", "7E"
CERTIFICATES = {0x9A: "5FC105", 0x9C: "5FC10A"}

OK = 0x9000
SECURITY = 0x6982
BLOCKED = 0x6983
CONDITIONS = 0x6985
WRONG_DATA = 0x6A80
NOT_FOUND = 0x6A82
WRONG_P1P2 = 0x6A86
REFERENCE = 0x6A88
WRONG_LENGTH = 0x6700
UNSUPPORTED = 0x6D00

VERIFY, CHANGE, UNBLOCK, GENERATE, AUTHENTICATE, SELECT = 0x20, 0x24, 0x2C, 0x47, 0x87, 0xA4
GET_RESPONSE, GET_DATA, PUT_DATA, GET_VERSION = 0xC0, 0xCB, 0xDB, 0xFD

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def tlv(tag: str, value: bytes = b"") -> bytes:
    """A BER-TLV with the shortest length."""
    size = len(value)
    if size < 0x80:
        length = bytes([size])
    elif size < 0x100:
        length = bytes([0x81, size])
    else:
        length = bytes([0x82, size >> 8, size & 0xFF])
    return bytes.fromhex(tag) + length + value


def fields(data: bytes) -> dict[int, bytes]:
    """The fields of a template with tags of one byte."""
    found: dict[int, bytes] = {}
    while data:
        tag, size, at = data[0], data[1], 2
        if size > 0x80:
            at = 2 + (size & 0x7F)
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + size:
            raise ValueError("cut short")
        found[tag] = data[at : at + size]
        data = data[at + size :]
    return found


class PivApplet:
    """The card.

    Attributes:
        guid: The GUID of its CHUID.
        keys: The private keys, by slot.
        objects: What GET DATA gives, by tag in hexadecimal.
        tries, puk_tries: How many PINs and PUKs may still be tried.
        verified: Whether a PIN is verified.
        log: CLA, INS, P1, P2 of every APDU that was received, never any data.
        atr: What it answers to a reset.
        max_short: How many bytes an answer to a short APDU has at most.
        last_wrong: What the last wrong try is answered with; some cards say 63C0.
        exact_length: Whether a wrong Le is answered with 6Cxx.
        tamper: Alters what the card answers: gets the APDU and the answer.
    """

    def __init__(
        self,
        *,
        pin: bytes = b"123456",
        puk: bytes = b"12345678",
        tries: int = 3,
        management_key: bytes = DEFAULT_MANAGEMENT_KEY,
        management_algorithm: int = 0x03,
        guid: bytes | None = None,
    ) -> None:
        self.guid = guid or secrets.token_bytes(16)
        self.keys: dict[int, Key] = {}
        self.objects: dict[str, bytes] = {}
        self.tries = self._most_tries = tries
        self.puk_tries = self._most_puk_tries = 3
        self.atr = ATR
        self.log: list[tuple[int, int, int, int]] = []
        self.max_short = 256
        self.last_wrong = BLOCKED
        self.exact_length = False
        self.tamper: Callable[[bytes, bytes, int], tuple[bytes, int]] | None = None
        self._pin = pin.ljust(8, b"\xff")
        self._puk = puk.ljust(8, b"\xff")
        self._management_key = management_key
        self._management_algorithm = management_algorithm
        self.power_off()

    # Making

    def write_chuid(self) -> None:
        """Write a CHUID with the card's GUID."""
        # The FASC-N of a card that is not of the US government, so that the GUID counts.
        number = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")
        body = tlv("30", number) + tlv("34", self.guid) + tlv("35", b"20501231")
        self.objects[CHUID] = tlv("53", body + tlv("3E") + tlv("FE"))
        capabilities = tlv("F0", bytes.fromhex("A000000116FF02") + bytes(14)) + tlv("F1", b"\x21")
        self.objects[CCC] = tlv("53", capabilities + tlv("F2", b"\x21") + tlv("FE"))

    def load(self, slot: int, key: Key, certificate: bytes, *, compressed: bool = False) -> None:
        """Put a key and its certificate in a slot, as the card's maker would."""
        self.keys[slot] = key
        body = gzip.compress(certificate) if compressed else certificate
        info = b"\x01" if compressed else b"\x00"
        self.objects[CERTIFICATES[slot]] = tlv("53", tlv("70", body) + tlv("71", info) + tlv("FE"))

    # Power

    def power_off(self) -> None:
        """Lose everything that is not stored."""
        self._selected = False
        self.verified = False
        self._fresh_pin = False
        self._managed = False
        self._witness = b""
        self._challenge = b""
        self._chain = b""
        self._rest = b""

    # Exchange

    def exchange(self, apdu: bytes) -> bytes:
        """Answer an APDU: data and status word."""
        data, sw = self._answer(bytes(apdu))
        if self.tamper is not None:
            data, sw = self.tamper(bytes(apdu), data, sw)
        return data + sw.to_bytes(2, "big")

    def _answer(self, apdu: bytes) -> tuple[bytes, int]:
        if len(apdu) < 4:
            return b"", WRONG_LENGTH
        cla, ins, p1, p2 = apdu[:4]
        self.log.append((cla, ins, p1, p2))
        try:
            body, le, extended = _split(apdu)
        except ValueError:
            return b"", WRONG_LENGTH
        if cla & 0x10:
            self._chain += body
            return b"", OK
        body, self._chain = self._chain + body, b""
        if ins != GET_RESPONSE:
            self._rest = b""
            data, sw = self._command(ins, p1, p2, body)
            if sw != OK:
                return data, sw
            if self.exact_length and le and le != len(data) < 256 and not extended:
                return b"", 0x6C00 | len(data)
            self._rest = data
            if extended:
                self._rest = b""
                return data, OK
        size = min(le or 256, self.max_short)
        chunk, self._rest = self._rest[:size], self._rest[size:]
        left = len(self._rest)
        return chunk, 0x6100 | (left if left < 256 else 0) if left else OK

    def _command(self, ins: int, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if ins == SELECT:
            if p1 != 4 or not body or not AID.startswith(body):
                return b"", NOT_FOUND
            self.power_off()
            self._selected = True
            return APPLICATION, OK
        if not self._selected:
            return b"", UNSUPPORTED
        commands = {
            VERIFY: self._verify,
            CHANGE: self._change,
            UNBLOCK: self._unblock,
            GET_DATA: self._get_data,
            PUT_DATA: self._put_data,
            AUTHENTICATE: self._authenticate,
            GENERATE: self._generate,
            GET_VERSION: lambda p1, p2, body: (bytes([4, 3, 5]), OK),
        }
        if ins not in commands:
            return b"", UNSUPPORTED
        try:
            return commands[ins](p1, p2, body)
        except (ValueError, IndexError, KeyError):
            return b"", WRONG_DATA

    # PIN and PUK

    def _wrong(self, left: int) -> int:
        return self.last_wrong if left == 0 else 0x63C0 | left

    def _try_pin(self, pin: bytes) -> int:
        if not self.tries:
            return BLOCKED
        if pin != self._pin:
            self.verified = False
            self.tries -= 1
            return self._wrong(self.tries)
        self.tries = self._most_tries
        return OK

    def _verify(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if p2 != 0x80:
            return b"", REFERENCE
        if not body:
            if self.verified:
                return b"", OK
            return b"", 0x63C0 | self.tries if self.tries else BLOCKED
        if len(body) != 8:
            return b"", WRONG_DATA
        sw = self._try_pin(body)
        self.verified = self._fresh_pin = sw == OK
        return b"", sw

    def _change(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if len(body) != 16:
            return b"", WRONG_DATA
        if p2 == 0x81:
            sw = self._try_puk(body[:8])
            if sw == OK:
                self._puk = body[8:]
            return b"", sw
        if p2 != 0x80:
            return b"", REFERENCE
        sw = self._try_pin(body[:8])
        if sw == OK:
            self._pin = body[8:]
        return b"", sw

    def _try_puk(self, puk: bytes) -> int:
        if not self.puk_tries:
            return BLOCKED
        if puk != self._puk:
            self.puk_tries -= 1
            return self._wrong(self.puk_tries)
        self.puk_tries = self._most_puk_tries
        return OK

    def _unblock(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if p2 != 0x80 or len(body) != 16:
            return b"", WRONG_DATA
        sw = self._try_puk(body[:8])
        if sw == OK:
            self._pin = body[8:]
            self.tries = self._most_tries
        return b"", sw

    # Objects

    def _get_data(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        tag = fields(body)[0x5C].hex().upper()
        if tag == DISCOVERY:
            return tlv("7E", tlv("4F", AID) + tlv("5F2F", b"\x40\x00")), OK
        if tag not in self.objects:
            return b"", NOT_FOUND
        return self.objects[tag], OK

    def _put_data(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if not self._managed:
            return b"", SECURITY
        name = fields(body[:5])[0x5C]
        self.objects[name.hex().upper()] = body[2 + len(name) :]
        return b"", OK

    # Keys

    def _authenticate(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        template = fields(fields(body)[0x7C])
        if p2 == 0x9B:
            return self._manage(p1, template)
        key = self.keys.get(p2)
        if key is None:
            return b"", REFERENCE
        if not self.verified or (p2 == 0x9C and not self._fresh_pin):
            return b"", SECURITY
        self._fresh_pin = False
        if p1 != _algorithm(key):
            return b"", WRONG_P1P2
        challenge = template[0x81]
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            modulus = numbers.public_numbers.n
            if len(challenge) != 256 or int.from_bytes(challenge, "big") >= modulus:
                return b"", WRONG_DATA
            signature = pow(int.from_bytes(challenge, "big"), numbers.d, modulus)
            answer = signature.to_bytes(256, "big")
        else:
            digest = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
            if len(challenge) != digest.digest_size:
                return b"", WRONG_DATA
            answer = key.sign(challenge, ec.ECDSA(Prehashed(digest)))
        return tlv("7C", tlv("82", answer)), OK

    def _manage(self, algorithm: int, template: dict[int, bytes]) -> tuple[bytes, int]:
        algorithm = algorithm or self._management_algorithm  # 0 is the card's default
        if algorithm != self._management_algorithm:
            return b"", WRONG_P1P2
        if algorithm == 0x03:
            cipher = Cipher(TripleDES(self._management_key), modes.ECB())
            size = 8
        else:
            cipher = Cipher(AES(self._management_key), modes.ECB())
            size = 16
        if template.get(0x80) == b"":
            self._witness = secrets.token_bytes(size)
            return tlv("7C", tlv("80", cipher.encryptor().update(self._witness))), OK
        if template.get(0x81) == b"":
            self._challenge = secrets.token_bytes(size)
            return tlv("7C", tlv("81", self._challenge)), OK
        witness, self._witness = self._witness, b""
        challenge, self._challenge = self._challenge, b""
        if 0x82 in template:
            # The outside alone proves the key (Part 2, A.2).
            if not challenge or template[0x82] != cipher.encryptor().update(challenge):
                return b"", SECURITY
            self._managed = True
            return b"", OK
        if not witness or template[0x80] != witness:
            return b"", SECURITY
        self._managed = True
        return tlv("7C", tlv("82", cipher.encryptor().update(template[0x81]))), OK

    def _generate(self, p1: int, p2: int, body: bytes) -> tuple[bytes, int]:
        if not self._managed:
            return b"", SECURITY
        algorithm = fields(fields(body)[0xAC])[0x80]
        if algorithm == b"\x07":
            rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = rsa_key.public_key().public_numbers()
            self.keys[p2] = rsa_key
            value = tlv("81", public.n.to_bytes(256, "big")) + tlv("82", b"\x01\x00\x01")
        elif algorithm in (b"\x11", b"\x14"):
            curve = ec.SECP256R1() if algorithm == b"\x11" else ec.SECP384R1()
            ec_key = ec.generate_private_key(curve)
            self.keys[p2] = ec_key
            value = tlv(
                "86",
                ec_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            )
        else:
            return b"", WRONG_DATA
        return tlv("7F49", value), OK


def _algorithm(key: Key) -> int:
    if isinstance(key, rsa.RSAPrivateKey):
        return 0x07
    return 0x14 if key.curve.name == "secp384r1" else 0x11


def _split(apdu: bytes) -> tuple[bytes, int, bool]:
    """Body, Le (0 when none or the most), and whether the APDU is an extended one."""
    rest = apdu[4:]
    if not rest:
        return b"", 0, False
    if len(rest) == 1:
        return b"", rest[0], False
    if rest[0]:
        body, after = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        if len(body) != rest[0] or len(after) > 1:
            raise ValueError("wrong length")
        return body, after[0] if after else 0, False
    if len(rest) == 3:
        return b"", int.from_bytes(rest[1:3], "big"), True
    size = int.from_bytes(rest[1:3], "big")
    body, after = rest[3 : 3 + size], rest[3 + size :]
    if len(body) != size or len(after) not in (0, 2):
        raise ValueError("wrong length")
    return body, int.from_bytes(after, "big"), True
