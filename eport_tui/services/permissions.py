"""查看操作员权限: who may work on whose data today (spec §2.3)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.services.pages import Listing, PageSource
from eport_tui.store import permissions
from eport_tui.store.database import Store
from eport_tui.store.permissions import Direction, PermissionRow, Question

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

__all__ = ["Direction", "PermissionRow", "query"]


def query(
    store: Store, session: CardSession, *, subsystem: str | None, today: date | None = None
) -> PageSource[PermissionRow]:
    """The operators' rights in force on a day, seen by the card's enterprise; for any card.

    First its own operators' rights at principals, then those of agents' operators
    at itself.  A grant to all operators is one row with an empty card number.  The
    key of a row is the number of the operator grant.

    Args:
        subsystem: Code of the 授权子系统; none for all.
    """
    own = session.require().enterprise.customs_code
    question = Question(own, subsystem, today or dates.today())
    return Listing(
        lambda: permissions.count(store, question),
        lambda offset, limit: permissions.fetch(store, question, offset, limit),
        lambda key: permissions.position(store, question, key),
    )
