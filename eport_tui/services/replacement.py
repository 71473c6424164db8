"""换卡: what the agent handed on to one card goes over to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.holders import Holder
from eport_tui.domain.identifiers import parse_card_number
from eport_tui.domain.operations import Change, Kind, OperatorGrantRow
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services.enterprise_grants import row_of_operator_grant
from eport_tui.services.guard import require_legal_person
from eport_tui.services.operations import Planned, is_granted, perform
from eport_tui.store.database import Store
from eport_tui.store.permissions import legal_person_of
from eport_tui.store.replacement import Held, held

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof

OLD_FIELD, NEW_FIELD = "old_card", "new_card"


class ListChanged(EportError):
    """What stands under the old card is not what was confirmed; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replacement would do.

    Attributes:
        old_card: IC卡号 of the card that is given up.
        new_card: IC卡号 of the card that takes its place.
        moving: The operator grants of the old card, by principal, subsystem and type.
            Where the new card has one already, that stays and this one only goes.
    """

    old_card: str
    new_card: str
    moving: tuple[Held, ...]


def preview(store: Store, session: CardSession, old_card: str, new_card: str) -> Preview:
    """What would go over from one card to another, also under grants that have run out.

    Raises:
        NotPermitted: The card may not grant.
        InvalidInput: A number is malformed, both are the same, or the new one is a
            legal-person card of the enterprise.
        NotFound: The old card has no operator grants of this enterprise.
    """
    holder = require_legal_person(session).holder
    old = parse_card_number(old_card, field=OLD_FIELD, label="原IC卡号")
    new = parse_card_number(new_card, field=NEW_FIELD, label="新IC卡号")
    return _preview(store, holder, old, new)


def replace(
    store: Store,
    session: CardSession,
    confirmed: Preview,
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> None:
    """Put a new card in the place of an old one, everywhere or nowhere, as one operation.

    Args:
        confirmed: What `preview` said, and the operator agreed to.
        proof: What the ledger proves, as for `enterprise_grants.save`.

    Raises:
        NotPermitted: The card may not grant, or the ledger has, or proves, no signature of a
            principal.
        InvalidInput, NotFound: As `preview`.
        ListChanged: It would not be the same any more.
        EportError: What else `perform` raises.
    """
    day = today or dates.today()
    new = confirmed.new_card

    def plan(holder: Holder) -> Planned:
        now = _preview(store, holder, confirmed.old_card, new)
        if _outline(now) != _outline(confirmed):
            raise ListChanged(
                f"要转移的授权已有变化，原为 {len(confirmed.moving)} 条，"
                f"现为 {len(now.moving)} 条，没有换卡",
                hint="请核对现在的内容后再办理",
            )
        going = [row_of_operator_grant(each.grant.key, each.operator_grant) for each in now.moving]
        coming = [each for each in now.moving if not each.new_card_has_it]
        for each in coming:
            if not is_granted(store, each.grant.key, proof):
                raise _unsigned(each)
        return Planned(
            Kind.REPLACE_CARD,
            (
                *(Change(row, None) for row in going),
                *(Change(None, OperatorGrantRow(each.grant.key, new, day)) for each in coming),
            ),
        )

    perform(store, session, plan, reason=reason, proof=proof, today=today)


def _outline(preview: Preview) -> list[tuple[int, bool]]:
    return [(each.operator_grant.id, each.new_card_has_it) for each in preview.moving]


def _unsigned(moving: Held) -> NotPermitted:
    principal = moving.principal
    return NotPermitted(
        "有一条企业间授权没有授权企业的签名，不能在其下换卡",
        hint=f"请授权企业 {principal.customs_code} {printable(principal.name)} "
        "的法人卡打开该授权并重新保存",
    )


def _preview(store: Store, holder: Holder, old: str, new: str) -> Preview:
    if new == old:
        raise InvalidInput("新IC卡号与原IC卡号相同", field=NEW_FIELD)
    own = holder.enterprise.customs_code
    if new == holder.card_number or legal_person_of(store, new) is not None:
        raise InvalidInput(
            "法人卡不是操作员卡，不能授予", field=NEW_FIELD, hint="请输入操作员的新IC卡号"
        )
    moving = tuple(held(store, own, old, new))
    if not moving:
        raise NotFound(
            f"卡 {old} 没有本企业授予的权限，不需要换卡",
            field=OLD_FIELD,
            hint="请核对卡号。授予全部操作员的权限不分卡，无须办理",
        )
    return Preview(old, new, moving)
