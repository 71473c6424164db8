"""The decision on what is stored."""

from __future__ import annotations

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.decision import Decision, Request, decide
from eport_tui.store import permissions
from eport_tui.store.database import Store


def check(store: Store, tables: CodeTables, request: Request) -> Decision:
    """Decide whether a card may do something; see `decide`.

    Raises:
        StoreError: The database cannot be read; that is never a yes.
    """
    enterprise_grants, operator_grants = permissions.decision_rows(
        store,
        principal=request.enterprise,
        agent=request.card_enterprise,
        subsystem=request.subsystem,
        card_number=request.card_number,
    )
    return decide(request, enterprise_grants, operator_grants, tables)
