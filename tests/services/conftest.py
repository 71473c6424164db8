"""A database with a few enterprises in its registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eport_tui.domain.places import Place
from eport_tui.store.database import Store
from tests import profiles as profiles
from tests.engines import engine as engine
from tests.engines import made_file as made_file
from tests.engines import other as other
from tests.engines import place as place
from tests.engines import place_on
from tests.engines import server as server
from tests.engines import sqlite_store as sqlite_store
from tests.services.world import register


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        register(store)
        yield store


@pytest.fixture(scope="module")
def shared_store(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """One database for many examples, each of which leaves it empty."""
    file = tmp_path_factory.mktemp("shared") / "eport.db"
    with place_on(engine, request, file, "made") as place, Store.open(place) as store:
        yield store
