"""The wheel, installed where there is no checkout, is the whole program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import eport_tui
from tests.pty.terminal import Terminal

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    result = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    run(*pip, "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment that has nothing but the wheel and its locked needs."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install"]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "run.lock")
    run(*pip, "--no-deps", wheel)
    return environment / "bin" / "eport-tui"


def test_the_wheel_carries_tables_and_styles_and_no_tests(wheel: Path) -> None:
    packed = set(ZipFile(wheel).namelist())
    tables = {f"eport_tui/data/{path.name}" for path in (ROOT / "data").iterdir()}
    styles = {str(path.relative_to(ROOT)) for path in (ROOT / "eport_tui").rglob("*.tcss")}
    assert tables
    assert styles
    assert tables | styles <= packed
    assert {name.partition("/")[0] for name in packed} == {
        "eport_tui",
        f"eport_tui-{eport_tui.__version__}.dist-info",
    }


def test_the_installed_program_knows_its_version(program: Path, tmp_path: Path) -> None:
    assert eport_tui.__version__ in run(program, "--version", cwd=tmp_path)


def test_the_installed_program_opens_the_demo_at_its_login(program: Path, tmp_path: Path) -> None:
    with Terminal([program, "demo"], env={"HOME": str(tmp_path)}, cwd=tmp_path) as terminal:
        terminal.wait_for("请插入IC卡或Ikey", timeout=30)
        terminal.press("ctrl+q")
        assert terminal.exit_code() == 0
