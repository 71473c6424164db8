"""What a part of the program loads when it is imported: the layering that costs start-up time.

import-linter reads the source; these tests look at what really ends up in `sys.modules`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_LOADED = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(info.name)
print(*sys.modules)
"""

TERMINAL = {"textual", "rich"}
DATABASE = {"peewee", "playhouse", "apsw", "sqlite3", "psycopg"}
CRYPTOGRAPHY = {"cryptography"}


def loaded_by(*modules: str) -> set[str]:
    """The top-level packages that a new interpreter has after importing `modules` whole."""
    result = subprocess.run(
        [sys.executable, "-c", _LOADED, *modules], capture_output=True, text=True, check=True
    )
    names = set(result.stdout.split())
    assert set(modules) <= names
    return {name.partition(".")[0] for name in names} | {
        ".".join(name.split(".")[:2]) for name in names if name.startswith("eport_tui.")
    }


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("eport_tui.domain", TERMINAL | DATABASE | CRYPTOGRAPHY | {"eport_tui.store"}),
        ("eport_tui.store", TERMINAL | CRYPTOGRAPHY | {"eport_tui.card", "eport_tui.services"}),
        ("eport_tui.card", TERMINAL | DATABASE | {"eport_tui.store", "eport_tui.services"}),
        ("eport_tui.services", TERMINAL),
        ("eport_tui.widgets", DATABASE | CRYPTOGRAPHY | {"eport_tui.store", "eport_tui.card"}),
    ],
)
def test_a_layer_loads_nothing_that_belongs_to_another(module: str, unwanted: set[str]) -> None:
    assert not loaded_by(module) & unwanted


_USED = """
import sys
from pathlib import Path
from eport_tui.store.database import Store
from eport_tui.services import drafts, enterprise_grants, operator_grants, permissions, registry
Store.open(Path(sys.argv[1])).close()
print(*sys.modules)
"""


def test_a_database_file_is_opened_without_the_driver_of_a_server(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _USED, tmp_path / "eport.db"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert "apsw" in loaded
    assert not {"psycopg", "psycopg_binary", "eport_tui.store.postgres"} & loaded


def test_without_the_driver_of_a_server_one_is_told_what_to_install() -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from eport_tui.__main__ import main\n"
        "sys.exit(main(['--database', 'postgresql://host/eport', 'registry', 'show', '1']))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 2
    assert "没有安装使用PostgreSQL所需的组件" in result.stderr
    assert "psycopg" in result.stderr


def test_the_command_line_loads_nothing_before_it_knows_the_command() -> None:
    assert not loaded_by("eport_tui.__main__") & (TERMINAL | DATABASE | CRYPTOGRAPHY)
