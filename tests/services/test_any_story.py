"""Any story of granting, handing on, taking away and waiting.

After each step the database must hold what a plain list of all grants holds,
and each decision must be the one that this list gives.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import permutations
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from eport_tui.domain.decision import Request
from eport_tui.domain.grants import ALL_OPERATORS, GrantDraft
from eport_tui.domain.holders import Role
from eport_tui.domain.places import Place
from eport_tui.errors import EportError, InvalidInput, NotPermitted
from eport_tui.services import decisions, enterprise_grants, operator_grants, permissions
from eport_tui.services.enterprise_grants import (
    Conflict,
    GrantStands,
    LossChanged,
    LossPreview,
    RenewalNeedsConfirmation,
)
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.services.verification import Verification
from eport_tui.store.database import Store
from tests.ledger.making import trust_in
from tests.postgres import Server
from tests.services.world import (
    BROKER,
    MANUFACTURER,
    TABLES,
    TODAY,
    TRADER,
    register,
    rows,
    session,
)

ENTERPRISES = (MANUFACTURER, BROKER, TRADER)
SUBSYSTEMS = ("95", "B1")
NEEDS = {"declare": "X1", "customs": "X2"}
OPERATORS = ("8900000000051", "8900000000062")
LEGAL_PERSONS = {each.customs_code: session(each) for each in ENTERPRISES}
STAFF = {each.customs_code: session(each, Role.OPERATOR) for each in ENTERPRISES}

CODES = [each.customs_code for each in ENTERPRISES]
# Now and then one grants to itself, or the wrong enterprise tries.
ends = st.sampled_from([*permutations(CODES, 2), (CODES[0], CODES[0])])
rightly = st.sampled_from((True, True, True, False))
lasting = st.integers(0, 40).map(lambda days: timedelta(days=days))
cards = st.sampled_from((ALL_OPERATORS, *OPERATORS))


@dataclass
class Granted:
    """An enterprise grant, and the cards it was handed on to, in the plain list."""

    id: int
    principal: str
    agent: str
    subsystem: str
    grant_type: str
    granted_on: date
    valid_until: date
    revision: int = 1
    cards: dict[str, int] = field(default_factory=dict)


class AnyStory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.left_behind = ExitStack()
        self.store = self.left_behind.enter_context(Store.open(self.place()))
        self.trust = trust_in(self.folder())
        self.today = TODAY
        self.all: list[Granted] = []

    @initialize()
    def enterprises_are_registered(self) -> None:
        register(self.store)

    def place(self) -> Place:
        return self.folder() / "eport.db"

    def folder(self) -> Path:
        return Path(self.left_behind.enter_context(tempfile.TemporaryDirectory()))

    def teardown(self) -> None:
        # Whatever happened, the signed operations alone give what the tables hold.
        assert list(Verification(self.store, self.trust).findings()) == []
        self.left_behind.close()

    # -- what happens ------------------------------------------------------------------

    @rule(days=st.integers(1, 40))
    def days_pass(self, days: int) -> None:
        self.today += timedelta(days=days)

    @rule(
        ends=ends,
        subsystem=st.sampled_from(SUBSYSTEMS),
        grant_type=st.sampled_from(sorted(NEEDS.values())),
        lasting=lasting,
        confirmed=st.booleans(),
    )
    def grant(
        self,
        ends: tuple[str, str],
        subsystem: str,
        grant_type: str,
        lasting: timedelta,
        confirmed: bool,
    ) -> None:
        principal, agent = ends
        until = self.today + lasting
        draft = GrantDraft(agent, subsystem, grant_type, until.isoformat())
        key = (principal, agent, subsystem, grant_type)
        standing = next((each for each in self.all if key_of(each) == key), None)
        if principal == agent:
            self.refused(InvalidInput, principal, draft, confirmed)
        elif standing is None:
            saved = self.save(principal, draft, confirmed)
            assert saved.created
            self.all.append(Granted(saved.grant.id, *key, self.today, until))
        elif standing.valid_until >= self.today:
            self.refused(GrantStands, principal, draft, confirmed)
        else:
            self.renew(standing, draft, until, confirmed)

    @precondition(lambda self: self.all)
    @rule(
        data=st.data(),
        rightly=rightly,
        lasting=lasting,
        confirmed=st.booleans(),
        fresh=rightly,
        asked=rightly,
    )
    def change(
        self,
        data: st.DataObject,
        rightly: bool,
        lasting: timedelta,
        confirmed: bool,
        fresh: bool,
        asked: bool,
    ) -> None:
        standing = data.draw(st.sampled_from(self.all))
        by = standing.principal if rightly else standing.agent
        until = self.today + lasting
        revision = standing.revision if fresh else standing.revision - 1
        draft = GrantDraft(
            standing.agent,
            standing.subsystem,
            standing.grant_type,
            until.isoformat(),
            standing.id,
            revision,
        )
        if by != standing.principal:
            self.refused(NotPermitted, by, draft, confirmed)
        elif not fresh:
            self.refused(Conflict, by, draft, confirmed)
        elif standing.valid_until < self.today:
            self.renew(standing, draft, until, confirmed)
        elif until < standing.valid_until and standing.cards and not asked:
            self.refused(LossChanged, by, draft, confirmed)
        else:
            agreed = enterprise_grants.shortening_preview(
                self.store, TABLES, LEGAL_PERSONS[by], standing.id, until, today=self.today
            )
            self.save(by, draft, confirmed, agreed)
            standing.revision += until != standing.valid_until
            standing.valid_until = until

    @precondition(lambda self: self.all)
    @rule(data=st.data(), rightly=rightly, said=st.integers(0, 2), asked=rightly)
    def delete(self, data: st.DataObject, rightly: bool, said: int, asked: bool) -> None:
        standing = data.draw(st.sampled_from(self.all))
        by = standing.principal if rightly else standing.agent
        said = len(standing.cards) if asked else said

        def attempt() -> int:
            return enterprise_grants.delete(
                self.store,
                LEGAL_PERSONS[by],
                standing.id,
                revision=standing.revision,
                operator_grants=said,
                today=self.today,
            )

        if by != standing.principal:
            with pytest.raises(NotPermitted):
                attempt()
        elif said != len(standing.cards):
            with pytest.raises(Conflict):
                attempt()
        else:
            assert attempt() == len(standing.cards)
            self.all.remove(standing)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), rightly=rightly, card=cards, agreed=rightly)
    def hand_on(self, data: st.DataObject, rightly: bool, card: str, agreed: bool) -> None:
        standing = data.draw(st.sampled_from(self.all))
        by = standing.agent if rightly else standing.principal
        replacing = len(standing.cards) if agreed else 0

        def attempt() -> int:
            entry = NewOperatorGrant(card == ALL_OPERATORS, card)
            (saved,) = operator_grants.save(
                self.store,
                LEGAL_PERSONS[by],
                standing.id,
                [entry],
                replacing=replacing,
                today=self.today,
            )
            return saved.id

        if by != standing.agent:
            with pytest.raises(NotPermitted):
                attempt()
        elif (
            standing.valid_until < self.today
            or card in standing.cards
            or ALL_OPERATORS in standing.cards
        ):
            with pytest.raises(InvalidInput):
                attempt()
        elif card == ALL_OPERATORS:
            if replacing != len(standing.cards):
                with pytest.raises(Conflict):
                    attempt()
            else:
                standing.cards = {ALL_OPERATORS: attempt()}
        else:
            standing.cards[card] = attempt()

    @precondition(lambda self: any(each.cards for each in self.all))
    @rule(data=st.data(), rightly=rightly)
    def take_away(self, data: st.DataObject, rightly: bool) -> None:
        standing = data.draw(st.sampled_from([each for each in self.all if each.cards]))
        by = standing.agent if rightly else standing.principal
        card = data.draw(st.sampled_from(sorted(standing.cards)))
        if by != standing.agent:
            with pytest.raises(NotPermitted):
                operator_grants.delete(
                    self.store, LEGAL_PERSONS[by], standing.cards[card], today=self.today
                )
        else:
            operator_grants.delete(
                self.store, LEGAL_PERSONS[by], standing.cards.pop(card), today=self.today
            )

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def an_operator_tries_everything(self, data: st.DataObject) -> None:
        standing = data.draw(st.sampled_from(self.all))
        ours, theirs = STAFF[standing.principal], STAFF[standing.agent]
        draft = GrantDraft("", "", "", "+9", standing.id, standing.revision)
        attempts = [
            lambda: enterprise_grants.save(self.store, TABLES, ours, draft),
            lambda: enterprise_grants.delete(
                self.store, ours, standing.id, revision=1, operator_grants=0
            ),
            lambda: operator_grants.save(
                self.store, theirs, standing.id, [NewOperatorGrant(True)], today=self.today
            ),
            *(
                lambda number=number: operator_grants.delete(
                    self.store, theirs, number, today=self.today
                )
                for number in standing.cards.values()
            ),
        ]
        for attempt in attempts:
            with pytest.raises(NotPermitted, match="非法人卡，不允许操作!"):
                attempt()

    def save(
        self, by: str, draft: GrantDraft, confirmed: bool, agreed: LossPreview | None = None
    ) -> enterprise_grants.SavedGrant:
        return enterprise_grants.save(
            self.store,
            TABLES,
            LEGAL_PERSONS[by],
            draft,
            confirm_renewal=confirmed,
            agreed=agreed,
            today=self.today,
        )

    def refused(self, error: type[EportError], by: str, draft: GrantDraft, confirmed: bool) -> None:
        with pytest.raises(error):
            self.save(by, draft, confirmed)

    def renew(self, standing: Granted, draft: GrantDraft, until: date, confirmed: bool) -> None:
        if standing.cards and not confirmed:
            self.refused(RenewalNeedsConfirmation, standing.principal, draft, confirmed)
            return
        saved = self.save(standing.principal, draft, confirmed)
        assert saved.renewed
        standing.granted_on, standing.valid_until = self.today, until
        standing.revision += 1

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def the_database_holds_the_list(self) -> None:
        assert self.store.rows(
            "SELECT id, principal, agent, subsystem, grant_type, granted_on, valid_until, revision"
            " FROM enterprise_grant ORDER BY id"
        ) == [
            (
                each.id,
                *key_of(each),
                each.granted_on.isoformat(),
                each.valid_until.isoformat(),
                each.revision,
            )
            for each in sorted(self.all, key=lambda each: each.id)
        ]
        assert set(
            self.store.rows("SELECT id, enterprise_grant_id, card_number FROM operator_grant")
        ) == {(number, each.id, card) for each in self.all for card, number in each.cards.items()}

    @invariant()
    def no_operator_grant_is_without_its_enterprise_grant(self) -> None:
        assert not self.store.rows(
            "SELECT 1 FROM operator_grant"
            " WHERE enterprise_grant_id NOT IN (SELECT id FROM enterprise_grant)"
        )

    @invariant()
    def all_operators_and_single_cards_never_stand_together(self) -> None:
        assert not self.store.rows(
            "SELECT 1 FROM operator_grant GROUP BY enterprise_grant_id"
            " HAVING count(*) > 1 AND min(card_number) = ''"
        )

    @invariant()
    def every_decision_is_the_naive_one(self) -> None:
        for own in ENTERPRISES:
            holders = [
                LEGAL_PERSONS[own.customs_code].holder,
                *(STAFF[own.customs_code].holder._replace(card_number=card) for card in OPERATORS),
            ]
            for holder in holders:
                for principal in ENTERPRISES:
                    for subsystem in SUBSYSTEMS:
                        for action in NEEDS:
                            request = Request(
                                holder.card_number,
                                holder.role,
                                own.customs_code,
                                principal.customs_code,
                                subsystem,
                                action,
                                self.today,
                            )
                            decision = decisions.check(self.store, TABLES, request)
                            assert decision.allowed == naive(self.all, request), request

    @invariant()
    def every_enterprise_sees_what_holds_today(self) -> None:
        for own in ENTERPRISES:
            source = permissions.query(
                self.store, STAFF[own.customs_code], subsystem=None, today=self.today
            )
            assert {row.operator_grant_id for row in rows(source)} == {
                number
                for each in self.all
                if own.customs_code in (each.principal, each.agent)
                and each.granted_on <= self.today <= each.valid_until
                for number in each.cards.values()
            }


def key_of(granted: Granted) -> tuple[str, str, str, str]:
    return granted.principal, granted.agent, granted.subsystem, granted.grant_type


def naive(grants: list[Granted], request: Request) -> bool:
    """The rule of the specification, read off a list of all grants."""
    if request.card_enterprise == request.enterprise:
        return True
    if request.role is Role.LEGAL_PERSON:
        return False
    for each in grants:
        wanted = (
            request.enterprise,
            request.card_enterprise,
            request.subsystem,
            NEEDS[request.action],
        )
        if key_of(each) == wanted and each.granted_on <= request.on <= each.valid_until:
            return ALL_OPERATORS in each.cards or request.card_number in each.cards
    return False


TestAnyStory = AnyStory.TestCase
TestAnyStory.settings = settings(max_examples=25, stateful_step_count=20)


class AnyStoryOnPostgresql(AnyStory):
    server: ClassVar[Server]

    def place(self) -> Place:
        return self.left_behind.enter_context(self.server.database(template="made"))


@pytest.fixture(scope="module")
def told_on_the_server(server: Server) -> None:
    AnyStoryOnPostgresql.server = server


@pytest.mark.postgresql
@pytest.mark.usefixtures("told_on_the_server")
class TestAnyStoryOnPostgresql(AnyStoryOnPostgresql.TestCase):
    # Each question takes ten times as long; what SQLite has answered needs no such proof.
    settings = settings(max_examples=6, stateful_step_count=20)
