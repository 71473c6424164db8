"""The steps that bring a database to the form this program works with.

Each is a module `mNNNN_what_it_does` with `NUMBER`, `NAME` and
`apply(schema)`.  One that has been released is never changed: a later one
mends it.

Tables, indexes and triggers are defined once, in SQLite's words; `store.dialect`
puts them into those of PostgreSQL, and knows the few that stand here: `TEXT`,
`INTEGER`, `BLOB`, `STRICT`, `WITHOUT ROWID`, `AUTOINCREMENT`, `GLOB` with digits,
triggers that refuse (`SELECT RAISE(ABORT, ...)`) when a condition holds, those that
do something after an INSERT or an UPDATE, and `DROP TRIGGER`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Protocol, cast

_MODULE = re.compile(r"m(\d{4})_\w+", re.ASCII)


class Schema(Protocol):
    """The tables of a database, for those who change them."""

    def execute_sql(self, sql: str) -> object:
        """Run one statement, in SQLite's words."""
        ...


class Migration(Protocol):
    """A module of this package."""

    NUMBER: int
    NAME: str

    def apply(self, schema: Schema) -> None:
        """Change the tables; runs inside the transaction that records the migration."""
        ...


def _modules() -> dict[int, str]:
    found = (_MODULE.fullmatch(module.name) for module in pkgutil.iter_modules(__path__))
    return dict(sorted((int(match[1]), match[0]) for match in found if match))


def latest() -> int:
    """The number of the newest migration; nothing is imported to tell it."""
    return max(_modules())


def after(number: int) -> Iterator[Migration]:
    """The migrations with a higher number, in order."""
    for candidate, module in _modules().items():
        if candidate > number:
            yield cast(Migration, importlib.import_module(f"{__name__}.{module}"))
