"""Every service that writes, tried with every kind of card.

The cards are real ones: files, or PIV cards in a reader in memory.  A cell that the spec
does not allow is refused, with the reason, and leaves the database as it was.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import eport_tui.services
from eport_tui.card.errors import CardError, CardGone, CardMute, CertificateRefused, Locked
from eport_tui.card.protocol import Reader
from eport_tui.card.session import CardSession
from eport_tui.card.software import SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.grants import EnterpriseGrant, GrantDraft, OperatorGrant
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.errors import EportError, NotFound, NotPermitted
from eport_tui.services import (
    drafts,
    enterprise_grants,
    expiry,
    operator_grants,
    reinstatement,
    replacement,
)
from eport_tui.services.guard import NOT_LEGAL_PERSON
from eport_tui.services.operator_grants import NewOperatorGrant
from eport_tui.store import ledger
from eport_tui.store import replacement as replacement_rows
from eport_tui.store.database import Store
from tests.card.fake_reader import FakeReader
from tests.card.making import make_authority, make_card, make_holder
from tests.card.piv_applet import PivApplet
from tests.card.piv_making import PIN, make_piv
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    StandIn,
    grant,
    hand_on,
    opened,
    register,
    tables_of,
)
from tests.services.world import session as legal_person

LATER = TODAY + timedelta(days=200)
SIDES = {"principal": MANUFACTURER, "agent": BROKER, "third": TRADER}
LEGAL, OPERATOR = Role.LEGAL_PERSON, Role.OPERATOR


# -- the rows: what writes ---------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """MANUFACTURER granted to BROKER, who handed it on; another grant has run out.

    Also: a grant that both ends let run out, a deleted one, and a deleted operator grant.

    Attributes:
        file: The database in which it is.
    """

    file: Path
    grant: EnterpriseGrant
    expired: EnterpriseGrant
    to_card: OperatorGrant
    to_all: OperatorGrant
    marked: EnterpriseGrant
    deleted: int
    withdrawn: int


def told_in(file: Path) -> Story:
    """Tell the story in a new database."""
    with Store.open(file) as store:
        register(store)
        before = TODAY - timedelta(days=9)
        expired = grant(store, subsystem="B1", valid_until=TODAY - timedelta(days=1), today=before)
        (to_all,) = hand_on(store, expired, today=before)
        standing = grant(store)
        (to_card,) = hand_on(store, standing, CARD)
        marked = grant(store, subsystem="Z8")
        for end in (MANUFACTURER, BROKER):
            expiry.let_lapse(store, legal_person(end), [marked], today=TODAY)
        (going,) = hand_on(store, marked, CARD)
        operator_grants.delete(store, legal_person(BROKER), going.id, today=TODAY)
        withdrawn = last_entry(store)
        gone = grant(store, subsystem="B3")
        enterprise_grants.delete(
            store, legal_person(MANUFACTURER), gone.id, revision=1, operator_grants=0, today=TODAY
        )
        deleted = last_entry(store)
    return Story(file, standing, expired, to_card, to_all, marked, deleted, withdrawn)


@dataclass(frozen=True)
class Case:
    """Somebody with a card where the story has been told, who has typed something."""

    store: Store
    session: CardSession
    story: Story
    kept_before: drafts.KeptDraft


def case_of(store: Store, story: Story, session: CardSession) -> Case:
    drafts.keep(store, session, "permissions", {"subsystem": "95"})
    before_this = StandIn(session.holder, id="another session of that card")
    drafts.keep(store, before_this, "operator_grants", {"card": CARD})
    (kept,) = (
        draft for draft in drafts.offered(store, before_this) if draft.session == before_this.id
    )
    return Case(store, session, story, kept)


def last_entry(store: Store) -> int:
    return ledger.head(store).number


def grant_anew(case: Case) -> None:
    draft = GrantDraft(OTHER_BROKER.customs_code, "95", "X1", LATER.isoformat())
    enterprise_grants.save(case.store, TABLES, case.session, draft, today=TODAY)


def change_grant(case: Case) -> None:
    enterprise_grants.save(
        case.store, TABLES, case.session, opened(case.story.grant, LATER), today=TODAY
    )


def renew_grant(case: Case) -> None:
    draft = opened(case.story.expired, LATER)
    enterprise_grants.save(
        case.store, TABLES, case.session, draft, confirm_renewal=True, today=TODAY
    )


def delete_grant(case: Case) -> None:
    enterprise_grants.delete(
        case.store, case.session, case.story.grant.id, revision=1, operator_grants=1
    )


def add_operator(case: Case) -> None:
    entry = NewOperatorGrant(False, OTHER_CARD)
    operator_grants.save(case.store, case.session, case.story.grant.id, [entry], today=TODAY)


def add_all_operators(case: Case) -> None:
    entry = NewOperatorGrant(True)
    operator_grants.save(
        case.store, case.session, case.story.grant.id, [entry], replacing=1, today=TODAY
    )


def delete_operator(case: Case) -> None:
    operator_grants.delete(case.store, case.session, case.story.to_card.id)


def delete_all_operators(case: Case) -> None:
    operator_grants.delete(case.store, case.session, case.story.to_all.id)


def renew_together(case: Case) -> None:
    preview = expiry.RenewalPreview(LATER, count=2, expired=1, revived=1)
    chosen = [case.story.grant, case.story.expired]
    expiry.renew(case.store, case.session, chosen, preview, today=TODAY)


def let_lapse(case: Case) -> None:
    expiry.let_lapse(case.store, case.session, [case.story.grant], today=TODAY)


def keep_after_all(case: Case) -> None:
    expiry.keep(case.store, case.session, [case.story.marked], today=TODAY)


def replace_card(case: Case) -> None:
    moving = tuple(replacement_rows.held(case.store, BROKER.customs_code, CARD, OTHER_CARD))
    confirmed = replacement.Preview(CARD, OTHER_CARD, moving)
    replacement.replace(case.store, case.session, confirmed, today=TODAY)


def reinstate_grant(case: Case) -> None:
    reinstatement.reinstate(case.store, case.session, case.story.deleted, today=TODAY)


def reinstate_operator(case: Case) -> None:
    reinstatement.reinstate(case.store, case.session, case.story.withdrawn, today=TODAY)


def keep_draft(case: Case) -> None:
    drafts.keep(case.store, case.session, "enterprise_grants", {"agent": "31"})


def forget_draft(case: Case) -> None:
    drafts.forget(case.store, case.session, "permissions")


def take_draft_over(case: Case) -> None:
    drafts.take_over(case.store, case.session, case.kept_before)


def give_draft_up(case: Case) -> None:
    drafts.give_up(case.store, case.session, case.kept_before)


@dataclass(frozen=True)
class Row:
    """A deed, the service that does it, and of which sides the legal person may have it done."""

    deed: Callable[[Case], None]
    service: Callable[..., object]
    sides: tuple[str, ...] = ()
    # How another side is refused; what is not theirs may as well not be there.
    refusal: type[EportError] = NotPermitted


GRANTING = (
    # Whoever grants, grants on behalf of their own enterprise.
    Row(grant_anew, enterprise_grants.save, ("principal", "agent", "third")),
    Row(change_grant, enterprise_grants.save, ("principal",)),
    Row(renew_grant, enterprise_grants.save, ("principal",)),
    Row(delete_grant, enterprise_grants.delete, ("principal",)),
    Row(add_operator, operator_grants.save, ("agent",)),
    Row(add_all_operators, operator_grants.save, ("agent",)),
    Row(delete_operator, operator_grants.delete, ("agent",)),
    Row(delete_all_operators, operator_grants.delete, ("agent",)),
    Row(renew_together, expiry.renew, ("principal",)),
    # Either end of a grant may let it run out, in its own list.
    Row(let_lapse, expiry.let_lapse, ("principal", "agent")),
    Row(keep_after_all, expiry.keep, ("principal", "agent")),
    Row(replace_card, replacement.replace, ("agent",), NotFound),
    Row(reinstate_grant, reinstatement.reinstate, ("principal",)),
    Row(reinstate_operator, reinstatement.reinstate, ("agent",)),
)
# What was typed is kept at the very moment a card is pulled, and is of that card alone.
KEEPING = (
    Row(keep_draft, drafts.keep),
    Row(forget_draft, drafts.forget),
    Row(take_draft_over, drafts.take_over),
    Row(give_draft_up, drafts.give_up),
)
WITHOUT_A_CARD = {
    # From the command line, by whoever may write the database.
    "registry.import_file",
    # A database of its own, with cards of its own.
    "demo.prepare",
    # From the command line, by the server's administrator; it changes no grant.
    "ledger.accept_clock",
    # What all those above that change grants are made of.
    "operations.perform",
}

granting = pytest.mark.parametrize("row", GRANTING, ids=lambda row: row.deed.__name__)
keeping = pytest.mark.parametrize("row", KEEPING, ids=lambda row: row.deed.__name__)


# -- the columns: kinds of cards ---------------------------------------------------------------


class Bench:
    """An authority, its cards, and folders of trust in which something is amiss."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = make_authority(folder)
        self._cards = {
            (side, role): make_card(
                self.authority,
                folder / "cards",
                number=f"89000000001{at}{place}",
                role=role,
                customs_code=enterprise.customs_code,
                uscc=enterprise.uscc,
                enterprise=enterprise.name,
            )
            for at, role in enumerate(Role)
            for place, (side, enterprise) in enumerate(SIDES.items())
        }
        self._chips = {
            (side, role): self._chip(enterprise, role)
            for role in Role
            for side, enterprise in SIDES.items()
        }
        self.authority.write_crl(at=now() - timedelta(days=60))
        self.authority.publish(folder / "stale")
        self.authority.write_crl()
        self.authority.publish(folder / "trust")
        for issued in self.authority.issued():
            self.authority.revoke(issued.card_number)
        self.authority.publish(folder / "revoked")
        make_authority(folder / "elsewhere")

    def _chip(self, enterprise: Enterprise, role: Role) -> PivApplet:
        applet = make_piv(self.authority)
        holder = make_holder(
            role=role,
            customs_code=enterprise.customs_code,
            uscc=enterprise.uscc,
            enterprise=enterprise.name,
        )
        for slot, key in applet.keys.items():
            certificate = self.authority.enrol(holder, key.public_key())
            applet.load(slot, key, certificate.public_bytes(Encoding.DER))
        return applet

    def desk(self, side: str, role: Role = LEGAL, *, chip: bool = False) -> Desk:
        """A desk where the card of that side is at work."""
        trust = TrustStore.of(self.folder / "trust")
        if chip:
            in_chip = FakeReader()
            in_chip.insert(self._chips[side, role])
            return Desk(self, in_chip, trust, PIN)
        folder = SoftwareReader(self.folder / "cards")
        own = folder.ref(self._cards[side, role])
        for ref in folder.cards():
            if ref != own:
                folder.eject(ref)
        return Desk(self, folder, trust, b"88888888")


class Desk:
    """An unlocked session with the only card in a reader, and what may befall it."""

    def __init__(self, bench: Bench, reader: Reader, trust: TrustStore, pin: bytes) -> None:
        self.bench = bench
        self.reader = reader
        self.trust = trust
        self.moment = now()
        self._pin = pin
        self.session = self.begin()
        self.unlock()

    def begin(self) -> CardSession:
        (ref,) = self.reader.cards()
        return CardSession.begin(self.reader.open(ref), self.trust, clock=lambda: self.moment)

    def unlock(self) -> None:
        self.session.unlock(bytearray(self._pin))

    @property
    def in_chip(self) -> FakeReader:
        assert isinstance(self.reader, FakeReader)
        return self.reader

    # What befalls

    def expire(self) -> None:
        self.moment += timedelta(days=2000)

    def be_revoked(self) -> None:
        self.trust.revocation = self.bench.folder / "revoked" / "crls"

    def be_distrusted(self) -> None:
        # It has the same name.
        self.trust.authorities = self.bench.folder / "elsewhere" / "trust" / "authorities"

    def require_hardware(self) -> None:
        self.trust.require_hardware = True

    def lose_the_list(self) -> None:
        self.trust.revocation = self.bench.folder / "nowhere"

    def let_the_list_go_stale(self) -> None:
        self.trust.revocation = self.bench.folder / "stale" / "crls"

    def lock(self) -> None:
        self.session.lock()

    def lock_and_unlock(self) -> None:
        self.session.lock()
        self.unlock()

    def close(self) -> None:
        self.session.close()

    def pull(self) -> None:
        if isinstance(self.reader, SoftwareReader):
            self.reader.eject(self.session.card.ref)
        else:
            self.in_chip.pull()

    def fall_mute(self) -> None:
        self.in_chip.mute = True

    def be_reset(self) -> None:
        self.in_chip.reset()

    def be_swapped(self) -> None:
        self.in_chip.swap_unseen(make_piv(self.bench.authority, number="8900000000099"))


@dataclass(frozen=True)
class Fault:
    """What befalls the right card after its PIN was given, and how it is refused then.

    Attributes:
        code: Why the certificate is refused, also at the next login.
    """

    strike: Callable[[Desk], None]
    refusal: type[EportError]
    code: str = ""
    chip: bool = False


FAULTS = (
    Fault(Desk.expire, CertificateRefused, "expired"),
    Fault(Desk.expire, CertificateRefused, "expired", chip=True),
    Fault(Desk.be_revoked, CertificateRefused, "revoked"),
    Fault(Desk.be_revoked, CertificateRefused, "revoked", chip=True),
    Fault(Desk.be_distrusted, CertificateRefused, "untrusted"),
    Fault(Desk.be_distrusted, CertificateRefused, "untrusted", chip=True),
    Fault(Desk.require_hardware, CertificateRefused, "hardware-required"),
    Fault(Desk.lose_the_list, NotPermitted),
    Fault(Desk.let_the_list_go_stale, NotPermitted),
    Fault(Desk.lock, Locked),
    Fault(Desk.close, Locked),
    Fault(Desk.pull, CardGone),
    Fault(Desk.pull, CardGone, chip=True),
    Fault(Desk.fall_mute, CardMute, chip=True),
    Fault(Desk.be_reset, CardGone, chip=True),
    Fault(Desk.be_swapped, CardError, chip=True),
)
faults = pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: fault.strike.__name__ + "-chip" * fault.chip
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, told once."""
    return told_in(tmp_path_factory.mktemp("story") / "eport.db")


@pytest.fixture
def store(tmp_path: Path, story: Story) -> Iterator[Store]:
    """On one engine alone: what a card may do does not depend on where the grants are."""
    with Store.open(shutil.copy(story.file, tmp_path / "eport.db")) as store:
        yield store


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


# -- the matrix --------------------------------------------------------------------------------


@granting
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("chip", [False, True], ids=["file", "chip"])
def test_a_grant_is_changed_with_the_right_card_and_with_no_other(
    store: Store, story: Story, bench: Bench, chip: bool, side: str, role: Role, row: Row
) -> None:
    case = case_of(store, story, bench.desk(side, role, chip=chip).session)
    before = tables_of(store)
    if role is LEGAL and side in row.sides:
        row.deed(case)
        assert tables_of(store) != before
        return
    with pytest.raises(NotPermitted if role is OPERATOR else row.refusal) as caught:
        row.deed(case)
    assert (caught.value.message == NOT_LEGAL_PERSON) == (role is OPERATOR)
    assert tables_of(store) == before


@granting
@faults
def test_a_card_that_is_not_fit_any_more_changes_no_grant(
    store: Store, story: Story, bench: Bench, fault: Fault, row: Row
) -> None:
    desk = bench.desk(row.sides[0], chip=fault.chip)
    case = case_of(store, story, desk.session)
    before = tables_of(store)
    fault.strike(desk)
    with pytest.raises(fault.refusal) as caught:
        row.deed(case)
    assert getattr(caught.value, "code", "") == fault.code
    assert tables_of(store) == before
    if fault.code:
        with pytest.raises(CertificateRefused) as at_login:
            desk.begin()
        assert at_login.value.code == fault.code


@granting
def test_where_hardware_is_required_a_chip_does_it_all(
    store: Store, story: Story, bench: Bench, row: Row
) -> None:
    desk = bench.desk(row.sides[0], chip=True)
    desk.require_hardware()
    case = case_of(store, story, desk.session)
    before = tables_of(store)
    row.deed(case)
    assert tables_of(store) != before


@keeping
@faults
def test_what_was_typed_is_kept_whatever_befalls_the_card(
    store: Store, story: Story, bench: Bench, fault: Fault, row: Row
) -> None:
    desk = bench.desk("third", chip=fault.chip)
    case = case_of(store, story, desk.session)
    before = tables_of(store)
    fault.strike(desk)
    row.deed(case)
    assert tables_of(store) != before


@keeping
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("side", SIDES)
def test_every_card_keeps_what_was_typed_with_it(
    store: Store, story: Story, bench: Bench, side: str, role: Role, row: Row
) -> None:
    case = case_of(store, story, bench.desk(side, role).session)
    before = tables_of(store)
    row.deed(case)
    assert tables_of(store) != before


# -- between the question and the answer -------------------------------------------------------


@granting
@pytest.mark.parametrize("mute", [False, True], ids=["answers", "mute"])
def test_no_card_is_asked_while_nobody_else_can_write(
    store: Store, story: Story, bench: Bench, row: Row, mute: bool
) -> None:
    desk = bench.desk(row.sides[0], chip=True)
    case = case_of(store, story, desk.session)
    asked = 0

    def others_can_write(apdu: bytes) -> None:
        nonlocal asked
        asked += 1
        with other.transaction():
            desk.in_chip.mute = mute

    with Store.open(store.place, patience=0) as other:
        desk.in_chip.before = others_can_write
        if mute:
            with pytest.raises(CardMute):
                row.deed(case)
        else:
            row.deed(case)
    assert asked


@granting
@pytest.mark.parametrize(
    ("strike", "refusal"),
    [
        (Desk.pull, CardGone),
        (Desk.lock, Locked),
        (Desk.lock_and_unlock, Locked),
        (Desk.close, Locked),
        (Desk.expire, CertificateRefused),
    ],
    ids=lambda value: value.__name__,
)
def test_what_befalls_the_card_while_the_save_waits_its_turn_refuses_it(
    store: Store,
    story: Story,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    row: Row,
    strike: Callable[[Desk], None],
    refusal: type[EportError],
) -> None:
    desk = bench.desk(row.sides[0])
    case = case_of(store, story, desk.session)
    before = tables_of(store)
    transaction: Callable[[], AbstractContextManager[None]] = store.transaction

    @contextmanager
    def after_a_while() -> Generator[None]:
        with transaction():
            strike(desk)
            yield

    monkeypatch.setattr(store, "transaction", after_a_while)
    with pytest.raises(refusal):
        row.deed(case)
    assert tables_of(store) == before


# -- nothing is left out -----------------------------------------------------------------------


def writers(folder: Path) -> set[str]:
    """The public functions of the modules in `folder` that open a transaction, or have it done."""
    uses: dict[str, set[str]] = {}
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imported = {
            alias.asname or alias.name: f"{(node.module or '').rpartition('.')[2]}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for top in tree.body:
            if isinstance(top, ast.FunctionDef | ast.ClassDef):
                names = uses[f"{path.stem}.{top.name}"] = set[str]()
                for node in ast.walk(top):
                    if isinstance(node, ast.Name):
                        names.add(imported.get(node.id, f"{path.stem}.{node.id}"))
                    elif isinstance(node, ast.Attribute):
                        names |= {node.attr, f"{getattr(node.value, 'id', '')}.{node.attr}"}
    found = {name for name, used in uses.items() if {"transact", "transaction"} & used}
    while more := {name for name, used in uses.items() if used & found} - found:
        found |= more
    return {name for name in found if not name.partition(".")[2].startswith("_")}


def test_no_service_that_writes_was_left_out() -> None:
    """Whoever adds one has to say above which cards may use it."""
    services = {row.service for row in (*GRANTING, *KEEPING)}
    named = {f"{each.__module__.rpartition('.')[2]}.{each.__name__}" for each in services}
    assert writers(Path(eport_tui.services.__file__).parent) == named | WITHOUT_A_CARD


def test_one_that_writes_through_others_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "def write(store):\n    store.transact(int)\n"
        "def _hidden(store):\n    write(store)\n"
        "def through(store):\n    _hidden(store)\n"
        "def read(store):\n    store.rows()\n"
    )
    (tmp_path / "two.py").write_text(
        "from services import one\nfrom services.one import through as other\n"
        "def by_module(store):\n    one.write(store)\n"
        "def by_name(store):\n    other(store)\n"
        "def neither(store):\n    one.read(store)\n"
    )
    assert writers(tmp_path) == {"one.write", "one.through", "two.by_module", "two.by_name"}
