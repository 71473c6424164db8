"""Trust folders, sessions with other keys, and operations that no service would make."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card import signatures
from eport_tui.card.authority import TestAuthority
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.holders import Holder
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    Operation,
    OperatorGrantRow,
)
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.services.verification import Finding, Verification
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.services.world import BROKER, CARD, MANUFACTURER, TODAY, StandIn, authority, session

NOON = datetime.combine(TODAY, time(12), SHANGHAI)
KEY = GrantKey(MANUFACTURER.customs_code, BROKER.customs_code, "95", "X1")
UNTIL = TODAY + timedelta(days=100)
GRANT = EnterpriseGrantRow(KEY, TODAY, UNTIL, 1)
ANOTHER = GRANT._replace(key=KEY._replace(subsystem="B1"))
TO_CARD = OperatorGrantRow(KEY, CARD, TODAY)


def trust_in(folder: Path, *authorities: x509.Certificate) -> TrustStore:
    """Trusts the authority of the stand-ins, or those that are given."""
    (folder / "authorities").mkdir(parents=True)
    (folder / "crls").mkdir()
    if not authorities:
        # As every authority does, long before the stories begin.
        revocation_list(
            TrustStore.of(folder),
            "first",
            {},
            updated=authority().certificate.not_valid_before_utc,
        )
    for number, each in enumerate(authorities or (authority().certificate,)):
        (folder / "authorities" / f"{number}.pem").write_bytes(each.public_bytes(Encoding.PEM))
    return TrustStore.of(folder)


def findings(store: Store, trust: TrustStore, **options: Any) -> list[Finding]:
    """What a verification finds, notes as well."""
    return list(Verification(store, trust, **options).findings())


@dataclass
class Keyed(StandIn):
    """A stand-in with a key and an authority of one's choice."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    issuer: TestAuthority = field(default_factory=authority)

    @property
    def certificate(self) -> bytes:  # type: ignore[override]
        if not hasattr(self, "_der"):
            made = self.issuer.certify(self.holder, self.key.public_key())
            self._der = made.public_bytes(Encoding.DER)
        return self._der

    def sign(self, data: bytes) -> bytes:
        return signatures.sign(self.key, data)


def keyed(holder: Holder, **options: Any) -> Keyed:
    """A session of a holder with its own key."""
    return Keyed(holder, **options)


def signed(
    store: Store,
    by: StandIn,
    *changes: Change,
    kind: Kind = Kind.GRANT,
    at: datetime = NOON,
    recorded_at: datetime | None = None,
    seen: tuple[int, str] | None = None,
    reinstates: int | None = None,
    card_number: str = "",
    enterprise: str = "",
) -> int:
    """Record what a card signed, past all services; the rows are changed as well."""
    head = ledger.head(store)
    number, hash_ = seen or (head.number, head.hash)
    operation = Operation(
        kind,
        at,
        card_number or by.holder.card_number,
        enterprise or by.holder.enterprise.customs_code,
        changes,
        number,
        hash_,
        secrets.token_hex(16),
        "",
        reinstates,
    )
    payload = operation.canonical()
    with store.transaction():
        return ledger.append(
            store,
            payload,
            by.sign(SIGNED_FOR + payload.encode()),
            by.certificate,
            changes,
            recorded_at=recorded_at or at,
            changed_by=operation.card_number,
        )


def ours(**changed: Any) -> Keyed:
    """The manufacturer's legal person, with changes to the holder."""
    return keyed(session(MANUFACTURER).holder._replace(**changed))


def theirs(**changed: Any) -> Keyed:
    """The broker's legal person."""
    return keyed(session(BROKER).holder._replace(**changed))


def revocation_list(
    trust: TrustStore,
    name: str,
    revoked: dict[bytes, datetime],
    *,
    updated: datetime,
    hold: bool = False,
    issuer: TestAuthority | None = None,
) -> None:
    """Put a list of the stand-ins' authority, or of another, into the trust folder, for a day."""
    issuer = issuer or authority()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(updated.astimezone(UTC))
        .next_update(updated.astimezone(UTC) + timedelta(days=1))
    )
    for der, since in revoked.items():
        serial = x509.load_der_x509_certificate(der).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
        if hold:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.certificate_hold), False)
        builder = builder.add_revoked_certificate(entry.build())
    made = builder.sign(issuer.key, hashes.SHA256())
    (trust.revocation / f"{name}.crl").write_bytes(made.public_bytes(Encoding.PEM))
