"""Software cards: a certificate and an encrypted private key in a file.

The form of the file and of the try counter beside it is in `docs/card-profile.md`.
The counter guards the screen, not the file: whoever can write the folder can put
an old counter back.  The certificates of such cards say so (`software`).
"""

from __future__ import annotations

import logging
import os
import re
import stat
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from eport_tui.card.errors import CardDamaged, CardError, CardGone, Locked, PinBlocked, WrongPin
from eport_tui.card.files import file_error, locked, write_whole
from eport_tui.card.protocol import CardRef, ReaderStatus, check_pin
from eport_tui.giving_up import point_of_no_return

if TYPE_CHECKING:
    from hashlib import sha256

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from eport_tui.card.signatures import SigningKey
else:
    try:
        # As `random` does it: `hashlib` loads OpenSSL, which takes longer than reading all cards.
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256

log = logging.getLogger(__name__)

SUFFIX = ".card"
COUNTER_SUFFIX = ".tries"
TRIES = 5
INITIAL_PIN = b"88888888"

_MAGIC = b"EPTCARD"
_VERSION = 1
_HEADER = struct.Struct(">7sB IIB 16s 12s II")
_CHECKSUM = 32
_TAG = 16
_LARGEST = 64 * 1024
_COUNTER = re.compile(rb"([0-5]) ([0-9a-f]{64})\n")

# Bounds, because a file that someone else made must not choose how long its PIN takes.
_MOST_MEMORY_KIB = 512 * 1024
_MOST_ITERATIONS = 16
_MOST_LANES = 4


class Cost(NamedTuple):
    """What one try of a PIN costs (Argon2id, RFC 9106).

    Attributes:
        memory_kib: Memory in KiB, at least 8 for each lane.
        iterations: Passes over the memory.
        lanes: Degree of parallelism.
    """

    memory_kib: int
    iterations: int
    lanes: int


DEFAULT_COST = Cost(memory_kib=128 * 1024, iterations=3, lanes=1)
"""About a quarter of a second on a server of 2024."""


class _Content(NamedTuple):
    """A card file, taken apart.

    Attributes:
        cost, salt: How the key of the container comes from the PIN.
        nonce, sealed: AES-256-GCM over the private key (PKCS#8, DER).
        certificate: DER.
        bound: Everything before `sealed`: the associated data.
    """

    cost: Cost
    salt: bytes
    nonce: bytes
    certificate: bytes
    sealed: bytes
    bound: bytes

    @classmethod
    def parse(cls, data: bytes) -> _Content:
        """Take a card file apart.

        Raises:
            CardDamaged: It is cut short, altered, or no card file.
        """
        if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
            raise CardDamaged("不是软件卡文件", hint="请检查文件是否放错")
        if len(data) < _HEADER.size + _CHECKSUM:
            raise CardDamaged("卡文件不完整")
        _, version, memory, iterations, lanes, salt, nonce, certificate, sealed = (
            _HEADER.unpack_from(data)
        )
        if version != _VERSION:
            raise CardDamaged("卡文件的格式版本不能识别", hint="请使用新版本的程序")
        if sealed <= _TAG or len(data) != _HEADER.size + certificate + sealed + _CHECKSUM:
            raise CardDamaged("卡文件不完整")
        body, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
        if sha256(body).digest() != checksum:
            raise CardDamaged("卡文件已损坏")
        if not (
            1 <= lanes <= _MOST_LANES
            and 8 * lanes <= memory <= _MOST_MEMORY_KIB
            and 1 <= iterations <= _MOST_ITERATIONS
        ):
            raise CardDamaged("卡文件中的加密参数超出范围")
        split = _HEADER.size + certificate
        return cls(
            Cost(memory, iterations, lanes),
            salt,
            nonce,
            body[_HEADER.size : split],
            body[split:],
            body[:split],
        )

    def cipher(self, pin: bytearray) -> AESGCM:
        """What a PIN opens the container with; by this nobody learns whether it is the right one.

        Raises:
            CardError: There is too little memory.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        wrapping = _derive(pin, self.salt, self.cost)
        try:
            return AESGCM(wrapping)
        finally:
            wipe(wrapping)

    def open(self, cipher: AESGCM) -> bytearray | None:
        """Decrypt the private key (PKCS#8, DER); None when the PIN of `cipher` is wrong."""
        from cryptography.exceptions import InvalidTag

        key = bytearray(len(self.sealed) - _TAG)
        try:
            cipher.decrypt_into(self.nonce, self.sealed, self.bound, key)
        except InvalidTag:
            return None
        return key


def seal(certificate: bytes, key: bytearray, pin: bytearray, cost: Cost = DEFAULT_COST) -> bytes:
    """Build a card file.

    Args:
        certificate: DER.
        key: The private key (PKCS#8, DER); stays the caller's.
        pin: The PIN; stays the caller's.
        cost: What a try of the PIN shall cost.

    Raises:
        BadPin: The PIN has not the form of one.
    """
    import secrets

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    check_pin(pin)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    bound = (
        _HEADER.pack(
            _MAGIC,
            _VERSION,
            cost.memory_kib,
            cost.iterations,
            cost.lanes,
            salt,
            nonce,
            len(certificate),
            len(key) + _TAG,
        )
        + certificate
    )
    wrapping = _derive(pin, salt, cost)
    try:
        body = bound + AESGCM(wrapping).encrypt(nonce, key, bound)
    finally:
        wipe(wrapping)
    return body + sha256(body).digest()


def _derive(pin: bytearray, salt: bytes, cost: Cost) -> bytearray:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    wrapping = bytearray(32)
    kdf = Argon2id(
        salt=salt,
        length=len(wrapping),
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    # The annotation says bytes, but any buffer is taken, and a copy of the PIN could not be wiped.
    try:
        kdf.derive_into(cast(bytes, pin), wrapping)
    except MemoryError:
        raise CardError("内存不足，无法检验密码", hint="请关闭其他程序后再试") from None
    return wrapping


def wipe(secret: bytearray) -> None:
    """Overwrite a secret with zeros."""
    secret[:] = bytes(len(secret))


def refuse_existing(path: Path) -> None:
    """See that no card is at `path`.

    Raises:
        CardError: One is.
    """
    if os.path.lexists(path):
        raise CardError(f"卡 {path.stem} 已经存在", hint=f"要重新发卡，请先移走 {path}")


def write_card(
    path: Path, certificate: bytes, key: bytearray, pin: bytearray, cost: Cost = DEFAULT_COST
) -> None:
    """Make a new software card at `path`, with all its tries.

    Raises:
        BadPin: The PIN has not the form of one.
        CardError: There is such a card already, or it cannot be written.
    """
    refuse_existing(path)
    data = seal(certificate, key, pin, cost)
    # The counter first: a card that a crash left without one would be blocked.
    _write_tries(path, certificate, TRIES)
    write_whole(path, data)


def _read_tries(card_file: Path, certificate: bytes) -> int | None:
    path = card_file.with_suffix(COUNTER_SUFFIX)
    try:
        with path.open("rb") as file:
            data = file.read(128)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error("读取", path, error) from error
    match = _COUNTER.fullmatch(data)
    # Bound to the certificate, so that one card's counter cannot serve another.
    if match is None or match[2] != _fingerprint(certificate):
        return None
    return int(match[1])


def _write_tries(card_file: Path, certificate: bytes, left: int) -> None:
    line = b"%d %s\n" % (left, _fingerprint(certificate))
    write_whole(card_file.with_suffix(COUNTER_SUFFIX), line)


def _refill_tries(card_file: Path) -> None:
    """Give all tries back, in the one byte that says how many: another file may have no room.

    Where even that fails the PIN is right all the same, and the next right one refills them.
    """
    path = card_file.with_suffix(COUNTER_SUFFIX)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, b"%d" % TRIES, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("the tries of a card could not be given back: %s", error.strerror)


def _fingerprint(certificate: bytes) -> bytes:
    return sha256(certificate).hexdigest().encode()


_Stamp = tuple[int, int, int, int, int]


def _stamp(status: os.stat_result) -> _Stamp:
    # Renaming a file away and back changes ctime, so a card pulled between two looks is noticed.
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


class _Known(NamedTuple):
    """The files that are the card.

    Attributes:
        stamp: The one that was opened, or written since.
        coming: What of the stamp of the one that is about to be renamed into its place stays
            the same then; the renaming changes ctime.
    """

    stamp: _Stamp
    coming: tuple[int, ...] | None = None

    def has(self, stamp: _Stamp) -> bool:
        """Whether a file is one of them."""
        return stamp == self.stamp or stamp[:-1] == self.coming


class SoftwareCard:
    """A card in a file; made by `SoftwareReader.open`."""

    assurance: Literal["software"] = "software"

    def __init__(
        self, ref: CardRef, content: _Content, stamp: _Stamp, is_inserted: Callable[[], bool]
    ) -> None:
        self.ref = ref
        self._path = Path(ref.key)
        self._content = content
        self._known = _Known(stamp)
        self._is_inserted = is_inserted
        self._key: SigningKey | None = None

    @property
    def certificate(self) -> bytes:
        """The certificate, DER."""
        return self._content.certificate

    def is_present(self) -> bool:
        """Tell whether the file is the very one that was opened, untouched by others; one `stat`.

        May be asked while another thread changes the PIN, and so the file.
        """
        if not self._is_inserted():
            return False
        while True:
            known = self._known
            try:
                # A `Path` would be turned into a string at every look.
                stamp = _stamp(os.lstat(self.ref.key))
            except OSError:
                return False
            if known.has(stamp):
                return True
            if known is self._known:
                return False

    def confirm(self) -> None:
        """See that the file is still there and the key is held; see `Card.confirm`."""
        if self._key is None:
            raise Locked
        self._demand_present()

    def check_pin(self, pin: bytearray) -> None:
        """Eight printable ASCII characters; see `Card.check_pin`."""
        check_pin(pin)

    def tries_left(self) -> int:
        """How many PINs may still be tried; 0 also when the counter is missing or garbled.

        Raises:
            CardGone: The file is gone or was changed.
            CardError: The counter cannot be read.
        """
        self._demand_present()
        return _read_tries(self._path, self.certificate) or 0

    def verify_pin(self, pin: bytearray) -> None:
        """Decrypt the key with `pin`; see `Card.verify_pin`."""
        from eport_tui.card.signatures import load_key

        check_pin(pin)
        with self._held():
            key = self._try(pin)
        try:
            self._key = load_key(key)
        finally:
            wipe(key)

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """Encrypt the key anew; see `Card.change_pin`.  A crash leaves the old PIN or the new."""
        check_pin(old)
        check_pin(new)
        with self._held():
            key = self._try(old)
            try:
                data = seal(self.certificate, key, new, self._content.cost)
            finally:
                wipe(key)
            known = self._known

            def expect(status: os.stat_result) -> None:
                self._known = _Known(known.stamp, _stamp(status)[:-1])

            try:
                known = _Known(_stamp(write_whole(self._path, data, before=expect)))
                self._content = _Content.parse(data)
            finally:
                self._known = known

    def sign(self, data: bytes) -> bytes:
        """Sign `data`; see `Card.sign`."""
        from eport_tui.card.signatures import sign

        key = self._key
        if key is None:
            raise Locked
        self._demand_present()
        return sign(key, data)

    def close(self) -> None:
        """Forget the key."""
        self._key = None

    def _demand_present(self) -> None:
        if not self.is_present():
            raise CardGone

    @contextmanager
    def _held(self) -> Generator[None]:
        """Keep other processes from this card, and see that it is still the one that was opened."""
        try:
            with locked(self._path):
                # Whoever held the lock before may have changed the PIN, and so the file.
                self._demand_present()
                yield
        except FileNotFoundError:
            raise CardGone from None
        except OSError as error:
            raise file_error("使用卡文件", self._path, error) from error

    def _try(self, pin: bytearray) -> bytearray:
        """Spend a try, test the PIN, refill the tries when it is right; returns the key in DER.

        What may fail for want of memory comes before the try is spent, and says nothing of
        the PIN.  From there on a try is spent whatever happens, a killed process included,
        so that nobody learns about a PIN for free; only a right PIN gives tries back.

        Raises:
            PinBlocked, WrongPin: As `Card.verify_pin`.
            CardError: There is too little memory, or the try could not be recorded; it was
                not made.
        """
        left = _read_tries(self._path, self.certificate)
        if left is None:
            raise PinBlocked("该卡的密码计数丢失或损坏，卡已锁定")
        if left == 0:
            raise PinBlocked
        cipher = self._content.cipher(pin)
        point_of_no_return()
        # Spent before it is tested: neither a crash nor a second process can test for free.
        _write_tries(self._path, self.certificate, left - 1)
        key = self._content.open(cipher)
        if key is None:
            if left == 1:
                raise PinBlocked("密码错误，该卡已锁定")
            raise WrongPin(left - 1)
        _refill_tries(self._path)
        return key


class SoftwareReader:
    """A folder of software cards: every `*.card` in it is a card that is inserted.

    Args:
        folder: Where the cards are; it need not exist yet.
    """

    name = "软件卡读卡器"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._ejected: dict[str, CardRef] = {}
        self._pulls: dict[str, int] = {}

    def status(self) -> ReaderStatus:
        """Whether the folder can be read."""
        try:
            is_there = stat.S_ISDIR(os.stat(self.folder).st_mode)
        except OSError as error:
            is_there = isinstance(error, PermissionError)
        if not is_there:
            return ReaderStatus(False, "软件卡文件夹不存在")
        if not os.access(self.folder, os.R_OK | os.X_OK):
            return ReaderStatus(False, "无法读取软件卡文件夹")
        return ReaderStatus(True, "就绪")

    def cards(self) -> list[CardRef]:
        """The cards in the folder that are not ejected, by name; no file is opened."""
        try:
            with os.scandir(self.folder) as entries:
                names = sorted(
                    entry.name
                    for entry in entries
                    if entry.name.endswith(SUFFIX)
                    and not entry.name.startswith(".")
                    and entry.is_file(follow_symlinks=False)
                )
        except OSError:
            return []
        refs = [self.ref(self.folder / name) for name in names]
        with self._lock:
            return [ref for ref in refs if ref.key not in self._ejected]

    def ref(self, path: Path) -> CardRef:
        """The reference of the card in the file `path`."""
        return CardRef(self.name, str(path), path.stem)

    def open(self, ref: CardRef) -> SoftwareCard:
        """Open a card, without a PIN.

        Raises:
            CardGone: It was ejected, or the file is not there.
            CardDamaged: The file is cut short, altered, or no card.
            CardError: The file cannot be read.
        """
        with self._lock:
            pulls = self._pulls.get(ref.key, 0)
            if ref.key in self._ejected:
                raise CardGone
        data, stamp = _read(Path(ref.key))
        return SoftwareCard(
            ref, _Content.parse(data), stamp, lambda: self._pulls.get(ref.key, 0) == pulls
        )

    def eject(self, ref: CardRef) -> None:
        """Pull a card out of the reader, as far as this program can see; the file stays."""
        with self._lock:
            if ref.key not in self._ejected:
                self._ejected[ref.key] = ref
                self._pulls[ref.key] = self._pulls.get(ref.key, 0) + 1

    def insert(self, ref: CardRef) -> None:
        """Put a card back that was pulled with `eject`; it has to be opened anew."""
        with self._lock:
            self._ejected.pop(ref.key, None)

    def ejected(self) -> list[CardRef]:
        """The cards that were pulled with `eject`, by name."""
        with self._lock:
            return sorted(self._ejected.values(), key=lambda ref: ref.key)


def _read(path: Path) -> tuple[bytes, _Stamp]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                raise CardDamaged("不是软件卡文件", hint="请检查文件是否放错")
            return file.read(_LARGEST), _stamp(status)
    except FileNotFoundError:
        raise CardGone from None
    except OSError as error:
        raise file_error("读取卡文件", path, error) from error
