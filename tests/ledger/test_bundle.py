"""What is taken elsewhere can be verified there, with Python and `openssl` alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card import authority as authorities
from eport_tui.card.trust import TrustStore
from eport_tui.domain.holders import Role
from eport_tui.domain.operations import Change, Kind
from eport_tui.errors import InvalidInput
from eport_tui.services import bundle, checkpoints, verify_bundle
from eport_tui.services.ledger import accept_clock
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.store import ledger
from eport_tui.store.database import Store
from tests.card import openssl
from tests.ledger.attacker import Attacker
from tests.ledger.making import (
    ANOTHER,
    GRANT,
    NOON,
    TO_CARD,
    findings,
    keyed,
    ours,
    revocation_list,
    signed,
    theirs,
    trust_in,
)
from tests.ledger.test_processes import Eport
from tests.ledger.test_signers import KEYS, SECOND, sm2_signer
from tests.services.world import BROKER, MANUFACTURER, OTHER_CARD, StandIn, authority, session


@pytest.fixture(scope="session")
def engine() -> str:
    """A bundle says nothing of where it came from."""
    return "sqlite"


def unpacked(store: Store, trust: TrustStore, folder: Path, **options: object) -> Path:
    """A bundle, exported and unpacked."""
    folder.mkdir(exist_ok=True)
    file = folder / "bundle.zip"
    bundle.export(store, trust, file, **options)  # type: ignore[arg-type]
    with ZipFile(file) as opened:
        opened.extractall(folder / "bundle")
    return folder / "bundle"


def verified(folder: Path, *arguments: str) -> tuple[int, str]:
    """What the verifier of a bundle says, run alone."""
    done = subprocess.run(
        [sys.executable, "-I", folder / "verify.py", *arguments],
        cwd="/",
        env={},
        capture_output=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_a_bundle_holds(store: Store, trust: TrustStore, tmp_path: Path) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    code, said = verified(folder)
    assert code == 0, said
    assert "台账完好：5笔操作" in said
    assert "现有企业间授权1条，企业内授权1条" in said
    assert "没有检查点" in said
    assert os.stat(tmp_path / "out" / "bundle.zip").st_mode & 0o777 == 0o600


def test_with_a_checkpoint_a_tail_that_was_cut_off_is_found(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    signed(store, theirs(), Change(TO_CARD, None), kind=Kind.WITHDRAW)
    checkpoint = checkpoints.make(store, session(MANUFACTURER))  # type: ignore[arg-type]
    folder = unpacked(store, trust, tmp_path / "out", checkpoint=checkpoint)
    code, said = verified(folder)
    assert code == 0, said
    assert "说明：第6笔与检查点相符，由卡 " in said
    entries = folder / "entries.jsonl"
    entries.write_text("".join(entries.read_text().splitlines(keepends=True)[:5]))
    code, said = verified(folder)
    assert code == 1
    assert "签署检查点时已有6笔" in said


@pytest.mark.parametrize("field", ["payload", "signature", "hash", "previous_hash", "recorded_at"])
def test_a_changed_entry_is_named(
    store: Store, trust: TrustStore, tmp_path: Path, field: str
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    lines = (folder / "entries.jsonl").read_text().splitlines()
    entry = json.loads(lines[2])
    at = 20 if field != "recorded_at" else 15
    wrong = "1" if entry[field][at] != "1" else "2"
    entry[field] = entry[field][:at] + wrong + entry[field][at + 1 :]
    lines[2] = json.dumps(entry)
    (folder / "entries.jsonl").write_text("\n".join(lines) + "\n")
    code, said = verified(folder)
    assert code == 1
    assert "第一个在第3笔" in said


TO_OTHER = TO_CARD._replace(card_number=OTHER_CARD)
Deed = Callable[[Store, TrustStore], object]


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (lambda s, t: signed(s, theirs(), Change(None, ANOTHER)), "无权"),
        (lambda s, t: signed(s, ours(), Change(None, TO_OTHER)), "无权"),
        (
            lambda s, t: signed(s, ours(), Change(TO_CARD, None), kind=Kind.DELETE),
            "没有删除整个授权",
        ),
        (lambda s, t: signed(s, ours(), Change(None, ANOTHER), card_number="x"), "所写的卡"),
        (
            lambda s, t: signed(s, ours(valid_until=NOON - SECOND), Change(None, ANOTHER)),
            "不在有效期",
        ),
        (
            lambda s, t: signed(s, ours(), Change(None, ANOTHER), seen=(3, "0" * 64)),
            "所见的台账",
        ),
        (
            lambda s, t: signed(
                s, ours(), Change(None, ANOTHER), recorded_at=NOON + timedelta(hours=1)
            ),
            "与记录时间不符",
        ),
        (lambda s, t: revoked(s, t, ours()), "已吊销"),
        (lambda s, t: doubled(s), "记录了两次"),
    ],
)
def test_it_knows_the_same_rules_as_the_program(
    store: Store, tmp_path: Path, deed: Deed, message: str
) -> None:
    trust = trust_in(tmp_path / "trust")
    deed(store, trust)
    assert findings(store, trust)[0].entry == 6
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 1
    assert "第一个在第6笔" in said
    assert message in said


def test_of_a_certificate_that_ran_out_meanwhile_what_it_signed_before_holds(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    by = ours(valid_until=NOON + timedelta(hours=1))
    for hours in (0, 1, 2):
        change = Change(None, ANOTHER) if hours != 1 else Change(ANOTHER, None)
        kind = Kind.GRANT if hours != 1 else Kind.DELETE
        signed(store, by, change, kind=kind, at=NOON + timedelta(hours=hours))
    assert [each.entry for each in findings(store, trust) if each.row is None] == [8]
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 1
    assert "第8笔：签名时证书不在有效期内" in said
    assert "台账不可信，共1个问题，第一个在第8笔" in said


def signed_text(store: Store, by: StandIn, alter: Callable[[dict[str, Any]], object]) -> None:
    """Have a card sign what the program would never give it, and put it behind the last entry."""
    signed(store, by, Change(None, ANOTHER))
    attacker = Attacker.at(store.place)
    entries = attacker.entries()
    operation = json.loads(entries[-1][5])
    alter(operation)
    text = json.dumps(operation, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    entries[-1][5:7] = text, by.sign(SIGNED_FOR + text.encode())
    attacker.rewrite(entries)
    attacker.close()


@pytest.mark.parametrize(
    "alter",
    [
        lambda o: o["seen"].update(number=-1, hash=None),
        lambda o: o["seen"].update(number=-1),
        lambda o: o["seen"].update(number=True),
        lambda o: o["seen"].update(more=1),
        lambda o: o.update(format=True),
        lambda o: o.update(kind="enterprise_grant.give"),
        lambda o: o.update(kind="enterprise_grant.reinstate", reinstates=True),
        lambda o: o["changes"][0]["after"].update(revision="1"),
        lambda o: o["changes"][0]["after"].update(revision=True),
        lambda o: o["changes"][0]["after"].update(valid_until="2026-13-01"),
        lambda o: o["changes"][0]["after"].update(valid_until="20261201"),
    ],
)
def test_what_the_program_does_not_read_as_an_operation_is_none_for_the_bundle_either(
    store: Store, trust: TrustStore, tmp_path: Path, alter: Callable[[dict[str, Any]], object]
) -> None:
    signed_text(store, ours(), alter)
    found = findings(store, trust)[0]
    assert found.entry == 6
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 1, said
    assert f"第6笔：{found.message}" in said


def test_it_knows_every_kind_of_operation() -> None:
    assert set(Kind) == verify_bundle.KINDS


def revoked(store: Store, trust: TrustStore, by) -> None:  # type: ignore[no-untyped-def]
    signed(store, by, Change(None, ANOTHER))
    revocation_list(trust, "list", {by.certificate: NOON}, updated=NOON)


def doubled(store: Store) -> None:
    attacker = Attacker.at(store.place)
    entries = attacker.entries()
    attacker.rewrite([*entries, entries[1]])
    attacker.close()


def test_a_deletion_that_was_taken_back_holds(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    by = ours()
    deletion = (Change(TO_CARD, None), Change(GRANT, None))
    number = signed(store, by, *deletion, kind=Kind.DELETE)
    back = (Change(None, GRANT), Change(None, TO_CARD))
    signed(store, by, *back, kind=Kind.REINSTATE, reinstates=number)
    assert findings(store, trust) == []
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 0, said


@pytest.mark.parametrize("kind", [*KEYS, "text"])
def test_keys_of_every_kind(store: Store, trust: TrustStore, tmp_path: Path, kind: str) -> None:
    from tests.ledger.test_signers import TextOnly

    holder = session(BROKER).holder
    by = TextOnly(holder) if kind == "text" else keyed(holder, key=KEYS[kind]())
    signed(store, by, Change(TO_CARD, None))
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 0, said


def test_signatures_of_sm2(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    signer = sm2_signer(tmp_path)
    (trust.authorities / "sm2.pem").write_bytes(signer.issuer.pem.read_bytes())
    record = trust.record(signer.certificate)
    at = (record.times[0][0] + SECOND).astimezone(NOON.tzinfo)
    signed(store, signer, Change(TO_CARD, None), at=at)
    folder = unpacked(store, trust, tmp_path / "out")
    code, said = verified(folder)
    assert code == 0, said
    signed(store, signer, Change(None, TO_CARD), at=at)
    attacker = Attacker.at(store.place)
    entries = attacker.entries()
    entries[6][6] = entries[5][6]
    attacker.rewrite(entries)
    code, said = verified(unpacked(store, trust, tmp_path / "again"))
    assert (code, "第7笔：签名不符" in said) == (1, True), said


def test_with_authorities_of_ones_own(store: Store, trust: TrustStore, tmp_path: Path) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    assert verified(folder, "--authorities", str(trust.authorities))[0] == 0
    foreign = sm2_signer(tmp_path / "foreign").issuer.pem.parent
    code, said = verified(folder, "--authorities", str(foreign))
    assert code == 1
    assert f"没有一张可信，请检查文件夹 {foreign} 中" in said
    assert "第1笔：签名时证书不可信" in said


def test_a_sender_who_leaves_a_list_out_is_found_with_lists_of_ones_own(
    store: Store, tmp_path: Path
) -> None:
    trust = trust_in(tmp_path / "trust")
    revoked(store, trust, ours())
    folder = unpacked(store, trust, tmp_path / "out")
    assert verified(folder)[0] == 1
    for path in (folder / "crls").iterdir():
        path.unlink()
    code, said = verified(folder)
    assert code == 0
    assert "说明：发证机构取自本包，由导出者提供，请核对以上指纹" in said
    assert "说明：发证机构 1.pem 没有吊销列表，签名的卡当时是否已吊销无从得知" in said

    # In a trust folder they lie beside the authorities.
    code, said = verified(folder, "--authorities", str(trust.authorities))
    assert (code, "第6笔：签名时证书已吊销" in said) == (1, True)
    assert "发证机构 0.pem 的吊销列表用了自己的，最新的一份签发于 2026-03-01 04:00 GMT" in said
    assert "由导出者提供" not in said

    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "0.pem").write_bytes((trust.authorities / "0.pem").read_bytes())
    assert verified(folder, "--authorities", str(alone))[0] == 0
    crls = ("--crls", str(trust.revocation))
    assert verified(folder, "--authorities", str(alone), *crls)[0] == 1
    assert verified(folder, *crls)[0] == 1
    assert verified(folder, "--crls", str(tmp_path / "none")) == (
        2,
        f"无法核对：文件夹 {tmp_path}/none 不存在\n",
    )


def test_that_another_authority_has_revoked_the_same_serial_number_says_nothing(
    store: Store, tmp_path: Path
) -> None:
    other = authorities.TestAuthority.create(tmp_path / "other")
    trust = trust_in(tmp_path / "trust", authority().certificate, other.certificate)
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    revocation_list(trust, "ours", {}, updated=NOON)
    revocation_list(trust, "theirs", {by.certificate: NOON}, updated=NOON, issuer=other)
    assert findings(store, trust) == []
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 0, said


def test_authorities_of_ones_own_may_lie_in_one_file(store: Store, tmp_path: Path) -> None:
    other = authorities.TestAuthority.create(tmp_path / "other")
    both = [each.certificate for each in (authority(), other)]
    trust = trust_in(tmp_path / "trust", *both)
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    # On hold by its authority, whose newest list is older than that of the other one.
    held = {by.certificate: NOON}
    revocation_list(trust, "ours", held, updated=NOON, hold=True)
    revocation_list(trust, "theirs", {}, updated=NOON + timedelta(days=1), issuer=other)
    folder = unpacked(store, trust, tmp_path / "out")
    own = tmp_path / "own"
    own.mkdir()
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in both)
    (own / "all.pem").write_bytes("两个机构\n".encode("gb18030") + pem)
    for options in ((), ("--authorities", str(own))):
        code, said = verified(folder, *options)
        assert (code, "第6笔：签名时证书已吊销" in said) == (1, True), said
        for each in both:
            assert each.fingerprint(SHA256()).hex() in said
    assert "发证机构 all.pem 第1张 的吊销列表只取自本包" in said


def test_lists_that_only_the_sender_gave_are_said_to_be_so(
    store: Store, tmp_path: Path, trust: TrustStore
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "0.pem").write_bytes((trust.authorities / "0.pem").read_bytes())
    code, said = verified(folder, "--authorities", str(alone))
    assert code == 0
    assert "发证机构 0.pem 的吊销列表只取自本包，由导出者提供，最新的一份签发于 " in said
    assert "可用 --crls 加上自己的" in said


def test_a_list_of_ones_own_may_be_binary(store: Store, tmp_path: Path) -> None:
    trust = trust_in(tmp_path / "trust")
    folder = unpacked(store, trust, tmp_path / "out")
    by = ours()
    signed(store, by, Change(None, ANOTHER))
    folder = unpacked(store, trust, tmp_path / "again")
    revocation_list(trust, "list", {by.certificate: NOON}, updated=NOON)
    pem = (trust.revocation / "list.crl").read_bytes()
    der = x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)
    (trust.revocation / "list.crl").write_bytes(der)
    assert verified(folder)[0] == 0
    assert verified(folder, "--authorities", str(trust.authorities))[0] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_whose_a_card_of_china_eport_is_can_be_said_by_a_registry_of_ones_own(
    store: Store, tmp_path: Path, encoding: str
) -> None:
    trust = trust_in(tmp_path / "trust")
    issuer = openssl.Authority(tmp_path / "authority")
    (trust.authorities / "sm2.pem").write_bytes(issuer.pem.read_bytes())
    trust = TrustStore(
        trust.authorities, trust.revocation, look_up=lambda *_: [(BROKER, Role.LEGAL_PERSON)]
    )
    signer = Eport(session(BROKER).holder)
    signer.folder, signer.issuer = tmp_path / "eport", issuer
    at = (trust.record(signer.certificate).times[0][0] + SECOND).astimezone(NOON.tzinfo)
    signed(store, signer, Change(TO_CARD, None), at=at)
    folder = unpacked(store, trust, tmp_path / "out")
    code, said = verified(folder)
    assert code == 0, said
    assert "1张证书的企业和角色取自本包所附的企业名录，由导出者提供" in said

    file = tmp_path / "企业.csv"
    name, card = BROKER.customs_code, signer.holder.card_number
    for row, code in (
        (f"{name},乙,8900000000099、{card}", 0),
        (f" {wide(name)},乙,03-{card}", 0),
        (f'{name},"乙\n丙","{wide("03-" + card)}\n03-8900000000099"', 0),
        (f"{name}\n\n{name},乙,{card}", 0),
        (f"{name},乙,8900000000099", 1),
    ):
        file.write_bytes(f" 海关编码,企业名称,法人卡号\u3000\n{row}\n".encode(encoding))
        done, said = verified(folder, "--registry", str(file))
        assert done == code, said
        assert "由导出者提供，可用 --registry" not in said
    assert "第6笔：签名的不是法人卡" in said
    file.write_text("海关编码\n")
    assert verified(folder, "--registry", str(file))[0] == 2


def wide(text: str) -> str:
    """The text as an input method may type it, in full-width characters."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def test_where_it_cannot_be_found_out_that_is_said(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    assert verified(folder, "--openssl", "/no/openssl") == (2, "无法核对：找不到 openssl 命令\n")
    for line in ("nonsense", "[" * 100_000):
        (folder / "entries.jsonl").write_text(line + "\n")
        assert verified(folder) == (2, "无法核对：entries.jsonl 的第1行不是JSON\n")
    assert verified(folder, str(tmp_path / "nowhere"))[0] == 2
    again = unpacked(store, trust, tmp_path / "again")
    (again / "registry.json").write_text("[[]]")
    code, said = verified(again)
    assert code == 2
    assert said.startswith("无法核对，本包的文件无法识别：")


def spoilt(folder: Path, number: int, **columns: object) -> dict[str, Any]:
    """Change columns of an entry in an unpacked bundle; returns the entry as it is then."""
    lines = (folder / "entries.jsonl").read_text().splitlines()
    entry = json.loads(lines[number - 1]) | columns
    lines[number - 1] = json.dumps(entry)
    (folder / "entries.jsonl").write_text("\n".join(lines) + "\n")
    return entry


def altered(folder: Path, number: int, **columns: object) -> None:
    """As `spoilt`; the hash is made to fit."""
    entry = spoilt(folder, number, **columns)
    spoilt(folder, number, hash=verify_bundle.entry_hash(entry))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (lambda signed: signed | {"kind": 5}, "内容不是规定格式的操作"),
        (lambda signed: signed | {"at": 5}, "内容不是规定格式的操作"),
        (lambda signed: [signed], "内容不是规定格式的操作"),
        (lambda signed: signed | {"at": LAST_MOMENT}, "签名时证书不在有效期内"),
    ],
)
def test_a_payload_that_nobody_would_sign_is_a_fault_of_its_entry(
    store: Store,
    trust: TrustStore,
    tmp_path: Path,
    payload: Callable[[dict[str, object]], object],
    message: str,
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    last = json.loads((folder / "entries.jsonl").read_text().splitlines()[-1])
    text = json.dumps(
        payload(json.loads(last["payload"])),
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    recorded = {"recorded_at": LAST_MOMENT} if LAST_MOMENT in text else {}
    altered(folder, 5, payload=text, **recorded)
    code, said = verified(folder)
    assert code == 1, said
    assert f"第5笔：{message}" in said


LAST_MOMENT = "9999-12-31T23:59:59+08:00"


def accused(folder: Path) -> list[str]:
    """What the verifier says against single entries."""
    code, said = verified(folder)
    assert code == 1, said
    return [line for line in said.splitlines() if line.startswith("第")]


@pytest.mark.parametrize("is_spoilt", [True, False])
def test_those_behind_a_clock_that_was_set_back_are_not_accused_of_their_time(
    store: Store, trust: TrustStore, tmp_path: Path, is_spoilt: bool
) -> None:
    signed(store, theirs(), Change(TO_CARD, None), at=NOON + timedelta(hours=1))
    accept_clock(store, NOON)
    # The first one behind it was spoilt, or signed by a card that may not.
    by = ours() if is_spoilt else ours(role=Role.OPERATOR)
    number = signed(store, by, Change(None, ANOTHER))
    signed(store, theirs(), Change(None, TO_CARD))
    folder = unpacked(store, trust, tmp_path / "out")
    if is_spoilt:
        spoilt(folder, number, signature="AA==")
    message = "哈希值不符，内容被改动过" if is_spoilt else "签名的不是法人卡"
    assert accused(folder) == [f"第{number}笔：{message}"]


@pytest.mark.parametrize("time", ["2027-03-01T12:00:00+08:00", "2025-03-01T12:00:00+08:00", "noon"])
def test_those_behind_an_entry_whose_time_was_changed_are_not_accused_of_theirs(
    store: Store, trust: TrustStore, tmp_path: Path, time: str
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    spoilt(folder, 3, recorded_at=time)
    assert accused(folder) == ["第3笔：哈希值不符，内容被改动过"]


def test_a_time_that_no_card_signed_is_not_that_of_those_behind_it(
    store: Store, trust: TrustStore, attacker: Attacker, tmp_path: Path
) -> None:
    last = ledger.head(store)
    number = signed(store, ours(), Change(None, ANOTHER))
    signed(store, theirs(), Change(TO_CARD, None), seen=(last.number, last.hash))
    entries = attacker.entries()
    for column in (3, 5):
        entries[number - 1][column] = entries[number - 1][column].replace("T12:00", "T13:00")
    attacker.rewrite(entries)
    assert accused(unpacked(store, trust, tmp_path / "out")) == [f"第{number}笔：签名不符"]


@pytest.mark.parametrize("line", ['"x"', "[]", "{}", '{"number": 5}'])
def test_a_line_that_is_no_entry_is_a_fault(
    store: Store, trust: TrustStore, tmp_path: Path, line: str
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    lines = (folder / "entries.jsonl").read_text().splitlines()
    (folder / "entries.jsonl").write_text("\n".join([*lines[:-1], line]) + "\n")
    code, said = verified(folder)
    assert (code, "第5笔：没有台账的一笔应有的内容" in said) == (1, True), said


def test_a_file_that_is_there_is_not_overwritten(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.zip"
    file.write_text("mine")
    with pytest.raises(InvalidInput, match="已存在"):
        bundle.export(store, trust, file)
    assert file.read_text() == "mine"
    with pytest.raises(InvalidInput, match="无法写入"):
        bundle.export(store, trust, tmp_path / "nowhere" / "bundle.zip")


def test_a_certificate_that_no_entry_names_spoils_nothing(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    rubbish = b"rubbish"
    attacker = Attacker.at(store.place)
    fingerprint = hashlib.sha256(rubbish).hexdigest()
    attacker.sql("INSERT INTO ledger_certificate VALUES (?, ?)", (fingerprint, rubbish))
    code, said = verified(unpacked(store, trust, tmp_path / "out"))
    assert code == 0, said

    entries = attacker.entries()
    for number, name in enumerate((fingerprint, "0" * 64, "../registry"), 3):
        entries[number - 1][7] = name
    attacker.rewrite(entries)
    attacker.close()
    code, said = verified(unpacked(store, trust, tmp_path / "again"))
    assert code == 1, said
    assert "第3笔：签名者的证书不是卡的证书" in said
    assert "第4笔：签名者的证书缺失或被改动过" in said
    assert "第5笔：签名者的证书缺失或被改动过" in said


def test_a_certificate_in_the_bundle_that_was_exchanged(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    folder = unpacked(store, trust, tmp_path / "out")
    one, other, *_ = (folder / "certificates").iterdir()
    other.write_text(one.read_text())
    code, said = verified(folder)
    assert (code, "签名者的证书缺失或被改动过" in said) == (1, True)


def test_a_certificate_cannot_be_written_elsewhere(
    store: Store, trust: TrustStore, tmp_path: Path
) -> None:
    attacker = Attacker.at(store.place)
    attacker.sql("INSERT INTO ledger_certificate VALUES ('../../evil', x'00')")
    attacker.close()
    file = tmp_path / "bundle.zip"
    bundle.export(store, trust, file)
    with ZipFile(file) as opened:
        assert not [name for name in opened.namelist() if "evil" in name]
