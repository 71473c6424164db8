"""Who may see and who may change: the guard of the services, with cards of every kind.

The cards are real software cards with certificates and PINs.  Every service that writes
is in `test_matrix.py`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from eport_tui.card.authority import TestAuthority
from eport_tui.card.errors import Locked
from eport_tui.card.trust import TrustStore, Verdict
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.errors import NotPermitted
from eport_tui.services import drafts, permissions
from eport_tui.services.guard import NOT_LEGAL_PERSON, require_legal_person
from eport_tui.services.operator_grants import NewOperatorGrant, check_entry
from eport_tui.store.database import Store
from tests.card.making import make_authority, make_card, make_trust, software_session
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    TODAY,
    TRADER,
    grant,
    hand_on,
)

KINDS = {
    "principal's legal person": (MANUFACTURER, Role.LEGAL_PERSON),
    "principal's operator": (MANUFACTURER, Role.OPERATOR),
    "agent's legal person": (BROKER, Role.LEGAL_PERSON),
    "agent's operator": (BROKER, Role.OPERATOR),
    "third enterprise's legal person": (TRADER, Role.LEGAL_PERSON),
    "third enterprise's operator": (TRADER, Role.OPERATOR),
}
LEGAL_PERSONS = {kind for kind, (_, role) in KINDS.items() if role is Role.LEGAL_PERSON}


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


def test_the_refusal_is_worded_as_in_the_manual() -> None:
    assert NOT_LEGAL_PERSON == "非法人卡，不允许操作!"


@pytest.mark.parametrize("kind", KINDS)
def test_every_card_sees_the_permissions_and_keeps_its_drafts(
    store: Store, trust: TrustStore, card_files: dict[str, Path], kind: str
) -> None:
    session = software_session(card_files[kind], trust)
    hand_on(store, grant(store), CARD)
    count = 0 if session.holder.enterprise == TRADER else 1
    assert permissions.query(store, session, subsystem=None, today=TODAY).count().number == count
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
            assert require_legal_person(session).holder.enterprise == enterprise
        else:
            with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
                require_legal_person(session)


def test_what_could_not_be_saved_is_not_put_in_the_list_either(
    store: Store, trust: TrustStore, card_files: dict[str, Path]
) -> None:
    standing = grant(store)
    for kind, path in card_files.items():
        session = software_session(path, trust)
        entry = NewOperatorGrant(False, CARD)
        if kind == "agent's legal person":
            assert check_entry(store, session, standing.id, entry, [], today=TODAY)
        else:
            with pytest.raises(NotPermitted):
                check_entry(store, session, standing.id, entry, [], today=TODAY)


def test_a_card_that_the_registry_lists_no_more_gets_no_permit(
    trust: TrustStore, card_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role of an E-Port card is the registry's, which is asked each time."""
    session = software_session(card_files["agent's legal person"], trust)
    check = trust.check

    def check_as_operator(certificate: bytes, moment: datetime) -> Verdict:
        verdict = check(certificate, moment)
        return verdict._replace(holder=verdict.holder._replace(role=Role.OPERATOR))

    monkeypatch.setattr(trust, "check", check_as_operator)
    assert session.require().is_legal_person
    with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
        require_legal_person(session)
