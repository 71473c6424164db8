"""The guard's story over a real pcscd, and what only there can go wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eport_tui.card import pcsc
from eport_tui.card.errors import CardBusy, CardGone
from eport_tui.card.pcsc import PcscReader
from tests.card.guard_story import GuardStory, open_only, until, work
from tests.card.pcscd import SOCKET, Pcscd
from tests.card.piv_applet import ATR_T0, PivApplet
from tests.card.piv_making import HOLDER, make_piv
from tests.card.vpcd import VirtualReader

pytestmark = pytest.mark.card

READER = "Virtual PCD 00 00"


class PcscRig:
    """A hand at a reader of vpcd."""

    def __init__(self, service: Pcscd) -> None:
        self._service = service
        self._slot = VirtualReader()
        self.changes: list[float] = []
        self.reader = PcscReader(lambda: self.changes.append(time.monotonic()), seconds=1.0)

    def insert(self, applet: PivApplet) -> None:
        self._slot.insert(applet)

    def pull(self) -> None:
        self._slot.pull()

    def swap(self, applet: PivApplet) -> None:
        self._slot.swap(applet)

    def mute(self, applet: PivApplet) -> None:
        self._slot.mute()

    def unmute(self, applet: PivApplet) -> None:
        self._slot.unmute()

    def stop_service(self) -> None:
        self._service.stop()

    def start_service(self) -> None:
        self._service.start()

    def leave(self) -> None:
        self.pull()
        self.reader.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Pcscd]:
    """pcscd with vpcd."""
    service = Pcscd()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def rig(service) -> Iterator[PcscRig]:
    """An empty reader."""
    rig = PcscRig(service)
    until(lambda: rig.reader.status().message == pcsc.NO_CARD, "the reader is not empty")
    yield rig
    rig.leave()


class TestGuard(GuardStory):
    """Over pcscd and vpcd."""


def test_a_pull_is_told_without_asking(rig, authority, trust):
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    before = len(rig.changes)
    rig.pull()
    until(lambda: len(rig.changes) > before, "nobody was told")
    assert not session.card.is_present()


def test_no_other_process_gets_at_the_card_while_it_is_held(rig, authority, trust):
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    other = PcscReader(seconds=1.0)
    until(other.cards, "the other process sees no card")
    with pytest.raises(CardBusy):
        other.open(other.cards()[0])
    other.close()
    assert session.require_granting()


def test_a_card_with_the_older_protocol_is_read(rig, authority, trust):
    applet = make_piv(authority, kind="rsa")
    applet.atr = ATR_T0
    rig.insert(applet)
    assert work(rig, trust).sign(b"save")


def test_a_frozen_service_locks_and_is_noticed_when_it_goes_on(rig, service, authority, trust):
    rig.insert(make_piv(authority))
    session = work(rig, trust)
    os.kill(service.pid, signal.SIGSTOP)
    try:
        until(lambda: not session.card.is_present(), "the service seems to be alive")
        assert rig.reader.status() == pcsc.ReaderStatus(False, pcsc.SILENT)
        assert rig.reader.cards() == []
        began = time.monotonic()
        session.lock()
        assert time.monotonic() - began < 0.1
    finally:
        os.kill(service.pid, signal.SIGCONT)
    until(rig.reader.cards, "the card was not noticed again")


def test_a_card_that_is_mute_from_the_start_holds_up_nobody(rig, authority):
    applet = make_piv(authority)
    rig.insert(applet)
    until(rig.reader.cards, "no card")
    rig.mute(applet)
    began = time.monotonic()
    with pytest.raises(CardGone):
        rig.reader.open(rig.reader.cards()[0])
    assert time.monotonic() - began < 2
    rig.unmute(applet)
    assert open_only(rig)


def test_the_program_ends_at_once_with_a_hung_card(rig, authority):
    applet = make_piv(authority)
    rig.insert(applet)
    until(rig.reader.cards, "no card")
    rig.mute(applet)
    script = (
        "import time\n"
        "from eport_tui.card.pcsc import PcscReader\n"
        "reader = PcscReader(seconds=0.3)\n"
        "while not reader.cards(): time.sleep(0.01)\n"
        "try: reader.open(reader.cards()[0])\n"
        "except Exception as error: print(type(error).__name__, flush=True)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=5, check=False
    )
    rig.unmute(applet)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "CardMute", "")


def test_a_card_is_issued_and_shown_from_the_command_line(rig, tmp_path):
    rig.insert(PivApplet())
    until(rig.reader.cards, "no card was noticed")
    environment = dict(os.environ)
    for name in ("cards", "authority", "trust", "database"):
        environment[f"EPORT_TUI_{name.upper()}"] = str(tmp_path / name)

    def eport(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "eport_tui", "card", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout

    eport("authority", "init")
    eport("provision", *HOLDER)
    assert "8900000000011" in eport("show", "--reader", READER)


def forward(path: Path) -> None:
    """Listen on `path` for the service's clients, as SSH does at the other end of a connection."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            near, _ = listening.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(SOCKET))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def test_the_reader_that_ssh_forwards_is_used_and_no_other(rig, authority, tmp_path):
    rig.insert(make_piv(authority))
    until(rig.reader.cards, "no card was noticed")
    script = (
        "import time\n"
        "from eport_tui.card import pcsc\n"
        "reader = pcsc.PcscReader()\n"
        "while reader.status().message == pcsc.CONNECTING: time.sleep(0.01)\n"
        "print(reader.status().message)\n"
        "for ref in reader.cards(): print(len(reader.open(ref).guid))\n"
    )
    path = tmp_path / "pcsc.sock"
    forward(path)
    for variables, told in (
        ({}, [pcsc.NO_FORWARD]),
        ({pcsc.SOCKET_VARIABLE: str(path)}, [pcsc.READY, "16"]),
        ({pcsc.SOCKET_VARIABLE: str(SOCKET)}, [pcsc.FOREIGN_SOCKET]),
    ):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env=dict(os.environ) | {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"} | variables,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        assert (run.stdout.split("\n")[:-1], run.stderr) == (told, "")


def test_without_the_service_and_without_a_reader_each_is_told(service, tmp_path, capfd):
    service.stop()
    reader = PcscReader()
    try:
        until(lambda: reader.status().message == pcsc.NO_SERVICE, "no word about the service")
        assert reader.cards() == []
        (tmp_path / "empty").mkdir()
        service.start("--config", str(tmp_path / "empty"))
        until(lambda: reader.status().message == pcsc.NO_READER, "no word about the reader")
        service.stop()
        service.start()
        until(lambda: reader.status().message == pcsc.NO_CARD, "the reader was not noticed")
    finally:
        service.stop()
        service.start()
        reader.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(
    Path("/proc/self/uid_map").read_text().split()[2] == "1", reason="there is only one user"
)
def test_a_service_that_only_others_may_use_is_told(service):
    script = (
        "import os, time\n"
        "from smartcard import scard\n"
        "from eport_tui.card import pcsc\n"
        "from eport_tui.card.pcsc import PcscReader\n"
        "os.setuid(65534)\n"
        "reader = PcscReader()\n"
        "while reader.status().message == pcsc.CONNECTING: time.sleep(0.01)\n"
        "print(reader.status().message)\n"
    )
    SOCKET.chmod(0o600)
    try:
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=10, check=False
        )
    finally:
        SOCKET.chmod(0o666)
    assert (run.stdout.strip(), run.stderr) == (pcsc.FORBIDDEN, "")
