"""Rules that hold for every file, and that no other tool checks."""

from __future__ import annotations

import ast
import re
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "eport_tui").rglob("*.py"))

# Dots and slashes stand in brackets, so that this file does not name what no file may name.
REGISTRY = (
    r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|(?:deb|archive)[.](?:debian|ubuntu)[.]"
)
WORKPLACE = r"[.][.][/]shared\b|(?<![\w.])[/]work[/]"


def ambiguous(text: str) -> set[str]:
    """The characters that are one cell wide on some terminals and two on others."""
    return {character for character in text if unicodedata.east_asian_width(character) == "A"}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The string literals of a module that are not docstrings, with their lines."""
    tree = ast.parse(source)
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if node not in docstrings and isinstance(node, ast.Constant) and type(node.value) is str:
            yield node.lineno, node.value


def repository() -> Iterator[tuple[str, str]]:
    """The text files that git knows or would be given, by name."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listing.stdout.decode().rstrip("\0").split("\0"):
        path = ROOT / name
        data = path.read_bytes() if path.is_file() else b""
        if b"\0" not in data:
            yield name, data.decode(errors="replace")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_on_the_screen_is_of_ambiguous_width(path: Path) -> None:
    assert [found for found in texts(path.read_text("utf-8")) if ambiguous(found[1])] == []


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.csv")), ids=lambda path: path.name)
def test_no_table_holds_a_character_of_ambiguous_width(path: Path) -> None:
    assert ambiguous(path.read_text("utf-8")) == set()


def test_no_screen_opens_or_closes_another_past_the_lock() -> None:
    past = re.compile(r"[.](?:push_screen|pop_screen|switch_screen|pop_until_active)\b")
    found = [path.name for path in SOURCES if past.search(path.read_text("utf-8"))]
    assert found == ["locking.py", "keygate.py"]


@pytest.mark.parametrize("unwanted", [REGISTRY, WORKPLACE], ids=["registry", "workplace"])
def test_no_file_names_a_package_registry_or_the_place_it_was_written_in(unwanted: str) -> None:
    assert [name for name, text in repository() if re.search(unwanted, text)] == []
