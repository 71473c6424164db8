"""What a list of cards shows of a certificate is what the certificate says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card.authority import TestAuthority
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.glance import glance, is_revoked, read_lists
from eport_tui.card.profile import SOFTWARE_KEY, load_certificate, read_holder
from eport_tui.card.software import SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import SHANGHAI, now
from eport_tui.domain.holders import Holder, Role
from tests.card import forging
from tests.card.making import make_authority, make_card, make_holder


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return make_authority(tmp_path_factory.mktemp("glance"))


def read(certificate: bytes) -> Holder | None:
    """The holder as `cryptography` has it read; none where that refuses."""
    try:
        return read_holder(load_certificate(certificate))
    except CertificateRefused:
        return None


@pytest.mark.parametrize(
    "holder",
    [
        make_holder(),
        make_holder(role=Role.OPERATOR, person="\U00020bb7野", number="89000000000AB"),
        make_holder(enterprise="上" * 200),
        make_holder(valid_until=datetime(2049, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)),
        make_holder(valid_until=datetime(2050, 1, 1, 8, tzinfo=SHANGHAI)),
        make_holder(valid_from=datetime(1999, 1, 1, tzinfo=SHANGHAI)),
    ],
    ids=["plain", "operator", "long name", "before 2050", "2050", "last century"],
)
def test_a_holder_is_shown_as_the_certificate_names_it(authority, holder) -> None:
    certificate = forging.certificate(authority, holder)
    assert glance(certificate) == holder == read(certificate)


def test_a_certificate_without_an_end_is_shown_with_the_last_day_there_is(authority) -> None:
    endless = make_holder(valid_until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    certificate = forging.certificate(authority, endless)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)
    assert glance(certificate) == endless._replace(valid_until=last) == read(certificate)


def test_a_key_in_a_chip_is_no_hindrance(authority) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    chip = authority.certify(make_holder(), public, software=False).public_bytes(Encoding.DER)
    assert glance(chip) == read(chip) != None  # noqa: E711


def test_a_usage_beside_the_role_is_no_hindrance(authority) -> None:
    role = x509.ObjectIdentifier(f"{SOFTWARE_KEY.dotted_string[:-1]}1")
    usages = [x509.ExtendedKeyUsageOID.CLIENT_AUTH, role, SOFTWARE_KEY]
    extension = x509.ExtendedKeyUsage(usages), False
    certificate = forging.certificate(authority, extensions=[extension])
    assert glance(certificate) == read(certificate) != None  # noqa: E711


def test_an_expired_card_is_shown_with_its_dates(authority) -> None:
    until = make_holder().valid_from - timedelta(days=400)
    holder = make_holder(valid_from=until - timedelta(days=1), valid_until=until)
    assert glance(forging.certificate(authority, holder)) == holder


# Cryptography warns of a serial number that a wrong byte has made negative.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_one_wrong_byte_never_shows_another_holder_than_it_says(authority, flip) -> None:
    good = forging.certificate(authority)
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= flip
        shown, said = glance(bytes(bad)), read(bytes(bad))
        assert shown is None or said is None or shown == said, at


def test_a_certificate_that_is_cut_short_shows_nothing(authority) -> None:
    good = forging.certificate(authority)
    assert not any(glance(good[:length]) for length in range(len(good)))


@pytest.mark.parametrize("other", [b"", b"\x30\x00", b"\x30\x84\xff\xff\xff\xff", b"\xff" * 900])
def test_what_is_no_certificate_shows_nothing(other: bytes) -> None:
    assert glance(other) is None


def test_what_stands_behind_a_certificate_is_no_part_of_it(authority, tmp_path: Path) -> None:
    assert glance(forging.certificate(authority) + b"\0") is None


# -- revocation ------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> TestAuthority:
    """An authority with two cards, the first of which is revoked."""
    own = make_authority(tmp_path)
    for number in NUMBERS:
        make_card(own, tmp_path / "cards", number=number)
    own.revoke(NUMBERS[0])
    own.publish(tmp_path / "trust")
    return own


NUMBERS = ("8900000000011", "8900000000022")


def marked(folder: Path) -> list[bool]:
    """Which of the cards are shown as revoked; it is what a log-in says as well."""
    reader, trust = SoftwareReader(folder / "cards"), TrustStore.of(folder / "trust")
    cards = [reader.open(ref) for ref in reader.cards()]
    lists = read_lists(trust.revocation)
    shown = [is_revoked(card.certificate, lists) for card in cards]
    assert shown == [is_refused(trust, card.certificate) for card in cards]
    return shown


def is_refused(trust: TrustStore, certificate: bytes) -> bool:
    try:
        trust.check(certificate, now())
    except CertificateRefused as refusal:
        return refusal.code == "revoked"
    return False


def test_a_revoked_card_is_shown_as_such(own, tmp_path: Path) -> None:
    assert marked(tmp_path) == [True, False]


def test_a_list_in_der_counts_as_well(own, tmp_path: Path) -> None:
    (file,) = (tmp_path / "trust" / "crls").iterdir()
    file.write_bytes(x509.load_pem_x509_crl(file.read_bytes()).public_bytes(Encoding.DER))
    assert marked(tmp_path) == [True, False]


def test_the_newest_list_counts_and_no_other(own, tmp_path: Path) -> None:
    crls = tmp_path / "trust" / "crls"
    own.revoke(NUMBERS[1])
    own.write_crl(at=now() - timedelta(hours=1))
    for name in ("0.crl", "z.crl"):
        (crls / name).write_bytes(own.crl_path.read_bytes())
    assert marked(tmp_path) == [True, False]


def test_a_delta_list_shows_nothing(own, tmp_path: Path) -> None:
    (file,) = (tmp_path / "trust" / "crls").iterdir()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(own.certificate.subject)
        .last_update(now() + timedelta(minutes=1))
        .next_update(now() + timedelta(days=1))
        .add_extension(x509.DeltaCRLIndicator(1), critical=True)
    )
    delta = builder.sign(own.key, hashes.SHA256())
    file.with_name("delta.crl").write_bytes(delta.public_bytes(Encoding.PEM))
    assert marked(tmp_path) == [True, False]


def test_the_list_of_another_authority_of_the_same_name_does_not_count(own, tmp_path) -> None:
    other = make_authority(tmp_path / "other")
    other.write_crl(at=now() + timedelta(seconds=5))
    other.publish(tmp_path / "trust")
    assert marked(tmp_path) == [True, False]


def test_lists_that_cannot_be_read_are_none(own, tmp_path: Path) -> None:
    crls = tmp_path / "trust" / "crls"
    for number, data in enumerate((b"", b"-----BEGIN", b"-----BEGIN X-----\n*\n", b"\x30\x03\x30")):
        (crls / f"{number}.crl").write_bytes(data)
    (crls / "folder.crl").mkdir()
    assert marked(tmp_path) == [True, False]
    certificate = forging.certificate(own)
    (crl,) = (data for data in read_lists(crls) if len(data) > 10)
    assert not any(is_revoked(certificate, [crl[:length]]) for length in range(len(crl)))
    assert read_lists(tmp_path / "nowhere") == []
