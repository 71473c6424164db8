"""授权核查: the decision on what is stored, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTable, CodeTables
from eport_tui.domain.dates import parse_date
from eport_tui.domain.decision import Decision, Request, decide
from eport_tui.domain.explanation import Change, ChangeKind, Explanation, Words, explain
from eport_tui.domain.grants import EnterpriseGrant, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.domain.identifiers import parse_card_number, parse_customs_code, without_prefix
from eport_tui.domain.text import half_width, printable
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services.history import on_day
from eport_tui.store import enterprises, permissions
from eport_tui.store.database import Store
from eport_tui.store.history import PastStore
from eport_tui.store.history import decision_rows as past_decision_rows

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof


def check(
    store: Store, tables: CodeTables, request: Request, *, proof: Proof | None = None
) -> Decision:
    """Decide whether a card may do something, by the grants of a store; see `decide`.

    Args:
        store: For a past day `on_its_day(...)`, which has the grants of that day.
        proof: Counts only what the ledger proves, where it is given.

    Raises:
        StoreError: The database cannot be read; that is never a yes.
    """
    return decide(request, *_grants(store, request, proof, permissions.decision_rows), tables)


def on_its_day(store: Store, request: Request, *, today: date | None = None) -> Store:
    """The grants as they were when the day of a request ended, or as they are now.

    Raises:
        NotFound: It is a past day, and nothing is recorded of any.
    """
    return on_day(store, request.on, today=today).store


def explanation(
    store: Store,
    tables: CodeTables,
    request: Request,
    *,
    today: date | None = None,
    proof: Proof | None = None,
    verified: bool = False,
) -> Words:
    """Decide as `check`, and say why, link by link; see `explain`.

    A past day is judged by the grants of that day.  Nothing can be done about it any
    more, so what would help is what would help today.

    Args:
        verified: Whether the card has proved whose it is.  The legal-person cards that the
            registry lists are known as well; there is no list of operators' cards.

    Raises:
        NotFound: As `on_its_day`.
        StoreError: The database cannot be read; that is never a yes.
    """
    day = today or dates.today()
    both = {request.card_enterprise, request.enterprise}
    found = {code: enterprises.get(store, code) for code in both}
    unknown = {code for code, enterprise in found.items() if enterprise is None}
    verified = verified or permissions.legal_person_of(store, request.card_number) is not None

    def explained(view: Store, asked: Request) -> Explanation:
        grants = _grants(view, asked, proof, permissions.explanation_rows)
        return explain(asked, *grants, tables, today=day, unknown=unknown, verified=verified)

    answer = explained(on_its_day(store, request, today=day), request)
    if request.on < day and answer.changes:
        now = explained(store, replace(request, on=day))
        changes = [each for each in now.changes if each.kind is not ChangeKind.ASK_LATER_DAY]
        # First with which card, then about which day, then what others have to do.
        at = sum(each.kind is ChangeKind.USE_OPERATOR_CARD for each in changes[:1])
        changes.insert(at, Change(ChangeKind.ASK_LATER_DAY, day=day))
        answer = replace(answer, changes=tuple(changes))
    names = {code: enterprise.name for code, enterprise in found.items() if enterprise}
    return Words(answer, tables, names)


def _grants(
    store: Store,
    request: Request,
    proof: Proof | None,
    read: Callable[..., tuple[list[EnterpriseGrant], list[OperatorGrant]]],
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    if isinstance(store, PastStore):
        # Along the versions of the grants.
        read = past_decision_rows
    found = read(
        store,
        principal=request.enterprise,
        agent=request.card_enterprise,
        subsystem=request.subsystem,
        card_number=request.card_number,
    )
    if proof is None:
        return found
    return proof.proven(*found, until=store.entry if isinstance(store, PastStore) else None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was typed, before any check; each field is named as in errors.

    Attributes:
        card: IC卡号.
        card_enterprise: Customs code of the card's enterprise.
        enterprise: Customs code of the enterprise whose data is worked on.
        subsystem, action: Code or name, as the code tables have them.
        on: A date as operators write it; empty for today.
    """

    card: str = ""
    card_enterprise: str = ""
    enterprise: str = ""
    subsystem: str = ""
    action: str = ""
    on: str = ""


def read_request(
    store: Store,
    tables: CodeTables,
    asked: Asked,
    *,
    legal_person: bool = False,
    today: date | None = None,
) -> Request:
    """The request that was typed; the card's role is what the registry knows of it.

    Args:
        legal_person: Whether the card is known to be a legal person's, even if the
            registry does not list it.

    Raises:
        InvalidInput: A field is empty, malformed or not in its code table, or the
            registry lists the card as the legal person's of another enterprise.
        NotFound: It does, and the one that was typed is not in the registry at all.
    """
    today = today or dates.today()
    card = parse_card_number(asked.card, field="card")
    card_enterprise = parse_customs_code(
        asked.card_enterprise, field="card_enterprise", label="卡所属企业编号"
    )
    enterprise = parse_customs_code(asked.enterprise, field="enterprise", label="授权企业编号")
    on = today
    if asked.on:
        on = parse_date(asked.on, today=today, field="on", label="核查日期", past=True)
    subsystem = _code(tables.subsystems, asked.subsystem, "subsystem")
    action = _code(tables.actions, asked.action, "action")
    listed = permissions.legal_person_of(store, card)
    if listed is not None and listed != card_enterprise:
        _require_registered(store, card_enterprise, "card_enterprise")
        raise InvalidInput(
            f"卡 {card} 是另一企业的法人卡",
            field="card_enterprise",
            hint="请核对卡号和卡所属企业编号",
        )
    role = Role.LEGAL_PERSON if legal_person or listed is not None else Role.OPERATOR
    return Request(card, role, card_enterprise, enterprise, subsystem, action, on)


def _require_registered(store: Store, customs_code: str, field: str) -> None:
    if enterprises.get(store, customs_code) is None:
        raise NotFound(
            f"未查询到该企业 {customs_code}",
            field=field,
            hint="请核对编号；编号无误的，请管理员导入该企业",
        )


def _code(table: CodeTable, typed: str, field: str) -> str:
    """The code that a code or name means; a retired one may still be asked about."""
    wanted = half_width(typed)
    if not wanted:
        raise InvalidInput(f"请选择{table.label}", field=field, hint="按空格键打开列表")
    for code in table:
        if wanted in (code.code, code.name):
            return code.code
    raise InvalidInput(
        f"{table.label} {printable(wanted)} 不在代码表中",
        field=field,
        hint=f"可用的是 {'、'.join(code.name for code in table.offered())}",
    )


def ask(
    store: Store,
    tables: CodeTables,
    session: CardSession,
    asked: Asked,
    *,
    today: date | None = None,
    proof: Proof | None = None,
) -> Words:
    """Answer a question of an enterprise about itself, at either end of the chain; for any card.

    Raises:
        InvalidInput: As `read_request`.
        NotFound: As `read_request`; or neither enterprise is the asker's own, and one of
            them is not in the registry.
        NotPermitted: Neither the card's enterprise nor the other one is the asker's own.
            What others have granted each other is nobody else's business.
    """
    holder = session.require()
    own = holder.enterprise.customs_code
    request = read_request(
        store,
        tables,
        asked,
        legal_person=without_prefix(asked.card) == holder.card_number and holder.is_legal_person,
        today=today,
    )
    is_own_card = request.card_number == holder.card_number
    if is_own_card and request.card_enterprise != own:
        raise InvalidInput("本卡属于本企业", field="card_enterprise", hint=f"应为 {own}")
    if own not in (request.card_enterprise, request.enterprise):
        _require_registered(store, request.card_enterprise, "card_enterprise")
        _require_registered(store, request.enterprise, "enterprise")
        raise NotPermitted(
            "只能核查与本企业有关的授权",
            field="enterprise",
            hint=f"卡所属企业或授权企业中须有一个是本企业 {own}",
        )
    return explanation(store, tables, request, today=today, proof=proof, verified=is_own_card)
