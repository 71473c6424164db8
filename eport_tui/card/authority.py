"""A local test authority: it issues software cards and keeps their revocation list.

For trials, training and tests.  Its key lies in a file without a password, so its
cards prove no more than the right to read that file.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from eport_tui.card.errors import CardError
from eport_tui.card.files import file_error, locked, make_folder, write_whole
from eport_tui.card.profile import PARSER_FAULTS, check_common_name, extensions_of, subject_of
from eport_tui.card.protocol import check_pin
from eport_tui.card.software import (
    DEFAULT_COST,
    INITIAL_PIN,
    SUFFIX,
    Cost,
    refuse_existing,
    wipe,
    write_card,
)
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.identifiers import parse_card_number, parse_customs_code, parse_uscc
from eport_tui.errors import InvalidInput, NotFound

DEFAULT_NAME = "eport-tui 测试发证机构"
CRL_DAYS = 30

_KEY = "ca.key"
_CERTIFICATE = "ca.pem"
_CRL = "ca.crl"
_ISSUED = "issued.csv"
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued.

    Attributes:
        serial: Its serial number.
        card_number: The card it is on.
        role: The role it gives.
        valid_until: Its end.
        revoked: When it was revoked, if it was.
        person: Whom it names; empty where that was not recorded.
        enterprise: The name of his enterprise, likewise.
    """

    serial: int
    card_number: str
    role: Role
    valid_until: datetime
    revoked: datetime | None = None
    person: str = ""
    enterprise: str = ""


class TestAuthority:
    """The authority in a folder; see `create` and `open`.

    Attributes:
        folder: Where its key, its certificate, its list of issued certificates and
            its revocation list are.
        certificate: Its own certificate.
        key: Its private key (P-256).
    """

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self.key = key

    @classmethod
    def create(cls, folder: Path, *, name: str = DEFAULT_NAME) -> TestAuthority:
        """Make a new authority, with an empty revocation list.

        It is valid from five years ago, so that it can issue cards for tests that
        have expired long since.

        Raises:
            InvalidInput: A certificate cannot have that name.
            CardError: There is one in `folder`, or it cannot be written.
        """
        check_common_name(name, "发证机构的名称", field="name")
        if os.path.lexists(folder / _KEY):
            raise CardError(f"{folder} 中已有发证机构", hint="请使用它，或指定另一个文件夹")
        make_folder(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key, name)
        write_whole(folder / _CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
        write_whole(
            folder / _KEY,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        authority = cls(folder, certificate, key)
        authority.write_crl()
        return authority

    @classmethod
    def open(cls, folder: Path) -> TestAuthority:
        """Open the authority in `folder`.

        Raises:
            CardError: There is none, or it cannot be read.
        """
        try:
            key = serialization.load_pem_private_key((folder / _KEY).read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((folder / _CERTIFICATE).read_bytes())
        except FileNotFoundError:
            lacks = "中没有发证机构" if folder.is_dir() else "不存在"
            raise CardError(
                f"发证机构的文件夹 {folder} {lacks}",
                hint="请检查路径；尚未建立的，请先运行 eport-tui card authority init",
            ) from None
        except OSError as error:
            raise file_error("读取发证机构", folder, error) from error
        except PARSER_FAULTS as error:
            raise CardError(f"{folder} 中的发证机构已损坏", hint="请从备份中恢复") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CardError(f"{folder} 中的密钥不是P-256密钥", hint="请从备份中恢复")
        return cls(folder, certificate, key)

    @property
    def crl_path(self) -> Path:
        """Where its revocation list is."""
        return self.folder / _CRL

    def issue(
        self,
        holder: Holder,
        cards_folder: Path,
        *,
        pin: bytearray | None = None,
        software: bool = True,
        cost: Cost = DEFAULT_COST,
    ) -> Path:
        """Make a software card for `holder`, with a new key (P-256).

        Args:
            holder: Whom the card is for, with the validity of the certificate.
            cards_folder: Where the card's file goes; made when it is not there.
            pin: The PIN; 88888888 when None.
            software: Whether the certificate says that the key is in a file, as it is;
                False only to try out what a real card may do.
            cost: What a try of the PIN shall cost.

        Returns:
            The card's file.

        Raises:
            InvalidInput: A field of the holder has not its form.
            BadPin: The PIN has not the form of one.
            CardError: There is such a card already, or a file cannot be written.
        """
        holder = canonical(holder)
        secret = bytearray(INITIAL_PIN) if pin is None else pin
        check_pin(secret)
        make_folder(cards_folder)
        path = cards_folder / f"{holder.card_number}{SUFFIX}"
        refuse_existing(path)
        private = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(holder, private.public_key(), software=software)
        key = bytearray(
            private.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        try:
            with self._held():
                # Recorded first: a card that exists can always be revoked.
                self._save([*self.issued(), _entry(certificate, holder)])
                write_card(path, der, key, secret, cost)
        finally:
            wipe(key)
        return path

    def enrol(
        self, holder: Holder, public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    ) -> x509.Certificate:
        """Certify and record a key that a chip has made and keeps.

        Raises:
            InvalidInput: A field of the holder has not its form.
            CardError: A file cannot be read or written.
        """
        holder = canonical(holder)
        certificate = self.certify(holder, public_key, software=False)
        with self._held():
            self._save([*self.issued(), _entry(certificate, holder)])
        return certificate

    def certify(
        self,
        holder: Holder,
        public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        *,
        software: bool = True,
    ) -> x509.Certificate:
        """Sign a certificate of the profile, without recording it."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject_of(holder))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(holder.valid_from)
            .not_valid_after(holder.valid_until)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        )
        for extension, critical in extensions_of(holder, "software" if software else "hardware"):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def issued(self) -> list[Issued]:
        """All certificates that were issued, oldest first.

        Raises:
            CardError: The list cannot be read.
        """
        path = self.folder / _ISSUED
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [
                Issued(
                    int(serial, 16),
                    number,
                    Role(role),
                    datetime.fromisoformat(valid_until),
                    datetime.fromisoformat(revoked) if revoked else None,
                    *whose,
                )
                for serial, number, role, valid_until, revoked, *whose in list(csv.reader(lines))[
                    1:
                ]
            ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise file_error("读取", path, error) from error
        except (ValueError, csv.Error) as error:
            raise CardError(f"发证记录 {path} 已损坏", hint="请从备份中恢复") from error

    def revoke(self, what: str | int, *, at: datetime | None = None) -> int:
        """Revoke all certificates of a card number, or the one with a serial number.

        The revocation list is written anew.

        Returns:
            How many certificates were revoked that had not been before.

        Raises:
            NotFound: None was issued.
            CardError: A file cannot be read or written.
        """
        moment = (at or now()).replace(microsecond=0)
        with self._held():
            entries = self.issued()
            if not any(what in (entry.serial, entry.card_number) for entry in entries):
                raise NotFound(f"没有签发过卡 {what}", hint="请核对卡号")
            after = [
                replace(entry, revoked=moment)
                if what in (entry.serial, entry.card_number) and not entry.revoked
                else entry
                for entry in entries
            ]
            self._save(after)
        self.write_crl()
        return sum(old != new for old, new in zip(entries, after, strict=True))

    def write_crl(self, *, at: datetime | None = None, days: int = CRL_DAYS) -> None:
        """Write the revocation list, dated `at` (now when None) and fresh for `days` days.

        Raises:
            CardError: A file cannot be read or written.
        """
        moment = (at or now()).astimezone(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(moment)
            .next_update(moment + timedelta(days=days))
            # Only has to grow from list to list.
            .add_extension(x509.CRLNumber(int(moment.timestamp() * 1_000_000)), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        with self._held():
            for entry in self.issued():
                if entry.revoked:
                    builder = builder.add_revoked_certificate(
                        x509.RevokedCertificateBuilder()
                        .serial_number(entry.serial)
                        .revocation_date(entry.revoked)
                        .build()
                    )
            crl = builder.sign(self.key, hashes.SHA256())
            write_whole(self.crl_path, crl.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def renew_crl(self) -> bool:
        """Write the revocation list anew when half of its time is over; tells whether it did.

        Raises:
            CardError: A file cannot be read or written.
        """
        try:
            end = x509.load_pem_x509_crl(self.crl_path.read_bytes()).next_update_utc
        except (OSError, *PARSER_FAULTS):
            end = None
        if end is not None and end - now() > timedelta(days=CRL_DAYS) / 2:
            return False
        self.write_crl()
        return True

    def publish(self, trust_folder: Path) -> None:
        """Have the cards of this authority accepted: put its certificate and list in place.

        Args:
            trust_folder: The folder that `TrustStore.of` reads.

        Raises:
            CardError: A file cannot be read or written.
        """
        stem = f"test-{self.certificate.fingerprint(hashes.SHA256()).hex()[:16]}"
        for source, target in (
            (self.folder / _CERTIFICATE, trust_folder / "authorities" / f"{stem}.pem"),
            (self.crl_path, trust_folder / "crls" / f"{stem}.crl"),
        ):
            make_folder(target.parent, mode=0o755)
            try:
                data = source.read_bytes()
            except OSError as error:
                raise file_error("读取", source, error) from error
            write_whole(target, data, mode=0o644)

    def _save(self, entries: list[Issued]) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(
            ["serial", "card_number", "role", "valid_until", "revoked", "person", "enterprise"]
        )
        for entry in entries:
            table.writerow(
                [
                    f"{entry.serial:x}",
                    entry.card_number,
                    entry.role.value,
                    entry.valid_until.isoformat(),
                    entry.revoked.isoformat() if entry.revoked else "",
                    entry.person,
                    entry.enterprise,
                ]
            )
        write_whole(self.folder / _ISSUED, text.getvalue().encode())

    @contextmanager
    def _held(self) -> Generator[None]:
        """Keep other processes from changing this authority's files."""
        path = self.folder / _KEY
        try:
            with locked(path):
                yield
        except OSError as error:
            raise file_error("使用发证机构", path, error) from error


def _self_signed(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    moment = now()
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - 5 * _YEAR)
        .not_valid_after(moment + 25 * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )


def canonical(holder: Holder) -> Holder:
    """A holder with codes and names as they are put into a certificate.

    Raises:
        InvalidInput: A field has not its form.
    """
    if holder.valid_until <= holder.valid_from:
        raise InvalidInput("证书的截止日期不能早于起始日期", field="valid_until")
    given = holder.enterprise
    checked = holder._replace(
        card_number=parse_card_number(holder.card_number, field="card_number"),
        person=holder.person.strip(),
        enterprise=Enterprise(
            customs_code=parse_customs_code(given.customs_code, field="customs_code"),
            uscc=parse_uscc(given.uscc, field="uscc"),
            name=given.name.strip(),
        ),
    )
    # What a certificate cannot name is told before a key is made or a PIN asked for.
    subject_of(checked)
    return checked


def _entry(certificate: x509.Certificate, holder: Holder) -> Issued:
    until = holder.valid_until.replace(microsecond=0)
    return Issued(
        certificate.serial_number,
        holder.card_number,
        holder.role,
        until,
        person=holder.person,
        enterprise=holder.enterprise.name,
    )
