"""Grants: their states, and the form of a grant."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from eport_tui.domain.codes import Code, CodeTable
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import (
    CheckedDraft,
    EnterpriseGrant,
    GrantDraft,
    GrantKey,
    GrantState,
    OperatorGrant,
    check_draft,
    grant_state,
    parse_agent,
)
from eport_tui.errors import InvalidInput
from eport_tui.reference import load_tables

TODAY = date(2026, 3, 1)
DAY = timedelta(days=1)
TABLES = load_tables()
PRINCIPAL, AGENT = "3101940001", "3101980002"


@pytest.mark.parametrize(
    ("days_left", "state", "label"),
    [
        (-1, GrantState.EXPIRED, "已过期"),
        (0, GrantState.EXPIRING, "即将到期"),
        (30, GrantState.EXPIRING, "即将到期"),
        (31, GrantState.ACTIVE, "有效"),
    ],
)
def test_states_by_days_left(days_left: int, state: GrantState, label: str) -> None:
    assert grant_state(TODAY + days_left * DAY, TODAY) is state
    assert state.label == label


def test_the_state_of_a_grant_is_that_of_its_last_day() -> None:
    grant = EnterpriseGrant(
        1,
        GrantKey(PRINCIPAL, AGENT, "95", "X1"),
        TODAY,
        TODAY + DAY,
        1,
        datetime(2026, 3, 1, tzinfo=SHANGHAI),
        "8900000000011",
    )
    assert grant.state(TODAY) is GrantState.EXPIRING
    assert grant.state(TODAY + 2 * DAY) is GrantState.EXPIRED


def test_an_empty_card_number_means_all_operators() -> None:
    assert OperatorGrant(1, 1, "", TODAY, "8900000000011").to_all
    assert not OperatorGrant(1, 1, "8900000000022", TODAY, "8900000000011").to_all


def test_an_enterprise_needs_no_grant_to_itself() -> None:
    assert parse_agent("３１０１９８０００２", PRINCIPAL) == AGENT
    with pytest.raises(InvalidInput) as caught:
        parse_agent(PRINCIPAL, PRINCIPAL)
    assert (caught.value.message, caught.value.field) == ("代理企业不能是本企业", "agent")


def test_a_good_draft() -> None:
    draft = GrantDraft(AGENT, "95", "X1", "+1y")
    assert check_draft(draft, principal=PRINCIPAL, tables=TABLES, today=TODAY) == (
        CheckedDraft(GrantKey(PRINCIPAL, AGENT, "95", "X1"), date(2027, 3, 1)),
        [],
    )


def test_every_fault_is_found_in_the_order_of_the_form() -> None:
    checked, faults = check_draft(GrantDraft(), principal=PRINCIPAL, tables=TABLES, today=TODAY)
    assert checked is None
    assert [(fault.field, fault.message) for fault in faults] == [
        ("agent", "请输入代理企业编号"),
        ("subsystem", "请选择授权子系统"),
        ("grant_type", "请选择授权类型"),
        ("valid_until", "请输入权限有效期"),
    ]


def test_the_key_of_an_opened_grant_is_taken_as_it_stands() -> None:
    draft = GrantDraft(AGENT, "GONE", "GONE", "+1y", grant_id=1, revision=1)
    checked, faults = check_draft(draft, principal=PRINCIPAL, tables=TABLES, today=TODAY)
    assert faults == []
    assert checked is not None
    assert checked.key == GrantKey(PRINCIPAL, AGENT, "GONE", "GONE")
    _, faults = check_draft(
        GrantDraft(AGENT, "95", "X1", "20260228", 1, 1),
        principal=PRINCIPAL,
        tables=TABLES,
        today=TODAY,
    )
    assert [fault.field for fault in faults] == ["valid_until"]


def test_a_new_grant_begins_with_the_right_to_operate() -> None:
    assert TABLES.grant_types.name(TABLES.default_grant_type) == "操作权"
    assert CodeTable("x", [Code("1", "甲")]).parse("1") == "1"
