"""A database with a ledger, copied to another place, and what the command says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eport_tui.__main__ import main
from eport_tui.card.trust import TrustStore
from eport_tui.domain.places import Place
from eport_tui.errors import OutOfReach
from eport_tui.services import databases
from eport_tui.services.verification import Finding, Verification
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.engines import ENGINES, place_on
from tests.ledger.making import trust_in
from tests.services.world import CARD, grant, hand_on, tables_of


@pytest.fixture(params=ENGINES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place_on(request.param, request, tmp_path / "target.db", "template0") as place:
        yield place


@pytest.fixture
def trust_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trusts the authority of the stand-ins, also for the command."""
    trust_in(tmp_path / "trust")
    monkeypatch.setenv("EPORT_TUI_TRUST", str(tmp_path / "trust"))
    return tmp_path / "trust"


@pytest.fixture
def worked_in(store: Store) -> Store:
    """A store with a few operations in its ledger."""
    hand_on(store, grant(store), CARD)
    grant(store, subsystem="B1")
    return store


def test_the_copy_has_the_same_ledger_and_goes_on_with_it(
    worked_in: Store, target: Place, trust_folder: Path
) -> None:
    copied = databases.copy(worked_in.place, target, trust_folder)
    assert (copied.entries, copied.faults) == (3, ())
    with Store.open(target) as store:
        assert tables_of(store) == tables_of(worked_in)
        assert ledger.head(store) == ledger.head(worked_in)
        grant(store, subsystem="Z8")
        assert list(Verification(store, TrustStore.of(trust_folder)).findings()) == []


def test_a_ledger_that_was_tampered_with_is_not_passed_on_as_good(
    worked_in: Store, target: Place, trust_folder: Path
) -> None:
    with worked_in.transaction():
        worked_in.rows("DROP TRIGGER ledger_entry_no_update" + _on(worked_in, "ledger_entry"))
        worked_in.rows("UPDATE ledger_entry SET payload = '{}' WHERE number = 2")
    copied = databases.copy(worked_in.place, target, trust_folder)
    assert copied.faults[0].entry == 2


def test_the_command_says_so_and_does_not_recommend_the_copy(
    worked_in: Store, target: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # No authority is trusted here, so that no entry holds.
    assert main(["db", "copy", str(worked_in.place), str(target)]) == 1
    said = capsys.readouterr().out
    assert "台账的3笔操作核对时发现" in said
    assert "请把设置项" not in said


def _on(store: Store, table: str) -> str:
    return "" if isinstance(store.place, Path) else f" ON {table}"


def test_the_command_copies_and_says_what_to_do_next(
    worked_in: Store, target: Place, trust_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "copy", str(worked_in.place), str(target)]) == 0
    said = capsys.readouterr().out
    assert "台账的3笔操作核对无误" in said
    assert f"请把设置项 database 改为 {target}，原数据库没有改动" in said


def test_a_place_in_the_current_folder_is_named_in_full(
    worked_in: Store,
    trust_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["db", "copy", str(worked_in.place), "copy.db"]) == 0
    assert f"请把设置项 database 改为 {tmp_path}/copy.db，" in capsys.readouterr().out


def test_a_copy_whose_ledger_could_not_be_verified_is_not_said_to_be_undone(
    worked_in: Store,
    target: Place,
    trust_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def lose(verification: Verification) -> Iterator[Finding]:
        raise OutOfReach("与数据库服务器的连接已断开，没有保存", hint="请检查网络")

    monkeypatch.setattr(Verification, "findings", lose)
    assert main(["db", "copy", str(worked_in.place), str(target)]) == 2
    said = capsys.readouterr().err
    assert "行，内容一致，但台账没有核对完" in said
    assert f"提示：请用 eport-tui --database {target} ledger verify 核对" in said
    with Store.open(target) as store:
        assert tables_of(store) == tables_of(worked_in)


def test_the_command_refuses_a_place_that_is_taken(
    worked_in: Store, target: Place, trust_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(target) as store:
        before = tables_of(store)
    databases.copy(worked_in.place, target, trust_folder)
    assert main(["db", "copy", str(worked_in.place), str(target)]) == 2
    assert "中已有数据，没有复制" in capsys.readouterr().err
    with Store.open(target) as store:
        assert tables_of(store) != before


def test_the_command_makes_no_database_where_there_is_no_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "copy", str(tmp_path / "none.db"), str(tmp_path / "new.db")]) == 2
    assert "数据库不存在" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_password_on_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "copy", "eport.db", "postgresql://clerk:secret@host/eport"]) == 2
    said = capsys.readouterr()
    assert "数据库地址中不能写密码" in said.err
    assert "secret" not in said.out + said.err
