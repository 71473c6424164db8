"""What is installed on a server: the program, its files, fresh revocation lists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from eport_tui.__main__ import _parser
from eport_tui.card.authority import TestAuthority
from eport_tui.domain.dates import now
from tests.card.making import make_authority

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "deploy" / "server"


def run(
    *command: str | Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_files_are_installed_once_more_without_touching_settings_and_keys(tmp_path: Path) -> None:
    root = {"EPORT_ROOT": str(tmp_path)}
    assert run(SCRIPTS / "install-files", environment=root).returncode == 0
    settings, keys, ours = (
        tmp_path / "etc" / name
        for name in ("eport/config.toml", "eport/authorized_keys", "ssh/sshd_config.d/eport.conf")
    )
    assert settings.read_bytes() == (SCRIPTS / "config.toml").read_bytes()
    assert keys.read_bytes() == b""
    for path in (settings, keys, ours):
        path.write_text("of the administrator")

    done = run(SCRIPTS / "install-files", environment=root)
    assert done.returncode == 0, done.stderr
    assert settings.read_text() == keys.read_text() == "of the administrator"
    assert f"{settings} stays" in done.stdout
    assert ours.read_bytes() == (SCRIPTS / "sshd_config.d/eport.conf").read_bytes()
    assert ours.with_name("eport.conf.old").read_text() == "of the administrator"
    assert run(SCRIPTS / "install-files", environment=root).stdout.count("->") == 0


def test_the_administrators_commands_use_the_program_and_settings_of_the_sessions() -> None:
    session, admin = (
        (SCRIPTS / name).read_text("utf-8") for name in ("eport-session", "eport-admin")
    )
    named = dict(re.findall(r"^(program|settings|data)=(\S+)$", session, re.MULTILINE))
    assert f"export HOME={named['data']} " in admin
    assert f" {named['program']} --config {named['settings']}/config.toml " in admin


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "which wheel"),
        (("none.whl",), "there is no none.whl"),
        (("one.whl", "two.whl"), "one wheel only"),
        (("one.whl", "cards"), "cards is none of card, control and postgresql"),
    ],
)
def test_a_slip_in_what_is_to_be_installed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    (tmp_path / "one.whl").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    program = {"EPORT_PROGRAM": str(tmp_path / "program")}
    done = run(SCRIPTS / "install-program", *words, environment=program)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not (tmp_path / "program").exists()


def test_every_extra_is_locked_and_can_be_installed_by_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    script = (SCRIPTS / "install-program").read_text("utf-8")
    extras = project["optional-dependencies"]
    assert f"        {' | '.join(extras)})" in script
    for extra, needs in extras.items():
        lock = (ROOT / "requirements" / f"{extra}.lock").read_text("utf-8")
        locked = set(re.findall(r"^([\w-]+)==", lock, re.MULTILINE))
        for need in needs:
            name, brackets = re.findall(r"^([\w-]+)(?:\[([\w-]+)\])?", need)[0]
            assert {name, f"{name}-{brackets}" if brackets else name} <= locked


def test_the_server_gets_no_tools_for_building() -> None:
    lock = (ROOT / "requirements" / "run.lock").read_text("utf-8")
    assert re.findall(r"^(hatchling|editables)==", lock, re.MULTILINE) == []


def test_copies_are_made_at_noon_and_in_the_evening() -> None:
    timer = (SCRIPTS / "systemd" / "eport-backup.timer").read_text("utf-8")
    # A comma in the minutes would make a list of minutes, and of seconds, in one hour.
    hours, minute = re.findall(r"^OnCalendar=\*-\*-\* ([\d,]+):(\d+)$", timer, re.MULTILINE)[0]
    assert (hours, minute) == ("12,20", "10")


def test_what_the_backup_runs_is_a_command_of_the_program() -> None:
    unit = (SCRIPTS / "systemd" / "eport-backup.service").read_text("utf-8")
    program, *words = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)[0].split()
    assert program == "/opt/eport-tui/bin/eport-tui"
    args = _parser().parse_args(words)
    assert (args.config, args.command, args.db_command) == (
        Path("/etc/eport/config.toml"),
        "db",
        "backup",
    )
    assert f"ReadWritePaths=/var/lib/eport {args.target}\n" in unit


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    """A trusted authority, whose list is there already."""
    return make_authority(tmp_path)


def fetch(authority: TestAuthority, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Fetch the authority's list as it is by now."""
    sources = tmp_path / "sources"
    sources.write_text(f"# lists\n\nfetched {authority.crl_path.as_uri()}\n", "utf-8")
    return run(sys.executable, SCRIPTS / "eport-crl", sources, tmp_path / "trust")


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


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("https://crl.example.org/customs.crl", "a line is a name, a blank and an address"),
        ("customs https://crl.example.org/a b.crl", "a line is a name, a blank and an address"),
        ("../customs https://crl.example.org/a.crl", "a name has letters, digits, _ and - only"),
    ],
)
def test_a_line_that_cannot_be_right_is_told_and_the_others_are_fetched(
    authority: TestAuthority, tmp_path: Path, line: str, complaint: str
) -> None:
    authority.write_crl(at=now() - timedelta(hours=1))
    sources = tmp_path / "sources"
    sources.write_text(f"{line}\nfetched {authority.crl_path.as_uri()}\n", "utf-8")
    done = run(sys.executable, SCRIPTS / "eport-crl", sources, tmp_path / "trust")
    assert done.returncode == 1
    assert done.stderr == f"eport-crl: {line}: {complaint}\n"
    assert (tmp_path / "trust" / "crls" / "fetched.crl").exists()


def test_missing_sources_are_told_in_one_line(tmp_path: Path) -> None:
    done = run(sys.executable, SCRIPTS / "eport-crl", tmp_path / "none", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("eport-crl: ")
    assert str(tmp_path / "none") in done.stderr
    assert len(done.stderr.splitlines()) == 1
