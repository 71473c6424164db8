"""Cards of China E-Port, whose certificates name neither a customs code nor a role."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from eport_tui.card.eport_profile import (
    is_eport_card,
    read_holder_of_eport_card,
    read_identity,
)
from eport_tui.card.errors import CertificateRefused
from eport_tui.card.profile import LEGAL_PERSON, OPERATOR, SOFTWARE_KEY, load_certificate
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Enterprise, Role
from tests.card import forging, openssl
from tests.card.making import BROKER, MANUFACTURER, make_authority, make_holder

NUMBER = "8900000000011"


def registry(*found: tuple[Enterprise, Role]):
    """A registry that answers the same to every question, and notes them."""
    asked: list[tuple[str, str]] = []

    def look_up(organization: str, card_number: str) -> list[tuple[Enterprise, Role]]:
        asked.append((organization, card_number))
        return list(found)

    look_up.asked = asked
    return look_up


OPERATORS = registry((MANUFACTURER, Role.OPERATOR))
LEGAL_PERSONS = registry((MANUFACTURER, Role.LEGAL_PERSON))


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return openssl.make_key(tmp_path_factory.mktemp("key") / "card.key")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> openssl.Authority:
    issuer = openssl.Authority(tmp_path_factory.mktemp("eport") / "authority")
    issuer.publish_list()
    return issuer


def certify(issuer: openssl.Authority, key: Path, **changes: str) -> bytes:
    return issuer.certify(key, openssl.eport_subject(), openssl.eport_extensions(**changes))


@pytest.fixture(scope="module")
def card(issuer: openssl.Authority, key_file: Path) -> bytes:
    return certify(issuer, key_file)


def refusal(trust: TrustStore, certificate: bytes, days: int = 0) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        trust.check(certificate, now() + timedelta(days=days))
    assert caught.value.hint
    return caught.value


# -- whom it names ---------------------------------------------------------------------------


def test_the_certificate_says_who_and_the_registry_what(issuer, card) -> None:
    look_up = registry((MANUFACTURER, Role.OPERATOR))
    verdict = TrustStore.of(issuer.folder, look_up=look_up).check(card, now())
    holder = verdict.holder
    assert (holder.card_number, holder.person) == (NUMBER, "张三")
    assert holder.enterprise == MANUFACTURER
    assert holder.role is Role.OPERATOR
    assert (verdict.assurance, verdict.may_grant) == ("hardware", True)
    assert set(look_up.asked) == {("PDY00001X", NUMBER)}


def test_a_card_that_the_registry_lists_is_a_legal_persons(issuer, card) -> None:
    trust = TrustStore.of(issuer.folder, look_up=LEGAL_PERSONS, require_hardware=True)
    assert trust.check(card, now()).holder.is_legal_person


def test_a_change_of_the_registry_counts_at_the_next_check(issuer, card) -> None:
    roles = [Role.LEGAL_PERSON, Role.OPERATOR]
    trust = TrustStore.of(issuer.folder, look_up=lambda *_: [(MANUFACTURER, roles[0])])
    assert trust.check(card, now()).holder.role is Role.LEGAL_PERSON
    roles.pop(0)
    assert trust.check(card, now()).holder.role is Role.OPERATOR


def test_the_name_is_that_of_the_certificate(issuer, card) -> None:
    renamed = Enterprise(MANUFACTURER.customs_code, MANUFACTURER.uscc, "旧名称")
    holder = read_holder_of_eport_card(load_certificate(card), registry((renamed, Role.OPERATOR)))
    assert holder.enterprise == MANUFACTURER


@pytest.mark.parametrize(
    ("role", "expected"),
    [(LEGAL_PERSON, Role.LEGAL_PERSON), (OPERATOR, Role.OPERATOR)],
)
def test_a_role_in_the_certificate_comes_before_that_of_the_registry(
    issuer, key_file, role, expected
) -> None:
    der = certify(issuer, key_file, extended=f"clientAuth, {role.dotted_string}")
    for look_up in (OPERATORS, LEGAL_PERSONS):
        trust = TrustStore.of(issuer.folder, look_up=look_up)
        assert trust.check(der, now()).holder.role is expected


def test_two_roles_in_the_certificate_are_refused(issuer, key_file) -> None:
    both = f"clientAuth, {LEGAL_PERSON.dotted_string}, {OPERATOR.dotted_string}"
    der = certify(issuer, key_file, extended=both)
    trust = TrustStore.of(issuer.folder, look_up=LEGAL_PERSONS)
    assert refusal(trust, der).code == "bad-profile"


@pytest.mark.parametrize("without", ["3", "8", "12"])
def test_what_is_not_needed_is_not_read(issuer, key_file, without: str) -> None:
    der = certify(issuer, key_file, without=without)
    trust = TrustStore.of(issuer.folder, look_up=OPERATORS)
    assert trust.check(der, now()).holder.card_number == NUMBER


def test_the_number_of_the_persons_identity_document_is_nowhere(
    issuer, key_file, monkeypatch
) -> None:
    # The fixture has eighteen letters X in its place.
    from cryptography import x509

    asked: list[str] = []
    get = x509.Extensions.get_extension_for_oid

    def note(self, oid):
        asked.append(oid.dotted_string)
        return get(self, oid)

    monkeypatch.setattr(x509.Extensions, "get_extension_for_oid", note)
    der = certify(issuer, key_file)
    verdict = TrustStore.of(issuer.folder, look_up=OPERATORS).check(der, now())
    assert f"{openssl.EPORT_ARC}.9" in asked
    assert f"{openssl.EPORT_ARC}.8" not in asked
    assert "X" * 18 not in repr((verdict, read_identity(load_certificate(der))))


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"card": "03-890000000001"}, "卡号的格式"),
        ({"card": "04-8900000000011"}, "卡号的格式"),
        ({"card": "03-890000000001a"}, "卡号的格式"),
        ({"card": "０３-8900000000011"}, "卡号的格式"),
        ({"organization": "PDY00001"}, "组织机构代码的格式"),
        ({"organization": "PDY0001-X"}, "组织机构代码的格式"),
        ({"without": "11"}, "组织机构代码"),
        ({"without": "1"}, "企业名称"),
        ({"enterprise": "  "}, "企业名称为空"),
        ({"enterprise": "汉" * 201}, "企业名称为空或过长"),
        ({"without": "9"}, "持卡人信息"),
        ({"without": "9", "more": f"{openssl.EPORT_ARC}.9 = ASN1:IA5STRING:{NUMBER}"}, "卡号"),
        ({"without": "9", "more": f"{openssl.EPORT_ARC}.9 = DER:0c:05:30:33"}, "卡号"),
    ],
)
def test_a_field_that_is_missing_or_malformed_is_refused(
    issuer, key_file, changes: dict[str, str], word: str
) -> None:
    trust = TrustStore.of(issuer.folder, look_up=OPERATORS)
    fault = refusal(trust, certify(issuer, key_file, **changes))
    assert fault.code == "bad-profile"
    assert word in fault.message


def test_a_card_number_without_03_is_read_too(issuer, key_file) -> None:
    der = certify(issuer, key_file, card="JJ7G000000073")
    assert read_identity(load_certificate(der)).card_number == "JJ7G000000073"


@pytest.mark.parametrize("subject", ["/C=CN/OU=甲", "/C=CN/CN=甲/CN=乙", "/C=CN/CN= "])
def test_a_person_without_one_name_is_refused(issuer, key_file, subject: str) -> None:
    der = issuer.certify(key_file, subject, openssl.eport_extensions())
    trust = TrustStore.of(issuer.folder, look_up=OPERATORS)
    assert refusal(trust, der).code == "bad-profile"


@pytest.mark.parametrize(
    ("look_up", "code"),
    [
        (None, "no-registry"),
        (registry(), "unknown-enterprise"),
        (registry((MANUFACTURER, Role.OPERATOR), (BROKER, Role.OPERATOR)), "ambiguous-enterprise"),
    ],
)
def test_without_an_answer_of_the_registry_the_card_is_refused(
    issuer, card, look_up, code: str
) -> None:
    fault = refusal(TrustStore.of(issuer.folder, look_up=look_up), card)
    assert fault.code == code
    assert "企业" in fault.message


def test_the_registry_is_not_asked_about_an_untrusted_card(tmp_path, issuer, key_file) -> None:
    foreign = certify(openssl.Authority(tmp_path / "foreign"), key_file)
    look_up = registry()
    assert refusal(TrustStore.of(issuer.folder, look_up=look_up), foreign).code == "untrusted"
    assert look_up.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"extended": "serverAuth"},
        {"extended": "emailProtection"},
        {"usage": "keyEncipherment, dataEncipherment"},
        {"usage": ""},
        {"more": "basicConstraints = critical, CA:TRUE"},
    ],
    ids=["server", "mail", "encipherment", "no usage", "authority"],
)
@pytest.mark.parametrize("kind", ["SM2", "P-256"])
def test_a_certificate_for_something_else_is_not_trusted(
    tmp_path, kind: str, changes: dict[str, str]
) -> None:
    authority = openssl.Authority(tmp_path / "authority", kind=kind)
    key = openssl.make_key(tmp_path / "card.key", kind)
    trust = TrustStore.of(authority.folder, look_up=OPERATORS)
    assert refusal(trust, certify(authority, key, **changes)).code == "untrusted"


@pytest.mark.parametrize("kind", ["SM2", "P-256", "RSA:2048"])
@pytest.mark.parametrize("changes", [{}, {"extended": ""}, {"usage": "critical, digitalSignature"}])
def test_the_rules_are_the_same_for_every_kind_of_key(
    tmp_path, kind: str, changes: dict[str, str]
) -> None:
    authority = openssl.Authority(tmp_path / "authority", kind=kind)
    key = openssl.make_key(tmp_path / "card.key", kind)
    der = certify(authority, key, **changes)
    authority.publish_list()
    trust = TrustStore.of(authority.folder, look_up=LEGAL_PERSONS)
    assert trust.check(der, now()).may_grant
    assert refusal(trust, der, days=800).code == "expired"
    authority.publish_list(der)
    assert refusal(trust, der).code == "revoked"


def test_an_rsa_1024_card_is_refused(tmp_path, issuer) -> None:
    key = openssl.make_key(tmp_path / "card.key", "RSA:1024")
    trust = TrustStore.of(issuer.folder, look_up=OPERATORS)
    assert refusal(trust, certify(issuer, key)).code == "weak-key"


def test_a_card_that_is_marked_as_software_is_software(issuer, key_file) -> None:
    der = certify(issuer, key_file, extended=f"clientAuth, {SOFTWARE_KEY.dotted_string}")
    verdict = TrustStore.of(issuer.folder, look_up=OPERATORS).check(der, now())
    assert verdict.assurance == "software"
    strict = TrustStore.of(issuer.folder, look_up=OPERATORS, require_hardware=True)
    assert refusal(strict, der).code == "hardware-required"


# -- the two kinds of certificate ----------------------------------------------------------------


def test_a_certificate_of_our_own_profile_is_read_as_such(tmp_path, issuer, key_file) -> None:
    authority = make_authority(tmp_path)
    assert not is_eport_card(load_certificate(forging.certificate(authority)))
    # With both, our own extension decides, and all of its rules hold.
    both = openssl.own_extensions(
        make_holder(), more=f"{openssl.EPORT_ARC}.9 = ASN1:UTF8String:03-{NUMBER}"
    )
    der = issuer.certify(key_file, openssl.eport_subject(), both)
    trust = TrustStore.of(issuer.folder, look_up=LEGAL_PERSONS)
    assert refusal(trust, der).code == "bad-profile"


def test_whom_a_card_names_can_be_shown_before_it_is_trusted(tmp_path, issuer, card) -> None:
    trust = TrustStore(tmp_path, tmp_path, look_up=OPERATORS)
    assert trust.holder_of(card).card_number == NUMBER
    own = forging.certificate(make_authority(tmp_path))
    assert trust.holder_of(own) == make_holder(
        valid_from=trust.holder_of(own).valid_from, valid_until=trust.holder_of(own).valid_until
    )
    with pytest.raises(CertificateRefused) as caught:
        TrustStore(tmp_path, tmp_path).holder_of(card)
    assert caught.value.code == "no-registry"


def test_the_registry_of_the_store_answers_as_the_certificate_needs(tmp_path, issuer, card) -> None:
    from eport_tui.services import registry as service
    from eport_tui.store.database import Store

    table = tmp_path / "enterprises.csv"
    line = f"{MANUFACTURER.customs_code},{MANUFACTURER.uscc},{MANUFACTURER.name}"
    with Store.open(tmp_path / "eport.db") as store:
        trust = TrustStore.of(issuer.folder, look_up=partial(service.look_up_card, store))
        assert refusal(trust, card).code == "unknown-enterprise"
        table.write_text(f"海关编码,社会信用代码,企业名称\n{line}", encoding="utf-8")
        service.import_file(store, table)
        assert trust.check(card, now()).holder.role is Role.OPERATOR
        table.write_text(
            f"海关编码,社会信用代码,企业名称,法人卡号\n{line},{NUMBER}", encoding="utf-8"
        )
        service.import_file(store, table)
        assert trust.check(card, now()).holder.role is Role.LEGAL_PERSON
        assert trust.check(card, now()).holder.enterprise == MANUFACTURER
