"""Databases on real files, and on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.domain.places import Place
from eport_tui.store.database import Store
from tests.engines import engine as engine
from tests.engines import made_file as made_file
from tests.engines import new_place as new_place
from tests.engines import other as other
from tests.engines import place as place
from tests.engines import server as server
from tests.engines import sqlite_store as sqlite_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eport.db"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store
