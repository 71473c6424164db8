"""SM2 signatures with SM3 (GB/T 32918.2-2016, curve of GB/T 32918.5-2017), verified only.

`cryptography` has SM3 but not the curve.  Nothing here is secret, so the arithmetic
need not hide how long it takes; signing stays in the cards.
"""

# The declarations of `asn1.TLV.parse` do not say what it returns.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.x509.oid import PublicKeyAlgorithmOID

DEFAULT_ID = b"1234567812345678"
"""The signer's identifier where none was agreed on (GM/T 0009-2012, section 10)."""

SM2_WITH_SM3 = x509.ObjectIdentifier("1.2.156.10197.1.501")
CURVE = x509.ObjectIdentifier("1.2.156.10197.1.301")

_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_BYTES = 32

_Jacobian = tuple[int, int, int]
"""(X, Y, Z) stands for the point (X/Z², Y/Z³); Z = 0 is the point at infinity."""

_INFINITY: _Jacobian = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve; made by `PublicKey.parse` or `key_of`, which check it."""

    x: int
    y: int

    @classmethod
    def parse(cls, encoded: bytes) -> PublicKey:
        """Read an uncompressed point: 0x04, x, y (32 bytes each).

        Raises:
            ValueError: It has another form, or is not on the curve.
        """
        if len(encoded) != 1 + 2 * _BYTES or encoded[0] != 4:
            raise ValueError("not an uncompressed point")
        x = int.from_bytes(encoded[1 : 1 + _BYTES])
        y = int.from_bytes(encoded[1 + _BYTES :])
        if x >= _P or y >= _P or (y * y - (x * x + _A) * x - _B) % _P:
            raise ValueError("not a point of the curve")
        return cls(x, y)

    def verify(self, signature: bytes, data: bytes, identifier: bytes = DEFAULT_ID) -> bool:
        """Tell whether `signature` (DER, SEQUENCE of r and s) is this key's over `data`."""
        try:
            r, s = decode_dss_signature(signature)
        except ValueError:
            return False
        t = (r + s) % _N
        if not (0 < r < _N and 0 < s < _N and t):
            return False
        point = _affine(_sum_of_multiples(s, t, (self.x, self.y)))
        digest = int.from_bytes(_sm3(self._z(identifier) + data))
        return point is not None and (digest + point[0]) % _N == r

    def _z(self, identifier: bytes) -> bytes:
        """What stands before the data: a digest of the signer (section 5.5)."""
        numbers = (_A, _B, *_G, self.x, self.y)
        return _sm3(
            (8 * len(identifier)).to_bytes(2)
            + identifier
            + b"".join(number.to_bytes(_BYTES) for number in numbers)
        )


@asn1.sequence
class _SignatureAlgorithm:
    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _KeyAlgorithm:
    algorithm: x509.ObjectIdentifier
    curve: x509.ObjectIdentifier


@asn1.sequence
class _KeyInfo:
    algorithm: _KeyAlgorithm
    point: asn1.BitString


@asn1.sequence
class _Certificate:
    """RFC 5280 §4.1, as far as it is needed, without the unique identifiers nobody writes."""

    version: Annotated[int, asn1.Explicit(0)]
    serial: asn1.TLV
    signature: asn1.TLV
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    key: asn1.TLV
    extensions: Annotated[list[asn1.TLV], asn1.Explicit(3)]


def has_key(certificate: x509.Certificate) -> bool:
    """Whether the key of `certificate` says that it is on the curve SM2."""
    if certificate.public_key_algorithm_oid != PublicKeyAlgorithmOID.EC_PUBLIC_KEY:
        return False
    try:
        # Where `cryptography` knows the curve it is another one; this takes half as long.
        certificate.public_key()
        return False
    except (UnsupportedAlgorithm, ValueError):
        pass
    try:
        return _key_info(certificate).algorithm.curve == CURVE
    except ValueError:
        return False


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The SM2 key of a certificate.

    Raises:
        ValueError: It has another key, or the point is none.
    """
    info = _key_info(certificate)
    if info.algorithm.curve != CURVE or info.point.padding_bits():
        raise ValueError("not an SM2 key")
    return PublicKey.parse(info.point.as_bytes())


def public_key_of(certificate: x509.Certificate) -> CertificatePublicKeyTypes | PublicKey:
    """The key of a certificate, be it on this curve or one that `cryptography` knows.

    Raises:
        ValueError: It is none, or of a kind that nobody knows.
    """
    try:
        return certificate.public_key()
    except UnsupportedAlgorithm as error:
        if not has_key(certificate):
            raise ValueError("not a known kind of key") from error
        return key_of(certificate)


def is_signed(certificate: x509.Certificate) -> bool:
    """Whether `certificate` says that it was signed with SM2 and SM3."""
    return certificate.signature_algorithm_oid == SM2_WITH_SM3


def is_certificate_signed_by(certificate: x509.Certificate, key: PublicKey) -> bool:
    """Tell whether `key` signed `certificate`, with SM2 and SM3.

    Raises:
        ValueError: The certificate cannot be taken apart.
    """
    if not is_signed(certificate):
        return False
    inside = _parsed(certificate).signature
    # Only the name that is under the signature is protected by it (RFC 5280 §4.1.1.2).
    algorithm = cast(_SignatureAlgorithm, inside.parse(_SignatureAlgorithm)).algorithm
    return algorithm == SM2_WITH_SM3 and key.verify(
        certificate.signature, certificate.tbs_certificate_bytes
    )


def is_list_signed_by(crl: x509.CertificateRevocationList, key: PublicKey) -> bool:
    """Tell whether `key` signed `crl`, with SM2 and SM3."""
    return crl.signature_algorithm_oid == SM2_WITH_SM3 and key.verify(
        crl.signature, crl.tbs_certlist_bytes
    )


# It is asked for several times in a row.
@lru_cache(8)
def _parsed(certificate: x509.Certificate) -> _Certificate:
    return asn1.decode_der(_Certificate, certificate.tbs_certificate_bytes)


def _key_info(certificate: x509.Certificate) -> _KeyInfo:
    return cast(_KeyInfo, _parsed(certificate).key.parse(_KeyInfo))


def _sm3(data: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def _sum_of_multiples(s: int, t: int, point: tuple[int, int]) -> _Jacobian:
    """s·G + t·P, both multiples in one pass over the bits (Shamir's trick)."""
    both = _affine(_add((*_G, 1), point))
    total = _INFINITY
    for bit in range(_N.bit_length() - 1, -1, -1):
        total = _double(total)
        of_g, of_p = s >> bit & 1, t >> bit & 1
        if of_g and of_p:
            # G + P is at infinity when P is -G; then nothing is added.
            total = _add(total, both) if both else total
        elif of_g:
            total = _add(total, _G)
        elif of_p:
            total = _add(total, point)
    return total


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z:
        return point
    yy = y * y % _P
    four_xyy = 4 * x * yy % _P
    zz = z * z % _P
    # a is -3, so 3x² + a·z⁴ is a product.
    slope = 3 * (x - zz) * (x + zz) % _P
    new_x = (slope * slope - 2 * four_xyy) % _P
    return new_x, (slope * (four_xyy - new_x) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(point: _Jacobian, other: tuple[int, int]) -> _Jacobian:
    x, y, z = point
    if not z:
        return (*other, 1)
    zz = z * z % _P
    difference = (other[0] * zz - x) % _P
    slope = (other[1] * zz * z - y) % _P
    if not difference:
        return _INFINITY if slope else _double(point)
    square = difference * difference % _P
    cube = square * difference % _P
    across = x * square % _P
    new_x = (slope * slope - cube - 2 * across) % _P
    return new_x, (slope * (across - new_x) - y * cube) % _P, z * difference % _P


def _affine(point: _Jacobian) -> tuple[int, int] | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, _P)
    square = inverse * inverse % _P
    return x * square % _P, y * square * inverse % _P
