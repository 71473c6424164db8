"""A database with a few enterprises in its registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.store.database import Store
from tests import profiles as profiles
from tests.services.world import register


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eport.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        register(store)
        yield store


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for many examples, each of which leaves it empty."""
    with Store.open(tmp_path_factory.mktemp("shared") / "eport.db") as store:
        yield store
