"""授权核查 as a service: what is asked, by whom, and what the registry knows of the card."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from eport_tui.domain.decision import Reason
from eport_tui.domain.explanation import ChangeKind, LinkState, Words
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.holders import Role
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services import decisions, enterprise_grants
from eport_tui.services.decisions import Asked
from eport_tui.services.proof import Proof
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.ledger.making import trust_in
from tests.rows import insert_grant, insert_operator_grant
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    StandIn,
    grant,
    hand_on,
    session,
)

ASKED = Asked(CARD, BROKER.customs_code, MANUFACTURER.customs_code, "95", "declare")


def with_(**changes: str) -> Asked:
    return Asked(**{**{name: getattr(ASKED, name) for name in ASKED.__slots__}, **changes})


def ask(store: Store, who: StandIn, asked: Asked = ASKED):  # type: ignore[no-untyped-def]
    return decisions.ask(store, TABLES, who, asked, today=TODAY)  # type: ignore[arg-type]


@pytest.mark.parametrize("enterprise", [BROKER, MANUFACTURER])
@pytest.mark.parametrize("role", list(Role))
def test_each_end_may_ask_with_any_card(store: Store, enterprise, role: Role) -> None:  # type: ignore[no-untyped-def]
    hand_on(store, grant(store), CARD)
    words = ask(store, session(enterprise, role))
    assert words.explanation.decision.allowed
    assert words.names == {
        BROKER.customs_code: BROKER.name,
        MANUFACTURER.customs_code: MANUFACTURER.name,
    }


@pytest.mark.parametrize("enterprise", [TRADER, OTHER_BROKER])
def test_what_others_have_granted_each_other_is_not_told(store: Store, enterprise) -> None:  # type: ignore[no-untyped-def]
    hand_on(store, grant(store), CARD)
    with pytest.raises(NotPermitted, match="只能核查与本企业有关的授权"):
        ask(store, session(enterprise))


def test_ones_own_card_cannot_be_asked_about_as_anothers(store: Store) -> None:
    own = session(TRADER)
    with pytest.raises(InvalidInput) as caught:
        ask(
            store,
            own,
            with_(card=own.holder.card_number, enterprise=TRADER.customs_code),
        )
    assert caught.value.field == "card_enterprise"


@pytest.mark.parametrize("written", ["{}", "03-{}", "０３－{}", " 03-{}", "03- {}", "03-\u3000{} "])
def test_ones_own_legal_person_card_is_known_as_such(store: Store, written: str) -> None:
    own = session(BROKER)
    words = ask(store, own, with_(card=written.format(own.holder.card_number)))
    assert words.explanation.decision.reason is Reason.LEGAL_PERSON_CARD


def test_a_card_that_the_registry_lists_is_a_legal_persons(store: Store) -> None:
    with store.transaction():
        enterprises.put_legal_person_cards(store, [enterprises.Entry(BROKER, (CARD,))])
    hand_on(store, grant(store), OTHER_CARD)
    words = ask(store, session(BROKER))
    assert words.explanation.request.role is Role.LEGAL_PERSON
    assert words.explanation.links[0].verified
    assert words.ways == [f"改用企业 {BROKER.customs_code} 的操作员卡，例如 {OTHER_CARD}"]
    with pytest.raises(InvalidInput, match="是另一企业的法人卡"):
        ask(store, session(TRADER), with_(card_enterprise=TRADER.customs_code))


@pytest.mark.parametrize("card", [CARD, OTHER_CARD])
def test_of_a_card_s_enterprise_that_does_not_exist_that_is_said(store: Store, card: str) -> None:
    with store.transaction():
        enterprises.put_legal_person_cards(store, [enterprises.Entry(BROKER, (CARD,))])
    # Of a card that is known to be another's, and of one that nobody knows.
    asked = with_(card=card, card_enterprise="8900000000")
    with pytest.raises(NotFound, match="未查询到该企业 8900000000") as caught:
        ask(store, session(TRADER), asked)
    assert caught.value.field == "card_enterprise"


INVENTED = "8900000009999"


def test_of_an_operators_card_no_more_is_known_than_who_asks_says(store: Store) -> None:
    hand_on(store, grant(store))
    own = session(BROKER, Role.OPERATOR, CARD)
    for number, verified in ((CARD, True), (OTHER_CARD, False), (INVENTED, False)):
        words = ask(store, own, with_(card=number))
        # To all operators: no register tells which cards are the broker's.
        assert words.explanation.decision.allowed
        card = words.explanation.links[0]
        assert (card.verified, card.label) == (verified, "有效" if verified else "未核实")
        assert ("按所填" in words.link(card)) is not verified


def test_for_its_own_business_a_card_is_verified_no_more_than_elsewhere(store: Store) -> None:
    for number, verified in ((CARD, True), (INVENTED, False)):
        words = ask(
            store,
            session(BROKER, Role.OPERATOR, CARD),
            with_(card=number, enterprise=BROKER.customs_code),
        )
        assert words.explanation.links[0].verified is verified


def test_codes_may_be_given_by_their_names(store: Store) -> None:
    asked = with_(subsystem="加工贸易账册", action=" 报关调用 ", on="20260401")
    request = decisions.read_request(store, TABLES, asked, today=TODAY)
    assert (request.subsystem, request.action) == ("95", "customs")
    assert request.on == TODAY + timedelta(days=31)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("card", ""),
        ("card", "89"),
        ("card_enterprise", "31"),
        ("enterprise", "abc"),
        ("subsystem", "QQ"),
        ("subsystem", ""),
        ("action", "destroy"),
        ("on", "20260230"),
    ],
)
def test_what_cannot_be_understood_is_told_at_its_field(
    store: Store, field: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(store, session(BROKER), with_(**{field: value}))
    assert caught.value.field == field


def test_an_enterprise_outside_the_registry_is_shown_as_unknown(store: Store) -> None:
    words = ask(store, session(BROKER), with_(enterprise="3199940009"))
    assert words.explanation.links[-1].state is LinkState.UNKNOWN
    assert "不在企业库中" in words.ways[0]


def test_a_past_day_is_judged_by_the_grants_of_that_day(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    later = TODAY + timedelta(days=10)
    enterprise_grants.delete(
        store, session(MANUFACTURER), standing.id, revision=1, operator_grants=1, today=later
    )

    def answer(on: date) -> Words:
        asked = with_(on=on.isoformat())
        return decisions.ask(store, TABLES, session(BROKER), asked, today=later)  # type: ignore[arg-type]

    assert answer(TODAY).explanation.decision.allowed
    assert answer(later - timedelta(days=1)).explanation.decision.allowed
    assert not answer(later).explanation.decision.allowed
    assert not answer(TODAY - timedelta(days=1)).explanation.decision.allowed


def test_what_would_help_on_a_past_day_is_what_would_help_today(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, OTHER_CARD)
    later = TODAY + timedelta(days=10)
    hand_on(store, standing, CARD, today=later)
    asked = with_(on=TODAY.isoformat())
    words = decisions.ask(store, TABLES, session(BROKER), asked, today=later)  # type: ignore[arg-type]
    # Not handed on that day, but it is by now: nothing is to be done but to ask about today.
    assert [change.kind for change in words.explanation.changes] == [ChangeKind.ASK_LATER_DAY]


def test_no_past_day_can_be_asked_about_before_anything_was_recorded(store: Store) -> None:
    with pytest.raises(NotFound, match="还没有操作记录"):
        ask(store, session(BROKER), with_(on=(TODAY - timedelta(days=1)).isoformat()))


@pytest.mark.parametrize("days", [0, 3])
def test_a_strict_decision_counts_what_is_signed_and_nothing_else(
    store: Store, tmp_path: Path, days: int
) -> None:
    proof = Proof(store, trust_in(tmp_path))
    hand_on(store, grant(store), CARD)
    with store.transaction():
        key = GrantKey(MANUFACTURER.customs_code, BROKER.customs_code, "B1", "X1")
        slipped_in = insert_grant(store, key, TODAY, TODAY + timedelta(days=100))
        insert_operator_grant(store, slipped_in, CARD, TODAY)
    today = TODAY + timedelta(days=days)
    for subsystem, strictly, allowed in (
        ("95", True, True),
        ("B1", True, False),
        ("95", False, True),
        ("B1", False, days == 0),
    ):
        asked = with_(subsystem=subsystem, on=TODAY.isoformat())
        words = decisions.ask(  # type: ignore[arg-type]
            store, TABLES, session(BROKER), asked, today=today, proof=proof if strictly else None
        )
        assert words.explanation.decision.allowed is allowed, (subsystem, strictly)
