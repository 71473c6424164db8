"""The signed ledger: a chain of operations, and the rows they change.

`append` writes an entry and the rows it changes in one transaction.  Nothing else
writes grants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple

from eport_tui.domain.grants import GrantKey
from eport_tui.domain.identifiers import CARD_NUMBER_LENGTH
from eport_tui.domain.operations import (
    GENESIS,
    Change,
    EnterpriseGrantRow,
    Identity,
    Kind,
    LapseMark,
    OperatorGrantRow,
    Row,
)
from eport_tui.errors import StoreError
from eport_tui.store.database import Store

_KEY = "principal = ? AND agent = ? AND subsystem = ? AND grant_type = ?"
KEY_NAMES = "principal, agent, subsystem, grant_type"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain.

    Attributes:
        number: Number of the last entry; 0 before the first.
        hash: Its hash, or `GENESIS`.
        recorded_at: When it was recorded; none before the first.
    """

    number: int
    hash: str
    recorded_at: datetime | None


class Entry(NamedTuple):
    """An entry of the ledger, as it is stored.

    Attributes:
        number: From 1 on, without a gap.
        previous_hash: The hash of the entry before it, or `GENESIS`.
        hash: `entry_hash` of the others.
        recorded_at: When it was stored, `YYYY-MM-DDTHH:MM:SS+08:00`.
        clock_reset: 1 where it may be earlier than its predecessor, because the
            server's clock was set back and an administrator noted it; 0 otherwise.
        payload: The operation in canonical JSON (RFC 8785), as it was signed.
        signature: The card's, over `services.operations.SIGNED_FOR` and the payload.
        certificate: SHA-256 of the signer's certificate, hexadecimal.
    """

    number: int
    previous_hash: str
    hash: str
    recorded_at: str
    clock_reset: int
    payload: str
    signature: bytes
    certificate: str


_ENTRY = "number, previous_hash, hash, recorded_at, clock_reset, payload, signature, certificate"


def as_stored(names: str) -> str:
    """To select columns of text as bytes: another program may have put there what is no text."""
    return ", ".join(f"CAST({name} AS BLOB)" for name in names.split(", "))


_AS_STORED = (
    "number, clock_reset, CAST(signature AS BLOB),"
    f" {as_stored('previous_hash, hash, recorded_at, payload, certificate')}"
)


# What a list asks of the payloads is looked for in their text, whose form is canonical and in
# which the quotation marks of a text within it have a backslash.  They are not parsed: one
# that another program has spoilt would be an error of the whole list.

_BEFORE_CARD = f'{{"at":"{"_" * len("2026-01-01T00:00:00+08:00")}","card":"'

SIGNED_BY = f"""
    CASE WHEN e.payload LIKE '{_BEFORE_CARD}{"_" * CARD_NUMBER_LENGTH}","changes":[%'
    THEN substr(e.payload, {len(_BEFORE_CARD) + 1}, {CARD_NUMBER_LENGTH}) ELSE '' END
"""
"""SQL for IC卡号 of the card that signed an entry `e`; empty where its payload is no operation."""


def is_signed_as(kind: Kind, enterprise: str = "") -> str:
    """SQL for whether an entry `e` is of a kind; of none where its payload is no operation.

    Args:
        enterprise: SQL for the customs code of the enterprise that must have signed it.
    """
    who = f"' || {enterprise} || '" if enterprise else "%"
    return f"""e.payload LIKE '%,"enterprise":"{who}","format":1,"kind":"{kind}","nonce":"%'"""


class ClockSetBack(StoreError):
    """The present moment is earlier than the last entry of the ledger."""


def entry_hash(
    number: int,
    previous_hash: str,
    recorded_at: str,
    clock_reset: bool,
    certificate: str,
    payload: str,
    signature: bytes,
) -> str:
    """The hash that links an entry into the chain: SHA-256 of lines of text, hexadecimal."""
    lines = (
        f"eport_tui/ledger/v1\n{number}\n{previous_hash}\n{recorded_at}\n{clock_reset:d}\n"
        f"{certificate}\n{hashlib.sha256(payload.encode()).hexdigest()}\n"
        f"{hashlib.sha256(signature).hexdigest()}\n"
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def head(store: Store) -> Head:
    """The end of the chain; read it inside the transaction that appends.

    Raises:
        StoreError: Another program has spoilt the last entry.
    """
    number = last_number(store)
    entry = get(store, number)
    if entry is None:
        return Head(0, GENESIS, None)
    try:
        return Head(number, entry.hash, datetime.fromisoformat(entry.recorded_at))
    except ValueError as error:
        raise StoreError(
            f"台账第{number}笔的记录时间无法识别", hint="请管理员运行 eport-tui ledger verify"
        ) from error


def last_number(store: Store) -> int:
    """The number of the last entry; 0 before the first."""
    return store.rows("SELECT coalesce(max(number), 0) FROM ledger_entry")[0][0]


def get(store: Store, number: int) -> Entry | None:
    """The entry with a number."""
    rows = store.rows(f"SELECT {_AS_STORED} FROM ledger_entry WHERE number = ?", (number,))
    return _entry(rows[0]) if rows else None


def entries(store: Store, after: int = 0) -> Iterator[Entry]:
    """All entries in their order, from the one after a number on; inside a snapshot."""
    sql = f"SELECT {_AS_STORED} FROM ledger_entry WHERE number > ? ORDER BY number"
    return map(_entry, store.iterate(sql, (after,)))


def hash_of(store: Store, number: int) -> str:
    """The hash of an entry as it is stored, or `GENESIS` for 0; empty where there is none."""
    if number == 0:
        return GENESIS
    rows = store.rows("SELECT CAST(hash AS BLOB) FROM ledger_entry WHERE number = ?", (number,))
    return _text(rows[0][0]) if rows else ""


def number_of(store: Store, payload: str, *, after: int) -> int | None:
    """The number of the entry with a payload among those after another one."""
    rows = store.rows(
        "SELECT number FROM ledger_entry WHERE number > ? AND payload = ?", (after, payload)
    )
    return rows[0][0] if rows else None


def _entry(row: Sequence[Any]) -> Entry:
    number, clock_reset, signature, *columns = row
    previous, hash_, recorded_at, payload, certificate = texts(columns)
    return Entry(number, previous, hash_, recorded_at, clock_reset, payload, signature, certificate)


def texts(columns: Sequence[bytes | None]) -> tuple[str, ...]:
    """Columns that were read `as_stored`; what is no text fits nothing that was signed."""
    try:
        return tuple(map(bytes.decode, columns))  # type: ignore[arg-type]
    except (UnicodeDecodeError, TypeError):
        return tuple(map(_text, columns))


def _text(value: bytes | None) -> str:
    return value.decode(errors="replace") if value is not None else ""


def certificate(store: Store, fingerprint: str) -> bytes | None:
    """One certificate that signed, DER."""
    rows = store.rows("SELECT der FROM ledger_certificate WHERE fingerprint = ?", (fingerprint,))
    return bytes(rows[0][0]) if rows else None


def certificates(store: Store) -> dict[str, bytes]:
    """Every certificate that signed, DER, by its fingerprint."""
    rows = store.rows("SELECT CAST(fingerprint AS BLOB), CAST(der AS BLOB) FROM ledger_certificate")
    return {_text(fingerprint): der for fingerprint, der in rows}


def append(
    store: Store,
    payload: str,
    signature: bytes,
    certificate: bytes,
    changes: Sequence[Change],
    *,
    recorded_at: datetime,
    changed_by: str,
) -> int:
    """Add an entry and change the rows, inside a transaction; returns the entry's number.

    Args:
        payload: The signed operation, of which `changes` are the changes.
        certificate: The signer's, DER.

    Raises:
        ClockSetBack: It would be earlier than the last entry; nothing was written.
        StoreError: The rows are not as `changes` say.
    """
    last = head(store)
    moment = recorded_at.isoformat(timespec="seconds")
    # To the second, because that is what is stored.
    is_earlier = last.recorded_at is not None and moment < last.recorded_at.isoformat(
        timespec="seconds"
    )
    if is_earlier and not _reset_noted(store, last.number):
        raise ClockSetBack(
            f"服务器时间 {recorded_at:%Y-%m-%d %H:%M:%S} 早于上一笔操作，没有保存",
            hint="请管理员校准时间；时间无误的，由管理员运行 eport-tui ledger accept-clock",
        )
    fingerprint = hashlib.sha256(certificate).hexdigest()
    store.write_many(
        "INSERT INTO ledger_certificate (fingerprint, der) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(fingerprint, certificate)],
    )
    number = last.number + 1
    hash_ = entry_hash(number, last.hash, moment, is_earlier, fingerprint, payload, signature)
    store.write_many(
        f"INSERT INTO ledger_entry ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(number, last.hash, hash_, moment, int(is_earlier), payload, signature, fingerprint)],
    )
    keys = {change.row.key for change in changes}
    store.write_many(
        f"INSERT INTO ledger_subject ({KEY_NAMES}, entry) VALUES (?, ?, ?, ?, ?)",
        [(*key, number) for key in sorted(keys)],
    )
    _change_rows(store, changes, moment, changed_by)
    _change_versions(store, changes, number)
    return number


# -- the clock -----------------------------------------------------------------


def clock_resets(store: Store) -> dict[int, str]:
    """After which entries the clock was noted to be set back, and when that was noted."""
    return {
        number: _text(noted_at)
        for number, noted_at in store.rows(
            "SELECT after_entry, CAST(noted_at AS BLOB) FROM ledger_clock_reset"
        )
    }


def times_set_back(store: Store) -> list[str]:
    """When the entries were recorded before which the clock was set back."""
    rows = store.rows("SELECT CAST(recorded_at AS BLOB) FROM ledger_entry WHERE clock_reset <> 0")
    return [_text(recorded_at) for (recorded_at,) in rows]


def note_clock_reset(store: Store, at: datetime) -> Head:
    """Let the next entry be earlier than the last one, inside a transaction."""
    last = head(store)
    store.write_many(
        "INSERT INTO ledger_clock_reset VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(last.number, at.isoformat(timespec="seconds"))],
    )
    return last


def _reset_noted(store: Store, number: int) -> bool:
    return bool(store.rows("SELECT 1 FROM ledger_clock_reset WHERE after_entry = ?", (number,)))


# -- rows ----------------------------------------------------------------------

# The parent is named by what it grants; a row that is not as the operation says is not touched.
_PARENT = f"(SELECT id FROM enterprise_grant WHERE {_KEY})"
_CHANGED = "changed_at, changed_by"


def _change_rows(store: Store, changes: Sequence[Change], moment: str, changed_by: str) -> None:
    stored = [change for change in changes if not change.found]
    for statement, group in groupby(stored, key=_statement):
        rows = [_parameters(change, moment, changed_by) for change in group]
        if store.write_many(statement, rows) != len(rows):
            raise StoreError("授权的内容与台账不符，没有保存", hint="请管理员核对台账")


def _statement(change: Change) -> str:
    before, after = change.before, change.after
    match change.row:
        case EnterpriseGrantRow():
            if before is None:
                return f"""
                    INSERT INTO enterprise_grant
                        ({KEY_NAMES}, granted_on, valid_until, revision, {_CHANGED})
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
            same = f"{_KEY} AND granted_on = ? AND valid_until = ? AND revision = ?"
            if after is None:
                # With a row left under it, more would go than was signed.
                return f"""
                    DELETE FROM enterprise_grant WHERE {same} AND NOT EXISTS (
                        SELECT 1 FROM operator_grant o
                        WHERE o.enterprise_grant_id = enterprise_grant.id
                    )
                """
            return f"""
                UPDATE enterprise_grant
                SET granted_on = ?, valid_until = ?, revision = ?, changed_at = ?, changed_by = ?
                WHERE {same}
            """
        case OperatorGrantRow():
            if before is None:
                return f"""
                    INSERT INTO operator_grant
                        (enterprise_grant_id, card_number, granted_on, {_CHANGED})
                    VALUES ({_PARENT}, ?, ?, ?, ?)
                """
            return f"""
                DELETE FROM operator_grant
                WHERE enterprise_grant_id = {_PARENT} AND card_number = ? AND granted_on = ?
            """
        case LapseMark():
            if before is None:
                return f"""
                    INSERT INTO lapse_mark ({KEY_NAMES}, owner, valid_until, {_CHANGED})
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
            return f"DELETE FROM lapse_mark WHERE {_KEY} AND owner = ? AND valid_until = ?"


def _parameters(change: Change, moment: str, changed_by: str) -> tuple[str | int, ...]:
    before, after = change.before, change.after
    values = (*change.row.key, *_rest(change.row))
    if before is None:
        return (*values, moment, changed_by)
    if after is None:
        return values
    return (*_rest(after), moment, changed_by, *before.key, *_rest(before))


def _rest(row: Row) -> tuple[str | int, ...]:
    match row:
        case EnterpriseGrantRow():
            return (row.granted_on.isoformat(), row.valid_until.isoformat(), row.revision)
        case OperatorGrantRow():
            return (row.card_number, row.granted_on.isoformat())
        case LapseMark():
            return (row.owner, row.valid_until.isoformat())


# -- versions ------------------------------------------------------------------


def _change_versions(store: Store, changes: Sequence[Change], number: int) -> None:
    """Keep how each row was from one entry to another, so that any day can be looked at."""
    last: dict[Identity, Change] = {}
    for change in changes:
        # A row that changes twice in one operation has one version of it.
        last[change.row.identity] = change
    closing: dict[str, list[tuple[str | int, ...]]] = {}
    opening: dict[str, list[tuple[str | int, ...]]] = {}
    for change in last.values():
        row = change.row
        key = row.key
        match row:
            case EnterpriseGrantRow():
                close = f"""
                    UPDATE enterprise_grant_version SET until_entry = ?
                    WHERE {_KEY} AND until_entry IS NULL
                """
                closing.setdefault(close, []).append((number, *key))
                insert = f"""
                    INSERT INTO enterprise_grant_version
                        ({KEY_NAMES}, granted_on, valid_until, revision, from_entry)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
            case OperatorGrantRow():
                close = f"""
                    UPDATE operator_grant_version SET until_entry = ?
                    WHERE {_KEY} AND card_number = ? AND until_entry IS NULL
                """
                closing.setdefault(close, []).append((number, *key, row.card_number))
                insert = f"""
                    INSERT INTO operator_grant_version
                        ({KEY_NAMES}, card_number, granted_on, from_entry)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                """
            case LapseMark():
                continue
        if change.after is not None:
            opening.setdefault(insert, []).append((*key, *_rest(change.after), number))
    for statement, rows in (*closing.items(), *opening.items()):
        store.write_many(statement, rows)


def proven(store: Store, row: Row) -> Row | None:
    """The row with the same identity as the ledger has it; none where it has none."""
    key = row.key
    match row:
        case EnterpriseGrantRow():
            rows = store.rows(
                f"""
                SELECT granted_on, valid_until, revision FROM enterprise_grant_version
                WHERE {_KEY} AND until_entry IS NULL
                """,
                key,
            )
            names = ("granted_on", "valid_until", "revision")
        case OperatorGrantRow():
            rows = store.rows(
                f"""
                SELECT card_number, granted_on FROM operator_grant_version
                WHERE {_KEY} AND card_number = ? AND until_entry IS NULL
                """,
                (*key, row.card_number),
            )
            names = ("card_number", "granted_on")
        case LapseMark():
            rows = store.rows(
                f"SELECT owner, valid_until FROM lapse_mark WHERE {_KEY} AND owner = ?",
                (*key, row.owner),
            )
            names = ("owner", "valid_until")
    return row.of(row.key, dict(zip(names, rows[0], strict=True))) if rows else None


def has_enterprise_grant(store: Store, key: GrantKey) -> bool:
    """Whether the ledger has an enterprise grant with a key."""
    return bool(
        store.rows(
            f"SELECT 1 FROM enterprise_grant_version WHERE {_KEY} AND until_entry IS NULL",
            key,
        )
    )


def vanished_operator_grants(
    store: Store, key: GrantKey, card_number: str | None = None
) -> list[OperatorGrantRow]:
    """Those under an enterprise grant that the ledger has and the table has not.

    Args:
        card_number: For the one to this card, or to `ALL_OPERATORS`, alone.
    """
    cards = () if card_number is None else (card_number,)
    narrowed = "AND v.card_number = ?" if cards else ""
    rows = store.rows(
        f"""
        SELECT v.card_number, v.granted_on FROM operator_grant_version v
        WHERE {_KEY} AND v.until_entry IS NULL {narrowed} AND NOT EXISTS (
            SELECT 1 FROM operator_grant o
            WHERE o.enterprise_grant_id = {_PARENT} AND o.card_number = v.card_number
        )
        """,
        (*key, *cards, *key),
    )
    return [OperatorGrantRow(key, card, date.fromisoformat(day)) for card, day in rows]


def entries_about(store: Store, key: GrantKey, after: int, until: int | None = None) -> list[int]:
    """The numbers of the entries about a key, from the one after `after` on, up to `until`."""
    upper = "" if until is None else "AND entry <= ?"
    rows = store.rows(
        f"SELECT entry FROM ledger_subject WHERE {_KEY} AND entry > ? {upper} ORDER BY entry",
        (*key, after, *(() if until is None else (until,))),
    )
    return [number for (number,) in rows]
