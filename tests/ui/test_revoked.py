"""What a card did after it had been revoked is put right at the screens, in strict mode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eport_tui.card.trust import TrustStore
from eport_tui.services import expiry
from eport_tui.services.verification import Verification
from eport_tui.settings import Settings
from eport_tui.store import ledger
from tests.ui.colleague import BROKER_CODE, Colleague, with_a_lost_card
from tests.ui.enterprise_grants import ENTERPRISE_GRANTS, into_the_list
from tests.ui.operator import BROKER, MANUFACTURER, at_work
from tests.ui.operator_grants import (
    NO_CARDS,
    OPERATOR_GRANTS,
    choose,
    choose_all,
    grant_of,
    to_the_operators,
)

LOST_TO, NEW = "8900000000981", "8900000000997"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, strict=True)


def what_does_not_hold(settings: Settings, colleague: Colleague) -> list[str]:
    """What a verification finds."""
    found = Verification(colleague.store, TrustStore.of(settings.trust_dir)).findings()
    return [each.message for each in found if not each.is_note]


REVOKED = ["签名时证书已吊销"]
"""The finding about the entry of the lost card, which is the truth about it and stays."""


async def test_what_it_handed_on_is_deleted(settings: Settings, broker: Colleague) -> None:
    with with_a_lost_card(settings, broker) as thief:
        thief.hand_on(grant_of(broker, NO_CARDS), LOST_TO)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await to_the_operators(operator, "f8")
        await operator.type("y")
        assert f"已删除操作员卡 {LOST_TO} 的权限" in operator.message
    assert what_does_not_hold(settings, broker) == REVOKED


async def test_all_operators_take_the_place_of_what_it_handed_on(
    settings: Settings, broker: Colleague
) -> None:
    with with_a_lost_card(settings, broker) as thief:
        thief.hand_on(grant_of(broker, NO_CARDS), LOST_TO)
    async with at_work(settings, BROKER, OPERATOR_GRANTS) as operator:
        await choose(operator, NO_CARDS)
        await choose_all(operator)
        await operator.press("f6")
        await operator.type("y")
        await operator.press("f10")
        assert operator.sees("暂存成功")
    assert what_does_not_hold(settings, broker) == REVOKED


async def test_the_card_to_which_it_handed_on_is_replaced(
    settings: Settings, broker: Colleague
) -> None:
    with with_a_lost_card(settings, broker) as thief:
        thief.hand_on(grant_of(broker, NO_CARDS), LOST_TO)
    async with at_work(settings, BROKER, "16") as operator:
        await operator.burst(LOST_TO, "<enter>", NEW, "<enter>", "<f10>", "y")
        assert operator.sees("换卡成功")
    assert what_does_not_hold(settings, broker) == REVOKED


async def test_what_it_granted_is_deleted_and_can_be_granted_and_reinstated(
    settings: Settings, colleague: Colleague
) -> None:
    with with_a_lost_card(settings, colleague) as thief:
        thief.grant(BROKER_CODE, "95")
    async with at_work(settings, MANUFACTURER, ENTERPRISE_GRANTS) as operator:
        await into_the_list(operator, "f8")
        await operator.type("y")
        assert operator.sees("已删除授权")
        assert what_does_not_hold(settings, colleague) == REVOKED
        await operator.burst("<escape>", "7", "<f6>", "y")
        assert operator.sees("恢复成功")
    assert what_does_not_hold(settings, colleague) == REVOKED


async def test_what_it_deleted_comes_back_and_says_what_the_agent_has_to_do(
    settings: Settings, colleague: Colleague
) -> None:
    grant = colleague.grant_to(BROKER_CODE, "B1")
    with with_a_lost_card(settings, colleague) as thief:
        thief.delete(grant)
    late = ledger.last_number(colleague.store)
    async with at_work(settings, MANUFACTURER, "17") as operator:
        await operator.press("f6")
        assert operator.sees(
            "其下没有企业内授权恢复",
            "另有1条不能随之恢复，因为原来那笔删除的签名不被认可",
            "由代理企业重新授予",
        )
        await operator.press("y")
        assert operator.sees("恢复成功")
    assert colleague.grant_to(BROKER_CODE, "B1").valid_until == grant.valid_until
    found = Verification(colleague.store, TrustStore.of(settings.trust_dir)).findings()
    assert [each.entry for each in found if not each.is_note and not each.row] == [late]


async def test_what_it_let_lapse_is_kept(settings: Settings, colleague: Colleague) -> None:
    grants = [row.grant for row in colleague.made()]
    with with_a_lost_card(settings, colleague) as thief:
        expiry.let_lapse(thief.store, thief.session, grants)
    async with at_work(settings, MANUFACTURER, "15") as operator:
        await operator.press("f2", "f8")
        assert operator.sees("已恢复提醒")
    ours = ledger.last_number(colleague.store)
    found = Verification(colleague.store, TrustStore.of(settings.trust_dir)).findings()
    assert ours not in [each.entry for each in found]
