"""The same grants in the languages of two engines that know nothing of this program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import casbin
import cedarpy
from casbin import Enforcer, Model

from eport_tui.domain.decision import Request
from eport_tui.domain.grants import ALL_OPERATORS
from eport_tui.domain.holders import Role
from tests.differential.worlds import ACTIONS, CARDS, ENTERPRISES, SUBSYSTEMS, World

# -- Cedar: a policy for each operator grant ---------------------------------------------

_OWN = """
permit (principal, action in [Action::"X1", Action::"X2"], resource)
when { principal.enterprise == resource.enterprise };
"""


def cedar(world: World, requests: Sequence[Request]) -> list[bool]:
    """What Cedar says to each request."""
    policies = [_OWN]
    keys = {grant.id: grant for grant in world.grants}
    for operator in world.operators:
        grant = keys[operator.enterprise_grant_id]
        key = grant.key
        whose = (
            "principal.operator"
            if operator.card_number == ALL_OPERATORS
            else f'principal.operator && principal.number == "{operator.card_number}"'
        )
        policies.append(
            f"""
            permit (
                principal in Enterprise::"{key.agent}",
                action in Action::"{key.grant_type}",
                resource == Books::"{key.principal} {key.subsystem}"
            ) when {{
                {whose} && context.on >= {grant.granted_on.toordinal()}
                && context.on <= {grant.valid_until.toordinal()}
            }};
            """
        )
    asked = [
        {
            "principal": f'Card::"{request.card_number} {request.role} {request.card_enterprise}"',
            "action": f'Action::"{request.action}"',
            "resource": f'Books::"{request.enterprise} {request.subsystem}"',
            "context": {"on": request.on.toordinal()},
        }
        for request in requests
    ]
    answers = cedarpy.is_authorized_batch(asked, "".join(policies), _ENTITIES)
    # Where a code is unknown Cedar finds no such entity: an error, and so a no.
    return [answer.allowed for answer in answers]


def _entity(kind: str, id: str, parents: Sequence[dict[str, str]] = (), **attributes: object):
    return {"uid": {"type": kind, "id": id}, "attrs": attributes, "parents": list(parents)}


def _reference(enterprise: str) -> dict[str, dict[str, str]]:
    return {"__entity": {"type": "Enterprise", "id": enterprise}}


_ENTITIES = [
    *(_entity("Enterprise", code) for code in ENTERPRISES),
    *(_entity("Action", grant_type) for grant_type in set(ACTIONS.values())),
    *(
        _entity("Action", action, [{"type": "Action", "id": grant_type}])
        for action, grant_type in ACTIONS.items()
    ),
    *(
        _entity("Books", f"{code} {subsystem}", enterprise=_reference(code))
        for code in ENTERPRISES
        for subsystem in SUBSYSTEMS
    ),
    *(
        _entity(
            "Card",
            f"{number} {role} {code}",
            [{"type": "Enterprise", "id": code}],
            number=number,
            operator=role is Role.OPERATOR,
            enterprise=_reference(code),
        )
        for number in CARDS
        for role in Role
        for code in ENTERPRISES
    ),
]

# -- Casbin: a line for each operator grant, an expression that is tried on each ----------

_MODEL = """
[request_definition]
r = card, operator, agent, principal, subsystem, action, day

[policy_definition]
p = card, agent, principal, subsystem, type, first, last

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = known(r.subsystem) && g(r.action, p.type) && r.principal == p.principal \
&& r.agent == p.agent && (r.agent == r.principal || r.operator \
&& r.subsystem == p.subsystem && (p.card == '*' || r.card == p.card) \
&& within(r.day, p.first, p.last))
"""


def _within(day: date, first: str, last: str) -> bool:
    return first <= day.isoformat() <= last


def casbin_enforcer(world: World) -> Enforcer:
    """Casbin with the grants of a world as its policy."""
    model = Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_function("within", _within)
    enforcer.add_function("known", lambda subsystem: subsystem in SUBSYSTEMS)
    keys = {grant.id: grant for grant in world.grants}
    lines: list[list[str]] = [
        ["*", code, code, "*", grant_type, "", ""]
        for code in ENTERPRISES
        for grant_type in sorted(set(ACTIONS.values()))
    ]
    for operator in world.operators:
        grant = keys[operator.enterprise_grant_id]
        key = grant.key
        lines.append(
            [
                operator.card_number or "*",
                key.agent,
                key.principal,
                key.subsystem,
                key.grant_type,
                grant.granted_on.isoformat(),
                grant.valid_until.isoformat(),
            ]
        )
    enforcer.add_policies(lines)
    enforcer.add_grouping_policies([[action, type_] for action, type_ in ACTIONS.items()])
    return enforcer


def casbin_says(enforcer: Enforcer, request: Request) -> bool:
    """What Casbin says to a request."""
    return enforcer.enforce(
        request.card_number,
        request.role is Role.OPERATOR,
        request.card_enterprise,
        request.enterprise,
        request.subsystem,
        request.action,
        request.on,
    )
