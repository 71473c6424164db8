"""Fields take no more than a code has, and say so; nothing is cut off silently."""

from __future__ import annotations

import pytest
from textual.app import ComposeResult
from textual.widget import Widget

from eport_tui.settings import Settings
from eport_tui.widgets import limits
from eport_tui.widgets.form import Field, Form, Ground
from eport_tui.widgets.preview import Preview
from tests.ui.operator import BROKER, MANUFACTURER, at_work
from tests.ui.stage import asked, on_stage

LIMITS = {
    "customs": limits.CUSTOMS_CODE,
    "uscc": limits.USCC,
    "card": limits.CARD_NUMBER,
    "date": limits.DATE,
    "text": limits.at_most(4),
}
CUSTOMS, USCC, CARD = "3101980001", "91310000PDY00001XG", "8900000000997"


class Fields(Widget):
    """A form with a field of each kind, and what it tells of what it did not take."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.form = Form(
            [[Field(id, id, Ground.REQUIRED, 20, limit=limit)] for id, limit in LIMITS.items()]
        )

    def compose(self) -> ComposeResult:
        yield self.form

    def on_form_left_out(self, message: Form.LeftOut) -> None:
        self.told.append(message.text)


@pytest.mark.parametrize(
    ("field", "typed", "kept", "told"),
    [
        ("customs", CUSTOMS + "5", CUSTOMS, "customs为10位，多输入的字符没有采用"),
        ("customs", "３１０１９８０００１５", CUSTOMS, "customs为10位，"),
        ("uscc", USCC + "5", USCC, "uscc为18位，"),
        ("card", CARD + "5", CARD, "card为13位，"),
        ("card", f"03-{CARD}5", f"03-{CARD}", "card为13位，"),
        ("date", "202712311", "20271231", "date写作20271231或2027-12-31，"),
        ("date", "2027年12月31日1", "2027年12月31日", "date写作20271231或2027-12-31，"),
        ("text", "甲乙丙丁戊", "甲乙丙丁", "text最多4个字，"),
    ],
)
async def test_a_character_too_many_is_not_taken_and_told(
    field: str, typed: str, kept: str, told: str
) -> None:
    async with on_stage(fields := Fields()) as actor:
        fields.form.focus_field(field)
        await actor.type(typed)
        assert fields.form.value(field) == kept
        (text,) = fields.told
        assert text.startswith(told)


@pytest.mark.parametrize(
    ("field", "pasted", "kept"),
    [
        ("customs", f"  {CUSTOMS}\t\n", CUSTOMS),
        ("customs", "３１０１９８０００１　", "3101980001"),
        ("customs", " 3101 9800０１ \n", "3101980001"),
        ("uscc", f" {USCC} ", USCC),
        ("card", f"03-{CARD}", f"03-{CARD}"),
        ("card", "０３－８９００００００００９９７", "03-8900000000997"),
        ("date", "2027-12-31", "2027-12-31"),
        ("date", "２０２７１２３１", "２０２７１２３１"),
        ("date", "2027年12月31日", "2027年12月31日"),
    ],
)
async def test_what_is_dropped_anyway_does_not_count(field: str, pasted: str, kept: str) -> None:
    async with on_stage(fields := Fields()) as actor:
        fields.form.focus_field(field)
        await actor.paste(pasted)
        assert fields.told == []
        assert fields.form.value(field) == kept


async def test_a_code_is_typed_with_blanks_and_in_full_width() -> None:
    async with on_stage(fields := Fields()) as actor:
        fields.form.focus_field("customs")
        await actor.type(" 3101 98０００1 ")
        assert fields.form.value("customs") == "3101980001"
        assert fields.told == []
        # A blank neither counts as something typed nor takes away what is selected.
        fields.form.select_text("customs")
        await actor.type(" ")
        assert fields.form.value("customs") == "3101980001"


@pytest.mark.parametrize(
    ("field", "before", "pasted"),
    [
        ("customs", "3101", USCC),
        ("customs", CUSTOMS, CUSTOMS),
        ("card", CARD, "00"),
        ("date", "20271231", "2027-12-31"),
        ("text", "甲", "乙丙丁戊"),
    ],
)
async def test_a_paste_that_is_too_long_leaves_what_was_there(
    field: str, before: str, pasted: str
) -> None:
    async with on_stage(fields := Fields()) as actor:
        fields.form.focus_field(field)
        await actor.type(before)
        await actor.paste(pasted)
        assert fields.form.value(field) == before
        assert fields.told == [f"{field}{LIMITS[field].words}，粘贴后过长，没有采用"]


async def test_a_selected_code_is_replaced_by_a_pasted_one() -> None:
    async with on_stage(fields := Fields()) as actor:
        await actor.type(CUSTOMS)
        fields.form.select_text("customs")
        await actor.paste("3205980002")
        assert fields.form.value("customs") == "3205980002"
        assert fields.told == []


async def test_a_full_field_can_be_corrected_in_the_middle() -> None:
    async with on_stage(fields := Fields()) as actor:
        await actor.type(CUSTOMS)
        await actor.burst("<home>", "9", "<delete>", "9")
        assert fields.form.value("customs") == "9101980001"
        assert len(fields.told) == 1


async def test_the_screen_says_how_many_characters_a_code_has(settings: Settings) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.type(CUSTOMS + "55")
        assert operator.message == "! 代理企业编号为10位，多输入的字符没有采用"
        assert operator.value("代理企业编号") == CUSTOMS
        await operator.paste(USCC)
        assert operator.message == "! 代理企业编号为10位，粘贴后过长，没有采用"
        assert operator.value("代理企业编号") == CUSTOMS


async def test_a_card_number_typed_too_long_in_one_go_is_looked_at_before_it_is_added(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", CARD, "5", "<enter>")
        assert "操作员IC卡号为13位，多输入的字符没有采用（核对后再按一次）" in operator.message
        assert (operator.at_field, operator.value("操作员IC卡号")) == ("操作员IC卡号", CARD)
        await operator.press("enter")
        assert "已添加到列表" in operator.message


async def test_a_date_typed_too_long_in_one_go_is_looked_at_before_it_is_saved(
    settings: Settings,
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.burst(CUSTOMS, "<enter>", "B2", "<enter>", "<tab>", "202712311", "<f10>")
        # On one line of the message.
        assert operator.sees(
            "权限有效期写作20271231或2027-12-31，多输入的字符没有采用（核对后再按一次）"
        )
        assert operator.at_field == "权限有效期"
        await operator.press("f10")
        assert "保存成功" in operator.dialog


async def test_a_corrected_code_is_taken_at_once(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.burst("<enter>", CARD, "5", "<backspace>", "7", "<enter>")
        assert "已添加到列表" in operator.message


# -- several lines ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "pasted", "kept"),
    [
        ("card", f"{CARD}\n8900000000073\n", CARD),
        ("customs", f"\r\n\r\n{CUSTOMS}\r\n3205980002\r\n", CUSTOMS),
        ("text", "甲乙\u2028丙丁", "甲乙"),
    ],
)
async def test_of_some_lines_the_first_is_taken_and_that_is_told(
    field: str, pasted: str, kept: str
) -> None:
    async with on_stage(fields := Fields()) as actor:
        fields.form.focus_field(field)
        await actor.paste(pasted)
        assert fields.form.value(field) == kept
        assert fields.told == [f"{field}只有一行，粘贴的第二行起没有采用"]


async def test_where_the_first_line_is_too_long_that_is_what_is_told() -> None:
    async with on_stage(fields := Fields()) as actor:
        await actor.paste(f"{USCC}\n{CUSTOMS}")
        assert fields.form.value("customs") == ""
        assert fields.told == ["customs为10位，粘贴后过长，没有采用"]


async def test_lines_with_nothing_on_them_take_nothing_away() -> None:
    async with on_stage(fields := Fields()) as actor:
        await actor.type(CUSTOMS)
        fields.form.select_text("customs")
        await actor.paste(" \r\n\t\n")
        assert fields.form.value("customs") == CUSTOMS
        assert fields.told == []


async def test_cards_that_are_pasted_together_are_looked_at_before_the_first_is_added(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.press("enter")
        await operator.paste(f"{CARD}\n8900000000073")
        told = "操作员IC卡号只有一行，粘贴的第二行起没有采用"
        assert operator.message == f"! {told}"
        await operator.press("enter")
        assert f"{told}（核对后再按一次）" in operator.message
        await operator.press("enter")
        assert "已添加到列表" in operator.message
        assert operator.sees(CARD)


async def test_a_reason_is_one_line_in_a_question_too() -> None:
    async with asked(Preview("删除确认", "确定吗？", longest_reason=10)) as actor:
        await actor.press("tab")
        await actor.paste("第一段\n第二段")
        assert actor.sees("第一段_", "这里只有一行，粘贴的第二行起没有采用")
        await actor.type("了")
        assert actor.sees("第一段了_")
        assert not actor.sees("粘贴的第二行")


async def test_a_filter_and_what_is_looked_for_are_one_line(settings: Settings) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.paste("3101\n3205")
        assert operator.sees("查找3101")
        assert operator.message == "! 查找的内容只有一行，粘贴的第二行起没有采用"
        await operator.press("ctrl+f")
        await operator.paste("3302\n3101")
        assert "这里只有一行，粘贴的第二行起没有采用" in operator.dialog
        await operator.press("enter")
        assert operator.sees("筛选3302")


async def test_a_list_of_codes_is_narrowed_by_the_first_line_and_says_so(
    settings: Settings,
) -> None:
    async with at_work(settings, BROKER, "13") as operator:
        await operator.paste("手册\n账册")
        assert "筛选 手册_" in operator.dialog
        assert "只用第一行" in operator.dialog
        await operator.press("backspace")
        assert "只用第一行" not in operator.dialog
        await operator.paste("册\n账册")
        assert "只用第一行" in operator.dialog
        await operator.press("enter")
        assert operator.sees("操作员权限（加工贸易手册）")


async def test_a_reason_that_is_pasted_has_no_tabs_and_no_control_characters() -> None:
    async with asked(Preview("删除确认", "确定吗？")) as actor:
        await actor.press("tab")
        await actor.paste("公司\t搬迁\x1b[31m\u200b了")
        assert actor.sees("公司 搬迁[31m了_")


async def test_a_reason_that_is_too_long_to_paste_is_not_cut() -> None:
    async with asked(Preview("删除确认", "确定吗？", longest_reason=10)) as actor:
        await actor.burst("<tab>", "公司搬迁")
        await actor.paste("代理关系到期不再续签")
        assert actor.sees("公司搬迁_", "最多10个字，再多的没有采用")
        await actor.type("了")
        assert actor.sees("公司搬迁了_")
        assert not actor.sees("最多10个字")
