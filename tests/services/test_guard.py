"""Who may change what: every service that writes, tried with every kind of card.

The cards are real software cards with certificates and PINs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

import eport_tui.services
from eport_tui.card.authority import TestAuthority
from eport_tui.card.errors import CardGone, CertificateRefused, Locked
from eport_tui.card.session import CardSession
from eport_tui.card.trust import TrustStore
from eport_tui.domain.grants import EnterpriseGrant, GrantDraft, OperatorGrant
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.errors import EportError, NotPermitted
from eport_tui.services import drafts, enterprise_grants, operator_grants, permissions
from eport_tui.services.guard import NOT_LEGAL_PERSON, require_legal_person
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.store.database import Store
from tests.card.making import make_authority, make_card, make_trust, software_session
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    grant,
    hand_on,
    opened,
    tables_of,
)

LATER = TODAY + timedelta(days=200)

KINDS = {
    "principal's legal person": (MANUFACTURER, Role.LEGAL_PERSON),
    "principal's operator": (MANUFACTURER, Role.OPERATOR),
    "agent's legal person": (BROKER, Role.LEGAL_PERSON),
    "agent's operator": (BROKER, Role.OPERATOR),
    "third enterprise's legal person": (TRADER, Role.LEGAL_PERSON),
    "third enterprise's operator": (TRADER, Role.OPERATOR),
}
LEGAL_PERSONS = {kind for kind, (_, role) in KINDS.items() if role is Role.LEGAL_PERSON}


@dataclass
class Case:
    """A database in which MANUFACTURER granted to BROKER, who handed it on to CARD."""

    store: Store
    session: CardSession
    grant: EnterpriseGrant
    operator_grant: OperatorGrant


def grant_anew(case: Case) -> None:
    draft = GrantDraft(OTHER_BROKER.customs_code, "95", "X1", LATER.isoformat())
    enterprise_grants.save(case.store, TABLES, case.session, draft, today=TODAY)


def change_grant(case: Case) -> None:
    enterprise_grants.save(case.store, TABLES, case.session, opened(case.grant, LATER), today=TODAY)


def delete_grant(case: Case) -> None:
    enterprise_grants.delete(case.store, case.session, case.grant.id, revision=1, operator_grants=1)


def add_operator(case: Case) -> None:
    entry = NewOperatorGrant(False, OTHER_CARD)
    operator_grants.save(case.store, case.session, case.grant.id, [entry], today=TODAY)


def check_operator(case: Case) -> None:
    entry = NewOperatorGrant(False, OTHER_CARD)
    operator_grants.check_entry(case.store, case.session, case.grant.id, entry, [], today=TODAY)


def delete_operator(case: Case) -> None:
    operator_grants.delete(case.store, case.session, case.operator_grant.id)


PRINCIPAL, AGENT = {"principal's legal person"}, {"agent's legal person"}
ALLOWED: dict[Callable[[Case], None], set[str]] = {
    grant_anew: LEGAL_PERSONS,
    change_grant: PRINCIPAL,
    delete_grant: PRINCIPAL,
    check_operator: AGENT,
    add_operator: AGENT,
    delete_operator: AGENT,
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trust(authority: TestAuthority) -> TrustStore:
    return make_trust(authority)


@pytest.fixture(scope="module")
def card_files(
    authority: TestAuthority, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cards")
    return {
        kind: _card(authority, folder, enterprise, role, f"89000000001{at:02}")
        for at, (kind, (enterprise, role)) in enumerate(KINDS.items())
    }


def _card(
    authority: TestAuthority, folder: Path, enterprise: Enterprise, role: Role, number: str
) -> Path:
    return make_card(
        authority,
        folder,
        number=number,
        role=role,
        customs_code=enterprise.customs_code,
        uscc=enterprise.uscc,
        enterprise=enterprise.name,
    )


def case_of(store: Store, session: CardSession) -> Case:
    standing = grant(store)
    (handed_on,) = hand_on(store, standing, CARD)
    return Case(store, session, standing, handed_on)


@pytest.mark.parametrize("service", ALLOWED, ids=lambda service: service.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_made_with_the_right_card_and_with_no_other(
    store: Store,
    trust: TrustStore,
    card_files: dict[str, Path],
    kind: str,
    service: Callable[[Case], None],
) -> None:
    case = case_of(store, software_session(card_files[kind], trust))
    if kind in ALLOWED[service]:
        service(case)
        return
    before = tables_of(store)
    with pytest.raises(NotPermitted) as caught:
        service(case)
    assert (caught.value.message == NOT_LEGAL_PERSON) == (kind not in LEGAL_PERSONS)
    assert tables_of(store) == before


def test_the_refusal_is_worded_as_in_the_manual() -> None:
    assert NOT_LEGAL_PERSON == "非法人卡，不允许操作!"


@pytest.mark.parametrize("service", ALLOWED, ids=lambda service: service.__name__)
@pytest.mark.parametrize("fault", ["locked", "pulled", "revoked"])
def test_a_card_that_is_not_fit_any_more_changes_nothing(
    store: Store, tmp_path: Path, service: Callable[[Case], None], fault: str
) -> None:
    authority = make_authority(tmp_path)
    kind = MANUFACTURER if "principal's legal person" in ALLOWED[service] else BROKER
    card = _card(authority, tmp_path / "cards", kind, Role.LEGAL_PERSON, "8900000000011")
    session = software_session(card, make_trust(authority))
    case = case_of(store, session)
    before = tables_of(store)
    expected: type[EportError]
    if fault == "locked":
        session.lock()
        expected = Locked
    elif fault == "pulled":
        card.rename(tmp_path / "in the pocket")
        expected = CardGone
    else:
        authority.revoke("8900000000011")
        authority.publish(tmp_path / "trust")
        expected = CertificateRefused
    with pytest.raises(expected):
        service(case)
    assert tables_of(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_card_sees_the_permissions_and_keeps_its_drafts(
    store: Store, trust: TrustStore, card_files: dict[str, Path], kind: str
) -> None:
    session = software_session(card_files[kind], trust)
    hand_on(store, grant(store), CARD)
    count = 0 if session.holder.enterprise == TRADER else 1
    assert permissions.query(store, session, subsystem=None, today=TODAY).count() == count
    session.lock()
    drafts.keep(store, session, "permissions", {"subsystem": "95"})
    with pytest.raises(Locked):
        permissions.query(store, session, subsystem=None, today=TODAY)


def test_the_entry_to_the_granting_screens_asks_the_same(
    trust: TrustStore, card_files: dict[str, Path]
) -> None:
    for kind, (enterprise, _) in KINDS.items():
        session = software_session(card_files[kind], trust)
        if kind in LEGAL_PERSONS:
            assert require_legal_person(session).enterprise == enterprise
        else:
            with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
                require_legal_person(session)


def test_no_service_that_writes_was_left_out() -> None:
    """Whoever adds one has to say above which cards may use it."""
    writing = {
        (path.stem, function.name)
        for path in Path(eport_tui.services.__file__).parent.glob("*.py")
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Attribute) and node.attr == "transaction"
            for node in ast.walk(function)
        )
    }
    assert writing == {
        ("enterprise_grants", "save"),
        ("enterprise_grants", "delete"),
        ("operator_grants", "save"),
        ("operator_grants", "delete"),
        # Of one's own card alone.
        ("drafts", "keep"),
        ("drafts", "forget"),
        # From the command line, by whoever may write the database.
        ("registry", "import_file"),
    }
