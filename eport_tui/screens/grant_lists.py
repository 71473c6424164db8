"""The lists of grants that the screens show, and the columns they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.grants import TO_ALL
from eport_tui.screens.operator_entries import OperatorRow
from eport_tui.services.enterprise_grants import GrantRow
from eport_tui.services.operator_grants import NewOperatorGrant, ReceivedRow
from eport_tui.widgets.columns import Column
from eport_tui.widgets.form import GROUNDS_EXPLAINED
from eport_tui.widgets.grid import Grid


def what_columns(
    tables: CodeTables, type_label: str = "类型", type_width: int = 6
) -> list[Column[Any]]:
    """Subsystem and grant type of rows with a `grant`."""
    return [
        Column("授权子系统", 16, lambda row: tables.subsystems.name(row.grant.key.subsystem)),
        Column(
            type_label, type_width, lambda row: tables.grant_types.name(row.grant.key.grant_type)
        ),
    ]


def last_day_column() -> Column[Any]:
    """The last day of rows with a `grant`."""
    return Column("权限有效期", 10, lambda row: row.grant.valid_until.isoformat())


def state_column() -> Column[Any]:
    """The state of rows with a `state`, in its colour."""
    return Column("状态", 8, lambda row: row.state.label, lambda row: row.state.value)


def made_list(tables: CodeTables) -> Grid[GrantRow]:
    """What this enterprise has granted."""
    grid: Grid[GrantRow] = Grid(
        "已授权列表",
        [
            Column("代理企业编号", 12, lambda row: row.grant.key.agent),
            Column("代理企业名称", 0, lambda row: row.agent.name),
            *what_columns(tables, "授权类型", 8),
            last_day_column(),
            state_column(),
        ],
        lambda row: row.grant.id,
        id="grants",
    )
    grid.note = GROUNDS_EXPLAINED
    return grid


def received_list(
    tables: CodeTables, added: Callable[[int], Sequence[NewOperatorGrant]]
) -> Grid[ReceivedRow]:
    """What this enterprise was granted.

    Args:
        added: The entries under the grant with a number that are not saved.
    """

    def operators(row: ReceivedRow) -> str:
        entries = added(row.grant.id)
        # One to all takes the place of single cards.
        if any(entry.to_all for entry in entries):
            return "+全部"
        stored = "全部" if row.to_all else f"{row.operator_grants}"
        return stored + (f"+{len(entries)}" if entries else "")

    grid: Grid[ReceivedRow] = Grid(
        "授予本企业的授权",
        [
            Column("企业编号", 10, lambda row: row.grant.key.principal),
            Column("授权企业名称", 0, lambda row: row.principal.name),
            *what_columns(tables),
            last_day_column(),
            state_column(),
            Column("操作员", 6, operators, lambda row: "unsaved" if added(row.grant.id) else None),
        ],
        lambda row: row.grant.id,
        id="received",
    )
    grid.note = GROUNDS_EXPLAINED
    return grid


def operator_list() -> Grid[OperatorRow]:
    """The operators under one grant, stored and not."""
    return Grid(
        "操作员权限列表",
        [
            Column("操作员IC卡号", 13, lambda row: row.card_number),
            Column("授权范围", 12, lambda row: "指定操作员" if row.card_number else TO_ALL),
            Column(
                "授权日期", 10, lambda row: row.stored.granted_on.isoformat() if row.stored else ""
            ),
            Column("录入卡号", 0, lambda row: row.stored.changed_by if row.stored else ""),
            Column(
                "状态",
                8,
                _operator_state,
                lambda row: None if row.stored and not row.goes else "unsaved",
            ),
        ],
        lambda row: row.key,
        id="operators",
    )


def _operator_state(row: OperatorRow) -> str:
    if row.stored is None:
        return "未保存"
    return "将被取代" if row.goes else "已保存"
