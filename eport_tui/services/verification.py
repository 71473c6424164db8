"""Whether the ledger holds as a whole, and whether the tables are what it says."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import GrantKey
from eport_tui.domain.operations import (
    GENESIS,
    Identity,
    NotEntitled,
    Operation,
    Row,
    State,
    replay,
)
from eport_tui.domain.text import printable
from eport_tui.services.ledger import (
    Broken,
    Judge,
    NotTrusted,
    moment_of,
    record_or_refusal,
    reinstated_by,
    sealed_elsewhere,
    sealed_here,
)
from eport_tui.services.operations import LONGEST_DELAY
from eport_tui.store import contents, ledger
from eport_tui.store.contents import Stored
from eport_tui.store.database import Store
from eport_tui.store.ledger import Entry

if TYPE_CHECKING:
    from eport_tui.card.trust import TrustStore
    from eport_tui.services.checkpoints import Checkpoint

_BATCH = 500
"""Entries from one call of `progress` to the next."""

_FEW = 2000
"""With so many entries, other processes would take longer to start than to help."""

_REMEMBERED = 5000
"""Hashes at hand; of an entry further back the hash is looked up."""

_END = sys.maxsize
"""Stands for an entry behind all others."""

_FIRST = datetime(2000, 1, 1, tzinfo=SHANGHAI)
_LAST = datetime(9999, 12, 31, tzinfo=SHANGHAI)

_NUMBERS = re.compile(r"\d+(?:[-:T+ ]\d+)*")

_LABELS = {
    "enterprise_grant": "企业间授权",
    "operator_grant": "企业内授权",
    "lapse_mark": "到期不续标记",
    "card_right": "操作员权限索引",
}

_COLUMNS = {
    "enterprise_grant": ("授权日期", "权限有效期", "修订号"),
    "operator_grant": ("授权日期",),
    "lapse_mark": ("权限有效期",),
}
"""What is signed of a row besides what tells which one it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the verification has found.

    Attributes:
        message: What, in Chinese; holds no character that could trouble a terminal.
        entry: The number of the entry that it is about, if it is about one.
        row: The table and the columns of the row that it is about, if it is about one.
        is_note: Whether it is worth knowing but no fault.
        kind: What it has in common with others: the message without what names this one.
    """

    message: str
    entry: int | None = None
    row: tuple[str, ...] | None = None
    is_note: bool = False
    kind: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", _NUMBERS.sub("N", self.message))


class _Origin(NamedTuple):
    """Which entry made a row as it is.

    Attributes:
        entry: Its number.
        recorded_at: When it was recorded.
        card_number: Whose card signed it; empty where the row was only found so, which
            tells nothing about who put it there.
    """

    entry: int
    recorded_at: str
    card_number: str


class Verification:
    """Replays a ledger and holds the tables against it; `findings` does it, once.

    Time grows with the entries, memory with the grants that stand.

    Args:
        trust: Which cards are accepted.
        checkpoint: An earlier head to be found in the chain; it must have been checked.
        progress: Is called with how many entries are done, and how many there are.
        processes: How many check signatures; as many as there are cores where None.

    Attributes:
        last: The number of the last entry that was read; 0 before the first.
        hash: Its hash, as it is stored.
        first_broken: The number of the first entry that does not hold; none if all do.
        faults: How many findings are no mere notes.
    """

    def __init__(
        self,
        store: Store,
        trust: TrustStore,
        *,
        checkpoint: Checkpoint | None = None,
        progress: Callable[[int, int], None] | None = None,
        processes: int | None = None,
    ) -> None:
        self.last = 0
        self.hash = GENESIS
        self.first_broken: int | None = None
        self.faults = 0
        self._store = store
        self._trust = trust
        self._checkpoint = checkpoint
        self._progress = progress
        self._processes = processes or cores()
        self._state = State()
        self._origins: dict[Identity, _Origin] = {}
        # Whether the columns of each row can be told from its one text.
        self._is_plain = True
        # What is derived from an entry that does not hold is not told once more.
        self._broken: set[int] = set()
        # Whether no certificate at all is accepted, which is told once.
        self._is_foreign = False

    def findings(self) -> Iterator[Finding]:
        """All that is wrong, the entries in their order, then the rows.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._store.snapshot(), _uncollected():
            for finding in self._all():
                self.faults += not finding.is_note
                yield finding

    def _all(self) -> Iterator[Finding]:
        self.last = ledger.last_number(self._store)
        self.hash = ledger.hash_of(self._store, self.last)
        yield from self._entries()
        yield from self._against_checkpoint()
        if self._is_foreign:
            return
        standing = self._standing_texts()
        # Mostly nothing is wrong, which is found out in a fraction of the time.
        for table in contents.VERSIONED:
            if not self._has_open_versions(table, standing[table]):
                yield from self._open_versions(table)
        for table in contents.TABLES:
            if not self._has_rows(table, standing[table]):
                yield from self._rows(table)
        yield from self._rights()

    # -- entries ---------------------------------------------------------------

    def _entries(self) -> Iterator[Finding]:
        certificates = ledger.certificates(self._store)
        trust = self._trust.fixed()
        judge = Judge(trust, certificates.get)
        foreign = self._foreign(trust, certificates, judge)
        if foreign is not None:
            yield foreign
        chain = _Chain(self._store)
        derived = _Derived(self._store, self._broken)
        entries = ledger.entries(self._store)
        many = self.last > _FEW and self._processes > 1
        sealed = (
            sealed_elsewhere(entries, certificates, trust, judge, self._processes)
            if many
            else sealed_here(entries, certificates)
        )
        with closing(sealed):
            for entry, seal in sealed:
                recorded_at = None
                try:
                    chain.check_place(entry)
                    operation, recorded_at = judge.judge(entry, seal)
                    chain.check_operation(entry, operation, recorded_at)
                    reinstated = reinstated_by(self._store, operation)
                    replay(self._state, entry.number, operation, reinstated)
                except (Broken, NotEntitled) as fault:
                    if foreign is None or not isinstance(fault, NotTrusted):
                        yield Finding(fault.message, entry.number)
                    self._broken.add(entry.number)
                    self.first_broken = self.first_broken or entry.number
                    recorded_at = chain.credible_time(entry, is_sealed=not seal)
                else:
                    if entry.clock_reset:
                        yield chain.note(entry)
                    yield from derived.compare(entry.number, self._account(entry, operation))
                chain.follow(entry, recorded_at)
                if self._progress and entry.number % _BATCH == 0:
                    self._progress(entry.number, self.last)
        yield from derived.rest()
        for name in judge.unlisted():
            yield Finding(
                f"没有发证机构 {printable(name)} 的吊销列表，签名的卡当时是否已吊销无从得知，"
                f"请检查文件夹 {printable(str(self._trust.revocation))}",
                is_note=True,
            )

    def _foreign(
        self, trust: TrustStore, certificates: dict[str, bytes], judge: Judge
    ) -> Finding | None:
        """That no certificate is accepted, all for the same reason, so that nothing can hold."""
        refusals: set[str] = set()
        for fingerprint, der in certificates.items():
            record = record_or_refusal(trust, der)
            judge.learn({fingerprint: record})
            if not isinstance(record, str):
                return None
            refusals.add(record)
        if len(refusals) != 1:
            return None
        self._is_foreign = True
        where = printable(str(trust.authorities))
        where += "和设置项 require_hardware" if trust.require_hardware else ""
        return Finding(
            f"台账的{len(certificates)}张签名证书没有一张可信，各笔操作和各条授权无从核对。"
            f"{refusals.pop()}。请检查信任的机构文件夹 {where}，"
            "其中应有签发这些卡的机构；设置无误的，台账是用别的证书重写的"
        )

    def _account(self, entry: Entry, operation: Operation) -> _Expected:
        """What an entry must have left in the tables beside its own; notes who made each row."""
        expected = _Expected(set(), {})
        for change in operation.changes:
            # The replay has seen that it was so.
            row, was = change.row, change.before
            identity = row.identity
            expected.subjects.add((entry.number, row.key))
            if was is not None and was.table in contents.VERSIONED:
                begun = self._origins[identity].entry
                # A row that changes twice in one entry has one version of it.
                if begun != entry.number:
                    version = contents.stored_form(was), begun
                    expected.ended.setdefault(was.table, set()).add((entry.number, version))
            if change.after is None:
                del self._origins[identity]
            else:
                card = "" if change.found else operation.card_number
                self._origins[identity] = _Origin(entry.number, entry.recorded_at, card)
        return expected

    def _against_checkpoint(self) -> Iterator[Finding]:
        checkpoint = self._checkpoint
        if checkpoint is None:
            return
        number = checkpoint.number
        if number > self.last:
            self.first_broken = self.first_broken or self.last + 1
            yield Finding(
                f"签署检查点时已有{number}笔，而台账只有{self.last}笔，末尾被截去了",
                self.last + 1,
            )
        elif ledger.hash_of(self._store, number) != checkpoint.hash:
            self.first_broken = min(self.first_broken or number, number)
            yield Finding("与检查点不符，台账被改写过", number)
        else:
            card, at = printable(checkpoint.card_number), f"{checkpoint.at:%Y-%m-%d %H:%M:%S}"
            yield Finding(f"与检查点相符，检查点由卡 {card} 签署于 {at}", number, is_note=True)

    # -- what is derived ---------------------------------------------------------

    def _standing_texts(self) -> dict[str, list[tuple[str, _Origin]]]:
        """By table what must be in it, each row as one text, and who made it so."""
        texts: dict[str, list[tuple[str, _Origin]]] = {table: [] for table in contents.TABLES}
        for identity, row in self._state.rows.items():
            columns = contents.stored_form(row)
            text = contents.one_text(columns)
            # The card's number and the time, which come beside it, cannot have one in them.
            self._is_plain &= text.count(contents.SEPARATOR) == len(columns) - 1
            texts[row.table].append((text, self._origins[identity]))
        return texts

    def _has_open_versions(self, table: str, standing: list[tuple[str, _Origin]]) -> bool:
        """Whether the versions that have not ended are as they must be, each and all."""
        expected = {f"{text}{contents.SEPARATOR}{origin.entry}" for text, origin in standing}
        return self._is_plain and contents.are_open_versions(self._store, table, expected)

    def _has_rows(self, table: str, standing: list[tuple[str, _Origin]]) -> bool:
        """Whether a table is as it must be; no where it is not known who has changed a row."""
        expected = {
            contents.one_text((text, origin.recorded_at, origin.card_number))
            for text, origin in standing
        }
        return self._is_plain and contents.is_table(self._store, table, expected)

    def _open_versions(self, table: str) -> Iterator[Finding]:
        missing = self._standing(table)
        for form, begun in contents.open_versions(self._store, table):
            identity = _identity(table, form)
            row = missing.pop(identity, None)
            if row is None:
                if begun not in self._broken:
                    yield _of_row("台账没有记载的版本", table, form)
                continue
            now = *form[_named(table) :], str(begun)
            then = *contents.stored_form(row)[_named(table) :], str(self._origins[identity].entry)
            if both := _both((*_COLUMNS[table], "起始笔"), now, then):
                yield _of_row("版本与台账不符", table, form, begun, both)
        for identity in sorted(missing):
            yield _of_row("缺少版本", table, contents.stored_form(missing[identity]))

    def _rows(self, table: str) -> Iterator[Finding]:
        missing = self._standing(table)
        for form, changed_at, changed_by in contents.stored_rows(self._store, table):
            identity = _identity(table, form)
            row = missing.pop(identity, None)
            if row is None:
                yield _of_row("台账没有记载", table, form)
                continue
            origin = self._origins[identity]
            if form != (signed := contents.stored_form(row)):
                at = _named(table)
                both = _both(_COLUMNS[table], form[at:], signed[at:])
                yield _of_row("与台账不符", table, form, origin.entry, both)
            elif origin.card_number and (changed_at, changed_by) != (
                origin.recorded_at,
                origin.card_number,
            ):
                columns = "变更时间", "经办的卡"
                now, then = (changed_at, changed_by), (origin.recorded_at, origin.card_number)
                both = _both(columns, now, then)
                yield _of_row("变更时间或经办的卡与台账不符", table, form, origin.entry, both)
        for identity in sorted(missing):
            yield _of_row("库中缺少", table, contents.stored_form(missing[identity]))

    def _rights(self) -> Iterator[Finding]:
        """The list of what cards were handed, against the tables that it is made from."""
        for form in contents.missing_rights(self._store):
            yield _of_row("缺少", "card_right", form)
        for form in contents.unfounded_rights(self._store):
            yield _of_row("与企业内授权不符", "card_right", form)

    def _standing(self, table: str) -> dict[Identity, Row]:
        """What must be in a table."""
        rows = self._state.rows
        return {identity: row for identity, row in rows.items() if row.table == table}


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _uncollected() -> Generator[None]:
    """Without the collector, which finds nothing here and would walk all grants again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Chain:
    """How an entry follows those before it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0
        self._hashes = {0: GENESIS}
        self._moment: datetime | None = None
        self._resets = ledger.clock_resets(store)
        self._nonces: set[str] = set()
        self._signed: deque[tuple[datetime, str]] = deque()
        # Times go back to the earliest of these, but no further.
        earliest = min(map(_moment_or_first, ledger.times_set_back(store)), default=_LAST)
        self._earliest = max(_FIRST, earliest)

    def check_place(self, entry: Entry) -> None:
        if entry.number != self._last + 1:
            raise Broken(f"此前缺少第{self._last + 1}笔")
        if entry.previous_hash != self._hashes[self._last]:
            raise Broken("没有接在上一笔之后")

    def check_operation(self, entry: Entry, operation: Operation, recorded_at: datetime) -> None:
        self._check_time(entry, recorded_at)
        self._check_seen(entry, operation)
        self._check_fresh(operation, recorded_at)

    def _check_time(self, entry: Entry, recorded_at: datetime) -> None:
        is_earlier = self._moment is not None and recorded_at < self._moment
        if is_earlier != entry.clock_reset:
            raise Broken("记录时间早于上一笔" if is_earlier else "时间并未倒退，却记为倒退")
        if entry.clock_reset and self._last not in self._resets:
            raise Broken("时间倒退，而没有管理员的记录")

    def _check_seen(self, entry: Entry, operation: Operation) -> None:
        number = operation.seen_number
        known = self._hashes.get(number) or ledger.hash_of(self._store, number)
        if not 0 <= number < entry.number or known != operation.seen_hash:
            raise Broken("签名时所见的台账不是这一本")

    def _check_fresh(self, operation: Operation, recorded_at: datetime) -> None:
        """Nobody may record once more what was signed once."""
        if operation.nonce in self._nonces:
            raise Broken("同一个签名记录了两次")
        self._nonces.add(operation.nonce)
        self._signed.append((operation.at, operation.nonce))
        # What was signed before this could not be recorded any more.
        floor = min(recorded_at, self._earliest) - LONGEST_DELAY
        while self._signed[0][0] < floor:
            self._nonces.discard(self._signed.popleft()[1])

    def note(self, entry: Entry) -> Finding:
        """That the clock was set back before an entry."""
        noted = printable(self._resets[entry.number - 1])
        message = f"服务器时间倒退过，管理员于 {noted} 记录"
        return Finding(message, entry.number, is_note=True)

    def credible_time(self, entry: Entry, *, is_sealed: bool) -> datetime | None:
        """When an entry that does not hold was recorded; none where that cannot be believed.

        Those after it must not be accused because its time was changed, nor be let back
        further than the signatures that are kept in mind.
        """
        try:
            recorded_at = moment_of(entry.recorded_at)
        except Broken:
            return None
        before = self._moment
        if entry.clock_reset and before is not None:
            return min(recorded_at, before)
        is_later = before is None or recorded_at >= before
        return recorded_at if is_sealed and is_later else None

    def follow(self, entry: Entry, recorded_at: datetime | None) -> None:
        """Go on to the next entry, which is judged by the time of this one, or of one before it."""
        self._last = entry.number
        self._hashes[entry.number] = entry.hash
        self._hashes.pop(entry.number - _REMEMBERED, None)
        self._moment = recorded_at or self._moment


_Version = tuple[Stored, int]
"""A version that has ended, and the entry that began it."""


class _Expected(NamedTuple):
    """What an entry must have left, each with its number.

    Attributes:
        subjects: The keys that it is about, as columns.
        ended: By table the versions that it has ended.
    """

    subjects: set[tuple[int, tuple[str, ...]]]
    ended: dict[str, set[tuple[int, _Version]]]


class _Derived:
    """The subjects and the ended versions, read along with the entries."""

    def __init__(self, store: Store, broken: set[int]) -> None:
        self._broken = broken
        self._subjects = _Ordered(contents.subjects(store))
        self._versions = {
            table: _Ordered(contents.ended_versions(store, table)) for table in contents.VERSIONED
        }

    def compare(self, number: int, expected: _Expected) -> Iterator[Finding]:
        """What is wrong with those up to an entry that were not compared yet."""
        subjects = self._subjects.up_to(number)
        # None twice, and all of them.
        if len(subjects) != len(expected.subjects) or set(subjects) != expected.subjects:
            yield from self._compare_subjects(subjects, expected.subjects)
        for table, versions in self._versions.items():
            ended = versions.up_to(number)
            wanted = expected.ended.get(table, _NOTHING)
            if len(ended) != len(wanted) or set(ended) != wanted:
                yield from self._compare_versions(table, ended, wanted)

    def rest(self) -> Iterator[Finding]:
        """What is said to be of entries that are not there."""
        return self.compare(_END, _Expected(set(), {}))

    def _compare_subjects(
        self,
        subjects: Sequence[tuple[int, tuple[str, ...]]],
        expected: set[tuple[int, tuple[str, ...]]],
    ) -> Iterator[Finding]:
        missing = set(expected)
        for subject in subjects:
            entry, key = subject
            if subject in missing:
                missing.discard(subject)
            elif entry not in self._broken:
                yield Finding(f"索引中多出 {_shown(key)}", entry, kind="索引中多出")
        for entry, key in sorted(missing):
            yield Finding(f"索引中缺少 {_shown(key)}", entry, kind="索引中缺少")

    def _compare_versions(
        self,
        table: str,
        ended: Sequence[tuple[int, _Version]],
        expected: Set[tuple[int, _Version]],
    ) -> Iterator[Finding]:
        missing = set(expected)
        for each in ended:
            entry, (form, begun) = each
            if each in missing:
                missing.discard(each)
            elif not {begun, entry} & self._broken:
                yield _of_row("台账没有记载的版本", table, form, entry)
        for entry, (form, _) in sorted(missing):
            yield _of_row("缺少版本", table, form, entry)


_NOTHING: frozenset[tuple[int, _Version]] = frozenset()

_T = TypeVar("_T")


class _Ordered(Generic[_T]):
    """Things in the order of the entries that they belong to, taken entry by entry."""

    def __init__(self, stream: Iterator[tuple[int, _T]]) -> None:
        self._stream = stream
        self._next = next(stream, None)

    def up_to(self, number: int) -> Sequence[tuple[int, _T]]:
        """Those of the entries up to a number that were not taken yet."""
        taken: list[tuple[int, _T]] = []
        while self._next is not None and self._next[0] <= number:
            taken.append(self._next)
            self._next = next(self._stream, None)
        return taken


def _named(table: str) -> int:
    """How many columns tell which row of a table it is."""
    return 4 if table == "enterprise_grant" else 5


def _identity(table: str, form: Stored) -> Identity:
    key = GrantKey(*form[:4])
    return (table, key) if table == "enterprise_grant" else (table, key, form[4])


def _of_row(
    message: str, table: str, form: Stored, entry: int | None = None, both: str = ""
) -> Finding:
    """A finding about a row; of its columns those that identify it are shown.

    Args:
        both: What is there and what should be, where they differ.
    """
    name, label = _shown(form[: _named(table)]), _LABELS[table]
    told = f"{label} {name}：{message}{both and '，'}{both}"
    return Finding(told, entry, (table, *form), kind=f"{label}：{message}")


def _both(columns: tuple[str, ...], now: tuple[str, ...], then: tuple[str, ...]) -> str:
    """Of columns that differ what is there now and what the ledger says."""
    return "，".join(
        f"{name}现为 {_shown((is_now,))}，应为 {_shown((signed,))}"
        for name, is_now, signed in zip(columns, now, then, strict=True)
        if is_now != signed
    )


def _shown(columns: tuple[str, ...]) -> str:
    return " ".join(printable(column) or "''" for column in columns)


def _moment_or_first(text: str) -> datetime:
    try:
        return moment_of(text)
    except Broken:
        return _FIRST
