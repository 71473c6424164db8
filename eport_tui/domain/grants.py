"""Grants between enterprises and within one, and what makes a grant valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.dates import parse_valid_until
from eport_tui.domain.identifiers import parse_customs_code
from eport_tui.errors import EportError, InvalidInput

EXPIRING_WITHIN = timedelta(days=30)
"""How long before its last day a grant is shown as 即将到期 (spec §2.1)."""

ALL_OPERATORS = ""
"""The card number of a grant to all operators (manual 1.3: 该记录IC卡号的值为空)."""

TO_ALL = "全部操作员"
"""What is shown in the place of that card number."""


def card_or_all(card_number: str) -> str:
    """The card number of an operator grant as operators read it."""
    return card_number or TO_ALL


class GrantState(StrEnum):
    """Where an enterprise grant stands on a given day."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"

    @property
    def label(self) -> str:
        """The state on the screen."""
        return {"active": "有效", "expiring": "即将到期", "expired": "已过期"}[self.value]


# Tuples, because each decision and each row of a list makes some: a frozen data class
# takes more than twice as long.


class GrantKey(NamedTuple):
    """What makes an enterprise grant the same grant (spec §1)."""

    principal: str
    agent: str
    subsystem: str
    grant_type: str


class EnterpriseGrant(NamedTuple):
    """企业间授权: `principal` lets `agent` work in one subsystem until a date.

    Attributes:
        id: Number of the row.
        key: Principal, agent, subsystem and grant type.
        granted_on: First day (授权日期).
        valid_until: Last day, included (权限有效期).
        revision: Counts the changes; a save names the one it was made from.
        changed_at: When it was last changed.
        changed_by: Number of the card that changed it.
    """

    id: int
    key: GrantKey
    granted_on: date
    valid_until: date
    revision: int
    changed_at: datetime
    changed_by: str

    def state(self, today: date) -> GrantState:
        """The state to show on a given day."""
        return grant_state(self.valid_until, today)


def grant_state(valid_until: date, today: date) -> GrantState:
    """The state of a grant that ends on `valid_until`, seen on `today`."""
    if valid_until < today:
        return GrantState.EXPIRED
    if valid_until - today <= EXPIRING_WITHIN:
        return GrantState.EXPIRING
    return GrantState.ACTIVE


class OperatorGrant(NamedTuple):
    """企业内授权: one operator's card, or all operators, under an enterprise grant.

    Attributes:
        id: Number of the row.
        enterprise_grant_id: The grant it stands under.
        card_number: IC卡号, or `ALL_OPERATORS`.
        granted_on: The day it was made.
        changed_by: Number of the card that made it.
    """

    id: int
    enterprise_grant_id: int
    card_number: str
    granted_on: date
    changed_by: str

    @property
    def to_all(self) -> bool:
        """Whether it is a grant to all operators of the agent."""
        return self.card_number == ALL_OPERATORS


@dataclass(frozen=True, slots=True)
class GrantDraft:
    """The form of an enterprise grant as it was typed, before any check.

    Attributes:
        agent: 代理企业编号.
        subsystem: Code of the 授权子系统.
        grant_type: Code of the 授权类型.
        valid_until: 权限有效期.
        grant_id: The grant that was opened for a change; none for a new one.
        revision: The revision that was seen when it was opened.
    """

    agent: str = ""
    subsystem: str = ""
    grant_type: str = ""
    valid_until: str = ""
    grant_id: int | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft whose every field was found good."""

    key: GrantKey
    valid_until: date


def parse_agent(text: str, principal: str) -> str:
    """Return the customs code of an agent that `principal` may grant to.

    Raises:
        InvalidInput: It is malformed, or the principal's own code.
    """
    agent = parse_customs_code(text, field="agent", label="代理企业编号")
    if agent == principal:
        raise InvalidInput(
            "代理企业不能是本企业", field="agent", hint="本企业办理自己的业务不需要授权"
        )
    return agent


def check_draft(
    draft: GrantDraft, *, principal: str, tables: CodeTables, today: date
) -> tuple[CheckedDraft | None, list[EportError]]:
    """Check every field of a draft.

    The key fields of a grant that was opened for a change are taken as they
    stand, so that one whose code was retired since can still be changed.

    Returns:
        The checked draft and no faults, or none and the faults in the order of
        the form's fields (agent, subsystem, grant_type, valid_until).
    """
    faults: list[EportError] = []
    agent, subsystem, grant_type = draft.agent, draft.subsystem, draft.grant_type
    valid_until: date | None = None
    if draft.grant_id is None:
        try:
            agent = parse_agent(draft.agent, principal)
        except InvalidInput as fault:
            faults.append(fault)
        for table, code, field in (
            (tables.subsystems, subsystem, "subsystem"),
            (tables.grant_types, grant_type, "grant_type"),
        ):
            try:
                table.parse(code, field=field)
            except InvalidInput as fault:
                faults.append(fault)
    try:
        valid_until = parse_valid_until(draft.valid_until, today=today, field="valid_until")
    except InvalidInput as fault:
        faults.append(fault)
    if faults or valid_until is None:
        return None, faults
    return CheckedDraft(GrantKey(principal, agent, subsystem, grant_type), valid_until), []
