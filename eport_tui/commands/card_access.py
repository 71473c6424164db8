"""Which card a command means, and the secrets that it asks for."""

from __future__ import annotations

import getpass
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Protocol

from eport_tui.card.errors import CardError, CardGone
from eport_tui.card.protocol import CardRef
from eport_tui.card.software import SUFFIX, SoftwareCard, SoftwareReader, wipe
from eport_tui.domain.places import Place
from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput, NotFound, unreadable

if TYPE_CHECKING:
    from eport_tui.card.pcsc import PcscReader
    from eport_tui.card.piv_card import PivCard

_FACTORY_KEY = bytes((1, 2, 3, 4, 5, 6, 7, 8)) * 3
"""The management key that most PIV cards leave the factory with."""


class CardSettings(Protocol):
    """The settings that these commands look at."""

    @property
    def database(self) -> Place:
        """The database, in which the registry of enterprises is."""
        ...

    @property
    def cards_dir(self) -> Path:
        """Folder of the software cards."""
        ...

    @property
    def authority_dir(self) -> Path:
        """Folder of the test authority."""
        ...

    @property
    def trust_dir(self) -> Path:
        """Folder of the authorities and revocation lists that are trusted."""
        ...

    @property
    def require_hardware(self) -> bool:
        """Whether software cards are refused."""
        ...

    @property
    def allow_server_reader(self) -> bool:
        """Whether the machine's own reader is used in an SSH session."""
        ...


def is_in_reader(reader: str | None, named: str | None) -> bool:
    """Whether the card in a reader is meant, and not the software card that is named."""
    if (reader is None) == (named is None):
        raise InvalidInput("请写出软件卡的卡号，或用 --reader 指明读卡器中的卡", field="card")
    return reader is not None


@contextmanager
def only_card(name: str, settings: CardSettings) -> Iterator[tuple[PcscReader, CardRef]]:
    """The one card in the readers whose name contains `name`."""
    from eport_tui.card import pcsc

    reader = pcsc.PcscReader(allow_server_reader=settings.allow_server_reader)
    try:
        while reader.status().message == pcsc.CONNECTING:
            sleep(0.01)
        refs = [ref for ref in reader.cards() if name in ref.reader]
        if not reader.status().ok:
            raise CardError(reader.status().message)
        if not refs:
            raise CardGone("读卡器中没有卡")
        if len(refs) > 1:
            names = "、".join(printable(ref.reader) for ref in refs)
            raise CardError(f"有多张卡：{names}", hint="请用 --reader 写出读卡器名称的一部分")
        yield reader, refs[0]
    finally:
        reader.close()


@contextmanager
def reader_card(name: str, settings: CardSettings) -> Iterator[PivCard]:
    """The one card in the readers whose name contains `name`, open."""
    with only_card(name, settings) as (reader, ref):
        yield reader.open(ref)


@contextmanager
def management_key(way: str) -> Iterator[bytearray]:
    """The key that a PIV card is issued with; it is wiped on leaving."""
    if way not in ("factory", "prompt"):
        raise InvalidInput("--management-key 应为 factory 或 prompt", field="management_key")
    if way == "factory":
        yield bytearray(_FACTORY_KEY)
        return
    with typed_secret("管理密钥（十六进制）：") as typed:
        try:
            key = bytearray.fromhex(typed.decode("ascii"))
        except ValueError:
            raise InvalidInput("管理密钥应为十六进制数字", field="management_key") from None
    try:
        yield key
    finally:
        wipe(key)


def open_card(what: str, settings: CardSettings) -> SoftwareCard:
    """The software card with a number, or in a file.

    Raises:
        NotFound: There is none.
    """
    path = Path(what)
    is_file = path.suffix == SUFFIX or path.is_file()
    if not is_file:
        path = settings.cards_dir / f"{path.name}{SUFFIX}"
    if not path.is_file():
        if is_file:
            raise unreadable("卡文件", path, FileNotFoundError(), NotFound)
        if not settings.cards_dir.is_dir():
            raise NotFound(
                f"没有卡 {what}，软件卡文件夹 {settings.cards_dir} 不存在",
                hint="请检查设置项 cards 或环境变量 EPORT_TUI_CARDS",
            )
        raise NotFound(f"没有卡 {what}", hint="可用 eport-tui card list 查看")
    reader = SoftwareReader(path.parent)
    return reader.open(reader.ref(path))


@contextmanager
def new_pin(check: Callable[[bytearray], None], form: str) -> Iterator[bytearray]:
    """Ask for a new PIN twice; it is wiped on leaving.

    Args:
        check: Raises where it is none.
        form: What it has to be like, in Chinese.
    """
    with typed_secret(f"新密码（{form}）：") as pin:
        check(pin)
        with typed_secret("再输入一次新密码：") as again:
            if pin != again:
                raise CardError("两次输入的新密码不一致", hint="密码没有修改")
        yield pin


@contextmanager
def typed_secret(prompt: str) -> Iterator[bytearray]:
    """Ask for a PIN, or what else is secret, without showing it; it is wiped on leaving.

    Raises:
        CardError: There is no terminal, or what was typed is not ASCII and so no secret of a
            card; nothing of it is left in the error.
    """
    secret: bytearray | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            secret = bytearray(getpass.getpass(prompt).encode("ascii"))
        except (getpass.GetPassWarning, EOFError):
            raise CardError("无法输入密码", hint="请在终端中运行") from None
        except UnicodeError:
            # All that was typed hangs on this one, so nothing may be raised while it is handled.
            pass
    if secret is None:
        raise CardError("只能输入半角的字母、数字和符号", hint="请关闭输入法后重新输入")
    try:
        yield secret
    finally:
        wipe(secret)
