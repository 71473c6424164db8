"""Enterprises, cards and shorthands that the tests of the services share."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eport_tui.card import signatures
from eport_tui.card.authority import TestAuthority
from eport_tui.domain.dates import now
from eport_tui.domain.grants import EnterpriseGrant, GrantDraft, OperatorGrant
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.lists import Count, PageSource, Row
from eport_tui.reference import load_tables
from eport_tui.services import enterprise_grants, operator_grants
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.store import enterprises
from eport_tui.store.database import Store

TODAY = date(2026, 3, 1)
TABLES = load_tables()

MANUFACTURER = Enterprise("3101940001", "91310000PDY00001XG", "上海甲制造有限公司")
BROKER = Enterprise("3101980002", "91310000PDY000028G", "上海乙报关有限公司")
TRADER = Enterprise("3205460003", "91310000PDY000036B", "苏州丙贸易[bold]有限公司")
OTHER_BROKER = Enterprise("3205980004", "91310000PDY0000446", "苏州丁报关有限公司")
REGISTERED = (MANUFACTURER, BROKER, TRADER, OTHER_BROKER)

CARD, OTHER_CARD = "8900000000051", "8900000000062"


@cache
def authority() -> TestAuthority:
    """The authority of all stand-ins; nothing of it is on the disk after this."""
    with tempfile.TemporaryDirectory() as folder:
        return TestAuthority.create(Path(folder) / "authority")


@dataclass
class StandIn:
    """A card session that is unlocked and stays so; no more than what services use."""

    holder: Holder
    generation: int = 0
    id: str = "0123"

    def require(self) -> Holder:
        return self.holder

    def require_granting(self) -> Holder:
        return self.holder

    def require_same(self, generation: int) -> Holder:
        return self.holder

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def certificate(self) -> bytes:
        certificate = authority().certify(self.holder, self._key.public_key())
        return certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, data: bytes) -> bytes:
        return signatures.sign(self._key, data)


def session(
    enterprise: Enterprise, role: Role = Role.LEGAL_PERSON, number: str | None = None
) -> StandIn:
    """A stand-in for an unlocked card of an enterprise; its number ends as the customs code."""
    moment = now()
    if not enterprise.name:
        # Named by its code alone, which no certificate could do.
        enterprise = enterprise._replace(name="某企业", uscc="91310000PDY000060U")
    return StandIn(
        Holder(
            number or f"890000000{enterprise.customs_code[-4:]}",
            role,
            "张三",
            enterprise,
            # The stories told here happen in other years, too.
            moment - timedelta(days=3000),
            moment + timedelta(days=3000),
        )
    )


def register(store: Store, *more: Enterprise) -> None:
    """Put the enterprises into the registry."""
    with store.transaction():
        enterprises.put_all(store, (*REGISTERED, *more))


def rows(source: PageSource[Row], limit: int = 2) -> list[Row]:
    """All rows of a source, read page by page."""
    found: list[Row] = []
    while page := source.after(found[-1] if found else None, limit):
        found += page
    assert source.count() == Count(len(found))
    return found


def position(source: PageSource[Row], key: int) -> int | None:
    """How many rows stand before the one with a key, or none when it is not in the list."""
    row = source.at(key)
    return None if row is None else source.rank(row).number


def grant(
    store: Store,
    principal: Enterprise = MANUFACTURER,
    agent: Enterprise = BROKER,
    *,
    subsystem: str = "95",
    grant_type: str = "X1",
    valid_until: date = TODAY + timedelta(days=100),
    today: date = TODAY,
) -> EnterpriseGrant:
    """Have an enterprise grant to another."""
    draft = GrantDraft(agent.customs_code, subsystem, grant_type, valid_until.isoformat())
    return enterprise_grants.save(store, TABLES, session(principal), draft, today=today).grant


def opened(grant: EnterpriseGrant, valid_until: date) -> GrantDraft:
    """The form of a grant that was opened, with another last day."""
    return GrantDraft(
        grant.key.agent,
        grant.key.subsystem,
        grant.key.grant_type,
        valid_until.isoformat(),
        grant.id,
        grant.revision,
    )


def hand_on(
    store: Store, grant: EnterpriseGrant, *cards: str, today: date = TODAY
) -> list[OperatorGrant]:
    """Have the agent hand a grant on to cards, or to all its operators."""
    agent = Enterprise(grant.key.agent, "", "")
    entries = [NewOperatorGrant(False, card) for card in cards] or [NewOperatorGrant(True)]
    return operator_grants.save(store, session(agent), grant.id, entries, today=today)


def tables_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All that the database holds, to see that a refusal changed nothing."""
    return {
        name: sorted(store.rows(f"SELECT * FROM {name}"), key=repr)
        # PostgreSQL counts every turn of a writer there, also of one that changed nothing.
        for name in sorted(store.tables() - {"turn", "migration"})
    }
