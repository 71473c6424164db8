"""What a login screen says when PC/SC cannot be used; no daemon is needed for that."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from eport_tui.card import pcsc
from eport_tui.card.errors import CardGone
from eport_tui.card.pcsc import Line, PcscReader
from eport_tui.card.protocol import CardRef
from tests.card.guard_story import PATIENCE, until


class Service:
    """The calls of PC/SC, of which the first one is answered with `code`."""

    SCARD_SCOPE_USER = 0

    def __init__(self, code: int) -> None:
        self.code = code
        self.called = threading.Event()

    def SCardEstablishContext(self, scope):
        self.called.set()
        return self.code - (1 << 32), 0


class SilentService(Service):
    """A daemon that takes the connection and never answers."""

    def __init__(self) -> None:
        super().__init__(0)
        self.answer = threading.Event()

    def SCardEstablishContext(self, scope):
        self.called.set()
        self.answer.wait()
        return pcsc._NO_SERVICE, 0


class Bus(Service):
    """A service whose readers come and go, each with a card in it; answers as libpcsclite does.

    Attributes:
        names: The readers that are plugged in.
        before_wait, before_list: Called once, before the service hears of the next such call.
    """

    SCARD_STATE_UNAWARE, SCARD_STATE_CHANGED, SCARD_STATE_PRESENT = 0, 2, 0x20

    def __init__(self, *names: str) -> None:
        super().__init__(0)
        self.names = list(names)
        self.before_wait = self.before_list = lambda: None

    def SCardEstablishContext(self, scope):
        return 0, 7

    def SCardReleaseContext(self, context):
        return 0

    def SCardCancel(self, context):
        return 0

    def _once(self, hook):
        deed = getattr(self, hook)
        setattr(self, hook, lambda: None)
        deed()

    def SCardListReaders(self, context, groups):
        self._once("before_list")
        return (0, list(self.names)) if self.names else (pcsc._NO_READERS - (1 << 32), [])

    def SCardGetStatusChange(self, context, milliseconds, states):
        self._once("before_wait")
        now = {name: 1 << 16 | self.SCARD_STATE_PRESENT for name in self.names}
        now[pcsc._NEW_READERS] = len(self.names) << 16
        if any(name not in now for name, _ in states):
            return pcsc._UNKNOWN_READER - (1 << 32), []
        if all(state == now[name] for name, state in states):
            time.sleep(milliseconds / 1000)
            return pcsc._TIMEOUT - (1 << 32), []
        return 0, [(name, now[name] | self.SCARD_STATE_CHANGED, b"") for name, _ in states]


@pytest.fixture(autouse=True)
def _desk(monkeypatch):
    """A desk of one's own: no SSH, no forwarded socket."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv(pcsc.SOCKET_VARIABLE, raising=False)


@pytest.fixture
def reader_over(monkeypatch):
    """Makes a reader over such calls, which is closed in the end."""
    readers = []

    def make(service, **options) -> PcscReader:
        monkeypatch.setattr(pcsc, "_load", lambda: service)
        readers.append(PcscReader(**options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def demand_nothing_works(reader: PcscReader) -> None:
    assert not reader.status().ok
    assert reader.cards() == []
    with pytest.raises(CardGone):
        reader.open(CardRef("Reader", "Reader#0", "Reader"))


def test_without_the_library_nothing_is_printed_and_the_sentence_says_what_to_install(
    monkeypatch, capfd
):
    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    reader = PcscReader()
    until(lambda: reader.status().message == pcsc.NO_LIBRARY, "another sentence")
    demand_nothing_works(reader)
    reader.close()
    assert capfd.readouterr() == ("", "")


def test_without_pyscard_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setitem(sys.modules, "smartcard", None)
    reader = PcscReader()
    until(lambda: reader.status().message == pcsc.NOT_INSTALLED, "another sentence")
    demand_nothing_works(reader)


def test_what_is_loaded_slowly_holds_up_nobody(monkeypatch):
    goes_on = threading.Event()

    def load():
        goes_on.wait(5)
        raise pcsc._Unusable(pcsc.NOT_INSTALLED)

    monkeypatch.setattr(pcsc, "_load", load)
    monkeypatch.setattr(pcsc, "_STALE_SECONDS", 0.0)
    changes = []
    reader = PcscReader(lambda: changes.append(1))
    assert reader.status().message == pcsc.CONNECTING
    demand_nothing_works(reader)
    goes_on.set()
    until(lambda: reader.status().message == pcsc.NOT_INSTALLED, "another sentence")
    assert changes


def test_closing_does_not_wait_for_a_service_that_never_answers(reader_over):
    service = SilentService()
    reader = reader_over(service)
    assert service.called.wait(5)
    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < 1
    service.answer.set()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (0x8010001D, pcsc.NO_SERVICE),
        (0x8010001E, pcsc.MISMATCH),
        (0x8010006A, pcsc.FORBIDDEN),
        (0x80100001, pcsc.NO_SERVICE),
    ],
)
def test_each_fault_of_the_service_has_its_sentence(reader_over, monkeypatch, code, sentence):
    monkeypatch.setattr(pcsc, "_SOCKET", "/nowhere/pcscd.comm")
    changes = []
    reader = reader_over(Service(code), on_change=lambda: changes.append(1))
    until(lambda: reader.status().message == sentence, "another sentence")
    demand_nothing_works(reader)
    assert changes


def test_a_socket_without_permission_is_told(reader_over, monkeypatch, tmp_path):
    (tmp_path / "socket").touch()
    monkeypatch.setattr(pcsc, "_SOCKET", str(tmp_path / "socket"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    reader = reader_over(Service(0x8010001D))
    until(lambda: reader.status().message == pcsc.FORBIDDEN, "another sentence")


def test_a_service_that_never_answers_is_told_and_holds_up_nobody(reader_over, monkeypatch):
    monkeypatch.setattr(pcsc, "_STALE_SECONDS", 0.05)
    service = SilentService()
    reader = reader_over(service)
    assert service.called.wait(5)
    until(lambda: reader.status().message == pcsc.SILENT, "another sentence")
    demand_nothing_works(reader)
    service.answer.set()


def test_the_servers_own_reader_is_not_that_of_an_operator_behind_ssh(reader_over, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    service = Service(0x8010001D)
    reader = reader_over(service)
    until(lambda: reader.status().message == pcsc.NO_FORWARD, "another sentence")
    demand_nothing_works(reader)
    assert not service.called.is_set()

    allowed = Service(0x8010001D)
    reader_over(allowed, allow_server_reader=True)
    assert allowed.called.wait(5)


@pytest.fixture
def forwarded(tmp_path, monkeypatch):
    """A socket as SSH forwards it."""
    path = tmp_path / "pcsc.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        monkeypatch.setenv(pcsc.SOCKET_VARIABLE, str(path))
        monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
        yield path


def trouble() -> str:
    return pcsc.socket_trouble(allow_server_reader=False)


def test_a_forwarded_socket_of_ones_own_is_used(forwarded, reader_over):
    assert trouble() == ""
    service = Service(0x8010001D)
    reader_over(service)
    assert service.called.wait(5)


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o620, 0o602, 0o777])
def test_a_forwarded_socket_that_others_can_use_is_refused(forwarded, reader_over, mode):
    forwarded.chmod(mode)
    service = Service(0x8010001D)
    reader = reader_over(service)
    until(lambda: reader.status().message == pcsc.FOREIGN_SOCKET, "another sentence")
    assert not service.called.is_set()


def test_a_forwarded_socket_of_another_user_is_refused(forwarded, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert trouble() == pcsc.FOREIGN_SOCKET


def test_what_is_no_socket_is_refused(forwarded: Path):
    own = forwarded.with_name("own.sock")
    forwarded.rename(own)
    assert trouble() == pcsc.NO_SOCKET
    forwarded.symlink_to(own)
    assert trouble() == pcsc.FOREIGN_SOCKET
    forwarded.unlink()
    forwarded.write_text("")
    forwarded.chmod(0o600)
    assert trouble() == pcsc.FOREIGN_SOCKET


def test_a_forward_that_appears_later_is_noticed(forwarded, reader_over, monkeypatch):
    monkeypatch.setattr(pcsc, "_SLICE_SECONDS", 0.01)
    away = forwarded.with_name("away")
    forwarded.rename(away)
    service = Service(0x8010001D)
    reader = reader_over(service)
    until(lambda: reader.status().message == pcsc.NO_SOCKET, "another sentence")
    away.rename(forwarded)
    assert service.called.wait(5)


@pytest.mark.parametrize("moment", ["before_wait", "before_list"])
@pytest.mark.parametrize("others", [(), ("Reader",)], ids=["alone", "beside another"])
def test_an_ikey_pulled_between_two_calls_is_noticed_and_so_is_its_return(
    reader_over, monkeypatch, moment, others
):
    monkeypatch.setattr(pcsc, "_SLICE_SECONDS", 0.01)
    service = Bus("Ikey", *others)
    reader = reader_over(service)

    def listed() -> list[str]:
        return [ref.reader for ref in reader.cards()]

    until(lambda: listed() == ["Ikey", *others], "the readers are not there")
    changes = []
    monkeypatch.setattr(reader, "_on_change", lambda: changes.append(1))
    _, is_inserted = reader.connector(reader.cards()[0])
    setattr(service, moment, lambda: service.names.remove("Ikey"))
    until(lambda: not is_inserted(), "the token is still believed to be there")
    assert listed() == list(others)
    assert changes

    service.names.insert(0, "Ikey")
    until(lambda: listed() == ["Ikey", *others], "the token did not come back")
    assert not is_inserted()


class OneCard(Service):
    """A service with a card that answers at once."""

    SCARD_SHARE_EXCLUSIVE = SCARD_UNPOWER_CARD = 0
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_PCI_T0 = SCARD_PCI_T1 = None

    def __init__(self) -> None:
        super().__init__(0)

    def SCardEstablishContext(self, scope):
        return 0, 1

    def SCardConnect(self, *given):
        return 0, 1, self.SCARD_PROTOCOL_T1

    def SCardTransmit(self, handle, header, command):
        return 0, [0x90, 0x00]

    def SCardDisconnect(self, handle, disposition):
        return 0

    def SCardReleaseContext(self, context):
        return 0


def test_a_lock_that_comes_right_before_a_command_does_not_look_like_a_card_that_is_mute():
    faults = []
    line = Line(OneCard(), "Reader", lambda: faults.append(1))
    line.open(5)
    jobs = line._jobs

    class Queue:
        """Has the line closed by another thread at the last moment, if that may be."""

        def get(self):
            return jobs.get()

        def put(self, job):
            if job is not None:
                closing = threading.Thread(target=line.close)
                closing.start()
                closing.join(0.1)
            jobs.put(job)

    line._jobs = Queue()
    # Either is true: it was asked before the lock, or it is locked.
    with suppress(CardGone):
        assert line.transmit(b"\0" * 5, PATIENCE) == (b"", 0x9000)
    assert line.left.wait(PATIENCE)
    assert (line.stuck, faults) == (False, [])
    with pytest.raises(CardGone):
        line.transmit(b"\0" * 5, PATIENCE)
