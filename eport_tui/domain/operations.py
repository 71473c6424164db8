"""Operations: what a legal person's card did to the grants, in a form that can be signed.

An operation lists the rows it changes, each as it was and as it is then.  Rows are
known by what they grant, not by their numbers in a database, so that the operations
alone give the state of all grants: `replay` works it out, and refuses an operation
that its signer was not entitled to or that does not fit what was there before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set
from datetime import date, datetime, time
from enum import StrEnum

# Writes a text as RFC 8785 does.
from json.encoder import encode_basestring as _quoted
from typing import Any, Literal, NamedTuple

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import ALL_OPERATORS, GrantKey
from eport_tui.errors import EportError

FORMAT = 1
"""Of the signed text; another number is another meaning."""


GENESIS = "0" * 64
"""What stands in place of the hash before the first entry of a ledger."""


class Kind(StrEnum):
    """What was done."""

    GRANT = "enterprise_grant.grant"
    CHANGE = "enterprise_grant.change"
    RENEW = "enterprise_grant.renew"
    DELETE = "enterprise_grant.delete"
    REINSTATE = "enterprise_grant.reinstate"
    HAND_ON = "operator_grant.add"
    WITHDRAW = "operator_grant.delete"
    REINSTATE_OPERATOR = "operator_grant.reinstate"
    REPLACE_CARD = "operator_grant.replace_card"
    LAPSE = "lapse_mark.put"
    KEEP = "lapse_mark.remove"

    @property
    def label(self) -> str:
        """The kind on the screen."""
        return {
            Kind.GRANT: "授权",
            Kind.CHANGE: "修改有效期",
            Kind.RENEW: "续期",
            Kind.DELETE: "删除授权",
            Kind.REINSTATE: "恢复授权",
            Kind.HAND_ON: "授予操作员",
            Kind.WITHDRAW: "删除操作员",
            Kind.REINSTATE_OPERATOR: "恢复操作员",
            Kind.REPLACE_CARD: "换卡",
            Kind.LAPSE: "标记到期不续",
            Kind.KEEP: "取消到期不续",
        }[self]


# Tuples, because a verification makes some for each entry: a frozen data class takes three
# times as long.  The table is one of the fields, so that rows of two tables are never equal.

Identity = tuple[str, GrantKey] | tuple[str, GrantKey, str]
"""What makes a row the same one: its table, its key, and the card or owner if it has one."""


class EnterpriseGrantRow(NamedTuple):
    """An enterprise grant, as `domain.grants.EnterpriseGrant` without what the store adds."""

    key: GrantKey
    granted_on: date
    valid_until: date
    revision: int
    table: Literal["enterprise_grant"] = "enterprise_grant"

    @property
    def identity(self) -> Identity:
        """What makes it the same row."""
        return (self.table, self.key)

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.key.principal

    def text(self) -> str:
        """For the signed text."""
        return (
            f'{{"granted_on":"{self.granted_on.isoformat()}","revision":{self.revision:d},'
            f'"valid_until":"{self.valid_until.isoformat()}"}}'
        )

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> EnterpriseGrantRow:
        """From the signed text."""
        return cls(
            key,
            date.fromisoformat(fields["granted_on"]),
            date.fromisoformat(fields["valid_until"]),
            int(fields["revision"]),
        )


class OperatorGrantRow(NamedTuple):
    """An operator grant under the enterprise grant with `key`."""

    key: GrantKey
    card_number: str
    granted_on: date
    table: Literal["operator_grant"] = "operator_grant"

    @property
    def identity(self) -> Identity:
        """What makes it the same row."""
        return (self.table, self.key, self.card_number)

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.key.agent

    def text(self) -> str:
        """For the signed text."""
        return (
            f'{{"card_number":{_quoted(self.card_number)},'
            f'"granted_on":"{self.granted_on.isoformat()}"}}'
        )

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> OperatorGrantRow:
        """From the signed text."""
        _demand_texts(fields["card_number"])
        return cls(key, fields["card_number"], date.fromisoformat(fields["granted_on"]))


class LapseMark(NamedTuple):
    """An enterprise lets a grant that it made or received run out on `valid_until`."""

    key: GrantKey
    owner: str
    valid_until: date
    table: Literal["lapse_mark"] = "lapse_mark"

    @property
    def identity(self) -> Identity:
        """What makes it the same row."""
        return (self.table, self.key, self.owner)

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.owner

    def text(self) -> str:
        """For the signed text."""
        return f'{{"owner":{_quoted(self.owner)},"valid_until":"{self.valid_until.isoformat()}"}}'

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> LapseMark:
        """From the signed text."""
        _demand_texts(fields["owner"])
        return cls(key, fields["owner"], date.fromisoformat(fields["valid_until"]))


def _demand_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text")


Row = EnterpriseGrantRow | OperatorGrantRow | LapseMark
_TABLES: dict[str, type[Row]] = {
    "enterprise_grant": EnterpriseGrantRow,
    "operator_grant": OperatorGrantRow,
    "lapse_mark": LapseMark,
}

_FOUND = '"found":true,'


class Change(NamedTuple):
    """A row as it was and as it is then; one of them may be missing.

    Attributes:
        found: The row was changed by another program; the signer takes it as it was found.
    """

    before: Row | None
    after: Row | None
    found: bool = False

    @property
    def row(self) -> Row:
        """The row that is there, the later one of two."""
        row = self.before if self.after is None else self.after
        assert row is not None
        return row

    def text(self) -> str:
        """For the signed text."""
        row, key = self.row, self.row.key
        return (
            f'{{"after":{self.after.text() if self.after else "null"},'
            f'"agent":{_quoted(key.agent)},'
            f'"before":{self.before.text() if self.before else "null"},'
            f'{_FOUND if self.found else ""}"grant_type":{_quoted(key.grant_type)},'
            f'"principal":{_quoted(key.principal)},"subsystem":{_quoted(key.subsystem)},'
            f'"table":"{row.table}"}}'
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Change:
        """From the signed text."""
        row = _TABLES[value["table"]]
        key = GrantKey(value["principal"], value["agent"], value["subsystem"], value["grant_type"])
        _demand_texts(key.principal, key.agent, key.subsystem, key.grant_type)
        before, after = value["before"], value["after"]
        if before is None and after is None:
            raise ValueError("a change without a row")
        return cls(
            None if before is None else row.of(key, before),
            None if after is None else row.of(key, after),
            value.get("found", False),
        )


class Operation(NamedTuple):
    """What a card signs before it is stored.

    Attributes:
        kind: What was done.
        at: When it was signed, to the second.
        card_number: IC卡号 of the card that signs.
        enterprise: Customs code of that card's enterprise.
        changes: The rows, in the order in which they change.
        seen_number: Number of the ledger's last entry when it was signed; 0 before the first.
        seen_hash: The hash of that entry, or `GENESIS`.
        nonce: Random, so that no two operations are the same text.
        reason: What the operator gave as the reason; may be empty.
        reinstates: Number of the entry whose deletion is taken back.
    """

    kind: Kind
    at: datetime
    card_number: str
    enterprise: str
    changes: tuple[Change, ...]
    seen_number: int
    seen_hash: str
    nonce: str
    reason: str = ""
    reinstates: int | None = None

    def canonical(self) -> str:
        """The text that is signed: canonical JSON (RFC 8785).

        Written out, names in their order, because a verification does it for each entry.
        """
        reinstates = "" if self.reinstates is None else f'"reinstates":{self.reinstates:d},'
        changes = ",".join([change.text() for change in self.changes])
        return (
            f'{{"at":"{self.at.isoformat(timespec="seconds")}","card":{_quoted(self.card_number)},'
            f'"changes":[{changes}],"enterprise":{_quoted(self.enterprise)},"format":{FORMAT},'
            f'"kind":"{self.kind.value}","nonce":{_quoted(self.nonce)},'
            f'"reason":{_quoted(self.reason)},{reinstates}'
            f'"seen":{{"hash":{_quoted(self.seen_hash)},"number":{self.seen_number:d}}}}}'
        )

    @classmethod
    def read(cls, text: str) -> Operation:
        """From the text that was signed.

        Raises:
            ValueError: It is not the text of an operation, to the letter.
        """
        if operation := _read_plain(text):
            return operation
        try:
            operation = cls.from_json(json.loads(text))
        except RecursionError as error:
            raise ValueError("not an operation: nested too deeply") from error
        if operation.canonical() != text:
            raise ValueError("not in canonical form")
        return operation

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Operation:
        """From what the signed text holds.

        Raises:
            ValueError: It is not the text of an operation.
        """
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']} is unknown")
            seen, reinstates = value["seen"], value.get("reinstates")
            _demand_texts(
                *(value["card"], value["enterprise"], value["nonce"], value["reason"]),
                seen["hash"],
            )
            if not isinstance(reinstates, int | None):
                raise ValueError("what it reinstates is no number")
            at = datetime.fromisoformat(value["at"])
            if at.utcoffset() != SHANGHAI.utcoffset(None):
                raise ValueError("not a moment in Asia/Shanghai")
            return cls(
                Kind(value["kind"]),
                at,
                value["card"],
                value["enterprise"],
                tuple(Change.from_json(each) for each in value["changes"]),
                int(seen["number"]),
                seen["hash"],
                value["nonce"],
                value["reason"],
                reinstates,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an operation: {error!r}") from error


_KINDS = {kind.value: kind for kind in Kind}

_TEXT = r'"([^"\\\x00-\x1f]*)"'
_DAY = '"([0-9]{4}-[0-9]{2}-[0-9]{2})"'
_NUMBER = "(0|[1-9][0-9]{0,17})"
_ROW = r"(null|\{[^{}]*\})"
_ROWS = {
    "enterprise_grant": re.compile(
        rf'\{{"granted_on":{_DAY},"revision":{_NUMBER},"valid_until":{_DAY}\}}'
    ),
    "operator_grant": re.compile(rf'\{{"card_number":{_TEXT},"granted_on":{_DAY}\}}'),
    "lapse_mark": re.compile(rf'\{{"owner":{_TEXT},"valid_until":{_DAY}\}}'),
}
_HEAD = re.compile(
    r'\{"at":"([0-9]{4}-[0-9]{2}-[0-9]{2})T((?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})\+08:00",'
    rf'"card":{_TEXT},"changes":\['
)
_CHANGE = re.compile(
    rf'\{{"after":{_ROW},"agent":{_TEXT},"before":{_ROW},({_FOUND})?"grant_type":{_TEXT},'
    rf'"principal":{_TEXT},"subsystem":{_TEXT},"table":"({"|".join(_ROWS)})"\}}'
    r"(?:,(?=\{)|(?=\]))"
)
_TAIL = re.compile(
    rf'\],"enterprise":{_TEXT},"format":{FORMAT},"kind":{_TEXT},"nonce":{_TEXT},'
    rf'"reason":{_TEXT},(?:"reinstates":{_NUMBER},)?'
    rf'"seen":\{{"hash":{_TEXT},"number":{_NUMBER}\}}\}}'
)


def _read_plain(text: str) -> Operation | None:
    """As `Operation.read`, where the text has no escapes; none where it has, or is no operation.

    What fits the patterns, letter by letter, is what `Operation.canonical` gives, so
    that it need not be written out again: that takes half of the time.
    """
    if (head := _HEAD.match(text)) is None:
        return None
    day, clock, card_number = head.groups()
    end = head.end()
    changes: list[Change] = []
    try:
        while fits := _CHANGE.match(text, end):
            after, agent, before, found, grant_type, principal, subsystem, table = fits.groups()
            key = GrantKey(principal, agent, subsystem, grant_type)
            was, then = _read_row(table, key, before), _read_row(table, key, after)
            if was is None and then is None:
                return None
            changes.append(Change(was, then, found is not None))
            end = fits.end()
        if (tail := _TAIL.fullmatch(text, end)) is None:
            return None
        enterprise, kind, nonce, reason, reinstates, seen_hash, seen_number = tail.groups()
        return Operation(
            _KINDS[kind],
            # Times are compared faster where they have the very same zone.
            datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), SHANGHAI),
            card_number,
            enterprise,
            tuple(changes),
            int(seen_number),
            seen_hash,
            nonce,
            reason,
            None if reinstates is None else int(reinstates),
        )
    except (ValueError, KeyError):
        return None


def _read_row(table: str, key: GrantKey, text: str) -> Row | None:
    if text == "null":
        return None
    if (fits := _ROWS[table].fullmatch(text)) is None:
        raise ValueError("not the columns of the table")
    if table == "enterprise_grant":
        granted_on, revision, valid_until = fits.groups()
        days = date.fromisoformat(granted_on), date.fromisoformat(valid_until)
        return EnterpriseGrantRow(key, *days, int(revision))
    who, day = fits.groups()
    row = OperatorGrantRow if table == "operator_grant" else LapseMark
    return row(key, who, date.fromisoformat(day))


class NotEntitled(EportError):
    """An operation does what its signer may not do, or does not fit what was there."""


_NOBODY: frozenset[str] = frozenset()


class State:
    """All rows as the operations make them, known by their identity.

    Attributes:
        rows: What stands.
        deletions: For each enterprise grant that does not stand any more, the number
            of the entry that took it away.
    """

    def __init__(self) -> None:
        self.rows: dict[Identity, Row] = {}
        self.deletions: dict[GrantKey, int] = {}
        self._under: dict[GrantKey, set[str]] = {}

    def cards_under(self, key: GrantKey) -> Set[str]:
        """The card numbers of the operator grants under an enterprise grant, as they are now."""
        return self._under.get(key, _NOBODY)

    def put(self, change: Change, number: int) -> int | None:
        """Take a change of the entry with a number over; returns the deletion it replaces."""
        row, goes = change.row, change.after is None
        if goes:
            self.rows.pop(row.identity, None)
        else:
            self.rows[row.identity] = row
        if isinstance(row, EnterpriseGrantRow):
            deletion = self.deletions.pop(row.key, None)
            if goes:
                self.deletions[row.key] = number
            return deletion
        if isinstance(row, OperatorGrantRow):
            under = self._under.setdefault(row.key, set())
            (under.discard if goes else under.add)(row.card_number)
            if not under:
                del self._under[row.key]
        return None

    def take_back(self, done: Sequence[tuple[Change, int | None]]) -> None:
        """Make it as it was before changes, each given with what `put` returned."""
        for change, deletion in reversed(done):
            self.put(Change(change.after, change.before), 0)
            if deletion is not None:
                self.deletions[change.row.key] = deletion
            elif isinstance(change.row, EnterpriseGrantRow):
                self.deletions.pop(change.row.key, None)


def replay(
    state: State, number: int, operation: Operation, reinstated: Operation | None = None
) -> None:
    """Work one operation into the state.

    Args:
        number: Of the entry.
        reinstated: The operation of the entry that `operation.reinstates` names.

    Raises:
        NotEntitled: The signer's enterprise may not make one of its changes, or the
            change does not fit; the state is as it was.
    """
    if not operation.changes:
        raise NotEntitled("该操作没有改变任何授权")
    back = _reinstatable(state, number, operation, reinstated)
    done: list[tuple[Change, int | None]] = []
    try:
        for change in operation.changes:
            row = change.row
            _check_fit(state, change, row)
            _check_right(operation, change, row, back)
            done.append((change, state.put(change, number)))
        _check_whole(state, operation)
    except NotEntitled:
        state.take_back(done)
        raise


def _reinstatable(
    state: State, number: int, operation: Operation, reinstated: Operation | None
) -> set[Row]:
    """The operator grants that a principal may put back together with its enterprise grant.

    They are the agent's.  So they come back only as the principal's own deletion took
    them, and only as long as nothing has happened to the enterprise grant since.
    """
    takes_back = operation.kind in (Kind.REINSTATE, Kind.REINSTATE_OPERATOR)
    if takes_back != (operation.reinstates is not None):
        raise NotEntitled("恢复的操作与所恢复的那一笔不相称")
    if operation.reinstates is None:
        return set()
    if reinstated is None or not 0 < operation.reinstates < number:
        raise NotEntitled(f"所恢复的第{operation.reinstates}笔不在此前")
    if reinstated.kind is not Kind.DELETE or reinstated.enterprise != operation.enterprise:
        return set()
    # What the principal only found there, no agent had signed.
    found = {change.row.identity for change in reinstated.changes if change.found}
    return {
        change.before
        for change in reinstated.changes
        if isinstance(change.before, OperatorGrantRow)
        and change.after is None
        and change.row.identity not in found
        and state.deletions.get(change.row.key) == operation.reinstates
    }


def _check_fit(state: State, change: Change, row: Row) -> None:
    before, after, found = change
    if before and after and before.identity != after.identity:
        raise NotEntitled("改动前后不是同一条授权")
    if state.rows.get(row.identity) != before:
        raise NotEntitled("改动前的内容与台账不符")
    if isinstance(after, LapseMark) and after.owner not in (after.key.principal, after.key.agent):
        raise NotEntitled("与该授权无关的企业不能作标记")
    if isinstance(after, EnterpriseGrantRow):
        _check_grant(after, None if found else before)
    elif before and after and not found:
        raise NotEntitled("这种记录只能增加或删除，不能修改")


def _check_grant(after: EnterpriseGrantRow, before: Row | None) -> None:
    if after.key.principal == after.key.agent or after.valid_until < after.granted_on:
        raise NotEntitled("授权的内容不成立")
    if isinstance(before, EnterpriseGrantRow) and after.revision != before.revision + 1:
        raise NotEntitled("授权的修订号不连续")


def _check_right(operation: Operation, change: Change, row: Row, back: set[Row]) -> None:
    if row.keeper == operation.enterprise:
        return
    if isinstance(row, OperatorGrantRow) and row.key.principal == operation.enterprise:
        if operation.kind is Kind.DELETE:
            # They go with the enterprise grant; `_check_whole` sees that it goes, too.
            return
        if operation.kind is Kind.REINSTATE and row in back and not change.found:
            return
    raise NotEntitled("签名的企业无权做这项改动")


def _check_whole(state: State, operation: Operation) -> None:
    """What must hold when all changes are done."""
    for key in {change.row.key for change in operation.changes}:
        cards = state.cards_under(key)
        stands = ("enterprise_grant", key) in state.rows
        if operation.kind is Kind.DELETE and (stands or cards):
            raise NotEntitled("删除授权的操作没有删除整个授权")
        if cards and not stands:
            raise NotEntitled("企业内授权没有所属的企业间授权")
        if ALL_OPERATORS in cards and len(cards) > 1:
            raise NotEntitled("全部操作员与单个操作员不能同时授权")
