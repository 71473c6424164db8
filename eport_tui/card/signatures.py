"""The signatures of cards: which algorithm goes with which key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from eport_tui.card import sm2
from eport_tui.card.errors import CardDamaged

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def load_key(der: bytearray) -> SigningKey:
    """Read a private key (PKCS#8, DER), which stays the caller's to wipe.

    Raises:
        CardDamaged: It is none that can sign.
    """
    try:
        key = serialization.load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, SigningKey):
        raise CardDamaged("卡中的私钥无法读取")
    return key


def sign(key: SigningKey, data: bytes) -> bytes:
    """Sign as `Card.sign` promises."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(_hash(key.curve)))


class Verifier:
    """Checks signatures of one certificate (DER), whose key is taken out once.

    Raises:
        ValueError: It is no certificate, or its key is of no kind that signs here.
    """

    def __init__(self, certificate: bytes) -> None:
        key = sm2.public_key_of(x509.load_der_x509_certificate(certificate))
        self._fits: Callable[[bytes, bytes], bool]
        if isinstance(key, ec.EllipticCurvePublicKey):
            algorithm = ec.ECDSA(_hash(key.curve))
            self._fits = _told(partial(key.verify, signature_algorithm=algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            scheme, algorithm = padding.PKCS1v15(), hashes.SHA256()
            self._fits = _told(partial(key.verify, padding=scheme, algorithm=algorithm))
        elif isinstance(key, sm2.PublicKey):
            self._fits = key.verify
        else:
            raise ValueError("no key of a card")

    def fits(self, signature: bytes, data: bytes) -> bool:
        """Tell whether `signature` over `data` was made with the key of the certificate.

        SM2 signatures are DER with SM3 and the default identifier; the others as
        `Card.sign` promises.  Back ends that can hand nothing but text to the card sign
        `as_text(data)`.
        """
        return self._fits(signature, data) or self._fits(signature, as_text(data))


def _told(demand: Callable[[bytes, bytes], None]) -> Callable[[bytes, bytes], bool]:
    """Say whether a signature fits, where `demand` raises that it does not."""

    def fits(signature: bytes, data: bytes) -> bool:
        try:
            demand(signature, data)
        except InvalidSignature:
            return False
        return True

    return fits


def is_signed_by(certificate: bytes, signature: bytes, data: bytes) -> bool:
    """Tell whether `signature` over `data` was made with the key of the DER `certificate`."""
    return Verifier(certificate).fits(signature, data)


def as_text(data: bytes) -> bytes:
    """The form of `data` that is signed where only text can be: lower-case hexadecimal."""
    return data.hex().encode()


def der_of_sm2(signature: bytes) -> bytes:
    """An SM2 signature of r and s, 32 bytes each, in DER.

    Raises:
        ValueError: It is not 64 bytes long.
    """
    if len(signature) != 64:
        raise ValueError("an SM2 signature has 64 bytes")
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))


def _hash(curve: ec.EllipticCurve) -> hashes.HashAlgorithm:
    return hashes.SHA384() if isinstance(curve, ec.SECP384R1) else hashes.SHA256()
