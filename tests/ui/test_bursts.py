"""Keys typed ahead of a slow line are never lost and never land in the wrong field (spec §4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from eport_tui.settings import Settings
from tests.ui.colleague import Colleague
from tests.ui.operator import BROKER, PIN, Operator, at_login, at_work

# Login and menus; a grant with a list; the next one with two lists and the calendar.
LOGIN = ("<enter>", PIN, "<enter>", "11")
FIRST = ("3101980001", "<enter>", "<space>", "B2", "<enter>", "<enter>", "+1y", "<f10>")
NEXT = ("<f2>", "3205980002", "<enter>", "hw", "<enter>", "<space>", "<down>", "<enter>")
NEXT_DATE = ("<space>", "<pagedown>", "<enter>", "<f10>", "<enter>")
LOOK = ("<f3>", "13", "<space>", "JGMYSC", "<enter>", "<tab>", "<tab>", "<end>")
WORK = (*LOGIN, *FIRST, *NEXT, *NEXT_DATE)


async def at_leisure(operator: Operator, what: Sequence[str]) -> None:
    """Press one key after the other, each when the one before has had its effect."""
    for part in what:
        for key in [part] if part.startswith("<") else part:
            await operator.burst(key)


async def screens(settings: Settings, what: Sequence[str], *, fast: bool) -> list[str]:
    """What is seen after the work and after looking at the permissions."""
    seen: list[str] = []
    async with at_login(settings) as operator:
        for part in (what, LOOK):
            await (operator.burst(*part) if fast else at_leisure(operator, part))
            seen.append(operator.text)
    return seen


@pytest.mark.parametrize("fast", [True, False], ids=["one burst", "at leisure"])
async def test_from_login_to_the_next_record(
    settings: Settings, colleague: Colleague, fast: bool
) -> None:
    form, permissions = await screens(settings, WORK, fast=fast)
    made = [
        (
            row.grant.key.agent,
            row.grant.key.subsystem,
            row.grant.key.grant_type,
            row.grant.valid_until,
        )
        for row in colleague.made()
        if row.grant.key.subsystem in ("B2", "B3")
    ]
    assert [(*key, day.isoformat()) for *key, day in made] == [
        ("3101980001", "B2", "X1", "2027-11-24"),
        ("3205980002", "B3", "X2", "2027-12-24"),
    ]
    assert "共7条" in form
    assert "货物流转         报关权   2027-12-24 有效" in form
    assert "操作员权限（加工贸易手册）  第2条 共2条" in permissions


async def test_a_burst_shows_the_same_screens_as_the_same_keys_at_leisure(
    settings: Settings, colleague: Colleague
) -> None:
    before = colleague.made()
    fast = await screens(settings, WORK, fast=True)
    for row in colleague.made():
        if row not in before:
            colleague.delete(row.grant)
    assert colleague.made() == before
    assert await screens(settings, WORK, fast=False) == fast


async def test_everything_in_a_single_burst(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.burst(*WORK, *LOOK)
        assert operator.place == "委托授权系统 / 查看操作员权限"
        assert operator.sees("操作员权限（加工贸易手册） 第2条 共2条")


async def test_a_whole_list_of_operators_from_a_scanner(
    settings: Settings, broker: Colleague
) -> None:
    cards = [f"89000000{number:05d}" for number in range(100, 115)]
    async with at_work(settings, BROKER) as operator:
        await operator.burst(
            "12", "<enter>", *(part for card in cards for part in (card, "<enter>")), "<f10>"
        )
        assert "暂存成功" in operator.dialog
    assert broker.operators(broker.received()[0].grant.id) == sorted([*cards, "8900000000042"])


async def test_a_mistake_in_the_middle_stops_at_its_field(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.burst(*LOGIN, "3101989999", "<enter>", "5", "<enter>")
        assert "代理企业编号为10位，多输入的字符没有采用" in operator.message
        assert operator.at_field == "代理企业编号"
        assert operator.value("代理企业编号") == "3101989999"
        assert operator.value("授权子系统") == ""


async def test_esc_in_a_burst_leaves_what_was_there(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.burst(*LOGIN, "3101980001", "<enter>", "<space>", "B2", "<escape>", "<tab>")
        assert operator.value("授权子系统") == ""
        assert operator.at_field == "授权类型"
