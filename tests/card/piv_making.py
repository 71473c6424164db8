"""PIV cards for tests, with certificates of a test authority."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card.authority import TestAuthority
from eport_tui.domain.holders import Role
from tests.card.making import make_holder
from tests.card.piv_applet import Key, PivApplet

PIN = b"123456"
PUK = b"12345678"

HOLDER = (
    *("--number", "8900000000011", "--role", "legal", "--person", "张三"),
    *("--customs-code", "3101940001", "--uscc", "91310000PDY00001XG"),
    *("--enterprise", "上海甲制造有限公司"),
)
"""Whom `eport-tui card provision` is told to make a card for."""


@cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    # Searched for once in a run: each search takes a tenth of a second and more.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_key(kind: str) -> Key:
    """A key: `rsa`, `p256` or `p384`."""
    if kind == "rsa":
        return _rsa_key(0)
    return ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())


def make_piv(
    authority: TestAuthority,
    *,
    number: str = "8900000000011",
    role: Role = Role.LEGAL_PERSON,
    kind: str = "p256",
    compressed: bool = False,
) -> PivApplet:
    """A card with keys and certificates in 9A and 9C, PIN 123456 and PUK 12345678."""
    applet = PivApplet(pin=PIN, puk=PUK)
    applet.write_chuid()
    holder = make_holder(number=number, role=role)
    for slot in (0x9A, 0x9C):
        key = make_key(kind if slot == 0x9A else "p256")
        certificate = authority.certify(holder, key.public_key(), software=False)
        applet.load(slot, key, certificate.public_bytes(Encoding.DER), compressed=compressed)
    return applet


def pin() -> bytearray:
    """The PIN, in a buffer of the caller's."""
    return bytearray(PIN)


def wrong_pin() -> bytearray:
    """Another one."""
    return bytearray(b"654321")
