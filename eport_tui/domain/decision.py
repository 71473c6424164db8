"""The decision: may this card do this, for this enterprise, here, on this day?

What is not granted is denied (spec §3).  The rule is pure, so that it can be
tried against every combination; the store has the same rule in SQL, and a
property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import EnterpriseGrant, OperatorGrant
from eport_tui.domain.holders import Role


class Reason(StrEnum):
    """Why a request is allowed or denied; ordered from the farthest miss to a yes."""

    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_SUBSYSTEM = "unknown_subsystem"
    LEGAL_PERSON_CARD = "legal_person_card"
    NO_ENTERPRISE_GRANT = "no_enterprise_grant"
    OTHER_GRANT_TYPE = "other_grant_type"
    EXPIRED = "expired"
    NOT_YET_IN_FORCE = "not_yet_in_force"
    NO_OPERATOR_GRANT = "no_operator_grant"
    GRANTED_TO_CARD = "granted_to_card"
    GRANTED_TO_ALL = "granted_to_all"
    OWN_ENTERPRISE = "own_enterprise"


_NEARNESS = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the decision.

    Attributes:
        card_number: IC卡号 of the card that acts.
        role: The card's role; a legal-person card is not an operator.
        card_enterprise: Customs code of the card's enterprise.
        enterprise: Customs code of the enterprise whose data is worked on.
        subsystem: Code of the 授权子系统.
        action: Code of the action.
        on: The day, in Asia/Shanghai.
    """

    card_number: str
    role: Role
    card_enterprise: str
    enterprise: str
    subsystem: str
    action: str
    on: date


class Decision(NamedTuple):
    """The answer and the links of the chain that it rests on.

    Attributes:
        allowed: Whether the card may act.
        reason: Why, or why not: of several misses the nearest.
        enterprise_grant: The grant between the enterprises that was looked at last.
        operator_grant: The grant to the card or to all operators, when allowed by one.
    """

    allowed: bool
    reason: Reason
    enterprise_grant: EnterpriseGrant | None = None
    operator_grant: OperatorGrant | None = None


def decide(
    request: Request,
    enterprise_grants: Iterable[EnterpriseGrant],
    operator_grants: Iterable[OperatorGrant],
    tables: CodeTables,
) -> Decision:
    """Decide a request from the grants that are given.

    The iterables may hold any grants; those that do not concern the request are
    passed over.  The order in which they come does not change the answer.
    """
    needed = tables.action_needs.get(request.action)
    if needed is None:
        return Decision(False, Reason.UNKNOWN_ACTION)
    if request.subsystem not in tables.subsystems:
        return Decision(False, Reason.UNKNOWN_SUBSYSTEM)
    if request.card_enterprise == request.enterprise:
        return Decision(True, Reason.OWN_ENTERPRISE)
    if request.role is Role.LEGAL_PERSON:
        return Decision(False, Reason.LEGAL_PERSON_CARD)

    operators = list(operator_grants)
    candidates = [
        _judge(request, grant, needed, operators)
        for grant in enterprise_grants
        if grant.key.principal == request.enterprise
        and grant.key.agent == request.card_enterprise
        and grant.key.subsystem == request.subsystem
    ]
    if not candidates:
        return Decision(False, Reason.NO_ENTERPRISE_GRANT)
    if len(candidates) == 1:
        return candidates[0]
    return max(
        candidates,
        key=lambda decision: (
            _NEARNESS[decision.reason],
            decision.enterprise_grant.valid_until if decision.enterprise_grant else date.min,
            -(decision.enterprise_grant.id if decision.enterprise_grant else 0),
        ),
    )


def _judge(
    request: Request, grant: EnterpriseGrant, needed: str, operators: list[OperatorGrant]
) -> Decision:
    if grant.key.grant_type != needed:
        return Decision(False, Reason.OTHER_GRANT_TYPE, grant)
    if grant.valid_until < request.on:
        return Decision(False, Reason.EXPIRED, grant)
    if request.on < grant.granted_on:
        return Decision(False, Reason.NOT_YET_IN_FORCE, grant)
    to_card: OperatorGrant | None = None
    for operator in operators:
        if operator.enterprise_grant_id == grant.id:
            if operator.to_all:
                return Decision(True, Reason.GRANTED_TO_ALL, grant, operator)
            if operator.card_number == request.card_number:
                to_card = operator
    if to_card is not None:
        return Decision(True, Reason.GRANTED_TO_CARD, grant, to_card)
    return Decision(False, Reason.NO_OPERATOR_GRANT, grant)
