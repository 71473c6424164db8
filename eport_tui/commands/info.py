"""`eport-tui info`: versions, paths and counts."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from eport_tui import __version__
from eport_tui.domain.places import Place
from eport_tui.errors import EportError, cause_of
from eport_tui.settings import Settings

_MISSING = "不存在"


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `info`."""
    subparsers.add_parser("info", help="显示版本、路径、数据库和记录数")


def run(settings: Settings) -> int:
    """Print everything; 1 when the database cannot be read."""
    _line("程序", f"eport-tui {__version__}")
    _line("Python", platform.python_version())
    for name in ("textual", "peewee", "apsw", "cryptography"):
        _line(name, version(name))  # apsw carries SQLite and has its version
    usual = settings.config_dir / "config.toml"
    _line("设置文件", str(settings.source) if settings.source else f"没有（{usual}）")
    _line("数据库", _place(settings.database))
    _line("软件卡", _place(settings.cards_dir))
    _line("信任的机构", _place(settings.trust_dir))
    _line("测试发证机构", _place(settings.authority_dir))
    _line("日志", _place(settings.log_file))
    _line("锁定", f"{settings.idle_minutes:g}分钟没有操作")
    _line("终端输出", _output(settings))
    _line("软件卡可用", "否" if settings.require_hardware else "是")
    _line("服务器读卡器", "SSH连接中可用" if settings.allow_server_reader else "SSH连接中不用")
    _line("严格核查", "是，只认台账证明的授权" if settings.strict else "否")
    _line("代码表", _tables(settings.config_dir))
    _line("客户端控件", settings.control or "没有设置")
    if isinstance(settings.database, Path) and _flaw(settings.database) == _MISSING:
        _line("记录数", "数据库尚未建立，首次运行时自动建立")
        return 0
    return _counts(settings)


def _place(place: Place) -> str:
    """A file or folder, and what keeps it from being used; or a server's address."""
    flaw = _flaw(place) if isinstance(place, Path) else ""
    return f"{place}（{flaw}）" if flaw else str(place)


def _flaw(path: Path) -> str:
    """That a file or folder is missing, or may not even be looked at; empty where it is there."""
    try:
        return "" if path.exists() else _MISSING
    except OSError as error:
        return f"无法查看：{cause_of(error)[0]}"


def _tables(folder: Path) -> str:
    """Which code tables are an organisation's own, and where those are."""
    from eport_tui.reference import own_tables

    try:
        own = own_tables(folder)
    except EportError as error:
        return str(error)
    return f"{folder} 中的 {'、'.join(own)}，其余为程序自带" if own else "程序自带"


def _output(settings: Settings) -> str:
    """How the screen is written, and why not leanly."""
    from eport_tui.terminal import internals

    if settings.output != "lean":
        return "textual，即Textual自带的方式（设置项 output）"
    if fault := internals.unexpected():
        return f"textual，即Textual自带的方式（{fault}）"
    return "lean，只写变化之处"


def _counts(settings: Settings) -> int:
    from eport_tui.reference import load_tables
    from eport_tui.services import overview
    from eport_tui.services.code_tables import require_codes_in_use
    from eport_tui.store.database import Store

    try:
        with Store.open(settings.database, read_only=True) as store:
            require_codes_in_use(store, load_tables(settings.config_dir))
            counts = overview.counts(store)
    except EportError as error:
        _line("有问题", str(error))
        return 1
    _line("数据库版本", str(counts.schema_version))
    _line("企业", str(counts.enterprises))
    _line("台账", f"{counts.entries}笔操作")
    _line("企业间授权", str(counts.enterprise_grants))
    _line("企业内授权", str(counts.operator_grants))
    return 0


def _line(label: str, value: str) -> None:
    cells = sum(2 if ord(character) > 0x7F else 1 for character in label)
    print(f"{label}{' ' * (14 - cells)}{value}")
