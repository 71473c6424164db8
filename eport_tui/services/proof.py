"""Strict decisions: only what the ledger proves counts.

A row of the tables is proven when the signed operations about its grant, replayed, give
it just so.  The operations of one grant are judged when the first of its rows is asked
about, and those that came since at each further time; so an answer costs two queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eport_tui.domain.grants import EnterpriseGrant, GrantKey, OperatorGrant
from eport_tui.domain.operations import (
    GENESIS,
    EnterpriseGrantRow,
    NotEntitled,
    Operation,
    OperatorGrantRow,
    State,
    replay,
)
from eport_tui.services.ledger import Broken, Judge, Seals, reinstated_by
from eport_tui.store import ledger
from eport_tui.store.database import Store

if TYPE_CHECKING:
    from eport_tui.card.trust import TrustStore

_KEPT = 20_000
"""Outcomes that are remembered."""


@dataclass(slots=True)
class _Story:
    """The operations of one grant so far, and what they have made of it."""

    last: int = 0
    state: State = field(default_factory=State)
    nonces: set[str] = field(default_factory=set[str])


class Proof:
    """Tells which rows the ledger proves; for one thread.

    That nothing was cut off the end of the ledger, or taken out of the index of what its
    entries are about, is for `Verification` to find.

    Args:
        trust: Which cards are accepted; a change of its files is noticed.
    """

    def __init__(self, store: Store, trust: TrustStore) -> None:
        self._store = store
        self._trust = trust
        self._forget()

    def _forget(self) -> None:
        self._stamp = self._trust.stamp()
        self._stories: dict[tuple[GrantKey, int | None], _Story] = {}
        self._newest = 0
        self._newest_hash = GENESIS
        self._certificates: dict[str, bytes | None] = {}
        self._judge = Judge(self._trust, self._certificate)
        self._seals = Seals(self._certificate)

    def holds(
        self, row: EnterpriseGrantRow | OperatorGrantRow, *, until: int | None = None
    ) -> bool:
        """Whether the ledger proves a row, just as it is.

        Args:
            until: Number of the last entry that counts, for a day in the past.

        Raises:
            StoreError: The database cannot be read; that is never a yes.
        """
        return self._story(row.key, until).state.rows.get(row.identity) == row

    def state(self, key: GrantKey) -> State:
        """What the ledger proves about the grant with a key; it may change at the next question.

        Raises:
            StoreError: The database cannot be read.
        """
        return self._story(key, None).state

    def deletion(self, key: GrantKey) -> int | None:
        """The entry that is proven to have deleted the grant with a key; none where one stands."""
        return self.state(key).deletions.get(key)

    def proven(
        self,
        enterprise_grants: Iterable[EnterpriseGrant],
        operator_grants: Iterable[OperatorGrant],
        *,
        until: int | None = None,
    ) -> tuple[list[EnterpriseGrant], list[OperatorGrant]]:
        """Of grants from the tables those that the ledger proves.

        An operator grant is left out, too, where its enterprise grant is.

        Args:
            until: Number of the last entry that counts; all of them where None.

        Raises:
            StoreError: The database cannot be read.
        """
        grants = [
            grant
            for grant in enterprise_grants
            if self.holds(
                EnterpriseGrantRow(grant.key, grant.granted_on, grant.valid_until, grant.revision),
                until=until,
            )
        ]
        keys = {grant.id: grant.key for grant in grants}
        return grants, [
            each
            for each in operator_grants
            if (key := keys.get(each.enterprise_grant_id)) is not None
            and self.holds(OperatorGrantRow(key, each.card_number, each.granted_on), until=until)
        ]

    def _story(self, key: GrantKey, until: int | None) -> _Story:
        # A standby that took over may lack what was read, or have other entries in its place.
        is_there = ledger.hash_of(self._store, self._newest) == self._newest_hash
        if not is_there or self._trust.stamp() != self._stamp:
            self._forget()
        if len(self._stories) > _KEPT:
            self._stories.clear()
        story = self._stories.setdefault((key, until), _Story())
        for number in ledger.entries_about(self._store, key, story.last, until):
            entry = ledger.get(self._store, number)
            if entry is not None:
                # An entry that does not hold gives nothing; the verification names it.
                with suppress(Broken, NotEntitled):
                    self._go_on(story, key, entry)
            story.last = number
            if number > self._newest:
                self._newest, self._newest_hash = number, entry.hash if entry else ""
        return story

    def _go_on(self, story: _Story, key: GrantKey, entry: ledger.Entry) -> None:
        operation, _ = self._judge.judge(entry, self._seals.fault(entry))
        seen = operation.seen_number
        if not 0 <= seen < entry.number or ledger.hash_of(self._store, seen) != operation.seen_hash:
            raise Broken("签名时所见的台账不是这一本")
        reinstated = reinstated_by(self._store, operation)
        if operation.nonce in story.nonces:
            raise Broken("同一个签名记录了两次")
        # From here on nothing is read, so that an entry is worked in whole or not at all.
        story.nonces.add(operation.nonce)
        replay(story.state, entry.number, _about(operation, key), reinstated)

    def _certificate(self, fingerprint: str) -> bytes | None:
        if fingerprint not in self._certificates:
            self._certificates[fingerprint] = ledger.certificate(self._store, fingerprint)
        return self._certificates[fingerprint]


def _about(operation: Operation, key: GrantKey) -> Operation:
    changes = tuple(change for change in operation.changes if change.row.key == key)
    return operation._replace(changes=changes)
