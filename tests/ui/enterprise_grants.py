"""Ways of an operator at 企业间授权录入."""

from __future__ import annotations

from tests.ui.operator import Operator

ENTERPRISE_GRANTS = "11"
TO_BROKER = "3101980001   上海样例第一报关.. "
THE_DATE = ("20271231", "2027-12-31")
UNSAVED = "录入的企业间授权尚未保存"


async def fill(
    operator: Operator, agent: str = "3101980001", subsystem: str = "95", until: str = "20271231"
) -> None:
    """Fill the form for a new grant as one would, from its first field on."""
    await operator.type(agent)
    await operator.press("tab", "space")
    await operator.type(subsystem)
    await operator.press("enter", "tab")
    await operator.type(until)


async def into_the_list(operator: Operator, *moves: str) -> None:
    """Go to the list, on its first row, and move there."""
    while operator.at_field:
        await operator.press("tab")
    await operator.press("home", *moves)
