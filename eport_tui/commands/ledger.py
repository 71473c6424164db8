"""`eport-tui ledger`: verify the signed ledger, sign its head, take it elsewhere."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eport_tui.commands.asking import add_yes, agreed
from eport_tui.errors import InvalidInput, unreadable, unwritable
from eport_tui.settings import Settings

if TYPE_CHECKING:
    from eport_tui.card.protocol import Card
    from eport_tui.card.trust import TrustStore
    from eport_tui.services.verification import Finding, Verification
    from eport_tui.store.database import Store

HOLDS, BROKEN = 0, 1

SHOWN = 20
"""Findings of one kind that are listed, where not all are asked for."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `ledger` and its own commands."""
    parser = subparsers.add_parser("ledger", help="核对台账，签署检查点，导出台账")
    commands = parser.add_subparsers(dest="ledger_command", metavar="命令", required=True)

    verify = commands.add_parser(
        "verify",
        help="核对台账的每一笔和库中的每一条授权",
        description="退出码 0 为台账完好，1 为台账或授权有问题，2 为无法核对。"
        "写明 --known 时，只有已知的问题也为 0。",
    )
    verify.add_argument("--against", type=Path, metavar="文件", help="与以前签署的检查点比对")
    verify.add_argument(
        "--known",
        type=Path,
        metavar="文件",
        help="已查明的问题：以前 ledger verify --json 的输出；其中的问题不再算作新问题",
    )
    shown = verify.add_mutually_exclusive_group()
    shown.add_argument(
        "--all", action="store_true", help=f"列出全部问题，不写时同类问题列出前{SHOWN}个"
    )
    shown.add_argument("--json", action="store_true", help="以JSON输出，总是列出全部问题")

    checkpoint = commands.add_parser("checkpoint", help="签署台账的末笔，保存在别处备查")
    card = checkpoint.add_mutually_exclusive_group(required=True)
    card.add_argument("--card", metavar="卡号或文件", help="软件卡的IC卡号，或卡文件的路径")
    card.add_argument(
        "--reader",
        nargs="?",
        const="",
        metavar="名称",
        help="读卡器中的卡；有多张卡时写出读卡器名称的一部分",
    )
    checkpoint.add_argument(
        "--output", type=Path, metavar="文件", help="写入新文件；不写时输出到屏幕"
    )

    export = commands.add_parser("export", help="导出台账和离线核对程序")
    export.add_argument("file", type=Path, metavar="文件", help="新的ZIP文件")
    export.add_argument("--checkpoint", type=Path, metavar="文件", help="附上以前签署的检查点")

    accept = commands.add_parser(
        "accept-clock", help="服务器时间早于末笔操作而确实无误时，允许继续办理"
    )
    add_yes(accept)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one of the commands.

    Returns:
        The exit code: 0, 1 when the ledger does not hold or a question was answered
        with no.

    Raises:
        EportError: Nothing could be done.
    """
    commands: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
        "verify": _verify,
        "checkpoint": _checkpoint,
        "export": _export,
        "accept-clock": _accept_clock,
    }
    return commands[args.ledger_command](args, settings)


@contextmanager
def _opened(settings: Settings, *, writing: bool = False) -> Iterator[tuple[Store, TrustStore]]:
    from eport_tui.card.trust import TrustStore
    from eport_tui.services.registry import look_up_card
    from eport_tui.store.database import Store

    with Store.open(settings.database, read_only=not writing, create=False) as store:
        trust = TrustStore.of(
            settings.trust_dir,
            require_hardware=settings.require_hardware,
            look_up=partial(look_up_card, store),
        )
        if not writing:
            # Without an authority every signature would look forged.
            trust.require_authorities()
        yield store, trust


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.services import checkpoints
    from eport_tui.services.verification import Verification

    known = _Known.read(args.known) if args.known else None
    with _opened(settings) as (store, trust):
        checkpoint = checkpoints.read(args.against, trust) if args.against else None
        progress = _Progress() if sys.stderr.isatty() else None
        verification = Verification(store, trust, checkpoint=checkpoint, progress=progress)
        found: list[tuple[Finding, bool]] = []
        kinds: Counter[str] = Counter()
        new = old = 0
        try:
            for finding in _findings(store, verification, known):
                if progress:
                    progress.clear()
                is_known = known is not None and known.has(finding)
                old += is_known
                new += not (finding.is_note or is_known)
                kinds[finding.kind] += not is_known
                if args.json:
                    found.append((finding, is_known))
                elif args.all or is_known or kinds[finding.kind] <= SHOWN:
                    print(_sentence(finding, is_known=is_known))
        finally:
            if progress:
                progress.clear()
    code = BROKEN if new else HOLDS
    if args.json:
        print(json.dumps(_as_json(verification, found, new), ensure_ascii=False))
        return code
    left = {} if args.all else {kind: n - SHOWN for kind, n in kinds.items() if n > SHOWN}
    for kind, number in left.items():
        print(f"还有{number}个同类的没有列出：{kind}")
    if left:
        print("用 eport-tui ledger verify --all 列出全部")
    print(_verdict(verification, new, old))
    return code


class _Known(NamedTuple):
    """What an earlier verification has found, and whoever keeps it has looked into.

    Attributes:
        last: The number of the last entry then.
        hash: Its hash.
        faults: The faults then, each as `_identity` has it.
    """

    last: int
    hash: str
    faults: set[str]

    @classmethod
    def read(cls, file: Path) -> _Known:
        """Read what `ledger verify --json` has printed.

        Raises:
            InvalidInput: The file cannot be read, or is something else.
        """
        try:
            data = file.read_bytes()
        except OSError as error:
            raise unreadable("核对结果文件", file, error) from error
        try:
            value = json.loads(data)
            return cls(
                int(value["entries"]),
                str(value["hash"]),
                {
                    _identity(each["message"], each["entry"], each["row"])
                    for each in value["findings"]
                    if not each["is_note"]
                },
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidInput(
                "该文件不是核对结果", hint="应为以前 eport-tui ledger verify --json 的输出"
            ) from error

    def has(self, finding: Finding) -> bool:
        """Whether a fault was there then, to the letter."""
        row = list(finding.row) if finding.row else None
        return not finding.is_note and _identity(finding.message, finding.entry, row) in self.faults


def _identity(message: Any, entry: Any, row: Any) -> str:
    return json.dumps([message, entry, row])


def _findings(store: Store, verification: Verification, known: _Known | None) -> Iterator[Finding]:
    """What the verification finds, and whether the known faults were those of this ledger."""
    from eport_tui.services.verification import Finding
    from eport_tui.store import ledger

    yield from verification.findings()
    if known and ledger.hash_of(store, known.last) != known.hash:
        yield Finding("台账不是以前核对过的那一本，被改写过，或末尾被截去了", known.last)


def _sentence(finding: Finding, *, is_known: bool) -> str:
    label = "说明" if finding.is_note else "已知问题" if is_known else "问题"
    where = f"第{finding.entry}笔，" if finding.entry is not None else ""
    return f"{label}：{where}{finding.message}"


def _verdict(verification: Verification, new: int, old: int) -> str:
    last = verification.last
    if not new and not old:
        return f"台账完好：{last}笔操作，末笔的哈希值为 {verification.hash}"
    if not new:
        return (
            f"没有新的问题：{last}笔操作，已知的{old}个问题仍在，末笔的哈希值为 {verification.hash}"
        )
    if old:
        return f"台账共{last}笔操作，发现{new}个新的问题，另有已知的{old}个"
    first = verification.first_broken
    where = f"，第一笔有问题的是第{first}笔" if first is not None else ""
    return f"台账共{last}笔操作，发现{new}个问题{where}"


def _as_json(
    verification: Verification, found: list[tuple[Finding, bool]], new: int
) -> dict[str, Any]:
    return {
        "holds": not (verification.faults or new),
        "new_faults": new,
        "entries": verification.last,
        "hash": verification.hash,
        "first_broken": verification.first_broken,
        "findings": [
            {
                "message": finding.message,
                "entry": finding.entry,
                "row": list(finding.row) if finding.row else None,
                "is_note": finding.is_note,
                "is_known": is_known,
            }
            for finding, is_known in found
        ],
    }


def _checkpoint(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.card.session import CardSession
    from eport_tui.commands.card_access import typed_secret
    from eport_tui.services import checkpoints

    if args.output and args.output.exists():
        raise InvalidInput(f"文件 {args.output} 已存在", hint="请换一个文件名")
    with _opened(settings) as (store, trust), _card(args, settings) as card:
        session = CardSession.begin(card, trust)
        with typed_secret(f"密码（还可试{session.tries_left()}次）：") as pin:
            session.unlock(pin)
        try:
            checkpoint = checkpoints.make(store, session)
        finally:
            session.close()
    if args.output is None:
        print(checkpoint.as_file(), end="")
        return HOLDS
    try:
        with args.output.open("x", encoding="utf-8") as file:
            file.write(checkpoint.as_file())
    except OSError as error:
        raise unwritable("文件", args.output, error) from error
    print(f"已签署第{checkpoint.number}笔的检查点：{args.output}")
    print("请保存在本服务器以外的地方")
    return HOLDS


@contextmanager
def _card(args: argparse.Namespace, settings: Settings) -> Iterator[Card]:
    from eport_tui.commands.card_access import open_card, reader_card

    if args.card is not None:
        yield open_card(args.card, settings)
        return
    with reader_card(args.reader, settings) as card:
        yield card


def _export(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.services import bundle, checkpoints

    with _opened(settings) as (store, trust):
        checkpoint = checkpoints.read(args.checkpoint, trust) if args.checkpoint else None
        count = bundle.export(store, trust, args.file, checkpoint)
    print(f"已导出{count}笔操作：{args.file}")
    print("解压后用 python3 -I verify.py 核对，说明在 README.txt 中")
    return HOLDS


def _accept_clock(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.domain.dates import now
    from eport_tui.services import ledger

    with _opened(settings, writing=True) as (store, _):
        last = ledger.behind(store)
        print(f"台账末笔是第{last.number}笔，记录于 {last.recorded_at:%Y-%m-%d %H:%M:%S}")
        print(f"服务器时间现在是 {now():%Y-%m-%d %H:%M:%S}")
        if not args.yes and not agreed("确认服务器时间无误，并允许下一笔操作早于末笔吗？"):
            print("没有改变任何内容")
            return BROKEN
        ledger.accept_clock(store)
    print("已记录，可以继续办理；今后核对台账时会说明此事")
    return HOLDS


class _Progress:
    """One line on the terminal that is written anew for each further percent."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent > self._shown:
            self._shown = percent
            print(f"\r正在核对台账：{percent}%", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for what is printed next."""
        if self._shown >= 0:
            # Erases the line, in every terminal the program runs on.
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = -1
