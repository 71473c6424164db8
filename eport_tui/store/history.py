"""What the ledger knows of the past: the entries of a grant, and the grants as of an entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NoReturn

from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.grants import ALL_OPERATORS, EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.lists import BOUND, Count, Spans
from eport_tui.store.database import Store
from eport_tui.store.enterprise_grants import COLUMNS
from eport_tui.store.enterprise_grants import from_row as enterprise_grant
from eport_tui.store.ledger import SIGNED_BY
from eport_tui.store.operator_grants import from_row as operator_grant

# -- entries -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose entries are asked for: an enterprise's, a grant's, or those of a card under it.

    Attributes:
        enterprise: Customs code; only what it granted or was granted.
        key: The grant, where one is asked for.
        card_number: IC卡号 or `ALL_OPERATORS` of an operator grant under it.
    """

    enterprise: str
    key: GrantKey | None = None
    card_number: str | None = None

    @property
    def sql(self) -> str:
        """The numbers of the entries between two numbers, each once, for `values`.

        With an order the two halves are merged along their indexes, so that a page reads a page.
        """
        if self.key is None:
            return """
                SELECT entry FROM ledger_subject WHERE principal = ? AND entry > ? AND entry < ?
                UNION
                SELECT entry FROM ledger_subject WHERE agent = ? AND entry > ? AND entry < ?
            """
        if self.card_number is None:
            return f"SELECT entry FROM ledger_subject WHERE {_KEY} AND entry > ? AND entry < ?"
        # A card's grant was touched where a version of it begins or ends.
        return f"""
            SELECT from_entry AS entry FROM operator_grant_version
            WHERE {_KEY} AND card_number = ? AND from_entry > ? AND from_entry < ?
            UNION
            SELECT until_entry FROM operator_grant_version
            WHERE {_KEY} AND card_number = ? AND until_entry > ? AND until_entry < ?
        """

    def values(self, between: Between) -> tuple[str | int, ...]:
        """The values of `sql`."""
        if self.key is None:
            return (self.enterprise, *between) * 2
        key = (self.key.principal, self.key.agent, self.key.subsystem, self.key.grant_type)
        return (
            (*key, *between) if self.card_number is None else (*key, self.card_number, *between) * 2
        )


Between = tuple[int, int]
"""Numbers of entries, neither of which is among those that are meant."""

ALL_ENTRIES: Between = (0, 1 << 62)

_KEY = "principal = ? AND agent = ? AND subsystem = ? AND grant_type = ?"


def count(store: Store, subject: Subject, between: Between) -> Count:
    """How many entries there are."""
    sql = f"SELECT count(*) FROM ({subject.sql} ORDER BY entry LIMIT ?) c"
    return Count.of(store.rows(sql, (*subject.values(between), BOUND + 1))[0][0])


def newest(store: Store, subject: Subject, between: Between, limit: int) -> list[int]:
    """Numbers of the newest entries, the newest first."""
    sql = f"{subject.sql} ORDER BY entry DESC LIMIT ?"
    return [number for (number,) in store.rows(sql, (*subject.values(between), limit))]


def oldest(store: Store, subject: Subject, between: Between, limit: int) -> list[int]:
    """Numbers of the oldest entries, the newest first."""
    sql = f"{subject.sql} ORDER BY entry LIMIT ?"
    return [number for (number,) in store.rows(sql, (*subject.values(between), limit))][::-1]


def recorded(store: Store, days: Spans) -> Between:
    """The entries from the first to the last that were recorded on some days.

    Where the clock was set back between them, some between them may be of other days.
    """
    if not days:
        return (0, 0)
    ends = days[0].low, days[-1].high
    if store.rows(ANY_SET_BACK):
        # The first by its time need not be the first by its number, so all of the days are read.
        [(first, last)] = store.rows(ENDS_WITHIN, ends)
        return (first - 1, last + 1) if first is not None else (0, 0)
    from_low, until_high = store.rows(FIRST_FROM, ends[:1]), store.rows(LAST_UNTIL, ends[1:])
    return (from_low[0][0] - 1, until_high[0][0] + 1) if from_low and until_high else (0, 0)


ANY_SET_BACK = "SELECT 1 FROM ledger_clock_reset WHERE after_entry > 0 LIMIT 1"
ENDS_WITHIN = """
    SELECT min(number), max(number) FROM ledger_entry WHERE recorded_at >= ? AND recorded_at < ?
"""
FIRST_FROM = """
    SELECT number FROM ledger_entry WHERE recorded_at >= ? ORDER BY recorded_at, number LIMIT 1
"""
LAST_UNTIL = """
    SELECT number FROM ledger_entry WHERE recorded_at < ?
    ORDER BY recorded_at DESC, number DESC LIMIT 1
"""


def concerns(store: Store, number: int, enterprise: str) -> bool:
    """Whether an entry touched a grant that an enterprise made or received."""
    return bool(
        store.rows(
            "SELECT 1 FROM ledger_subject WHERE entry = ? AND ? IN (principal, agent) LIMIT 1",
            (number, enterprise),
        )
    )


def last_of_grant(store: Store, key: GrantKey) -> int | None:
    """The entry with which the last version of an enterprise grant ended; none while it stands."""
    rows = store.rows(
        f"""
        SELECT until_entry FROM enterprise_grant_version
        WHERE {_KEY} ORDER BY from_entry DESC LIMIT 1
        """,
        (key.principal, key.agent, key.subsystem, key.grant_type),
    )
    return rows[0][0] if rows else None


def last_of_card(store: Store, key: GrantKey, card_number: str) -> int | None:
    """The same of an operator grant."""
    rows = store.rows(
        f"""
        SELECT until_entry FROM operator_grant_version
        WHERE {_KEY} AND card_number = ? ORDER BY from_entry DESC LIMIT 1
        """,
        (key.principal, key.agent, key.subsystem, key.grant_type, card_number),
    )
    return rows[0][0] if rows else None


# -- the past ----------------------------------------------------------------------


LAST_BEFORE = "SELECT coalesce(max(number), 0) FROM ledger_entry WHERE recorded_at < ?"


def first_day(store: Store) -> date | None:
    """The day of the ledger's first entry."""
    rows = store.rows("SELECT recorded_at FROM ledger_entry ORDER BY number LIMIT 1")
    return datetime.fromisoformat(rows[0][0]).astimezone(SHANGHAI).date() if rows else None


def entry_at_end_of(store: Store, day: date) -> int:
    """Number of the last entry that was recorded by the end of a day; 0 where there is none.

    The last by its number: where the clock was set back, an entry before it may carry
    a later time, and was there all the same.
    """
    if day == date.max:
        return store.rows("SELECT coalesce(max(number), 0) FROM ledger_entry")[0][0]
    end = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
    return store.rows(LAST_BEFORE, (end.isoformat(timespec="seconds"),))[0][0]


class PastStore(Store):
    """A store whose grants are those that the ledger had after an entry; it cannot be written.

    The tables of grants are hidden behind views of their versions, so that every
    query of the program gives what it would have given then.  Numbers of rows are
    those of the versions.  All else, the registry above all, is as it is now.

    Attributes:
        entry: Number of the last entry that counts; 0 before the first.
    """

    def __init__(self, store: Store, entry: int) -> None:
        self.place = store.place
        self.read_only = True
        self._present = store
        self.entry = entry
        self._views = _VIEWS.format(entry=entry, signed_by=SIGNED_BY)

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of a fixed SELECT, as of the entry."""
        return self._present.rows(self.in_the_past(sql), parameters)

    def in_the_past(self, sql: str) -> str:
        """A SELECT as it is run."""
        # An index that is named is one of the hidden tables.
        rest = _INDEXED_BY.sub("", sql).lstrip()
        if rest.startswith("WITH"):
            return f"WITH {self._views}, {rest.removeprefix('WITH')}"
        return f"WITH {self._views} {rest}"

    def transaction(self) -> NoReturn:
        """Refused."""
        raise RuntimeError("the past cannot be written")


_INDEXED_BY = re.compile(r"\bINDEXED BY \w+")

# Not materialized, so that each query is worked out along the indexes of the versions.
_VIEWS = """
    enterprise_grant AS NOT MATERIALIZED (
        SELECT v.id, v.principal, v.agent, v.subsystem, v.grant_type,
               v.granted_on, v.valid_until, v.revision,
               e.recorded_at AS changed_at, {signed_by} AS changed_by
        FROM enterprise_grant_version v CROSS JOIN ledger_entry e ON e.number = v.from_entry
        WHERE v.from_entry <= {entry} AND coalesce(v.until_entry, {entry} + 1) > {entry}
    ),
    operator_grant AS NOT MATERIALIZED (
        SELECT o.id, g.id AS enterprise_grant_id, o.card_number, o.granted_on,
               (SELECT {signed_by} FROM ledger_entry e
                WHERE e.number = o.from_entry) AS changed_by
        FROM operator_grant_version o JOIN enterprise_grant_version g
            ON o.principal = g.principal AND o.agent = g.agent
            AND o.subsystem = g.subsystem AND o.grant_type = g.grant_type
        WHERE g.from_entry <= {entry} AND coalesce(g.until_entry, {entry} + 1) > {entry}
          AND o.from_entry <= {entry} AND coalesce(o.until_entry, {entry} + 1) > {entry}
    ),
    card_right AS NOT MATERIALIZED (
        SELECT card_number, agent, principal, subsystem, grant_type, id AS operator_grant_id
        FROM operator_grant_version
        WHERE from_entry <= {entry} AND coalesce(until_entry, {entry} + 1) > {entry}
    )
"""


def decision_rows(
    store: Store, *, principal: str, agent: str, subsystem: str, card_number: str
) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
    """As `store.permissions.decision_rows`, whose one query cannot go along the versions."""
    ends = (principal, agent, subsystem)
    grants = store.rows(
        f"""
        SELECT {COLUMNS} FROM enterprise_grant g
        WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ?
        """,
        ends,
    )
    operators = store.rows(
        """
        SELECT o.id, g.id, o.card_number, o.granted_on, o.changed_by
        FROM enterprise_grant g JOIN operator_grant o ON o.enterprise_grant_id = g.id
        WHERE g.principal = ? AND g.agent = ? AND g.subsystem = ? AND o.card_number IN (
            ?, ?,
            (SELECT f.card_number FROM operator_grant f WHERE f.enterprise_grant_id = g.id LIMIT 1)
        )
        """,
        (*ends, ALL_OPERATORS, card_number),
    )
    return [enterprise_grant(row) for row in grants], [operator_grant(row) for row in operators]
