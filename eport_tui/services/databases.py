"""Databases as a whole: copied, brought up to date, backed up and restored."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.places import Place
from eport_tui.errors import InvalidInput, StoreError
from eport_tui.services.registry import look_up_card
from eport_tui.services.verification import Finding, Verification
from eport_tui.store import copying
from eport_tui.store.database import Store

_STAMP = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"eport-\d{8}-\d{6}\.db")


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


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What was done to bring a database up to date.

    Attributes:
        before: Its version until now, 0 where its server had no tables of ours; none
            where nothing had to be done.
        after: Its version by now.
        copy: The copy of a file that was made first.
        without_rights: Other users of a server's database who may use some of its tables and
            not all, as a table that is new has none of the rights that were given before.
    """

    before: int | None
    after: int
    copy: Path | None
    without_rights: list[str]


def upgrade(place: Place) -> Upgraded:
    """Bring a database to the version of the program; a file is copied before.

    On a server, the tables are made where there are none.

    Raises:
        StoreError: There is no such file, it cannot be used, or is newer than the program.
    """
    with Store.open(place, create=False) as store:
        before, after = store.upgraded_from, store.schema_version
        without_rights = store.users_who_lack_tables() if before else []
    copy = None
    if before and isinstance(place, Path):
        from eport_tui.store.sqlite import copy_before

        copy = copy_before(place, after)
    return Upgraded(before, after, copy, without_rights)


def back_up(place: Place, target: Path, *, keep: int | None = None) -> tuple[Path, int]:
    """Copy a database file while people work with it.

    Args:
        target: A file that is not there yet; or a folder, in which the copy is called
            `eport-YYYYMMDD-HHMMSS.db` after the time.
        keep: How many of the copies in the folder that are called so stay: this one, and of the
            others the newest by their names.

    Returns:
        Where the copy is, and how many older ones were deleted.

    Raises:
        InvalidInput: The database is on a server, or `keep` is given with a file.
        StoreError: As `store.sqlite_copies.back_up`; no older copy was deleted.
    """
    from eport_tui.store import sqlite_copies
    from eport_tui.store.faults import told_by_system

    path = _file(place, "备份", "pg_dump")
    folder = target if target.is_dir() else None
    if folder is None and keep is not None:
        raise InvalidInput(f"没有文件夹 {target}，没有备份", hint="--keep 只用于文件夹")
    copy = folder / f"eport-{now():{_STAMP}}.db" if folder else target
    sqlite_copies.back_up(path, copy)
    old: list[Path] = []
    if folder and keep is not None:
        with told_by_system(copy):
            # Where the clock was set back, others have later times in their names.
            others = sorted(
                each for each in folder.iterdir() if _NAME.fullmatch(each.name) and each != copy
            )
            old = others[: max(0, len(others) - (keep - 1))]
            for each in old:
                each.unlink()
    return copy, len(old)


@dataclass(frozen=True, slots=True)
class Restored:
    """What stands in the place of the database now.

    Attributes:
        path: The database.
        former: What stood there before, under its new name; none where nothing did.
        is_old: Whether the copy has to be brought up to date.
    """

    path: Path
    former: Path | None
    is_old: bool


def restore(place: Place, copy: Path) -> Restored:
    """Put a copy in the place of a database file that nobody has open.

    Raises:
        InvalidInput: The database is on a server.
        StoreError: As `store.sqlite_copies.restore`; nothing was changed.
    """
    from eport_tui.store import sqlite_copies
    from eport_tui.store.migrations import latest

    path = _file(place, "恢复", "pg_restore")
    former, version = sqlite_copies.restore(path, copy, f"{now():{_STAMP}}")
    return Restored(path, former, version < latest())


def _file(place: Place, what: str, tool: str) -> Path:
    if isinstance(place, Path):
        return place
    raise InvalidInput(
        f"数据库在服务器上，不能由本程序{what}",
        hint=f"请用PostgreSQL的 {tool}，见 docs/postgresql.md",
    )
