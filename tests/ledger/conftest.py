"""A small ledger, and somebody who changes the database with another program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.services import enterprise_grants, operator_grants
from eport_tui.store.database import Store
from tests import profiles as profiles
from tests.ledger.attacker import Attacker
from tests.ledger.making import trust_in
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_CARD,
    TODAY,
    grant,
    hand_on,
    register,
    session,
)


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> TrustStore:
    """Trusts the authority of the stand-ins."""
    return trust_in(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with a ledger of five entries, in which every kind of row and version is.

    1 a grant, 2 handed on to two cards, 3 one of them withdrawn, 4 another grant,
    5 which is deleted again.
    """
    path = tmp_path_factory.mktemp("image") / "eport.db"
    with Store.open(path) as store:
        register(store)
        first = grant(store)
        _, second = hand_on(store, first, CARD, OTHER_CARD)
        operator_grants.delete(store, session(BROKER), second.id, today=TODAY)
        other = grant(store, grant_type="X2")
        enterprise_grants.delete(
            store, session(MANUFACTURER), other.id, revision=1, operator_grants=0, today=TODAY
        )
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, image: bytes) -> Path:
    path = tmp_path / "eport.db"
    path.write_bytes(image)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


@pytest.fixture
def attacker(path: Path) -> Iterator[Attacker]:
    attacker = Attacker(path)
    yield attacker
    attacker.close()
