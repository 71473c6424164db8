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
from typing import TYPE_CHECKING, Any

from eport_tui.commands.asking import add_yes, agreed
from eport_tui.errors import InvalidInput, unwritable
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
        description="退出码 0 为台账完好，1 为台账或授权有问题，2 为无法核对。",
    )
    verify.add_argument("--against", type=Path, metavar="文件", help="与以前签署的检查点比对")
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

    with _opened(settings) as (store, trust):
        checkpoint = checkpoints.read(args.against, trust) if args.against else None
        progress = _Progress() if sys.stderr.isatty() else None
        verification = Verification(store, trust, checkpoint=checkpoint, progress=progress)
        found: list[Finding] = []
        kinds: Counter[str] = Counter()
        try:
            for finding in verification.findings():
                if progress:
                    progress.clear()
                kinds[finding.kind] += 1
                if args.json:
                    found.append(finding)
                elif args.all or kinds[finding.kind] <= SHOWN:
                    print(_sentence(finding))
        finally:
            if progress:
                progress.clear()
    if args.json:
        print(json.dumps(_as_json(verification, found), ensure_ascii=False))
        return BROKEN if verification.faults else HOLDS
    left = {} if args.all else {kind: n - SHOWN for kind, n in kinds.items() if n > SHOWN}
    for kind, number in left.items():
        print(f"还有{number}个同类的没有列出：{kind}")
    if left:
        print("用 eport-tui ledger verify --all 列出全部")
    if verification.faults:
        print(_verdict(verification))
    else:
        print(f"台账完好：{verification.last}笔操作，末笔的哈希值为 {verification.hash}")
    return BROKEN if verification.faults else HOLDS


def _sentence(finding: Finding) -> str:
    label = "说明" if finding.is_note else "问题"
    where = f"第{finding.entry}笔，" if finding.entry is not None else ""
    return f"{label}：{where}{finding.message}"


def _verdict(verification: Verification) -> str:
    first = verification.first_broken
    where = f"，第一笔有问题的是第{first}笔" if first is not None else ""
    return f"台账共{verification.last}笔操作，发现{verification.faults}个问题{where}"


def _as_json(verification: Verification, found: list[Finding]) -> dict[str, Any]:
    return {
        "holds": not verification.faults,
        "entries": verification.last,
        "hash": verification.hash,
        "first_broken": verification.first_broken,
        "findings": [
            {
                "message": finding.message,
                "entry": finding.entry,
                "row": list(finding.row) if finding.row else None,
                "is_note": finding.is_note,
            }
            for finding in found
        ],
    }


def _checkpoint(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.card.session import CardSession
    from eport_tui.commands.card import typed_secret
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
        raise unwritable("文件", args.output) from error
    print(f"已签署第{checkpoint.number}笔的检查点：{args.output}")
    print("请保存在本服务器以外的地方")
    return HOLDS


@contextmanager
def _card(args: argparse.Namespace, settings: Settings) -> Iterator[Card]:
    from eport_tui.commands.card import open_card, reader_card

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
