"""Dialogs in a window of 60x20 and less: every text can be read, every answer is seen."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from eport_tui.domain.dates import today
from eport_tui.reference import load_tables
from eport_tui.settings import Settings
from eport_tui.widgets.calendar import Calendar
from eport_tui.widgets.dialogs import Choice, Dialog, Panel, Prompt, Question, TextQuestion
from eport_tui.widgets.menus import ContextMenu, Item
from eport_tui.widgets.picker import Picker
from eport_tui.widgets.preview import Preview
from eport_tui.widgets.window import ListSource
from tests.ui.colleague import BROKER_CODE, OTHER_BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, Operator, at_work
from tests.ui.stage import asked

SMALL = (60, 20)
LONG_NAME = "长" * 199 + "末"
SCROLLS = "翻看"
TEXT = "".join(f"第{number}句话。" for number in range(90)) + "到此为止"


def on_screen(operator: Operator) -> bool:
    """Whether the whole panel is there, above the keys on the last line."""
    region = operator.app.screen.query_one(Panel).region
    width, height = operator.app.size
    return region.x >= 0 and region.y >= 0 and region.right <= width and region.bottom < height


async def read(operator: Operator, *answers: str) -> str:
    """Read a dialog to the end as one can; the answers are always seen."""
    read = [operator.dialog]
    while True:
        assert on_screen(operator), operator.text
        for answer in answers:
            assert operator.sees(answer), operator.text
        if f"{SCROLLS}" not in operator.dialog:
            break
        await operator.press("pagedown")
        if operator.dialog == read[-1]:
            break
        read.append(operator.dialog)
    return "".join(read)


# -- each kind ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SMALL, (40, 14), (80, 24)])
@pytest.mark.parametrize(
    ("dialog", "answers"),
    [
        (lambda: Question("问", TEXT, [Choice(1, "采用现在的", "t")]), ("采用现在的(T)",)),
        (lambda: Prompt(TEXT), ("确定(Enter)",)),
        (lambda: Preview("删除确认", TEXT), ("事由（选填）", "确定(Y)", "取消(N)")),
    ],
    ids=["question", "prompt", "preview"],
)
async def test_a_long_text_is_read_to_its_end_with_the_answers_in_view(
    dialog: Callable[[], Dialog[object]], answers: tuple[str, ...], size: tuple[int, int]
) -> None:
    async with asked(dialog(), size=size) as actor:
        text = await read(actor, *answers)
        assert "第0句话" in text
        assert "到此为止" in text
        if SCROLLS in text:
            await actor.press(*["pageup"] * 20)
            assert "第0句话" in actor.dialog


async def test_a_prompt_that_is_scrolled_is_closed_by_any_other_key() -> None:
    async with asked(Prompt(TEXT), size=SMALL) as actor:
        await actor.press("pagedown")
        assert actor.stage.answers == []
        await actor.press("down")
        assert actor.answer.key == "down"


async def test_a_short_text_has_nothing_to_scroll() -> None:
    async with asked(Question("问", "短", [Choice(1, "是", "y")]), size=SMALL) as actor:
        assert SCROLLS not in actor.dialog
        assert on_screen(actor)


async def test_a_long_list_and_a_long_text_are_scrolled_by_keys_of_their_own() -> None:
    rows = [f"卡{number}" for number in range(40)]
    preview = Preview(
        "删除确认",
        TEXT,
        rows=ListSource(rows, str),
        first=rows[:8],
        count=40,
        heading="操作员IC卡号",
    )
    async with asked(preview, size=SMALL) as actor:
        assert actor.sees("第1-2条 共40条", "请输入条数 40 以确认", "条数", "确定(Y)", "取消(N)")
        await actor.press("down", "pagedown")
        assert actor.sees("第2-3条 共40条", "操作员IC卡号")
        assert "到此为止" in await read(actor, "确定(Y)", "取消(N)", "第2-3条")
        await actor.burst("40", "<enter>")
        assert actor.answer == ""


@pytest.mark.parametrize(
    "dialog",
    [
        lambda: TextQuestion("查看其他日期", TEXT[:150], "查看日期", str),
        lambda: Calendar("权限有效期", today(), earliest=today()),
        lambda: Picker(load_tables().subsystems, all_label="全部"),
        lambda: ContextMenu("企业间授权", [Item("a", "操作历史", "^R")] * 4, (58, 19)),
    ],
    ids=["text", "calendar", "picker", "menu"],
)
async def test_the_other_dialogs_are_whole(dialog: Callable[[], Dialog[object]]) -> None:
    async with asked(dialog(), size=SMALL) as actor:
        assert on_screen(actor)
        assert "Esc" in actor.legend
        assert "Enter" in actor.legend


@pytest.mark.parametrize(
    "dialog", ["question", "prompt", "text", "preview", "calendar", "picker", "menu"]
)
async def test_no_window_is_too_narrow_for_a_dialog_to_be_drawn_and_left(dialog: str) -> None:
    make: dict[str, Callable[[], Dialog[object]]] = {
        "question": lambda: Question("问", TEXT, [Choice(1, "采用现在的", "t")]),
        "prompt": lambda: Prompt(TEXT),
        "text": lambda: TextQuestion("查看其他日期", "写明日期", "查看日期", str),
        "preview": lambda: Preview("删除确认", TEXT),
        "calendar": lambda: Calendar("权限有效期", today(), earliest=today()),
        "picker": lambda: Picker(load_tables().subsystems, all_label="全部"),
        "menu": lambda: ContextMenu("企业间授权", [Item("a", "操作历史", "^R")] * 4, (58, 19)),
    }
    async with asked(make[dialog](), size=(24, 24)) as actor:
        for width in (20, 18, 15, 12, 9, 6, 4, 3, 2, 1):
            await actor.pilot.resize_terminal(width, 24 if width % 2 else 3)
            await actor.settle()
            if dialog != "prompt":
                # That is closed by any key.
                await actor.press("2")
        await actor.press("escape")
        assert len(actor.stage.answers) == 1


async def test_a_dialog_follows_the_window_as_it_gets_smaller() -> None:
    async with asked(Preview("删除确认", TEXT[:200]), size=(100, 40)) as actor:
        await actor.pilot.resize_terminal(*SMALL)
        await actor.settle()
        await read(actor, "确定(Y)", "取消(N)")


async def test_when_the_window_is_large_enough_again_nothing_says_that_it_is_too_small(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.pilot.resize_terminal(*SMALL)
        await operator.settle()
        assert "窗口太小" in operator.message
        await operator.pilot.resize_terminal(80, 24)
        await operator.settle()
        assert "窗口太小" not in operator.message


async def test_without_colour_the_border_is_on_the_screen_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with asked(Question("问", TEXT, [Choice(1, "是", "y")]), size=SMALL) as actor:
        assert "到此为止" in await read(actor, "是(Y)")


# -- the longest that the program asks -----------------------------------------------------


async def to_the_list(operator: Operator, *moves: str) -> None:
    await operator.press(*["tab"] * 5, "home", *moves)


async def cascade(operator: Operator) -> None:
    await to_the_list(operator, "f8")


async def shortening(operator: Operator) -> None:
    await to_the_list(operator, "enter", "ctrl+u")
    await operator.burst("20261203", "<f10>")


async def duplicate(operator: Operator) -> None:
    await operator.burst(BROKER_CODE, "<enter>", "B1", "<enter>", "<tab>", "20271231", "<f10>")


async def renewal_of_an_expired_one(operator: Operator) -> None:
    await operator.burst(BROKER_CODE, "<enter>", "Z8", "<enter>", "<tab>", "20271231", "<f10>")


async def unsaved(operator: Operator) -> None:
    await operator.burst("3101", "<escape>")


async def another_day(operator: Operator) -> None:
    await operator.press("ctrl+y")


@pytest.mark.parametrize(
    ("ask", "last_line", "answers"),
    [
        (cascade, "以下操作员不能再据此办理：", ("确定(Y)", "取消(N)")),
        (shortening, "以下操作员不能再据此办理：", ("保存(Y)", "取消(N)")),
        (duplicate, "是否打开该授权？", ("打开(Y)", "返回修改(N)")),
        (renewal_of_an_expired_one, "是否继续？", ("继续(Y)", "取消(N)")),
        (unsaved, "确定不保存就离开吗？", ("不保存，离开(Y)", "继续编辑(N)")),
        (another_day, "空着为今天。", ("查看日期",)),
    ],
)
async def test_what_enterprise_grants_asks(
    settings: Settings,
    colleague: Colleague,
    ask: Callable[[Operator], Awaitable[None]],
    last_line: str,
    answers: tuple[str, ...],
) -> None:
    colleague.register(BROKER_CODE, LONG_NAME)
    async with at_work(settings, MANUFACTURER, "11", size=SMALL) as operator:
        await ask(operator)
        assert last_line in await read(operator, *answers)
        await operator.press("escape")
        assert operator.dialog == ""


async def test_a_conflict(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, "11", size=SMALL) as operator:
        await to_the_list(operator, "enter")
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        await operator.burst("<ctrl+u>", "20290101", "<f10>")
        text = await read(operator, "采用现在的(T)", "保存我的(M)")
        assert "您要保存：有效期至 2029-01-01" in text


async def test_a_renewal_with_grants_of_others_beside(
    settings: Settings, colleague: Colleague, broker: Colleague
) -> None:
    for code in ("3201440001", "3301440001", "3101440001"):
        broker.register(code, LONG_NAME)
    broker.grant(OTHER_BROKER_CODE, "95", "2026-12-01")
    async with at_work(settings, BROKER, "15", size=SMALL) as operator:
        await operator.burst("<f6>", "<enter>", "20391231", "<f10>")
        text = await read(operator, "续期(Y)", "返回(N)")
        assert "将1条授权续期至 2039-12-31" in text
        assert "有效期超过10年" in text
        assert "末" in text
        assert "等6家" in text


async def test_what_operator_grants_and_replacement_ask(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12", size=SMALL) as operator:
        await operator.burst("<enter>", "<shift+tab>", "<space>", "<home>", "<enter>", "<f6>")
        assert "是否继续？" in await read(operator, "继续(Y)", "取消(N)")
        await operator.burst("<escape>", "<f3>", "y", "16", OPERATOR, "<enter>", "8900000000997")
        await operator.press("enter", "f10")
        assert "原卡不再有这些权限" in await read(operator, "换卡(Y)", "返回(N)")


async def test_many_entries_that_were_lost_are_all_told(
    settings: Settings, colleague: Colleague
) -> None:
    cards = [f"89000000{number:05d}" for number in range(100, 180)]
    async with at_work(settings, BROKER, "12", size=SMALL) as operator:
        await operator.press("enter")
        await operator.burst(*(part for card in cards for part in (card, "<enter>")))
        principal, subsystem = "3101440001", "B1"
        assert principal in operator.text
        colleague.delete(colleague.grant_to(BROKER_CODE, subsystem))
        await operator.press("f10")
        text = await read(operator, "确定(Enter)")
        assert "有80条没有保存" in text
        assert cards[-1] in text


# -- screens -----------------------------------------------------------------------------


def rows(operator: Operator) -> int:
    """How many rows of grants are seen."""
    return sum(re.match(r"[> ] [1-7]\d{9} ", line) is not None for line in operator.lines)


async def test_each_of_two_lists_shows_a_row_in_a_small_window(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12", size=(40, 14)) as operator:
        assert rows(operator) >= 1
        assert operator.sees("  8900000000042 ")
        await operator.press("down")
        assert operator.sees("第2条")
        assert rows(operator) >= 1


async def test_labels_begin_as_they_do_and_fields_have_some_room(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12", size=(40, 14)) as operator:
        assert operator.sees("+ 授权企业..", "* 操作员IC..", "* 是否..", "= 授权企业名称")
        await operator.press("enter")
        await operator.type("8900000000997")
        assert any("* 操作员IC..  00997" in line for line in operator.lines)
    async with at_work(settings, MANUFACTURER, "11", size=(40, 14)) as operator:
        assert operator.sees("= 授权企业..", "* 代理..", "* 授权类型", "= 代理企业名称")


async def test_a_high_window_shows_more_of_the_grants(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12", size=(120, 40)) as operator:
        assert rows(operator) == 17
        # Nothing stands beside it that says there is more.
        assert not any(line.endswith("#") for line in operator.lines)


async def test_a_window_that_grows_gives_its_fields_their_width(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12", size=(40, 14)) as operator:
        await operator.pilot.resize_terminal(80, 24)
        await operator.settle()
        assert operator.sees("+ 授权企业社会信用代码")
        await operator.press("enter")
        await operator.type("8900000000997")
        assert operator.value("操作员IC卡号") == "8900000000997"
        assert operator.sees("8900000000997")
