"""PIV cards as the program sees them: they come and go, and are locked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from eport_tui.card.errors import CardDamaged, CardError, CardGone, Locked, WrongPin
from eport_tui.card.piv import (
    AUTHENTICATION,
    EXCHANGE_SECONDS,
    SIGNATURE,
    TRIES,
    PivClient,
    Transport,
    check_pin,
    check_puk,
)
from eport_tui.card.protocol import CardRef
from eport_tui.giving_up import point_of_no_return

if TYPE_CHECKING:
    from eport_tui.card.piv import PublicKey

Result = TypeVar("Result")


def _public_key(certificate: bytes) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from eport_tui.card.profile import PARSER_FAULTS, load_certificate

    try:
        key = load_certificate(certificate).public_key()
    except PARSER_FAULTS:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CardError("不支持卡的密钥类型", hint="请使用RSA-2048或P-256的卡")
    return key


def provision(
    connect: Callable[[], Transport],
    management_key: bytearray,
    algorithm: int,
    certify: Callable[[PublicKey], bytes],
    seconds: float = EXCHANGE_SECONDS,
) -> None:
    """Put both keys and their certificates on an empty card; its PIN stays as it is.

    Args:
        connect: Makes a connection to the card.
        management_key: As for `PivClient.authenticate`; stays the caller's.
        algorithm: `RSA_2048` or `P_256`, for both keys.
        certify: Makes the certificate (DER) of a public key.
        seconds: How long a command may take.

    Raises:
        CardError: The card is not empty, or refuses.
    """
    client = PivClient(connect(), seconds)
    try:
        client.select()
        if client.read_certificate(AUTHENTICATION):
            raise CardError("卡中已有证书，不是空白卡", hint="要重新发卡，请先清空该卡")
        client.authenticate(management_key)
        if not client.read_guid():
            client.write_chuid()
        # The authentication certificate comes last: until then the card counts as empty,
        # so that what was interrupted can be done again.
        for slot in (SIGNATURE, AUTHENTICATION):
            client.write_certificate(slot, certify(client.generate(slot, algorithm)))
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class _Content:
    """What tells a card from every other, and what it is used with."""

    guid: bytes
    certificate: bytes

    @classmethod
    def read(cls, client: PivClient) -> _Content:
        certificate = client.read_certificate(AUTHENTICATION)
        if not certificate:
            raise CardDamaged("卡中没有证书", hint="这是空白卡，请到制卡点发卡")
        guid = client.read_guid()
        if not guid:
            raise CardDamaged("卡中没有卡的标识", hint="请到制卡点重新发卡")
        return cls(guid, certificate)


class PivCard:
    """A PIV card in a reader; made by `open`.

    The card is held, exclusively, from `verify_pin` until `close`; all else takes a
    connection of its own for as long as it lasts.

    Args:
        ref: Which card this is.
        connect: Makes a new connection, or raises `CardError`.
        is_inserted: Whether nothing was moved in the reader since the card was opened.
        content: What was read from it.
        signature_certificate: That of the signature key, DER; empty when there is none.
        seconds: How long a command may take.
    """

    assurance: Literal["hardware"] = "hardware"

    def __init__(
        self,
        ref: CardRef,
        connect: Callable[[], Transport],
        is_inserted: Callable[[], bool],
        content: _Content,
        signature_certificate: bytes,
        seconds: float,
    ) -> None:
        self.ref = ref
        self.signature_certificate = signature_certificate
        self._connect = connect
        self._is_inserted = is_inserted
        self._content = content
        self._seconds = seconds
        self._gone = False
        self._tries = TRIES
        # Two locks: locking must not wait for a card that takes its time over a PIN.
        self._exchange = threading.Lock()
        self._state = threading.Lock()
        self._held: PivClient | None = None
        self._closings = 0

    @classmethod
    def open(
        cls,
        ref: CardRef,
        connect: Callable[[], Transport],
        is_inserted: Callable[[], bool],
        seconds: float = EXCHANGE_SECONDS,
    ) -> PivCard:
        """Read a card, without a PIN.

        Raises:
            CardGone: It was pulled.
            CardDamaged: It is no PIV card, is empty, or cannot be read.
            CardBusy: Another program has it.
        """
        client = PivClient(connect(), seconds)
        try:
            client.select()
            content = _Content.read(client)
            signature_certificate = client.read_certificate(SIGNATURE)
        finally:
            client.close()
        if not is_inserted():
            raise CardGone
        return cls(ref, connect, is_inserted, content, signature_certificate, seconds)

    @property
    def certificate(self) -> bytes:
        """The certificate of the authentication key, DER."""
        return self._content.certificate

    @property
    def guid(self) -> bytes:
        """The card's GUID, 16 bytes; whoever forges a card can repeat it."""
        return self._content.guid

    def is_present(self) -> bool:
        """Tell whether nothing was moved and no exchange has failed; the card is not asked."""
        if not self._gone and not self._is_inserted():
            self._gone = True
            # Whoever opens the card anew must not find it held by what is over.
            self.close()
        return not self._gone

    def confirm(self) -> None:
        """Ask for GUID and PIN state; see `Card.confirm`."""

        def ask(client: PivClient) -> None:
            if client.read_guid() != self.guid or client.pin_state() is not None:
                raise CardGone

        self._run(ask, verified=True)

    def check_pin(self, pin: bytearray) -> None:
        """Six to eight digits; see `Card.check_pin`."""
        check_pin(pin)

    def tries_left(self) -> int:
        """How many PINs may still be tried; what was last known while one is verified."""
        left = self._run(PivClient.pin_state)
        if left is not None:
            self._tries = left
        return self._tries

    def verify_pin(self, pin: bytearray) -> None:
        """Give the PIN and keep the card; see `Card.verify_pin`."""
        check_pin(pin)
        try:
            self._run(lambda client: client.verify(pin), keep=True, gives_pin=True)
        except CardError:
            self.close()
            raise
        # A right PIN gives all tries back, and the card does not tell while it is verified.
        self._tries = max(self._tries, TRIES)

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """Replace the PIN; see `Card.change_pin`.

        By a wrong `old` a card takes the verified PIN back (SP 800-73-4, Part 2, 3.2.2), but
        not every one does.  So it is asked, and left where it has.
        """
        check_pin(old)
        check_pin(new)
        try:
            self._run(lambda client: client.change_pin(old, new), gives_pin=True)
        except CardError as fault:
            if isinstance(fault, WrongPin):
                # The card does not tell while it is verified.
                self._tries = fault.left
            self._leave_unless_verified()
            raise
        self._tries = max(self._tries, TRIES)
        self._leave_unless_verified()

    def _leave_unless_verified(self) -> None:
        if self._held is None:
            return
        try:
            is_verified = self._run(PivClient.pin_state) is None
        except CardError:
            # It must not be told in place of what has become of the PIN.
            is_verified = False
        if not is_verified:
            self.close()

    def unblock(self, puk: bytearray, new: bytearray) -> None:
        """Set a new PIN with the unblocking key.

        Raises:
            BadPin: One of them has not its form; no try was spent.
            WrongPuk: It is not the card's.
            CardGone: The card cannot be asked.
        """
        check_puk(puk)
        check_pin(new)
        self._run(lambda client: client.unblock(puk, new))

    def sign(self, data: bytes) -> bytes:
        """Sign with the authentication key; see `Card.sign`."""
        key = _public_key(self.certificate)
        return self._run(lambda client: client.sign(AUTHENTICATION, key, data), verified=True)

    def close(self) -> None:
        """Take the card's power away, and the verified PIN with it."""
        with self._state:
            self._closings += 1
            held, self._held = self._held, None
        if held is not None:
            held.close()

    def _run(
        self,
        step: Callable[[PivClient], Result],
        *,
        verified: bool = False,
        keep: bool = False,
        gives_pin: bool = False,
    ) -> Result:
        """Do `step` with the card that is held, or with a connection of its own.

        A failed exchange ends this card for good, unless `close` was what ended it.
        """
        with self._exchange:
            with self._state:
                held, closings = self._held, self._closings
            if verified and held is None:
                raise Locked
            if not self.is_present():
                raise CardGone
            client = held
            try:
                client = client or self._reach()
                if gives_pin:
                    point_of_no_return()
                result = step(client)
                with self._state:
                    if closings != self._closings:
                        raise self._ended()
                    if keep:
                        self._held = client
                return result
            except CardGone:
                if closings != self._closings:
                    raise self._ended() from None
                self._gone = True
                self._held = None
                raise
            finally:
                if client is not None and client is not self._held:
                    client.close()

    def _ended(self) -> CardError:
        """Why an exchange was overtaken by `close`."""
        return CardGone() if self._gone else Locked()

    def _reach(self) -> PivClient:
        """Connect to this very card."""
        client = PivClient(self._connect(), self._seconds)
        try:
            client.select()
            if _Content.read(client) != self._content:
                raise CardGone
        except BaseException:
            client.close()
            raise
        return client
