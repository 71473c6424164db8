"""`eport-tui db`: what concerns a database as a whole."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eport_tui.commands.progress import Progress
from eport_tui.errors import InvalidInput
from eport_tui.settings import Settings


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `db` and its own commands."""
    parser = subparsers.add_parser("db", help="升级、备份、恢复、复制整个数据库")
    commands = parser.add_subparsers(dest="db_command", metavar="命令", required=True)
    commands.add_parser(
        "upgrade",
        help="更新程序后，把数据库升级到程序的版本",
        description="数据库文件在升级前先留一份副本，名为 数据库名.before-版本.bak；"
        "PostgreSQL数据库请先备份，其中尚无数据表的，一并建立。",
    )
    backup = commands.add_parser(
        "backup",
        help="备份数据库文件，不影响正在使用的人",
        description="备份后通读检查，无误才命名。不会覆盖已有的文件。",
    )
    backup.add_argument(
        "target", type=Path, metavar="目的地", help="新文件；或文件夹，备份在其中按时间命名"
    )
    backup.add_argument(
        "--keep", type=int, metavar="份数", help="文件夹中只保留最近的几份备份，不写时全部保留"
    )
    restore = commands.add_parser(
        "restore",
        help="用备份恢复数据库文件，须没有人正在使用",
        description="先检查备份；原数据库不删除，名为 数据库名.replaced-时间.bak。",
    )
    restore.add_argument("copy", type=Path, metavar="备份", help="备份的文件")
    copy = commands.add_parser(
        "copy",
        help="把数据库复制到另一个位置",
        description="两处都可以是文件，或 postgresql:// 开头的数据库地址。"
        "目的地须是空的；复制后逐表核对内容，并核对台账。原数据库不变。",
    )
    copy.add_argument("source", metavar="来源", help="原数据库的文件或地址")
    copy.add_argument("target", metavar="目的地", help="新数据库的文件或地址")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one of the commands; returns 0, or 1 where the ledger of a copy does not hold.

    Raises:
        EportError: It cannot be done; see `services.databases`.
    """
    match args.db_command:
        case "upgrade":
            return _upgrade(settings)
        case "backup":
            return _back_up(args, settings)
        case "restore":
            return _restore(args, settings)
        case _:
            return _copy(args, settings)


def _upgrade(settings: Settings) -> int:
    from eport_tui.services import databases

    done = databases.upgrade(settings.database)
    if done.before is None:
        print(f"数据库已是版本{done.after}，不需要升级")
        return 0
    if done.before == 0:
        print(f"已在数据库中建立数据表，版本{done.after}")
        return 0
    print(f"数据库已从版本{done.before}升级到版本{done.after}")
    if done.copy:
        print(f"升级前的副本：{done.copy}")
    if done.without_rights:
        print(
            f"数据库用户{'、'.join(done.without_rights)}没有新建的表的权限，"
            "请按 docs/postgresql.md 重新授予（GRANT）"
        )
    return 0


def _back_up(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.services import databases

    if args.keep is not None and args.keep < 1:
        raise InvalidInput("--keep 应为1以上的数", field="keep")
    path, deleted = databases.back_up(settings.database, args.target.absolute(), keep=args.keep)
    print(f"已备份：{path}")
    if deleted:
        print(f"已删除{deleted}份较早的备份")
    return 0


def _restore(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.services import databases

    copy = args.copy.absolute()
    done = databases.restore(settings.database, copy)
    print(f"已用 {copy} 恢复数据库 {done.path}")
    if done.former:
        print(f"原数据库保存为 {done.former}")
    if done.is_old:
        print("备份是旧版本的，请运行 eport-tui db upgrade 升级")
    return 0


def _copy(args: argparse.Namespace, settings: Settings) -> int:
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
