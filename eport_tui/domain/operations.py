"""Operations: what a legal person's card did to the grants, in a form that can be signed.

An operation lists the rows it changes, each as it was and as it is then.  Rows are
known by what they grant, not by their numbers in a database, so that the operations
alone give the state of all grants: `replay` works it out, and refuses an operation
that its signer was not entitled to or that does not fit what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

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


@dataclass(frozen=True, slots=True)
class EnterpriseGrantRow:
    """An enterprise grant, as `domain.grants.EnterpriseGrant` without what the store adds."""

    key: GrantKey
    granted_on: date
    valid_until: date
    revision: int

    table = "enterprise_grant"

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same row."""
        return (self.table, *_values(self.key))

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.key.principal

    def fields(self) -> dict[str, Any]:
        """For the signed text."""
        return {
            "granted_on": self.granted_on.isoformat(),
            "valid_until": self.valid_until.isoformat(),
            "revision": self.revision,
        }

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> EnterpriseGrantRow:
        """From the signed text."""
        return cls(
            key,
            date.fromisoformat(fields["granted_on"]),
            date.fromisoformat(fields["valid_until"]),
            int(fields["revision"]),
        )


@dataclass(frozen=True, slots=True)
class OperatorGrantRow:
    """An operator grant under the enterprise grant with `key`."""

    key: GrantKey
    card_number: str
    granted_on: date

    table = "operator_grant"

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same row."""
        return (self.table, *_values(self.key), self.card_number)

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.key.agent

    def fields(self) -> dict[str, Any]:
        """For the signed text."""
        return {"card_number": self.card_number, "granted_on": self.granted_on.isoformat()}

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> OperatorGrantRow:
        """From the signed text."""
        return cls(key, fields["card_number"], date.fromisoformat(fields["granted_on"]))


@dataclass(frozen=True, slots=True)
class LapseMark:
    """An enterprise lets a grant that it made or received run out on `valid_until`."""

    key: GrantKey
    owner: str
    valid_until: date

    table = "lapse_mark"

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same row."""
        return (self.table, *_values(self.key), self.owner)

    @property
    def keeper(self) -> str:
        """The enterprise whose legal person may change it."""
        return self.owner

    def fields(self) -> dict[str, Any]:
        """For the signed text."""
        return {"owner": self.owner, "valid_until": self.valid_until.isoformat()}

    @classmethod
    def of(cls, key: GrantKey, fields: dict[str, Any]) -> LapseMark:
        """From the signed text."""
        return cls(key, fields["owner"], date.fromisoformat(fields["valid_until"]))


Row = EnterpriseGrantRow | OperatorGrantRow | LapseMark
_TABLES: dict[str, type[Row]] = {
    each.table: each for each in (EnterpriseGrantRow, OperatorGrantRow, LapseMark)
}
_KEY = ("principal", "agent", "subsystem", "grant_type")


def _values(key: GrantKey) -> tuple[str, str, str, str]:
    return (key.principal, key.agent, key.subsystem, key.grant_type)


@dataclass(frozen=True, slots=True)
class Change:
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
        row = self.after or self.before
        assert row is not None
        return row

    def as_json(self) -> dict[str, Any]:
        """For the signed text."""
        row = self.row
        value: dict[str, Any] = {
            "table": row.table,
            **dict(zip(_KEY, _values(row.key), strict=True)),
            "before": self.before.fields() if self.before else None,
            "after": self.after.fields() if self.after else None,
        }
        return {**value, "found": True} if self.found else value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Change:
        """From the signed text."""
        row = _TABLES[value["table"]]
        key = GrantKey(*(value[name] for name in _KEY))
        before, after = (
            row.of(key, value[name]) if value[name] is not None else None
            for name in ("before", "after")
        )
        return cls(before, after, value.get("found", False))


@dataclass(frozen=True, slots=True)
class Operation:
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

    def as_json(self) -> dict[str, Any]:
        """What is put into canonical form and signed."""
        value: dict[str, Any] = {
            "format": FORMAT,
            "kind": self.kind.value,
            "at": self.at.isoformat(timespec="seconds"),
            "card": self.card_number,
            "enterprise": self.enterprise,
            "changes": [change.as_json() for change in self.changes],
            "seen": {"number": self.seen_number, "hash": self.seen_hash},
            "nonce": self.nonce,
            "reason": self.reason,
        }
        return value if self.reinstates is None else {**value, "reinstates": self.reinstates}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Operation:
        """From the signed text.

        Raises:
            ValueError: It is not the text of an operation.
        """
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']} is unknown")
            return cls(
                Kind(value["kind"]),
                datetime.fromisoformat(value["at"]),
                value["card"],
                value["enterprise"],
                tuple(Change.from_json(each) for each in value["changes"]),
                int(value["seen"]["number"]),
                value["seen"]["hash"],
                value["nonce"],
                value["reason"],
                value.get("reinstates"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an operation: {error!r}") from error


class NotEntitled(EportError):
    """An operation does what its signer may not do, or does not fit what was there."""


class State:
    """All rows as the operations make them, known by their identity."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], Row] = {}
        self._under: dict[GrantKey, set[str]] = {}

    def cards_under(self, key: GrantKey) -> frozenset[str]:
        """The card numbers of the operator grants under an enterprise grant."""
        return frozenset(self._under.get(key, ()))

    def put(self, change: Change) -> None:
        """Take a change over."""
        row = change.row
        if change.after is None:
            self.rows.pop(row.identity, None)
        else:
            self.rows[row.identity] = change.after
        if isinstance(row, OperatorGrantRow):
            under = self._under.setdefault(row.key, set())
            (under.discard if change.after is None else under.add)(row.card_number)
            if not under:
                del self._under[row.key]


def replay(state: State, operation: Operation, deleted: Iterable[Change] = ()) -> None:
    """Work one operation into the state.

    Args:
        deleted: The changes of the entry that `operation.reinstates` names.

    Raises:
        NotEntitled: The signer's enterprise may not make one of its changes, or the
            change does not fit; the state is then half changed and of no further use.
    """
    if not operation.changes:
        raise NotEntitled("该操作没有改变任何授权")
    gone = {change.before for change in deleted if change.before and change.after is None}
    for change in operation.changes:
        _check_fit(state, change)
        _check_right(state, operation, change, gone)
        state.put(change)
    _check_whole(state, operation)


def _check_fit(state: State, change: Change) -> None:
    before, after = change.before, change.after
    if before is None and after is None:
        raise NotEntitled("没有内容的改动")
    if before and after and before.identity != after.identity:
        raise NotEntitled("改动前后不是同一条授权")
    if state.rows.get(change.row.identity) != before:
        raise NotEntitled("改动前的内容与台账不符")
    if change.found or not isinstance(after, EnterpriseGrantRow):
        return
    if after.key.principal == after.key.agent or after.valid_until < after.granted_on:
        raise NotEntitled("授权的内容不成立")
    if before and after.revision != before.revision + 1:  # type: ignore[union-attr]
        raise NotEntitled("授权的修订号不连续")


def _check_right(state: State, operation: Operation, change: Change, gone: set[Row]) -> None:
    row = change.row
    if row.keeper == operation.enterprise:
        return
    by_principal = isinstance(row, OperatorGrantRow) and row.key.principal == operation.enterprise
    if by_principal and operation.kind is Kind.DELETE:
        # They go with the enterprise grant; `_check_whole` sees that it goes, too.
        return
    if by_principal and operation.kind is Kind.REINSTATE and row in gone and not change.found:
        return
    raise NotEntitled("签名的企业无权做这项改动")


def _check_whole(state: State, operation: Operation) -> None:
    """What must hold when all changes are done."""
    for key in {change.row.key for change in operation.changes}:
        cards = state.cards_under(key)
        if cards and ("enterprise_grant", *_values(key)) not in state.rows:
            raise NotEntitled("企业内授权没有所属的企业间授权")
        if ALL_OPERATORS in cards and len(cards) > 1:
            raise NotEntitled("全部操作员与单个操作员不能同时授权")
        if operation.kind is Kind.DELETE and cards:
            raise NotEntitled("签名的企业无权做这项改动")
