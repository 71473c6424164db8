"""`eport-tui registry`: bring enterprises in from a file, and look one up."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from eport_tui.commands.complaint import complain
from eport_tui.commands.progress import Progress
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, unreadable

if TYPE_CHECKING:
    from eport_tui.store.database import Store


class RegistrySettings(Protocol):
    """The settings that these commands look at."""

    @property
    def config_dir(self) -> Path:
        """Folder with an organisation's own code tables."""
        ...


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `registry` and its own commands."""
    parser = subparsers.add_parser("registry", help="导入和查询企业")
    commands = parser.add_subparsers(dest="registry_command", metavar="命令", required=True)

    bring_in = commands.add_parser(
        "import",
        help="从CSV文件导入企业",
        description="文件的第1行为列名，须有 海关编码、社会信用代码、企业名称，顺序不限；"
        "编码为UTF-8或GB18030。有错的行会逐行列出，不导入；其余的行导入。",
    )
    bring_in.add_argument("file", type=Path, metavar="文件", help="CSV文件")
    bring_in.add_argument("--strict", action="store_true", help="只要有一行有错，就都不导入")

    show = commands.add_parser("show", help="查看一个企业")
    show.add_argument("code", metavar="编号", help="企业编号，即海关10位编码")


def run(
    args: argparse.Namespace, open_store: Callable[[], Store], settings: RegistrySettings
) -> int:
    """Run one of the commands.

    Returns:
        The exit code: 0, 1 when lines were refused, 2 when nothing could be done.
    """
    try:
        if args.registry_command == "import":
            # Before a database is made that nothing goes into.
            _demand_there(args.file)
        with open_store() as store:
            if args.registry_command == "import":
                return _import(store, args.file, strict=args.strict)
            return _show(store, args.code, settings)
    except EportError as fault:
        complain(fault)
        return 2


def _demand_there(file: Path) -> None:
    try:
        file.stat()
    except OSError as error:
        raise unreadable("文件", file, error) from error


def _import(store: Store, file: Path, *, strict: bool) -> int:
    from eport_tui.services import registry

    progress = Progress("正在读取文件") if sys.stderr.isatty() else None
    try:
        report = registry.import_file(store, file, strict=strict, progress=progress)
    finally:
        if progress:
            progress.end()
    for label, faults, count in (
        ("错误", report.errors, report.refused),
        ("警告", report.warnings, report.warned),
    ):
        for fault in faults:
            print(f"{label}：第{fault.line}行，{printable(fault.message)}")
        if count > len(faults):
            print(f"{label}共有{count}行，只列出了前{len(faults)}行")
    if strict and report.refused:
        print(f"有{report.refused}行有错，没有导入任何企业")
        return 1
    print(
        f"新增{report.added}个企业，更新{report.updated}个，"
        f"{report.unchanged}行没有变化，{report.refused}行有错未导入"
    )
    if report.relisted:
        print(f"{report.relisted}个企业的法人卡号有变化")
    return 1 if report.refused else 0


def _show(store: Store, code: str, settings: RegistrySettings) -> int:
    from eport_tui.reference import load_tables
    from eport_tui.services import registry

    enterprise = registry.look_up(store, code)
    described = load_tables(settings.config_dir).describe_customs_code(enterprise.customs_code)
    print(f"企业编号：{enterprise.customs_code}" + (f"（{described}）" if described else ""))
    print(f"社会信用代码：{enterprise.uscc}")
    print(f"企业名称：{printable(enterprise.name)}")
    if cards := registry.legal_person_cards(store, enterprise.customs_code):
        print(f"法人卡号：{'、'.join(cards)}")
    return 0
