"""Why a decision is a yes or a no, link by link, and what would make a no a yes.

The chain of a right (spec §3): card -> operator grant -> agent -> enterprise grant ->
principal.  The changes that are named are the fewest that allow the request, each
with the enterprise whose legal-person card makes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.decision import Decision, Reason, Request, decide
from eport_tui.domain.grants import EnterpriseGrant, OperatorGrant
from eport_tui.domain.holders import Role
from eport_tui.domain.text import printable


class LinkKind(StrEnum):
    """A link of the chain, from the card to the enterprise whose data it is."""

    CARD = "card"
    OPERATOR_GRANT = "operator_grant"
    AGENT = "agent"
    ENTERPRISE_GRANT = "enterprise_grant"
    PRINCIPAL = "principal"

    @property
    def label(self) -> str:
        """The link on the screen."""
        return {
            "card": "IC卡",
            "operator_grant": "企业内授权",
            "agent": "代理企业",
            "enterprise_grant": "企业间授权",
            "principal": "授权企业",
        }[self.value]


class LinkState(StrEnum):
    """Whether a link holds on the day that is asked about, and if not, why."""

    HOLDS = "holds"
    LEGAL_PERSON = "legal_person"
    MISSING = "missing"
    OTHER_TYPE = "other_type"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """The state on the screen."""
        return {
            "holds": "有效",
            "legal_person": "不是操作员卡",
            "missing": "没有",
            "other_type": "授权类型不符",
            "expired": "已到期",
            "not_yet": "尚未开始",
            "unknown": "未登记",
        }[self.value]


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain.

    Attributes:
        kind: Which link.
        state: Whether it holds.
        enterprise: Customs code, of an agent or principal.
        enterprise_grant: The grant that was looked at, where there is one.
        operator_grant: The grant to the card or to all operators, where there is one.
        verified: Whether the program knows it to be so; of a card, whose it is: otherwise
            its role and its enterprise are what the asker says.
    """

    kind: LinkKind
    state: LinkState
    enterprise: str = ""
    enterprise_grant: EnterpriseGrant | None = None
    operator_grant: OperatorGrant | None = None
    verified: bool = True

    @property
    def holds(self) -> bool:
        """Whether it holds, verified or not."""
        return self.state is LinkState.HOLDS

    @property
    def label(self) -> str:
        """The state on the screen."""
        return self.state.label if self.verified or not self.holds else "未核实"


class ChangeKind(StrEnum):
    """One thing that somebody can do about a no."""

    USE_OPERATOR_CARD = "use_operator_card"
    ASK_LATER_DAY = "ask_later_day"
    REGISTER = "register"
    GRANT = "grant"
    PROLONG = "prolong"
    HAND_ON = "hand_on"

    @property
    def screen(self) -> str:
        """The screen on which a legal-person card does it; empty when none is needed."""
        if self in (ChangeKind.GRANT, ChangeKind.PROLONG):
            return "企业间授权录入"
        return "企业内授权录入" if self is ChangeKind.HAND_ON else ""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the smallest set.

    Attributes:
        kind: What is to be done.
        by: Customs code of the enterprise whose legal-person card does it; empty when
            it is the asker's or the administrator's to do.
        enterprise: Customs code of the enterprise that is to be registered.
        day: The earliest last day of the grant, or the first day that can be asked about.
        card_number: The operator's card that gets the grant, or that can be used instead;
            empty when any of the agent's operator cards will do.
        renews: Whether the grant has run out already, so that it begins anew.
    """

    kind: ChangeKind
    by: str = ""
    enterprise: str = ""
    day: date | None = None
    card_number: str = ""
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, the chain it rests on, and what would turn a no into a yes.

    Attributes:
        request: What was asked.
        decision: The answer.
        grant_type: Code of the 授权类型 that the action needs; empty for an unknown action.
        links: The chain from the card on; short when the enterprise is the card's own.
        changes: The fewest changes that allow the request, in the order in which they
            are made; empty when it is allowed, or when nothing could allow it.
    """

    request: Request
    decision: Decision
    grant_type: str
    links: tuple[Link, ...]
    changes: tuple[Change, ...]


def explain(
    request: Request,
    enterprise_grants: Iterable[EnterpriseGrant],
    operator_grants: Iterable[OperatorGrant],
    tables: CodeTables,
    *,
    today: date,
    unknown: Collection[str] = (),
    verified: bool = False,
) -> Explanation:
    """Decide a request and say why; the decision is that of `decide`.

    What is granted today holds from today on, never before, and under a grant that has
    run out nothing is handed on (spec §2.1, §2.2): so a day in the past may have to be
    asked about as today.

    Args:
        request: The question.
        enterprise_grants, operator_grants: As for `decide`.  For a legal-person card the
            operator grants of other cards are looked at too: one of them may be used.
        tables: The code tables.
        today: The day on which changes would be made.
        unknown: Those of the two enterprises that are not in the registry, so that
            nothing new can be granted between them.
        verified: Whether it is known that the card has that role and is that enterprise's.
    """
    grants, operators = list(enterprise_grants), list(operator_grants)
    decision = decide(request, grants, operators, tables)
    needed = tables.action_needs.get(request.action, "")
    if decision.reason in (Reason.UNKNOWN_ACTION, Reason.UNKNOWN_SUBSYSTEM):
        return Explanation(request, decision, needed, (), ())
    if decision.reason is Reason.OWN_ENTERPRISE:
        links = (
            Link(LinkKind.CARD, LinkState.HOLDS, verified=verified),
            _party(LinkKind.PRINCIPAL, request.enterprise, unknown),
        )
        return Explanation(request, decision, needed, links, ())

    between = [
        grant
        for grant in grants
        if grant.key.principal == request.enterprise
        and grant.key.agent == request.card_enterprise
        and grant.key.subsystem == request.subsystem
    ]
    right = [grant for grant in between if grant.key.grant_type == needed]
    ways = {grant.id: _way(request, grant, operators, today, unknown) for grant in right}
    nearest = decision.enterprise_grant
    if not decision.allowed and right:
        nearest = min(
            right, key=lambda grant: (len(ways[grant.id]), -grant.valid_until.toordinal())
        )
    elif nearest is None:
        nearest = next(iter(between), None)
    changes: list[Change] = []
    if not decision.allowed and nearest is not None and nearest.id in ways:
        changes = ways[nearest.id]
    elif not decision.allowed and _may_be_granted(request.subsystem, needed, tables):
        changes = _way(request, None, operators, today, unknown)
    links = _chain(request, needed, nearest, operators, unknown, verified)
    return Explanation(request, decision, needed, links, tuple(changes))


def _may_be_granted(subsystem: str, grant_type: str, tables: CodeTables) -> bool:
    """Whether both codes are still offered; a retired one is granted to nobody any more."""
    return any(code.code == subsystem for code in tables.subsystems.offered()) and any(
        code.code == grant_type for code in tables.grant_types.offered()
    )


def _chain(
    request: Request,
    needed: str,
    grant: EnterpriseGrant | None,
    operators: list[OperatorGrant],
    unknown: Collection[str],
    verified: bool,
) -> tuple[Link, ...]:
    is_operator = request.role is Role.OPERATOR
    held = None
    if grant is not None and grant.key.grant_type == needed and is_operator:
        held = _held(request.card_number, _under(grant, operators))
    return (
        Link(
            LinkKind.CARD,
            LinkState.HOLDS if is_operator else LinkState.LEGAL_PERSON,
            verified=verified,
        ),
        Link(
            LinkKind.OPERATOR_GRANT,
            LinkState.MISSING if held is None else LinkState.HOLDS,
            operator_grant=held,
        ),
        _party(LinkKind.AGENT, request.card_enterprise, unknown),
        Link(LinkKind.ENTERPRISE_GRANT, _state(request.on, needed, grant), enterprise_grant=grant),
        _party(LinkKind.PRINCIPAL, request.enterprise, unknown),
    )


def _party(kind: LinkKind, enterprise: str, unknown: Collection[str]) -> Link:
    state = LinkState.UNKNOWN if enterprise in unknown else LinkState.HOLDS
    return Link(kind, state, enterprise)


def _state(on: date, needed: str, grant: EnterpriseGrant | None) -> LinkState:
    if grant is None:
        return LinkState.MISSING
    if grant.key.grant_type != needed:
        return LinkState.OTHER_TYPE
    if grant.valid_until < on:
        return LinkState.EXPIRED
    return LinkState.NOT_YET if on < grant.granted_on else LinkState.HOLDS


def _under(grant: EnterpriseGrant, operators: list[OperatorGrant]) -> list[OperatorGrant]:
    return [operator for operator in operators if operator.enterprise_grant_id == grant.id]


def _held(card_number: str, under: list[OperatorGrant]) -> OperatorGrant | None:
    to_all = next((operator for operator in under if operator.to_all), None)
    return to_all or next((o for o in under if o.card_number == card_number), None)


def _way(
    request: Request,
    grant: EnterpriseGrant | None,
    operators: list[OperatorGrant],
    today: date,
    unknown: Collection[str],
) -> list[Change]:
    """The fewest changes by which this grant, or a new one, allows the request."""
    under = _under(grant, operators) if grant is not None else []
    card_number = request.card_number if request.role is Role.OPERATOR else ""
    held = _held(card_number, under) or (None if card_number else next(iter(under), None))
    over = grant is None or grant.valid_until < today
    # Where nothing is handed on yet, it has to be in force today, too.
    prolong = grant is None or grant.valid_until < request.on or (held is None and over)
    day = request.on
    if prolong and over:
        day = max(day, today)
    elif grant is not None:
        day = max(day, grant.granted_on)

    changes: list[Change] = []
    if request.role is Role.LEGAL_PERSON:
        other = held.card_number if held is not None else ""
        changes.append(Change(ChangeKind.USE_OPERATOR_CARD, card_number=other))
    if day > request.on:
        changes.append(Change(ChangeKind.ASK_LATER_DAY, day=day))
    if grant is None:
        changes += [
            Change(ChangeKind.REGISTER, enterprise=code)
            for code in (request.card_enterprise, request.enterprise)
            if code in unknown
        ]
        changes.append(Change(ChangeKind.GRANT, request.enterprise, day=day))
    elif prolong:
        changes.append(Change(ChangeKind.PROLONG, request.enterprise, day=day, renews=over))
    if held is None:
        changes.append(Change(ChangeKind.HAND_ON, request.card_enterprise, card_number=card_number))
    return changes


# -- in words --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """Says an explanation in Chinese.

    Attributes:
        explanation: What is said.
        tables: Names of the codes.
        names: Customs code -> name of the enterprises that are in the registry.
    """

    explanation: Explanation
    tables: CodeTables
    names: Mapping[str, str]

    @property
    def verdict(self) -> str:
        """Yes or no."""
        return "允许" if self.explanation.decision.allowed else "不允许"

    @property
    def asked(self) -> str:
        """What was asked, in one line."""
        request = self.explanation.request
        return (
            f"{request.on} 用卡 {request.card_number} 在「{self._subsystem}」"
            f"{self.tables.actions.name(request.action)}"
        )

    @property
    def reason(self) -> str:
        """Why, in one sentence; of several misses the nearest.

        Where no grant stands between the enterprises, because one of them is not in the
        registry, that comes first: most often its code is a slip.
        """
        return "；".join([*self._not_registered, self._miss])

    @property
    def _not_registered(self) -> list[str]:
        links = self.explanation.links
        if not any(
            link.kind is LinkKind.ENTERPRISE_GRANT and link.state is LinkState.MISSING
            for link in links
        ):
            return []
        return [
            f"企业 {link.enterprise} 不在企业库中"
            for link in links
            if link.state is LinkState.UNKNOWN
        ]

    @property
    def _miss(self) -> str:
        request, grant = self.explanation.request, self.explanation.decision.enterprise_grant
        type_ = self._grant_type
        match self.explanation.decision.reason:
            case Reason.UNKNOWN_ACTION:
                return f"操作 {printable(request.action)} 不在代码表中"
            case Reason.UNKNOWN_SUBSYSTEM:
                return f"授权子系统 {printable(request.subsystem)} 不在代码表中"
            case Reason.LEGAL_PERSON_CARD:
                return "法人卡不是操作员卡，只能办理本企业的业务"
            case Reason.NO_ENTERPRISE_GRANT:
                return (
                    f"企业 {request.enterprise} 没有把「{self._subsystem}」"
                    f"授权给企业 {request.card_enterprise}"
                )
            case Reason.OTHER_GRANT_TYPE:
                other = self.tables.grant_types.name(grant.key.grant_type) if grant else ""
                action = self.tables.actions.name(request.action)
                return f"只有{other}，没有{type_}，「{action}」需要{type_}"
            case Reason.EXPIRED:
                return f"{type_}的有效期至 {grant.valid_until if grant else ''}，在核查日期之前"
            case Reason.NOT_YET_IN_FORCE:
                return f"{type_}自 {grant.granted_on if grant else ''} 起，在核查日期之后"
            case Reason.NO_OPERATOR_GRANT:
                return f"卡 {request.card_number} 不在代理企业据此授予的操作员之列"
            case Reason.GRANTED_TO_CARD:
                return f"{type_}有效，代理企业已授予该卡"
            case Reason.GRANTED_TO_ALL:
                return f"{type_}有效，代理企业已授予全部操作员"
            case Reason.OWN_ENTERPRISE:
                return "办理卡所属企业自己的业务，不需要授权"

    def link(self, link: Link) -> str:
        """What a link is: its card, its enterprise, or its grant with its dates."""
        request = self.explanation.request
        match link.kind:
            case LinkKind.CARD:
                card = f"{request.card_number} {request.role.label}"
                return card if link.verified else f"{card}（按所填，请核对是谁的卡）"
            case LinkKind.OPERATOR_GRANT:
                held = link.operator_grant
                if held is None:
                    return "没有授予该卡，也没有授予全部操作员"
                return f"{'授予全部操作员' if held.to_all else '授予该卡'}，{held.granted_on} 起"
            case LinkKind.ENTERPRISE_GRANT:
                grant = link.enterprise_grant
                if grant is None:
                    return f"{self._subsystem} {self._grant_type}"
                type_ = self.tables.grant_types.name(grant.key.grant_type)
                return f"{self._subsystem} {type_}，{grant.granted_on} 至 {grant.valid_until}"
            case LinkKind.AGENT | LinkKind.PRINCIPAL:
                return f"{link.enterprise} {printable(self.names.get(link.enterprise, ''))}".strip()

    def change(self, change: Change) -> str:
        """What is to be done, by whose card and on which screen."""
        what = f"「{self._subsystem}」的{self._grant_type}"
        match change.kind:
            case ChangeKind.USE_OPERATOR_CARD:
                which = f"，例如 {change.card_number}" if change.card_number else ""
                return f"改用企业 {self.explanation.request.card_enterprise} 的操作员卡{which}"
            case ChangeKind.ASK_LATER_DAY:
                return f"授权不追溯以往，从 {change.day} 起才能办理"
            case ChangeKind.REGISTER:
                return (
                    f"企业 {change.enterprise} 不在企业库中，请核对编号；编号无误的，请管理员导入"
                )
            case ChangeKind.GRANT:
                return (
                    f"由授权企业 {change.by} 的法人卡在「{change.kind.screen}」新增{what}，"
                    f"有效期不早于 {change.day}"
                )
            case ChangeKind.PROLONG:
                back = "，原有的企业内授权随之恢复" if change.renews else ""
                return (
                    f"由授权企业 {change.by} 的法人卡在「{change.kind.screen}」打开{what}，"
                    f"把有效期改到 {change.day} 或以后{back}"
                )
            case ChangeKind.HAND_ON:
                whom = f"卡 {change.card_number} " if change.card_number else "该操作员卡"
                return (
                    f"由代理企业 {change.by} 的法人卡在「{change.kind.screen}」"
                    f"把{what}授予{whom}或全部操作员"
                )

    @property
    def ways(self) -> list[str]:
        """The changes, each in one sentence; of a no that nothing can turn, why."""
        explanation = self.explanation
        if not explanation.changes and explanation.links and not explanation.decision.allowed:
            return [f"「{self._subsystem}」或{self._grant_type}已停用，不能再新增授权"]
        return [self.change(change) for change in explanation.changes]

    @property
    def _subsystem(self) -> str:
        return printable(self.tables.subsystems.name(self.explanation.request.subsystem))

    @property
    def _grant_type(self) -> str:
        return self.tables.grant_types.name(self.explanation.grant_type)
