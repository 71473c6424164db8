"""The registry of enterprises."""

# apsw's stubs name a buffer type that Python 3.11 does not have.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import gettempdir
from typing import Self

from eport_tui.domain.holders import Enterprise
from eport_tui.store.database import Store

_BATCH = 500

_UPSERT = """
    INSERT INTO enterprise (customs_code, uscc, name) VALUES (?, ?, ?)
    ON CONFLICT (customs_code) DO UPDATE SET uscc = excluded.uscc, name = excluded.name
    WHERE enterprise.uscc <> excluded.uscc OR enterprise.name <> excluded.name
"""

_LIST_CARD = """
    INSERT INTO legal_person_card (card_number, customs_code) VALUES (?, ?)
    ON CONFLICT (card_number) DO UPDATE SET customs_code = excluded.customs_code
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An enterprise as an import file lists it.

    Attributes:
        enterprise: The enterprise.
        cards: The numbers of its legal-person cards, sorted.
    """

    enterprise: Enterprise
    cards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """A line of an import file that an earlier one contradicts.

    Attributes:
        line, earlier: The numbers of both.
        card: The legal-person card that both list, for two enterprises; empty when
            they are about one enterprise and say different things.
    """

    line: int
    earlier: int
    card: str = ""


def get(store: Store, customs_code: str) -> Enterprise | None:
    """The enterprise with a customs code."""
    rows = store.rows(
        "SELECT customs_code, uscc, name FROM enterprise WHERE customs_code = ?", (customs_code,)
    )
    return Enterprise(*rows[0]) if rows else None


def count(store: Store) -> int:
    """How many enterprises there are."""
    return store.rows("SELECT count(*) FROM enterprise")[0][0]


def put_all(store: Store, enterprises: Iterable[Enterprise]) -> tuple[int, int]:
    """Add enterprises, or bring those that are there up to date.

    Returns:
        How many were added and how many updated; those that were already the
        same count as neither.
    """
    before = count(store)
    touched = store.write_many(_UPSERT, ((e.customs_code, e.uscc, e.name) for e in enterprises))
    added = count(store) - before
    return added, touched - added


def add(store: Store, enterprise: Enterprise) -> None:
    """Add an enterprise, unless one with its customs code is there."""
    store.write_many(
        "INSERT INTO enterprise (customs_code, uscc, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [enterprise],
    )


def of_organization(
    store: Store, organization: str, card_number: str
) -> list[tuple[Enterprise, bool]]:
    """Enterprises with an organization code (characters 9 to 17 of the USCC), two at most.

    Each with whether the card is listed as a legal-person card of it; the one where it
    is listed comes first.
    """
    rows = store.rows(
        """
        SELECT e.customs_code, e.uscc, e.name, c.card_number IS NOT NULL AS listed
        FROM enterprise AS e LEFT JOIN legal_person_card AS c
            ON c.customs_code = e.customs_code AND c.card_number = ?
        WHERE substr(e.uscc, 9, 9) = ?
        ORDER BY listed DESC LIMIT 2
        """,
        (card_number, organization),
    )
    return [(Enterprise(*row[:3]), bool(row[3])) for row in rows]


def legal_person_cards(store: Store, customs_code: str) -> list[str]:
    """The numbers of the cards that are listed as legal-person cards of an enterprise."""
    rows = store.rows(
        "SELECT card_number FROM legal_person_card WHERE customs_code = ? ORDER BY 1",
        (customs_code,),
    )
    return [number for (number,) in rows]


def put_legal_person_cards(store: Store, entries: Iterable[Entry]) -> int:
    """Make the lists of legal-person cards what the entries say; each enterprise is known.

    A card that was listed for another enterprise is listed for this one only.

    Returns:
        How many enterprises had another list before.
    """
    remaining = iter(entries)
    changed = 0
    while batch := list(islice(remaining, _BATCH)):
        places = ", ".join("?" * len(batch))
        before: dict[str, set[str]] = {}
        for code, number in store.rows(
            f"SELECT customs_code, card_number FROM legal_person_card"
            f" WHERE customs_code IN ({places})",
            [entry.enterprise.customs_code for entry in batch],
        ):
            before.setdefault(code, set()).add(number)
        gone: list[tuple[str]] = []
        fresh: list[tuple[str, str]] = []
        for entry in batch:
            code, wanted = entry.enterprise.customs_code, set(entry.cards)
            listed = before.get(code, set())
            changed += wanted != listed
            gone += [(number,) for number in listed - wanted]
            fresh += [(number, code) for number in wanted - listed]
        store.write_many("DELETE FROM legal_person_card WHERE card_number = ?", gone)
        store.write_many(_LIST_CARD, fresh)
    return changed


class Staging:
    """Enterprises on their way into the registry, in a temporary file of SQLite.

    A file of any size can thus be looked through to its end, with its duplicates
    found, before the database is locked and without keeping it in memory.
    """

    def __init__(self, store: Store) -> None:
        import apsw

        from eport_tui.store.sqlite import told

        # Of whatever engine the database is, this is a file of this machine.
        place = store.place if isinstance(store.place, Path) else Path(gettempdir()) / "eport-tui"
        self._told = partial(told, place)
        with self._told():
            # A nameless database is private, and SQLite removes its file.
            self._connection = apsw.Connection("")
            self._connection.execute(
                """
                CREATE TABLE staged (
                    customs_code TEXT NOT NULL PRIMARY KEY,
                    uscc TEXT NOT NULL,
                    name TEXT NOT NULL,
                    cards TEXT NOT NULL,
                    line INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE staged_card (
                    card_number TEXT NOT NULL PRIMARY KEY,
                    line INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID
                """
            )
            # It is thrown away after a crash, so nothing has to be made durable.
            self._connection.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, lines: list[tuple[int, Entry]]) -> list[Clash]:
        """Stage numbered lines, unless an earlier one has the same customs code or card.

        Returns:
            The lines that contradict an earlier one; they are not staged.
        """
        known = self._standing([entry.enterprise.customs_code for _, entry in lines])
        taken = self._taken([card for _, entry in lines for card in entry.cards])
        fresh: list[tuple[str, str, str, str, int]] = []
        cards: list[tuple[str, int]] = []
        clashes: list[Clash] = []
        for line, entry in lines:
            enterprise = entry.enterprise
            if standing := known.get(enterprise.customs_code):
                if standing[0] != entry:
                    clashes.append(Clash(line, standing[1]))
                continue
            if doubled := next((card for card in entry.cards if card in taken), None):
                clashes.append(Clash(line, taken[doubled], doubled))
                continue
            known[enterprise.customs_code] = entry, line
            taken.update(dict.fromkeys(entry.cards, line))
            cards += [(card, line) for card in entry.cards]
            fresh.append(
                (
                    enterprise.customs_code,
                    enterprise.uscc,
                    enterprise.name,
                    " ".join(entry.cards),
                    line,
                )
            )
        with self._told():
            self._connection.executemany("INSERT INTO staged VALUES (?, ?, ?, ?, ?)", fresh)
            self._connection.executemany("INSERT INTO staged_card VALUES (?, ?)", cards)
        return clashes

    def __iter__(self) -> Iterator[Entry]:
        with self._told():
            for code, uscc, name, cards in self._connection.execute(
                "SELECT customs_code, uscc, name, cards FROM staged"
            ):
                yield Entry(Enterprise(code, uscc, name), tuple(cards.split()))

    def _standing(self, codes: list[str]) -> dict[str, tuple[Entry, int]]:
        places = ", ".join("?" * len(codes))
        with self._told():
            rows = self._connection.execute(
                "SELECT customs_code, uscc, name, cards, line FROM staged"
                f" WHERE customs_code IN ({places})",
                codes,
            )
            return {
                row[0]: (Entry(Enterprise(*row[:3]), tuple(row[3].split())), row[4]) for row in rows
            }

    def _taken(self, cards: list[str]) -> dict[str, int]:
        with self._told():
            return {
                card: line
                for card in cards
                for (line,) in self._connection.execute(
                    "SELECT line FROM staged_card WHERE card_number = ?", (card,)
                )
            }
