"""Whether an entry of the ledger holds by itself: hash, signature, text, signer, time.

`services.verification` judges it in its place in the chain.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

from eport_tui.domain import dates
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.operations import Operation
from eport_tui.errors import EportError, InvalidInput
from eport_tui.services.operations import LONGEST_DELAY, SIGNED_FOR
from eport_tui.store import ledger
from eport_tui.store.database import Store, harmless_twice
from eport_tui.store.ledger import Entry

if TYPE_CHECKING:
    from eport_tui.card.signatures import Verifier
    from eport_tui.card.trust import Record, TrustStore

_NO_DELAY = timedelta()

_BATCH = 500
"""Entries that are handed to another process at once."""


class Broken(EportError):
    """An entry of the ledger does not hold."""


class NotTrusted(Broken):
    """The certificate of its signer is never accepted."""


def behind(store: Store, at: datetime | None = None) -> ledger.Head:
    """The last entry, which is later than the present moment.

    Raises:
        InvalidInput: It is not, so there is nothing to be accepted.
    """
    last = ledger.head(store)
    moment = (at or dates.now()).replace(microsecond=0)
    if last.recorded_at is None or moment >= last.recorded_at:
        raise InvalidInput("服务器时间不早于台账的末笔，不必处理")
    return last


def accept_clock(store: Store, at: datetime | None = None) -> None:
    """Let the next operation be earlier than the last one.

    Raises:
        InvalidInput: As `behind`.
    """
    moment = at or dates.now()

    def note() -> None:
        behind(store, moment)
        ledger.note_clock_reset(store, moment)

    store.transact(note, done=harmless_twice)


# -- one entry by itself ---------------------------------------------------------


class Judge:
    """Judges entries by themselves: hash, text, signature, signer and time.

    Args:
        trust: Which cards are accepted.
        certificates: Those that signed, DER, by their fingerprint.
    """

    def __init__(self, trust: TrustStore, certificates: Callable[[str], bytes | None]) -> None:
        self._trust = trust
        self._certificates = certificates
        self._records: dict[str, Record | str] = {}

    def learn(self, records: Mapping[str, Record | str]) -> None:
        """Take over what `record_or_refusal` said elsewhere, by fingerprint."""
        for fingerprint, record in records.items():
            self._records[fingerprint] = _in_zone(record)

    def unlisted(self) -> list[str]:
        """The authorities of which there is no revocation list, of all that were asked for."""
        records = [each for each in self._records.values() if not isinstance(each, str)]
        return sorted({name for record in records for name in record.unlisted})

    def judge(self, entry: Entry, seal: str) -> tuple[Operation, datetime]:
        """The operation of an entry, and when it was recorded.

        Args:
            seal: What `Seals.fault` said.

        Raises:
            Broken: The entry does not hold; the message says why.
        """
        if seal:
            raise Broken(seal)
        recorded_at = moment_of(entry.recorded_at)
        try:
            operation = Operation.read(entry.payload)
        except ValueError as error:
            raise Broken("内容不是规定格式的操作") from error
        # Nothing is added to a time, which may be the last that there is.
        if not _NO_DELAY <= recorded_at - operation.at <= LONGEST_DELAY:
            raise Broken(f"签名时间 {operation.at:%Y-%m-%d %H:%M:%S} 与记录时间不符")
        self._check_signer(entry.certificate, operation)
        return operation, recorded_at

    def _check_signer(self, fingerprint: str, operation: Operation) -> None:
        record = self._records.get(fingerprint)
        if record is None:
            record = self._records[fingerprint] = _in_zone(self._record(fingerprint))
        if isinstance(record, str):
            raise NotTrusted(record)
        if why_not := record.why_not(operation.at):
            raise Broken(why_not)
        if not record.is_legal_person:
            raise Broken("签名的不是法人卡")
        if record.card_number != operation.card_number:
            raise Broken("签名的卡不是操作中所写的卡")
        if record.enterprise != operation.enterprise:
            raise Broken("签名的卡不属于操作中所写的企业")

    def _record(self, fingerprint: str) -> Record | str:
        der = self._certificates(fingerprint)
        return "没有签名者的证书" if der is None else record_or_refusal(self._trust, der)


def _in_zone(record: Record | str) -> Record | str:
    """The same with times in the zone of operations, with which they are compared faster."""
    if isinstance(record, str):
        return record
    times = [(dates.in_shanghai(start), dates.in_shanghai(end)) for start, end in record.times]
    return record._replace(times=tuple(times))


def record_or_refusal(trust: TrustStore, certificate: bytes) -> Record | str:
    """The record of a certificate (DER), or why it is not accepted, in Chinese."""
    from eport_tui.card.errors import CertificateRefused

    try:
        return trust.record(certificate)
    except CertificateRefused as refusal:
        return f"签名者的证书不可信：{refusal.message}"


@lru_cache(8)
def moment_of(text: str) -> datetime:
    """The moment that an entry names, to the second.

    Raises:
        Broken: It has another form.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if (
        moment is None
        or moment.isoformat(timespec="seconds") != text
        or moment.utcoffset() != SHANGHAI.utcoffset(None)
    ):
        raise Broken("记录时间的格式不对")
    # Times are compared faster where they have the very same zone.
    return moment.replace(tzinfo=SHANGHAI)


class Seals:
    """Checks hash and signature of entries, which needs nothing but the entry itself.

    Args:
        certificates: As for `Judge`.
    """

    def __init__(self, certificates: Callable[[str], bytes | None]) -> None:
        self._certificates = certificates
        self._verifiers: dict[str, Verifier | None] = {}

    def fault(self, entry: Entry) -> str:
        """What is wrong, in Chinese; empty where both fit."""
        payload, fingerprint = entry.payload, entry.certificate
        hash_ = ledger.entry_hash(
            entry.number,
            entry.previous_hash,
            entry.recorded_at,
            entry.clock_reset == 1,
            fingerprint,
            payload,
            entry.signature,
        )
        # The hash tells 0 and 1 apart, and no other number.
        if hash_ != entry.hash or entry.clock_reset not in (0, 1):
            return "哈希值不符，内容被改动过"
        if fingerprint not in self._verifiers:
            self._verifiers[fingerprint] = self._verifier(fingerprint)
        verifier = self._verifiers[fingerprint]
        if verifier is None:
            return "签名者的证书缺失或被改动过"
        if not verifier.fits(entry.signature, SIGNED_FOR + payload.encode()):
            return "签名不符"
        return ""

    def _verifier(self, fingerprint: str) -> Verifier | None:
        from eport_tui.card.signatures import Verifier

        der = self._certificates(fingerprint)
        if der is None or hashlib.sha256(der).hexdigest() != fingerprint:
            return None
        try:
            return Verifier(der)
        except ValueError:
            return None


def reinstated_by(store: Store, operation: Operation) -> Operation | None:
    """The operation whose deletion another one takes back; none where there is none."""
    if operation.reinstates is None:
        return None
    entry = ledger.get(store, operation.reinstates)
    try:
        return Operation.read(entry.payload) if entry else None
    except ValueError:
        return None


# -- on all cores ------------------------------------------------------------------


def sealed_here(
    entries: Iterator[Entry], certificates: dict[str, bytes]
) -> Generator[tuple[Entry, str]]:
    """The entries, each with what `Seals.fault` says of it."""
    seals = Seals(certificates.get)
    for entry in entries:
        yield entry, seals.fault(entry)


def sealed_elsewhere(
    entries: Iterator[Entry],
    certificates: dict[str, bytes],
    trust: TrustStore,
    judge: Judge,
    processes: int,
) -> Generator[tuple[Entry, str]]:
    """As `sealed_here`, by other processes, from whom `judge` learns the records as well.

    What needs no order is theirs; nothing but the entries and certificates is handed to
    them, and they touch neither the database nor the registry.
    """
    pool = ProcessPoolExecutor(processes, _context(), _begin, (trust.elsewhere(), certificates))
    waiting: deque[tuple[list[Entry], Future[_Answer]]] = deque()
    known: set[str] = set()
    try:
        for batch in iter(lambda: list(islice(entries, _BATCH)), []):
            new = {entry.certificate for entry in batch} - known
            known |= new
            # Plain tuples are handed over fastest.
            waiting.append((batch, pool.submit(_check, list(map(tuple, batch)), new)))
            if len(waiting) > 3 * processes:
                yield from _answered(*waiting.popleft(), judge)
        while waiting:
            yield from _answered(*waiting.popleft(), judge)
    finally:
        pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """How other processes are begun.

    A fork is there at once, where a new interpreter has to import everything first.  It
    takes the open database along, which is harmless as long as nobody uses it there; but
    a lock that another thread holds at that moment would never be given back.
    """
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    return get_context("fork" if can_fork else "spawn")


_Answer = tuple[list[str], dict[str, "Record | str"]]


def _answered(
    batch: list[Entry], answer: Future[_Answer], judge: Judge
) -> Iterator[tuple[Entry, str]]:
    faults, records = answer.result()
    judge.learn(records)
    return zip(batch, faults, strict=True)


class _Checker:
    """What a process that checks entries has at hand."""

    def __init__(self, trust: TrustStore, certificates: dict[str, bytes]) -> None:
        self.trust = trust
        self.certificates = certificates
        self.seals = Seals(certificates.get)


_checker: _Checker


def _begin(trust: TrustStore, certificates: dict[str, bytes]) -> None:
    """What a process that checks entries does first."""
    global _checker
    # An interrupt is for the one who asked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _checker = _Checker(trust, certificates)


def _check(batch: list[tuple[Any, ...]], fingerprints: set[str]) -> _Answer:
    """What is wrong with the seals of a batch, and the records of some certificates.

    Those about which the registry has to be asked are left out.
    """
    from eport_tui.card.trust import NeedsRegistry

    records: dict[str, Record | str] = {}
    for fingerprint in fingerprints:
        with suppress(NeedsRegistry):
            if der := _checker.certificates.get(fingerprint):
                records[fingerprint] = record_or_refusal(_checker.trust, der)
    return [_checker.seals.fault(Entry._make(plain)) for plain in batch], records
