"""Checks of a certificate that need cryptography: its key, its issuer, its revocation.

What the verifier of `cryptography` leaves out is done here: it accepts RSA-1024
and other keys in a leaf, it knows no revocation lists, and it does not know SM2.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy

from eport_tui.card import sm2
from eport_tui.card.eport_profile import demand_log_in, is_eport_card, read_identity
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.profile import PARSER_FAULTS, read_assurance, read_holder, role_of

_RSA_BITS = range(2048, 8193)
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

# What an own check of a chain understands; any other critical extension is refused.
_UNDERSTOOD = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
}


def person_of(der: bytes) -> str:
    """The person that a certificate names; empty where it names none that can be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        if is_eport_card(certificate):
            return read_identity(certificate).person
        return read_holder(certificate).person
    except (CertificateRefused, *PARSER_FAULTS):
        return ""


def name_of(authority: x509.Certificate) -> str:
    """What an authority calls itself."""
    names = authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else authority.subject.rfc4514_string()


def check_key(certificate: x509.Certificate) -> None:
    """See that the key is RSA of 2048 to 8192 bits, or on P-256, P-384 or SM2.

    Raises:
        CertificateRefused: It is another (`unsupported-key`) or too short (`weak-key`).
    """
    try:
        key = sm2.public_key_of(certificate)
    except ValueError as error:
        raise _unsupported_key() from error
    if isinstance(key, sm2.PublicKey):
        return
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS.start:
            raise CertificateRefused(
                "weak-key", f"证书的密钥太短：RSA {key.key_size}位", hint="请到制卡点更新证书"
            )
        if key.key_size in _RSA_BITS:
            return
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return
    raise _unsupported_key()


def _unsupported_key() -> CertificateRefused:
    return CertificateRefused(
        "unsupported-key", "不支持证书的密钥类型", hint="请使用RSA-2048、P-256或SM2的卡"
    )


def find_issuer(certificate: x509.Certificate, folder: Path, now: datetime) -> x509.Certificate:
    """The authority in `folder` that issued `certificate`.

    The chain is verified at `now` or, for a certificate that is not valid then, at
    the nearest moment of its validity, so that dates can be told from distrust.

    Raises:
        CertificateRefused: There is none (`untrusted`), or the folder holds no
            authority at all (`no-authority`).
    """
    authorities = _load_authorities(folder)
    if not authorities:
        raise CertificateRefused(
            "no-authority",
            "没有设置可信的发证机构",
            hint=f"请管理员把发证机构的证书放入 {folder}",
        )
    at = min(max(now, certificate.not_valid_before_utc), certificate.not_valid_after_utc)
    return _issuer(certificate, authorities, at)


def _issuer(
    certificate: x509.Certificate, authorities: list[x509.Certificate], at: datetime
) -> x509.Certificate:
    try:
        if sm2.has_key(certificate) or sm2.is_signed(certificate):
            issuer = _issuer_where_sm2_is(certificate, authorities, at)
        else:
            issuer = _issuer_by_verifier(certificate, authorities, at)
        check_key(issuer)
    except (
        verification.VerificationError,
        CertificateRefused,
        InvalidSignature,
        *PARSER_FAULTS,
    ) as error:
        raise CertificateRefused(
            "untrusted", "卡的证书不是由可信的发证机构签发的", hint="请使用电子口岸的卡"
        ) from error
    return issuer


def _issuer_by_verifier(
    certificate: x509.Certificate, authorities: list[x509.Certificate], at: datetime
) -> x509.Certificate:
    """Verify with the verifier of `cryptography`; raises what it raises, or ValueError."""
    verifier = (
        _policy(tuple(authorities), is_eport_card(certificate))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .build_client_verifier()
    )
    _, issuer = verifier.verify(certificate, []).chain
    return issuer


# A verification of a ledger asks thousands of times for the same few authorities.
@lru_cache(32)
def _policy(
    authorities: tuple[x509.Certificate, ...], is_eport: bool
) -> verification.PolicyBuilder:
    """What the verifier demands of a chain to one of the authorities, but for the time."""
    # The default policy demands a DNS name, and lets pass a leaf without any EKU.
    leaf = ExtensionPolicy.permit_all().may_be_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, _demand_no_authority
    )
    if is_eport:
        leaf = leaf.may_be_present(
            x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _demand_log_in
        ).require_present(x509.KeyUsage, Criticality.AGNOSTIC, _demand_digital_signature)
    else:
        leaf = leaf.require_present(
            x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _demand_role
        ).require_present(x509.KeyUsage, Criticality.CRITICAL, _demand_digital_signature)
    return (
        verification.PolicyBuilder()
        .store(verification.Store([each for each in authorities if not sm2.has_key(each)]))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf)
    )


def _demand_no_authority(
    policy: verification.Policy,
    certificate: x509.Certificate,
    constraints: x509.BasicConstraints | None,
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("an authority is no card")


def _demand_role(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage
) -> None:
    role_of(usage)


def _demand_log_in(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    if usage is not None:
        demand_log_in(usage)


def _demand_digital_signature(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage
) -> None:
    if not usage.digital_signature:
        raise ValueError("the key is not for signatures")


def _issuer_where_sm2_is(
    certificate: x509.Certificate, authorities: list[x509.Certificate], at: datetime
) -> x509.Certificate:
    """The same rules for what the verifier does not know: an SM2 key or signature.

    Raises:
        ValueError, and what the parsers raise: No authority has issued it.
    """
    _demand_leaf(certificate)
    for authority in authorities:
        if (
            authority.subject == certificate.issuer
            and _may_issue(authority, at)
            and _has_signed(authority, certificate)
        ):
            return authority
    raise ValueError("no authority has issued it")


def _demand_leaf(certificate: x509.Certificate) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        raise ValueError("an authority is no card")
    key_usage = _extension(certificate, x509.KeyUsage)
    if key_usage is None or not key_usage.value.digital_signature:
        raise ValueError("the key is not for signatures")
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    if is_eport_card(certificate):
        if usage is not None:
            demand_log_in(usage.value)
    elif usage is None or not key_usage.critical:
        raise ValueError("the usage is not restricted as the profile says")
    else:
        role_of(usage.value)
    if not _is_understood(certificate):
        raise ValueError("a critical extension is not known")


def _may_issue(authority: x509.Certificate, at: datetime) -> bool:
    constraints = _extension(authority, x509.BasicConstraints)
    usage = _extension(authority, x509.KeyUsage)
    return (
        constraints is not None
        and constraints.critical
        and constraints.value.ca
        and usage is not None
        and usage.value.key_cert_sign
        and authority.not_valid_before_utc <= at <= authority.not_valid_after_utc
        and _is_understood(authority)
    )


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    if sm2.has_key(authority):
        return sm2.is_certificate_signed_by(certificate, sm2.key_of(authority))
    if not isinstance(certificate.signature_hash_algorithm, _HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except InvalidSignature:
        return False
    return True


_T = TypeVar("_T", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[_T]) -> x509.Extension[_T] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _is_understood(certificate: x509.Certificate) -> bool:
    return all(each.oid in _UNDERSTOOD for each in certificate.extensions if each.critical)


def who_is_named(certificate: x509.Certificate) -> tuple[object, ...]:
    """Whom a certificate names, without its dates: equal for both certificates of one card.

    Raises:
        CertificateRefused: It does not name a holder as it should (`bad-profile`).
    """
    if is_eport_card(certificate):
        return certificate.issuer, read_identity(certificate)
    holder = read_holder(certificate)
    return (
        certificate.issuer,
        read_assurance(certificate),
        holder.card_number,
        holder.person,
        holder.enterprise,
        holder.role,
    )


def _load_authorities(folder: Path) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    for path in _pem_files(folder):
        try:
            found += x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, *PARSER_FAULTS) as error:
            raise CertificateRefused(
                "no-authority", f"无法读取发证机构的证书 {path}", hint="请联系管理员"
            ) from error
    return found


def _pem_files(folder: Path) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(".pem"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CertificateRefused(
            "no-authority", f"无法读取信任的机构文件夹 {folder}", hint="请联系管理员"
        ) from error


def check_revocation(
    certificate: x509.Certificate, issuer: x509.Certificate, source: Path, now: datetime
) -> str:
    """Look `certificate` up in the newest revocation list of `issuer`.

    Returns:
        Why the card may not grant, in Chinese: there is no list, or it is out of
        date; empty when the list is fresh.

    Raises:
        CertificateRefused: The certificate is on the list (`revoked`).
    """
    lists = [crl for crl in _load_lists(source) if _is_list_of(issuer, crl)]
    if not lists:
        return "没有发证机构的吊销列表，无法确认卡是否已吊销"
    newest = max(lists, key=lambda crl: crl.last_update_utc)
    if newest.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
        raise CertificateRefused("revoked", "该卡已吊销", hint="请联系制卡点换卡")
    if newest.last_update_utc > now:
        return "吊销列表的签发时间晚于本机时间，请检查本机的日期"
    if newest.next_update_utc is None or newest.next_update_utc < now:
        return "吊销列表已过期，无法确认卡是否已吊销"
    return ""


class Known:
    """The authorities and revocation lists of one moment, for many certificates.

    Raises:
        CertificateRefused: An authority cannot be read (`no-authority`).
    """

    def __init__(self, authorities: Path, revocation: Path) -> None:
        self._authorities = _load_authorities(authorities)
        self._lists = _load_lists(revocation)
        self._lists_of: dict[x509.Certificate, list[x509.CertificateRevocationList]] = {}

    def find_issuers(
        self, certificate: x509.Certificate
    ) -> list[tuple[x509.Certificate, datetime, datetime]]:
        """All authorities that issued `certificate`, each with the time when it held.

        That is the time in which both certificates were valid.

        Raises:
            CertificateRefused: There is none (`untrusted`).
        """
        found: list[tuple[x509.Certificate, datetime, datetime]] = []
        refusal: CertificateRefused | None = None
        for authority in self._authorities:
            start = max(certificate.not_valid_before_utc, authority.not_valid_before_utc)
            end = min(certificate.not_valid_after_utc, authority.not_valid_after_utc)
            try:
                if start <= end:
                    found.append((_issuer(certificate, [authority], start), start, end))
            except CertificateRefused as error:
                refusal = error
        if not found:
            raise refusal or CertificateRefused("untrusted", "证书不是由可信的发证机构签发的")
        return found

    def first_revocation(
        self, certificate: x509.Certificate, issuers: list[x509.Certificate]
    ) -> datetime | None:
        """From when on `certificate` is revoked, as any list of its issuers says; none if never.

        Older lists count, too, because authorities leave what has expired out of the newer
        ones.  A hold counts only as long as the newest list has it.
        """
        moments: list[datetime] = []
        for issuer in issuers:
            lists = self._of(issuer)
            newest = max(lists, key=lambda crl: crl.last_update_utc, default=None)
            for crl in lists:
                entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is not None and (crl is newest or not _is_hold(entry)):
                    moments.append(entry.revocation_date_utc)
        return min(moments, default=None)

    def unlisted(self, issuers: list[x509.Certificate]) -> tuple[str, ...]:
        """The names of those authorities of which there is no revocation list."""
        return tuple(name_of(issuer) for issuer in issuers if not self._of(issuer))

    def _of(self, issuer: x509.Certificate) -> list[x509.CertificateRevocationList]:
        if issuer not in self._lists_of:
            lists = [crl for crl in self._lists if _is_list_of(issuer, crl)]
            self._lists_of[issuer] = lists
        return self._lists_of[issuer]


def _is_hold(entry: x509.RevokedCertificate) -> bool:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except PARSER_FAULTS:
        return False
    return reason is x509.ReasonFlags.certificate_hold


def _is_list_of(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    """Whether `crl` is a whole list of `issuer`, with its signature."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage)
        return (
            crl.issuer == issuer.subject
            and usage.value.crl_sign
            and _has_signed_list(issuer, crl)
            # Delta and partial lists are marked by critical extensions; they prove nothing.
            and not any(extension.critical for extension in crl.extensions)
        )
    except PARSER_FAULTS:
        return False


def _has_signed_list(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    if sm2.has_key(issuer):
        return sm2.is_list_signed_by(crl, sm2.key_of(issuer))
    key = issuer.public_key()
    # The list's algorithm and the key's kind are checked by is_signature_valid itself.
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    return crl.is_signature_valid(key)


def _load_lists(source: Path) -> list[x509.CertificateRevocationList]:
    paths = sorted(source.glob("*.crl")) if os.path.isdir(source) else [source]
    found: list[x509.CertificateRevocationList] = []
    for path in paths:
        try:
            data = path.read_bytes()
            is_pem = data.lstrip().startswith(b"-----BEGIN")
            found.append(x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data))
        except (OSError, *PARSER_FAULTS):
            # An unreadable list is no list: the card may look, but not grant.
            continue
    return found
