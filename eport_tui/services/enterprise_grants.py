"""企业间授权: an enterprise grants to another (spec §2.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTable, CodeTables
from eport_tui.domain.grants import (
    EnterpriseGrant,
    GrantDraft,
    GrantKey,
    GrantState,
    OperatorGrant,
    check_draft,
    parse_agent,
)
from eport_tui.domain.holders import Enterprise, Holder
from eport_tui.domain.lists import Count, InMemory, Order, PageSource, Spans
from eport_tui.domain.netloss import Grants, Loss, net_loss
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    OperatorGrantRow,
)
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import registry
from eport_tui.services.operations import Planned, is_proven, perform
from eport_tui.services.pages import CARD, Listing, about, by_code, by_last_day, by_subsystem
from eport_tui.store import enterprise_grants as grants
from eport_tui.store import operator_grants as operator_grant_rows
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import MADE
from eport_tui.store.keyset import Keyset

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof


class GrantStands(EportError):
    """A grant with the same key is in force; it can be opened and changed.

    Attributes:
        grant: The grant that stands.
    """

    def __init__(self, grant: EnterpriseGrant, agent: Enterprise, tables: CodeTables) -> None:
        key = grant.key
        super().__init__(
            f"已授权 {key.agent} {printable(agent.name)}"
            f"「{tables.subsystems.name(key.subsystem)}」"
            f"「{tables.grant_types.name(key.grant_type)}」，有效期至 {grant.valid_until}",
            field="agent",
            hint="可打开该授权修改有效期",
        )
        self.grant = grant


class RenewalNeedsConfirmation(EportError):
    """An expired grant is granted again, which revives the operator grants under it.

    Attributes:
        operator_grants: How many come to life again.
    """

    def __init__(self, grant: EnterpriseGrant, operator_grants: int) -> None:
        super().__init__(
            f"该授权已于 {grant.valid_until} 到期，"
            f"重新授权后，代理企业原有的 {operator_grants} 条企业内授权将一并恢复",
            hint="请确认是否重新授权",
        )
        self.operator_grants = operator_grants


class Conflict(EportError):
    """Someone else has changed meanwhile what was to be changed; nothing was stored.

    Attributes:
        current: The enterprise grant as it stands now.
        yours: What was to be stored, where there was something.
    """

    def __init__(
        self, message: str, *, current: EnterpriseGrant, yours: GrantDraft | None = None
    ) -> None:
        super().__init__(message, hint="请核对现在的内容后再操作")
        self.current = current
        self.yours = yours


class LossChanged(EportError):
    """Others stand under the grant than when the loss was agreed to; nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "该授权下的企业内授权刚才有变化，没有保存", hint="请再保存一次，核对新的清单"
        )


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant that was made, as the list shows it.

    Attributes:
        grant: The grant.
        agent: To whom; USCC and name are empty when it is not in the registry.
        state: The state on the day the list was asked for.
    """

    grant: EnterpriseGrant
    agent: Enterprise
    state: GrantState


@dataclass(frozen=True, slots=True)
class SavedGrant:
    """What a save has done.

    Attributes:
        grant: The grant as it is stored now.
        created: Whether it is a new one.
        renewed: Whether it had expired and was granted again.
        changed: Whether anything was to be stored at all.
    """

    grant: EnterpriseGrant
    created: bool = False
    renewed: bool = False
    changed: bool = True


@dataclass(frozen=True, slots=True)
class LossPreview:
    """What deleting or shortening a grant would take away.

    Attributes:
        row: The grant.
        operator_grants: How many operator grants stand under it.
        newest: Number of the newest of them, or 0; as numbers are never used twice,
            the two together tell whether they are still the same.
        losses: What stops working, by card number.
    """

    row: GrantRow
    operator_grants: int
    newest: int
    losses: PageSource[Loss]


def made(
    store: Store,
    session: CardSession,
    *,
    today: date | None = None,
    subsystems: CodeTable | None = None,
) -> PageSource[GrantRow]:
    """The grants that the card's enterprise has made; the key of a row is the grant's number.

    By agent, by last day, or by subsystem.

    Args:
        today: The day that the states are about; without it that on which it is read.
        subsystems: With it, subsystems are also found by their names.
    """
    own = session.require().enterprise.customs_code
    day = about(today)

    def rows(order: Order, spans: Spans) -> Keyset[GrantRow]:
        return Keyset(
            store,
            [MADE.leg(own, order.column, spans)],
            lambda row: _row(grants.listed(row), day()),
            lambda row: MADE.place(row.grant, order.column),
        )

    orders = (by_code("agent", "代理企业编号"), by_last_day(day), by_subsystem(subsystems))
    return Listing(rows, orders)


def look_up_agent(store: Store, session: CardSession, text: str) -> Enterprise:
    """The enterprise that 代理企业编号 names.

    Raises:
        InvalidInput: It is malformed, or the own code.
        NotFound: It is not in the registry.
    """
    own = session.require().enterprise.customs_code
    return registry.look_up(store, parse_agent(text, own))


def save(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    draft: GrantDraft,
    *,
    confirm_renewal: bool = False,
    agreed: LossPreview | None = None,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> SavedGrant:
    """Store a new grant, or the new last day of one that was opened.

    A grant that has expired is granted again on the same row, from today, whether
    it was opened or entered anew.  One that was opened and that the ledger does not prove
    is signed by saving it as it stands.

    Args:
        agreed: What was said to stop working by a shortening, and agreed to; without it
            nothing may stand under a grant that is shortened.
        proof: What the ledger proves; without it, what it has counts as proven.

    Raises:
        NotPermitted: The card may not grant, or the opened grant is another's.
        InvalidInput: A field is at fault; the first one is told.
        NotFound: The agent is not in the registry, or the opened grant is gone: its number
            is that of no grant, or of one with another key.
        GrantStands: There is a grant with this key already, in force.
        RenewalNeedsConfirmation: It would revive operator grants.
        Conflict: The opened grant has been changed since.
        LossChanged: What stands under it is not what was agreed to.
        EportError: What else `perform` raises.
    """
    day = today or dates.today()

    def plan(holder: Holder) -> Planned | None:
        own = holder.enterprise.customs_code
        checked, faults = check_draft(draft, principal=own, tables=tables, today=day)
        if checked is None:
            raise faults[0]
        if draft.grant_id is not None:
            current = _opened(store, own, draft.grant_id, checked.key)
            if current.revision != draft.revision:
                raise Conflict("该授权已被他人修改，没有保存", current=current, yours=draft)
            if checked.valid_until < current.valid_until:
                # Nothing was asked where nothing stood under it.
                said = (agreed.operator_grants, agreed.newest) if agreed else (0, 0)
                if operator_grant_rows.standing(store, current.id) != said:
                    raise LossChanged
            return _change(store, current, checked.valid_until, day, confirm_renewal, proof)
        agent = registry.look_up(store, checked.key.agent)
        current = grants.find(store, checked.key)
        if current is None:
            row = EnterpriseGrantRow(checked.key, day, checked.valid_until, 1)
            return Planned(Kind.GRANT, (Change(None, row),))
        if current.state(day) is not GrantState.EXPIRED:
            raise GrantStands(current, agent, tables)
        return _change(store, current, checked.valid_until, day, confirm_renewal, proof)

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    if done is None:
        assert draft.grant_id is not None
        return SavedGrant(_stored(store, draft.grant_id), changed=False)
    key = done.planned.changes[0].row.key
    stored = grants.find(store, key)
    if stored is None:
        raise _gone()
    kind = done.planned.kind
    return SavedGrant(stored, created=kind is Kind.GRANT, renewed=kind is Kind.RENEW)


def deletion_preview(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    grant_id: int,
    *,
    key: GrantKey | None = None,
    today: date | None = None,
) -> LossPreview:
    """What the deletion of a grant would take away.

    Args:
        key: What it was shown to grant; where it is not given, the number alone tells.

    Raises:
        NotFound: It is gone, or the number is that of another grant than was shown.
        NotPermitted: It is another enterprise's.
    """
    return _loss_preview(store, tables, session, grant_id, key, None, today or dates.today())


def shortening_preview(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    grant_id: int,
    valid_until: date,
    *,
    key: GrantKey | None = None,
    today: date | None = None,
) -> LossPreview:
    """What another last day would take away from a grant; nothing where it is no earlier one.

    Args:
        key: As for `deletion_preview`.

    Raises:
        NotFound, NotPermitted: As `deletion_preview`.
    """
    day = today or dates.today()
    return _loss_preview(store, tables, session, grant_id, key, valid_until, day)


def _loss_preview(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    grant_id: int,
    key: GrantKey | None,
    valid_until: date | None,
    day: date,
) -> LossPreview:
    own = session.require().enterprise.customs_code
    grant = _opened(store, own, grant_id, key)
    item = MADE.get(store, own, grant_id)
    if item is None:
        raise _gone()
    count, newest = operator_grant_rows.standing(store, grant_id)
    kept = () if valid_until is None else (grant._replace(valid_until=valid_until),)

    def lost(under: OperatorGrant) -> list[Loss]:
        before, after = Grants((grant,), (under,)), Grants(kept, (under,))
        return net_loss(before, after, tables, since=day)

    def rows(order: Order, spans: Spans) -> Keyset[Loss]:
        return Keyset(
            store,
            [operator_grant_rows.under(grant_id, spans)],
            lambda row: lost(operator_grant_rows.from_row(row))[0],
            lambda loss: (loss.card_number,),
        )

    # They all rest on this grant, so either each of them loses something or none does.
    losses: PageSource[Loss] = InMemory([], lambda loss: loss.card_number)
    if lost(OperatorGrant(0, grant_id, "", grant.granted_on, "")):
        losses = _Losses(rows, count)
    return LossPreview(_row(item, day), count, newest, losses)


class _Losses(Listing[Loss]):
    """The losses under a grant, all of which are counted, because their number is confirmed."""

    def __init__(self, rows: Callable[[Order, Spans], Keyset[Loss]], count: int) -> None:
        super().__init__(rows, (CARD,))
        self._counted = count

    def count(self) -> Count:
        """How many there were."""
        return Count(self._counted)


def delete(
    store: Store,
    session: CardSession,
    grant_id: int,
    *,
    revision: int,
    operator_grants: int,
    newest: int | None = None,
    key: GrantKey | None = None,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> int:
    """Remove a grant and the operator grants under it.

    Args:
        revision: The revision that was shown when the deletion was confirmed.
        operator_grants: How many operator grants were said to go with it.
        newest: Number of the newest of them; where it is not given, their number is all
            that is compared.
        key: As for `deletion_preview`.
        proof: As for `save`.

    Returns:
        How many operator grants went with it.

    Raises:
        NotPermitted: The card may not grant, or it is another enterprise's.
        NotFound: It is gone already, or the number is that of another grant than was shown.
        Conflict: It, or what stands under it, is not as it was confirmed.
    """

    def plan(holder: Holder) -> Planned:
        current = _opened(store, holder.enterprise.customs_code, grant_id, key)
        if current.revision != revision:
            raise Conflict("该授权已被他人修改，没有删除", current=current)
        under = operator_grant_rows.all_under(store, grant_id)
        if len(under) != operator_grants:
            raise Conflict(
                f"该授权下的企业内授权由 {operator_grants} 条变为 {len(under)} 条，没有删除",
                current=current,
            )
        if newest is not None and max((each.id for each in under), default=0) != newest:
            raise Conflict("该授权下的企业内授权刚才有变化，没有删除", current=current)
        going = [Change(row_of_operator_grant(current.key, each), None) for each in under]
        return Planned(Kind.DELETE, (*going, Change(row_of(current), None)))

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    assert done is not None
    return len(done.planned.changes) - 1


def row_of(grant: EnterpriseGrant) -> EnterpriseGrantRow:
    """A grant as operations know it."""
    return EnterpriseGrantRow(grant.key, grant.granted_on, grant.valid_until, grant.revision)


def row_of_operator_grant(key: GrantKey, grant: OperatorGrant) -> OperatorGrantRow:
    """A grant to an operator under the enterprise grant with `key`, as operations know it."""
    return OperatorGrantRow(key, grant.card_number, grant.granted_on)


def _change(
    store: Store,
    current: EnterpriseGrant,
    valid_until: date,
    day: date,
    confirm_renewal: bool,
    proof: Proof | None,
) -> Planned | None:
    renewed = current.state(day) is GrantState.EXPIRED
    if renewed and not confirm_renewal:
        under = operator_grant_rows.count(store, current.id)
        if under:
            raise RenewalNeedsConfirmation(current, under)
    granted_on = day if renewed else current.granted_on
    if valid_until < granted_on:
        # Only where the clock was set back since.
        raise InvalidInput(
            f"权限有效期 {valid_until} 早于授权日期 {granted_on}",
            field="valid_until",
            hint="请检查系统日期",
        )
    before = row_of(current)
    if not renewed and valid_until == current.valid_until and is_proven(store, before, proof):
        return None
    after = EnterpriseGrantRow(current.key, granted_on, valid_until, current.revision + 1)
    return Planned(Kind.RENEW if renewed else Kind.CHANGE, (Change(before, after),))


def _opened(store: Store, own: str, grant_id: int, key: GrantKey | None) -> EnterpriseGrant:
    current = grants.get(store, grant_id)
    if current is None:
        raise _gone()
    if current.key.principal != own:
        raise NotPermitted("该授权不是本企业所授，不能修改或删除")
    if key is not None and current.key != key:
        raise not_shown()
    return current


def not_shown() -> NotFound:
    """A number is not that of what was shown: rows of a past day have other ones."""
    return NotFound("所选的与现在的不是同一条授权，没有改动", hint="请按F5刷新列表后重新选择")


def _stored(store: Store, grant_id: int) -> EnterpriseGrant:
    stored = grants.get(store, grant_id)
    if stored is None:
        raise _gone()
    return stored


def _gone() -> NotFound:
    return NotFound("该授权已不存在", hint="可能已被删除，请刷新列表")


def _row(item: grants.Listed, day: date) -> GrantRow:
    return GrantRow(item.grant, item.other, item.grant.state(day))
