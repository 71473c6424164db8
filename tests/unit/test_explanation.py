"""Why not, and what would allow it: no smaller set of changes does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eport_tui.domain.codes import CodeTable
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.decision import Reason, Request, decide
from eport_tui.domain.explanation import (
    Change,
    ChangeKind,
    Explanation,
    LinkKind,
    LinkState,
    Words,
    explain,
)
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.reference import load_tables

TABLES = load_tables()
TODAY = date(2026, 3, 10)
DAY = timedelta(days=1)
PRINCIPAL, AGENT = "3101940001", "3101980002"
CARD, OTHER_CARD = "8900000000051", "8900000000062"
OPERATING, DECLARING = "X1", "X2"
CHANGED = datetime(2026, 3, 1, tzinfo=SHANGHAI)


# -- a world in which changes can be made ------------------------------------------------


@dataclass(frozen=True)
class World:
    """What is stored and what is asked; as small as it can be and still go wrong in all ways."""

    request: Request
    grants: frozenset[tuple[str, date, date]]
    operators: frozenset[tuple[str, str]]
    registered: frozenset[str]

    def lists(self) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
        numbers = {OPERATING: 1, DECLARING: 2}
        return [
            EnterpriseGrant(
                numbers[type_],
                GrantKey(PRINCIPAL, AGENT, "95", type_),
                first,
                last,
                1,
                CHANGED,
                CARD,
            )
            for type_, first, last in sorted(self.grants)
        ], [
            OperatorGrant(at, numbers[type_], card, TODAY, CARD)
            for at, (type_, card) in enumerate(sorted(self.operators))
        ]

    def allowed(self) -> bool:
        return decide(self.request, *self.lists(), TABLES).allowed

    def explained(self) -> Explanation:
        unknown = {PRINCIPAL, AGENT} - self.registered
        return explain(self.request, *self.lists(), TABLES, today=TODAY, unknown=unknown)

    # What people can do, as the program lets them

    def use_card(self, card: str) -> World:
        if self.request.role is Role.OPERATOR:
            return self
        return replace(self, request=replace(self.request, role=Role.OPERATOR, card_number=card))

    def ask_later(self, day: date) -> World:
        return replace(self, request=replace(self.request, on=max(day, self.request.on)))

    def register(self, enterprise: str) -> World:
        return replace(self, registered=self.registered | {enterprise})

    def grant(self, type_: str, until: date) -> World:
        """Grant, prolong, or grant again what has run out, which then holds from today on."""
        if until < TODAY:
            return self
        standing = next((grant for grant in self.grants if grant[0] == type_), None)
        if standing is None and not {PRINCIPAL, AGENT} <= self.registered:
            return self
        renewed = standing is None or standing[2] < TODAY
        first = TODAY if renewed else standing[1]  # type: ignore[index]
        if until < first:
            return self
        return replace(self, grants=self.grants - {standing} | {(type_, first, until)})  # type: ignore[operator]

    def hand_on(self, type_: str, card: str) -> World:
        """Under a grant that has not run out; all operators and single cards do not mix."""
        if not any(grant[0] == type_ and grant[2] >= TODAY for grant in self.grants):
            return self
        others = {o for o in self.operators if o[0] == type_}
        if (type_, ALL_OPERATORS) in others:
            return self
        kept = self.operators - others if card == ALL_OPERATORS else self.operators
        return replace(self, operators=kept | {(type_, card)})

    def after_anything(self) -> Iterator[World]:
        """The worlds that are one change away."""
        for card in (CARD, OTHER_CARD):
            yield self.use_card(card)
        for days in range(-6, 10, 3):
            yield self.ask_later(TODAY + days * DAY)
        for enterprise in (PRINCIPAL, AGENT):
            yield self.register(enterprise)
        for type_ in (OPERATING, DECLARING):
            for days in (0, 3, 9):
                yield self.grant(type_, TODAY + days * DAY)
            for card in (CARD, OTHER_CARD, ALL_OPERATORS):
                yield self.hand_on(type_, card)

    def after(self, change: Change) -> World:
        """The world after a change that was proposed."""
        type_ = TABLES.action_needs[self.request.action]
        match change.kind:
            case ChangeKind.USE_OPERATOR_CARD:
                return self.use_card(change.card_number or OTHER_CARD)
            case ChangeKind.ASK_LATER_DAY:
                assert change.day is not None
                return self.ask_later(change.day)
            case ChangeKind.REGISTER:
                return self.register(change.enterprise)
            case ChangeKind.GRANT | ChangeKind.PROLONG:
                assert change.day is not None
                assert change.by == PRINCIPAL
                return self.grant(type_, change.day)
            case ChangeKind.HAND_ON:
                assert change.by == AGENT
                return self.hand_on(type_, change.card_number or self.request.card_number)


days = st.sampled_from([TODAY + number * DAY for number in range(-6, 10, 3)])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    grants: set[tuple[str, date, date]] = set()
    operators: set[tuple[str, str]] = set()
    for type_ in (OPERATING, DECLARING):
        if draw(st.booleans()):
            first, last = sorted((draw(days), draw(days)))
            grants.add((type_, first, last))
            cards = draw(
                st.sampled_from([(), (ALL_OPERATORS,), (CARD,), (OTHER_CARD,), (CARD, OTHER_CARD)])
            )
            operators |= {(type_, card) for card in cards}
    request = Request(
        "8900000000099" if (legal := draw(st.booleans())) else CARD,
        Role.LEGAL_PERSON if legal else Role.OPERATOR,
        AGENT,
        PRINCIPAL,
        "95",
        draw(st.sampled_from(["declare", "customs"])),
        draw(days),
    )
    registered = draw(st.frozensets(st.sampled_from([PRINCIPAL, AGENT])))
    return World(request, frozenset(grants), frozenset(operators), registered)


def fewest_changes(world: World) -> int:
    """How far it is to a yes, found by trying everything."""
    reached, edge, steps = {world}, {world}, 0
    while not any(candidate.allowed() for candidate in edge):
        edge = {after for here in edge for after in here.after_anything()} - reached
        reached |= edge
        steps += 1
        assert edge, "a yes cannot be reached at all"
    return steps


@settings(max_examples=150)
@given(world=worlds())
def test_the_changes_lead_to_a_yes_and_no_fewer_do(world: World) -> None:
    explanation = world.explained()
    assert explanation.decision == decide(world.request, *world.lists(), TABLES)
    changed = world
    for at, change in enumerate(explanation.changes):
        assert not changed.allowed(), f"allowed before change {at}"
        changed = changed.after(change)
    assert changed.allowed()
    assert len(explanation.changes) == fewest_changes(world)


@settings(max_examples=100)
@given(world=worlds())
def test_the_chain_holds_exactly_where_it_is_allowed(world: World) -> None:
    everything = replace(world, registered=frozenset({PRINCIPAL, AGENT}))
    explanation = everything.explained()
    assert [link.kind for link in explanation.links] == list(LinkKind)
    holds = all(link.state is LinkState.HOLDS for link in explanation.links)
    assert holds is explanation.decision.allowed


# -- what operators ask most -------------------------------------------------------------

REQUEST = Request(CARD, Role.OPERATOR, AGENT, PRINCIPAL, "95", "declare", TODAY)
LONG = (OPERATING, TODAY - 30 * DAY, TODAY + 30 * DAY)
OVER = (OPERATING, TODAY - 30 * DAY, TODAY - DAY)
KNOWN = frozenset({PRINCIPAL, AGENT})
NAMES = {PRINCIPAL: "上海甲制造有限公司", AGENT: "上海乙报关有限公司"}


def asked(request: Request, *grants: tuple[str, date, date], to: tuple[str, ...] = ()) -> Words:
    operators = frozenset((grant[0], card) for grant in grants for card in to)
    world = World(request, frozenset(grants), operators, KNOWN)
    return Words(world.explained(), TABLES, NAMES)


def states(words: Words) -> list[LinkState]:
    return [link.state for link in words.explanation.links]


HOLDS, MISSING = LinkState.HOLDS, LinkState.MISSING


def test_the_right_to_declare_is_missing_beside_the_right_to_operate() -> None:
    words = asked(replace(REQUEST, action="customs"), LONG, to=(CARD,))
    assert words.reason == "只有操作权，没有报关权，「报关调用」需要报关权"
    assert states(words) == [HOLDS, MISSING, HOLDS, LinkState.OTHER_TYPE, HOLDS]
    assert words.ways == [
        f"由授权企业 {PRINCIPAL} 的法人卡在「企业间授权录入」新增「加工贸易账册」的报关权，"
        "有效期不早于 2026-03-10",
        f"由代理企业 {AGENT} 的法人卡在「企业内授权录入」把「加工贸易账册」的报关权"
        f"授予卡 {CARD} 或全部操作员",
    ]


def test_a_grant_that_ran_out_comes_back_with_its_operators() -> None:
    words = asked(REQUEST, OVER, to=(CARD,))
    assert words.reason == "操作权的有效期至 2026-03-09，在核查日期之前"
    assert states(words) == [HOLDS, HOLDS, HOLDS, LinkState.EXPIRED, HOLDS]
    assert words.ways == [
        f"由授权企业 {PRINCIPAL} 的法人卡在「企业间授权录入」打开「加工贸易账册」的操作权，"
        "把有效期改到 2026-03-10 或以后，原有的企业内授权随之恢复"
    ]


def test_a_grant_that_will_have_run_out_is_prolonged() -> None:
    words = asked(replace(REQUEST, on=TODAY + 40 * DAY), LONG, to=(ALL_OPERATORS,))
    assert words.explanation.changes == (
        Change(ChangeKind.PROLONG, PRINCIPAL, day=TODAY + 40 * DAY),
    )
    assert "随之恢复" not in words.ways[0]


def test_a_card_that_is_not_among_the_operators_is_added_by_the_agent() -> None:
    words = asked(REQUEST, LONG, to=(OTHER_CARD,))
    assert words.reason == f"卡 {CARD} 不在代理企业据此授予的操作员之列"
    assert words.explanation.changes == (Change(ChangeKind.HAND_ON, AGENT, card_number=CARD),)


def test_a_legal_person_uses_the_card_of_an_operator_who_has_the_grant() -> None:
    words = asked(replace(REQUEST, role=Role.LEGAL_PERSON), LONG, to=(OTHER_CARD,))
    assert states(words)[0] is LinkState.LEGAL_PERSON
    assert words.ways == [f"改用企业 {AGENT} 的操作员卡，例如 {OTHER_CARD}"]


def test_the_past_stays_as_it_was() -> None:
    words = asked(replace(REQUEST, on=TODAY - 40 * DAY), LONG, to=(CARD,))
    assert words.explanation.decision.reason is Reason.NOT_YET_IN_FORCE
    assert words.ways == ["授权不追溯以往，从 2026-02-08 起才能办理"]


def test_an_enterprise_that_nobody_knows_is_told_first() -> None:
    world = World(REQUEST, frozenset(), frozenset(), frozenset({AGENT}))
    words = Words(world.explained(), TABLES, {})
    assert states(words)[-1] is LinkState.UNKNOWN
    assert words.reason.startswith(f"企业 {PRINCIPAL} 不在企业库中；企业 {PRINCIPAL} 没有把")
    assert words.ways[0].startswith(f"企业 {PRINCIPAL} 不在企业库中，请核对编号")


def test_an_enterprise_that_left_the_registry_keeps_its_grants_and_their_reasons() -> None:
    world = World(REQUEST, frozenset({OVER}), frozenset({(OPERATING, CARD)}), frozenset({AGENT}))
    words = Words(world.explained(), TABLES, {})
    assert states(words)[-1] is LinkState.UNKNOWN
    assert words.reason == "操作权的有效期至 2026-03-09，在核查日期之前"


def test_what_is_allowed_needs_no_change() -> None:
    for words in (
        asked(REQUEST, LONG, to=(CARD,)),
        asked(replace(REQUEST, enterprise=AGENT)),
    ):
        assert words.verdict == "允许"
        assert words.ways == []
        assert set(states(words)) == {HOLDS}


def test_a_retired_subsystem_is_granted_to_nobody_any_more() -> None:
    retired = [code._replace(retired=code.code == "95") for code in TABLES.subsystems]
    tables = replace(TABLES, subsystems=CodeTable("授权子系统", retired))
    explanation = explain(REQUEST, [], [], tables, today=TODAY)
    assert explanation.changes == ()
    assert Words(explanation, tables, NAMES).ways == [
        "「加工贸易账册」或操作权已停用，不能再新增授权"
    ]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("action", "destroy", "操作 destroy 不在代码表中"),
        ("subsystem", "QQ", "授权子系统 QQ 不在代码表中"),
    ],
)
def test_an_unknown_code_has_no_chain(field: str, value: str, sentence: str) -> None:
    words = asked(replace(REQUEST, **{field: value}), LONG, to=(CARD,))
    assert words.reason == sentence
    assert words.explanation.links == ()
    assert words.ways == []


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_one_sentence(reason: Reason) -> None:
    words = asked(REQUEST, LONG, to=(CARD,))
    decision = words.explanation.decision._replace(reason=reason)
    said = Words(replace(words.explanation, decision=decision), TABLES, NAMES).reason
    assert said
    assert "None" not in said
