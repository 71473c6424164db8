"""到期提醒: grants that run out or have run out, renewed together or meant to lapse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from eport_tui.domain import dates
from eport_tui.domain.grants import EXPIRING_WITHIN, EnterpriseGrant, GrantState
from eport_tui.domain.holders import Holder
from eport_tui.domain.lists import NO_BOUND, Count, PageSource
from eport_tui.domain.operations import Change, EnterpriseGrantRow, Kind, LapseMark
from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput, NotFound, NotPermitted
from eport_tui.services.enterprise_grants import Conflict, not_shown, row_of
from eport_tui.services.guard import require_legal_person
from eport_tui.services.operations import Planned, perform
from eport_tui.services.pages import Day, Listing, about, by_last_day
from eport_tui.store import enterprise_grants as grants
from eport_tui.store import enterprises, expiry, ledger, operator_grants
from eport_tui.store.database import Store
from eport_tui.store.expiry import DueRow, Question
from eport_tui.store.permissions import Direction

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.services.proof import Proof

DATE_FIELD, DATE_LABEL = "valid_until", "续期至"


@dataclass(frozen=True, slots=True)
class DueCounts:
    """How many grants of an enterprise run out soon: those it made and those it received."""

    made: Count
    received: Count


@dataclass(frozen=True, slots=True)
class RenewalPreview:
    """What a renewal would do.

    Attributes:
        valid_until: The new last day.
        count: How many grants it is for.
        expired: How many of them have run out and would be granted again, from today.
        revived: How many operator grants would come to life again with those.
    """

    valid_until: date
    count: int
    expired: int
    revived: int


def due(
    store: Store,
    session: CardSession,
    *,
    within: int,
    lapsing_too: bool = False,
    today: date | None = None,
) -> PageSource[DueRow]:
    """What has run out, and what does within so many days, by last day; for any card.

    Both the grants that the card's enterprise made and those it received; the key of
    a row is the grant's number.

    Args:
        within: Days from today; 0 is today.
        lapsing_too: Whether to list, too, what the enterprise lets lapse.
        today: The day that it is about; without it that on which it is read.
    """
    own, day = session.require().enterprise.customs_code, about(today)
    return _listing(
        store, lambda: Question(own, dates.later(day(), within), lapsing_too=lapsing_too), day
    )


def of_database(
    store: Store, *, within: int, enterprise: str | None = None, today: date | None = None
) -> PageSource[DueRow]:
    """What runs out within so many days and has not yet; for the administrator.

    Args:
        enterprise: One end of the grants; none for all.  What it lets lapse is left
            out, and with none what the principal lets lapse.
    """
    day = about(today)

    def question() -> Question:
        first = day()
        return Question(enterprise, dates.later(first, within), since=first, under=NO_BOUND)

    return _listing(store, question, day)


def _listing(store: Store, question: Callable[[], Question], day: Day) -> PageSource[DueRow]:
    return Listing(lambda _, span: expiry.listed(store, question(), span), (by_last_day(day),))


def due_soon(store: Store, session: CardSession, *, today: date | None = None) -> DueCounts:
    """How many grants are 即将到期 (spec §2.1) and not meant to lapse; for any card."""
    own = session.require().enterprise.customs_code
    day = today or dates.today()
    until = dates.later(day, EXPIRING_WITHIN.days)
    counts = expiry.count_each(store, Question(own, until, since=day))
    return DueCounts(counts[Direction.THEIRS], counts[Direction.OURS])


# -- renewing ------------------------------------------------------------------


def renewal_preview(
    store: Store,
    session: CardSession,
    chosen: Sequence[EnterpriseGrant],
    valid_until: str,
    *,
    today: date | None = None,
) -> RenewalPreview:
    """What the renewal of some grants to one last day would do.

    Args:
        chosen: The grants as they were shown; at least one.
        valid_until: The new last day, as it was typed.

    Raises:
        NotPermitted: The card may not grant, or one of the grants is another's.
        InvalidInput: The date is not good, or one of the grants runs longer already.
        NotFound: One of them is gone, or its number is another grant's.
        Conflict: One of them has been changed since it was shown.
    """
    day = today or dates.today()
    until = dates.parse_valid_until(valid_until, today=day, field=DATE_FIELD, label=DATE_LABEL)
    return _renewal(store, require_legal_person(session).holder, chosen, until, day)[0]


def renew(
    store: Store,
    session: CardSession,
    chosen: Sequence[EnterpriseGrant],
    confirmed: RenewalPreview,
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> None:
    """Renew grants to one last day, all or none, as one operation.

    One that has run out is granted again from today, and the operator grants under it
    come to life again.

    Args:
        chosen: The grants as they were shown.
        confirmed: What `renewal_preview` said, and the operator agreed to.
        proof: What the ledger proves, as for `enterprise_grants.save`.

    Raises:
        As `renewal_preview`; also Conflict where what has run out, or the operator grants
        that would come to life, are not as many as was confirmed.
        EportError: What else `perform` raises.
    """
    day = today or dates.today()

    def plan(holder: Holder) -> Planned:
        until = confirmed.valid_until
        # Midnight may have passed since.
        dates.require_not_past(until, today=day, field=DATE_FIELD, label=DATE_LABEL)
        now, changes = _renewal(store, holder, chosen, until, day)
        if now.expired != confirmed.expired:
            raise Conflict(
                f"所选授权中已过期的由 {confirmed.expired} 条变为 {now.expired} 条，没有续期",
                current=chosen[0],
            )
        if now.revived != confirmed.revived:
            raise Conflict(
                f"将一并恢复的企业内授权由 {confirmed.revived} 条变为 {now.revived} 条，没有续期",
                current=chosen[0],
            )
        return Planned(Kind.RENEW if now.expired else Kind.CHANGE, tuple(changes))

    perform(store, session, plan, reason=reason, proof=proof, today=today)


def _renewal(
    store: Store, holder: Holder, chosen: Sequence[EnterpriseGrant], until: date, day: date
) -> tuple[RenewalPreview, list[Change]]:
    expired = revived = 0
    changes: list[Change] = []
    for shown in chosen:
        current = _as_shown(store, shown)
        _require_made(store, holder, current)
        if until <= current.valid_until:
            raise InvalidInput(
                f"授予 {current.key.agent} 的一条授权有效期已至 {current.valid_until}",
                field=DATE_FIELD,
                hint="续期的日期应晚于所选每条授权的有效期",
            )
        granted_on = current.granted_on
        if current.state(day) is GrantState.EXPIRED:
            granted_on = day
            expired += 1
            revived += operator_grants.count(store, current.id)
        after = EnterpriseGrantRow(current.key, granted_on, until, current.revision + 1)
        changes.append(Change(row_of(current), after))
    return RenewalPreview(until, len(changes), expired, revived), changes


def _require_made(store: Store, holder: Holder, grant: EnterpriseGrant) -> None:
    principal = grant.key.principal
    if principal != holder.enterprise.customs_code:
        known = enterprises.get(store, principal)
        name = f" {printable(known.name)}" if known else ""
        raise NotPermitted(
            "该授权是授予本企业的，本企业不能续期", hint=f"请联系授权企业 {principal}{name}"
        )


def _as_shown(store: Store, shown: EnterpriseGrant) -> EnterpriseGrant:
    current = grants.get(store, shown.id)
    if current is None:
        raise NotFound("所选授权中有一条已不存在", hint="可能已被删除，请刷新列表")
    if current.key != shown.key:
        raise not_shown()
    if current.revision != shown.revision:
        raise Conflict(
            f"{current.key.principal} 授予 {current.key.agent} 的一条授权已被他人修改，没有保存",
            current=current,
        )
    return current


# -- meant to lapse ------------------------------------------------------------


def let_lapse(
    store: Store,
    session: CardSession,
    chosen: Sequence[EnterpriseGrant],
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> int:
    """Mark grants as meant to lapse, so that they are not listed any more; all or none.

    The mark is the enterprise's own and about the present last day: the other end
    still has the grant in its list, and once it is renewed, or granted again after a
    deletion, it is listed again.

    Args:
        chosen: The grants as they were shown.
        proof: What the ledger proves, as for `enterprise_grants.save`.

    Returns:
        How many were not marked before.

    Raises:
        NotPermitted: The card may not grant, or the enterprise is no end of a grant.
        NotFound, Conflict: As `renewal_preview`.
    """

    def plan(holder: Holder) -> Planned | None:
        unmarked = [mark for mark in _marks(store, holder, chosen) if not mark.counts]
        # The ledger knows marks as put and as taken away, so those that are outdated go first.
        outdated = [Change(mark.stored, None) for mark in unmarked if mark.stored is not None]
        put = [Change(None, mark.wanted) for mark in unmarked]
        return Planned(Kind.LAPSE, (*outdated, *put)) if put else None

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    return sum(change.after is not None for change in done.planned.changes) if done else 0


def keep(
    store: Store,
    session: CardSession,
    chosen: Sequence[EnterpriseGrant],
    *,
    reason: str = "",
    proof: Proof | None = None,
    today: date | None = None,
) -> int:
    """Take back what `let_lapse` did, all or none; returns how many were marked.

    Raises:
        As `let_lapse`.
    """

    def plan(holder: Holder) -> Planned | None:
        marks = _marks(store, holder, chosen)
        changes = [Change(mark.stored, None) for mark in marks if mark.counts]
        return Planned(Kind.KEEP, tuple(changes)) if changes else None

    done = perform(store, session, plan, reason=reason, proof=proof, today=today)
    return len(done.planned.changes) if done else 0


class _Mark(NamedTuple):
    """The mark about a grant's present end, and the one that is stored.

    Attributes:
        counts: Whether the stored one is that, and not about a grant that stood here before.
    """

    wanted: LapseMark
    stored: LapseMark | None
    counts: bool


def _marks(store: Store, holder: Holder, chosen: Sequence[EnterpriseGrant]) -> list[_Mark]:
    own = holder.enterprise.customs_code
    marks: list[_Mark] = []
    for shown in chosen:
        current = _as_shown(store, shown)
        if own not in (current.key.principal, current.key.agent):
            raise NotPermitted("该授权与本企业无关，不能标记")
        wanted = LapseMark(current.key, own, current.valid_until)
        stored = ledger.proven(store, wanted)
        assert stored is None or isinstance(stored, LapseMark)
        counts = stored == wanted and not expiry.is_granted_anew(store, wanted)
        marks.append(_Mark(wanted, stored, counts))
    return marks
