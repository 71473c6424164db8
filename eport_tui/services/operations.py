"""The one way in which grants change: planned, signed by the card, recorded and done.

The card signs before the database is held, because a card may take its time.  What
was planned is planned once more when the database is held; where others were faster
and it comes out otherwise, it is signed anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING

import rfc8785

from eport_tui.domain import dates
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.holders import Holder
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    Operation,
    OperatorGrantRow,
    Row,
)
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotPermitted
from eport_tui.services.guard import require_legal_person
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.faults import GivenUp

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

SIGNED_FOR = b"eport_tui/operation/v1\0"
"""Stands before the payload when it is signed, so that the signature serves nothing else."""

LONGEST_REASON = 100
"""Characters of a reason."""

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
    today: date | None = None,
) -> Done | None:
    """Have the card's enterprise do what is planned, and record it.

    Args:
        plan: Says what to do, or raises why it cannot be done; none where there is
            nothing to do.  It is asked more than once, the last time inside the
            transaction, so it must only read.
        reason: Why it is done; may be empty.
        today: The day on which it is done, for a made-up past; otherwise now.

    Returns:
        What was done; none where nothing was to be done.

    Raises:
        NotPermitted: The card may not change grants; see `require_legal_person`.
        InvalidInput: The reason is too long.
        ClockSetBack: The server's clock is behind the last entry.
        EportError: Others kept changing the same; nothing was stored.
    """
    reason = check_reason(reason)
    for _ in range(_ATTEMPTS):
        permit = require_legal_person(session)
        planned = plan(permit.holder)
        if planned is None:
            return None
        moment = _moment(today)
        changes = _with_found(store, planned.changes)
        payload = _payload(store, permit.holder, planned, changes, reason, moment)
        signature = session.sign(SIGNED_FOR + payload)
        with suppress(GivenUp), store.transaction():
            # The card may have been pulled while we waited for the lock.
            permit.require()
            if plan(permit.holder) == planned and _with_found(store, planned.changes) == changes:
                number = ledger.append(
                    store,
                    payload.decode(),
                    signature,
                    session.certificate,
                    changes,
                    recorded_at=_moment(today),
                    changed_by=permit.holder.card_number,
                )
                return Done(number, planned)
    raise EportError("他人正在修改同样的授权，没有保存", hint="请稍候再试")


def check_reason(text: str) -> str:
    """The reason as it is recorded.

    Raises:
        InvalidInput: It is longer than `LONGEST_REASON`.
    """
    reason = printable(text.strip())
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


def _payload(
    store: Store,
    holder: Holder,
    planned: Planned,
    changes: Sequence[Change],
    reason: str,
    moment: datetime,
) -> bytes:
    seen = ledger.head(store)
    operation = Operation(
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
    return rfc8785.dumps(operation.as_json())


def is_proven(store: Store, row: Row) -> bool:
    """Whether the ledger has a row just so."""
    return ledger.proven(store, row) == row


def _with_found(store: Store, changes: Sequence[Change]) -> list[Change]:
    """The changes, and before them what the signer takes over as another program left it.

    Raises:
        NotPermitted: An operator grant would stand under an enterprise grant that its
            principal has never signed.
    """
    found: list[Change] = []
    for change in changes:
        recorded = ledger.proven(store, change.row)
        if recorded != change.before:
            found.append(Change(recorded, change.before, found=True))
    known = {change.row.identity for change in changes}
    for key in {change.row.key: None for change in changes if _touches_operators(change)}:
        vanished = ledger.vanished_operator_grants(store, key)
        found += [Change(row, None, found=True) for row in vanished if row.identity not in known]
    for change in changes:
        if isinstance(change.after, OperatorGrantRow):
            parent = ("enterprise_grant", *change.row.identity[1:5])
            if parent not in known and not ledger.has_enterprise_grant(store, change.row.key):
                raise NotPermitted(
                    "该企业间授权没有授权企业的签名，不能在其下授权",
                    hint="请授权企业的法人卡打开该授权并重新保存",
                )
    return [*found, *changes]


def _touches_operators(change: Change) -> bool:
    return isinstance(change.row, OperatorGrantRow) or (
        isinstance(change.row, EnterpriseGrantRow) and change.after is None
    )
