"""What the program asks of a card and of a reader, whatever they are made of.

A software card, a PIV card in a PC/SC reader and a vendor's control all fit
behind these two protocols.  A PIN is always a `bytearray` that belongs to the
caller, who wipes it; nothing here keeps it or copies it into `str` or `bytes`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from eport_tui.card.errors import BadPin

Assurance = Literal["software", "hardware"]
"""Where the private key lives: in a file that can be copied, or in a chip."""

PIN_LENGTH = 8

# Made up for this project from a random UUID (ITU-T X.667 needs no registration for that).
ARC = "2.25.315765216613809374126643788551913823853"
"""Object identifiers of the certificate profile begin with it."""


class CardRef(NamedTuple):
    """A card that is in a reader, before it was opened.

    Attributes:
        reader: The reader's name.
        key: What tells it from every other card; the file's path for a software card.
        label: What a list shows when the card cannot be opened.
    """

    reader: str
    key: str
    label: str


class ReaderStatus(NamedTuple):
    """Whether a reader can be used, and a sentence for the operator."""

    ok: bool
    message: str


class Card(Protocol):
    """A card that was opened.  Methods may be called from any thread."""

    @property
    def ref(self) -> CardRef:
        """Which card this is."""
        ...

    @property
    def certificate(self) -> bytes:
        """The certificate of the authentication key, DER."""
        ...

    @property
    def assurance(self) -> Assurance:
        """Where this card keeps its key."""
        ...

    def is_present(self) -> bool:
        """Tell cheaply whether this very card has been in the reader ever since it was opened.

        Once it is False it stays so; a card that comes back is opened anew.
        """
        ...

    def confirm(self) -> None:
        """Ask the card itself whether it is the one that was opened, with its PIN still verified.

        Raises:
            Locked: No PIN was verified since `close`.
            CardGone: It is another card, was reset, or does not answer.
        """
        ...

    def check_pin(self, pin: bytearray) -> None:
        """See that `pin` has the form of this card's PINs; the card is not asked.

        Raises:
            BadPin: It has not.
        """
        ...

    def tries_left(self) -> int:
        """How many PINs may still be tried, without spending one; 0 is blocked.

        Raises:
            CardGone: The card cannot be asked.
        """
        ...

    def verify_pin(self, pin: bytearray) -> None:
        """Check the PIN, so that `sign` works until `close`.

        Right before the card is given it, the `point_of_no_return` is passed.

        Raises:
            Cancelled: It was given up before; no try was spent.
            BadPin: It has not the form of a PIN; no try was spent.
            WrongPin, PinBlocked: It is not the card's.
            CardGone: The card cannot be asked.
            CardError: The try could not be recorded; it was not made.
        """
        ...

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """Replace the PIN; `old` is checked and counted as by `verify_pin`, and raises the same.

        Whether a PIN that was verified still is then, also where `old` is wrong, depends on
        the card: `confirm` raises `Locked` where it is not.
        """
        ...

    def sign(self, data: bytes) -> bytes:
        """Sign `data` with the card's key.

        ECDSA in DER with SHA-256 (P-256) or SHA-384 (P-384), or RSASSA-PKCS1-v1_5
        with SHA-256.

        Raises:
            Locked: No PIN was verified since `close`.
            CardGone: The card cannot be asked.
        """
        ...

    def close(self) -> None:
        """Forget the verified PIN and the key, without waiting for anything.

        May be called at any time and more than once; `verify_pin` works after it.
        """
        ...


class Reader(Protocol):
    """A place where cards appear."""

    @property
    def name(self) -> str:
        """What the operator calls it."""
        ...

    def status(self) -> ReaderStatus:
        """Whether it can be used at present."""
        ...

    def cards(self) -> list[CardRef]:
        """The cards that are in it, sorted; cheap enough to be asked every second."""
        ...

    def open(self, ref: CardRef) -> Card:
        """Open a card, without a PIN.

        Raises:
            CardGone: It is no longer there.
            CardDamaged: Its content cannot be read.
        """
        ...


def check_pin(pin: bytearray) -> None:
    """See that `pin` is one of a software card: 8 printable ASCII characters, none a space.

    Raises:
        BadPin: It has not.
    """
    if len(pin) != PIN_LENGTH:
        raise BadPin
    if not all(0x21 <= character <= 0x7E for character in pin):
        raise BadPin("密码中有不能用的字符")
