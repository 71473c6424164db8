"""The command line: reads the arguments, then imports what that command needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eport_tui import __version__

if TYPE_CHECKING:
    import argparse

    from eport_tui.settings import Settings

EXAMPLES = """\
例子:
  eport-tui demo                        用演示数据和演示卡试用
  eport-tui registry import 企业.csv    导入企业（海关编码、社会信用代码、企业名称）
  eport-tui card list                   列出软件卡
  eport-tui check --help                核查一张卡能否办理某项业务
  eport-tui expiring --within 60        列出60天内到期的授权
  eport-tui info                        查看数据库和设置文件在哪里
  eport-tui                             登录并开始工作
"""


def _parser() -> argparse.ArgumentParser:
    from eport_tui.commands import card, check, db, demo, expiring, info, ledger, registry
    from eport_tui.commands.parsing import Parser
    from eport_tui.settings import OUTPUTS

    parser = Parser(
        prog="eport-tui",
        description="电子口岸委托授权终端：企业间授权、企业内授权、查看操作员权限。不带命令时登录并开始工作。",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--version", action="version", version=f"eport-tui {__version__}", help="显示版本"
    )
    parser.add_argument(
        "--database", metavar="位置", help="数据库文件，或 postgresql:// 开头的数据库地址"
    )
    parser.add_argument("--config", type=Path, metavar="文件", help="设置文件（TOML）")
    parser.add_argument(
        "--output",
        # `ledger checkpoint` has an --output of its own.
        dest="screen_output",
        choices=OUTPUTS,
        metavar="方式",
        help="向终端输出的方式：lean只写变化之处，textual为Textual自带的方式",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="命令", title="命令")
    for module in (demo, registry, card, check, expiring, ledger, db, info):
        module.add_arguments(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    from eport_tui.commands.ending import exit_code_for, flush_output, prepare_streams

    prepare_streams()
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        flush_output()
        return code
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_for(error)


def _settings(args: argparse.Namespace) -> Settings:
    from eport_tui.log import log_to
    from eport_tui.settings import load_settings

    settings = load_settings(config=args.config, database=args.database, output=args.screen_output)
    # There is what the server of the database says, in its own words.
    log_to(settings.log_file)
    return settings


def _work(settings: Settings) -> int:
    from eport_tui.commands.work import work

    return work(settings)


def _run(arguments: list[str]) -> int:
    if not arguments:
        # The usual start needs neither the other commands nor what they import.
        from eport_tui.settings import load_settings

        return _work(load_settings())
    return _run_command(_parser().parse_args(arguments))


def _run_command(args: argparse.Namespace) -> int:
    import logging

    # Before the log file is known, nothing is written anywhere: a command says in Chinese what is
    # wrong.
    logging.getLogger("eport_tui").addHandler(logging.NullHandler())
    match args.command:
        case "demo":
            from eport_tui.commands import demo

            return demo.run(args)
        case "registry":
            from eport_tui.commands import registry
            from eport_tui.store.database import Store

            settings = _settings(args)
            imports = args.registry_command == "import"

            def open_store() -> Store:
                return Store.open(settings.database, create=imports, read_only=not imports)

            return registry.run(args, open_store, settings)
        case "card":
            from eport_tui.commands import card
            from eport_tui.commands.work import keep_memory_private

            keep_memory_private()
            return card.run(args, _settings(args))
        case "check":
            from eport_tui.commands import check

            return check.run(args, lambda: _settings(args))
        case "expiring":
            from eport_tui.commands import expiring

            return expiring.run(args, _settings(args))
        case "ledger":
            from eport_tui.commands import ledger
            from eport_tui.commands.work import keep_memory_private

            # A checkpoint is signed with a PIN.
            keep_memory_private()
            return ledger.run(args, _settings(args))
        case "db":
            from eport_tui.commands import db

            return db.run(args, _settings(args))
        case "info":
            from eport_tui.commands import info

            return info.run(_settings(args))
        case _:
            return _work(_settings(args))


if __name__ == "__main__":
    sys.exit(main())
