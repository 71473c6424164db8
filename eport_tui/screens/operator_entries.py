"""What is entered and not saved yet in 企业内授权录入, and its rows before the stored ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import (
    ALL_OPERATORS,
    EnterpriseGrant,
    GrantKey,
    OperatorGrant,
    card_or_all,
)
from eport_tui.domain.lists import Count, Order, PageSource
from eport_tui.services.operator_grants import NewOperatorGrant


class Entries:
    """Under each grant that was received the entries that were added, and not saved yet."""

    def __init__(self) -> None:
        self._under: dict[int, list[NewOperatorGrant]] = {}
        self._replacing: dict[int, int] = {}
        self._keys: dict[int, GrantKey] = {}

    def __len__(self) -> int:
        return sum(map(len, self._under.values()))

    @property
    def grants(self) -> list[int]:
        """The numbers of the grants that have entries."""
        return [id for id, entries in self._under.items() if entries]

    def under(self, grant_id: int) -> Sequence[NewOperatorGrant]:
        """Those under a grant, in the order they were added."""
        return self._under.get(grant_id, ())

    def key(self, grant_id: int) -> GrantKey:
        """The key of a grant that has entries; of one that was deleted nothing else tells it."""
        return self._keys[grant_id]

    def named(self, grant_id: int) -> list[tuple[GrantKey, NewOperatorGrant]]:
        """Those under a grant, with its key."""
        return [(self._keys[grant_id], entry) for entry in self.under(grant_id)]

    def replacing(self, grant_id: int) -> int:
        """How many stored grants to single cards the one to all operators was agreed to replace."""
        return self._replacing.get(grant_id, 0)

    def add(self, grant: EnterpriseGrant, entry: NewOperatorGrant, *, replaces: int) -> None:
        """Add an entry; one for all operators takes the place of those for single cards.

        Args:
            replaces: How many single cards, entered or stored, it replaces.
        """
        grant_id = grant.id
        self._keys[grant_id] = grant.key
        before = self.under(grant_id)
        if entry.to_all:
            self._replacing[grant_id] = replaces - len(before)
            before = ()
        self._under[grant_id] = [*before, entry]

    def remove(self, grant_id: int, card_number: str) -> None:
        """Take the entry for a card away."""
        left = [entry for entry in self.under(grant_id) if entry.card_number != card_number]
        self._under[grant_id] = left
        self._replacing.pop(grant_id, None)

    def forget(self, grant_id: int) -> None:
        """Those under a grant are saved, or can never be."""
        self._keys.pop(grant_id, None)
        self._under.pop(grant_id, None)
        self._replacing.pop(grant_id, None)

    def clear(self) -> None:
        """Give up all."""
        self._keys.clear()
        self._under.clear()
        self._replacing.clear()

    def kept(self) -> dict[str, Any]:
        """As a draft keeps them."""
        return {
            "pending": {
                str(id): [entry.card_number for entry in entries]
                for id, entries in self._under.items()
            },
            "replacing": {str(id): count for id, count in self._replacing.items()},
            "keys": {str(id): self._keys[id] for id in self._under},
        }

    def take_up(self, kept: Mapping[str, Any]) -> None:
        """Go on with what a draft has kept."""
        for id, cards in kept["pending"].items():
            self._under[int(id)] = [NewOperatorGrant(card == ALL_OPERATORS, card) for card in cards]
        self._replacing = {int(id): count for id, count in kept["replacing"].items()}
        self._keys = {int(id): GrantKey(*key) for id, key in kept["keys"].items()}


class Saving:
    """What becomes of the entries while they are saved, grant by grant.

    Attributes:
        saved: Those that are in force.
        lost: Those whose enterprise grant is gone.
        granted: Those that were granted elsewhere meanwhile.
    """

    def __init__(self) -> None:
        self.saved: list[tuple[GrantKey, NewOperatorGrant]] = []
        self.lost: list[tuple[GrantKey, NewOperatorGrant]] = []
        self.granted: list[tuple[GrantKey, NewOperatorGrant]] = []

    @property
    def done(self) -> str:
        """What is told in front of why the rest is refused; empty where nothing was done."""
        told = [
            *([f"已保存{len(self.saved)}条"] if self.saved else []),
            *([f"{len(self.lost)}条的企业间授权已被授权企业删除"] if self.lost else []),
            *([f"{len(self.granted)}条已在别处授予"] if self.granted else []),
        ]
        return f"{'，'.join(told)}。其余的：" if told else ""

    @property
    def in_force(self) -> str:
        """How many grants were handed on, and to how many cards or to all operators."""
        to_cards = [(key, entry.card_number) for key, entry in self.saved if not entry.to_all]
        grants, cards = {key for key, _ in to_cards}, {card for _, card in to_cards}
        to_all = len(self.saved) - len(to_cards)
        told = [
            *([f"{len(grants)}条授权共{len(cards)}张卡"] if to_cards else []),
            *([f"{to_all}条授权授予全部操作员"] if to_all else []),
        ]
        return f"{'，'.join(told)}，操作员的权限已生效"

    def left_out(self, tables: CodeTables) -> str:
        """Which entries were not saved and why, line by line; empty where all were."""
        lines: list[str] = []
        if self.lost:
            why = f"有{len(self.lost)}条没有保存，其企业间授权已被授权企业删除："
            lines += [why, *_named(self.lost, tables)]
        if self.granted:
            why = f"有{len(self.granted)}条已在别处授予，不必再保存："
            lines += [why, *_named(self.granted, tables)]
        return "\n".join(lines)


def _named(
    entries: Iterable[tuple[GrantKey, NewOperatorGrant]], tables: CodeTables
) -> Iterable[str]:
    """The grants that entries were added under, which may be gone, and whom they are for."""
    under: dict[GrantKey, list[str]] = {}
    for key, entry in entries:
        under.setdefault(key, []).append(card_or_all(entry.card_number))
    for key, whom in under.items():
        yield f"{named(key, tables)}：{'、'.join(whom)}"


def named(key: GrantKey, tables: CodeTables) -> str:
    """A grant that was received, in few words."""
    what = f"{tables.subsystems.name(key.subsystem)} {tables.grant_types.name(key.grant_type)}"
    return f"{key.principal} {what}"


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """A line of the lower list: a stored grant, or an entry that is not saved yet.

    Attributes:
        at: The number of such an entry among the others.
        goes: Whether an entry for all operators takes its place once that is saved.
    """

    card_number: str
    stored: OperatorGrant | None
    at: int = 0
    goes: bool = False

    @property
    def key(self) -> Hashable:
        """What tells the row from others."""
        return self.stored.id if self.stored else self.card_number


class OperatorRows:
    """The entries that are not saved, in the order they were added; then the stored grants."""

    def __init__(
        self, pending: Sequence[NewOperatorGrant], stored: PageSource[OperatorGrant]
    ) -> None:
        self.orders, self.order, self.filter = stored.orders, stored.order, stored.filter
        self._added = pending
        self._stored = stored
        self._goes = any(entry.to_all for entry in pending)
        rows = [OperatorRow(entry.card_number, None, at) for at, entry in enumerate(pending)]
        wanted = self.order.read(self.filter)
        self._pending = [row for row in rows if row.card_number in wanted]

    def count(self) -> Count:
        """How many rows there are."""
        stored = self._stored.count()
        return Count(len(self._pending) + stored.number, stored.exact)

    def after(self, row: OperatorRow | None, limit: int) -> list[OperatorRow]:
        """The next rows behind one, or the first."""
        if row is not None and row.stored is not None:
            return self._rows(self._stored.after(row.stored, limit))
        start = 0 if row is None else self._behind(row)
        rows = self._pending[start : start + limit]
        return rows + self._rows(self._stored.after(None, limit - len(rows)))

    def before(self, row: OperatorRow | None, limit: int) -> list[OperatorRow]:
        """The last rows before one, or the last."""
        end = len(self._pending)
        rows: list[OperatorRow] = []
        if row is not None and row.stored is None:
            end = sum(other.at < row.at for other in self._pending)
        else:
            rows = self._rows(self._stored.before(row.stored if row else None, limit))
        return self._pending[max(0, end - limit + len(rows)) : end] + rows

    def _behind(self, row: OperatorRow) -> int:
        """How many entries stand before the one behind an entry, which may be gone."""
        there = self.at(row.key) is not None
        return sum(other.at < row.at + there for other in self._pending)

    def at(self, key: Hashable) -> OperatorRow | None:
        """The row with a key; that of an entry is its card number."""
        if isinstance(key, str):
            return next((row for row in self._pending if row.key == key), None)
        stored = self._stored.at(key)
        return self._rows([stored])[0] if stored else None

    def rank(self, row: OperatorRow) -> Count:
        """How many rows stand before one."""
        if row.stored is None:
            return Count(sum(other.at < row.at for other in self._pending))
        rank = self._stored.rank(row.stored)
        return Count(len(self._pending) + rank.number, rank.exact)

    def seek(self, text: str) -> OperatorRow | None:
        """The first row whose card number begins as typed."""
        wanted = self.order.read(text)
        for row in self._pending:
            if row.card_number in wanted:
                return row
        stored = self._stored.seek(text)
        return self._rows([stored])[0] if stored else None

    def ordered(self, order: Order) -> OperatorRows:
        """There is one order."""
        return self

    def filtered(self, text: str) -> OperatorRows:
        """Only the rows whose card number begins as typed."""
        return OperatorRows(self._added, self._stored.filtered(text))

    def _rows(self, stored: Iterable[OperatorGrant]) -> list[OperatorRow]:
        return [OperatorRow(grant.card_number, grant, goes=self._goes) for grant in stored]
