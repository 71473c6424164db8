"""Several at once, and clocks that go wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from eport_tui.card.authority import TestAuthority as Authority
from eport_tui.card.software import Cost
from eport_tui.card.trust import TrustStore
from eport_tui.domain import dates
from eport_tui.domain.dates import SHANGHAI
from eport_tui.domain.decision import Reason, Request
from eport_tui.domain.grants import EnterpriseGrant, GrantState
from eport_tui.domain.holders import Role
from eport_tui.domain.operations import Change
from eport_tui.domain.places import Place
from eport_tui.errors import EportError, InvalidInput
from eport_tui.services import (
    decisions,
    demo,
    enterprise_grants,
    history,
    operator_grants,
    verification,
)
from eport_tui.services.ledger import accept_clock, behind
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.services.verification import Verification
from eport_tui.settings import load_settings
from eport_tui.store import enterprise_grants as rows
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.ledger import ClockSetBack
from tests.ledger.attacker import Attacker
from tests.ledger.making import NOON, TO_CARD, findings, signed, theirs
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    TABLES,
    grant,
    hand_on,
    opened,
    register,
    session,
)

# -- four at once ------------------------------------------------------------------

WORKER = """
import sys
from datetime import timedelta
from pathlib import Path
from eport_tui.card.session import CardSession
from eport_tui.card.software import SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain import dates
from eport_tui.domain.grants import GrantDraft
from eport_tui.domain.places import parse_place
from eport_tui.services import enterprise_grants
from eport_tui.reference import load_tables
from eport_tui.store.database import Store

folder, card, grant_type = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
reader = SoftwareReader(folder / "cards")
session = CardSession.begin(
    reader.open(reader.ref(folder / "cards" / f"{card}.card")), TrustStore.of(folder / "trust")
)
session.unlock(bytearray(b"88888888"))
tables = load_tables()
with Store.open(parse_place(sys.argv[4]), patience=60) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for subsystem in ("95", "B1", "Z8", "B3", "B2", "Z7"):
        until = (dates.today() + timedelta(days=9)).isoformat()
        draft = GrantDraft("3205980004", subsystem, grant_type, until)
        saved = enterprise_grants.save(store, tables, session, draft)
        enterprise_grants.delete(
            store, session, saved.grant.id, revision=1, operator_grants=0
        )
"""


def test_four_processes_at_once_fork_nothing(tmp_path: Path, new_place: Place) -> None:
    authority = Authority.create(tmp_path / "authority")
    cards = []
    for enterprise in (MANUFACTURER, BROKER):
        now = dates.now()
        holder = session(enterprise).holder._replace(
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=1),
        )
        authority.issue(holder, tmp_path / "cards", cost=Cost(64, 1, 1))
        cards.append(holder.card_number)
    authority.publish(tmp_path / "trust")
    with Store.open(new_place) as store:
        register(store)
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path), card, grant_type, str(new_place)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for card in cards
            for grant_type in ("X1", "X2")
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        for worker in workers:
            worker.communicate(b"\n")
        assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
        assert ledger.last_number(store) == 4 * 6 * 2
        assert findings(store, TrustStore.of(tmp_path / "trust")) == []


def test_who_writes_while_it_is_verified_does_not_confuse_it(
    store: Store, trust: TrustStore, place: Place
) -> None:
    verifying = Verification(store, trust)
    with Store.open(place) as second:
        signed(second, theirs(), Change(None, TO_CARD._replace(card_number="8900000000099")))
        with second.transaction():
            second.rows("UPDATE operator_grant SET changed_by = '' WHERE card_number = ?", (CARD,))
        running = verifying.findings()
        found = [next(running)]
        with second.transaction():
            second.rows("DELETE FROM operator_grant")
        found += running
    assert len(found) == 1
    assert verifying.last == 6


def test_many_entries_are_checked_by_several_processes(
    store: Store, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_FEW", 0)
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(verification, "_BATCH", 1)
    with store.transaction():
        store.rows("UPDATE operator_grant SET changed_by = ''")
    found = findings(
        store, trust, processes=2, progress=lambda done, total: shown.append((done, total))
    )
    assert len(found) == 1
    assert shown == [(number, 5) for number in range(1, 6)]


# -- what is slow ------------------------------------------------------------------


def test_an_operation_that_waited_too_long_for_its_turn_is_signed_anew(
    store: Store, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = session(BROKER)
    signatures: list[bytes] = []
    with time_machine.travel(NOON + timedelta(hours=1), tick=False) as clock:

        def sign(data: bytes) -> bytes:
            signatures.append(data)
            if len(signatures) == 1:
                clock.shift(timedelta(minutes=11))
            if len(signatures) == 2:
                clock.shift(timedelta(seconds=-1))
            return type(by).sign(by, data)

        by.sign = sign  # type: ignore[method-assign]
        [stored] = store.rows("SELECT id FROM operator_grant")
        operator_grants.delete(store, by, stored[0])  # type: ignore[arg-type]
    assert len(signatures) == 3
    assert findings(store, trust) == []


# -- the clock ---------------------------------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("at", "allowed", "state"),
    [
        ("2026-06-09T23:59:59", Reason.GRANTED_TO_CARD, GrantState.EXPIRING),
        ("2026-06-10T00:00:00", Reason.EXPIRED, GrantState.EXPIRED),
    ],
)
def test_the_last_second_of_the_last_day_and_the_first_of_the_next(
    store: Store, trust: TrustStore, at: str, allowed: Reason, state: GrantState
) -> None:
    with time_machine.travel(moment(at), tick=False):
        decision = decisions.check(
            store,
            TABLES,
            Request(
                CARD,
                Role.OPERATOR,
                BROKER.customs_code,
                MANUFACTURER.customs_code,
                "95",
                "declare",
                dates.today(),
            ),
        )
        assert decision.reason is allowed
        assert decision.enterprise_grant is not None
        assert decision.enterprise_grant.state(dates.today()) is state
        # Handing on is what needs a grant in force.
        attempt = NewOperatorGrant(False, "8900000000099")
        if allowed is Reason.EXPIRED:
            with pytest.raises(InvalidInput, match="到期"):
                operator_grants.save(store, session(BROKER), 1, [attempt])
        else:
            operator_grants.save(store, session(BROKER), 1, [attempt])
            entry = ledger.get(store, 6)
            assert entry is not None
            assert entry.recorded_at == "2026-06-09T23:59:59+08:00"
        assert findings(store, trust) == []


def test_a_clock_that_was_set_back_is_refused_and_there_is_a_way_to_go_on(
    store: Store, trust: TrustStore
) -> None:
    later, earlier = moment("2026-04-01T12:00:00"), moment("2026-04-01T11:00:00")
    with time_machine.travel(later, tick=False):
        by, standing = session(MANUFACTURER), current(store)
        agreed = enterprise_grants.shortening_preview(store, TABLES, by, standing.id, later.date())
        draft = opened(standing, later.date())
        saved = enterprise_grants.save(store, TABLES, by, draft, agreed=agreed).grant
        with pytest.raises(InvalidInput, match="不必处理"):
            accept_clock(store)

    with time_machine.travel(earlier, tick=False) as clock:
        draft = opened(saved, later.date() + timedelta(days=1))
        with pytest.raises(ClockSetBack, match="2026-04-01 11:00:00 早于上一笔") as refused:
            enterprise_grants.save(store, TABLES, session(MANUFACTURER), draft)
        assert "eport-tui ledger accept-clock" in str(refused.value.hint)
        assert ledger.last_number(store) == 6

        assert behind(store).number == 6
        accept_clock(store)
        enterprise_grants.save(store, TABLES, session(MANUFACTURER), draft)
        # Once is once.
        clock.shift(timedelta(seconds=-1))
        with pytest.raises(ClockSetBack):
            hand_on_now(store)
        clock.shift(timedelta(seconds=1))
        hand_on_now(store)

    [note] = findings(store, trust)
    assert note.is_note
    assert note.entry == 7
    assert note.message == "服务器时间倒退过，管理员于 2026-04-01T11:00:00+08:00 记录"


def test_the_history_of_some_days_is_whole_also_after_a_clock_was_set_back(store: Store) -> None:
    us = theirs()
    signed(store, us, Change(TO_CARD, None), at=NOON + timedelta(days=20))
    accept_clock(store, NOON + timedelta(days=1))
    signed(store, us, Change(None, TO_CARD), at=NOON + timedelta(days=2))
    signed(store, us, Change(TO_CARD, None), at=NOON + timedelta(days=3))
    whole = history.of_enterprise(store, session(BROKER))
    found = {
        text: [row.number for row in whole.filtered(text).after(None, 50)]
        for text in ("202603", "20260301", "20260303", "20260304", "20260321", "20260322", "202602")
    }
    assert found == {
        "202603": [8, 7, 6, 5, 4, 3, 2, 1],
        "20260301": [5, 4, 3, 2, 1],
        "20260303": [7],
        "20260304": [8],
        "20260321": [6],
        "20260322": [],
        "202602": [],
    }
    assert whole.filtered("202603").count() == whole.count()
    newest = whole.seek("202603")
    assert newest is not None
    assert newest.number == 8


def test_after_a_clock_was_set_back_old_signatures_are_of_no_use(
    store: Store, trust: TrustStore
) -> None:
    signed(store, theirs(), Change(TO_CARD, None), at=NOON + timedelta(hours=1))
    accept_clock(store, NOON)
    by = theirs()
    signed(store, by, Change(None, TO_CARD), at=NOON)
    signed(store, by, Change(TO_CARD, None), at=NOON)
    assert [each.is_note for each in findings(store, trust)] == [True]
    attacker = Attacker.at(store.place)
    entries = attacker.entries()
    again = entries[6]
    again[4] = 0
    attacker.rewrite([*attacker.entries(), again])
    attacker.close()
    assert findings(store, trust)[1].message == "同一个签名记录了两次"


def test_an_empty_ledger_needs_no_clock_accepted(new_place: Place) -> None:
    with Store.open(new_place) as store, pytest.raises(EportError, match="不必处理"):
        accept_clock(store)


def current(store: Store) -> EnterpriseGrant:
    found = rows.get(store, 1)
    assert found is not None
    return found


def hand_on_now(store: Store) -> None:
    operator_grants.save(store, session(BROKER), 1, [NewOperatorGrant(False, "8900000000099")])


def test_a_story_in_a_new_database_verifies(new_place: Place, trust: TrustStore) -> None:
    with Store.open(new_place) as store:
        register(store)
        assert findings(store, trust) == []
        hand_on(store, grant(store))
        assert findings(store, trust) == []


def test_the_ledger_of_the_demo_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CARD_COST", Cost(64, 1, 1))
    settings = load_settings(environment={}, demo_dir=tmp_path / "demo")
    demo.prepare(settings)
    with Store.open(settings.database, read_only=True) as store:
        assert ledger.last_number(store) > 20
        assert findings(store, TrustStore.of(settings.trust_dir)) == []
