"""The certificate profile: who holds a card, as its certificate says.

`docs/card-profile.md` describes it field by field.  What is not exactly as
described there is refused; nothing is guessed or repaired.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.x509.oid import NameOID

from eport_tui.card.errors import CertificateRefused
from eport_tui.card.protocol import ARC, Assurance
from eport_tui.domain.dates import in_shanghai
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.identifiers import CARD_NUMBER, CUSTOMS_CODE, parse_uscc
from eport_tui.errors import InvalidInput

LEGAL_PERSON = x509.ObjectIdentifier(f"{ARC}.1.1")
OPERATOR = x509.ObjectIdentifier(f"{ARC}.1.2")
SOFTWARE_KEY = x509.ObjectIdentifier(f"{ARC}.1.3")
IDENTITY = x509.ObjectIdentifier(f"{ARC}.2.1")

ROLES = {LEGAL_PERSON: Role.LEGAL_PERSON, OPERATOR: Role.OPERATOR}

_LONGEST_NAME = 64
"""Bytes of a common name, in which `cryptography` counts it."""

_ORGANIZATION_PREFIX = "NTRCN-"
"""ETSI EN 319 412-1 §5.1.4: national trade register, China."""

_IDENTITY_VERSION = 1

PARSER_FAULTS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises on a certificate that it cannot make sense of."""


@asn1.sequence
class Identity:
    """The private extension: the customs code, and copies of what the subject and EKU say."""

    version: int
    customs_code: str
    card_number: str
    uscc: str
    role: str
    assurance: str


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate.

    Raises:
        CertificateRefused: It is none (`unreadable`).
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are parsed only when they are asked for; no later place expects a fault of theirs.
        for part in ("issuer", "subject", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
        return certificate
    except PARSER_FAULTS as error:
        raise CertificateRefused(
            "unreadable", "卡内证书无法读取", hint="请联系制卡点换卡"
        ) from error


def check_common_name(name: str, what: str, *, field: str) -> None:
    """See that a certificate can have a common name: 1 to 64 bytes of UTF-8.

    Args:
        what: Whose name it is, in Chinese.

    Raises:
        InvalidInput: It cannot; `field` is the place.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidInput(f"{what}不是UTF-8编码的文字", field=field) from None
    if not 1 <= size <= _LONGEST_NAME:
        raise InvalidInput(
            f"{what}应为1至{_LONGEST_NAME}个字节，最多{_LONGEST_NAME // 3}个汉字", field=field
        )


def subject_of(holder: Holder) -> x509.Name:
    """The subject that a certificate for `holder` carries.

    Raises:
        InvalidInput: The name of the person or of the enterprise does not fit.
    """
    check_common_name(holder.person, "姓名", field="person")
    if not 1 <= len(holder.enterprise.name) <= 200:
        raise InvalidInput("企业名称应为1至200个字", field="enterprise")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, holder.enterprise.name),
            x509.NameAttribute(
                NameOID.ORGANIZATION_IDENTIFIER, _ORGANIZATION_PREFIX + holder.enterprise.uscc
            ),
            x509.NameAttribute(NameOID.COMMON_NAME, holder.person),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, holder.card_number),
        ]
    )


def extensions_of(holder: Holder, assurance: Assurance) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions that make a certificate one of this profile, each with its criticality."""
    role = next(oid for oid, role in ROLES.items() if role is holder.role)
    identity = Identity(
        version=_IDENTITY_VERSION,
        customs_code=holder.enterprise.customs_code,
        card_number=holder.card_number,
        uscc=holder.enterprise.uscc,
        role=holder.role.value,
        assurance=assurance,
    )
    usages = [role, SOFTWARE_KEY] if assurance == "software" else [role]
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_digital_signature_only(), True),
        (x509.ExtendedKeyUsage(usages), False),
        # Not critical: a verifier that does not know it would have to refuse the certificate.
        (x509.UnrecognizedExtension(IDENTITY, asn1.encode_der(identity)), False),
    ]


def _digital_signature_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def role_of(usage: x509.ExtendedKeyUsage) -> Role:
    """The one role that an extended key usage names.

    Raises:
        ValueError: It names none, or both.
    """
    (role,) = {ROLES[oid] for oid in usage if oid in ROLES}
    return role


def read_assurance(certificate: x509.Certificate) -> Assurance:
    """Whether the issuer says that the key is in a file or in a chip.

    Raises:
        CertificateRefused: The extended key usage cannot be read (`bad-profile`).
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        # Of the two profiles only that of China E-Port leaves it out; its keys are in chips.
        return "hardware"
    except PARSER_FAULTS as error:
        raise _bad("没有角色") from error
    return "software" if SOFTWARE_KEY in usage else "hardware"


def read_holder(certificate: x509.Certificate) -> Holder:
    """The holder that a certificate names.  Who issued it is not looked at here.

    Raises:
        CertificateRefused: A field is missing, malformed or there twice, or subject,
            extended key usage and private extension disagree (`bad-profile`).
    """
    identity = _read_identity(certificate)
    card_number = _only(certificate, NameOID.SERIAL_NUMBER, "卡号")
    organization = _only(certificate, NameOID.ORGANIZATION_IDENTIFIER, "社会信用代码")
    uscc = organization.removeprefix(_ORGANIZATION_PREFIX)
    role = _read_role(certificate)

    if not CARD_NUMBER.fullmatch(card_number):
        raise _bad("卡号的格式不对")
    if organization == uscc or not _is_uscc(uscc):
        raise _bad("社会信用代码的格式不对")
    if not CUSTOMS_CODE.fullmatch(identity.customs_code):
        raise _bad("企业编号的格式不对")
    if identity.card_number != card_number:
        raise _bad("两处卡号不一致")
    if identity.uscc != uscc:
        raise _bad("两处社会信用代码不一致")
    if identity.role != role.value:
        raise _bad("两处角色不一致")
    if identity.assurance != read_assurance(certificate):
        raise _bad("两处介质类型不一致")

    return Holder(
        card_number=card_number,
        role=role,
        person=_only(certificate, NameOID.COMMON_NAME, "姓名"),
        enterprise=Enterprise(
            customs_code=identity.customs_code,
            uscc=uscc,
            name=_only(certificate, NameOID.ORGANIZATION_NAME, "企业名称"),
        ),
        valid_from=in_shanghai(certificate.not_valid_before_utc),
        valid_until=in_shanghai(certificate.not_valid_after_utc),
    )


def _read_identity(certificate: x509.Certificate) -> Identity:
    try:
        extension = certificate.extensions.get_extension_for_oid(IDENTITY)
        identity = asn1.decode_der(Identity, extension.value.public_bytes())
    except PARSER_FAULTS as error:
        raise _bad("没有持卡人信息或格式不对") from error
    if identity.version != _IDENTITY_VERSION:
        raise _bad("持卡人信息的版本不能识别")
    return identity


def _read_role(certificate: x509.Certificate) -> Role:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        return role_of(usage.value)
    except PARSER_FAULTS as error:
        raise _bad("没有角色或角色不止一个") from error


def _only(certificate: x509.Certificate, oid: x509.ObjectIdentifier, label: str) -> str:
    try:
        (attribute,) = certificate.subject.get_attributes_for_oid(oid)
    except PARSER_FAULTS as error:
        raise _bad(f"没有{label}或{label}不止一个") from error
    if not isinstance(attribute.value, str) or not attribute.value.strip():
        raise _bad(f"{label}为空")
    return attribute.value


def _is_uscc(text: str) -> bool:
    try:
        return parse_uscc(text) == text
    except InvalidInput:
        return False


def _bad(what: str) -> CertificateRefused:
    return CertificateRefused(
        "bad-profile", f"卡内证书的内容不符合要求：{what}", hint="请使用电子口岸的卡，或联系制卡点"
    )
