"""`eport-tui expiring`: the grants that run out soon, as a table, as JSON, as a calendar."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eport_tui.commands.parsing import whole_number
from eport_tui.domain import dates
from eport_tui.domain.codes import CodeTables
from eport_tui.domain.identifiers import parse_customs_code
from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput, unwritable
from eport_tui.settings import Settings

if TYPE_CHECKING:
    from eport_tui.services.expiry import DueRow
    from eport_tui.store.database import Store

DAYS, MOST_DAYS = 30, 3650
"""How many days are looked ahead, where nothing is said and at most."""

REMINDED = timedelta(days=7)
"""How long before the last day the calendar reminds."""

_PAGE = 500


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `expiring`."""
    parser = subparsers.add_parser(
        "expiring",
        help="列出将到期的企业间授权",
        description="列出今天起若干天内到期的企业间授权。已标记到期不续的不列出："
        "写出企业时看该企业的标记，否则看授权企业的标记。",
    )
    parser.add_argument(
        "--within", default=str(DAYS), metavar="天数", help=f"今后多少天，默认{DAYS}天"
    )
    parser.add_argument("--enterprise", metavar="编号", help="只列该企业授出和受托的，10位海关编码")
    parser.add_argument("--json", action="store_true", help="以JSON输出")
    parser.add_argument("--ics", type=Path, metavar="文件", help="另写一个日历文件（iCalendar）")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """List them, and write the calendar where one is wanted.

    Raises:
        EportError: An argument is not good, or the database or a file cannot be used.
    """
    from eport_tui.reference import load_tables
    from eport_tui.store.database import Store

    within, enterprise = whole_number(args.within, 0, MOST_DAYS), None
    if within is None:
        raise InvalidInput(f"--within 应为0至{MOST_DAYS}的整数，现为 {args.within}", field="within")
    if args.enterprise is not None:
        enterprise = parse_customs_code(args.enterprise, field="enterprise")
    tables = load_tables(settings.config_dir)
    today = dates.today()
    with Store.open(settings.database, read_only=True) as store:
        rows = _rows(store, within, enterprise, today)
    if args.ics is not None:
        _write(args.ics, calendar(rows, tables))
        print(f"已写入日历 {args.ics}：{len(rows)}条", file=sys.stderr)
    if args.json:
        listed = [_as_json(row, tables, today) for row in rows]
        print(json.dumps(listed, ensure_ascii=False, indent=2))
    elif rows:
        _print(rows, tables, today)
    else:
        print(f"今后{within}天内没有到期的授权")
    return 0


def _rows(store: Store, within: int, enterprise: str | None, today: date) -> list[DueRow]:
    from eport_tui.services import expiry, registry

    source = expiry.of_database(store, within=within, enterprise=enterprise, today=today)
    rows: list[DueRow] = []
    while page := source.after(rows[-1] if rows else None, _PAGE):
        rows += page
    if enterprise and not rows:
        # A slip of the pen must not look like good news.
        registry.look_up(store, enterprise)
    return rows


def _print(rows: Iterable[DueRow], tables: CodeTables, today: date) -> None:
    from eport_tui.commands.table import print_table

    head = ("有效期至", "剩余", "授权企业", "名称", "代理企业", "名称", "授权子系统", "授权类型")
    lines = [
        (
            row.grant.valid_until.isoformat(),
            f"{(row.grant.valid_until - today).days}天",
            row.principal.customs_code,
            printable(row.principal.name),
            row.agent.customs_code,
            printable(row.agent.name),
            tables.subsystems.name(row.grant.key.subsystem),
            tables.grant_types.name(row.grant.key.grant_type),
        )
        for row in rows
    ]
    print_table([head, *lines], cut=[at for at, name in enumerate(head) if name == "名称"])


def _as_json(row: DueRow, tables: CodeTables, today: date) -> dict[str, Any]:
    grant = row.grant
    return {
        "principal": row.principal.customs_code,
        "principal_name": row.principal.name,
        "agent": row.agent.customs_code,
        "agent_name": row.agent.name,
        "subsystem": grant.key.subsystem,
        "subsystem_name": tables.subsystems.name(grant.key.subsystem),
        "grant_type": grant.key.grant_type,
        "grant_type_name": tables.grant_types.name(grant.key.grant_type),
        "granted_on": grant.granted_on.isoformat(),
        "valid_until": grant.valid_until.isoformat(),
        "days_left": (grant.valid_until - today).days,
        "operator_grants": row.operator_grants.number,
    }


def calendar(rows: Iterable[DueRow], tables: CodeTables) -> bytes:
    """The last days as all-day events (RFC 5545), each with a reminder some days ahead.

    An event is known by what is granted, so that reading the calendar anew moves the
    events of grants that were renewed instead of adding further ones.
    """
    from icalendar import Calendar

    made = Calendar.new(prodid="-//eport-tui//expiring//ZH", name="授权到期", language="zh-CN")
    for row in rows:
        made.add_component(_event(row, tables))
    return made.to_ical()


def _event(row: DueRow, tables: CodeTables) -> Any:
    from icalendar import TRANSP, Alarm, Event

    grant, key = row.grant, row.grant.key
    what = f"{tables.subsystems.name(key.subsystem)} {tables.grant_types.name(key.grant_type)}"
    principal, agent = (
        f"{end.customs_code} {printable(end.name)}".rstrip() for end in (row.principal, row.agent)
    )
    summary = f"授权到期：{what}，{agent}"
    identity = "\0".join((key.principal, key.agent, key.subsystem, key.grant_type))
    alarm = Alarm.new(description=summary)
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -REMINDED)
    return Event.new(
        uid=f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}@eport-tui",
        stamp=dates.now(),
        last_modified=grant.changed_at,
        start=grant.valid_until,
        end=grant.valid_until + timedelta(days=1),
        transparency=TRANSP.TRANSPARENT,
        summary=summary,
        description=f"授权企业：{principal}\n代理企业：{agent}\n授权：{what}\n"
        f"授权期间：{grant.granted_on} 至 {grant.valid_until}",
        subcomponents=[alarm],
    )


def _write(path: Path, content: bytes) -> None:
    """Write the calendar; where that fails a former one stays as it was.

    A former one's owner and mode stay too, as others may have to read it.
    """
    from eport_tui.card.files import write_whole

    # A link stays one, and a device such as /dev/stdout cannot be replaced.
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            former = target.stat() if target.exists() else None
            mode = _usual_mode() if former is None else stat.S_IMODE(former.st_mode)
            write_whole(target, content, mode=mode, owner=former)
    except OSError as error:
        raise unwritable("日历文件", path, error) from error


def _usual_mode() -> int:
    """Who may read a new file, as the umask says."""
    os.umask(mask := os.umask(0))
    return 0o666 & ~mask
