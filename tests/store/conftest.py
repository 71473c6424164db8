"""Databases on real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.store.database import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eport.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store
