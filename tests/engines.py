"""Places for a database, one for each engine; the conftest files name these fixtures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eport_tui.domain.places import Place
from eport_tui.store.database import Store
from tests.postgres import Server, database_of

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server; without its programs this fails."""
    server = Server()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test is run on."""
    return request.param


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with empty tables, made once."""
    file = tmp_path_factory.mktemp("made") / "eport.db"
    Store.open(file).close()
    return file


@contextmanager
def place_on(
    engine: str, request: pytest.FixtureRequest, file: Path, template: str
) -> Iterator[Place]:
    """A file, or a database on a server, that begins as the template: `template0` or `made`."""
    if engine == "sqlite":
        if template == "made":
            shutil.copy(request.getfixturevalue("made_file"), file)
        yield file
        return
    server: Server = request.getfixturevalue("server")
    with server.database(template=template) as url:
        yield url


@pytest.fixture
def new_place(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the program has never been."""
    with place_on(engine, request, tmp_path / "new.db", "template0") as place:
        yield place


@pytest.fixture
def other(server: Server, place: Place) -> Iterator[Any]:
    """Another program on the same database of the server, which knows nothing of turns."""
    with server.connection(database_of(place)) as connection:
        connection.execute("SET search_path = eport_tui")
        yield connection


@pytest.fixture
def sqlite_store(tmp_path: Path, made_file: Path) -> Iterator[Store]:
    """For what only SQLite can tell, such as EXPLAIN QUERY PLAN."""
    with Store.open(shutil.copy(made_file, tmp_path / "sqlite.db")) as store:
        yield store


@pytest.fixture
def place(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the program may have been, and has left nothing but empty tables."""
    with place_on(engine, request, tmp_path / "eport.db", "made") as place:
        yield place
