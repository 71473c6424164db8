"""Whatever is changed in the ledger or in the tables is found, and named."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from eport_tui.card import authority
from eport_tui.card.trust import Record, TrustStore
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.operations import Change, Kind, LapseMark, Operation
from eport_tui.domain.places import Place
from eport_tui.services import (
    checkpoints,
    enterprise_grants,
    expiry,
    history,
    operator_grants,
    permissions,
)
from eport_tui.services.ledger import accept_clock
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.services.proof import Proof
from eport_tui.services.verification import Finding
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.replacement import replacements_since
from tests.ledger.attacker import Attacker
from tests.ledger.making import (
    ANOTHER,
    KEY,
    NOON,
    TO_CARD,
    UNTIL,
    findings,
    keyed,
    ours,
    signed,
    theirs,
)
from tests.rows import insert_operator_grant
from tests.services.world import BROKER, CARD, MANUFACTURER, OTHER_CARD, TODAY, session


class Remembering(TrustStore):
    """Asks about each certificate once, because here it stays the same."""

    record = cache(TrustStore.record)  # type: ignore[assignment]


def first(found: list[Finding]) -> Finding:
    assert found, "nothing was found"
    return found[0]


def test_a_ledger_that_nobody_touched_holds(store: Store, trust: TrustStore) -> None:
    assert findings(store, trust) == []


# -- single bytes ------------------------------------------------------------------


COLUMNS = ("payload", "signature", "hash", "previous_hash", "recorded_at", "certificate")


def flipped(data: bytes, engine: str) -> Iterator[bytes]:
    """The data with each of its bytes changed, one at a time; on a server, some of them."""
    for at in range(0, len(data), 1 if engine == "sqlite" else 7):
        yield data[:at] + bytes((data[at] ^ (1 << at % 8),)) + data[at + 1 :]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_changed_byte_of_an_entry_is_found(
    store: Store, trust: TrustStore, attacker: Attacker, column: str, engine: str
) -> None:
    trust = Remembering(trust.authorities, trust.revocation)
    blob = column == "signature"
    for number in (1, 5):
        [(data,)] = attacker.sql(
            f"SELECT CAST({column} AS BLOB) FROM ledger_entry WHERE number = ?", (number,)
        )
        put = f"UPDATE ledger_entry SET {column} = {'?' if blob else 'CAST(? AS TEXT)'}"
        for changed in flipped(data, engine):
            value = changed if blob else attacker.as_text(changed)
            attacker.sql(f"{put} WHERE number = {number}", (value,))
            assert first(findings(store, trust)).entry == number
        attacker.sql(f"{put} WHERE number = {number}", (data,))
    assert findings(store, trust) == []


@pytest.mark.parametrize("column", ["der", "fingerprint"])
def test_every_changed_byte_of_a_certificate_is_found(
    store: Store, trust: TrustStore, attacker: Attacker, column: str, engine: str
) -> None:
    [(fingerprint,)] = attacker.sql("SELECT certificate FROM ledger_entry WHERE number = 2")
    trust = Remembering(trust.authorities, trust.revocation)
    [(data,)] = attacker.sql(
        f"SELECT CAST({column} AS BLOB) FROM ledger_certificate WHERE fingerprint = ?",
        (fingerprint,),
    )
    kind = "?" if column == "der" else "CAST(? AS TEXT)"
    before: bytes = fingerprint.encode()
    for changed in flipped(data, engine):
        value = changed if column == "der" else attacker.as_text(changed)
        attacker.sql(
            f"UPDATE ledger_certificate SET {column} = {kind} WHERE fingerprint = CAST(? AS TEXT)",
            (value, before),
        )
        before = value if column == "fingerprint" else before
        assert first(findings(store, trust)).entry == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("clock_reset = 1", "哈希值不符"),
        ("number = 9", "此前缺少第3笔"),
        ("recorded_at = '2026-03-01T12:00:01+08:00'", "哈希值不符"),
    ],
)
def test_other_columns_of_an_entry(
    store: Store, trust: TrustStore, attacker: Attacker, change: str, message: str
) -> None:
    attacker.sql(f"UPDATE ledger_entry SET {change} WHERE number = 3")
    found = [each for each in findings(store, trust) if each.entry is not None]
    assert any(message in each.message for each in found)


@pytest.mark.parametrize("payload", ["nonsense", "", "{}", '{"card":1}'])
def test_a_spoilt_payload_spoils_no_list(store: Store, attacker: Attacker, payload: str) -> None:
    us, broker = session(MANUFACTURER), session(BROKER)
    to_other = TO_CARD._replace(card_number=OTHER_CARD)
    signed(store, us, Change(None, ANOTHER))
    signed(store, us, Change(None, LapseMark(KEY, KEY.principal, UNTIL)), kind=Kind.LAPSE)
    signed(store, broker, Change(None, to_other), kind=Kind.HAND_ON)
    signed(store, broker, Change(to_other, None), kind=Kind.REPLACE_CARD)
    assert replacements_since(store, KEY, 3) == [9]
    attacker.sql("UPDATE ledger_entry SET payload = ? WHERE number <> 6", (payload,))
    assert replacements_since(store, KEY, 3) == []

    tomorrow = TODAY + timedelta(days=1)
    yesterday = history.on_day(store, TODAY, today=tomorrow).store
    for each in (store, yesterday):
        due = expiry.due(each, us, within=365, lapsing_too=True, today=TODAY).after(None, 9)
        assert {row.grant.key: row.lapsing for row in due} == {KEY: True, ANOTHER.key: False}
        can = permissions.query(each, broker, subsystem=None, today=TODAY).after(None, 9)
        assert [row.card_number for row in can] == [CARD]
    # Who made a grant is not known where its operation is spoilt.
    made = enterprise_grants.made(yesterday, us, today=TODAY).after(None, 9)
    assert {row.grant.key: row.grant.changed_by for row in made} == {
        KEY: "",
        ANOTHER.key: us.holder.card_number,
    }
    [number] = [row.grant.id for row in made if row.grant.key == KEY]
    handed_on = operator_grants.granted(yesterday, broker, number).after(None, 9)
    assert [(row.card_number, row.changed_by) for row in handed_on] == [(CARD, "")]


# -- whole entries -----------------------------------------------------------------


Rewriting = Callable[[list[list[object]]], list[list[object]]]


@pytest.mark.parametrize(
    ("rewriting", "entry", "message"),
    [
        pytest.param(lambda e: [e[0], *e[2:]], 2, "所见的台账", id="dropped"),
        pytest.param(lambda e: [*e[:3], e[1], *e[3:]], 4, "记录了两次", id="doubled"),
        pytest.param(lambda e: [*e, e[1]], 6, "记录了两次", id="doubled at the end"),
        pytest.param(lambda e: [e[0], e[2], e[1], *e[3:]], 2, "所见的台账", id="swapped"),
    ],
)
def test_entries_dropped_doubled_or_swapped_with_the_chain_made_anew(
    store: Store,
    trust: TrustStore,
    attacker: Attacker,
    rewriting: Rewriting,
    entry: int,
    message: str,
) -> None:
    attacker.rewrite(rewriting(attacker.entries()))
    found = first(findings(store, trust))
    assert (found.entry, message in found.message) == (entry, True), found


@pytest.mark.parametrize("number", range(1, 6))
def test_an_entry_that_is_gone_is_named(
    store: Store, trust: TrustStore, attacker: Attacker, number: int
) -> None:
    attacker.sql("DELETE FROM ledger_entry WHERE number = ?", (number,))
    found = findings(store, trust)
    assert found
    if number < 5:
        assert found[0].message == f"此前缺少第{number}笔"


def other_authority() -> authority.TestAuthority:
    with tempfile.TemporaryDirectory() as folder:
        return authority.TestAuthority.create(Path(folder) / "authority")


def test_an_inserted_entry_of_a_foreign_authority(store: Store, trust: TrustStore) -> None:
    forger = keyed(session(MANUFACTURER).holder, issuer=other_authority())
    number = signed(store, forger, Change(None, ANOTHER))
    found = first(findings(store, trust))
    assert found.entry == number
    assert "签名者的证书不可信" in found.message


def test_an_entry_of_the_last_moment_that_there_is(store: Store, trust: TrustStore) -> None:
    forger = keyed(session(MANUFACTURER).holder, issuer=other_authority())
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)
    number = signed(store, forger, Change(None, ANOTHER), at=last)
    found = first(findings(store, trust))
    assert found.entry == number
    assert "签名者的证书不可信" in found.message


def test_an_inserted_entry_with_another_key_than_the_certificates(
    store: Store, trust: TrustStore
) -> None:
    forger = ours()
    forger.certificate  # noqa: B018
    forger.key = ours().key
    number = signed(store, forger, Change(None, ANOTHER))
    assert first(findings(store, trust)) == Finding("签名不符", number)


def test_a_whole_chain_rewritten_with_the_keys_of_a_foreign_authority(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    forger = other_authority()
    signers = {
        each.holder.card_number: keyed(each.holder, issuer=forger) for each in (ours(), theirs())
    }
    entries = []
    for entry in attacker.entries():
        operation = Operation.read(entry[5])
        by = signers[operation.card_number]
        fingerprint = hashlib.sha256(by.certificate).hexdigest()
        attacker.sql(
            "INSERT INTO ledger_certificate VALUES (?, ?) ON CONFLICT DO NOTHING",
            (fingerprint, by.certificate),
        )
        signature = by.sign(SIGNED_FOR + entry[5].encode())
        entries.append([*entry[:6], signature, fingerprint])
    attacker.rewrite(entries)
    found = first(findings(store, trust))
    assert found.entry == 1
    assert "签名者的证书不可信" in found.message


def test_a_tail_that_was_cut_off_is_found_given_a_checkpoint(
    store: Store, trust: TrustStore, as_it_was: Place
) -> None:
    signed(store, theirs(), Change(TO_CARD, None))
    checkpoint = checkpoints.make(store, session(MANUFACTURER))
    (note,) = findings(store, trust, checkpoint=checkpoint)
    assert (note.is_note, note.entry) == (True, checkpoint.number)

    with Store.open(as_it_was) as shortened:
        assert findings(shortened, trust) == []
        assert findings(shortened, trust, checkpoint=checkpoint) == [
            Finding("签署检查点时已有6笔，而台账只有5笔，末尾被截去了", 6)
        ]
        signed(shortened, theirs(), Change(TO_CARD, None))
        assert findings(shortened, trust) == []
        assert findings(shortened, trust, checkpoint=checkpoint) == [
            Finding("与检查点不符，台账被改写过", 6)
        ]


# -- rows --------------------------------------------------------------------------


SHOWN = f"{KEY.principal} {KEY.agent} {KEY.subsystem} {KEY.grant_type}"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE enterprise_grant SET valid_until = '2030-01-01'",
            f"企业间授权 {SHOWN}：与台账不符，权限有效期现为 2030-01-01，应为 2026-06-09",
        ),
        (
            "UPDATE enterprise_grant SET granted_on = '2020-01-01'",
            f"企业间授权 {SHOWN}：与台账不符，授权日期现为 2020-01-01，应为 2026-03-01",
        ),
        (
            "UPDATE enterprise_grant SET revision = 2, valid_until = '2030-01-01'",
            f"企业间授权 {SHOWN}：与台账不符，权限有效期现为 2030-01-01，应为 2026-06-09，"
            "修订号现为 2，应为 1",
        ),
        (
            "UPDATE enterprise_grant SET changed_by = '8900000000099'",
            f"企业间授权 {SHOWN}：变更时间或经办的卡与台账不符，"
            "经办的卡现为 8900000000099，应为 8900000000001",
        ),
        (
            "UPDATE operator_grant SET changed_at = '2026-03-01T12:00:01+08:00'",
            f"企业内授权 {SHOWN} {CARD}：变更时间或经办的卡与台账不符，"
            "变更时间现为 2026-03-01T12:00:01+08:00，应为 2026-03-01T12:00:00+08:00",
        ),
        (
            "UPDATE operator_grant SET granted_on = '2020-01-01'",
            f"企业内授权 {SHOWN} {CARD}：与台账不符，授权日期现为 2020-01-01，应为 2026-03-01",
        ),
        (
            "UPDATE operator_grant SET card_number = '8900000000099'",
            f"企业内授权 {SHOWN} 8900000000099：台账没有记载",
        ),
        ("DELETE FROM operator_grant", f"企业内授权 {SHOWN} {CARD}：库中缺少"),
        ("DELETE FROM enterprise_grant", f"企业间授权 {SHOWN}：库中缺少"),
        (
            "INSERT INTO lapse_mark VALUES ('3101940001', '3101980002', '95', 'X1',"
            " '3101940001', '2026-06-09', '', '')",
            f"到期不续标记 {SHOWN} 3101940001：台账没有记载",
        ),
        (
            "UPDATE operator_grant_version SET until_entry = NULL WHERE until_entry = 3",
            f"企业内授权 {SHOWN} 8900000000062：缺少版本",
        ),
        (
            "UPDATE enterprise_grant_version SET valid_until = '2030-01-01'"
            " WHERE until_entry IS NULL",
            f"企业间授权 {SHOWN}：版本与台账不符，权限有效期现为 2030-01-01，应为 2026-06-09",
        ),
        (
            "UPDATE enterprise_grant_version SET from_entry = 2 WHERE from_entry = 1",
            f"企业间授权 {SHOWN}：版本与台账不符，起始笔现为 2，应为 1",
        ),
        (
            "DELETE FROM enterprise_grant_version WHERE until_entry IS NULL",
            f"企业间授权 {SHOWN}：缺少版本",
        ),
        (
            "DELETE FROM operator_grant_version WHERE until_entry IS NOT NULL",
            f"企业内授权 {SHOWN} 8900000000062：缺少版本",
        ),
        (
            "INSERT INTO operator_grant_version (principal, agent, subsystem, grant_type,"
            " card_number, granted_on, from_entry, until_entry)"
            " SELECT principal, agent, subsystem, grant_type, '8900000000099', granted_on, 1, 2"
            " FROM enterprise_grant",
            f"企业内授权 {SHOWN} 8900000000099：台账没有记载的版本",
        ),
        ("DELETE FROM card_right", f"操作员权限索引 {SHOWN} {CARD}：缺少"),
        (
            "UPDATE card_right SET principal = '3101940009'",
            f"操作员权限索引 3101940009 {SHOWN.partition(' ')[2]} {CARD}：与企业内授权不符",
        ),
        ("DELETE FROM ledger_subject WHERE entry = 3", f"索引中缺少 {SHOWN}"),
        (
            "INSERT INTO ledger_subject VALUES ('3101940001', '3101980002', '95', 'X1', 4)",
            f"索引中多出 {SHOWN}",
        ),
    ],
)
def test_every_row_that_is_not_as_the_ledger_says_is_named(
    store: Store, trust: TrustStore, attacker: Attacker, statement: str, message: str
) -> None:
    attacker.heed_foreign_keys()
    attacker.sql(statement)
    assert message in [each.message for each in findings(store, trust)]


def test_a_row_that_was_slipped_in(store: Store, trust: TrustStore) -> None:
    with store.transaction():
        insert_operator_grant(store, 1, "8900000000099", TODAY)
    [found] = findings(store, trust)
    assert found.message == f"企业内授权 {SHOWN} 8900000000099：台账没有记载"
    assert found.row == ("operator_grant", *SHOWN.split(), "8900000000099", "2026-03-01")


def test_an_operator_grant_without_its_enterprise_grant(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    attacker.sql("UPDATE operator_grant SET enterprise_grant_id = 77")
    messages = [each.message for each in findings(store, trust)]
    assert f"企业内授权 '' '' '' '' {CARD}：台账没有记载" in messages
    assert f"企业内授权 {SHOWN} {CARD}：库中缺少" in messages


def test_what_another_program_has_put_there_cannot_trouble_the_terminal(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    attacker.sql(
        "UPDATE operator_grant SET card_number = CAST(? AS TEXT)",
        (attacker.as_text(b"\x1b[2J\xff\n"),),
    )
    assert all(each.message.isprintable() for each in findings(store, trust))


# -- with the chain made anew, every fault has its name ----------------------------------


def test_an_entry_earlier_than_the_one_before_it(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    entries = attacker.entries()
    entries[2][3] = "2026-03-01T11:59:59+08:00"
    attacker.rewrite(entries)
    assert first(findings(store, trust)).entry == 3


def test_a_clock_reset_that_no_administrator_noted(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    later = NOON + timedelta(hours=1)
    signed(store, theirs(), Change(TO_CARD, None), at=later)
    accept_clock(store, NOON)
    number = signed(store, theirs(), Change(None, TO_CARD))
    assert [each.is_note for each in findings(store, trust)] == [True]
    attacker.sql("DELETE FROM ledger_clock_reset")
    assert first(findings(store, trust)) == Finding("时间倒退，而没有管理员的记录", number)


@pytest.mark.parametrize(
    ("hashed", "reset", "message"),
    [
        (1, 1, "同一个签名记录了两次"),
        (1, 2, "哈希值不符，内容被改动过"),
        (0, 2, "哈希值不符，内容被改动过"),
        (1, -1, "哈希值不符，内容被改动过"),
    ],
)
def test_an_old_entry_put_back_behind_a_clock_that_is_said_to_have_been_set_back(
    store: Store, trust: TrustStore, attacker: Attacker, hashed: int, reset: int, message: str
) -> None:
    by = ours()
    given = signed(store, by, Change(None, ANOTHER))
    signed(store, by, Change(ANOTHER, None), kind=Kind.DELETE)
    # Long enough after it that what was signed then is no longer kept in mind.
    later = NOON + timedelta(days=1)
    third = ANOTHER._replace(key=KEY._replace(subsystem="Z8"))
    last = signed(store, by, Change(None, third), at=later)
    entries = attacker.entries()
    again = [*entries[given - 1]]
    again[4] = hashed
    attacker.sql("INSERT INTO ledger_clock_reset VALUES (?, ?)", (last, later.isoformat()))
    attacker.rewrite([*entries, again])
    attacker.sql("UPDATE ledger_entry SET clock_reset = ? WHERE number = ?", (reset, last + 1))
    attacker.sql(
        "INSERT INTO ledger_subject (principal, agent, subsystem, grant_type, entry)"
        " VALUES (?, ?, ?, ?, ?)",
        (*ANOTHER.key, last + 1),
    )
    assert first(findings(store, trust)) == Finding(message, last + 1)
    assert not Proof(store, trust).holds(ANOTHER)


@pytest.mark.parametrize("time", ["2027-03-01T12:00:00+08:00", "2025-03-01T12:00:00+08:00"])
def test_those_after_an_entry_whose_time_was_changed_are_not_accused_of_theirs(
    store: Store, trust: TrustStore, attacker: Attacker, time: str
) -> None:
    signed(store, theirs(), Change(TO_CARD, None))
    attacker.sql("UPDATE ledger_entry SET recorded_at = ? WHERE number = 3", (time,))
    about_entries = [each for each in findings(store, trust) if each.row is None]
    assert about_entries == [Finding("哈希值不符，内容被改动过", 3)]


def test_those_after_an_entry_that_was_spoilt_when_the_clock_was_set_back_are_not_accused(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    later = NOON + timedelta(hours=1)
    signed(store, theirs(), Change(TO_CARD, None), at=later)
    accept_clock(store, NOON)
    number = signed(store, theirs(), Change(None, TO_CARD))
    signed(store, ours(), Change(None, ANOTHER))
    attacker.sql(f"UPDATE ledger_entry SET signature = x'00' WHERE number = {number}")
    about_entries = [each for each in findings(store, trust) if each.row is None]
    assert about_entries == [Finding("哈希值不符，内容被改动过", number)]


def test_a_clock_that_is_said_to_have_been_set_back_to_the_first_moment_that_there_is(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    attacker.sql(
        "UPDATE ledger_entry SET clock_reset = 1, recorded_at = '0001-01-01T00:00:00+08:00'"
        " WHERE number = 5"
    )
    about_entries = [each for each in findings(store, trust) if each.row is None]
    assert about_entries == [Finding("哈希值不符，内容被改动过", 5)]


@pytest.mark.parametrize("is_sealed", [True, False])
def test_an_entry_that_does_not_hold_lets_no_old_signature_in_behind_it(
    store: Store, trust: TrustStore, attacker: Attacker, is_sealed: bool
) -> None:
    by = ours()
    given = signed(store, by, Change(None, ANOTHER))
    signed(store, by, Change(ANOTHER, None), kind=Kind.DELETE)
    # Long enough after it that what was signed then is no longer kept in mind.
    third = ANOTHER._replace(key=KEY._replace(subsystem="Z8"))
    last = signed(store, by, Change(None, third), at=NOON + timedelta(days=1))
    entries = attacker.entries()
    again = entries[given - 1]
    attacker.rewrite([*entries, again, again])
    if not is_sealed:
        attacker.sql(f"UPDATE ledger_entry SET signature = x'00' WHERE number = {last + 1}")
    about_entries = [each for each in findings(store, trust) if each.row is None]
    told = "记录时间早于上一笔"
    assert about_entries == [
        Finding(told if is_sealed else "哈希值不符，内容被改动过", last + 1),
        Finding(told, last + 2),
    ]


@pytest.mark.parametrize(
    ("late", "holds"), [(timedelta(minutes=10), True), (timedelta(minutes=10, seconds=1), False)]
)
def test_what_was_signed_long_ago_is_not_recorded_any_more(
    store: Store, trust: TrustStore, late: timedelta, holds: bool
) -> None:
    number = signed(store, theirs(), Change(TO_CARD, None), recorded_at=NOON + late)
    found = findings(store, trust)
    assert (found == []) is holds
    if not holds:
        assert found[0] == Finding("签名时间 2026-03-01 12:00:00 与记录时间不符", number)


def test_what_was_signed_after_it_was_recorded(store: Store, trust: TrustStore) -> None:
    late = NOON + timedelta(seconds=1)
    number = signed(store, theirs(), Change(TO_CARD, None), at=late, recorded_at=NOON)
    assert first(findings(store, trust)).entry == number


@pytest.mark.parametrize("seen", [(3, "0" * 64), (6, "0" * 64), (7, "0" * 64), (-1, "0" * 64)])
def test_an_operation_that_was_signed_for_another_ledger(
    store: Store, trust: TrustStore, seen: tuple[int, str]
) -> None:
    number = signed(store, theirs(), Change(TO_CARD, None), seen=seen)
    assert first(findings(store, trust)) == Finding("签名时所见的台账不是这一本", number)


def test_payloads_that_mean_the_same_are_not_the_same(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    by = theirs()
    number = signed(store, by, Change(TO_CARD, None))
    entries = attacker.entries()
    payload = entries[-1][5].replace('"format":1', '"format": 1')
    entries[-1][5:7] = payload, by.sign(SIGNED_FOR + payload.encode())
    attacker.rewrite(entries)
    assert first(findings(store, trust)) == Finding("内容不是规定格式的操作", number)


def test_entries_that_are_no_operations_at_all(
    store: Store, trust: TrustStore, attacker: Attacker
) -> None:
    by = theirs()
    signed(store, by, Change(TO_CARD, None))
    for payload in ("", "[]", "{}", "null", "[" * 5000, '{"format":1}', "1e999", '{"format":"1"}'):
        entries = attacker.entries()
        entries[-1][5:7] = payload, by.sign(SIGNED_FOR + payload.encode())
        attacker.rewrite(entries)
        assert first(findings(store, trust)) == Finding("内容不是规定格式的操作", 6)


def test_the_record_of_a_certificate_is_asked_for_once(store: Store, trust: TrustStore) -> None:
    asked: list[bytes] = []

    class Counting(TrustStore):
        def record(self, certificate: bytes) -> Record:
            asked.append(certificate)
            return super().record(certificate)

    assert findings(store, Counting(trust.authorities, trust.revocation)) == []
    assert sorted(asked) == sorted(ledger.certificates(store).values())


@pytest.mark.parametrize(
    ("statement", "messages"),
    [
        (
            "INSERT INTO card_right VALUES ('8900000000099', '3101980002', '3101940001', '95',"
            " 'X1', 77)",
            [f"操作员权限索引 {SHOWN} 8900000000099：与企业内授权不符"],
        ),
        (
            "UPDATE card_right SET operator_grant_id = 77",
            [
                f"操作员权限索引 {SHOWN} {CARD}：缺少",
                f"操作员权限索引 {SHOWN} {CARD}：与企业内授权不符",
            ],
        ),
    ],
)
def test_what_a_card_was_handed_by_no_operator_grant(
    store: Store, trust: TrustStore, attacker: Attacker, statement: str, messages: list[str]
) -> None:
    attacker.sql(statement)
    found = findings(store, trust)
    assert [each.message for each in found] == messages
    assert found[0].row is not None
    assert found[0].row[0] == "card_right"
