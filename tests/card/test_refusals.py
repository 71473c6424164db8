"""Every refusal has a code, a sentence for the operator and one for the log; two
certificates of one card name one holder."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

import eport_tui
from eport_tui.card.errors import REFUSALS, CertificateRefused
from eport_tui.card.trust import check_pair
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Role
from tests.card import forging, openssl
from tests.card.making import BROKER, make_authority, make_holder, make_trust

PACKAGE = Path(eport_tui.__file__).parent
DOCS = PACKAGE.parent / "docs" / "card-profile.md"


def raised() -> set[str]:
    """The codes that stand in the code of the program."""
    return {
        node.args[0].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "CertificateRefused"
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_code_has_a_sentence_for_the_log_and_is_used() -> None:
    assert raised() == set(REFUSALS)
    for code, sentence in REFUSALS.items():
        assert sentence.isascii()
        fault = CertificateRefused(code, "原因", hint="办法")
        assert fault.log_message == f"certificate refused ({code}): {sentence}"


def test_every_code_is_in_the_documentation() -> None:
    accepted = DOCS.read_text("utf-8").partition("## What is accepted")[2]
    assert set(re.findall(r"`([a-z-]+)`", accepted)) >= set(REFUSALS)


def test_a_certificate_of_an_authority_is_no_card(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    constraints = x509.BasicConstraints(ca=True, path_length=None), True
    der = forging.certificate(authority, extensions=[constraints])
    with pytest.raises(CertificateRefused) as caught:
        make_trust(authority).check(der, now())
    assert caught.value.code == "untrusted"


# -- both certificates of one card --------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory):
    return make_authority(tmp_path_factory.mktemp("pair"))


def mixed(one: bytes, other: bytes) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(CertificateRefused) as caught:
            check_pair(first, second)
        assert caught.value.code == "mixed-card"
        assert caught.value.message == "卡内两张证书的持卡人不一致"


def test_two_certificates_of_one_holder_are_one_card(authority) -> None:
    later = make_holder(valid_until=now() + timedelta(days=30))
    rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    check_pair(
        forging.certificate(authority, key=rsa_key),
        forging.certificate(authority, later, key=ec_key),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "8900000000022"},
        {"person": "李四"},
        {"role": Role.OPERATOR},
        {"customs_code": "3101940009"},
        {"uscc": BROKER.uscc},
        {"enterprise": "上海甲制造有限公司分公司"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_two_certificates_of_two_holders_are_refused(authority, changes) -> None:
    mixed(forging.certificate(authority), forging.certificate(authority, make_holder(**changes)))


def test_two_issuers_are_refused(authority, tmp_path) -> None:
    other = make_authority(tmp_path, name="另一个发证机构")
    mixed(forging.certificate(authority), forging.certificate(other))


def test_a_key_in_a_file_and_one_in_a_chip_are_refused(authority) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    chip = authority.certify(make_holder(), public, software=False)
    mixed(forging.certificate(authority), chip.public_bytes(Encoding.DER))


def test_what_cannot_be_read_is_no_half_of_a_card(authority) -> None:
    good = forging.certificate(authority)
    bad = forging.certificate(authority, without=x509.UnrecognizedExtension)
    for other, code in ((b"", "unreadable"), (bad, "bad-profile")):
        for pair in ((good, other), (other, good), (other, other)):
            with pytest.raises(CertificateRefused) as caught:
                check_pair(*pair)
            assert caught.value.code == code


def test_two_certificates_of_an_eport_card(authority, tmp_path) -> None:
    issuer = openssl.Authority(tmp_path / "eport")
    keys = [openssl.make_key(tmp_path / f"{number}.key") for number in (1, 2)]

    def card(key: Path, **changes: str) -> bytes:
        return issuer.certify(key, openssl.eport_subject(), openssl.eport_extensions(**changes))

    first = card(keys[0])
    check_pair(first, card(keys[1], extended=""))
    mixed(first, card(keys[1], card="03-8900000000022"))
    mixed(first, card(keys[1], organization="PDY000028"))
    mixed(
        first,
        issuer.certify(
            keys[1], openssl.subject_of(make_holder()), openssl.own_extensions(make_holder())
        ),
    )
