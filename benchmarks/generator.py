"""Databases of any size, made up: `python -m benchmarks.generator --grants 100000 FILE`.

Enterprises are spread over the provinces, most of them along the coast; brokers have
heavy-tailed numbers of principals, so that a few of them hold a third or more of all
grants; a tenth of the grants has run out, a tenth and more runs out within 30 days; some
are handed on to all operators, most to single ones, some to nobody.  The same size and
seed give the same grants.  With `--signed` every enterprise has a certificate of an
authority in `FILE.trust` and each operation is
signed, so that the ledger verifies; without it the entries are few and hold nothing,
which is quicker and serves where only the tables matter.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import accumulate, islice
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eport_tui.card import signatures
from eport_tui.card.authority import TestAuthority
from eport_tui.domain import dates
from eport_tui.domain.grants import ALL_OPERATORS, GrantKey
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.operations import (
    Change,
    EnterpriseGrantRow,
    Kind,
    Operation,
    OperatorGrantRow,
)
from eport_tui.reference import load_tables
from eport_tui.services.operations import SIGNED_FOR
from eport_tui.store import enterprises, ledger
from eport_tui.store.database import Store

PROVINCES = {
    **{"11": 3, "12": 3, "21": 3, "22": 1, "31": 8, "32": 14, "33": 9, "35": 5, "37": 8},
    **{"41": 2, "42": 2, "44": 20, "50": 2, "51": 3},
}
"""How many of 83 enterprises are in which province: made up, most of them at the coast."""

SUBSYSTEMS = ("95", "B1", "Z8", "B3", "X1", "B2", "Z7", "X2")
GRANTS_OF_A_PRINCIPAL = 8
"""On average; spread over brokers, subsystems and grant types."""

_CYCLE = random.Random(0).sample(list(PROVINCES), counts=list(PROVINCES.values()), k=83)

_BATCH = 20_000
"""Changes in one transaction, about."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a made-up principal has granted: the row, and the cards it was handed on to."""

    row: EnterpriseGrantRow
    cards: tuple[str, ...]


class Population:
    """Enterprises and grants; nothing is stored here.

    Args:
        grants: How many enterprise grants; about as many operator grants come with them.
        seed: Another one gives another population.
        today: The day around which the grants begin and end.
    """

    def __init__(self, grants: int, *, seed: int = 1, today: date | None = None) -> None:
        self.grants = grants
        self.today = today or dates.today()
        self._random = random.Random(seed)
        principals = max(2, grants // GRANTS_OF_A_PRINCIPAL)
        brokers = max(2, int(principals**0.6))
        self.principals = [self._enterprise(number, "4") for number in range(principals)]
        self.brokers = [self._enterprise(number, "8") for number in range(brokers)]
        # The n-th broker has about 1/n^0.9 as many principals as the first.
        self._weights = list(accumulate((number + 1) ** -0.9 for number in range(brokers)))

    def _enterprise(self, number: int, kind: str) -> Enterprise:
        province = _CYCLE[number % len(_CYCLE)]
        digits = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        # The serial alone tells two apart, so that a place may have any of nine numbers.
        more, serial = divmod(number, len(digits) ** 4)
        place = 9 * more + number % 9 + 1
        tail = ""
        for _ in range(4):
            serial, digit = divmod(serial, len(digits))
            tail = digits[digit] + tail
        code = f"{province}{place:02d}9{kind}{tail}"
        what = "报关有限公司" if kind == "8" else "制造有限公司"
        return Enterprise(
            code, f"91{province}0000PDY{number % 100_000:05d}0X", f"第{number}样例{what}"
        )

    def cards_of(self, broker: Enterprise) -> list[str]:
        """The card numbers of a broker's operators, between 3 and 40."""
        return _cards(broker.customs_code)

    def made(self) -> Iterator[list[Made]]:
        """For each principal what it has granted, about `grants` in all."""
        left = self.grants
        for at, principal in enumerate(self.principals):
            share = left // (len(self.principals) - at)
            keys = self._keys(principal, share)
            left -= len(keys)
            yield [self._made(key) for key in keys]

    def _keys(self, principal: Enterprise, amount: int) -> list[GrantKey]:
        keys: dict[GrantKey, None] = {}
        for _ in range(20 * amount):
            if len(keys) == amount:
                break
            broker = self._random.choices(self.brokers, cum_weights=self._weights)[0]
            subsystem = self._random.choice(SUBSYSTEMS)
            grant_type = self._random.choice(("X1", "X1", "X2"))
            keys[GrantKey(principal.customs_code, broker.customs_code, subsystem, grant_type)] = (
                None
            )
        return list(keys)

    def _made(self, key: GrantKey) -> Made:
        begun = self.today - timedelta(days=self._random.randrange(1, 1000))
        # A tenth have run out, a tenth run out within 30 days.
        days = self._random.choices((-200, 30, 900), weights=(1, 1, 8))[0]
        until = self.today + timedelta(days=self._random.randrange(min(days, 0), max(days, 1)))
        row = EnterpriseGrantRow(key, begun, max(until, begun), 1)
        cards = _cards(key.agent)
        kind = self._random.random()
        if kind < 0.3:
            return Made(row, (ALL_OPERATORS,))
        if kind < 0.5:
            return Made(row, ())
        return Made(
            row, tuple(sorted(self._random.sample(cards, min(len(cards), 1 + int(kind * 3)))))
        )


@cache
def _cards(code: str) -> list[str]:
    amount = 3 + int(hashlib.sha256(code.encode()).hexdigest()[:2], 16) % 38
    return [f"89{code[:2]}{code[5:]}{n:04d}"[:13] for n in range(amount)]


class _Signer:
    """Signs for every enterprise, with a key and a certificate of its own."""

    def __init__(self, trust: Path) -> None:
        self._authority = TestAuthority.create(trust / "authority")
        self._authority.publish(trust)
        self._cards: dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]] = {}

    def sign(self, enterprise: Enterprise, card: str, data: bytes) -> tuple[bytes, bytes]:
        """A signature, and the certificate (DER)."""
        if enterprise.customs_code not in self._cards:
            key = ec.generate_private_key(ec.SECP256R1())
            moment = dates.now().replace(microsecond=0)
            holder = Holder(
                card,
                Role.LEGAL_PERSON,
                "样例",
                enterprise,
                moment - timedelta(days=2000),
                moment + timedelta(days=700),
            )
            certificate = self._authority.certify(holder, key.public_key())
            self._cards[enterprise.customs_code] = (
                key,
                certificate.public_bytes(serialization.Encoding.DER),
            )
        key, der = self._cards[enterprise.customs_code]
        return signatures.sign(key, SIGNED_FOR + data), der


def generate(
    store: Store,
    population: Population,
    *,
    trust: Path | None = None,
    single: bool = False,
    renewals: int = 0,
) -> None:
    """Store a population; signed where there is a folder for the authority.

    Args:
        trust: Where the authority and the trusted certificates are made.
        single: Sign each change for itself.
        renewals: How often all grants are renewed then, and all operator grants withdrawn
            and handed on anew, as in a ledger that has been in use for long.
    """
    # The indexes are filled in no order; for as long as this connection is open.
    for setting in ("cache_size = -500000", "wal_autocheckpoint = 100000", "synchronous = OFF"):
        store.rows(f"PRAGMA {setting}")
    tables = load_tables()
    assert all(code in tables.subsystems for code in SUBSYSTEMS)
    everybody = [*population.principals, *population.brokers]
    with store.transaction():
        enterprises.put_all(store, everybody)
    known = {each.customs_code: each for each in everybody}
    operations = _operations(population, renewals)
    if single:
        operations = (
            (by, kind, [change]) for by, kind, changes in operations for change in changes
        )
    if trust is None:
        changes = (change for _, _, changes in operations for change in changes)
        while batch := list(islice(changes, _BATCH)):
            with store.transaction():
                _append(
                    store, "{}", b"", b"none", batch, "890" + population.principals[0].customs_code
                )
        return
    signer = _Signer(trust)
    while chunk := list(islice(operations, _BATCH // 20)):
        with store.transaction():
            for by, kind, changes_ in chunk:
                _record(store, signer, known[by], kind, changes_)


_Done = tuple[str, Kind, list[Change]]
"""Who does what."""


def _operations(population: Population, renewals: int) -> Iterator[_Done]:
    """A principal's grants in one operation, each agent's under them in another."""
    everything: list[list[Made]] = []
    for made in filter(None, population.made()):
        yield made[0].row.key.principal, Kind.GRANT, [Change(None, each.row) for each in made]
        yield from _by_agent(made, Kind.HAND_ON)
        if renewals:
            everything.append(made)
    for _ in range(renewals):
        for made in everything:
            renewed = [Made(_renewed(each.row), each.cards) for each in made]
            changes = [Change(old.row, new.row) for old, new in zip(made, renewed, strict=True)]
            yield made[0].row.key.principal, Kind.RENEW, changes
            yield from _by_agent(made, Kind.WITHDRAW)
            yield from _by_agent(made, Kind.HAND_ON)
            made[:] = renewed


def _renewed(row: EnterpriseGrantRow) -> EnterpriseGrantRow:
    later = row.valid_until + timedelta(days=365)
    return row._replace(valid_until=later, revision=row.revision + 1)


def _by_agent(made: list[Made], kind: Kind) -> Iterator[_Done]:
    """All operator grants handed on or withdrawn."""
    by_agent: dict[str, list[Change]] = {}
    for each in made:
        for card in each.cards:
            row = OperatorGrantRow(each.row.key, card, each.row.granted_on)
            change = Change(None, row) if kind is Kind.HAND_ON else Change(row, None)
            by_agent.setdefault(each.row.key.agent, []).append(change)
    for agent, changes in by_agent.items():
        yield agent, kind, changes


def _record(
    store: Store, signer: _Signer, by: Enterprise, kind: Kind, changes: list[Change]
) -> None:
    moment = dates.now().replace(microsecond=0)
    card = f"890{by.customs_code}"
    seen = ledger.head(store)
    operation = Operation(
        kind,
        moment,
        card,
        by.customs_code,
        tuple(changes),
        seen.number,
        seen.hash,
        f"{seen.number:032x}",
    )
    payload = operation.canonical()
    signature, certificate = signer.sign(by, card, payload.encode())
    _append(store, payload, signature, certificate, changes, card)


def _append(
    store: Store,
    payload: str,
    signature: bytes,
    certificate: bytes,
    changes: list[Change],
    card: str,
) -> None:
    ledger.append(
        store,
        payload,
        signature,
        certificate,
        changes,
        recorded_at=dates.now().replace(microsecond=0),
        changed_by=card,
    )


def main() -> None:
    """Make a database file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generator", description=__doc__)
    parser.add_argument("--grants", type=int, default=10_000, help="enterprise grants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signed", action="store_true", help="sign every operation")
    parser.add_argument("--single", action="store_true", help="sign each change for itself")
    parser.add_argument(
        "--renewals", type=int, default=0, help="how often all is renewed and handed on anew"
    )
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    trust = args.file.with_name(args.file.name + ".trust") if args.signed else None
    with Store.open(args.file) as store:
        generate(
            store,
            Population(args.grants, seed=args.seed),
            trust=trust,
            single=args.single,
            renewals=args.renewals,
        )
        for table in ("enterprise", "enterprise_grant", "operator_grant", "ledger_entry"):
            print(f"{table:18} {store.rows(f'SELECT count(*) FROM {table}')[0][0]:>10,}")


if __name__ == "__main__":
    main()
