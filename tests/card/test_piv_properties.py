"""Whatever a card answers, and whatever happens to it: an error, and never a save."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from eport_tui.card.authority import TestAuthority
from eport_tui.card.errors import CardError
from eport_tui.card.piv import AUTHENTICATION, P_256, RSA_2048, SIGNATURE, PivClient, parse_tlv
from eport_tui.card.session import CardSession
from eport_tui.card.signatures import is_signed_by
from eport_tui.card.trust import TrustStore
from eport_tui.errors import EportError
from tests.card.fake_reader import FakeReader
from tests.card.making import make_authority, make_trust
from tests.card.piv_applet import AUTHENTICATE, PivApplet, tlv
from tests.card.piv_making import make_key, make_piv, pin, wrong_pin

STATUS = [0x9000, 0x6100, 0x6120, 0x61FF, 0x6C00, 0x6C10, 0x63C0, 0x63C2, 0x63CF, 0x6300]
STATUS += [0x6982, 0x6983, 0x6A80, 0x6A82, 0x6D00, 0x0000, 0xFFFF]

DEEDS: list[Callable[[PivClient], object]] = [
    PivClient.select,
    PivClient.pin_state,
    PivClient.read_guid,
    lambda client: client.read_certificate(AUTHENTICATION),
    lambda client: client.read_certificate(SIGNATURE),
    lambda client: client.verify(pin()),
    lambda client: client.change_pin(pin(), wrong_pin()),
    lambda client: client.unblock(bytearray(b"12345678"), pin()),
    lambda client: client.sign(AUTHENTICATION, make_key("rsa").public_key(), b"data"),
    lambda client: client.sign(AUTHENTICATION, _curve_key().public_key(), b"data"),
    lambda client: client.authenticate(bytearray(24)),
    lambda client: client.generate(AUTHENTICATION, RSA_2048),
    lambda client: client.generate(AUTHENTICATION, P_256),
    lambda client: client.write_certificate(SIGNATURE, bytes(900)),
    PivClient.write_chuid,
]


@cache
def _curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Script:
    """A card that answers what is written down, and then the last of it for ever."""

    def __init__(self, answers: list[tuple[bytes, int]]) -> None:
        self._answers = answers
        self._at = -1

    def transmit(self, apdu: bytearray | bytes, limit: float) -> tuple[bytes, int]:
        self._at = min(self._at + 1, len(self._answers) - 1)
        return self._answers[self._at]

    def close(self) -> None:
        """Nothing to leave."""


def demand_clear_end(deed: Callable[[PivClient], object], answers: list[tuple[bytes, int]]) -> None:
    """The deed is done, or ends in an error that an operator can be told; no other passes."""
    with suppress(CardError):
        deed(PivClient(Script(answers)))


def random_answer(source: random.Random) -> bytes:
    """Noise, or something that is nearly TLV."""
    if source.random() < 0.3:
        return source.randbytes(source.choice([0, 1, 2, 3, 16, 64, 256]))
    value = source.randbytes(source.choice([0, 0, 1, 8, 16, 32, 65]))
    for tag in source.choices(
        ["53", "70", "71", "7C", "82", "80", "81", "34", "7F49", "86", "61"], k=3
    ):
        value = tlv(tag, value)
        if source.random() < 0.3:
            value += tlv(source.choice(["70", "71", "34", "81", "82"]), source.randbytes(1))
    change = source.random()
    if change < 0.2:
        return value[: source.randrange(len(value))]
    if change < 0.4:
        at = source.randrange(len(value))
        return value[:at] + source.randbytes(1) + value[at + 1 :]
    return value + source.randbytes(1) if change < 0.5 else value


def test_no_sequence_of_answers_does_anything_but_end_in_a_clear_error():
    source = random.Random(20260)
    for number in range(20_000):
        answers = [
            (
                random_answer(source),
                source.choice(STATUS) if source.random() < 0.9 else source.getrandbits(16),
            )
            for _ in range(source.randrange(1, 5))
        ]
        demand_clear_end(DEEDS[number % len(DEEDS)], answers)


ANSWERS = st.lists(
    st.tuples(st.binary(max_size=300), st.sampled_from(STATUS) | st.integers(0, 0xFFFF)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=500, deadline=None)
@given(deed=st.sampled_from(DEEDS), answers=ANSWERS)
def test_no_sequence_of_bytes_does_either(deed, answers):
    demand_clear_end(deed, answers)


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=200))
def test_tlv_is_taken_apart_or_refused(data):
    try:
        found = parse_tlv(data)
    except CardError:
        return
    assert sum(len(value) for _, value in found) <= len(data)


@given(st.lists(st.tuples(st.sampled_from(["53", "70", "7F49", "5FC105"]), st.binary())))
def test_tlv_comes_back_as_it_was_written(fields):
    written = b"".join(tlv(tag, value) for tag, value in fields)
    assert parse_tlv(written) == [(int(tag, 16), value) for tag, value in fields]


def test_a_card_that_never_comes_to_an_end_is_given_up():
    for answers in ([(b"x" * 256, 0x6100)], [(b"", 0x6100)], [(b"", 0x6C05)], [(b"x", 0x61FF)]):
        with pytest.raises(CardError):
            PivClient(Script(answers)).read_certificate(AUTHENTICATION)


def test_a_compressed_certificate_that_swells_without_end_is_refused():
    import gzip

    bomb = tlv("53", tlv("70", gzip.compress(bytes(10_000_000))) + tlv("71", b"\x01"))
    with pytest.raises(CardError):
        PivClient(Script([(bomb, 0x9000)])).read_certificate(AUTHENTICATION)


# The guard


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> tuple[TrustStore, PivApplet]:
    """What accepts the card, and the card."""
    authority = make_authority(tmp_path_factory.mktemp("altered"))
    return make_trust(authority), make_piv(authority)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.integers(0, 25),
    change=st.sampled_from(["cut", "grow", "flip", "noise", "status", "empty"]),
    seed=st.integers(0, 1 << 32),
)
def test_one_altered_answer_lets_nobody_in_who_could_not_sign(workplace, at, change, seed):
    trust, applet = workplace
    source = random.Random(seed)
    left = [at]

    def tamper(apdu: bytes, data: bytes, sw: int) -> tuple[bytes, int]:
        left[0] -= 1
        if left[0] != -1:
            return data, sw
        place = source.randrange(len(data)) if data else 0
        match change:
            case "cut":
                return data[:place], sw
            case "grow":
                return data + source.randbytes(source.randrange(1, 20)), sw
            case "flip":
                return data[:place] + source.randbytes(1) + data[place + 1 :], sw
            case "noise":
                return source.randbytes(len(data)), sw
            case "status":
                return data, source.choice(STATUS)
            case _:
                return b"", 0x9000

    reader = FakeReader()
    applet.tamper = tamper
    applet.tries = 3
    reader.insert(applet)
    try:
        session = CardSession.begin(reader.open(reader.cards()[0]), trust)
        session.unlock(pin())
        session.require_granting()
        signature = session.sign(b"save")
    except EportError:
        return
    else:
        assert is_signed_by(session.card.certificate, signature, b"save")
    finally:
        applet.tamper = None


class Desk(RuleBasedStateMachine):
    """An operator's session while cards come and go, between and within commands."""

    folder: Path
    passed = 0

    @initialize()
    def begin(self) -> None:
        own, other = _cards(self.folder)
        self.own, self.other = own, other
        for applet in (own, other):
            applet.tries = 3
            applet.power_off()
        # A forged card: the same identity and PIN, another key.
        self.forged = PivApplet(guid=own.guid)
        self.forged.objects, self.forged.keys = own.objects, other.keys
        self.applets = [own, other, self.forged]
        self.reader = FakeReader()
        self.pending: tuple[int, Callable[[], None]] | None = None
        self.reader.before = self._during_command
        self.reader.insert(own)
        trust = _trust(self.folder)
        self.session = CardSession.begin(self.reader.open(self.reader.cards()[0]), trust)
        self.session.unlock(pin())
        self.certificate = self.session.card.certificate
        self.saves = 0

    def _during_command(self, apdu: bytes) -> None:
        if self.pending is None:
            return
        left, deed = self.pending
        self.pending = (left - 1, deed) if left else None
        if not left:
            deed()

    def swap(self, applet: PivApplet, verified: bool) -> None:
        self.reader.swap_unseen(applet)
        if verified:
            applet.exchange(bytes.fromhex("00A4040009A00000030800001000"))
            applet.exchange(bytes.fromhex("0020008008") + b"123456\xff\xff")

    def _deed(self, kind: str, which: int, verified: bool) -> Callable[[], None]:
        applet = self.applets[which]
        return {
            "pull": self.reader.pull,
            "insert": lambda: self.reader.insert(applet),
            "swap": lambda: self.swap(applet, verified),
            "reset": self.reader.reset,
            "lock": self.session.lock,
        }[kind]

    KIND = st.sampled_from(["pull", "insert", "swap", "reset", "lock"])
    WHICH = st.sampled_from([0, 0, 1, 2])

    @rule(kind=KIND, which=WHICH, verified=st.booleans())
    def happen(self, kind: str, which: int, verified: bool) -> None:
        """Something happens between two commands."""
        self._deed(kind, which, verified)()

    @rule(kind=KIND, which=WHICH, verified=st.booleans(), after=st.integers(0, 9))
    def happen_during_command(self, kind: str, which: int, verified: bool, after: int) -> None:
        """Something will happen in the middle of a command."""
        if self.pending is not None:
            return
        self.pending = (after, self._deed(kind, which, verified))

    @rule(right=st.sampled_from([True, True, True, False]))
    def unlock(self, right: bool) -> None:
        """The operator gives the PIN, having put the card back if it was out."""
        self.own.tries = 3
        refs = self.reader.cards()
        if not refs:
            return
        try:
            if not self.session.card.is_present():
                self.session.lock()
                self.session.resume(self.reader.open(refs[0]))
            self.session.unlock(pin() if right else wrong_pin())
        except EportError:
            assert not self.session.unlocked
        else:
            assert right

    @rule()
    def work(self) -> None:
        """What most operators do most of the time."""
        self.unlock(right=True)
        self.save()

    @rule()
    def save(self) -> None:
        """A save, as a service makes it."""
        self.saves += 1
        data = b"save %d" % self.saves
        signed = [sum(entry[1] == AUTHENTICATE for entry in a.log) for a in self.applets]
        unlocked = self.session.unlocked
        try:
            self.session.require_granting()
            signature = self.session.sign(data)
        except EportError:
            return
        now = [sum(entry[1] == AUTHENTICATE for entry in a.log) for a in self.applets]
        type(self).passed += 1
        assert unlocked
        assert is_signed_by(self.certificate, signature, data)
        assert now[0] == signed[0] + 1
        assert now[1:] == signed[1:]


@cache
def _authority(folder: Path) -> TestAuthority:
    return make_authority(folder)


@cache
def _trust(folder: Path) -> TrustStore:
    # Published once: each time takes longer than a whole run of the machine.
    return make_trust(_authority(folder))


@cache
def _cards(folder: Path) -> tuple[PivApplet, PivApplet]:
    authority = _authority(folder)
    return make_piv(authority), make_piv(authority, number="8900000000022")


def test_no_interleaving_lets_a_save_through_that_the_card_did_not_sign(tmp_path_factory):
    class DeskHere(Desk):
        folder = tmp_path_factory.mktemp("desk")

    run_state_machine_as_test(
        DeskHere, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )
    # Otherwise nothing was put to the test.
    assert DeskHere.passed > 50
