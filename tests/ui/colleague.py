"""Another operator at the same database, who works through the services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from eport_tui.card.authority import TestAuthority
from eport_tui.card.session import CardSession
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import today
from eport_tui.domain.grants import EnterpriseGrant, GrantDraft, GrantKey, OperatorGrant
from eport_tui.domain.holders import Enterprise
from eport_tui.reference import load_tables
from eport_tui.services import enterprise_grants, operator_grants, permissions
from eport_tui.services.enterprise_grants import GrantRow
from eport_tui.services.operator_grants import NewOperatorGrant, ReceivedRow
from eport_tui.services.permissions import PermissionRow
from eport_tui.settings import Settings
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.card.making import make_card, software_session
from tests.rows import insert_grant

TABLES = load_tables()
BROKER_CODE, OTHER_BROKER_CODE = "3101980001", "3205980002"


@dataclass(frozen=True)
class Colleague:
    """A store of its own on the database, and a card."""

    store: Store
    session: CardSession

    # Looking

    def made(self) -> list[GrantRow]:
        """The grants that the enterprise has made."""
        return enterprise_grants.made(self.store, self.session).after(None, 1000)

    def received(self) -> list[ReceivedRow]:
        """The grants that the enterprise has received."""
        return operator_grants.received(self.store, self.session).after(None, 1000)

    def operators(self, grant_id: int) -> list[str]:
        """The card numbers under a grant that was received; an empty one stands for all."""
        stored = operator_grants.granted(self.store, self.session, grant_id).after(None, 1000)
        return [grant.card_number for grant in stored]

    def rights(self) -> list[PermissionRow]:
        """The operators' rights in force today."""
        return permissions.query(self.store, self.session, subsystem=None).after(None, 1000)

    def grant_to(self, agent: str, subsystem: str, grant_type: str = "X1") -> EnterpriseGrant:
        """The grant with a key."""
        return next(
            row.grant
            for row in self.made()
            if (row.grant.key.agent, row.grant.key.subsystem, row.grant.key.grant_type)
            == (agent, subsystem, grant_type)
        )

    # Working

    def grant(
        self, agent: str, subsystem: str, until: str = "2027-12-31", grant_type: str = "X1"
    ) -> EnterpriseGrant:
        """Grant something new."""
        draft = GrantDraft(agent, subsystem, grant_type, until)
        return enterprise_grants.save(self.store, TABLES, self.session, draft).grant

    def grant_to_many(self, count: int) -> None:
        """Grant to that many new agents, straight in the store."""
        agents = [
            Enterprise(f"31019{number:05d}", "91310000PDY0000521", f"第{number}代理公司")
            for number in range(80_000, 80_000 + count)
        ]
        with self.store.transaction():
            enterprises.put_all(self.store, agents)
            for agent in agents:
                key = GrantKey("3101440001", agent.customs_code, "95", "X1")
                insert_grant(self.store, key, today(), date(2027, 12, 31))

    def change(self, grant: EnterpriseGrant, until: date) -> None:
        """Give a grant another last day."""
        key = grant.key
        draft = GrantDraft(
            key.agent, key.subsystem, key.grant_type, until.isoformat(), grant.id, grant.revision
        )
        enterprise_grants.save(self.store, TABLES, self.session, draft)

    def delete(self, grant: EnterpriseGrant) -> None:
        """Delete a grant with all that stands under it."""
        preview = enterprise_grants.deletion_preview(self.store, TABLES, self.session, grant.id)
        enterprise_grants.delete(
            self.store,
            self.session,
            grant.id,
            revision=grant.revision,
            operator_grants=preview.operator_grants,
        )

    def hand_on(self, grant_id: int, *cards: str) -> list[OperatorGrant]:
        """Hand a grant that was received on to cards, or to all operators."""
        entries = [NewOperatorGrant(False, card) for card in cards] or [NewOperatorGrant(True)]
        return operator_grants.save(self.store, self.session, grant_id, entries)

    def take_back(self, grant_id: int, card: str) -> None:
        """Delete the operator grant to a card."""
        stored = operator_grants.granted(self.store, self.session, grant_id).after(None, 1000)
        (wanted,) = [grant.id for grant in stored if grant.card_number == card]
        operator_grants.delete(self.store, self.session, wanted)

    def register(self, customs_code: str, name: str, uscc: str = "91310000PDY0000521") -> None:
        """Put an enterprise into the registry, whatever its name."""
        with self.store.transaction():
            enterprises.put_all(self.store, [Enterprise(customs_code, uscc, name)])


@contextmanager
def at_the_same_database(settings: Settings, card: str = "8900000000011") -> Iterator[Colleague]:
    """A colleague with a card of the demo."""
    trust = TrustStore.of(settings.trust_dir)
    session = software_session(settings.cards_dir / f"{card}.card", trust)
    with Store.open(settings.database) as store:
        yield Colleague(store, session)
    session.close()


@contextmanager
def with_a_lost_card(settings: Settings, of: Colleague) -> Iterator[Colleague]:
    """Another legal-person card of a colleague's enterprise, which had been revoked all the while.

    The list that says so is there when the context is left.
    """
    own = of.session.holder
    authority = TestAuthority.open(settings.authority_dir)
    lost = make_card(
        authority,
        settings.cards_dir,
        number="8900000000019",
        customs_code=own.enterprise.customs_code,
        uscc=own.enterprise.uscc,
        enterprise=own.enterprise.name,
    )
    session = software_session(lost, TrustStore.of(settings.trust_dir))
    yield Colleague(of.store, session)
    session.close()
    authority.revoke("8900000000019")
    authority.publish(settings.trust_dir)
