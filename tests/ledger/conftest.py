"""A small ledger, and somebody who changes the database with another program."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.domain.places import Place
from eport_tui.services import enterprise_grants, operator_grants
from eport_tui.store.database import Store
from tests import profiles as profiles
from tests.engines import engine as engine
from tests.engines import made_file as made_file
from tests.engines import new_place as new_place
from tests.engines import place_on
from tests.engines import server as server
from tests.ledger.attacker import Attacker
from tests.ledger.making import trust_in
from tests.postgres import database_of
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
def image(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A database with a ledger of five entries, in which every kind of row and version is.

    1 a grant, 2 handed on to two cards, 3 one of them withdrawn, 4 another grant,
    5 which is deleted again.
    """
    file = tmp_path_factory.mktemp("image") / "eport.db"
    with place_on(engine, request, file, "made") as place:
        with Store.open(place) as store:
            register(store)
            first = grant(store)
            _, second = hand_on(store, first, CARD, OTHER_CARD)
            operator_grants.delete(store, session(BROKER), second.id, today=TODAY)
            other = grant(store, grant_type="X2")
            enterprise_grants.delete(
                store, session(MANUFACTURER), other.id, revision=1, operator_grants=0, today=TODAY
            )
        yield place


@contextmanager
def copied(image: Place, request: pytest.FixtureRequest, file: Path) -> Iterator[Place]:
    """A copy of the image, on its engine."""
    if isinstance(image, Path):
        shutil.copy(image, file)
        yield file
    else:
        with place_on("postgresql", request, file, database_of(image)) as place:
            yield place


@pytest.fixture
def place(image: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with copied(image, request, tmp_path / "eport.db") as place:
        yield place


@pytest.fixture
def as_it_was(image: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A second copy, which stays without what is done to the first."""
    with copied(image, request, tmp_path / "before.db") as place:
        yield place


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


@pytest.fixture
def attacker(place: Place) -> Iterator[Attacker]:
    attacker = Attacker.at(place)
    yield attacker
    attacker.close()
