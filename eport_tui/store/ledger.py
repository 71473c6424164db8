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

from eport_tui.domain.grants import GrantKey
from eport_tui.domain.operations import (
    GENESIS,
    Change,
    EnterpriseGrantRow,
    LapseMark,
    OperatorGrantRow,
    Row,
)
from eport_tui.errors import StoreError
from eport_tui.store.database import Store

_PAGE = 500
_KEY = "principal = ? AND agent = ? AND subsystem = ? AND grant_type = ?"
_KEY_NAMES = "principal, agent, subsystem, grant_type"


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


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger, as it is stored.

    Attributes:
        number: From 1 on, without a gap.
        previous_hash: The hash of the entry before it, or `GENESIS`.
        hash: `entry_hash` of the others.
        recorded_at: When it was stored, `YYYY-MM-DDTHH:MM:SS+08:00`.
        clock_reset: Whether it may be earlier than its predecessor, because the
            server's clock was set back and an administrator noted it.
        payload: The operation in canonical JSON (RFC 8785), as it was signed.
        signature: The card's, over `services.operations.SIGNED_FOR` and the payload.
        certificate: SHA-256 of the signer's certificate, hexadecimal.
    """

    number: int
    previous_hash: str
    hash: str
    recorded_at: str
    clock_reset: bool
    payload: str
    signature: bytes
    certificate: str


_ENTRY = "number, previous_hash, hash, recorded_at, clock_reset, payload, signature, certificate"


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
        "eport_tui/ledger/v1",
        str(number),
        previous_hash,
        recorded_at,
        str(int(clock_reset)),
        certificate,
        hashlib.sha256(payload.encode()).hexdigest(),
        hashlib.sha256(signature).hexdigest(),
    )
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def head(store: Store) -> Head:
    """The end of the chain; read it inside the transaction that appends."""
    rows = store.rows(
        "SELECT number, hash, recorded_at FROM ledger_entry ORDER BY number DESC LIMIT 1"
    )
    if not rows:
        return Head(0, GENESIS, None)
    number, hash_, recorded_at = rows[0]
    return Head(number, hash_, datetime.fromisoformat(recorded_at))


def get(store: Store, number: int) -> Entry | None:
    """The entry with a number."""
    rows = store.rows(f"SELECT {_ENTRY} FROM ledger_entry WHERE number = ?", (number,))
    return _entry(rows[0]) if rows else None


def entries(store: Store, after: int = 0) -> Iterator[Entry]:
    """All entries in their order, from the one after a number on; read page by page."""
    while rows := store.rows(
        f"SELECT {_ENTRY} FROM ledger_entry WHERE number > ? ORDER BY number LIMIT ?",
        (after, _PAGE),
    ):
        yield from map(_entry, rows)
        after = rows[-1][0]


def _entry(row: Sequence[object]) -> Entry:
    number, previous, hash_, recorded_at, clock_reset, payload, signature, certificate = row
    return Entry(
        number,  # type: ignore[arg-type]
        previous,  # type: ignore[arg-type]
        hash_,  # type: ignore[arg-type]
        recorded_at,  # type: ignore[arg-type]
        bool(clock_reset),
        payload,  # type: ignore[arg-type]
        bytes(signature),  # type: ignore[arg-type]
        certificate,  # type: ignore[arg-type]
    )


def certificates(store: Store) -> dict[str, bytes]:
    """Every certificate that signed, DER, by its fingerprint."""
    rows = store.rows("SELECT fingerprint, der FROM ledger_certificate")
    return {fingerprint: bytes(der) for fingerprint, der in rows}


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
    keys = {_key(change.row.key) for change in changes}
    store.write_many(
        f"INSERT INTO ledger_subject ({_KEY_NAMES}, entry) VALUES (?, ?, ?, ?, ?)",
        [(*key, number) for key in sorted(keys)],
    )
    _change_rows(store, changes, moment, changed_by)
    _change_versions(store, changes, number)
    return number


def _key(key: GrantKey) -> tuple[str, str, str, str]:
    return (key.principal, key.agent, key.subsystem, key.grant_type)


# -- the clock -----------------------------------------------------------------


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
                        ({_KEY_NAMES}, granted_on, valid_until, revision, {_CHANGED})
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
                    INSERT INTO lapse_mark ({_KEY_NAMES}, owner, valid_until, {_CHANGED})
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
            return f"DELETE FROM lapse_mark WHERE {_KEY} AND owner = ? AND valid_until = ?"


def _parameters(change: Change, moment: str, changed_by: str) -> tuple[str | int, ...]:
    before, after = change.before, change.after
    values = (*_key(change.row.key), *_rest(change.row))
    if before is None:
        return (*values, moment, changed_by)
    if after is None:
        return values
    return (*_rest(after), moment, changed_by, *_key(before.key), *_rest(before))


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
    last: dict[tuple[str, ...], Change] = {}
    for change in changes:
        # A row that changes twice in one operation has one version of it.
        last[change.row.identity] = change
    closing: dict[str, list[tuple[str | int, ...]]] = {}
    opening: dict[str, list[tuple[str | int, ...]]] = {}
    for change in last.values():
        row = change.row
        key = _key(row.key)
        match row:
            case EnterpriseGrantRow():
                close = f"""
                    UPDATE enterprise_grant_version SET until_entry = ?
                    WHERE {_KEY} AND until_entry IS NULL
                """
                closing.setdefault(close, []).append((number, *key))
                insert = f"""
                    INSERT INTO enterprise_grant_version
                        ({_KEY_NAMES}, granted_on, valid_until, revision, from_entry)
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
                        ({_KEY_NAMES}, card_number, granted_on, from_entry)
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
    key = _key(row.key)
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
            _key(key),
        )
    )


def vanished_operator_grants(store: Store, key: GrantKey) -> list[OperatorGrantRow]:
    """Those under an enterprise grant that the ledger has and the table has not."""
    rows = store.rows(
        f"""
        SELECT v.card_number, v.granted_on FROM operator_grant_version v
        WHERE {_KEY} AND v.until_entry IS NULL AND NOT EXISTS (
            SELECT 1 FROM operator_grant o
            WHERE o.enterprise_grant_id = {_PARENT} AND o.card_number = v.card_number
        )
        """,
        _key(key) * 2,
    )
    return [OperatorGrantRow(key, card, date.fromisoformat(day)) for card, day in rows]
