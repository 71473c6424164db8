"""企业内授权: an agent hands what it was granted on to its operators (spec §2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTable, CodeTables
from eport_tui.domain.grants import (
    ALL_OPERATORS,
    EnterpriseGrant,
    GrantKey,
    GrantState,
    OperatorGrant,
)
from eport_tui.domain.holders import Enterprise, Holder
from eport_tui.domain.identifiers import parse_card_number
from eport_tui.domain.lists import EVERYTHING, Count, InMemory, Order, PageSource, Spans
from eport_tui.domain.netloss import Grants, Loss, net_loss
from eport_tui.domain.operations import Change, Kind, OperatorGrantRow
from eport_tui.domain.text import half_width
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services.enterprise_grants import Conflict, not_shown, row_of_operator_grant
from eport_tui.services.guard import require_legal_person
from eport_tui.services.operations import Planned, perform
from eport_tui.services.pages import CARD, Listing, about, by_code, by_last_day, by_subsystem
from eport_tui.store import enterprise_grants
from eport_tui.store import operator_grants as grants
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import RECEIVED
from eport_tui.store.keyset import Keyset
from eport_tui.store.permissions import legal_person_of

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof

CARD_FIELD = "card_number"
ALL_FIELD = "to_all"


@dataclass(frozen=True, slots=True)
class ReceivedRow:
    """An enterprise grant that was received, as the upper list shows it.

    Attributes:
        grant: The grant.
        principal: From whom; USCC and name are empty when it is not in the registry.
        state: The state on the day the list was asked for.
        operator_grants: How many operator grants stand under it, counted up to a thousand.
        to_all: Whether that is one to all operators.
    """

    grant: EnterpriseGrant
    principal: Enterprise
    state: GrantState
    operator_grants: Count
    to_all: bool


@dataclass(frozen=True, slots=True)
class FoundRow:
    """Where the quick query has found something.

    Attributes:
        grant_id: Number of the enterprise grant.
        wrapped: Whether the search went past the end and began again.
        alone: Whether no other one matches, in the narrowed list if it was found there.
    """

    grant_id: int
    wrapped: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class NewOperatorGrant:
    """An entry that was typed: to all operators, or to one card."""

    to_all: bool
    card_number: str = ""

    @property
    def stored_card_number(self) -> str:
        """The card number in the database."""
        return ALL_OPERATORS if self.to_all else self.card_number


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """An entry that may be added.

    Attributes:
        entry: With the card number in its canonical form.
        replaces: How many grants to single cards it takes the place of, stored
            and pending ones together; to be confirmed when it is not 0.
    """

    entry: NewOperatorGrant
    replaces: int


@dataclass(frozen=True, slots=True)
class OperatorLossPreview:
    """What deleting an operator grant would take away.

    Attributes:
        grant: The operator grant.
        parent: The enterprise grant it stands under.
        principal: Who made that one.
        losses: What stops working; at most one, as a card has one grant under another.
    """

    grant: OperatorGrant
    parent: EnterpriseGrant
    principal: Enterprise
    losses: PageSource[Loss]


class AlreadyGranted(InvalidInput):
    """An entry that is refused because what it would grant is granted already.

    Attributes:
        entry: The entry.
    """

    def __init__(
        self, message: str, entry: NewOperatorGrant, *, field: str, hint: str | None = None
    ) -> None:
        super().__init__(message, field=field, hint=hint)
        self.entry = entry


def received(
    store: Store,
    session: CardSession,
    *,
    today: date | None = None,
    subsystems: CodeTable | None = None,
) -> PageSource[ReceivedRow]:
    """The enterprise grants that the card's enterprise has received; key: the grant's number.

    By principal, by last day, or by subsystem.

    Args:
        today: The day that the states are about; without it that on which it is read.
        subsystems: With it, subsystems are also found by their names.
    """
    own = session.require().enterprise.customs_code
    day = about(today)

    def row(values: tuple[Any, ...]) -> ReceivedRow:
        item = enterprise_grants.listed(values)
        return ReceivedRow(
            item.grant, item.other, item.grant.state(day()), item.operator_grants, item.to_all
        )

    def rows(order: Order, spans: Spans) -> Keyset[ReceivedRow]:
        leg = RECEIVED.leg(own, order.column, spans)
        return Keyset(store, [leg], row, lambda row: RECEIVED.place(row.grant, order.column))

    orders = (by_code("principal", "授权企业编号"), by_last_day(day), by_subsystem(subsystems))
    return Listing(rows, orders)


def find_next(
    store: Store,
    session: CardSession,
    *,
    customs_code: str = "",
    uscc: str = "",
    after: int | None = None,
    order: Order | None = None,
    filter: str = "",
) -> FoundRow:
    """The next received grant whose principal's codes begin as typed (快速查询).

    Where both are given, both must match.  Small letters and full-width ones find
    the same as capitals.

    Args:
        after: Number of the grant to search on from; none or a grant that is gone
            begins at the top.
        order: The one of `received` that the list is in; the usual one where none is given.
        filter: What the list is narrowed by in that order; only where none of its rows
            matches, one of the others is found.

    Raises:
        InvalidInput: Neither is given, or too much would have to be looked through.
        NotFound: None matches.
    """
    own = session.require().enterprise.customs_code
    code, credit = half_width(customs_code).upper(), half_width(uscc).upper()
    if not code and not credit:
        raise InvalidInput(
            "请输入授权企业编号或授权企业社会信用代码",
            field="customs_code",
            hint="输入开头几位即可",
        )
    column = "principal" if order is None else order.column
    narrowed = [order.read(filter)] if order is not None and filter else []
    for spans in (*narrowed, EVERYTHING):

        def match(after: int | None, spans: Spans = spans) -> int | None:
            return RECEIVED.match(store, own, code, credit, after, column=column, spans=spans)

        grant_id = None if after is None else match(after)
        wrapped = grant_id is None and after is not None
        if grant_id is None:
            grant_id = match(None)
        if grant_id is None:
            continue
        try:
            alone = match(grant_id) is None and (after is None or match(None) == grant_id)
        except InvalidInput:
            # Whether there is another one would take too long to find out.
            alone = False
        return FoundRow(grant_id, wrapped, alone)
    raise NotFound("未查询到相应记录", field="customs_code")


def granted(
    store: Store, session: CardSession, enterprise_grant_id: int
) -> PageSource[OperatorGrant]:
    """The operator grants under an enterprise grant, by card number; key: the grant's number.

    Raises:
        NotFound: The enterprise grant is gone.
        NotPermitted: The card's enterprise is not its agent.
    """
    _received(store, session.require(), enterprise_grant_id)

    def rows(order: Order, spans: Spans) -> Keyset[OperatorGrant]:
        leg = grants.under(enterprise_grant_id, spans)
        return Keyset(store, [leg], grants.from_row, lambda grant: (grant.card_number,))

    return Listing(rows, (CARD,))


def check_entry(
    store: Store,
    session: CardSession,
    enterprise_grant_id: int,
    entry: NewOperatorGrant,
    pending: Iterable[NewOperatorGrant],
    *,
    key: GrantKey | None = None,
    today: date | None = None,
) -> CheckedEntry:
    """Check an entry against what is stored and what is waiting to be saved (添加).

    Args:
        key: What the enterprise grant was shown to be; where it is not given, its number
            alone tells.

    Raises:
        NotPermitted: The card may not grant, or its enterprise is not the agent.
        NotFound: The enterprise grant is gone, or is another one than was shown.
        InvalidInput: The enterprise grant has expired, the card number is malformed,
            the card is there already, or a grant to all operators is.
    """
    holder = require_legal_person(session).holder
    grant = _received(store, holder, enterprise_grant_id)
    if key is not None and grant.key != key:
        raise not_shown()
    _require_in_force(grant, today)
    cards = {other.stored_card_number for other in pending}
    return _check(store, holder, enterprise_grant_id, entry, cards)


def save(
    store: Store,
    session: CardSession,
    enterprise_grant_id: int,
    entries: Iterable[NewOperatorGrant],
    *,
    replacing: int = 0,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> list[OperatorGrant]:
    """Store the entries, all or none.

    Args:
        entries: At least one; one to all operators stands alone.
        replacing: How many stored grants to single cards the operator agreed to
            have replaced by one to all operators.
        proof: What the ledger proves, as for `enterprise_grants.save`.

    Raises:
        NotPermitted, NotFound, InvalidInput: As `check_entry`, for each entry; also where the
            ledger has, or proves, no signature of the principal.
        AlreadyGranted: Of an entry that is stored meanwhile, or is for one card while all
            operators are.
        Conflict: The number of stored single cards is not `replacing` any more.
    """
    entries = list(entries)
    if not entries:
        require_legal_person(session)
        raise InvalidInput("没有需要保存的记录", hint="请先添加")
    day = today or dates.today()

    def plan(holder: Holder) -> Planned:
        grant = _received(store, holder, enterprise_grant_id)
        _require_in_force(grant, today)
        # In the order in which they were added; a dict, because each is looked for among them.
        checked: dict[str, None] = {}
        for entry in entries:
            found = _check(store, holder, enterprise_grant_id, entry, checked.keys())
            if entry.to_all and checked:
                raise InvalidInput("全部操作员与单个操作员不能同时授权", field=ALL_FIELD)
            if entry.to_all and found.replaces != replacing:
                raise Conflict(
                    f"将被替换的单个授权由 {replacing} 条变为 {found.replaces} 条，没有保存",
                    current=grant,
                )
            checked[found.entry.stored_card_number] = None
        replaced = grants.all_under(store, grant.id) if ALL_OPERATORS in checked else []
        going = [Change(row_of_operator_grant(grant.key, each), None) for each in replaced]
        coming = [
            Change(None, OperatorGrantRow(grant.key, card_number, day)) for card_number in checked
        ]
        return Planned(Kind.HAND_ON, (*going, *coming))

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    assert done is not None
    added = [change.row for change in done.planned.changes if change.after]
    stored = (
        grants.find(store, enterprise_grant_id, row.card_number)
        for row in added
        if isinstance(row, OperatorGrantRow)
    )
    return [grant for grant in stored if grant is not None]


def deletion_preview(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    operator_grant_id: int,
    *,
    shown: OperatorGrantRow | None = None,
    today: date | None = None,
) -> OperatorLossPreview:
    """What the deletion of an operator grant would take away.

    Args:
        shown: As what it was shown; where it is not given, the number alone tells.

    Raises:
        NotFound: It is gone, or the number is that of another one than was shown.
        NotPermitted: The card's enterprise is not the agent.
    """
    holder = session.require()
    grant, parent = _standing(store, holder, operator_grant_id, shown)
    item = RECEIVED.get(store, holder.enterprise.customs_code, parent.id)
    if item is None:
        raise _gone()
    # Of the others only a grant to all operators could keep what this one gives.
    to_all = grants.find(store, parent.id, ALL_OPERATORS)
    kept = (to_all,) if to_all is not None and to_all != grant else ()
    losses = net_loss(
        Grants((parent,), (grant,)),
        Grants((parent,), kept),
        tables,
        since=today or dates.today(),
    )
    return OperatorLossPreview(
        grant, parent, item.other, InMemory(losses, lambda loss: loss.card_number)
    )


def delete(
    store: Store,
    session: CardSession,
    operator_grant_id: int,
    *,
    shown: OperatorGrantRow | None = None,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> None:
    """Remove an operator grant.

    Args:
        shown: As for `deletion_preview`.
        proof: What the ledger proves, as for `enterprise_grants.save`.

    Raises:
        NotPermitted: The card may not grant, or its enterprise is not the agent.
        NotFound: It is gone already, or the number is that of another one than was shown.
    """

    def plan(holder: Holder) -> Planned:
        grant, parent = _standing(store, holder, operator_grant_id, shown)
        return Planned(Kind.WITHDRAW, (Change(row_of_operator_grant(parent.key, grant), None),))

    perform(store, session, plan, reason=reason, proof=proof, today=today)


def _standing(
    store: Store, holder: Holder, operator_grant_id: int, shown: OperatorGrantRow | None
) -> tuple[OperatorGrant, EnterpriseGrant]:
    grant = grants.get(store, operator_grant_id)
    if grant is None:
        raise _gone()
    parent = _received(store, holder, grant.enterprise_grant_id)
    if shown is not None and row_of_operator_grant(parent.key, grant) != shown:
        raise not_shown()
    return grant, parent


def _gone() -> NotFound:
    return NotFound("该操作员授权已不存在", hint="可能已被删除，请刷新列表")


def _received(store: Store, holder: Holder, enterprise_grant_id: int) -> EnterpriseGrant:
    grant = enterprise_grants.get(store, enterprise_grant_id)
    if grant is None:
        raise NotFound("该企业间授权已不存在", hint="可能已被授权企业删除，请刷新列表")
    if grant.key.agent != holder.enterprise.customs_code:
        raise NotPermitted("该授权不是授予本企业的，不能办理企业内授权")
    return grant


def _require_in_force(grant: EnterpriseGrant, today: date | None) -> None:
    if grant.state(today or dates.today()) is GrantState.EXPIRED:
        raise InvalidInput(
            f"该企业间授权已于 {grant.valid_until} 到期，不能再授予操作员",
            hint="请联系授权企业重新授权",
        )


def _check(
    store: Store,
    holder: Holder,
    enterprise_grant_id: int,
    entry: NewOperatorGrant,
    pending: Set[str],
) -> CheckedEntry:
    """Check an entry; `pending` are the stored card numbers of those added before it."""
    all_stored = _stands(store, enterprise_grant_id, ALL_OPERATORS)
    all_stand = all_stored or ALL_OPERATORS in pending
    if entry.to_all:
        if all_stand:
            raise _refused("已授予全部操作员，不必重复添加", entry, ALL_FIELD, stored=all_stored)
        replaces = grants.count(store, enterprise_grant_id) + len(pending)
        return CheckedEntry(NewOperatorGrant(True), replaces)
    card = parse_card_number(entry.card_number, field=CARD_FIELD, label="操作员IC卡号")
    if card == holder.card_number or legal_person_of(store, card) is not None:
        raise InvalidInput(
            "法人卡不是操作员卡，不能授予", field=CARD_FIELD, hint="请输入操作员的IC卡号"
        )
    if all_stand:
        raise _refused(
            "已授予全部操作员，不能再授予单个操作员",
            entry,
            CARD_FIELD,
            stored=all_stored,
            hint="如需只授予个别操作员，请先删除全部操作员的授权",
        )
    stored = _stands(store, enterprise_grant_id, card)
    if stored or card in pending:
        raise _refused(f"操作员 {card} 已在列表中", entry, CARD_FIELD, stored=stored)
    return CheckedEntry(NewOperatorGrant(False, card), 0)


def _refused(
    message: str, entry: NewOperatorGrant, field: str, *, stored: bool, hint: str | None = None
) -> InvalidInput:
    """The refusal of an entry that there is already, stored or among those to be saved."""
    if stored:
        return AlreadyGranted(message, entry, field=field, hint=hint)
    return InvalidInput(message, field=field, hint=hint)


def _stands(store: Store, enterprise_grant_id: int, card_number: str) -> bool:
    return grants.find(store, enterprise_grant_id, card_number) is not None
