"""`eport-tui check`: what it prints, and that nothing but a yes exits with 0."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from eport_tui.__main__ import main
from eport_tui.domain.dates import SHANGHAI
from eport_tui.services import decisions
from eport_tui.store.database import Store
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_CARD,
    TODAY,
    grant,
    hand_on,
    register,
)

LINE = {
    "card": CARD,
    "card_enterprise": BROKER.customs_code,
    "enterprise": MANUFACTURER.customs_code,
    "subsystem": "95",
    "action": "declare",
    "on": TODAY.isoformat(),
}
ALLOWED, DENIED, ERROR = 0, 1, 2


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    """It is the day on which the grants are made."""
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=SHANGHAI), tick=False):
        yield


@pytest.fixture
def database(sqlite_store: Store) -> Path:
    """The manufacturer lets one card of the broker operate its account books."""
    register(sqlite_store)
    hand_on(sqlite_store, grant(sqlite_store), CARD)
    assert isinstance(sqlite_store.place, Path)
    return sqlite_store.place


def arguments(**changes: str) -> list[str]:
    values = {**LINE, **changes}
    return [
        part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", value)
    ]


def check(database: Path, *more: str) -> int:
    return main(["--database", str(database), "check", *more])


# -- one question ------------------------------------------------------------------------


def test_a_yes_is_0_and_shows_the_chain(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(database, *arguments()) == ALLOWED
    out = capsys.readouterr().out
    assert out.startswith(f"允许：2026-03-01 用卡 {CARD} 在「加工贸易账册」申报\n")
    # Nothing is known of an operator's card but what was asked.
    assert f"IC卡  {CARD} 操作员卡（按所填，请核对是谁的卡）  [未核实]\n" in out
    places = [out.index(text) for text in (f"IC卡  {CARD}", "授予该卡，", BROKER.name, "操作权，")]
    assert places == sorted(places)
    assert "办法" not in out


def test_a_no_is_1_and_says_who_can_change_it(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(database, *arguments(subsystem="加工贸易账册", action="报关调用")) == DENIED
    out = capsys.readouterr().out
    assert "只有操作权，没有报关权" in out
    assert f"  1. 由授权企业 {MANUFACTURER.customs_code} 的法人卡在「企业间授权录入」新增" in out
    assert f"  2. 由代理企业 {BROKER.customs_code} 的法人卡在「企业内授权录入」" in out


def test_json_says_the_same(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(database, *arguments(card=OTHER_CARD), "--json") == DENIED
    answer = json.loads(capsys.readouterr().out)
    assert (answer["allowed"], answer["reason"]) == (False, "no_operator_grant")
    assert [(link["link"], link["state"]) for link in answer["links"]] == [
        ("card", "holds"),
        ("operator_grant", "missing"),
        ("agent", "holds"),
        ("enterprise_grant", "holds"),
        ("principal", "holds"),
    ]
    assert answer["card_verified"] is False
    assert answer["links"][3]["from"] == "2026-03-01"
    assert answer["links"][3]["until"] == "2026-06-09"
    (change,) = answer["changes"]
    assert (change["change"], change["by"]) == ("hand_on", BROKER.customs_code)


def test_a_legal_persons_card_is_no_operators(database: Path) -> None:
    assert check(database, *arguments(), "--legal-person") == DENIED


@pytest.mark.parametrize(
    "wrong",
    [
        {"card": "89"},
        {"enterprise": "x"},
        {"subsystem": "QQ"},
        {"action": "destroy"},
        {"on": "2026-02-30"},
    ],
    ids=str,
)
def test_bad_input_is_2(
    database: Path, wrong: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(database, *arguments(**wrong)) == ERROR
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("错误：")


def test_what_is_missing_is_named(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(database, "--card", CARD) == ERROR
    assert "缺少参数 --card-enterprise、--enterprise、--subsystem、--action" in (
        capsys.readouterr().err
    )


def test_a_database_that_is_not_there_is_2_and_is_not_made(tmp_path: Path) -> None:
    assert check(tmp_path / "none.db", *arguments()) == ERROR
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_2(database: Path, sqlite_store: Store) -> None:
    # With its log worked into it, which would mend it.
    sqlite_store.close()
    database.write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    assert check(database, *arguments()) == ERROR


def test_a_defect_is_2(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(decisions, "decide", fail)
    monkeypatch.setattr(decisions, "explain", fail)
    assert check(database, *arguments()) == ERROR
    assert "程序内部错误" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(LINE).encode())))
    assert check(database, "--batch", "-") == ERROR
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.startswith("程序内部错误：ZeroDivisionError（")


def run_into(database: Path, stdout: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eport_tui", "--database", str(database), "check"]
    return subprocess.run(
        [*command, *arguments()], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def test_an_answer_that_nobody_reads_is_2(database: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        finished = run_into(database, writing)
    finally:
        os.close(writing)
    assert (finished.returncode, finished.stderr) == (ERROR, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_an_answer_that_cannot_be_written_is_2(database: Path) -> None:
    with open("/dev/full", "w") as full:
        finished = run_into(database, full)
    assert finished.returncode == ERROR
    assert "无法读写输出：磁盘已满" in finished.stderr
    assert "Traceback" not in finished.stderr


# -- a stream of questions ---------------------------------------------------------------


def batch(
    database: Path, tmp_path: Path, lines: list[bytes], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, Any]]]:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    code = check(database, "--batch", str(file))
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def line(**changes: Any) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


def test_each_line_is_answered_in_order(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line(), line(card=OTHER_CARD), line(action="查询"), line(legal_person=True)]
    code, answers = batch(database, tmp_path, lines, capsys)
    assert code == ALLOWED
    assert answers == [
        {"allowed": True, "reason": "granted_to_card", "until": "2026-06-09"},
        {"allowed": False, "reason": "no_operator_grant"},
        {"allowed": True, "reason": "granted_to_card", "until": "2026-06-09"},
        {"allowed": False, "reason": "legal_person_card"},
    ]


def test_a_mark_of_the_encoding_before_the_first_line_is_no_part_of_it(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answers = batch(database, tmp_path, [b"\xef\xbb\xbf" + line()], capsys)
    assert (code, answers[0]["allowed"]) == (ALLOWED, True)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"no json",
        b"[1]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        line(card=5),
        line(onn="2026-03-01"),
        line(legal_person="yes"),
        line(subsystem="QQ"),
        json.dumps({"card": CARD}).encode(),
    ],
    ids=[
        "empty",
        "text",
        "list",
        "string",
        "bytes",
        "deep",
        "number",
        "unknown",
        "role",
        "code",
        "missing",
    ],
)
def test_a_bad_line_is_an_error_and_the_others_are_answered(
    database: Path, tmp_path: Path, bad: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answers = batch(database, tmp_path, [line(), bad, line()], capsys)
    assert code == ERROR
    assert [list(answer) for answer in answers][1] == ["error"]
    assert [answer.get("allowed") for answer in answers] == [True, None, True]


def test_an_answer_comes_before_the_next_question_is_asked(database: Path) -> None:
    command = [sys.executable, "-m", "eport_tui", "--database", str(database), "check"]
    with subprocess.Popen(
        [*command, "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for asked, allowed in ((line(), True), (line(card=OTHER_CARD), False)):
            running.stdin.write(asked + b"\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["allowed"] is allowed
        running.stdin.close()
    assert running.returncode == ALLOWED


def test_a_file_that_cannot_be_read_is_2(database: Path, tmp_path: Path) -> None:
    assert check(database, "--batch", str(tmp_path / "none.jsonl")) == ERROR
    assert check(database, "--batch", str(tmp_path)) == ERROR


def test_a_batch_takes_no_question_besides(database: Path) -> None:
    assert check(database, "--batch", "-", "--card", CARD) == ERROR
