"""Net loss: what is said to stop working is the difference of what works before and after."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.decision import Request, decide
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.domain.netloss import Grants, Loss, Period, net_loss
from eport_tui.reference import load_tables

TABLES = load_tables()
TODAY = date(2026, 3, 1)
CARDS = ("8900000000051", "8900000000062")
PRINCIPALS, AGENT = ("3101940001", "3205460003"), "3101980002"
DAYS = [TODAY + timedelta(days=each) for each in range(-3, 8)]

keys = st.builds(
    GrantKey,
    st.sampled_from(PRINCIPALS),
    st.just(AGENT),
    st.sampled_from(("95", "B1", "no such subsystem")),
    st.sampled_from(("X1", "X2")),
)
cards = st.one_of(
    st.just((ALL_OPERATORS,)), st.lists(st.sampled_from(CARDS), unique=True).map(tuple)
)


@st.composite
def grants(draw: st.DrawFn) -> Grants:
    """Grants that the tables could hold."""
    enterprise: list[EnterpriseGrant] = []
    operator: list[OperatorGrant] = []
    for number, key in enumerate(draw(st.lists(keys, max_size=3, unique=True)), 1):
        first, last = sorted(draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))))
        moment = datetime(2026, 1, 1, tzinfo=SHANGHAI)
        enterprise.append(EnterpriseGrant(number, key, first, last, 1, moment, CARDS[0]))
        operator += [OperatorGrant(0, number, card, first, CARDS[0]) for card in draw(cards)]
    return Grants(tuple(enterprise), tuple(operator))


def rights(standing: Grants) -> set[tuple[str, str, str, str, date]]:
    """Who can do what, for whom, where and when: each decision on its own."""
    return {
        (card, principal, subsystem, action, day)
        for card in (*CARDS, "8900000000073")
        for principal in PRINCIPALS
        for subsystem in ("95", "B1")
        for action in ("declare", "customs")
        for day in DAYS
        if day >= TODAY
        and decide(
            Request(card, Role.OPERATOR, AGENT, principal, subsystem, action, day),
            standing.enterprise,
            standing.operator,
            TABLES,
        ).allowed
    }


def told(losses: list[Loss]) -> set[tuple[str, str, str, str, date]]:
    """The rights that a list of losses names, those of all operators for each card."""
    return {
        (card, loss.key.principal, loss.key.subsystem, action, day)
        for loss in losses
        for card in ((loss.card_number,) if loss.card_number else (*CARDS, "8900000000073"))
        for action in loss.actions
        if action in ("declare", "customs")
        for day in DAYS
        if loss.days.first <= day <= loss.days.last
    }


@given(grants(), st.data())
def test_the_net_loss_is_the_difference_of_who_can_before_and_after(
    before: Grants, data: st.DataObject
) -> None:
    after = Grants(
        tuple(
            shortened
            for grant in before.enterprise
            for shortened in data.draw(st.sampled_from(((), (grant,), (earlier(grant),))))
        ),
        tuple(each for each in before.operator if data.draw(st.booleans())),
    )
    lost = told(net_loss(before, after, TABLES, since=TODAY))
    assert lost == rights(before) - rights(after)


def earlier(grant: EnterpriseGrant) -> EnterpriseGrant:
    """The grant with an earlier last day, where it has one."""
    until = max(grant.granted_on, grant.valid_until - timedelta(days=2))
    return EnterpriseGrant(
        grant.id, grant.key, grant.granted_on, until, 2, grant.changed_at, grant.changed_by
    )


@given(grants())
def test_all_operators_in_place_of_single_cards_take_nothing_away(before: Grants) -> None:
    to_all = tuple(
        OperatorGrant(0, grant.id, ALL_OPERATORS, TODAY, CARDS[0]) for grant in before.enterprise
    )
    assert net_loss(before, Grants(before.enterprise, to_all), TABLES, since=TODAY) == []


def test_days_around_a_gap_are_told_apart() -> None:
    day = [TODAY + timedelta(days=each) for each in range(5)]
    assert list(Period(day[0], day[4]).without(Period(day[1], day[2]))) == [
        Period(day[0], day[0]),
        Period(day[3], day[4]),
    ]
