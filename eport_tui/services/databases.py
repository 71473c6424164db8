"""Databases as a whole: one copied to another place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eport_tui.domain.operations import GENESIS
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.store import copying, ledger
from eport_tui.store.database import Store


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        rows: How many rows, in all tables.
        entries: How many entries of the ledger were verified in the copy.
    """

    rows: int
    entries: int


def copy(
    source: Place, target: Place, *, progress: Callable[[int, int], None] | None = None
) -> Copied:
    """Copy a database to an empty place, from a file or a server to a file or a server.

    Others may go on with the source; the copy is of one moment.

    Args:
        progress: Is told how many rows are copied, and of how many.

    Raises:
        StoreError: One of them cannot be used, or the target is not empty, and nothing
            was copied; or the ledger of the copy does not hold, as that of the source
            did not.
    """
    with Store.open(source, read_only=True) as old, Store.open(target) as new:
        rows = sum(copying.copy(old, new, progress=progress).values())
        return Copied(rows, verify_ledger(new))


def verify_ledger(store: Store) -> int:
    """See that the entries form an unbroken chain; returns how many there are.

    Raises:
        StoreError: They do not; the message names the first that does not fit.
    """
    number, previous = 0, GENESIS
    with store.snapshot():
        for entry in ledger.entries(store):
            number += 1
            hash_ = ledger.entry_hash(
                number,
                previous,
                entry.recorded_at,
                entry.clock_reset,
                entry.certificate,
                entry.payload,
                entry.signature,
            )
            if (entry.number, entry.previous_hash, entry.hash) != (number, previous, hash_):
                raise StoreError(
                    f"台账的第{number}笔与前后不符", hint="请停止使用，并请管理员核对台账"
                )
            previous = hash_
    return number
