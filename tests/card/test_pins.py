"""What is left of a PIN when something goes wrong with it: nothing.

Whoever typed it wipes the buffer; whatever still holds the PIN after that is a copy.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import eport_tui
from eport_tui.card import software
from eport_tui.card.control_client import Control
from eport_tui.card.errors import CardBusy, CardError, CardGone, CardMute
from eport_tui.card.pcsc import Line
from eport_tui.card.piv import PivClient
from eport_tui.card.piv_card import PivCard
from eport_tui.card.session import CardSession
from eport_tui.card.software import SoftwareReader, wipe
from tests.card.fake_reader import FakeReader
from tests.card.making import make_card
from tests.card.piv_applet import AUTHENTICATE, CHANGE, UNBLOCK, VERIFY, PivApplet
from tests.card.piv_making import make_piv

SECRET = b"73519284"
OTHER = b"11112222"
PACKAGE = str(Path(eport_tui.__file__).parent)


def holds(value: object) -> bool:
    """Whether the PIN is in a value, as bytes, text, numbers or hexadecimal."""
    if isinstance(value, bytes | bytearray | memoryview):
        return SECRET in bytes(value)
    forms = SECRET.decode(), SECRET.hex(), SECRET.hex().upper(), str(list(SECRET))[1:-1]
    text = value if isinstance(value, str) else repr(value)
    return any(form in text for form in forms)


def chain(error: BaseException) -> Iterable[BaseException]:
    """The error, and whatever it came from."""
    todo, seen = [error], list[BaseException]()
    while todo:
        each = todo.pop()
        if each not in seen:
            seen.append(each)
            todo += [one for one in (each.__cause__, each.__context__) if one is not None]
    return seen


def traces(error: BaseException) -> list[str]:
    """Where the PIN is left in an error: its parts, its text, and what the program held then."""
    found = ["the traceback"] if holds("".join(traceback.format_exception(error))) else []
    for each in chain(error):
        parts = [*each.args, *vars(each).values(), *getattr(each, "__notes__", ())]
        found += [f"{type(each).__name__} {part!r}" for part in parts if holds(part)]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                found += [
                    f"{name} in {frame.f_code.co_qualname}"
                    for name, value in frame.f_locals.items()
                    if holds(value)
                ]
    return found


def test_what_is_left_is_found():
    for left in (SECRET, bytearray(SECRET), SECRET.decode(), list(SECRET), {"pin": SECRET}):
        assert traces(ValueError(left))
        nested = CardGone()
        nested.__cause__ = ValueError("x", left)
        assert traces(nested)
    assert traces(CardGone()) == []


def fail_with(error: Exception) -> Callable[[FakeReader, PivApplet], None]:
    """A fault: the exchange of a command with a PIN in it raises `error`."""

    def befall(reader: FakeReader, applet: PivApplet) -> None:
        def fail(apdu: bytes) -> None:
            if apdu[1] in (VERIFY, CHANGE, UNBLOCK) and len(apdu) > 5:
                raise error

        reader.before = fail

    return befall


def answer(data: bytes, status: int) -> Callable[[FakeReader, PivApplet], None]:
    """A fault: what the card answers to such a command and to one that wants a signature."""

    def befall(reader: FakeReader, applet: PivApplet) -> None:
        def tamper(apdu: bytes, given: bytes, sw: int) -> tuple[bytes, int]:
            is_meant = apdu[1] in (VERIFY, CHANGE, UNBLOCK, AUTHENTICATE) and len(apdu) > 5
            return (data, status) if is_meant else (given, sw)

        applet.tamper = tamper

    return befall


FAULTS: dict[str, Callable[[FakeReader, PivApplet], None]] = {
    "wrong": lambda reader, applet: None,
    "gone": fail_with(CardGone()),
    "mute": fail_with(CardMute()),
    "busy": fail_with(CardBusy()),
    "defect": fail_with(RuntimeError("reader on fire")),
    "blocked": answer(b"", 0x6983),
    "refused": answer(b"", 0x6F00),
    "malformed": answer(b"\x7c\x05\x82", 0x9000),
}

DEEDS: dict[str, Callable[[CardSession, PivCard, bytearray], object]] = {
    "unlock": lambda session, card, pin: session.unlock(pin),
    "change": lambda session, card, pin: card.change_pin(pin, bytearray(OTHER)),
    "new": lambda session, card, pin: card.change_pin(bytearray(OTHER), pin),
    "unblock": lambda session, card, pin: card.unblock(pin, bytearray(OTHER)),
    "set": lambda session, card, pin: card.unblock(bytearray(OTHER), pin),
}


CELLS = [
    (fault, deed)
    for fault in FAULTS
    for deed in DEEDS
    # What a card answers beside the status is read of signatures alone.
    if fault != "malformed" or deed == "unlock"
]


@pytest.mark.parametrize(("fault", "deed"), CELLS)
def test_a_failed_exchange_leaves_nothing_of_the_pin(authority, trust, caplog, fault, deed):
    caplog.set_level(0)
    reader, applet = FakeReader(), make_piv(authority)
    reader.insert(applet)
    (ref,) = reader.cards()
    card = reader.open(ref)
    session = CardSession.begin(card, trust)
    FAULTS[fault](reader, applet)
    pin = bytearray(SECRET)
    with pytest.raises((CardError, RuntimeError)) as caught:
        DEEDS[deed](session, card, pin)
    assert pin == SECRET
    wipe(pin)
    assert traces(caught.value) == []
    assert not holds(caplog.text)
    assert not any(map(holds, [vars(card), vars(session)]))


@pytest.mark.parametrize("fault", ["wrong", "disk", "memory"])
def test_a_software_card_leaves_nothing_of_it_either(
    authority, cards, trust, caplog, monkeypatch, fault
):
    caplog.set_level(0)
    right = SECRET.decode() if fault != "wrong" else "88888888"
    path = make_card(authority, cards, pin=right)
    folder = SoftwareReader(cards)
    card = folder.open(folder.ref(path))
    session = CardSession.begin(card, trust)

    def fail(*given: object) -> None:
        raise MemoryError if fault == "memory" else OSError("disk on fire")

    if fault == "disk":
        monkeypatch.setattr(software, "write_whole", fail)
    elif fault == "memory":
        monkeypatch.setattr(software, "_derive", fail)
    for deed in (session.unlock, lambda pin: card.change_pin(pin, bytearray(OTHER))):
        pin = bytearray(SECRET)
        with pytest.raises((CardError, OSError, MemoryError)) as caught:
            deed(pin)
        wipe(pin)
        assert traces(caught.value) == []
    assert not holds(caplog.text)


@pytest.mark.parametrize("step", ["send", "recv"])
def test_a_control_that_fails_leaves_nothing_of_it_either(caplog, monkeypatch, step):
    caplog.set_level(0)

    class Connection:
        def send(self, message: bytearray, *, text: bool) -> None:
            assert SECRET in message
            if step == "send":
                raise OSError("line on fire")

        def recv(self, timeout: float) -> str:
            raise OSError("line on fire")

        def close(self) -> None:
            pass

    monkeypatch.setattr(Control, "_connect", lambda self: Connection())
    control = Control("ws://127.0.0.1:61232")
    for deed in (
        control.verify_pin,
        lambda pin: control.change_pin(pin, bytearray(OTHER)),
        lambda pin: control.change_pin(bytearray(OTHER), pin),
        lambda pin: control.sign_random("12", pin),
    ):
        pin = bytearray(SECRET)
        with pytest.raises(CardGone) as caught:
            deed(pin)
        wipe(pin)
        assert traces(caught.value) == []
    assert not holds(caplog.text)


@pytest.mark.parametrize("fault", ["failed", "defect"])
def test_a_connection_over_pcsc_leaves_nothing_of_it_either(caplog, fault):
    caplog.set_level(0)

    class Service:
        SCARD_SCOPE_USER = SCARD_SHARE_EXCLUSIVE = SCARD_UNPOWER_CARD = 0
        SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
        SCARD_PCI_T0 = SCARD_PCI_T1 = None

        def SCardEstablishContext(self, scope):
            return 0, 1

        def SCardConnect(self, *given):
            return 0, 1, self.SCARD_PROTOCOL_T1

        def SCardTransmit(self, handle, header, command):
            assert holds(command)
            if fault == "defect":
                raise TypeError("not what was expected")
            return 0x80100069, []

        def SCardDisconnect(self, *given):
            pass

        def SCardReleaseContext(self, context):
            pass

    line = Line(Service(), "Reader", lambda: None)
    line.open(5)
    pin = bytearray(SECRET)
    with pytest.raises(CardGone) as caught:
        PivClient(line).verify(pin)
    wipe(pin)
    assert traces(caught.value) == []
    line.close()
    assert line.left.wait(5)
    assert not holds(caplog.text)
