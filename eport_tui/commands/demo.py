"""`eport-tui demo`: the program with made-up data, in a folder of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from platformdirs import user_data_path

from eport_tui.settings import APP, load_settings


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `demo`."""
    demo = subparsers.add_parser("demo", help="用演示数据和演示卡运行程序")
    demo.add_argument("--reset", action="store_true", help="删除演示数据，重新开始")


def demo_dir() -> Path:
    """Where the demo keeps everything."""
    return user_data_path(APP, appauthor=False) / "demo"


def run(args: argparse.Namespace) -> int:
    """Make the demo where needed, and run the program on it.

    Raises:
        EportError: There is no terminal, the demo's folder cannot be written, or another
            program is using what is to be thrown away.
    """
    from eport_tui.commands.work import demand_terminal, work
    from eport_tui.services import demo

    settings = load_settings(config=args.config, demo_dir=demo_dir(), output=args.screen_output)
    if args.reset:
        # Before anything is thrown away.
        demand_terminal()
        demo.throw_away(settings)
    if not demo.database_file(settings).exists():
        print("正在建立演示数据和演示卡", flush=True)
    demo.prepare(settings)
    with demo.in_use(settings):
        return work(settings)
