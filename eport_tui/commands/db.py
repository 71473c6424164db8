"""`eport-tui db`: what concerns a database as a whole."""

from __future__ import annotations

import argparse
import sys

from eport_tui.commands.progress import Progress
from eport_tui.settings import Settings


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `db` and its own command."""
    parser = subparsers.add_parser("db", help="复制整个数据库")
    commands = parser.add_subparsers(dest="db_command", metavar="命令", required=True)
    copy = commands.add_parser(
        "copy",
        help="把数据库复制到另一个位置",
        description="两处都可以是文件，或 postgresql:// 开头的数据库地址。"
        "目的地须是空的；复制后逐表核对内容，并核对台账。原数据库不变。",
    )
    copy.add_argument("source", metavar="来源", help="原数据库的文件或地址")
    copy.add_argument("target", metavar="目的地", help="新数据库的文件或地址")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Copy; returns 0, or 1 where the ledger of the copy does not hold.

    Raises:
        EportError: It cannot be done; see `services.databases.copy`.
    """
    from eport_tui.domain.places import parse_place
    from eport_tui.services import databases

    source, target = parse_place(args.source), parse_place(args.target)
    progress = Progress("正在复制") if sys.stderr.isatty() else None
    try:
        copied = databases.copy(source, target, settings.trust_dir, progress=progress)
    finally:
        if progress:
            progress.end()
    print(f"已复制{copied.rows}行，内容一致")
    if copied.faults:
        print(
            f"台账的{copied.entries}笔操作核对时发现{len(copied.faults)}处问题，原数据库也是如此："
        )
        print(f"  {copied.faults[0].message}")
        print("请用 eport-tui ledger verify 核对原数据库，查明原因后再改用新的数据库")
        return 1
    print(f"台账的{copied.entries}笔操作核对无误")
    print(f"请把设置项 database 改为 {target}，原数据库没有改动")
    return 0
