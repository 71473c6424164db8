"""Taking a deletion back: what an operation deleted stands again, as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.grants import ALL_OPERATORS, TO_ALL, EnterpriseGrant, GrantKey
from eport_tui.domain.holders import Holder
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    Operation,
    OperatorGrantRow,
)
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services.guard import require_legal_person
from eport_tui.services.operations import Planned, perform
from eport_tui.store import enterprise_grants, history, ledger, operator_grants, replacement
from eport_tui.store.database import Store

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof


@dataclass(frozen=True, slots=True)
class Deleted:
    """What an operation deleted.

    Attributes:
        grant: The enterprise grant, where it was deleted.
        operator_grants: Those deleted with it, or by themselves, that come back.
        unsigned: How many more went with it that their agent had never signed; they do
            not come back.
        replaced: The cards of those that do not come back because the agent has put
            another card in its place since (换卡); it may be lost.
        unproven: How many more do not come back because the ledger does not prove the deletion
            itself, which alone would give the principal the right to put them back.
    """

    grant: EnterpriseGrantRow | None
    operator_grants: tuple[OperatorGrantRow, ...]
    unsigned: int = 0
    replaced: tuple[str, ...] = ()
    unproven: int = 0

    @property
    def key(self) -> GrantKey:
        """The grant that it is about."""
        return self.grant.key if self.grant else self.operator_grants[0].key


def preview(
    store: Store,
    session: CardSession,
    number: int,
    *,
    proof: Proof | None = None,
    today: date | None = None,
) -> Deleted:
    """What would stand again, if the deletion in an entry is taken back.

    Args:
        proof: As for `reinstate`.

    Raises:
        NotFound, NotPermitted, InvalidInput: As `reinstate`.
    """
    holder = require_legal_person(session).holder
    return _reinstatable(store, holder, number, today or dates.today(), proof)


def is_possible(
    store: Store, session: CardSession, number: int, *, today: date | None = None
) -> bool:
    """Whether this card could have what an entry deleted stand again; for any card."""
    holder = session.require()
    if not holder.is_legal_person:
        return False
    try:
        _reinstatable(store, holder, number, today or dates.today(), None)
    except (InvalidInput, NotFound, NotPermitted):
        return False
    return True


def reinstate(
    store: Store,
    session: CardSession,
    number: int,
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> Deleted:
    """Have what an entry deleted stand again, each row exactly as it was.

    An operator grant to a card that the agent has replaced since is left out.  The rows
    get new numbers, so that a form which was open on a deleted one cannot overwrite it.

    Args:
        proof: What the ledger proves, as for `enterprise_grants.save`; a deletion that it does
            not prove brings no operator grants of the agent back.

    Raises:
        NotPermitted: The card may not grant, or another enterprise deleted it.
        NotFound: There is no such entry, or the enterprise grant above is gone.
        InvalidInput: The entry deleted nothing, it was granted or changed again since,
            its last day has passed, the card was replaced, or single cards and all
            operators would mix.
        EportError: What else `perform` raises.
    """
    day = today or dates.today()

    def plan(holder: Holder) -> Planned:
        deleted = _reinstatable(store, holder, number, day, proof)
        operators = tuple(Change(None, row) for row in deleted.operator_grants)
        if deleted.grant is None:
            return Planned(Kind.REINSTATE_OPERATOR, operators, number)
        return Planned(Kind.REINSTATE, (Change(None, deleted.grant), *operators), number)

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    assert done is not None
    rows = [change.row for change in done.planned.changes]
    return Deleted(
        next((row for row in rows if isinstance(row, EnterpriseGrantRow)), None),
        tuple(row for row in rows if isinstance(row, OperatorGrantRow)),
    )


def _reinstatable(
    store: Store, holder: Holder, number: int, day: date, proof: Proof | None
) -> Deleted:
    operation = _operation(store, number)
    gone = [change.before for change in operation.changes if change.after is None]
    found = {change.row.identity for change in operation.changes if change.found}
    grants = [row for row in gone if isinstance(row, EnterpriseGrantRow)]
    operators = [row for row in gone if isinstance(row, OperatorGrantRow)]
    signed = tuple(row for row in operators if row.identity not in found)
    # A card that was replaced was not deleted: its operator grants went on to another.
    if operation.kind is Kind.REPLACE_CARD or not (grants or signed):
        raise InvalidInput("该操作没有删除授权，不能恢复", hint="只有删除的操作可以恢复")
    if operation.enterprise != holder.enterprise.customs_code:
        raise NotPermitted("只有删除该授权的企业才能恢复")
    unsigned = len({row.identity for row in operators}) - len(signed)
    replaced = _replaced(store, signed, number)
    back = tuple(row for row in signed if row.card_number not in replaced)
    if not (grants or back):
        raise InvalidInput(
            f"操作员 {'、'.join(replaced)} 已换卡，不能恢复原卡的权限", hint="请为新卡添加授权"
        )
    unproven = 0
    if grants and proof is not None and proof.deletion(grants[0].key) != number:
        # The rule by which a principal puts back what is the agent's (`replay`).
        back, unproven = (), len(back)
    grant = grants[0] if grants else None
    deleted = Deleted(grant, back, unsigned, tuple(replaced), unproven)
    if deleted.grant is not None:
        _check_grant(store, deleted.grant, number, day)
    else:
        _check_operators(store, deleted, number, day)
    return deleted


def _replaced(
    store: Store, operators: tuple[OperatorGrantRow, ...], number: int
) -> dict[str, None]:
    """The cards that their agent has replaced since, and handed nothing on to after that."""
    if not operators:
        return {}
    key = operators[0].key
    cards = dict.fromkeys(row.card_number for row in operators)
    given_up: dict[str, int] = {}
    for entry in replacement.replacements_since(store, key, number):
        for change in _operation(store, entry).changes:
            if change.after is None and not change.found:
                assert isinstance(change.before, OperatorGrantRow)
                given_up[change.before.card_number] = entry
    return {
        card: None
        for card in cards
        if (entry := given_up.get(card)) is not None
        and not replacement.was_handed_on_after(store, key.agent, card, entry)
    }


def _operation(store: Store, number: int) -> Operation:
    stored = ledger.get(store, number)
    if stored is None:
        raise NotFound(f"没有第{number}笔操作")
    try:
        return Operation.read(stored.payload)
    except ValueError as error:
        raise InvalidInput(
            f"第{number}笔操作的内容无法识别，不能恢复", hint="请管理员核对台账"
        ) from error


def _check_grant(store: Store, row: EnterpriseGrantRow, number: int, day: date) -> None:
    if enterprise_grants.find(store, row.key) is not None:
        raise InvalidInput("该授权现已存在，不必恢复")
    if history.last_of_grant(store, row.key) != number:
        # What the agent took from its operators in between must not come back.
        raise InvalidInput(
            "该授权在这之后又授予过并再次删除", hint="请从最近一次删除恢复，或重新授权"
        )
    _check_in_force(row.valid_until, day)


def _check_operators(store: Store, deleted: Deleted, number: int, day: date) -> None:
    parent = enterprise_grants.find(store, deleted.key)
    if parent is None:
        raise NotFound("该企业间授权已不存在，不能恢复其下的操作员", hint="请联系授权企业")
    _check_in_force(parent.valid_until, day)
    for row in deleted.operator_grants:
        _check_operator(store, parent, row, number)
    comes_all = any(row.card_number == ALL_OPERATORS for row in deleted.operator_grants)
    if comes_all and operator_grants.count(store, parent.id):
        raise InvalidInput("现已授予单个操作员，不能再恢复全部操作员", hint="请先删除单个操作员")


def _check_operator(
    store: Store, parent: EnterpriseGrant, row: OperatorGrantRow, number: int
) -> None:
    card = row.card_number
    whom = f"操作员 {card} " if card else TO_ALL
    if operator_grants.find(store, parent.id, card) is not None:
        raise InvalidInput(f"{whom}的权限现已存在，不必恢复")
    if card and operator_grants.find(store, parent.id, ALL_OPERATORS) is not None:
        raise InvalidInput(
            "现已授予全部操作员，不能再恢复单个操作员", hint="请先删除全部操作员的授权"
        )
    if history.last_of_card(store, row.key, card) != number:
        raise InvalidInput(
            f"{whom}在这之后又授予过并再次删除", hint="请从最近一次删除恢复，或重新添加"
        )


def _check_in_force(valid_until: date, day: date) -> None:
    if valid_until < day:
        raise InvalidInput(
            f"该企业间授权已于 {valid_until} 到期，不能恢复", hint="请由授权企业重新授权"
        )
