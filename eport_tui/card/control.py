"""The reader and the card behind the client control of China E-Port; see `control_client`."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from typing import Literal

from eport_tui.card.control_client import (
    DEFAULT_LIMITS,
    Control,
    ControlFault,
    Details,
    Limits,
    number_in,
    sentence,
)
from eport_tui.card.errors import (
    CardDamaged,
    CardError,
    CardGone,
    Locked,
    PinBlocked,
    WrongPin,
)
from eport_tui.card.protocol import CardRef, ReaderStatus, check_pin
from eport_tui.giving_up import point_of_no_return

TRIES = 5
"""Wrong PINs in a row that lock a card of China E-Port."""

_log = logging.getLogger(__name__)


class ControlReader:
    """The reader behind a control; a thread looks for the card in it.

    Args:
        address: As `Control` takes it.
        limits: How long to wait, and how often to look.
        on_change: Called, from any thread, when a card came or went or the state changed;
            it must return at once.

    Raises:
        SettingsError: The address is none.
    """

    name = "电子口岸客户端控件"

    def __init__(
        self,
        address: str,
        limits: Limits = DEFAULT_LIMITS,
        *,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self._control = Control(address, limits)
        self._limits = limits
        self._on_change = on_change
        # Notified after each look.
        self._seen = threading.Condition()
        self._number: str | None = None
        self._movements = 0
        self._looks = 0
        self._status = ReaderStatus(False, "正在连接控件")
        self._wrong: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def status(self) -> ReaderStatus:
        """What the last look has found; never waits."""
        self._start()
        with self._seen:
            return self._status

    def cards(self) -> list[CardRef]:
        """The card that the last look has found; never waits."""
        self._start()
        with self._seen:
            return [self.ref(self._number)] if self._number else []

    def ref(self, number: str) -> CardRef:
        """The reference of the card with a number."""
        return CardRef(self.name, f"control:{number}", number)

    def wait(self, until: Callable[[], bool] = lambda: True, timeout: float = 5.0) -> bool:
        """Wait for a look after which `until` holds; False when the time is over."""
        self._start()
        with self._seen:
            first = self._looks
            return self._seen.wait_for(lambda: self._looks > first and until(), timeout)

    def open(self, ref: CardRef) -> ControlCard:
        """Read the certificate of the card, without a PIN.

        Raises:
            CardGone: It is no longer there, or the control cannot be asked.
            CardDamaged: The certificate is none, or not that of the card.
            CertificateRefused: It does not say whose card it is.
        """
        if not self._looks:
            self.wait()
        with self._seen:
            movements = self._movements
        if self.ref(self._control.card_id()) != ref:
            raise CardGone
        certificate = self._control.certificate()
        if number_in(certificate) != ref.label:
            raise CardDamaged("控件给出的证书不是这张卡的")
        card = ControlCard(ref, certificate, self, self._control, movements)
        if not card.is_present():
            raise CardGone
        return card

    def close(self) -> None:
        """Stop looking and end the connection; the reader is of no use afterwards."""
        self._stop.set()
        self._control.close()

    # Between the reader and its cards

    def is_in(self, ref: CardRef, movements: int) -> bool:
        """Whether the card has been seen at each look since `movements` were counted."""
        with self._seen:
            return (
                self._number == ref.label
                and self._movements == movements
                and not self._stop.is_set()
            )

    def note_gone(self) -> None:
        """A card was not what it should be: whatever is there now has to be opened anew."""
        self._note(None, self._status)

    def wrong_tries(self, number: str) -> int:
        """How many wrong PINs were given here since the last right one."""
        return self._wrong.get(number, 0)

    def note_try(self, number: str, *, right: bool) -> None:
        """Count a PIN that was tried."""
        self._wrong[number] = 0 if right else self.wrong_tries(number) + 1

    # Looking

    def _start(self) -> None:
        with self._seen:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._watch, name="control-watch", daemon=True
                )
                self._thread.start()

    def _watch(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._limits.poll if self._look() else self._limits.rest)
        except Exception:
            # Python would print it into the terminal.
            _log.exception("the thread that looks for a card behind the control has ended")
        finally:
            # Whatever ended it: a card that nobody looks for any more counts as gone.
            self._note(None, ReaderStatus(False, "控件已断开"))

    def _look(self) -> bool:
        """Look for the card once; returns whether the control answered as it should."""
        try:
            number = self._control.card_id()
        except ControlFault as fault:
            self._note(None, ReaderStatus(False, sentence(fault)))
            return False
        except CardGone as gone:
            self._note(None, ReaderStatus(True, sentence(gone)))
        except CardError as fault:
            self._note(None, ReaderStatus(False, sentence(fault)))
        else:
            self._note(number, ReaderStatus(True, "就绪"))
        return True

    def _note(self, number: str | None, status: ReaderStatus) -> None:
        with self._seen:
            changed = (number, status) != (self._number, self._status)
            self._movements += number != self._number
            self._number = number
            self._status = status
            self._looks += 1
            self._seen.notify_all()
        if changed:
            try:
                self._on_change()
            except Exception:
                _log.exception("a change at the control could not be told")


class ControlCard:
    """A card behind the control; made by `ControlReader.open`."""

    assurance: Literal["hardware"] = "hardware"

    def __init__(
        self,
        ref: CardRef,
        certificate: bytes,
        reader: ControlReader,
        control: Control,
        movements: int,
    ) -> None:
        self.ref = ref
        self.certificate = certificate
        self._reader = reader
        self._control = control
        self._movements = movements
        self._verified = False

    def is_present(self) -> bool:
        """Whether the control has had this card at each look since it was opened."""
        return self._reader.is_in(self.ref, self._movements)

    def confirm(self) -> None:
        """Ask the control which card is in it now; see `Card.confirm`.

        Whether the card still holds the PIN as verified cannot be asked; its next
        signature shows it.
        """
        if not self._verified:
            raise Locked
        self._demand_same()

    def check_pin(self, pin: bytearray) -> None:
        """Eight printable ASCII characters; see `Card.check_pin`."""
        check_pin(pin)

    def tries_left(self) -> int:
        """How many PINs may still be tried at most: the control does not tell.

        Five in a row lock a card; counted are those that were given here.
        """
        return max(TRIES - self._reader.wrong_tries(self.ref.label), 0)

    def verify_pin(self, pin: bytearray) -> None:
        """Have the card check the PIN, and sign a random number with it; see `Card.verify_pin`."""
        from eport_tui.card.signatures import is_signed_by

        check_pin(pin)
        self._verified = False
        self._spend(lambda: self._control.verify_pin(pin))
        # Proves that the PIN went to the card whose certificate was read.
        random = secrets.token_hex(32)
        signature = self._in_der(self._control.sign_random(random, pin))
        if not is_signed_by(self.certificate, signature, random.encode()):
            self._reader.note_gone()
            raise CardGone("控件的签名与卡的证书不符", hint="请重新插卡，仍不行请联系管理员")
        self._verified = True

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """Have the card replace the PIN; see `Card.change_pin`.

        Whether the card still holds the PIN as verified cannot be asked.  After a wrong
        `old` it counts as not; after a right one what was verified stays so, and the next
        signature shows it.
        """
        check_pin(old)
        check_pin(new)
        self._spend(lambda: self._control.change_pin(old, new))

    def sign(self, data: bytes) -> bytes:
        """Sign the hexadecimal of `data`, because the control takes text; see `Card.sign`."""
        from eport_tui.card.signatures import as_text

        if not self._verified:
            raise Locked
        self._demand_same()
        return self._in_der(self._control.sign(as_text(data).decode()))

    def details(self) -> Details:
        """What the control says about the card."""
        self._demand_same()
        return self._control.details()

    def close(self) -> None:
        """Sign nothing more.  The control itself cannot be told to forget the PIN."""
        self._verified = False

    def _spend(self, attempt: Callable[[], bool]) -> None:
        if not self.tries_left():
            raise PinBlocked("密码已连续输错5次，该卡应已锁定")
        self._demand_same()
        point_of_no_return()
        right = False
        try:
            right = attempt()
        finally:
            if not right:
                self._verified = False
        self._reader.note_try(self.ref.label, right=right)
        if not right:
            left = self.tries_left()
            if not left:
                raise PinBlocked("密码错误，该卡应已锁定")
            raise WrongPin(left, at_most=True)

    def _demand_same(self) -> None:
        """See that the card is still there, by asking the control now."""
        if not self.is_present():
            raise CardGone
        try:
            same = self._control.card_id() == self.ref.label
        except CardGone:
            self._reader.note_gone()
            raise
        if not same:
            self._reader.note_gone()
        if not self.is_present():
            raise CardGone

    def _in_der(self, signature: bytes) -> bytes:
        from cryptography import x509

        from eport_tui.card import sm2
        from eport_tui.card.signatures import der_of_sm2

        is_sm2 = sm2.has_key(x509.load_der_x509_certificate(self.certificate))
        # Neither form of an SM2 signature can be taken for the other: in DER it has more bytes.
        return der_of_sm2(signature) if is_sm2 and len(signature) == 64 else signature
