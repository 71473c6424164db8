"""Certificates of China E-Port: whom they name, and what only the registry knows.

Such a certificate names the person, the enterprise, its organization code and the
card, but neither the customs code nor whether the card is a legal person's.  The
registry of enterprises supplies both.  The structure is that of a published sample
(`docs/card-profile.md`); the person's identity number that is in it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eport_tui.card.errors import CertificateRefused
from eport_tui.card.profile import IDENTITY, PARSER_FAULTS, ROLES
from eport_tui.domain.dates import in_shanghai
from eport_tui.domain.holders import Enterprise, Holder, Role

_ARC = "1.3.6.1.4.1.5315.100.5"
ENTERPRISE_NAME = x509.ObjectIdentifier(f"{_ARC}.1")
CARD = x509.ObjectIdentifier(f"{_ARC}.9")
ORGANIZATION = x509.ObjectIdentifier(f"{_ARC}.11")

_CARD = re.compile(r"(?:03-)?([0-9A-Z]{13})", re.ASCII)
_ORGANIZATION = re.compile(r"[0-9A-Z]{9}", re.ASCII)
_LONGEST_NAME = 200

LookUp = Callable[[str, str], Sequence[tuple[Enterprise, Role]]]
"""Is given an organization code and a card number; returns the enterprises with that
code in the registry, each with the role that the card has there."""


@dataclass(frozen=True, slots=True)
class EportIdentity:
    """What a certificate of China E-Port says about its holder.

    Attributes:
        card_number: IC卡号, 13 characters, without the `03-` before it.
        organization: Organization code (组织机构代码, GB 11714), 9 characters.
        enterprise: Name of the enterprise.
        person: Name of the person.
        role: The role, where the certificate names one all the same.
    """

    card_number: str
    organization: str
    enterprise: str
    person: str
    role: Role | None


def is_eport_card(certificate: x509.Certificate) -> bool:
    """Whether a certificate is one of China E-Port and not of this project's own profile."""
    try:
        oids = {extension.oid for extension in certificate.extensions}
    except PARSER_FAULTS:
        return False
    return CARD in oids and IDENTITY not in oids


def read_identity(certificate: x509.Certificate) -> EportIdentity:
    """What the certificate says.  Who issued it is not looked at here.

    Raises:
        CertificateRefused: A field is missing or malformed (`bad-profile`).
    """
    card = _CARD.fullmatch(_text(certificate, CARD, "卡号"))
    if card is None:
        raise _bad("卡号的格式不对")
    organization = _text(certificate, ORGANIZATION, "组织机构代码")
    if not _ORGANIZATION.fullmatch(organization):
        raise _bad("组织机构代码的格式不对")
    enterprise = _text(certificate, ENTERPRISE_NAME, "企业名称").strip()
    if not 1 <= len(enterprise) <= _LONGEST_NAME:
        raise _bad("企业名称为空或过长")
    return EportIdentity(
        card[1], organization, enterprise, _person(certificate), _role(certificate)
    )


def read_holder_of_eport_card(certificate: x509.Certificate, look_up: LookUp | None) -> Holder:
    """The holder that a certificate of China E-Port names, completed from the registry.

    Code and USCC of the enterprise come from the registry, its name from the
    certificate.  The role is the certificate's own or, where it has none, what the
    registry says.

    Args:
        certificate: The certificate.  Who issued it is not looked at here.
        look_up: Asks the registry; None where there is none.

    Raises:
        CertificateRefused: A field is missing or malformed (`bad-profile`), or the
            registry does not tell which enterprise it is (`no-registry`,
            `unknown-enterprise`, `ambiguous-enterprise`).
    """
    identity = read_identity(certificate)
    if look_up is None:
        raise CertificateRefused(
            "no-registry",
            "卡的证书中没有企业编号，而这里没有企业名录可查",
            hint="请使用另一种卡，或联系管理员",
        )
    found = look_up(identity.organization, identity.card_number)
    if not found:
        raise CertificateRefused(
            "unknown-enterprise",
            f"企业名录中没有组织机构代码为 {identity.organization} 的企业",
            hint="请管理员把该企业导入企业名录",
        )
    if len(found) > 1:
        raise CertificateRefused(
            "ambiguous-enterprise",
            f"企业名录中有{len(found)}个企业的组织机构代码是 {identity.organization}",
            hint="请管理员在企业名录中登记该卡是哪个企业的法人卡",
        )
    [(registered, role)] = found
    return Holder(
        card_number=identity.card_number,
        role=identity.role or role,
        person=identity.person,
        enterprise=Enterprise(registered.customs_code, registered.uscc, identity.enterprise),
        valid_from=in_shanghai(certificate.not_valid_before_utc),
        valid_until=in_shanghai(certificate.not_valid_after_utc),
    )


def demand_log_in(usage: x509.ExtendedKeyUsage) -> None:
    """See that an extended key usage, where there is one, allows to log in with the key.

    Raises:
        ValueError: It does not.
    """
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("the key is not for logging in")


def _role(certificate: x509.Certificate) -> Role | None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    roles = {ROLES[oid] for oid in usage if oid in ROLES}
    if len(roles) > 1:
        raise _bad("角色不止一个")
    return roles.pop() if roles else None


def _person(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise _bad("没有姓名或姓名不止一个")
    name = names[0].value
    if not isinstance(name, str) or not name.strip():
        raise _bad("姓名为空")
    return name.strip()


def _text(certificate: x509.Certificate, oid: x509.ObjectIdentifier, label: str) -> str:
    try:
        extension = certificate.extensions.get_extension_for_oid(oid)
        return asn1.decode_der(str, extension.value.public_bytes())
    except PARSER_FAULTS as error:
        raise _bad(f"没有{label}或格式不对") from error


def _bad(what: str) -> CertificateRefused:
    return CertificateRefused(
        "bad-profile", f"卡内证书的内容不符合要求：{what}", hint="请联系制卡点"
    )
