"""Which certificates are accepted, and what each refusal is called."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from eport_tui.card.authority import TestAuthority
from eport_tui.card.certificates import find_issuer
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.glance import glance
from eport_tui.card.profile import LEGAL_PERSON, OPERATOR, SOFTWARE_KEY, load_certificate
from eport_tui.card.session import CardSession
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Role
from tests.card import forging
from tests.card.fake_reader import FakeReader
from tests.card.making import (
    locked_session,
    make_authority,
    make_card,
    make_holder,
    make_trust,
)
from tests.card.piv_making import make_piv


def refusal(trust: TrustStore, certificate: bytes) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        trust.check(certificate, now())
    assert caught.value.hint
    return caught.value


def misnamed(trust: TrustStore, certificate: bytes) -> CertificateRefused:
    """The refusal of a certificate whose holder a list of cards does not show either."""
    assert glance(certificate) is None
    return refusal(trust, certificate)


# Profile


@pytest.mark.parametrize("role", list(Role))
def test_the_holder_is_read_as_it_was_issued(role, authority, trust):
    holder = make_holder(role=role, person="李四", number="JJ1G500003071")
    verdict = trust.check(forging.certificate(authority, holder), now())
    assert verdict.holder == holder
    assert verdict.assurance == "software"
    assert verdict.may_grant
    assert verdict.warnings == ()


def test_names_of_any_characters_survive(authority, trust):
    holder = make_holder(enterprise="[bold]上海\x1b[31m甲公司" + "长" * 150)
    assert trust.check(forging.certificate(authority, holder), now()).holder == holder


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"card_number": None}, "卡号"),
        ({"card_number": "890000000001"}, "卡号的格式"),
        ({"card_number": "8900000000022"}, "两处卡号不一致"),
        ({"organization": None}, "社会信用代码"),
        ({"organization": "91310000PDY00001XG"}, "社会信用代码的格式"),
        ({"organization": "NTRCN-91310000PDY00001X"}, "社会信用代码的格式"),
        ({"organization": "NTRCN-91310000PDY000028G"}, "两处社会信用代码不一致"),
        ({"enterprise": None}, "企业名称"),
        ({"enterprise": " "}, "企业名称为空"),
        ({"person": None}, "姓名"),
    ],
)
def test_a_subject_that_is_wrong_or_disagrees_is_refused(changes, word, authority, trust):
    fault = misnamed(trust, forging.certificate(authority, subject=forging.subject(**changes)))
    assert fault.code == "bad-profile"
    assert word in fault.message


def test_a_field_that_is_there_twice_is_refused(authority, trust):
    twice = x509.Name(
        [*forging.subject(), *forging.subject().get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)]
    )
    assert misnamed(trust, forging.certificate(authority, subject=twice)).code == "bad-profile"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"card_number": "8900000000022"}, "两处卡号不一致"),
        ({"uscc": "91310000PDY000028G"}, "两处社会信用代码不一致"),
        ({"role": "operator"}, "两处角色不一致"),
        ({"role": "LEGAL_PERSON"}, "两处角色不一致"),
        ({"assurance": "hardware"}, "两处介质类型不一致"),
        ({"customs_code": "310194000"}, "企业编号的格式"),
        ({"customs_code": "310194000a"}, "企业编号的格式"),
        ({"version": 2}, "版本"),
    ],
)
def test_an_extension_that_is_wrong_or_disagrees_is_refused(changes, word, authority, trust):
    fault = misnamed(
        trust, forging.certificate(authority, extensions=[forging.identity(**changes)])
    )
    assert fault.code == "bad-profile"
    assert word in fault.message


@pytest.mark.parametrize("extra", [b"", b"\x30\x00", b"\x30\x03\x02\x01", b"\xff" * 20])
def test_an_extension_that_is_no_der_is_refused(extra, authority, trust):
    extension = x509.UnrecognizedExtension(forging.IDENTITY, extra), False
    fault = misnamed(trust, forging.certificate(authority, extensions=[extension]))
    assert fault.code == "bad-profile"


@pytest.mark.parametrize(
    "without", [x509.UnrecognizedExtension, x509.ExtendedKeyUsage], ids=["identity", "EKU"]
)
def test_a_certificate_of_another_kind_is_refused(without, authority, trust):
    assert misnamed(trust, forging.certificate(authority, without=without)).code == "bad-profile"


@pytest.mark.parametrize(
    "usages",
    [
        [OPERATOR, SOFTWARE_KEY],
        [LEGAL_PERSON, OPERATOR, SOFTWARE_KEY],
        [SOFTWARE_KEY],
        [LEGAL_PERSON],
        [x509.ExtendedKeyUsageOID.CLIENT_AUTH],
        [x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
    ],
    ids=["operator", "both", "no role", "no mark", "client", "any"],
)
def test_a_role_that_is_not_the_one_of_the_extension_is_refused(usages, authority, trust):
    usage = x509.ExtendedKeyUsage(usages), False
    fault = misnamed(trust, forging.certificate(authority, extensions=[usage]))
    assert fault.code == "bad-profile"


def test_further_usages_beside_the_role_are_no_fault(authority, trust):
    usages = [x509.ExtendedKeyUsageOID.CLIENT_AUTH, LEGAL_PERSON, SOFTWARE_KEY]
    usage = x509.ExtendedKeyUsage(usages), False
    assert trust.check(forging.certificate(authority, extensions=[usage]), now()).may_grant


def test_random_damage_to_a_certificate_ends_in_a_refusal(authority, trust):
    whole = forging.certificate(authority)
    rng = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if damaged != whole:
            refusal(trust, bytes(damaged))
    for length in range(0, len(whole), 7):
        refusal(trust, whole[:length])
    assert refusal(trust, b"not a certificate").code == "unreadable"


# Keys


@pytest.mark.parametrize(
    ("make_key", "code"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "weak-key"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "unsupported-key"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), "unsupported-key"),
        (ed25519.Ed25519PrivateKey.generate, "unsupported-key"),
    ],
    ids=["RSA-1024", "P-521", "secp256k1", "Ed25519"],
)
def test_keys_that_are_weak_or_of_another_kind_are_refused(make_key, code, authority, trust):
    assert refusal(trust, forging.certificate(authority, key=make_key())).code == code


# Issuer


def test_an_authority_of_the_same_name_is_not_trusted(tmp_path, authority, trust):
    foreign = make_authority(tmp_path)
    assert foreign.certificate.subject == authority.certificate.subject
    assert refusal(trust, forging.certificate(foreign)).code == "untrusted"


def test_a_certificate_changed_after_signing_is_not_trusted(authority, trust):
    der = forging.certificate(authority).replace("张三".encode(), "张四".encode())
    assert refusal(trust, der).code == "untrusted"


def test_a_card_cannot_issue_cards(authority, trust):
    key = ec.generate_private_key(ec.SECP256R1())
    card = load_certificate(forging.certificate(authority, key=key))
    fake = TestAuthority(authority.folder, card, key)
    assert refusal(trust, forging.certificate(fake)).code == "untrusted"


def test_a_self_signed_certificate_is_not_trusted_even_as_its_own_authority(tmp_path, authority):
    key = ec.generate_private_key(ec.SECP256R1())
    holder = make_holder()
    name = forging.subject_of(holder)
    forger = TestAuthority(tmp_path, authority.certificate, key)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(holder.valid_from).not_valid_after(holder.valid_until)
    for extension, critical in forging.extensions_of(holder, "software"):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(forger.key, hashes.SHA256())
    (tmp_path / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    trust = TrustStore(tmp_path, tmp_path)
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert refusal(trust, der).code == "untrusted"


@pytest.mark.parametrize(
    "usage", [{"digital_signature": False, "content_commitment": True}, {"critical": False}]
)
def test_a_key_that_is_not_for_signatures_is_not_trusted(usage, authority, trust):
    bits = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    critical = usage.pop("critical", True)
    extension = x509.KeyUsage(**(bits | {"digital_signature": True} | usage)), critical
    assert (
        refusal(trust, forging.certificate(authority, extensions=[extension])).code == "untrusted"
    )


def test_an_authority_with_a_weak_key_is_not_trusted(tmp_path):
    key = rsa.generate_private_key(65537, 1024)
    weak = forging.authority(tmp_path, key)
    assert refusal(TrustStore(tmp_path, tmp_path), forging.certificate(weak)).code == "untrusted"


def test_an_authority_under_a_root_is_trusted_by_itself_and_not_through_the_root(
    tmp_path, authority
):
    key = ec.generate_private_key(ec.SECP256R1())
    under = forging.authority(tmp_path, key, issuer=authority)
    der = forging.certificate(under)
    assert TrustStore(tmp_path, tmp_path).check(der, now())
    assert refusal(make_trust(authority), der).code == "untrusted"


def test_the_chain_itself_demands_a_role(authority, trust):
    certificate = load_certificate(forging.certificate(authority, without=x509.ExtendedKeyUsage))
    with pytest.raises(CertificateRefused) as caught:
        find_issuer(certificate, trust.authorities, now())
    assert caught.value.code == "untrusted"
    usage = x509.ExtendedKeyUsage([SOFTWARE_KEY]), False
    certificate = load_certificate(forging.certificate(authority, extensions=[usage]))
    with pytest.raises(CertificateRefused):
        find_issuer(certificate, trust.authorities, now())


def test_without_any_authority_that_is_what_is_said(tmp_path, authority):
    fault = refusal(TrustStore(tmp_path, tmp_path), forging.certificate(authority))
    assert fault.code == "no-authority"
    assert str(tmp_path) in fault.hint


def test_an_unreadable_authority_is_named(tmp_path, authority):
    (tmp_path / "bad.pem").write_text("not a certificate")
    fault = refusal(TrustStore(tmp_path, tmp_path), forging.certificate(authority))
    assert fault.code == "no-authority"
    assert "bad.pem" in fault.message


def test_one_of_several_authorities_is_enough(tmp_path, authority):
    second = TestAuthority.create(tmp_path / "second", name="另一个发证机构")
    for one in (authority, second):
        one.publish(tmp_path / "trust")
    trust = TrustStore.of(tmp_path / "trust")
    for one in (authority, second):
        assert trust.check(forging.certificate(one), now()).may_grant


# Dates


def test_an_expired_card_is_told_from_a_foreign_one(authority, trust):
    day = timedelta(days=1)
    holder = make_holder(valid_from=now() - 400 * day, valid_until=now() - 35 * day)
    fault = refusal(trust, forging.certificate(authority, holder))
    assert fault.code == "expired"
    assert f"{now() - 35 * day:%Y-%m-%d}" in fault.message


def test_a_card_of_tomorrow_is_not_yet_valid(authority, trust):
    day = timedelta(days=1)
    holder = make_holder(valid_from=now() + day, valid_until=now() + 9 * day)
    assert refusal(trust, forging.certificate(authority, holder)).code == "not-yet-valid"


def test_the_first_and_last_second_count(authority, trust):
    holder = make_holder()
    der = forging.certificate(authority, holder)
    assert trust.check(der, holder.valid_from).holder == holder
    assert trust.check(der, holder.valid_until).holder == holder
    for moment in (
        holder.valid_from - timedelta(seconds=1),
        holder.valid_until + timedelta(seconds=1),
    ):
        with pytest.raises(CertificateRefused):
            trust.check(der, moment)


def test_a_card_without_an_end_is_accepted_and_a_foreign_one_refused(tmp_path, authority, trust):
    endless = make_holder(valid_until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    der = forging.certificate(authority, endless)
    assert trust.check(der, now()).holder.valid_until.year == 9999
    assert (
        refusal(trust, forging.certificate(make_authority(tmp_path), endless)).code == "untrusted"
    )


def test_an_expired_foreign_card_is_foreign(tmp_path, trust):
    foreign = make_authority(tmp_path)
    day = timedelta(days=1)
    holder = make_holder(valid_from=now() - 400 * day, valid_until=now() - 35 * day)
    assert refusal(trust, forging.certificate(foreign, holder)).code == "untrusted"


# Revocation


@pytest.fixture
def own(tmp_path) -> TestAuthority:
    """An authority whose list the test may change."""
    return make_authority(tmp_path)


def issue(own: TestAuthority, tmp_path) -> bytes:
    path = make_card(own, tmp_path / "cards")
    return locked_session(path, make_trust(own)).card.certificate


def test_a_revoked_card_is_refused(own, tmp_path):
    der = issue(own, tmp_path)
    assert make_trust(own).check(der, now()).may_grant
    own.revoke("8900000000011")
    assert refusal(make_trust(own), der).code == "revoked"


def test_a_revoked_card_is_refused_by_a_list_that_is_out_of_date_too(own, tmp_path):
    der = issue(own, tmp_path)
    own.revoke("8900000000011")
    own.write_crl(at=now() - timedelta(days=90))
    assert refusal(make_trust(own), der).code == "revoked"


def test_without_a_list_one_may_look_but_not_grant(own, tmp_path):
    trust = make_trust(own)
    der = forging.certificate(own)
    for path in trust.revocation.iterdir():
        path.unlink()
    verdict = trust.check(der, now())
    assert not verdict.may_grant
    assert verdict.warnings == (verdict.why_not,)
    assert "没有发证机构的吊销列表" in verdict.why_not


def test_with_a_list_out_of_date_one_may_look_but_not_grant(own):
    own.write_crl(at=now() - timedelta(days=31))
    verdict = make_trust(own).check(forging.certificate(own), now())
    assert not verdict.may_grant
    assert "已过期" in verdict.why_not


def test_with_a_list_of_tomorrow_one_may_look_but_not_grant(own):
    own.write_crl(at=now() + timedelta(days=1))
    verdict = make_trust(own).check(forging.certificate(own), now())
    assert not verdict.may_grant
    assert "日期" in verdict.why_not


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN X509 CRL-----\nAAAA\n"])
def test_an_unreadable_list_is_no_list(content, own):
    trust = make_trust(own)
    for path in trust.revocation.iterdir():
        path.write_bytes(content)
    assert not trust.check(forging.certificate(own), now()).may_grant


def test_the_list_of_an_authority_of_the_same_name_is_no_list(own, tmp_path):
    foreign = make_authority(tmp_path / "foreign")
    trust = make_trust(own)
    for path in trust.revocation.iterdir():
        path.write_bytes(foreign.crl_path.read_bytes())
    assert not trust.check(forging.certificate(own), now()).may_grant


def replace_list(own: TestAuthority, issuer: x509.Name, *extensions: x509.ExtensionType):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(now() - timedelta(days=1))
        .next_update(now() + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    crl = builder.sign(own.key, hashes.SHA256())
    trust = TrustStore.of(own.folder.parent / "trust")
    for path in trust.revocation.iterdir():
        path.write_bytes(crl.public_bytes(serialization.Encoding.DER))
    return trust


def test_a_partial_list_is_no_list(own):
    trust = replace_list(own, own.certificate.subject)
    assert trust.check(forging.certificate(own), now()).may_grant
    trust = replace_list(own, own.certificate.subject, x509.DeltaCRLIndicator(1))
    assert not trust.check(forging.certificate(own), now()).may_grant


def test_a_list_in_another_name_is_no_list(own):
    trust = replace_list(own, forging.subject())
    assert not trust.check(forging.certificate(own), now()).may_grant


def test_a_list_of_an_authority_that_may_not_sign_lists_is_no_list(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    own = forging.authority(tmp_path / "authority", key, crl_sign=False)
    own.publish(tmp_path / "trust")
    trust = replace_list(own, own.certificate.subject)
    assert not trust.check(forging.certificate(own), now()).may_grant


def test_the_newest_of_several_lists_counts(own, tmp_path):
    der = issue(own, tmp_path)
    trust = make_trust(own)
    own.write_crl(at=now() - timedelta(hours=1))
    (trust.revocation / "a.crl").write_bytes(own.crl_path.read_bytes())
    (trust.revocation / "c.crl").write_bytes(own.crl_path.read_bytes())
    own.revoke("8900000000011")
    (trust.revocation / "b.crl").write_bytes(own.crl_path.read_bytes())
    for path in trust.revocation.glob("test-*"):
        path.unlink()
    assert refusal(trust, der).code == "revoked"
    (trust.revocation / "b.crl").unlink()
    assert trust.check(der, now()).may_grant


def test_a_single_list_in_der_is_read(own):
    crl = x509.load_pem_x509_crl(own.crl_path.read_bytes())
    path = own.folder / "list.der"
    path.write_bytes(crl.public_bytes(serialization.Encoding.DER))
    trust = TrustStore(make_trust(own).authorities, path)
    assert trust.check(forging.certificate(own), now()).may_grant


# Policy


def test_where_hardware_is_required_software_is_refused(own):
    trust = make_trust(own, require_hardware=True)
    holder = make_holder()
    assert refusal(trust, forging.certificate(own, holder)).code == "hardware-required"
    key = ec.generate_private_key(ec.SECP256R1())
    chip = own.certify(holder, key.public_key(), software=False)
    verdict = trust.check(chip.public_bytes(serialization.Encoding.DER), now())
    assert verdict.assurance == "hardware"


# Both certificates of a card


@dataclass
class TwoKeys:
    """A card in a chip, with one certificate or two."""

    certificate: bytes
    signature_certificate: bytes = b""
    assurance: str = "hardware"


def certify(authority, *, enrol=False, **changes):
    """A certificate of a chip, for a key of its own."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    holder = make_holder(**changes)
    made = (
        authority.enrol(holder, public)
        if enrol
        else authority.certify(holder, public, software=False)
    )
    return made.public_bytes(serialization.Encoding.DER)


def test_a_card_with_one_certificate_or_two_is_accepted(authority, trust):
    first = certify(authority)
    assert trust.check_card(TwoKeys(first), now()) == trust.check(first, now())
    verdict = trust.check_card(TwoKeys(first, certify(authority)), now())
    assert verdict.may_grant
    assert verdict.holder.card_number == "8900000000011"


def test_a_card_is_valid_while_both_its_certificates_are(authority, trust):
    soon = now().replace(microsecond=0) + timedelta(days=9)
    yesterday = now().replace(microsecond=0) - timedelta(hours=5)
    pair = certify(authority, valid_until=soon), certify(authority, valid_from=yesterday)
    for card in (TwoKeys(*pair), TwoKeys(*reversed(pair))):
        holder = trust.check_card(card, now()).holder
        assert (holder.valid_from, holder.valid_until) == (yesterday, soon)
        with pytest.raises(CertificateRefused) as caught:
            trust.check_card(card, soon + timedelta(days=1))
        assert caught.value.code == "expired"


@pytest.mark.parametrize("place", [0, 1], ids=["authentication", "signature"])
@pytest.mark.parametrize("code", ["mixed-card", "untrusted", "revoked", "unreadable"])
def test_either_certificate_that_is_refused_refuses_the_card(own, tmp_path, place, code):
    trust = make_trust(own)
    pair = [certify(own), certify(own)]
    if code == "mixed-card":
        pair[place] = certify(own, number="8900000000022")
    elif code == "untrusted":
        # It has the same name.
        pair[place] = certify(make_authority(tmp_path / "elsewhere"))
    elif code == "revoked":
        pair[place] = certify(own, enrol=True)
        own.revoke("8900000000011")
        trust = make_trust(own)
    else:
        pair[place] = b"0"
    with pytest.raises(CertificateRefused) as caught:
        trust.check_card(TwoKeys(*pair), now())
    assert caught.value.code == code


def test_a_card_grants_only_where_both_its_certificates_can_be_looked_up(tmp_path):
    first, second = make_authority(tmp_path / "one"), make_authority(tmp_path / "two")
    trust = make_trust(first)
    second.publish(tmp_path / "one" / "trust")
    pair = certify(first), certify(second)
    assert trust.check_card(TwoKeys(*pair), now()).may_grant
    (listed,) = (tmp_path / "two" / "trust" / "crls").iterdir()
    (trust.revocation / listed.name).unlink()
    for card in (TwoKeys(*pair), TwoKeys(*reversed(pair))):
        verdict = trust.check_card(card, now())
        assert not verdict.may_grant
        assert "没有发证机构的吊销列表" in verdict.why_not
        assert verdict.warnings == (verdict.why_not,)


def test_a_chip_with_the_signature_certificate_of_another_gets_no_session(authority, trust):
    applet = make_piv(authority)
    other = certify(authority, number="8900000000022")
    applet.load(0x9C, applet.keys[0x9C], other)
    reader = FakeReader()
    reader.insert(applet)
    with pytest.raises(CertificateRefused) as caught:
        CardSession.begin(reader.open(reader.cards()[0]), trust)
    assert caught.value.code == "mixed-card"
    assert applet.tries == 3
