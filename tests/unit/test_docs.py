"""The guides: what they name is there, and what is made from the code is up to date."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs import keys
from eport_tui.__main__ import _parser
from eport_tui.commands.demo import demo_dir
from eport_tui.services import demo
from eport_tui.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
IMAGES = ROOT / "docs" / "images"

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[str]:
    """The targets of the links and images that lead to a place in this project."""
    for target in _TARGET.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if "://" not in target:
            yield unquote(target)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def each(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=each)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            dead.append(target)
    assert dead == []


def test_every_screenshot_is_shown_on_a_page() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in links(page)
        # The picture of the figures is none; the links are looked at above.
        if target.endswith(".svg") and target != "performance.svg"
    }
    assert set(IMAGES.iterdir()) == shown


def test_the_page_of_keys_is_what_the_registry_of_actions_gives() -> None:
    assert keys.PAGE.read_text("utf-8") == keys.page(), "run `make docs`"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_every_demo_card_with_its_enterprise(name: str) -> None:
    rows = (ROOT / name).read_text("utf-8").splitlines()
    for card in demo.CARDS:
        assert [row for row in rows if card.number in row and card.customs_code in row]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_the_readme_exports_leaves_no_command_with_data_that_is_not_the_demos(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    page = (ROOT / name).read_text("utf-8")
    exported = dict(re.findall(r"^export (\w+)=(\S+)$", page, re.MULTILINE))
    told = load_settings(environment=exported)
    demos = load_settings(environment={}, demo_dir=demo_dir())
    for place in ("database", "cards_dir", "authority_dir", "trust_dir"):
        assert getattr(told, place) == getattr(demos, place)


def test_every_command_is_described() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert [name for name in commands(_parser()) if f"| `{name}" not in page] == []


def commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[str]:
    """The commands that do something, such as `card list`."""
    choices = [
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    for name, subparser in (choices[0] if choices else {}).items():
        yield from commands(subparser, f"{before}{name} ")
    if not choices:
        yield before.strip()


def test_every_setting_is_described_with_its_variable_and_its_default(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    config = tmp_path / "config.toml"
    config.write_text(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0], "utf-8")
    example = load_settings(config=config, environment={})
    assert example.source == config

    config.write_text("")
    default = load_settings(config=config, environment={})
    rows = re.findall(r"^\| `(\w+)` \| `EPORT_TUI_(\w+)` \| .* \| (.*) \|$", page, re.MULTILINE)
    described = {name: told for name, variable, told in rows if name.upper() == variable}
    fields = {field.name.removesuffix("_dir") for field in dataclasses.fields(default)}
    assert set(described) == fields - {"config", "log_file", "source", "demo"}
    assert described["idle_minutes"] == f"{default.idle_minutes:g}"
    assert described["require_hardware"] == f"`{str(default.require_hardware).lower()}`"
    for name, path in (("database", default.database), ("trust", default.trust_dir)):
        assert described[name] == f"`{path.name}` in the data folder"
