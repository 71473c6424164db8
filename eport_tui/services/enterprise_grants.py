"""企业间授权: an enterprise grants to another (spec §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import (
    CheckedDraft,
    EnterpriseGrant,
    GrantDraft,
    GrantState,
    check_draft,
    parse_agent,
)
from eport_tui.domain.holders import Enterprise, Holder
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import registry
from eport_tui.services.guard import require_legal_person
from eport_tui.services.pages import Listing, PageSource
from eport_tui.store import enterprise_grants as grants
from eport_tui.store import operator_grants as operator_grant_rows
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import MADE

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession


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
    """

    grant: EnterpriseGrant
    created: bool = False
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """What a deletion would take away.

    Attributes:
        row: The grant.
        operator_grants: How many of the agent's operator grants go with it.
    """

    row: GrantRow
    operator_grants: int


def made(store: Store, session: CardSession, *, today: date | None = None) -> PageSource[GrantRow]:
    """The grants that the card's enterprise has made; the key of a row is the grant's number.

    Ordered by agent, subsystem and grant type.
    """
    own = session.require().enterprise.customs_code
    day = today or dates.today()
    return Listing(
        lambda: MADE.count(store, own),
        lambda offset, limit: [_row(item, day) for item in MADE.fetch(store, own, offset, limit)],
        lambda key: MADE.position(store, own, key),
    )


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
    today: date | None = None,
) -> SavedGrant:
    """Store a new grant, or the new last day of one that was opened.

    A grant that has expired is granted again on the same row, from today, whether
    it was opened or entered anew.

    Raises:
        NotPermitted: The card may not grant, or the opened grant is another's.
        InvalidInput: A field is at fault; the first one is told.
        NotFound: The agent is not in the registry, or the opened grant is gone.
        GrantStands: There is a grant with this key already, in force.
        RenewalNeedsConfirmation: It would revive operator grants.
        Conflict: The opened grant has been changed since.
    """
    permit = require_legal_person(session)
    holder = permit.holder
    day = today or dates.today()
    own = holder.enterprise.customs_code
    checked, faults = check_draft(draft, principal=own, tables=tables, today=day)
    if checked is None:
        raise faults[0]
    with store.transaction():
        # The card may have been pulled while we waited for the lock.
        permit.require()
        if draft.grant_id is not None:
            current = _opened(store, own, draft.grant_id)
            if current.revision != draft.revision:
                raise Conflict("该授权已被他人修改，没有保存", current=current, yours=draft)
            return _change(store, holder, current, checked.valid_until, day, confirm_renewal)
        agent = registry.look_up(store, checked.key.agent)
        current = grants.find(store, checked.key)
        if current is None:
            return _grant(store, holder, checked, day)
        if current.state(day) is not GrantState.EXPIRED:
            raise GrantStands(current, agent, tables)
        return _change(store, holder, current, checked.valid_until, day, confirm_renewal)


def deletion_preview(
    store: Store, session: CardSession, grant_id: int, *, today: date | None = None
) -> DeletionPreview:
    """What the deletion of a grant would take away.

    Raises:
        NotFound: It is gone.
        NotPermitted: It is another enterprise's.
    """
    own = session.require().enterprise.customs_code
    _opened(store, own, grant_id)
    item = MADE.get(store, own, grant_id)
    if item is None:
        raise _gone()
    return DeletionPreview(_row(item, today or dates.today()), item.operator_grants)


def delete(
    store: Store, session: CardSession, grant_id: int, *, revision: int, operator_grants: int
) -> int:
    """Remove a grant and the operator grants under it.

    Args:
        revision: The revision that was shown when the deletion was confirmed.
        operator_grants: How many operator grants were said to go with it.

    Returns:
        How many operator grants went with it.

    Raises:
        NotPermitted: The card may not grant, or it is another enterprise's.
        NotFound: It is gone already.
        Conflict: It, or what stands under it, is not as it was confirmed.
    """
    permit = require_legal_person(session)
    own = permit.holder.enterprise.customs_code
    with store.transaction():
        permit.require()
        current = _opened(store, own, grant_id)
        if current.revision != revision:
            raise Conflict("该授权已被他人修改，没有删除", current=current)
        under = operator_grant_rows.count(store, grant_id)
        if under != operator_grants:
            raise Conflict(
                f"该授权下的企业内授权由 {operator_grants} 条变为 {under} 条，没有删除",
                current=current,
            )
        grants.delete(store, grant_id)
        return under


def _grant(store: Store, holder: Holder, checked: CheckedDraft, day: date) -> SavedGrant:
    grant_id = grants.insert(
        store,
        checked.key,
        granted_on=day,
        valid_until=checked.valid_until,
        changed_at=dates.now(),
        changed_by=holder.card_number,
    )
    return SavedGrant(_stored(store, grant_id), created=True)


def _change(
    store: Store,
    holder: Holder,
    current: EnterpriseGrant,
    valid_until: date,
    day: date,
    confirm_renewal: bool,
) -> SavedGrant:
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
    if not renewed and valid_until == current.valid_until:
        return SavedGrant(current)
    grants.change(
        store,
        current.id,
        granted_on=granted_on,
        valid_until=valid_until,
        changed_at=dates.now(),
        changed_by=holder.card_number,
    )
    return SavedGrant(_stored(store, current.id), renewed=renewed)


def _opened(store: Store, own: str, grant_id: int) -> EnterpriseGrant:
    current = grants.get(store, grant_id)
    if current is None:
        raise _gone()
    if current.key.principal != own:
        raise NotPermitted("该授权不是本企业所授，不能修改或删除")
    return current


def _stored(store: Store, grant_id: int) -> EnterpriseGrant:
    stored = grants.get(store, grant_id)
    if stored is None:
        raise _gone()
    return stored


def _gone() -> NotFound:
    return NotFound("该授权已不存在", hint="可能已被删除，请刷新列表")


def _row(item: grants.Listed, day: date) -> GrantRow:
    return GrantRow(item.grant, item.other, item.grant.state(day))
