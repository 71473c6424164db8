"""What is asked before grants are saved or deleted, and how a grant is described."""

from __future__ import annotations

from datetime import date

from eport_tui.domain.codes import CodeTables
from eport_tui.domain.dates import add_months, parse_valid_until, today
from eport_tui.domain.grants import EnterpriseGrant, GrantKey
from eport_tui.domain.text import printable
from eport_tui.errors import EportError
from eport_tui.screens.base import EportScreen
from eport_tui.screens.losses import ask_about_losses
from eport_tui.services import operator_grants
from eport_tui.services.enterprise_grants import (
    Conflict,
    GrantRow,
    GrantStands,
    LossPreview,
    RenewalNeedsConfirmation,
)
from eport_tui.widgets.dialogs import Choice, Question

LONG_YEARS = 10
"""From how many years on a grant's end is asked about."""


def what_is_granted(key: GrantKey, tables: CodeTables) -> str:
    """Subsystem and grant type of a grant, in one line."""
    return (
        f"授权子系统：{tables.subsystems.name(key.subsystem)}  "
        f"授权类型：{tables.grant_types.name(key.grant_type)}"
    )


def is_long(until: date) -> bool:
    """Whether a date is so far away that it may be a slip."""
    return until > add_months(today(), 12 * LONG_YEARS)


async def agree_to_a_long_time(screen: EportScreen, typed: str) -> bool:
    """Ask about a date that may be a slip; one that is none is told on saving."""
    try:
        until = parse_valid_until(typed, today=today())
    except EportError:
        return True
    return not is_long(until) or await screen.confirm(
        "有效期很长",
        f"权限有效期至 {until}，超过{LONG_YEARS}年。确定吗？",
        yes="确定",
        no="返回修改",
    )


async def agree_to_a_renewal(screen: EportScreen, error: RenewalNeedsConfirmation) -> bool:
    """Ask where operators get their rights back."""
    return await screen.confirm(
        "重新授权", f"{error.message}。是否继续？", yes="继续", dangerous=False
    )


async def agree_to_a_shortening(
    screen: EportScreen, preview: LossPreview, until: date, reason: str
) -> str | None:
    """Show what a shortening takes away; the answer is the reason, or none for a no."""
    row = preview.row
    return await ask_about_losses(
        screen,
        "缩短有效期",
        f"权限有效期由 {row.grant.valid_until} 缩短为 {until}\n"
        + _described(row, screen.desk.tables),
        preview.losses,
        yes="保存",
        reason=reason,
    )


async def agree_to_a_deletion(screen: EportScreen, preview: LossPreview) -> str | None:
    """Show what goes with a grant; the answer is the reason, or none for a no."""
    row, count = preview.row, preview.operator_grants
    going = (
        f"代理企业据此授予操作员的{count}条企业内授权将一并删除。"
        if count
        else "该授权下没有企业内授权。"
    )
    return await ask_about_losses(
        screen,
        "删除确认",
        f"确定删除这条企业间授权吗？\n{_described(row, screen.desk.tables)}  "
        f"权限有效期：{row.grant.valid_until}\n{going}",
        preview.losses,
    )


async def agree_to_an_operators_deletion(
    screen: EportScreen, preview: operator_grants.OperatorLossPreview, whom: str
) -> str | None:
    """Show what an operator grant takes along; the answer is the reason, or none for a no."""
    key = preview.parent.key
    return await ask_about_losses(
        screen,
        "删除确认",
        f"确定删除{whom}的权限吗？\n"
        f"授权企业：{key.principal} {printable(preview.principal.name)}\n"
        f"{what_is_granted(key, screen.desk.tables)}\n"
        "删除后下次办理时即没有该权限。",
        preview.losses,
    )


async def for_which_grant(screen: EportScreen, what: str, meant: str, selected: str) -> str | None:
    """An entry was made for one grant, and another is selected: `here` adds it there, `clear`
    gives it up; anything else leaves it.
    """
    return await screen.choose(
        Question(
            "添加到另一条授权",
            f"{what}是为「{meant}」录入的，还没有添加。\n"
            f"现在选中的是「{selected}」。添加到现在选中的授权吗？",
            [
                Choice("here", "添加", "y"),
                Choice("clear", "清除录入", "c"),
                Choice("back", "返回", "n"),
            ],
            start=2,
            warning=True,
        )
    )


async def wants_the_standing_one(screen: EportScreen, error: GrantStands) -> bool:
    """The same grant is in force: offer to open that one instead."""
    return await screen.confirm(
        "授权已存在",
        f"{error.message}。是否打开该授权？",
        yes="打开",
        no="返回修改",
        dangerous=False,
    )


async def whose_version(
    screen: EportScreen, opened: EnterpriseGrant, error: Conflict, until: date
) -> str | None:
    """Show both versions of a grant; the answer is `theirs` or `mine`, or none."""
    theirs = error.current
    return await screen.choose(
        Question(
            "该授权已被他人修改",
            f"您打开时：有效期至 {opened.valid_until}\n"
            f"现在已是：有效期至 {theirs.valid_until}\n"
            f"          由卡 {theirs.changed_by} 于 {theirs.changed_at:%Y-%m-%d %H:%M} 修改\n"
            f"您要保存：有效期至 {until}",
            [Choice("theirs", "采用现在的", "t"), Choice("mine", "保存我的", "m")],
            warning=True,
        )
    )


def _described(row: GrantRow, tables: CodeTables) -> str:
    key = row.grant.key
    return f"代理企业：{key.agent} {printable(row.agent.name)}\n{what_is_granted(key, tables)}"
