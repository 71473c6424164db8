"""What is installed beside the program on a server: copies of the database, revocation lists."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from eport_tui.card.authority import TestAuthority
from eport_tui.domain.dates import now
from eport_tui.services import registry
from eport_tui.store.database import Store
from tests.card.making import make_authority

SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "server"


def run(script: str, *words: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPTS / script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A database with an enterprise, open as when people work."""
    file = tmp_path / "enterprises.csv"
    file.write_text(
        "海关编码,社会信用代码,企业名称\n3101940001,91310000PDY00001XG,上海甲制造有限公司\n",
        "utf-8",
    )
    store = Store.open(tmp_path / "eport.db")
    registry.import_file(store, file)
    return store


def test_a_copy_holds_what_was_saved_last_and_is_closed_to_others(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    done = run("eport-backup", store.path, folder)
    assert done.returncode == 0, done.stderr
    (copy,) = folder.iterdir()
    assert done.stdout == f"{copy}\n"
    assert copy.stat().st_mode & 0o777 == 0o600
    with Store.open(copy) as restored:
        assert registry.look_up(restored, "3101940001").name == "上海甲制造有限公司"


def test_of_the_copies_the_newest_thirty_stay(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    old = [folder / f"eport-20200101-0000{second:02}.db" for second in range(31)]
    for path in (*old, folder / "of-somebody-else.db"):
        path.write_text("")
    assert run("eport-backup", store.path, folder).returncode == 0
    assert {path for path in old if not path.exists()} == {*old[:2]}
    assert (folder / "of-somebody-else.db").exists()


def test_a_copy_that_cannot_be_made_leaves_the_earlier_ones(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    earlier = folder / "eport-20200101-000000.db"
    earlier.write_text("")
    (tmp_path / "eport.db").write_text("no database at all" * 100)
    done = run("eport-backup", tmp_path / "eport.db", folder)
    assert done.returncode == 1
    assert done.stderr.startswith("eport-backup: ")
    assert list(folder.iterdir()) == [earlier]


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    """A trusted authority, whose list is there already."""
    return make_authority(tmp_path)


def fetch(authority: TestAuthority, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Fetch the authority's list as it is by now."""
    sources = tmp_path / "sources"
    sources.write_text(f"# lists\n\nfetched {authority.crl_path.as_uri()}\n", "utf-8")
    return run("eport-crl", sources, tmp_path / "trust")


def test_a_newer_list_takes_the_place_of_the_older(
    authority: TestAuthority, tmp_path: Path
) -> None:
    fetched = tmp_path / "trust" / "crls" / "fetched.crl"
    for hours in (2, 1):
        authority.write_crl(at=now() - timedelta(hours=hours))
        done = fetch(authority, tmp_path)
        assert done.returncode == 0, done.stderr
        assert fetched.read_bytes() == authority.crl_path.read_bytes()


@pytest.mark.parametrize("fault", ["older", "stale", "garbage", "missing", "of another authority"])
def test_a_list_that_is_worth_less_changes_nothing(
    authority: TestAuthority, tmp_path: Path, fault: str
) -> None:
    authority.write_crl(at=now() - timedelta(hours=1))
    assert fetch(authority, tmp_path).returncode == 0
    crls = tmp_path / "trust" / "crls"
    before = {path: path.read_bytes() for path in crls.iterdir()}
    match fault:
        case "older":
            authority.write_crl(at=now() - timedelta(hours=2))
        case "stale":
            authority.write_crl(at=now() - timedelta(days=2), days=1)
        case "garbage":
            authority.crl_path.write_bytes(b"<html>no list</html>")
        case "missing":
            authority.crl_path.unlink()
        case _:
            other = TestAuthority.create(tmp_path / "other", name="另一家机构")
            authority.crl_path.write_bytes(other.crl_path.read_bytes())
    done = fetch(authority, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("eport-crl: fetched file:")
    assert {path: path.read_bytes() for path in crls.iterdir()} == before
