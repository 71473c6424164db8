"""The one way in which grants change: planned, signed by the card, recorded and done.

The card signs before the database is held, because a card may take its time.  What
was planned is planned once more when the database is held; where others were faster
and it comes out otherwise, it is signed anew.  A transaction that the database gave up
is run again with the same signature.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import ALL_OPERATORS, GrantKey
from eport_tui.domain.holders import Holder
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Identity,
    Kind,
    Operation,
    OperatorGrantRow,
    Row,
    State,
)
from eport_tui.domain.text import one_line
from eport_tui.errors import EportError, InvalidInput, NotPermitted
from eport_tui.giving_up import point_of_no_return, stop_if_given_up
from eport_tui.services import registry
from eport_tui.services.guard import require_legal_person
from eport_tui.store import ledger, operator_grants
from eport_tui.store.database import Store

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.guard import Permit
    from eport_tui.services.proof import Proof

SIGNED_FOR = b"eport_tui/operation/v1\0"
"""Stands before the payload when it is signed, so that the signature serves nothing else."""

LONGEST_REASON = 100
"""Characters of a reason."""

LONGEST_DELAY = timedelta(minutes=10)
"""From the signing of an operation to its recording; the card and the queue take their time."""

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done.

    Attributes:
        kind: What it is.
        changes: The rows it changes, in their order.
        reinstates: Number of the entry whose deletion it takes back.
    """

    kind: Kind
    changes: tuple[Change, ...]
    reinstates: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and the number of its entry in the ledger."""

    number: int
    planned: Planned


def perform(
    store: Store,
    session: CardSession,
    plan: Callable[[Holder], Planned | None],
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> Done | None:
    """Have the card's enterprise do what is planned, and record it.

    Args:
        plan: Says what to do, or raises why it cannot be done; none where there is
            nothing to do.  It is asked more than once, the last time inside the
            transaction, so it must only read.
        reason: Why it is done; may be empty.
        proof: Where it is given, a row that it does not prove is signed as it is found,
            also one whose signer turned out to have been revoked before.
        today: The day on which it is done, for a made-up past; otherwise now.

    Returns:
        What was done; none where nothing was to be done.

    Raises:
        NotPermitted: The card may not change grants; see `require_legal_person`.
        InvalidInput: The reason is too long.
        Cancelled: The operator gave it up in time; nothing was stored.
        ClockSetBack: The server's clock is behind the last entry.
        InDoubt: The connection to the database was lost at the commit, and did not
            come back.
        EportError: Others kept changing the same; nothing was stored.
    """
    reason = check_reason(reason)
    for _ in range(_ATTEMPTS):
        permit = require_legal_person(session)
        planned = plan(permit.holder)
        if planned is None:
            return None
        changes = _with_found(store, planned.changes, proof)
        seen = ledger.head(store)
        operation = _operation(permit.holder, planned, changes, reason, _moment(today), seen)
        payload = operation.canonical()
        stop_if_given_up()
        signature = session.sign(SIGNED_FOR + payload.encode())
        signed = _Signed(planned, operation, payload, signature, session.certificate)
        number = store.transact(
            partial(_record, store, permit, plan, signed, proof, today),
            done=partial(ledger.number_of, store, payload, after=seen.number),
        )
        if number is not None:
            return Done(number, planned)
    raise EportError("他人正在修改同样的授权，没有保存", hint="请稍候再试")


def check_reason(text: str) -> str:
    """The reason as it is recorded: one line of what can be seen (`one_line`).

    Raises:
        InvalidInput: It is longer than `LONGEST_REASON`.
    """
    reason = one_line(text).strip()
    if len(reason) > LONGEST_REASON:
        raise InvalidInput(
            f"事由最多{LONGEST_REASON}个字，现为{len(reason)}个",
            field="reason",
            hint="请写得简短些",
        )
    return reason


def _moment(today: date | None) -> datetime:
    if today is not None:
        return datetime.combine(today, time(12), SHANGHAI)
    return dates.now().replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class _Signed:
    planned: Planned
    operation: Operation
    payload: str
    signature: bytes
    certificate: bytes


def _record(
    store: Store,
    permit: Permit,
    plan: Callable[[Holder], Planned | None],
    signed: _Signed,
    proof: Proof | None,
    today: date | None,
) -> int | None:
    """Record an operation inside a transaction; none where it has to be signed anew."""
    # The card may have been pulled while we waited for the lock.
    permit.require()
    operation = signed.operation
    recorded_at = _moment(today)
    if (
        not operation.at <= recorded_at <= operation.at + LONGEST_DELAY
        # A standby that took over may lack what was the last entry when it was signed.
        or ledger.hash_of(store, operation.seen_number) != operation.seen_hash
        or plan(permit.holder) != signed.planned
        or tuple(_with_found(store, signed.planned.changes, proof)) != operation.changes
    ):
        return None
    # Nothing of it is stored, also where this is run anew.
    point_of_no_return()
    if any(isinstance(change.after, EnterpriseGrantRow) for change in operation.changes):
        # Others are shown the grant with the principal's name, which nobody may have imported.
        registry.add_from_card(store, permit.holder.enterprise)
    return ledger.append(
        store,
        signed.payload,
        signed.signature,
        signed.certificate,
        operation.changes,
        recorded_at=recorded_at,
        changed_by=permit.holder.card_number,
    )


def _operation(
    holder: Holder,
    planned: Planned,
    changes: Sequence[Change],
    reason: str,
    moment: datetime,
    seen: ledger.Head,
) -> Operation:
    return Operation(
        kind=planned.kind,
        at=moment,
        card_number=holder.card_number,
        enterprise=holder.enterprise.customs_code,
        changes=tuple(changes),
        seen_number=seen.number,
        seen_hash=seen.hash,
        nonce=secrets.token_hex(16),
        reason=reason,
        reinstates=planned.reinstates,
    )


def is_proven(store: Store, row: Row, proof: Proof | None) -> bool:
    """Whether the ledger has a row just so, and proves it where `proof` is given."""
    return _Recorded(store, proof).row(row) == row


def is_granted(store: Store, key: GrantKey, proof: Proof | None) -> bool:
    """Whether the ledger has an enterprise grant with a key, and proves it as in `is_proven`."""
    return _Recorded(store, proof).is_granted(key)


class _Recorded:
    """What the ledger has now, or proves where `proof` is given; each grant is read once."""

    def __init__(self, store: Store, proof: Proof | None) -> None:
        self._store = store
        self._proof = proof
        self._states: dict[GrantKey, State] = {}

    def _state(self, key: GrantKey, proof: Proof) -> State:
        if key not in self._states:
            self._states[key] = proof.state(key)
        return self._states[key]

    def row(self, row: Row) -> Row | None:
        """The row with the same identity; none where there is none."""
        if self._proof is None:
            return ledger.proven(self._store, row)
        return self._state(row.key, self._proof).rows.get(row.identity)

    def is_granted(self, key: GrantKey) -> bool:
        """Whether there is an enterprise grant with a key."""
        if self._proof is None:
            return ledger.has_enterprise_grant(self._store, key)
        return ("enterprise_grant", key) in self._state(key, self._proof).rows

    def vanished(self, key: GrantKey, card: str | None) -> list[OperatorGrantRow]:
        """Operator grants under a key, or the one to a card, that are not in the tables."""
        if self._proof is None:
            return ledger.vanished_operator_grants(self._store, key, card)
        state = self._state(key, self._proof)
        cards = state.cards_under(key) if card is None else state.cards_under(key) & {card}
        if not cards:
            return []
        gone = sorted(cards - operator_grants.cards_under(self._store, key, card))
        rows = (state.rows["operator_grant", key, each] for each in gone)
        return [row for row in rows if isinstance(row, OperatorGrantRow)]


def _with_found(store: Store, changes: Sequence[Change], proof: Proof | None) -> list[Change]:
    """The changes, and before them what the signer takes over as another program left it.

    Raises:
        NotPermitted: An operator grant would stand under an enterprise grant that its
            principal has never signed.
    """
    first: dict[Identity, Change] = {}
    for change in changes:
        first.setdefault(change.row.identity, change)
    found: list[Change] = []
    recorded = _Recorded(store, proof)
    for change in first.values():
        before = recorded.row(change.row)
        if before != change.before:
            found.append(Change(before, change.before, found=True))
    for key, card in dict.fromkeys(_excluded(changes)):
        vanished = recorded.vanished(key, card)
        found += [Change(row, None, found=True) for row in vanished if row.identity not in first]
    for change in changes:
        if isinstance(change.after, OperatorGrantRow):
            key = change.after.key
            parent = ("enterprise_grant", key)
            if parent not in first and not recorded.is_granted(key):
                raise NotPermitted(
                    "该企业间授权没有授权企业的签名，不能在其下授权",
                    hint="请授权企业的法人卡打开该授权并重新保存",
                )
    return [*found, *changes]


def _excluded(changes: Sequence[Change]) -> Iterator[tuple[GrantKey, str | None]]:
    """Beside which operator grants a change cannot stand: those to a card, or all of a key."""
    for change in changes:
        match change.row:
            case EnterpriseGrantRow() if change.after is None:
                yield change.row.key, None
            case OperatorGrantRow(card_number=card) if change.after is not None:
                yield change.row.key, None if card == ALL_OPERATORS else ALL_OPERATORS
            case _:
                pass
