"""The demo: made-up enterprises, cards and grants in every state, in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from eport_tui.card.authority import TestAuthority
from eport_tui.card.session import CardSession
from eport_tui.card.software import DEFAULT_COST, Cost, SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain import dates
from eport_tui.domain.grants import GrantDraft
from eport_tui.domain.holders import Holder, Role
from eport_tui.errors import StoreError
from eport_tui.reference import load_tables, packaged
from eport_tui.services import enterprise_grants, operator_grants, registry
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.settings import Settings
from eport_tui.store import enterprises
from eport_tui.store.database import Store

MANUFACTURER, SECOND, BROKER, OTHER_BROKER = "3101440001", "3205460004", "3101980001", "3205980002"

CARD_COST = DEFAULT_COST
"""What a try of a demo card's PIN costs."""

# Cards that only set the demo up and are thrown away need no slow key derivation.
_THROW_AWAY = Cost(memory_kib=64, iterations=1, lanes=1)


@dataclass(frozen=True, slots=True)
class DemoCard:
    """A card of the demo: its holder's data, and the days its certificate still holds."""

    number: str
    role: Role
    person: str
    customs_code: str
    days_left: int = 700


LEGAL, OPERATOR = Role.LEGAL_PERSON, Role.OPERATOR

CARDS = (
    DemoCard("8900000000011", LEGAL, "王样例", MANUFACTURER),
    DemoCard("8900000000028", LEGAL, "李样例", SECOND),
    DemoCard("8900000000035", LEGAL, "张样例", BROKER),
    DemoCard("8900000000042", OPERATOR, "陈样例", BROKER),
    DemoCard("8900000000059", OPERATOR, "刘样例", BROKER),
    DemoCard("8900000000066", LEGAL, "赵样例", OTHER_BROKER),
    DemoCard("JJ7G000000073", OPERATOR, "周样例", OTHER_BROKER, days_left=20),
    DemoCard("8900000000080", OPERATOR, "吴样例", OTHER_BROKER, days_left=-3),
)

# Agent, subsystem, grant type, granted this many days ago, valid for this many days from today,
# and the operators: 1 is all of them, otherwise the card numbers.
_FROM_MANUFACTURER: tuple[tuple[str, str, str, int, int, tuple[int | str, ...]], ...] = (
    (BROKER, "B1", "X1", 200, 400, ("8900000000042",)),
    (BROKER, "B1", "X2", 200, 20, (1,)),
    (BROKER, "Z8", "X1", 300, -10, ("8900000000042", "8900000000059")),
    (OTHER_BROKER, "95", "X1", 30, 335, (1,)),
    (OTHER_BROKER, "95", "X2", 400, -35, ()),
)
_FROM_OTHERS = (
    ("95", "X1", 60, 300, ("8900000000042",)),
    ("95", "X2", 60, 300, (1,)),
    ("B3", "X1", 90, 12, ()),
    ("X1", "X1", 10, 720, ("8900000000042", "8900000000059")),
    ("Z7", "X1", 365, -1, ("8900000000059",)),
)
OTHER_PRINCIPALS = 14

_Grant = tuple[str, str, str, str, int, int, tuple[int | str, ...]]


@contextmanager
def in_use(settings: Settings) -> Generator[None]:
    """Keep others from throwing the demo away in the block; several may use it at once.

    Raises:
        EportError: Its folder cannot be read.
    """
    with _told(settings):
        folder = _open(database_file(settings).parent)
    try:
        # Some file systems have no locks; there it goes unnoticed.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(folder)


def throw_away(settings: Settings) -> None:
    """Delete the demo with all that was entered in it, where there is one.

    Raises:
        EportError: It is in use, or cannot be deleted.
    """
    home = database_file(settings).parent
    with _told(settings):
        if not home.exists():
            return
        folder = _open(home)
        try:
            if _is_in_use(folder):
                raise StoreError(
                    "另一个窗口正在使用演示数据，没有删除",
                    hint="请先在那里退出程序，再运行 eport-tui demo --reset",
                )
            shutil.rmtree(home)
        finally:
            os.close(folder)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _is_in_use(folder: int) -> bool:
    """Whether another program is in `in_use`; if not, none will be until the folder is closed."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def prepare(settings: Settings) -> None:
    """Make the demo if it is not there; otherwise keep what was entered.

    It is built beside its place and then moved there, so that a demo that was
    interrupted in the making is never found half done.

    Raises:
        EportError: The folder cannot be written.
    """
    home = database_file(settings).parent
    if not database_file(settings).exists():
        with _told(settings):
            shutil.rmtree(home, ignore_errors=True)
            home.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=home.parent, prefix=".demo-") as made:
                _make(_placed_in(settings, Path(made) / "demo"))
                (Path(made) / "demo").rename(home)
        return
    authority = TestAuthority.open(settings.authority_dir)
    if authority.renew_crl():
        authority.publish(settings.trust_dir)


@contextmanager
def _told(settings: Settings) -> Generator[None]:
    """Turn the errors of the operating system that leave the block into one for an operator."""
    try:
        yield
    except OSError as error:
        home = database_file(settings).parent
        raise StoreError(f"无法建立演示数据 {home}", hint="请检查文件夹的权限和磁盘空间") from error


def database_file(settings: Settings) -> Path:
    """Where the demo's database is; it never is on a server."""
    assert isinstance(settings.database, Path)
    return settings.database


def _placed_in(settings: Settings, home: Path) -> Settings:
    return replace(
        settings,
        database=home / database_file(settings).name,
        cards_dir=home / settings.cards_dir.name,
        authority_dir=home / settings.authority_dir.name,
        trust_dir=home / settings.trust_dir.name,
    )


def _make(settings: Settings) -> None:
    authority = TestAuthority.create(settings.authority_dir)
    authority.publish(settings.trust_dir)
    store = Store.open(settings.database)
    try:
        registry.import_file(store, packaged("sample_enterprises.csv"))
        _list_legal_persons(store)
        for card in CARDS:
            authority.issue(_holder(store, card), settings.cards_dir, cost=CARD_COST)
        with tempfile.TemporaryDirectory() as folder:
            _Granting(store, authority, TrustStore.of(settings.trust_dir), Path(folder)).grant()
    finally:
        store.close()


def _list_legal_persons(store: Store) -> None:
    """Tell the registry which cards are legal persons', so that none passes as an operator's."""
    entries = [
        enterprises.Entry(registry.look_up(store, card.customs_code), (card.number,))
        for card in CARDS
        if card.role is LEGAL
    ]
    store.transact(lambda: enterprises.put_legal_person_cards(store, entries))


def _holder(store: Store, card: DemoCard) -> Holder:
    enterprise = registry.look_up(store, card.customs_code)
    until = dates.now().replace(microsecond=0) + timedelta(days=card.days_left)
    return Holder(
        card_number=card.number,
        role=card.role,
        person=card.person,
        enterprise=enterprise,
        valid_from=until - timedelta(days=730),
        valid_until=until,
    )


class _Granting:
    """Makes the demo's grants through the services, as the legal persons would have."""

    def __init__(
        self, store: Store, authority: TestAuthority, trust: TrustStore, folder: Path
    ) -> None:
        self._store = store
        self._authority = authority
        self._trust = trust
        self._folder = folder
        self._tables = load_tables()
        self._today = dates.today()
        self._sessions: dict[str, CardSession] = {}

    def grant(self) -> None:
        """Make them all, the oldest first, because the ledger knows no way back in time."""
        grants: list[_Grant] = [(MANUFACTURER, *grant) for grant in _FROM_MANUFACTURER]
        principals = [
            row["海关编码"]
            for row in _sample_rows()
            if row["海关编码"] not in (MANUFACTURER, BROKER)
        ][:OTHER_PRINCIPALS]
        for at, principal in enumerate(principals):
            subsystem, grant_type, ago, days, operators = _FROM_OTHERS[at % len(_FROM_OTHERS)]
            grants.append((principal, BROKER, subsystem, grant_type, ago, days, operators))
        for grant in sorted(grants, key=lambda grant: -grant[4]):
            self._grant(*grant)

    def _grant(
        self,
        principal: str,
        agent: str,
        subsystem: str,
        grant_type: str,
        ago: int,
        days: int,
        operators: tuple[int | str, ...],
    ) -> None:
        then = self._today - timedelta(days=ago)
        until = self._today + timedelta(days=days)
        draft = GrantDraft(agent, subsystem, grant_type, until.isoformat())
        saved = enterprise_grants.save(
            self._store, self._tables, self._session(principal), draft, today=then
        )
        entries = [
            NewOperatorGrant(to_all=True)
            if operator == 1
            else NewOperatorGrant(to_all=False, card_number=str(operator))
            for operator in operators
        ]
        if entries:
            self._hand_on(agent, saved.grant.id, entries, then)

    def _hand_on(
        self, agent: str, grant_id: int, entries: list[NewOperatorGrant], then: date
    ) -> None:
        operator_grants.save(self._store, self._session(agent), grant_id, entries, today=then)

    def _session(self, customs_code: str) -> CardSession:
        """An unlocked session of the enterprise's legal-person card."""
        if customs_code not in self._sessions:
            made_up = DemoCard(f"89000001{len(self._sessions):05d}", LEGAL, "样例", customs_code)
            mine = (
                card for card in CARDS if (card.customs_code, card.role) == (customs_code, LEGAL)
            )
            holder = _holder(self._store, next(mine, made_up))
            # The card of that time, whose certificate was renewed since.
            holder = holder._replace(valid_from=holder.valid_from - timedelta(days=730))
            pin = bytearray(b"88888888")
            path = self._authority.issue(holder, self._folder, cost=_THROW_AWAY)
            reader = SoftwareReader(self._folder)
            session = CardSession.begin(reader.open(reader.ref(path)), self._trust)
            session.unlock(pin)
            self._sessions[customs_code] = session
        return self._sessions[customs_code]


def _sample_rows() -> list[dict[str, str]]:
    import csv

    text = packaged("sample_enterprises.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
