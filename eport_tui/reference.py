"""The code tables and sample data that come with the program, read from `data/`.

An organisation may put a table of the same file name in its configuration
folder; it then takes the place of ours.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from eport_tui.domain.codes import Code, CodeTable, CodeTables
from eport_tui.errors import InvalidInput, SettingsError

TABLES = {
    "subsystems": "授权子系统",
    "grant_types": "授权类型",
    "actions": "操作",
    "areas": "地区",
    "economic_zones": "经济区划",
    "enterprise_kinds": "企业性质",
}


def packaged(name: str) -> Path:
    """A file of `data/`, from the wheel or, in a checkout, from beside the package."""
    package = Path(__file__).resolve().parent
    inside = package / "data" / name
    return inside if inside.is_file() else package.parent / "data" / name


def load_tables(folder: Path | None = None) -> CodeTables:
    """Read all code tables, those in `folder` first.

    Raises:
        SettingsError: A table in `folder` cannot be read; the message names the
            file and the line.
    """
    rows = {name: list(_rows(name, folder)) for name in TABLES}
    try:
        return CodeTables(
            **{name: CodeTable(label, _codes(rows[name])) for name, label in TABLES.items()},
            action_needs={row["代码"]: row.get("所需授权类型", "") for row in rows["actions"]},
        )
    except InvalidInput as fault:
        where = f"请检查 {folder} 中的代码表" if folder else None
        raise SettingsError(fault.message, hint=where) from fault


def own_tables(folder: Path) -> list[str]:
    """The names of the files in `folder` that stand in for the tables that are packed along.

    Raises:
        SettingsError: It may not be looked into.
    """
    sources = (_source(name, folder) for name in TABLES)
    return [source.name for source in sources if source.parent == folder]


def _source(name: str, folder: Path | None) -> Path:
    own = folder / f"{name}.csv" if folder else None
    try:
        is_there = own is not None and own.is_file()
    except OSError as error:
        # Those that are packed along may say otherwise.
        raise SettingsError(f"无法查看代码表 {own}", hint="请检查文件夹的权限") from error
    return own if own is not None and is_there else packaged(f"{name}.csv")


def _rows(name: str, folder: Path | None) -> Iterator[dict[str, str]]:
    source = _source(name, folder)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"无法读取代码表 {source}", hint="应为UTF-8编码的CSV文件") from error
    reader = csv.DictReader(text.splitlines(), strict=True)
    line = 1
    try:
        missing = {"代码", "名称"} - set(reader.fieldnames or ())
        if missing:
            raise SettingsError(f"代码表 {source} 缺少列 {'、'.join(sorted(missing))}")
        line = reader.line_num + 1
        for row in reader:
            cells = {key: (value or "").strip() for key, value in row.items() if key}
            if not cells["代码"] or not cells["名称"]:
                raise SettingsError(f"代码表 {source} 第{reader.line_num}行缺少代码或名称")
            yield cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise SettingsError(f"代码表 {source} 第{line}行起的引号不成对") from error


def _codes(rows: list[dict[str, str]]) -> Iterator[Code]:
    for row in rows:
        yield Code(
            row["代码"],
            row["名称"],
            retired=row.get("停用", "") not in ("", "0", "否"),
            note=row.get("备注", ""),
            mnemonic=row.get("助记码", ""),
        )
