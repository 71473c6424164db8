"""Databases as a whole: one copied to another place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eport_tui.card.trust import TrustStore
from eport_tui.domain.places import Place
from eport_tui.errors import StoreError
from eport_tui.services.registry import look_up_card
from eport_tui.services.verification import Finding, Verification
from eport_tui.store import copying
from eport_tui.store.database import Store


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        rows: How many rows, in all tables; each was read back.
        entries: How many entries the ledger has.
        faults: What the verification of the copy's ledger has found, without mere notes;
            the source has the same.
    """

    rows: int
    entries: int
    faults: tuple[Finding, ...]


def copy(
    source: Place,
    target: Place,
    trust_dir: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Copied:
    """Copy a database to an empty place, from a file or a server to a file or a server.

    Others may go on with the source; the copy is of one moment.  At the end the ledger
    of the copy is verified.

    Args:
        trust_dir: Folder of the authorities whose cards are accepted.
        progress: Is told how many rows are copied, and of how many.

    Raises:
        StoreError: One of them cannot be used, or the target is not empty, and nothing
            was copied; or the copy cannot be read any more, which the message says.
    """
    with Store.open(source, read_only=True) as old, Store.open(target) as new:
        rows = sum(copying.copy(old, new, progress=progress).values())
        trust = TrustStore.of(trust_dir, look_up=partial(look_up_card, new))
        verification = Verification(new, trust)
        try:
            faults = tuple(found for found in verification.findings() if not found.is_note)
        except StoreError as error:
            # What was copied has been stored by now.
            raise StoreError(
                f"已复制{rows}行，内容一致，但台账没有核对完",
                hint=f"请用 eport-tui --database {target} ledger verify 核对",
            ) from error
        return Copied(rows, verification.last, faults)
