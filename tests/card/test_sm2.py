"""SM2 and SM3, held against the `openssl` command line."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card import certificates, sm2
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.profile import LEGAL_PERSON, OPERATOR, SOFTWARE_KEY, load_certificate
from eport_tui.card.signatures import is_signed_by
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from tests.card import forging, openssl
from tests.card.making import make_holder

# The order of the group, from GB/T 32918.5-2017.
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
HOLDER = make_holder()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return openssl.make_key(tmp_path_factory.mktemp("key") / "card.key")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> openssl.Authority:
    """An SM2 authority with a fresh list; tests that revoke make their own."""
    authority = openssl.Authority(tmp_path_factory.mktemp("sm2") / "authority")
    authority.publish_list()
    return authority


@pytest.fixture(scope="module")
def trust(authority: openssl.Authority) -> TrustStore:
    return TrustStore.of(authority.folder)


@pytest.fixture(scope="module")
def card(authority: openssl.Authority, key_file: Path) -> bytes:
    """The certificate of a legal person's card."""
    return certify(authority, key_file)


def certify(authority: openssl.Authority, key: Path, **changes: str) -> bytes:
    extensions = openssl.own_extensions(HOLDER, **changes)
    return authority.certify(key, openssl.subject_of(HOLDER), extensions)


def public_key(path: Path) -> sm2.PublicKey:
    der = openssl.openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    # The key is the end of the structure: 04, x, y.
    return sm2.PublicKey.parse(der[-65:])


def refusal(trust: TrustStore, certificate: bytes, days: int = 0) -> str:
    with pytest.raises(CertificateRefused) as caught:
        trust.check(certificate, now() + timedelta(days=days))
    assert caught.value.hint
    return caught.value.code


# -- signatures -----------------------------------------------------------------------------


def test_forty_random_signatures_of_openssl_are_right_and_altered_ones_wrong(
    tmp_path: Path,
) -> None:
    rng = random.Random(2)
    for number in range(40):
        if number % 8 == 0:
            path = openssl.make_key(tmp_path / f"{number}.key")
            key = public_key(path)
        data = rng.randbytes(rng.randrange(1, 200))
        signature = openssl.sign(path, data)
        assert key.verify(signature, data)
        at = rng.randrange(len(data))
        assert not key.verify(signature, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        r, s = decode_dss_signature(signature)
        assert not key.verify(encode_dss_signature(r ^ 1 << rng.randrange(250), s), data)
        assert not key.verify(encode_dss_signature(r, s ^ 1 << rng.randrange(250)), data)


def test_the_identifier_of_the_signer_is_part_of_the_signature(key_file: Path) -> None:
    key = public_key(key_file)
    signature = openssl.sign(key_file, b"data", identifier="ALICE123@YAHOO.COM")
    assert key.verify(signature, b"data", b"ALICE123@YAHOO.COM")
    assert not key.verify(signature, b"data")


def test_the_example_of_the_standard(key_file: Path) -> None:
    # GB/T 32918.5-2017, A.2: "message digest" with the default identifier.
    key = sm2.PublicKey.parse(
        bytes.fromhex(
            "04"
            "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
            "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
        )
    )
    signature = encode_dss_signature(
        0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
        0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
    )
    assert key.verify(signature, b"message digest")
    assert not key.verify(signature, b"message digesu")


def test_numbers_out_of_range_are_no_signature(key_file: Path) -> None:
    key = public_key(key_file)
    r, s = decode_dss_signature(openssl.sign(key_file, b"data"))
    for numbers in ((r + N, s), (r, s + N), (0, s), (r, 0), (N, s), (r, N), (r, N - r), (0, 0)):
        assert not key.verify(encode_dss_signature(*numbers), b"data")


def test_a_signature_in_any_other_encoding_is_none(key_file: Path) -> None:
    key = public_key(key_file)
    signature = openssl.sign(key_file, b"data")
    r, s = decode_dss_signature(signature)
    # One byte more before a number is DER no longer.
    padded = b"\x02\x22\x00\x00" + r.to_bytes(32)
    others = [
        b"",
        signature[:-1],
        signature + b"\0",
        b"\x31" + signature[1:],
        b"\x30\x81" + signature[1:],
        r.to_bytes(32) + s.to_bytes(32),
        b"\x30\x46" + padded + b"\x02\x20" + s.to_bytes(32),
        # A number that would be negative.
        b"\x30\x44\x02\x20" + b"\xff" * 32 + b"\x02\x20" + b"\xff" * 32,
    ]
    for other in others:
        assert not key.verify(other, b"data")


def test_a_point_that_is_none_is_no_key(key_file: Path) -> None:
    key = public_key(key_file)
    x, y = key.x.to_bytes(32), key.y.to_bytes(32)
    assert sm2.PublicKey.parse(b"\x04" + x + y) == key
    others = [
        b"",
        b"\0",
        b"\x04" + x,
        b"\x04" + x + y + b"\0",
        b"\x02" + x,
        b"\x06" + x + y,
        b"\x04" + x + (key.y ^ 1).to_bytes(32),
        b"\x04" + bytes(64),
        b"\x04" + (key.x + P).to_bytes(33)[-32:] + y,
        b"\x04" + b"\xff" * 64,
    ]
    for other in others:
        with pytest.raises(ValueError, match="point"):
            sm2.PublicKey.parse(other)


def test_a_coordinate_is_below_the_prime() -> None:
    # The point with x = 1 is on the curve, as is what x = 1 + p would be.
    b = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    for x in range(1, 2**16):
        square = (x**3 - 3 * x + b) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square and x + P < 2**256:
            break
    assert sm2.PublicKey.parse(b"\x04" + x.to_bytes(32) + y.to_bytes(32))
    with pytest.raises(ValueError, match="point"):
        sm2.PublicKey.parse(b"\x04" + (x + P).to_bytes(32) + y.to_bytes(32))


def test_keys_where_the_sum_of_points_is_special_are_verified_too() -> None:
    # With the private keys 1 and n-1 the public key is G and -G, for which G + P is 2G and O.
    g = (sm2._G[0], sm2._G[1])
    for key in (sm2.PublicKey(*g), sm2.PublicKey(g[0], P - g[1])):
        assert not key.verify(encode_dss_signature(5, 7), b"data")
        point = sm2._affine(sm2._sum_of_multiples(5, 3, (key.x, key.y)))
        plain = 8 if key.y == g[1] else 2
        assert point == sm2._affine(sm2._sum_of_multiples(plain, 0, g))
    assert sm2._affine(sm2._sum_of_multiples(3, 3, (g[0], P - g[1]))) is None


# -- certificates ----------------------------------------------------------------------------


def test_an_sm2_card_is_read_as_it_was_issued(trust: TrustStore, card: bytes) -> None:
    verdict = trust.check(card, now())
    assert verdict.holder.card_number == HOLDER.card_number
    assert verdict.holder.enterprise == HOLDER.enterprise
    assert verdict.holder.role is HOLDER.role
    assert (verdict.assurance, verdict.may_grant, verdict.warnings) == ("software", True, ())


def test_a_challenge_that_an_sm2_card_has_signed_is_verified(
    card: bytes, key_file: Path, tmp_path: Path
) -> None:
    signature = openssl.sign(key_file, b"challenge")
    assert is_signed_by(card, signature, b"challenge")
    assert not is_signed_by(card, signature, b"another challenge")
    other = openssl.make_key(tmp_path / "other.key")
    assert not is_signed_by(card, openssl.sign(other, b"challenge"), b"challenge")
    assert not is_signed_by(card, b"", b"challenge")


@pytest.mark.parametrize(
    ("of_card", "of_authority"),
    [("SM2", "P-256"), ("SM2", "RSA:2048"), ("P-256", "SM2"), ("RSA:2048", "SM2")],
)
def test_sm2_and_other_keys_may_stand_in_one_chain(
    tmp_path: Path, of_card: str, of_authority: str
) -> None:
    authority = openssl.Authority(tmp_path / "authority", kind=of_authority)
    key = openssl.make_key(tmp_path / "card.key", of_card)
    der = certify(authority, key)
    authority.publish_list()
    trust = TrustStore.of(authority.folder)
    assert trust.check(der, now()).may_grant
    authority.publish_list(der)
    assert refusal(trust, der) == "revoked"
    stranger = openssl.Authority(tmp_path / "stranger", kind=of_authority)
    assert refusal(trust, certify(stranger, key)) == "untrusted"


def test_sm2_and_other_authorities_are_trusted_beside_each_other(
    tmp_path: Path, authority: openssl.Authority, card: bytes, key_file: Path
) -> None:
    other = openssl.Authority(tmp_path / "other", kind="P-256")
    plain = certify(other, openssl.make_key(tmp_path / "plain.key", "P-256"))
    folder = tmp_path / "authorities"
    folder.mkdir()
    for number, each in enumerate((authority, other)):
        (folder / f"{number}.pem").write_bytes(each.pem.read_bytes())
    trust = TrustStore(folder, tmp_path / "none")
    for der in (card, plain):
        assert trust.check(der, now()).holder.card_number == HOLDER.card_number
    (folder / "1.pem").unlink()
    assert refusal(trust, plain) == "untrusted"


def test_an_rsa_1024_key_is_refused_also_when_sm2_signed_it(
    tmp_path: Path, authority: openssl.Authority, trust: TrustStore
) -> None:
    key = openssl.make_key(tmp_path / "card.key", "RSA:1024")
    assert refusal(trust, certify(authority, key)) == "weak-key"


def test_an_authority_with_an_rsa_1024_key_is_not_trusted(tmp_path: Path, key_file: Path) -> None:
    weak = openssl.Authority(tmp_path / "weak", kind="RSA:1024")
    assert refusal(TrustStore.of(weak.folder), certify(weak, key_file)) == "untrusted"


def test_a_signature_with_sha1_does_not_count(tmp_path: Path, key_file: Path) -> None:
    old = openssl.Authority(tmp_path / "old", kind="RSA:2048", digest="sha1")
    assert refusal(TrustStore.of(old.folder), certify(old, key_file)) == "untrusted"


def test_an_sm2_authority_of_the_same_name_is_not_trusted(
    tmp_path: Path, trust: TrustStore, key_file: Path
) -> None:
    assert refusal(trust, certify(openssl.Authority(tmp_path / "foreign"), key_file)) == "untrusted"


def test_an_authority_of_another_name_is_not_trusted(
    tmp_path: Path, authority: openssl.Authority, card: bytes
) -> None:
    # The same key under another name: the certificate names its issuer.
    renamed = openssl.Authority(tmp_path / "renamed", name="另一个发证机构")
    pem = renamed.folder / "authorities" / "ca.pem"
    openssl.openssl(
        *("req", "-x509", "-new", "-utf8", "-key", authority.key, "-subj", "/CN=另一个发证机构"),
        *("-config", renamed.folder / "openssl.cnf", "-out", pem),
        *("-sm3", "-sigopt", f"distid:{openssl.ID}"),
    )
    assert refusal(TrustStore.of(renamed.folder), card) == "untrusted"


def test_random_damage_to_an_sm2_certificate_ends_in_a_refusal(
    trust: TrustStore, card: bytes
) -> None:
    rng = random.Random(3)
    for _ in range(300):
        damaged = bytearray(card)
        damaged[rng.randrange(len(card))] ^= 1 << rng.randrange(8)
        refusal(trust, bytes(damaged))
    for length in range(0, len(card), 11):
        refusal(trust, card[:length])


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    head = bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2)
    return bytes([tag]) + head + content


def test_the_algorithm_under_the_signature_is_the_one_beside_it(
    authority: openssl.Authority, trust: TrustStore, card: bytes
) -> None:
    # 1.2.156.10197.1.501 in DER; its last byte makes it another one.
    oid = bytes.fromhex("06082a811ccf55018375")
    tbs = load_certificate(card).tbs_certificate_bytes
    for inside, outside, accepted in (
        (oid, oid, True),
        (oid[:-1] + b"\x76", oid, False),
        (oid, oid[:-1] + b"\x76", False),
    ):
        signed = tbs.replace(oid, inside)
        signature = openssl.sign(authority.key, signed)
        made = der(0x30, signed + der(0x30, outside) + der(0x03, b"\0" + signature))
        if accepted:
            assert trust.check(made, now()).may_grant
        else:
            assert refusal(trust, made) == "untrusted"


def test_a_key_off_the_curve_is_refused(trust: TrustStore, card: bytes) -> None:
    at = card.index(b"\x03\x42\x00\x04") + 10
    altered = bytearray(card)
    altered[at] ^= 1
    assert refusal(trust, bytes(altered)) == "unsupported-key"


@pytest.mark.parametrize(
    "changes",
    [
        {"constraints": "critical, CA:TRUE"},
        {"usage": "critical, keyAgreement"},
        {"usage": "digitalSignature"},
        {"usage": ""},
        {"more": "1.2.3.4 = critical, ASN1:NULL"},
        {"more": "nameConstraints = critical, permitted;email:.example"},
    ],
    ids=["authority", "usage", "usage not critical", "no usage", "unknown", "constraints"],
)
def test_a_certificate_for_something_else_is_not_trusted(
    authority: openssl.Authority, trust: TrustStore, key_file: Path, changes: dict[str, str]
) -> None:
    assert refusal(trust, certify(authority, key_file, **changes)) == "untrusted"


@pytest.mark.parametrize(
    "extended",
    [
        "",
        "clientAuth",
        SOFTWARE_KEY.dotted_string,
        f"{OPERATOR.dotted_string}, {SOFTWARE_KEY.dotted_string}",
        f"{LEGAL_PERSON.dotted_string}, {OPERATOR.dotted_string}, {SOFTWARE_KEY.dotted_string}",
    ],
    ids=["none", "client", "no role", "another role", "both"],
)
def test_the_role_is_demanded_of_the_profile_and_by_the_chain(
    authority: openssl.Authority, trust: TrustStore, key_file: Path, extended: str
) -> None:
    der = certify(authority, key_file, extended=extended)
    assert refusal(trust, der) == "bad-profile"
    if extended.count(",") != 1:
        with pytest.raises(CertificateRefused) as caught:
            certificates.find_issuer(load_certificate(der), trust.authorities, now())
        assert caught.value.code == "untrusted"


@pytest.mark.parametrize(
    "extensions",
    [
        "",
        "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, keyCertSign",
        "basicConstraints = CA:TRUE\nkeyUsage = critical, keyCertSign",
        "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, digitalSignature",
        "basicConstraints = critical, CA:TRUE",
        "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n"
        "1.2.3.4 = critical, ASN1:NULL",
    ],
    ids=["none", "no authority", "not critical", "usage", "no usage", "unknown"],
)
def test_who_may_not_issue_is_not_trusted(tmp_path: Path, key_file: Path, extensions: str) -> None:
    authority = openssl.Authority(tmp_path / "authority", extensions=extensions)
    assert refusal(TrustStore.of(authority.folder), certify(authority, key_file)) == "untrusted"


def test_a_card_cannot_be_its_own_authority(
    authority: openssl.Authority, card: bytes, tmp_path: Path
) -> None:
    own = load_certificate(card).public_bytes(Encoding.PEM)
    (tmp_path / "own.pem").write_bytes(own)
    assert refusal(TrustStore(tmp_path, tmp_path), card) == "untrusted"


# -- dates and revocation --------------------------------------------------------------------


def test_dates_are_told_from_distrust(trust: TrustStore, card: bytes) -> None:
    assert refusal(trust, card, days=730) == "expired"
    assert refusal(trust, card, days=-1) == "not-yet-valid"


def test_an_authority_that_ended_before_the_card_is_not_trusted(
    tmp_path: Path, key_file: Path
) -> None:
    authority = openssl.Authority(tmp_path / "authority", days=10)
    der = certify(authority, key_file)
    trust = TrustStore.of(authority.folder)
    assert trust.check(der, now() + timedelta(days=9))
    assert refusal(trust, der, days=11) == "untrusted"


@pytest.fixture
def own(tmp_path: Path) -> SimpleNamespace:
    """An authority whose lists the test may change, and two of its cards."""
    authority = openssl.Authority(tmp_path / "own")
    keys = [openssl.make_key(tmp_path / f"{number}.key") for number in (1, 2)]
    cards = [certify(authority, key) for key in keys]
    return SimpleNamespace(authority=authority, cards=cards, trust=TrustStore.of(authority.folder))


def test_a_list_signed_with_sm2_revokes(own: SimpleNamespace) -> None:
    own.authority.publish_list(own.cards[0])
    assert refusal(own.trust, own.cards[0]) == "revoked"
    assert own.trust.check(own.cards[1], now()).may_grant


def test_without_a_list_signed_with_sm2_one_may_look_but_not_grant(own: SimpleNamespace) -> None:
    assert not own.trust.check(own.cards[0], now()).may_grant
    own.authority.publish_list(days=5)
    assert own.trust.check(own.cards[0], now()).may_grant
    assert not own.trust.check(own.cards[0], now() + timedelta(days=6)).may_grant


def test_a_list_that_the_authority_did_not_sign_is_no_list(
    own: SimpleNamespace, tmp_path: Path
) -> None:
    foreign = openssl.Authority(tmp_path / "foreign")
    foreign.publish_list()
    path = own.authority.folder / "crls" / "ca.crl"
    path.parent.mkdir()
    path.write_bytes((foreign.folder / "crls" / "ca.crl").read_bytes())
    assert not own.trust.check(own.cards[0], now()).may_grant

    own.authority.publish_list()
    crl = x509.load_pem_x509_crl(path.read_bytes())
    der = bytearray(crl.public_bytes(Encoding.DER))
    path.write_bytes(der)
    assert own.trust.check(own.cards[0], now()).may_grant
    # The last byte of the signature, and of the algorithm's name beside it.
    for at in (len(der) - 1, der.rindex(bytes.fromhex("06082a811ccf55018375")) + 9):
        altered = bytearray(der)
        altered[at] ^= 1
        path.write_bytes(altered)
        assert not own.trust.check(own.cards[0], now()).may_grant


def test_a_list_of_an_authority_that_may_not_sign_lists_is_no_list(
    tmp_path: Path, key_file: Path
) -> None:
    authority = openssl.Authority(
        tmp_path / "authority",
        extensions="basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign",
    )
    der = certify(authority, key_file)
    authority.publish_list()
    assert not TrustStore.of(authority.folder).check(der, now()).may_grant


def test_where_hardware_is_required_an_sm2_software_card_is_refused(
    authority: openssl.Authority, card: bytes
) -> None:
    strict = TrustStore.of(authority.folder, require_hardware=True)
    assert refusal(strict, card) == "hardware-required"


def test_keys_on_other_curves_are_no_sm2_keys(tmp_path: Path) -> None:
    signer = forging.authority(tmp_path / "ca", ec.generate_private_key(ec.SECP256R1()))
    plain = load_certificate(forging.certificate(signer))
    assert not sm2.has_key(plain)
    with pytest.raises(ValueError, match="SM2"):
        sm2.key_of(plain)
    assert not sm2.is_certificate_signed_by(plain, sm2.PublicKey(*sm2._G))
