"""Which cards are accepted: the authorities, the revocation lists and the policy."""

from __future__ import annotations

import os
from contextlib import suppress
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from eport_tui.card.errors import CertificateRefused
from eport_tui.card.protocol import Assurance, Card
from eport_tui.domain.holders import Holder
from eport_tui.errors import NotFound

if TYPE_CHECKING:
    from cryptography import x509

    from eport_tui.card.certificates import Known
    from eport_tui.card.eport_profile import LookUp


class Verdict(NamedTuple):
    """What was found about an accepted certificate.

    Attributes:
        holder: Whom it names.
        assurance: Where its issuer says that the key is.
        warnings: Sentences for the operator; nothing that keeps the card from being used.
        may_grant: Whether it may change grants; looking is allowed in any case.
        why_not: Why it may not, in Chinese; empty when it may.
    """

    holder: Holder
    assurance: Assurance
    warnings: tuple[str, ...]
    may_grant: bool
    why_not: str


class Record(NamedTuple):
    """When a certificate was accepted, as far as that can be told later, and whose it is.

    Attributes:
        card_number: IC卡号 of the card.
        enterprise: Customs code of its enterprise.
        is_legal_person: Whether the card acts for the enterprise itself.
        times: When it and an authority of it were valid, first and last moment.
        revoked: From when on it is revoked; none if it is not.
        unlisted: Names of its authorities of which there is no revocation list.
    """

    card_number: str
    enterprise: str
    is_legal_person: bool
    times: tuple[tuple[datetime, datetime], ...]
    revoked: datetime | None
    unlisted: tuple[str, ...]

    def why_not(self, at: datetime) -> str:
        """Why it was not accepted at a moment, in Chinese; empty where it was."""
        for start, end in self.times:
            if start <= at <= end:
                break
        else:
            return "签名时证书不在有效期内"
        if self.revoked is not None and self.revoked <= at:
            return "签名时证书已吊销"
        return ""


class NeedsRegistry(Exception):
    """What was asked can only be told where the registry is."""


def _not_here(organization: str, card_number: str) -> NoReturn:
    raise NeedsRegistry


class TrustStore:
    """The authorities whose cards are accepted, read from the disk at each check.

    Args:
        authorities: Folder with the authorities' certificates, `*.pem`.  Each is an
            anchor: it must have issued the card's certificate itself.
        revocation: Folder with revocation lists, `*.crl` (PEM or DER), or one such file.
        require_hardware: Refuse cards whose key is in a file.
        look_up: Asks the registry about cards whose certificate does not name the
            customs code; without it such cards are refused.
    """

    def __init__(
        self,
        authorities: Path,
        revocation: Path,
        *,
        require_hardware: bool = False,
        look_up: LookUp | None = None,
    ) -> None:
        self.authorities = authorities
        self.revocation = revocation
        self.require_hardware = require_hardware
        self._look_up = look_up
        self._known: tuple[object, Known] | None = None
        self._is_fixed = False

    @classmethod
    def of(
        cls, folder: Path, *, require_hardware: bool = False, look_up: LookUp | None = None
    ) -> TrustStore:
        """The store in `folder`, as `TestAuthority.publish` fills it."""
        return cls(
            folder / "authorities",
            folder / "crls",
            require_hardware=require_hardware,
            look_up=look_up,
        )

    def require_authorities(self) -> None:
        """See that there is an authority at all.

        Raises:
            NotFound: There is none that can be read; the message names the folder.
        """
        lacks = "中没有发证机构的证书"
        try:
            names = os.listdir(self.authorities)
        except OSError as error:
            names = []
            lacks = "没有权限读取" if isinstance(error, PermissionError) else "不存在"
        if not any(name.endswith(".pem") for name in names):
            raise NotFound(
                f"信任的机构文件夹 {self.authorities} {lacks}，无法核对签名",
                hint="请用设置项 trust 或环境变量 EPORT_TUI_TRUST 写明含有 authorities 的文件夹",
            )

    def check_card(self, card: Card, now: datetime) -> Verdict:
        """Check all that a card shows without its PIN.

        A card may have, beside the certificate of its authentication key, that of a
        signature key in the attribute `signature_certificate` (DER; empty for none).
        Then both must be accepted and name one holder, who may do what both allow.

        Args:
            card: The card; it is not asked for anything.
            now: The present moment, with a time zone.

        Raises:
            CertificateRefused: It is not accepted; the rules in their order are those
                of `docs/card-profile.md`.
        """
        verdict = self.check(card.certificate, now)
        self.check_assurance(card.assurance)
        signature: bytes = getattr(card, "signature_certificate", b"")
        if not signature:
            return verdict
        check_pair(card.certificate, signature)
        return _of_both(verdict, self.check(signature, now))

    def check(self, certificate: bytes, now: datetime) -> Verdict:
        """Check one certificate of a card.

        Args:
            certificate: DER.
            now: The present moment, with a time zone.

        Raises:
            CertificateRefused: It is not accepted; the rules in their order are those
                of `docs/card-profile.md`.
        """
        from eport_tui.card import certificates
        from eport_tui.card.eport_profile import is_eport_card
        from eport_tui.card.profile import load_certificate, read_assurance

        parsed = load_certificate(certificate)
        certificates.check_key(parsed)
        # The registry is not asked about a card that nobody vouches for.
        holder = None if is_eport_card(parsed) else self._holder(parsed)
        issuer = certificates.find_issuer(parsed, self.authorities, now)
        holder = holder or self._holder(parsed)
        check_dates(holder, now)
        why_not = certificates.check_revocation(parsed, issuer, self.revocation, now)
        assurance = read_assurance(parsed)
        self.check_assurance(assurance)
        return Verdict(holder, assurance, (why_not,) if why_not else (), not why_not, why_not)

    def record(self, certificate: bytes) -> Record:
        """When one certificate of a card was accepted, and whose it is.

        A revocation list that is out of date is no reason against the past.  What the
        registry says of a card of China E-Port is what it says now.

        Args:
            certificate: DER.

        Raises:
            CertificateRefused: It never was.
        """
        from eport_tui.card import certificates
        from eport_tui.card.profile import load_certificate, read_assurance

        parsed = load_certificate(certificate)
        certificates.check_key(parsed)
        known = self._read()
        issuers = known.find_issuers(parsed)
        holder = self._holder(parsed)
        self.check_assurance(read_assurance(parsed))
        authorities = [issuer for issuer, _, _ in issuers]
        revoked = known.first_revocation(parsed, authorities)
        return Record(
            holder.card_number,
            holder.enterprise.customs_code,
            holder.is_legal_person,
            tuple((start, end) for _, start, end in issuers),
            revoked,
            known.unlisted(authorities),
        )

    def fixed(self) -> TrustStore:
        """The same for `record`, with the folders as they are now: no later change is noticed."""
        fixed = copy(self)
        fixed._is_fixed = True
        # Where they cannot be read, each certificate is refused for it.
        with suppress(CertificateRefused):
            fixed._read()
        return fixed

    def elsewhere(self) -> TrustStore:
        """The same for a process that cannot ask the registry; it says `NeedsRegistry` then."""
        other = copy(self)
        if self._look_up is not None:
            other._look_up = _not_here
        return other

    def __getstate__(self) -> dict[str, Any]:
        # What was read cannot be handed to another process.
        return self.__dict__ | {"_known": None}

    def _read(self) -> Known:
        """What the folders hold, read anew when a file has changed."""
        from eport_tui.card.certificates import Known

        if self._is_fixed and self._known is not None:
            return self._known[1]
        stamp = self.stamp()
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, Known(self.authorities, self.revocation))
        return self._known[1]

    def stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Changes when a file of authorities or revocation lists does."""
        found: list[tuple[str, int, int, int]] = []
        for place in (self.authorities, self.revocation):
            with suppress(OSError):
                files = os.scandir(place) if place.is_dir() else ()
                for path in [place, *files]:
                    with suppress(OSError):
                        status = os.stat(path)
                        changed = (status.st_mtime_ns, status.st_ino, status.st_size)
                        found.append((os.fspath(path), *changed))
        return tuple(sorted(found))

    def holder_of(self, certificate: bytes) -> Holder:
        """Whom a certificate (DER) names; nothing is proved by that.

        Raises:
            CertificateRefused: It does not name a holder as it should, or the registry
                does not know the enterprise.
        """
        from eport_tui.card.profile import load_certificate

        return self._holder(load_certificate(certificate))

    def _holder(self, certificate: x509.Certificate) -> Holder:
        from eport_tui.card.eport_profile import is_eport_card, read_holder_of_eport_card
        from eport_tui.card.profile import read_holder

        if is_eport_card(certificate):
            return read_holder_of_eport_card(certificate, self._look_up)
        return read_holder(certificate)

    def check_assurance(self, assurance: Assurance) -> None:
        """See that the place of the key is good enough.

        Raises:
            CertificateRefused: It is a file, and a chip is required (`hardware-required`).
        """
        if self.require_hardware and assurance != "hardware":
            raise CertificateRefused(
                "hardware-required", "这里不能使用软件卡", hint="请使用IC卡或Ikey"
            )


def _of_both(first: Verdict, second: Verdict) -> Verdict:
    """What two certificates of one holder allow together: for as long as both are valid."""
    holder = first.holder._replace(
        valid_from=max(first.holder.valid_from, second.holder.valid_from),
        valid_until=min(first.holder.valid_until, second.holder.valid_until),
    )
    why_not = first.why_not or second.why_not
    warnings = (why_not,) if why_not else ()
    return first._replace(holder=holder, warnings=warnings, may_grant=not why_not, why_not=why_not)


def check_pair(authentication: bytes, signature: bytes) -> None:
    """See that both certificates of one card name one holder.

    Neither is checked otherwise: that is `TrustStore.check`, for each of them.

    Args:
        authentication: Certificate of the authentication key (PIV slot 9A), DER.
        signature: Certificate of the signature key (PIV slot 9C), DER.

    Raises:
        CertificateRefused: They differ in issuer, card number, person, enterprise or
            role (`mixed-card`), or one of them cannot be read.
    """
    from eport_tui.card.certificates import who_is_named
    from eport_tui.card.profile import load_certificate

    if who_is_named(load_certificate(authentication)) != who_is_named(load_certificate(signature)):
        raise CertificateRefused(
            "mixed-card", "卡内两张证书的持卡人不一致", hint="请联系制卡点换卡"
        )


def check_dates(holder: Holder, now: datetime) -> None:
    """See that a certificate is valid at `now`.

    Raises:
        CertificateRefused: It is `expired` or `not-yet-valid`.
    """
    if now > holder.valid_until:
        raise CertificateRefused(
            "expired", f"证书已于 {holder.valid_until:%Y-%m-%d} 过期", hint="请到制卡点更新证书"
        )
    if now < holder.valid_from:
        raise CertificateRefused(
            "not-yet-valid",
            f"证书从 {holder.valid_from:%Y-%m-%d} 起才有效",
            hint="请检查本机的日期，或等到该日",
        )
