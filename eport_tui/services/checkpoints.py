"""Checkpoints: the head of the ledger at a moment, signed, to be kept elsewhere.

Whoever can write the database can cut the end of the ledger off, or, with the keys of
another authority, write a whole one anew.  A checkpoint that lies where he cannot
write shows both.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eport_tui.domain import dates
from eport_tui.domain.dates import SHANGHAI
from eport_tui.errors import EportError, NotFound, unreadable
from eport_tui.store import ledger
from eport_tui.store.database import Store

if TYPE_CHECKING:
    from eport_tui.card.session import CardSession
    from eport_tui.card.trust import TrustStore

SIGNED_FOR = b"eport_tui/checkpoint/v1\0"
"""Stands before the text of a checkpoint when it is signed."""

FORMAT = 1

_LONGEST = 100_000
"""Bytes of a file that can be a checkpoint."""

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class BadCheckpoint(EportError):
    """A checkpoint cannot be read, or does not hold itself."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed head of the ledger.

    Attributes:
        number: Number of the last entry.
        hash: Its hash.
        recorded_at: When it was recorded, as it is in the ledger.
        at: When the checkpoint was signed, to the second.
        card_number: IC卡号 of the card that signed it.
        signature: The card's, over `SIGNED_FOR` and `text`.
        certificate: The signer's, DER.
    """

    number: int
    hash: str
    recorded_at: str
    at: datetime
    card_number: str
    signature: bytes = b""
    certificate: bytes = b""

    @property
    def text(self) -> str:
        """What is signed: canonical JSON (RFC 8785)."""
        return _CANONICAL.encode(
            {
                "format": FORMAT,
                "number": self.number,
                "hash": self.hash,
                "recorded_at": self.recorded_at,
                "at": self.at.isoformat(timespec="seconds"),
                "card": self.card_number,
            }
        )

    def as_file(self) -> str:
        """What is written into its file."""
        value = {
            "checkpoint": self.text,
            "signature": base64.b64encode(self.signature).decode(),
            "certificate": base64.b64encode(self.certificate).decode(),
        }
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def make(store: Store, session: CardSession) -> Checkpoint:
    """Have an unlocked card, of any role, sign the head of the ledger.

    Raises:
        NotFound: The ledger is empty.
        Locked, CardGone, CardError, CertificateRefused: As `CardSession.sign`.
    """
    holder = session.require()
    head = ledger.head(store)
    if head.recorded_at is None:
        raise NotFound("台账还没有任何操作，不必签署检查点")
    unsigned = Checkpoint(
        head.number,
        head.hash,
        head.recorded_at.isoformat(timespec="seconds"),
        dates.now().replace(microsecond=0),
        holder.card_number,
    )
    signature = session.sign(SIGNED_FOR + unsigned.text.encode())
    return Checkpoint(
        unsigned.number,
        unsigned.hash,
        unsigned.recorded_at,
        unsigned.at,
        unsigned.card_number,
        signature,
        session.certificate,
    )


def read(file: Path, trust: TrustStore) -> Checkpoint:
    """Read a checkpoint and see that an accepted card signed it.

    Raises:
        InvalidInput: The file cannot be read.
        BadCheckpoint: It holds no checkpoint, or one that does not hold.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST)
    except OSError as error:
        raise unreadable("检查点文件", file, error) from error
    checkpoint = _parsed(data)
    _check(checkpoint, trust)
    return checkpoint


def _parsed(data: bytes) -> Checkpoint:
    try:
        value: dict[str, Any] = json.loads(data)
        signed: dict[str, Any] = json.loads(value["checkpoint"])
        checkpoint = Checkpoint(
            int(signed["number"]),
            str(signed["hash"]),
            str(signed["recorded_at"]),
            datetime.fromisoformat(signed["at"]),
            str(signed["card"]),
            base64.b64decode(value["signature"], validate=True),
            base64.b64decode(value["certificate"], validate=True),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadCheckpoint("该文件不是检查点") from error
    if checkpoint.text != value["checkpoint"] or checkpoint.at.utcoffset() != SHANGHAI.utcoffset(
        None
    ):
        raise BadCheckpoint("检查点的格式不对")
    return checkpoint


def _check(checkpoint: Checkpoint, trust: TrustStore) -> None:
    from eport_tui.card.errors import CertificateRefused
    from eport_tui.card.signatures import is_signed_by

    try:
        record = trust.record(checkpoint.certificate)
    except CertificateRefused as refusal:
        raise BadCheckpoint(f"检查点的签名者不可信：{refusal.message}") from refusal
    if record.card_number != checkpoint.card_number:
        raise BadCheckpoint("签署检查点的卡不是其中所写的卡")
    if why_not := record.why_not(checkpoint.at):
        raise BadCheckpoint(f"检查点不可信：{why_not}")
    signed = SIGNED_FOR + checkpoint.text.encode()
    if not is_signed_by(checkpoint.certificate, checkpoint.signature, signed):
        raise BadCheckpoint("检查点的签名不符")
