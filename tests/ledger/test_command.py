"""`eport-tui ledger` as an administrator uses it."""

from __future__ import annotations

import builtins
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from eport_tui.__main__ import main
from eport_tui.card.authority import TestAuthority as Authority
from eport_tui.card.software import Cost
from eport_tui.card.trust import TrustStore
from eport_tui.domain import dates
from eport_tui.domain.holders import Role
from eport_tui.domain.operations import Change, Kind
from eport_tui.domain.places import Place
from eport_tui.services import checkpoints
from eport_tui.settings import load_settings
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.ledger.attacker import Attacker
from tests.ledger.making import (
    ANOTHER,
    NOON,
    TO_CARD,
    ours,
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.services.world import CARD, MANUFACTURER, session

Run = Callable[..., int]


@pytest.fixture(scope="session")
def engine() -> str:
    """What the command says is the same on the others."""
    return "sqlite"


@pytest.fixture
def path(place: Place) -> Path:
    assert isinstance(place, Path)
    return place


@pytest.fixture
def run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    trust_in(tmp_path / "trust")
    monkeypatch.setenv("EPORT_TUI_TRUST", str(tmp_path / "trust"))
    monkeypatch.setenv("EPORT_TUI_CARDS", str(tmp_path / "cards"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return lambda *arguments: main(["--database", str(path), "ledger", *arguments])


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An operator's software card, whose authority is trusted, too; its PIN is given."""
    authority = Authority.create(tmp_path / "authority")
    now = dates.now()
    holder = session(MANUFACTURER, Role.OPERATOR, "8900000000077").holder._replace(
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=1),
    )
    authority.issue(holder, tmp_path / "cards", cost=Cost(64, 1, 1))
    authority.publish(tmp_path / "trust")
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "88888888")
    return holder.card_number


def test_a_ledger_that_holds(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 0
    said = capsys.readouterr()
    assert said.out.startswith("台账完好：5笔操作，末笔的哈希值为 ")
    assert said.err == ""
    assert run("verify", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["holds"] is True
    assert (answer["entries"], answer["first_broken"], answer["findings"]) == (5, None, [])


def test_one_that_does_not(
    run: Run, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    attacker.sql("UPDATE ledger_entry SET signature = x'3000' WHERE number = 2")
    assert run("verify") == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "问题：第2笔，哈希值不符，内容被改动过"
    assert last.endswith("第一笔有问题的是第2笔")
    assert run("verify", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["holds"], answer["first_broken"]) == (False, 2)
    assert answer["findings"][0]["entry"] == 2


def test_a_row_alone(run: Run, attacker: Attacker, capsys: pytest.CaptureFixture[str]) -> None:
    attacker.heed_foreign_keys()
    attacker.sql("DELETE FROM operator_grant")
    assert run("verify") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"问题：企业内授权 3101940001 3101980002 95 X1 {CARD}：库中缺少",
        "台账共5笔操作，发现1个问题",
    ]


def test_many_findings_of_a_kind_are_listed_in_part_unless_all_are_asked_for(
    run: Run, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    attacker.sql("UPDATE enterprise_grant SET valid_until = '2030-01-01'")
    for number in range(30):
        attacker.sql(
            "INSERT INTO lapse_mark VALUES ('3101940001', '3101980002', ?, 'X1', '3101940001',"
            " '2026-06-09', '', '')",
            (f"{number:02}",),
        )
    assert run("verify") == 1
    altered, *listed, left, how, verdict = capsys.readouterr().out.splitlines()
    assert altered == (
        "问题：第1笔，企业间授权 3101940001 3101980002 95 X1：与台账不符，"
        "权限有效期现为 2030-01-01，应为 2026-06-09"
    )
    assert len(listed) == 20
    assert all(line.endswith("：台账没有记载") for line in listed)
    assert left == "还有10个同类的没有列出：到期不续标记：台账没有记载"
    assert how == "用 eport-tui ledger verify --all 列出全部"
    assert verdict == "台账共5笔操作，发现31个问题"
    assert run("verify", "--all") == 1
    assert capsys.readouterr().out.count("：台账没有记载\n") == 30
    assert run("verify", "--json") == 1
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 31


def test_a_timer_tells_what_was_looked_into_from_new_damage(
    run: Run,
    store: Store,
    tmp_path: Path,
    attacker: Attacker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    trust = TrustStore.of(tmp_path / "trust")
    revocation_list(trust, "late", {by.certificate: NOON}, updated=NOON + timedelta(hours=1))
    assert run("verify", "--json") == 1
    known = tmp_path / "known.json"
    known.write_text(capsys.readouterr().out)

    assert run("verify", "--known", str(known)) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "已知问题：第6笔，签名时证书已吊销"
    assert last.startswith("没有新的问题：6笔操作，已知的2个问题仍在，末笔的哈希值为 ")
    assert run("verify", "--known", str(known), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["holds"], answer["new_faults"]) == (False, 0)
    assert [each["is_known"] for each in answer["findings"]] == [True] * 2
    # Who does not know of it is told as before.
    assert run("verify") == 1
    capsys.readouterr()

    # What grew since is no damage, but a row that nobody has signed is.
    signed(store, theirs(), Change(TO_CARD, None), kind=Kind.WITHDRAW)
    assert run("verify", "--known", str(known)) == 0
    capsys.readouterr()
    attacker.sql(
        "UPDATE enterprise_grant SET valid_until = '2031-01-01' WHERE subsystem = ?",
        (ANOTHER.key.subsystem,),
    )
    assert run("verify", "--known", str(known)) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "台账共7笔操作，发现1个新的问题，另有已知的1个"
    assert [line for line in said if line.startswith("问题：")] == [
        "问题：企业间授权 3101940001 3101980002 B1 X1：台账没有记载"
    ]


def test_known_faults_are_those_of_this_ledger_alone(
    run: Run, store: Store, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed(store, theirs(), Change(TO_CARD, None), kind=Kind.WITHDRAW)
    assert run("verify", "--json") == 0
    known = tmp_path / "known.json"
    known.write_text(capsys.readouterr().out)
    attacker = Attacker.at(path)
    attacker.rewrite(attacker.entries()[:5])
    attacker.close()
    assert run("verify", "--known", str(known)) == 1
    assert (
        "问题：第6笔，台账不是以前核对过的那一本，被改写过，或末尾被截去了"
        in capsys.readouterr().out.splitlines()
    )
    for nonsense in ("", "{}", "[]", '{"entries": 1, "hash": "", "findings": [1]}'):
        known.write_text(nonsense)
        assert run("verify", "--known", str(known)) == 2
        assert "该文件不是核对结果" in capsys.readouterr().err
    assert run("verify", "--known", str(tmp_path / "none")) == 2
    assert f"核对结果文件 {tmp_path}/none 不存在" in capsys.readouterr().err


def test_with_the_folder_of_other_authorities_one_sentence_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trust_in(tmp_path / "other", Authority.create(tmp_path / "foreign").certificate)
    monkeypatch.setenv("EPORT_TUI_TRUST", str(tmp_path / "other"))
    assert run("verify") == 1
    finding, verdict = capsys.readouterr().out.splitlines()
    assert "没有一张可信" in finding
    assert f"请检查信任的机构文件夹 {tmp_path}/other/authorities" in finding
    assert verdict == "台账共5笔操作，发现1个问题，第一笔有问题的是第1笔"


def test_a_database_that_is_not_there(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.unlink()
    assert run("verify") == 2
    err = capsys.readouterr().err
    assert err.startswith("错误：数据库不存在")
    assert "eport-tui demo" in err


@pytest.mark.parametrize("missing", ["folder", "certificates"])
@pytest.mark.parametrize(
    "command", [("verify",), ("export", "out.zip"), ("checkpoint", "--card", "8900000000077")]
)
def test_without_a_trusted_authority_nothing_is_called_forged(
    run: Run,
    tmp_path: Path,
    missing: str,
    command: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    authorities = tmp_path / "trust" / "authorities"
    for file in authorities.iterdir():
        file.unlink()
    if missing == "folder":
        authorities.rmdir()
    assert run(*command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == (
        f"错误：信任的机构文件夹 {authorities} "
        + ("不存在" if missing == "folder" else "中没有发证机构的证书")
        + "，无法核对签名"
    )
    assert "EPORT_TUI_TRUST" in said.err


def test_a_checkpoint_signed_by_any_card_is_found_again(
    run: Run, card: str, tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "checkpoint.json"
    assert run("checkpoint", "--card", card, "--output", str(file)) == 0
    assert "已签署第5笔的检查点" in capsys.readouterr().out
    assert run("verify", "--against", str(file)) == 0
    note, verdict = capsys.readouterr().out.splitlines()
    assert note.startswith(f"说明：第5笔，与检查点相符，检查点由卡 {card} 签署于 ")
    assert verdict.startswith("台账完好")
    assert run("checkpoint", "--card", card, "--output", str(file)) == 2
    assert "已存在" in capsys.readouterr().err

    attacker = Attacker.at(path)
    attacker.rewrite(attacker.entries()[:4])
    attacker.close()
    assert run("verify", "--against", str(file)) == 1
    assert "末尾被截去了" in capsys.readouterr().out


def test_without_a_file_the_checkpoint_is_printed(
    run: Run, card: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("checkpoint", "--card", card) == 0
    printed = tmp_path / "printed"
    printed.write_text(capsys.readouterr().out)
    assert run("verify", "--against", str(printed)) == 0


def test_a_checkpoint_that_does_not_hold_itself(
    run: Run, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = checkpoints.make(store, session(MANUFACTURER))  # type: ignore[arg-type]
    file = tmp_path / "checkpoint.json"
    for wrong, message in (
        (replace(checkpoint, number=4), "检查点的签名不符"),
        (replace(checkpoint, hash="0" * 64), "检查点的签名不符"),
        (replace(checkpoint, card_number="8900000000099"), "不是其中所写的卡"),
        (replace(checkpoint, certificate=b"none"), "签名者不可信"),
        (replace(checkpoint, at=checkpoint.at + timedelta(days=9999)), "不在有效期内"),
    ):
        file.write_text(wrong.as_file())
        assert run("verify", "--against", str(file)) == 2
        assert message in capsys.readouterr().err
    for nonsense in ("", "{}", "[]", '{"checkpoint": "{}"}', "[" * 90_000):
        file.write_text(nonsense)
        assert run("verify", "--against", str(file)) == 2
        assert "该文件不是检查点" in capsys.readouterr().err
    assert run("verify", "--against", str(tmp_path / "nowhere")) == 2
    assert f"检查点文件 {tmp_path}/nowhere 不存在" in capsys.readouterr().err


def test_an_empty_ledger_has_nothing_to_sign(
    run: Run, card: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.unlink()
    Store.open(path).close()
    assert run("verify") == 0
    assert run("checkpoint", "--card", card) == 2
    assert "还没有任何操作" in capsys.readouterr().err


def test_an_export(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bundle.zip"
    assert run("export", str(file)) == 0
    assert "已导出5笔操作" in capsys.readouterr().out
    assert file.exists()
    assert run("export", str(file)) == 2


def test_a_clock_that_is_not_behind_needs_nothing(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("accept-clock", "--yes") == 2
    assert "不必处理" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 1), ("n", 1)])
def test_a_clock_is_accepted_after_a_question(
    run: Run,
    store: Store,
    trust: TrustStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
) -> None:
    signed(store, theirs(), Change(TO_CARD, None), at=NOON + timedelta(hours=1))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(builtins, "input", lambda question: answer)
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert run("accept-clock") == code
    said = capsys.readouterr().out
    assert "台账末笔是第6笔，记录于 2026-03-01 13:00:00" in said
    assert "服务器时间现在是 2026-03-01 12:01:00" in said
    assert bool(ledger.clock_resets(store)) is (code == 0)


def test_strict_decisions_are_a_setting(tmp_path: Path) -> None:
    assert not load_settings(environment={}).strict
    assert load_settings(environment={"EPORT_TUI_STRICT": "true"}).strict
    file = tmp_path / "config.toml"
    file.write_text("strict = true")
    assert load_settings(config=file, environment={}).strict
