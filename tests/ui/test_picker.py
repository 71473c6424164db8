"""The list of a code field (spec §2.1): filtered as one types, Enter picks, Esc leaves."""

from __future__ import annotations

import pytest

from eport_tui.domain.codes import Code, CodeTable
from eport_tui.reference import load_tables
from eport_tui.widgets.picker import Picker
from tests.ui.stage import asked

SUBSYSTEMS = load_tables().subsystems
LONG = CodeTable("长表", [Code(f"{n:02}", f"第{n}项") for n in range(40)])


@pytest.mark.parametrize(
    ("typed", "picked"),
    [
        ("", "95"),
        ("b1", "B1"),
        ("B1", "B1"),
        ("jgmysc", "B1"),
        ("JG", "95"),
        ("hz", "X1"),
        ("物流", "Z8"),
        ("ｚ８", "Z8"),
    ],
)
async def test_typing_narrows_the_list_and_enter_picks(typed: str, picked: str) -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.burst(typed, "<enter>")
        assert actor.answer == picked


async def test_of_codes_that_are_for_programs_the_list_shows_what_is_typed_instead() -> None:
    actions = load_tables().actions
    async with asked(Picker(actions)) as actor:
        assert actor.sees("> CX    查询", "BGDY  报关调用")
        await actor.burst("zc", "<enter>")
        assert actor.answer == "stage"


async def test_tab_takes_what_was_typed_and_nothing_where_nothing_was() -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.press("tab")
        assert "选择授权子系统" in actor.dialog
        await actor.burst("b1", "<tab>")
        assert actor.answer == "B1"


async def test_the_list_shows_codes_and_names_in_the_order_of_the_table() -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        names = [code.name for code in SUBSYSTEMS]
        places = [actor.dialog.index(name) for name in names]
        assert places == sorted(places)
        assert "选择授权子系统" in actor.dialog
        assert actor.sees("> 95 加工贸易账册")


@pytest.mark.parametrize("key", ["escape", "f12"])
async def test_esc_is_no_answer(key: str) -> None:
    async with asked(Picker(SUBSYSTEMS, value="B1")) as actor:
        await actor.burst("Z", "<down>", f"<{key}>")
        assert actor.answer is None


async def test_it_begins_at_the_present_value() -> None:
    async with asked(Picker(SUBSYSTEMS, value="Z8")) as actor:
        assert actor.sees("> Z8 物流账册")
        await actor.press("down", "enter")
        assert actor.answer == "B3"


@pytest.mark.parametrize(
    ("keys", "picked"),
    [
        (["down", "down"], "Z8"),
        (["up"], "95"),
        (["end"], "X2"),
        (["end", "down"], "X2"),
        (["end", "home"], "95"),
        (["end", "up"], "Z7"),
        (["pagedown"], "X2"),
        (["pagedown", "pageup"], "95"),
    ],
)
async def test_moving(keys: list[str], picked: str) -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.press(*keys, "enter")
        assert actor.answer == picked


async def test_what_matches_nothing_says_so_and_enter_picks_nothing() -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.burst("zzz", "<enter>")
        assert "没有符合的代码" in actor.dialog
        assert actor.stage.answers == []
        await actor.burst("<backspace>", "<backspace>", "<backspace>", "b2", "<enter>")
        assert actor.answer == "B2"


async def test_the_filter_can_be_emptied() -> None:
    async with asked(Picker(SUBSYSTEMS, typed="Z8")) as actor:
        assert "加工贸易账册" not in actor.dialog
        await actor.press("ctrl+u", "enter")
        assert actor.answer == "95"


async def test_pasting_narrows_the_list_too() -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.paste("核注清单\n第二行")
        await actor.press("enter")
        assert actor.answer == "X1"


async def test_a_click_picks_and_a_click_outside_cancels() -> None:
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.click("保税担保")
        assert actor.answer == "B2"
    async with asked(Picker(SUBSYSTEMS)) as actor:
        await actor.click_at(1, 1)
        assert actor.answer is None


async def test_a_long_list_scrolls_and_fits_the_screen() -> None:
    async with asked(Picker(LONG)) as actor:
        await actor.press(*["down"] * 30)
        assert actor.sees("> 30 第30项")
        assert len(actor.lines) == 24
        await actor.press("enter")
        assert actor.answer == "30"


async def test_the_box_does_not_jump_while_the_list_narrows() -> None:
    async with asked(Picker(LONG)) as actor:
        before = actor.place_of("选择长表")
        await actor.type("39")
        assert actor.place_of("选择长表") == before


async def test_retired_codes_are_not_offered() -> None:
    table = CodeTable("表", [Code("1", "在用"), Code("2", "停用", retired=True)])
    async with asked(Picker(table, value="2")) as actor:
        assert "停用" not in actor.dialog
        await actor.press("end", "enter")
        assert actor.answer == "1"


async def test_all_together_can_be_offered() -> None:
    async with asked(Picker(SUBSYSTEMS, value="95", all_label="全部")) as actor:
        assert actor.sees("> 95 加工贸易账册")
        await actor.press("home", "enter")
        assert actor.answer == ""
