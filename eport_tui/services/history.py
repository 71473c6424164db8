"""What was done to the grants, and how they stood on another day."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from eport_tui.domain import dates
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.lists import Count, Order, PageSource, days
from eport_tui.domain.operations import Change, Kind, Operation, OperatorGrantRow
from eport_tui.errors import NotFound, NotPermitted
from eport_tui.store import enterprise_grants, history, ledger, operator_grants
from eport_tui.store.database import Store
from eport_tui.store.history import PastStore, Subject

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession

# -- operations ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One operation, as far as it concerns the enterprise that looks.

    Attributes:
        number: Of its entry in the ledger; the key of the row.
        recorded_at: When it was stored; none where the entry cannot be understood.
        kind: What was done, likewise.
        card_number: IC卡号 of the card that signed it.
        enterprise: Customs code of that card's enterprise.
        reason: As it was given; may be empty.
        reinstates: Number of the entry whose deletion it took back.
        changes: Those of a grant that the enterprise made or received and, in the
            history of one grant, of that grant alone.
        certificate: Fingerprint of the signer's certificate.
    """

    number: int
    recorded_at: datetime | None
    kind: Kind | None
    card_number: str
    enterprise: str
    reason: str
    reinstates: int | None
    changes: tuple[Change, ...]
    certificate: str

    @property
    def keys(self) -> list[GrantKey]:
        """The grants that it is about, each once."""
        return list(dict.fromkeys(change.row.key for change in self.changes))


def of_enterprise(store: Store, session: CardSession) -> PageSource[HistoryRow]:
    """The operations on the grants that the card's enterprise made or received, newest first.

    For any card.  An operation on grants of others, too, is shown without those.
    """
    return _Entries(store, Subject(session.require().enterprise.customs_code))


def of_grant(
    store: Store, session: CardSession, key: GrantKey, card_number: str | None = None
) -> PageSource[HistoryRow]:
    """The operations on one grant, newest first; for any card of either of its enterprises.

    Args:
        card_number: For those on the operator grant to this card, or `ALL_OPERATORS`,
            under it alone.

    Raises:
        NotPermitted: The card's enterprise neither made nor received it.
    """
    own = session.require().enterprise.customs_code
    if own not in (key.principal, key.agent):
        raise _not_ours()
    return _Entries(store, Subject(own, key, card_number))


def entry(store: Store, session: CardSession, number: int) -> HistoryRow:
    """One operation, with all of its changes that concern the card's enterprise.

    Raises:
        NotFound: There is none with this number.
        NotPermitted: It is about grants of others.
    """
    own = session.require().enterprise.customs_code
    stored = ledger.get(store, number)
    if stored is None:
        raise NotFound(f"没有第{number}笔操作")
    if not history.concerns(store, number, own):
        raise _not_ours()
    return _row(stored, Subject(own))


def signer(store: Store, row: HistoryRow) -> str:
    """The person whose card signed an operation; empty where the certificate does not tell."""
    from eport_tui.card.certificates import person_of

    der = ledger.certificate(store, row.certificate)
    return person_of(der) if der is not None else ""


_BY_TIME = Order("entry", "时间", "年月日，如202603或20260315", days)


class _Entries:
    """A page source of operations, the newest first; one narrows them by days."""

    orders = (_BY_TIME,)
    order = _BY_TIME

    def __init__(self, store: Store, subject: Subject, filter: str = "") -> None:
        self.filter = filter
        self._store = store
        self._subject = subject
        self._first, self._last = history.ALL_ENTRIES
        if filter:
            self._first, self._last = history.recorded(store, _BY_TIME.read(filter))

    def count(self) -> Count:
        """How many there are at the moment."""
        return history.count(self._store, self._subject, (self._first, self._last))

    def after(self, row: HistoryRow | None, limit: int) -> list[HistoryRow]:
        """Those before another one in time."""
        between = self._first, row.number if row else self._last
        return self._rows(history.newest(self._store, self._subject, between, limit))

    def before(self, row: HistoryRow | None, limit: int) -> list[HistoryRow]:
        """Those after another one in time."""
        between = row.number if row else self._first, self._last
        return self._rows(history.oldest(self._store, self._subject, between, limit))

    def at(self, key: Hashable) -> HistoryRow | None:
        """The operation with a number."""
        if not isinstance(key, int) or not self._first < key < self._last:
            return None
        found = history.newest(self._store, self._subject, (key - 1, key + 1), 1)
        return next(iter(self._rows(found)), None)

    def rank(self, row: HistoryRow) -> Count:
        """How many are newer than one."""
        return history.count(self._store, self._subject, (row.number, self._last))

    def seek(self, text: str) -> HistoryRow | None:
        """The newest of some days."""
        first, last = history.recorded(self._store, _BY_TIME.read(text))
        between = max(first, self._first), min(last, self._last)
        found = history.newest(self._store, self._subject, between, 1)
        return next(iter(self._rows(found)), None)

    def ordered(self, order: Order) -> _Entries:
        """There is one order."""
        return self

    def filtered(self, text: str) -> _Entries:
        """Only those of some days."""
        return _Entries(self._store, self._subject, text)

    def _rows(self, numbers: list[int]) -> list[HistoryRow]:
        stored = (ledger.get(self._store, number) for number in numbers)
        return [_row(each, self._subject) for each in stored if each is not None]


def _row(stored: ledger.Entry, subject: Subject) -> HistoryRow:
    try:
        recorded_at = datetime.fromisoformat(stored.recorded_at)
        operation = Operation.read(stored.payload)
    except ValueError:
        # That somebody meddled with it is for the verification to say.
        return HistoryRow(stored.number, None, None, "", "", "", None, (), stored.certificate)
    return HistoryRow(
        stored.number,
        recorded_at,
        operation.kind,
        operation.card_number,
        operation.enterprise,
        operation.reason,
        operation.reinstates,
        tuple(change for change in operation.changes if _is_about(change, subject)),
        stored.certificate,
    )


def _is_about(change: Change, subject: Subject) -> bool:
    row = change.row
    if subject.key is None:
        return subject.enterprise in (row.key.principal, row.key.agent)
    if row.key != subject.key:
        return False
    if subject.card_number is None:
        return True
    return isinstance(row, OperatorGrantRow) and row.card_number == subject.card_number


def _not_ours() -> NotPermitted:
    return NotPermitted("该授权与本企业无关，不能查看")


# -- days ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayView:
    """The grants as they stood, or will stand, on a day.

    Attributes:
        on: The day.
        store: To be given, with `on` for today, to any service that reads grants.
        begins: The day on which the records begin, where `on` is before it; then
            there is nothing to see.
        past: Whether it is a past day.
    """

    on: date
    store: Store
    begins: date | None = None
    past: bool = False


def number_of(
    store: Store, session: CardSession, key: GrantKey, card_number: str | None = None
) -> int | None:
    """The number of a grant in the lists of a day's store; none where it is not there.

    A grant has other numbers on past days.

    Args:
        card_number: IC卡号 or `ALL_OPERATORS`, for the operator grant under the enterprise grant.
    """
    session.require()
    found = enterprise_grants.find(store, key)
    if found is not None and card_number is not None:
        found = operator_grants.find(store, found.id, card_number)
    return found.id if found else None


def on_day(store: Store, on: date, *, today: date | None = None) -> DayView:
    """Look at another day.

    A past day is seen as the ledger had it when that day ended; what another program
    put into the tables is not there.  A future day is seen as if nothing changed until then.

    Raises:
        NotFound: There is no record of any past day yet.
    """
    day = today or dates.today()
    if on >= day:
        return DayView(on, store)
    begins = history.first_day(store)
    if begins is None:
        raise NotFound("还没有操作记录，看不到以前的授权")
    past = PastStore(store, history.entry_at_end_of(store, on))
    return DayView(on, past, begins if on < begins else None, past=True)
