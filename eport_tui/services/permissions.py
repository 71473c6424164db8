"""查看操作员权限: who may work on whose data today (spec §2.3), asked both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain.grants import ALL_OPERATORS, TO_ALL
from eport_tui.domain.identifiers import parse_card_number
from eport_tui.domain.lists import Order, PageSource, Span, Spans, beginning
from eport_tui.errors import NotPermitted
from eport_tui.services.pages import Day, Listing, about, by_code, by_last_day
from eport_tui.store import permissions
from eport_tui.store.database import Store
from eport_tui.store.keyset import Keyset
from eport_tui.store.permissions import Direction, PermissionRow, Question

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

__all__ = [
    "Direction",
    "PermissionRow",
    "nothing",
    "operators_card",
    "query",
    "what_can",
    "who_can",
]


def _cards(text: str) -> Spans:
    text = text.strip()
    if text and TO_ALL.startswith(text):
        # No number begins before that of a digit.
        return Spans.of(Span(ALL_OPERATORS, "0"))
    return beginning(text)


_BY_CARD = Order(permissions.CARD, "操作员IC卡号", f"卡号的开头几位，或{TO_ALL}", _cards)


def query(
    store: Store, session: CardSession, *, subsystem: str | None, today: date | None = None
) -> PageSource[PermissionRow]:
    """The operators' rights in force on a day, seen by the card's enterprise; for any card.

    First its own operators' rights at principals, then those of agents' operators
    at itself.  A grant to all operators is one row with an empty card number.  The
    key of a row is the number of the operator grant.

    Args:
        subsystem: Code of the 授权子系统; none for all.
        today: The day that it is about; without it that on which it is read.
    """
    own = session.require().enterprise.customs_code
    return _listing(
        store,
        about(today),
        lambda day: permissions.of_operators(own, subsystem, day),
        lambda day: permissions.who_can(own, subsystem, day),
    )


def who_can(
    store: Store, session: CardSession, *, subsystem: str | None, today: date | None = None
) -> PageSource[PermissionRow]:
    """The operators who may act on the data of the card's enterprise on a day; see `query`."""
    own = session.require().enterprise.customs_code
    return _listing(store, about(today), lambda day: permissions.who_can(own, subsystem, day))


def what_can(
    store: Store,
    session: CardSession,
    card_number: str,
    *,
    subsystem: str | None,
    today: date | None = None,
) -> PageSource[PermissionRow]:
    """The enterprises and subsystems that one of the enterprise's own operators may act for.

    That the card is one of theirs is what the asker says: there is no list of operators' cards.
    A grant to all operators counts, and is a row with an empty card number.  Its own
    enterprise, for which a card needs no grant, is not among the rows.

    Raises:
        InvalidInput: The card number is malformed; `field` is `card_number`.
        NotPermitted: It is a legal person's, who is no operator.
    """
    number = operators_card(store, session, card_number)
    own = session.require().enterprise.customs_code
    return _listing(
        store, about(today), lambda day: permissions.what_can(number, own, subsystem, day)
    )


def operators_card(store: Store, session: CardSession, card_number: str) -> str:
    """The number of a card that `what_can` may be asked about, from what was typed.

    Raises:
        InvalidInput, NotPermitted: As `what_can`.
    """
    holder = session.require()
    number = parse_card_number(card_number, field="card_number", label="操作员IC卡号")
    own_legal_person = number == holder.card_number and holder.is_legal_person
    if own_legal_person or permissions.legal_person_of(store, number) is not None:
        raise NotPermitted(
            "法人卡不是操作员卡，只能办理本企业的业务",
            field="card_number",
            hint="请输入本企业操作员的IC卡号",
        )
    return number


def nothing(store: Store, *, today: date | None = None) -> PageSource[PermissionRow]:
    """No rights, to be sorted and narrowed as the others, where a question has no answer."""
    return _listing(store, about(today))


def _listing(
    store: Store, day: Day, *questions: Callable[[date], Question]
) -> PageSource[PermissionRow]:
    def rows(order: Order, spans: Spans) -> Keyset[PermissionRow]:
        on = day()
        asked = [question(on) for question in questions]
        return permissions.listed(store, asked, order.column, spans)

    orders = (by_code(permissions.OTHER, "企业编号"), by_last_day(day), _BY_CARD)
    return Listing(rows, orders)
