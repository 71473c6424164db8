"""PC/SC: the readers of this machine, or those that SSH forwards to it.

Every call to PC/SC is made in a daemon thread: one watches the readers, and each
connection to a card has one of its own.  Such a call can block for ever.  Then its
thread is left alone for good, with its context and its handles: libpcsclite takes a
lock of the whole process when another thread touches them.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from eport_tui.card.errors import CardBusy, CardError, CardGone, CardMute
from eport_tui.card.piv import EXCHANGE_SECONDS
from eport_tui.card.piv_card import PivCard
from eport_tui.card.protocol import CardRef, ReaderStatus

log = logging.getLogger(__name__)

SOCKET_VARIABLE = "PCSCLITE_CSOCK_NAME"
_SOCKET = "/run/pcscd/pcscd.comm"

_SLICE_SECONDS = 1.0
"""How long one wait lasts at most: a cancellation that comes before it is lost."""

_STALE_SECONDS = 3.0
"""After how much silence of the watching thread the service counts as dead."""

_SETTLE_SECONDS = 0.5
"""How long a reader is not believed after a failed exchange: the service polls it meanwhile."""

_NEW_READERS = "\\\\?PnP?\\Notification"

_NO_SERVICE = 0x8010001D
_STOPPED = 0x8010001E
_NO_READERS = 0x8010002E
_UNKNOWN_READER = 0x80100009
_TIMEOUT = 0x8010000A
_CANCELLED = 0x80100002
_FORBIDDEN = (0x8010006A, 0x80100027)
_SHARING_VIOLATION = 0x8010000B
_UNRESPONSIVE = (0x80100066, 0x80100067, 0x8010000F)

NOT_INSTALLED = "没有安装读卡器组件，请管理员安装 pyscard"
NO_LIBRARY = "系统缺少PC/SC库，请管理员安装 libpcsclite1"
CONNECTING = "正在连接读卡器服务"
NO_SERVICE = "读卡器服务没有运行，请管理员启动 pcscd"
FORBIDDEN = "没有权限使用读卡器服务，请管理员检查 pcscd 的权限"
SILENT = "读卡器服务没有应答，请管理员重新启动 pcscd"
MISMATCH = "读卡器服务与PC/SC库版本不符，请管理员统一 pcsc-lite 版本"
NO_READER = "没有读卡器，请接上读卡器"
NO_CARD = "请插入IC卡或Ikey"
READY = "就绪"
NO_FORWARD = "SSH连接没有转发读卡器，请按部署说明设置转发后重新连接"
NO_SOCKET = "转发的读卡器已断开，请重新连接SSH"
FOREIGN_SOCKET = "转发的读卡器他人也能使用，已拒绝，请管理员检查SSH的设置"


class _Unusable(Exception):
    """What PC/SC needs is not installed."""


def _load() -> Any:
    """The raw PC/SC calls.

    Raises:
        _Unusable: Something is not installed.
    """
    try:
        # Without the library pyscard would print to the terminal, and raise nothing.
        ctypes.CDLL("libpcsclite.so.1")
    except OSError:
        raise _Unusable(NO_LIBRARY) from None
    try:
        from smartcard import scard  # pyright: ignore
    except ImportError:
        raise _Unusable(NOT_INSTALLED) from None
    return scard  # pyright: ignore[reportUnknownVariableType]


def _code(result: int) -> int:
    return result & 0xFFFFFFFF


def socket_trouble(*, allow_server_reader: bool) -> str:
    """Why the readers that the environment points to must not be used; empty when they may.

    A forwarded socket belongs to the operator alone.  The reader of the machine itself
    is not that of an operator who came through SSH.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if path is None:
        return NO_FORWARD if "SSH_CONNECTION" in os.environ and not allow_server_reader else ""
    try:
        status = os.lstat(path)
    except OSError:
        return NO_SOCKET
    own = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()
    return "" if own and not status.st_mode & 0o077 else FOREIGN_SOCKET


def _trouble(code: int) -> str:
    """What a failed call means for the operator."""
    path = os.environ.get(SOCKET_VARIABLE, _SOCKET)
    if code in _FORBIDDEN or (os.path.exists(path) and not os.access(path, os.W_OK)):
        return FORBIDDEN
    return MISMATCH if code == _STOPPED else NO_SERVICE


@dataclass(slots=True)
class _Slot:
    """What is known of one reader.

    Attributes:
        present: Whether a card is in it.
        moves: How often one was put in or taken out, as the service counts it.
        generation: Another number after each movement and each fault.
        believed_from: When, in monotonic seconds, a card in it may be used.
    """

    present: bool
    moves: int
    generation: int
    believed_from: float = 0.0


class PcscReader:
    """All readers of a PC/SC service, watched from the start.

    Args:
        on_change: Called, from any thread, when a card, a reader or the service came or
            went, or an exchange failed; it must return at once.
        allow_server_reader: Whether the machine's own reader is used in an SSH session.
        seconds: How long a command to a card may take.
    """

    name = "IC卡读卡器"

    def __init__(
        self,
        on_change: Callable[[], object] = lambda: None,
        *,
        allow_server_reader: bool = False,
        seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        self._on_change = on_change
        self._allow_server_reader = allow_server_reader
        self._seconds = seconds
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._trouble = CONNECTING
        self._generations = itertools.count()
        self._beat = time.monotonic()
        self._lines: list[Line] = []
        self._stopping = threading.Event()
        self._waiting_in: int | None = None
        self._scard: Any = None
        self._watcher = threading.Thread(target=self._watch, name="pcsc-watch", daemon=True)
        self._watcher.start()

    # As a reader

    def status(self) -> ReaderStatus:
        """Whether cards can be used; otherwise what to do."""
        with self._lock:
            if self._is_stale():
                return ReaderStatus(False, SILENT)
            if self._trouble:
                return ReaderStatus(False, self._trouble)
            if not self._slots:
                return ReaderStatus(False, NO_READER)
            present = any(slot.present for slot in self._slots.values())
            return ReaderStatus(True, READY if present else NO_CARD)

    def cards(self) -> list[CardRef]:
        """The cards in all readers, by reader; none is asked."""
        with self._lock:
            if self._is_stale():
                return []
            moment = time.monotonic()
            return [
                CardRef(name, f"{name}#{slot.generation}", name)
                for name, slot in sorted(self._slots.items())
                if slot.present and slot.believed_from <= moment
            ]

    def open(self, ref: CardRef) -> PivCard:
        """Read a card, without a PIN.

        Raises:
            CardGone, CardMute: It was pulled, or does not answer.
            CardBusy: Another program has it.
            CardDamaged: It is no PIV card, is empty, or cannot be read.
        """
        connect, is_inserted = self.connector(ref)
        return PivCard.open(ref, connect, is_inserted, self._seconds)

    def connector(self, ref: CardRef) -> tuple[Callable[[], Line], Callable[[], bool]]:
        """How to connect to a card, and whether it has been there ever since.

        Raises:
            CardGone: It is not there by now.
        """
        if ref not in self.cards():
            raise CardGone

        def is_inserted() -> bool:
            with self._lock:
                slot = self._slots.get(ref.reader)
                return (
                    not self._is_stale()
                    and slot is not None
                    and slot.present
                    and f"{ref.reader}#{slot.generation}" == ref.key
                )

        def connect() -> Line:
            if not is_inserted():
                raise CardGone
            return self._connect(ref.reader)

        return connect, is_inserted

    def close(self, timeout: float = 0.5) -> None:
        """Leave all cards and stop watching; waits `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.close()
        # A cancellation, too, may block for ever.
        threading.Thread(target=self._cancel, args=(deadline,), daemon=True).start()
        self._watcher.join(timeout)
        for line in lines:
            line.left.wait(max(0.0, deadline - time.monotonic()))

    # Connections

    def _connect(self, name: str) -> Line:
        with self._lock:
            self._lines = [line for line in self._lines if not line.left.is_set()]
            lines = [line for line in self._lines if line.reader == name]
        for line in lines:
            # A reader with a stuck exchange would only get another thread stuck.
            if line.stuck or (line.closed and not line.left.wait(self._seconds)):
                raise CardMute
        line = Line(self._scard, name, lambda: self._fault(name))
        with self._lock:
            self._lines.append(line)
        line.open(self._seconds)
        return line

    def _fault(self, name: str) -> None:
        """An exchange failed: what was opened before is gone, whatever the service says."""
        with self._lock:
            slot = self._slots.get(name)
            if slot is not None:
                slot.generation = next(self._generations)
                slot.believed_from = time.monotonic() + _SETTLE_SECONDS
        self._tell()

    # Watching

    def _is_stale(self) -> bool:
        # What is not loaded (yet) does not answer, and says so itself.
        return self._scard is not None and time.monotonic() - self._beat > _STALE_SECONDS

    def _watch(self) -> None:
        try:
            scard = _load()
        except _Unusable as reason:
            self._publish(str(reason), {})
            return
        except Exception:
            # Unexpected, and told in the log: a thread that ends would print to the screen.
            log.exception("pyscard cannot be loaded")
            self._publish(NOT_INSTALLED, {})
            return
        self._beat = time.monotonic()
        self._scard = scard
        while not self._stopping.is_set():
            self._beat = time.monotonic()
            try:
                trouble = socket_trouble(allow_server_reader=self._allow_server_reader)
                trouble = trouble or self._watch_service()
            except Exception:
                # Unexpected, and told in the log: a thread that ends would print to the screen.
                log.exception("the readers cannot be watched")
                trouble = NO_SERVICE
            self._publish(trouble, {})
            self._stopping.wait(_SLICE_SECONDS)

    def _watch_service(self) -> str:
        """Watch until the service fails; returns why, for the operator."""
        scard = self._scard
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if result:
            return _trouble(_code(result))
        try:
            seen: dict[str, int] = {}
            while not self._stopping.is_set():
                self._beat = time.monotonic()
                result, listed = scard.SCardListReaders(context, [])
                if result and _code(result) != _NO_READERS:
                    return _trouble(_code(result))
                names: list[str] = [] if result else listed
                gone = seen.keys() - names
                seen = {name: state for name, state in seen.items() if name not in gone}
                if gone or not names:
                    # A wait tells only of readers that vanish in it, not between two calls.
                    self._publish("", seen)
                unaware: int = scard.SCARD_STATE_UNAWARE
                states = [(name, seen.get(name, unaware)) for name in names]
                # Without the number of readers in it this one would always return at once.
                states.append((_NEW_READERS, len(names) << 16))
                self._waiting_in = context
                result, told = scard.SCardGetStatusChange(
                    context, int(_SLICE_SECONDS * 1000), states
                )
                self._waiting_in = None
                if _code(result) in (_TIMEOUT, _CANCELLED, _UNKNOWN_READER):
                    continue
                if result:
                    return _trouble(_code(result))
                seen = {
                    name: state & ~scard.SCARD_STATE_CHANGED
                    for name, state, *_ in told
                    if name != _NEW_READERS
                }
                self._publish("", seen)
        finally:
            self._waiting_in = None
            scard.SCardReleaseContext(context)
        return ""

    def _publish(self, trouble: str, seen: dict[str, int]) -> None:
        """Take over what the service says: the upper half of a state counts the movements."""
        with self._lock:
            changed = trouble != self._trouble or self._slots.keys() != seen.keys()
            self._trouble = trouble
            slots: dict[str, _Slot] = {}
            for name, state in seen.items():
                present, moves = bool(state & self._scard.SCARD_STATE_PRESENT), state >> 16
                slot = self._slots.get(name)
                if slot is None or (slot.present, slot.moves) != (present, moves):
                    slot = _Slot(present, moves, next(self._generations))
                    changed = True
                slots[name] = slot
            self._slots = slots
        if changed:
            self._tell()

    def _tell(self) -> None:
        try:
            self._on_change()
        except Exception:
            log.exception("a change of the readers could not be told")

    def _cancel(self, deadline: float) -> None:
        """Cancel again and again: a cancellation that comes before the wait is lost."""
        while self._watcher.is_alive():
            context = self._waiting_in
            if context is not None:
                self._scard.SCardCancel(context)
            if time.monotonic() > deadline:
                return
            self._watcher.join(0.01)


class Line:
    """An exclusive connection to a card, with a thread of its own; see `piv.Transport`.

    Attributes:
        reader: The reader's name.
        closed: Whether it is being left.
        stuck: Whether an exchange took too long; it may never end.
        left: Set when the card and the context were left.
    """

    def __init__(self, scard: Any, reader: str, on_fault: Callable[[], None]) -> None:
        self.reader = reader
        self.closed = False
        self.stuck = False
        self.left = threading.Event()
        self._scard = scard
        self._on_fault = on_fault
        self._broken = False
        # No job comes behind the last one, after which nobody is there to do it.
        self._putting = threading.Lock()
        self._opening: Future[None] = Future()
        self._jobs: SimpleQueue[tuple[bytearray | bytes, Future[tuple[bytes, int]]] | None]
        self._jobs = SimpleQueue()
        threading.Thread(target=self._run, name="pcsc-card", daemon=True).start()

    def open(self, seconds: float) -> None:
        """Wait for the connection.

        Raises:
            CardGone, CardMute, CardBusy: There is none.
        """
        try:
            self._opening.result(seconds)
        except TimeoutError:
            self._give_up()
            raise CardMute from None
        except CardError:
            self.close()
            raise

    def transmit(self, apdu: bytearray | bytes, limit: float) -> tuple[bytes, int]:
        """Send a command; see `piv.Transport.transmit`."""
        answer: Future[tuple[bytes, int]] = Future()
        with self._putting:
            if self._broken or self.closed:
                raise CardGone
            self._jobs.put((apdu, answer))
        try:
            return answer.result(limit)
        except TimeoutError:
            self._give_up()
            raise CardMute from None
        except CardGone:
            self._broken = True
            self._on_fault()
            raise

    def _give_up(self) -> None:
        self.stuck = self._broken = True
        self.close()
        self._on_fault()

    def close(self) -> None:
        """Leave the card when its present exchange is over; does not wait for that."""
        with self._putting:
            self.closed = True
            self._jobs.put(None)

    # In the thread

    def _run(self) -> None:
        scard = self._scard
        try:
            result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if result:
                raise CardGone
            try:
                self._serve(context)
            finally:
                scard.SCardReleaseContext(context)
        except CardError as fault:
            self._opening.set_exception(fault)
        except Exception:
            log.exception("a connection to a card failed")
            if not self._opening.done():
                self._opening.set_exception(CardGone())
        finally:
            self.left.set()

    def _serve(self, context: int) -> None:
        scard = self._scard
        result, handle, protocol = scard.SCardConnect(
            context,
            self.reader,
            # Nobody else may sign with the PIN that is verified here.
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        if result:
            raise _connect_error(_code(result))
        try:
            self._opening.set_result(None)
            while (job := self._jobs.get()) is not None:
                apdu, answer = job
                try:
                    answer.set_result(self._exchange(handle, protocol, apdu))
                except CardGone as fault:
                    answer.set_exception(fault)
                except Exception:
                    log.exception("an exchange with a card failed")
                    answer.set_exception(CardGone())
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_UNPOWER_CARD)

    def _exchange(self, handle: int, protocol: int, apdu: bytearray | bytes) -> tuple[bytes, int]:
        scard = self._scard
        is_t0 = protocol == scard.SCARD_PROTOCOL_T0
        command = list(apdu)
        if is_t0 and len(command) > 5 and len(command) == command[4] + 6:
            # T=0 cannot carry data both ways: the answer is fetched after 61xx.
            command.pop()
        header = scard.SCARD_PCI_T0 if is_t0 else scard.SCARD_PCI_T1
        try:
            result, answer = scard.SCardTransmit(handle, header, command)
        finally:
            # A failure keeps this frame for as long as it is looked at, and a PIN with it.
            command.clear()
        # One kind of fault: what the codes mean differs from reader to reader.
        if result or len(answer) < 2:
            raise CardGone
        return bytes(answer[:-2]), answer[-2] << 8 | answer[-1]


def _connect_error(code: int) -> CardError:
    if code == _SHARING_VIOLATION:
        return CardBusy()
    return CardMute() if code in _UNRESPONSIVE else CardGone()
