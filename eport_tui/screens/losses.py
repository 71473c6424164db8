"""Asking before what cannot be taken back, with what would stop working."""

from __future__ import annotations

from eport_tui.domain.grants import card_or_all
from eport_tui.domain.lists import PageSource
from eport_tui.domain.netloss import Loss
from eport_tui.screens.base import EportScreen
from eport_tui.services.operations import LONGEST_REASON
from eport_tui.widgets.cells import fit
from eport_tui.widgets.form import Field, Ground
from eport_tui.widgets.limits import at_most
from eport_tui.widgets.preview import MOST_ROWS, Preview

REASON = Field(
    "reason",
    "事由",
    Ground.OPTIONAL,
    50,
    limit=at_most(LONGEST_REASON),
    hint=f"可不填，最多{LONGEST_REASON}个字，保存时与操作一起记录",
)
"""The optional reason at the end of a form."""

_HEADING = f"{fit('操作员IC卡号', 14)} {fit('代理企业', 10)}  失去权限的日期"


async def ask_about_losses(
    screen: EportScreen,
    title: str,
    text: str,
    losses: PageSource[Loss],
    *,
    yes: str = "确定",
    reason: str = "",
) -> str | None:
    """Show what would be lost; the answer is the reason, or none for a no."""
    desk = screen.desk
    count = (await desk.call(losses.count)).number
    first = await desk.call(losses.after, None, MOST_ROWS)
    if first:
        names = "、".join(map(desk.tables.actions.name, first[0].actions))
        text += f"\n以下操作员不能再据此办理：{names}"
    else:
        text += "\n没有操作员因此失去权限。"
    return await desk.ask(
        Preview(
            title,
            text,
            rows=desk.rows(losses),
            first=first,
            count=count,
            heading=_HEADING,
            line=_line,
            yes=yes,
            longest_reason=LONGEST_REASON,
            reason=reason,
        )
    )


def _line(loss: Loss) -> str:
    card = fit(card_or_all(loss.card_number), 14)
    return f"{card} {loss.key.agent}  {loss.days.first} 至 {loss.days.last}"
