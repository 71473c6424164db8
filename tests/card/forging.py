"""Certificates that break one rule each, signed by whoever is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eport_tui.card.authority import TestAuthority
from eport_tui.card.profile import IDENTITY, Identity, extensions_of, subject_of
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Holder
from tests.card.making import make_holder


def certificate(
    issuer: TestAuthority,
    holder: Holder | None = None,
    *,
    key: Any = None,
    subject: x509.Name | None = None,
    without: type[x509.ExtensionType] | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A certificate, DER; what is in `extensions` takes the place of the profile's own."""
    holder = holder or make_holder()
    chosen = {extension.oid: (extension, critical) for extension, critical in extensions}
    for extension, critical in extensions_of(holder, "software"):
        chosen.setdefault(extension.oid, (extension, critical))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_of(holder) if subject is None else subject)
        .issuer_name(issuer.certificate.subject)
        .public_key((key or ec.generate_private_key(ec.SECP256R1())).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(holder.valid_from)
        .not_valid_after(holder.valid_until)
    )
    for extension, critical in chosen.values():
        if without is None or not isinstance(extension, without):
            builder = builder.add_extension(extension, critical)
    made = builder.sign(issuer.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


def authority(
    folder: Path, key: Any, *, issuer: TestAuthority | None = None, crl_sign: bool = True
) -> TestAuthority:
    """An authority with a key or a certificate of another kind; `*.pem` is in `folder`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "另一种发证机构")])
    usage = x509.KeyUsage(False, False, False, False, False, True, crl_sign, False, False)
    signer, by = (key, name) if issuer is None else (issuer.key, issuer.certificate.subject)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=500))
        .not_valid_after(now() + timedelta(days=2000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
        .sign(signer, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.key").touch()
    (folder / "ca.crl").touch()
    return TestAuthority(folder, made, key)


def identity(critical: bool = False, **changes: Any) -> tuple[x509.ExtensionType, bool]:
    """The private extension of `make_holder()`, changed."""
    holder = make_holder()
    fields: dict[str, Any] = {
        "version": 1,
        "customs_code": holder.enterprise.customs_code,
        "card_number": holder.card_number,
        "uscc": holder.enterprise.uscc,
        "role": holder.role.value,
        "assurance": "software",
    }
    encoded = asn1.encode_der(Identity(**(fields | changes)))
    return x509.UnrecognizedExtension(IDENTITY, encoded), critical


def subject(**changes: str | None) -> x509.Name:
    """The subject of `make_holder()`; an attribute set to None is left out."""
    oids = {
        "card_number": NameOID.SERIAL_NUMBER,
        "organization": NameOID.ORGANIZATION_IDENTIFIER,
        "enterprise": NameOID.ORGANIZATION_NAME,
        "person": NameOID.COMMON_NAME,
    }
    wanted = {oids[name]: value for name, value in changes.items()}
    return x509.Name(
        [
            x509.NameAttribute(attribute.oid, value)
            for attribute in subject_of(make_holder())
            if (value := wanted.get(attribute.oid, attribute.value)) is not None
        ]
    )


def private_der(key: Any) -> bytearray:
    """A private key as `seal` takes it."""
    return bytearray(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
