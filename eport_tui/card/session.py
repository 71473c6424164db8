"""The guard: a card session, which says at each moment who may work.

A session begins with a card whose certificate is accepted; it is unlocked by the
PIN and a fresh signature of the card, and it locks itself at every fault.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime

from eport_tui.card.errors import CardGone, CertificateRefused, Locked, OtherCard
from eport_tui.card.protocol import Assurance, Card
from eport_tui.card.trust import TrustStore, Verdict, check_dates
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Holder
from eport_tui.errors import NotPermitted

log = logging.getLogger(__name__)

_LOGIN_CONTEXT = b"eport_tui/login/v1\0"
"""Stands before what is signed at login, so that the signature serves nothing else."""


class CardSession:
    """One card at work; made by `begin`.  Every method may be called from any thread.

    Attributes:
        trust: What the certificate is checked against.
    """

    def __init__(
        self, card: Card, verdict: Verdict, trust: TrustStore, clock: Callable[[], datetime]
    ) -> None:
        self.trust = trust
        self._clock = clock
        self._id = secrets.token_bytes(16)
        self._card = card
        self._verdict = verdict
        self._generation = 0
        self._unlocked = False
        self._closed = False
        # Two locks: locking must not wait for a card that takes its time over a PIN.
        self._state = threading.RLock()
        self._exchange = threading.Lock()

    @classmethod
    def begin(
        cls, card: Card, trust: TrustStore, *, clock: Callable[[], datetime] = now
    ) -> CardSession:
        """Look at a card without its PIN; the session is locked.

        Raises:
            CertificateRefused: Its certificate is not accepted.
            CardGone: It was pulled meanwhile.
        """
        verdict = _inspect(card, trust, clock())
        return cls(card, verdict, trust, clock)

    @property
    def id(self) -> str:
        """Tells this session from all others, those of the same card too; no secret."""
        return self._id.hex()

    @property
    def card(self) -> Card:
        """The card; after `resume` the one that was put back."""
        return self._card

    @property
    def verdict(self) -> Verdict:
        """What was last found about the certificate."""
        return self._verdict

    @property
    def holder(self) -> Holder:
        """Whose card it is."""
        return self._verdict.holder

    @property
    def certificate(self) -> bytes:
        """The certificate, DER, that fits what `sign` returns."""
        return self._card.certificate

    @property
    def assurance(self) -> Assurance:
        """Where the key is; `hardware` only when the card and its issuer both say so."""
        is_hardware = self._card.assurance == self._verdict.assurance == "hardware"
        return "hardware" if is_hardware else "software"

    @property
    def generation(self) -> int:
        """Goes up at each lock; what was begun in another generation must not be finished."""
        return self._generation

    @property
    def unlocked(self) -> bool:
        """Whether a PIN was given since the last lock; does not look at the card."""
        return self._unlocked

    def tries_left(self) -> int:
        """How many PINs may still be tried, without spending one; 0 is blocked.

        Raises:
            CardGone: The card cannot be asked.
        """
        return self._card.tries_left()

    def unlock(self, pin: bytearray) -> None:
        """Give the PIN and have the card prove that it holds its key.

        Args:
            pin: Stays the caller's, who wipes it.

        Raises:
            BadPin: It has not the form of a PIN; nothing else happened.
            WrongPin, PinBlocked, CardGone, CardError: As `Card.verify_pin`; locked.
            CertificateRefused: No longer accepted, or the key is not that of the
                certificate (`no-key`); locked.
            Locked: The session was locked or closed meanwhile.
        """
        self._card.check_pin(pin)
        with self._exchange:
            with self._state:
                if self._closed:
                    raise Locked
                card, generation = self._card, self._generation
            try:
                verdict = _inspect(card, self.trust, self._clock())
                card.verify_pin(pin)
                self._prove(card)
                self._open(card, generation, verdict)
            except BaseException:
                card.close()
                self.lock()
                raise

    def _prove(self, card: Card) -> None:
        self._signed(card, _LOGIN_CONTEXT + self._id + secrets.token_bytes(32))

    @staticmethod
    def _signed(card: Card, data: bytes) -> bytes:
        from eport_tui.card.signatures import is_signed_by

        signature = card.sign(data)
        with _refusals_logged():
            if not is_signed_by(card.certificate, signature, data):
                raise CertificateRefused(
                    "no-key", "卡中没有与证书相符的私钥", hint="这可能是仿制的卡，请联系管理员"
                )
        return signature

    def _open(self, card: Card, generation: int, verdict: Verdict) -> None:
        with self._state:
            if generation != self._generation:
                raise Locked
            if not card.is_present():
                raise CardGone
            self._verdict = verdict
            self._unlocked = True

    def require(self) -> Holder:
        """Demand that the session is unlocked, its card present and its certificate in date.

        Raises:
            Locked: The PIN has to be given first.
            CardGone: The card was pulled; the session is locked now.
            CertificateRefused: The certificate ran out; the session is locked now.
        """
        with self._state:
            if not self._unlocked:
                raise Locked
            try:
                if not self._card.is_present():
                    raise CardGone
                with _refusals_logged():
                    check_dates(self.holder, self._clock())
            except BaseException:
                self.lock()
                raise
            return self.holder

    def require_same(self, generation: int) -> Holder:
        """Demand what `require` does, and that nothing has locked the session meanwhile.

        The card is not asked, so this may be called where nothing may be waited for.

        Args:
            generation: What `generation` was when the deed was begun.

        Raises:
            Locked, CardGone, CertificateRefused: As `require`; `Locked` also when the
                session was locked since and unlocked again.
        """
        with self._state:
            if generation != self._generation:
                raise Locked
            return self.require()

    def require_granting(self) -> Holder:
        """Demand what `require` does, and that the card may change grants as things stand now.

        The card itself is asked whether it is the same and its PIN still verified.  That
        takes seconds with a card that does not answer, so it is asked before the database is
        held.  Whether the role allows it is not asked here.

        Raises:
            Locked, CardGone: As `require`.
            CertificateRefused: Refused by now, for example revoked; the session is locked.
            NotPermitted: Whether the card is revoked cannot be known.
        """
        with self._state:
            card, generation = self._card, self._generation
            self.require()
        try:
            card.confirm()
            verdict = _inspect(card, self.trust, self._clock())
        except BaseException:
            with self._state:
                # Where it was locked since, the card may have been put back and unlocked anew.
                if generation == self._generation:
                    self.lock()
            raise
        with self._state:
            self.require_same(generation)
            self._verdict = verdict
        if not verdict.may_grant:
            raise NotPermitted(
                f"现在不能办理授权：{verdict.why_not}", hint="可以查看；要授权请联系管理员"
            )
        return verdict.holder

    def sign(self, data: bytes) -> bytes:
        """Have the card sign what is about to be saved; ask `require_granting` before.

        Args:
            data: Begins with what it is for, so that its signature serves nothing else.

        Returns:
            The signature, which fits the certificate.

        Raises:
            Locked: The session is locked, or was meanwhile.
            CardGone, CardError: The card cannot sign; the session is locked now.
            CertificateRefused: The signature is not of the certificate's key
                (`no-key`); the session is locked now.
        """
        with self._exchange:
            with self._state:
                self.require()
                card, generation = self._card, self._generation
            try:
                signature = self._signed(card, data)
            except BaseException:
                self.lock()
                raise
            with self._state:
                if generation != self._generation:
                    raise Locked
                self.require()
            return signature

    def lock(self) -> None:
        """Lock the session and have the card forget its key; never waits for the card."""
        with self._state:
            self._unlocked = False
            self._generation += 1
            self._card.close()

    def resume(self, card: Card) -> None:
        """Go on with a card that was put back; the session is locked until `unlock`.

        Raises:
            OtherCard: It is not the card that the session began with.
            CertificateRefused, CardGone: As `begin`.
            Locked: The session was closed.
        """
        self.lock()
        if card.certificate != self._card.certificate:
            raise OtherCard
        verdict = _inspect(card, self.trust, self._clock())
        with self._state:
            if self._closed:
                raise Locked
            self.lock()
            self._card = card
            self._verdict = verdict

    def close(self) -> None:
        """End the session for good."""
        with self._state:
            self._closed = True
            self.lock()


@contextmanager
def _refusals_logged() -> Generator[None]:
    """Tell the log which rule a refused certificate failed, and nothing about a person."""
    try:
        yield
    except CertificateRefused as refusal:
        log.warning("%s", refusal.log_message)
        raise


def _inspect(card: Card, trust: TrustStore, moment: datetime) -> Verdict:
    with _refusals_logged():
        verdict = trust.check_card(card, moment)
    if not card.is_present():
        raise CardGone
    return verdict
