"""Databases of other versions: a program that knows fewer migrations, or more."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from eport_tui.store import migrations


def all_migrations() -> list[migrations.Migration]:
    return list(migrations.after(0))


def pretend(monkeypatch: pytest.MonkeyPatch, found: list[migrations.Migration]) -> None:
    """Let the program know these migrations alone."""

    def after(number: int) -> Iterator[migrations.Migration]:
        return (migration for migration in found if number < migration.NUMBER)

    monkeypatch.setattr(migrations, "latest", lambda: max(each.NUMBER for each in found))
    monkeypatch.setattr(migrations, "after", after)


def next_migration(statement: str) -> migrations.Migration:
    number = migrations.latest() + 1
    return SimpleNamespace(  # type: ignore[return-value]
        NUMBER=number, NAME="next", apply=lambda schema: schema.execute_sql(statement)
    )
