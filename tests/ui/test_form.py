"""A form and its fields: values, grounds, the cursor, and what is told to the screen."""

from __future__ import annotations

import pytest
from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget

from eport_tui.domain.codes import Code, CodeTable
from eport_tui.widgets.field import CodeField, ListWanted, TextField
from eport_tui.widgets.form import Field, Form, Ground
from eport_tui.widgets.limits import at_most
from tests.ui.stage import on_stage

COLOURS = CodeTable("颜色", [Code("R", "红"), Code("B", "蓝"), Code("X", "旧", retired=True)])


class Listener(Widget):
    """A form, and what it tells."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []
        self.form = Form(
            [
                [Field("own", "本企业编号", width=10), Field("own_name", "名称")],
                [
                    Field("agent", "代理企业编号", Ground.REQUIRED, 12, hint="十位"),
                    Field("colour", "颜色", Ground.OPTIONAL, 8, COLOURS),
                ],
                [
                    Field("until", "有效期", Ground.REQUIRED, 12, opens_list=True),
                    Field("short", "短", Ground.OPTIONAL, 6, limit=at_most(4)),
                ],
            ]
        )

    def compose(self) -> ComposeResult:
        yield self.form

    def on_form_left(self, message: Form.Left) -> None:
        self.heard.append(message)

    def on_form_entered(self, message: Form.Entered) -> None:
        self.heard.append(message)

    def on_form_edited(self, message: Form.Edited) -> None:
        self.heard.append(message)

    def on_list_wanted(self, message: ListWanted) -> None:
        self.heard.append(message)

    def of(self, kind: type[Message]) -> list[Message]:
        """What was told of one kind."""
        return [message for message in self.heard if isinstance(message, kind)]


async def test_marks_labels_and_values_are_drawn() -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.set_value("own", "3101440001")
        listener.form.set_value("own_name", "甲[bold]公司\x1b[31m")
        await actor.settle()
        assert actor.value("本企业编号") == "3101440001"
        assert actor.value("名称") == "甲[bold]公司␛[31m"
        assert actor.sees("= 本企业编号", "* 代理企业编号", "+ 颜色", "* 有效期", "+ 短")
        assert actor.at_field == "代理企业编号"


async def test_typing_is_told_and_filling_in_is_not() -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.set_value("agent", "31")
        await actor.settle()
        assert listener.of(Form.Edited) == []
        await actor.type("0")
        assert [message.field for message in listener.of(Form.Edited)] == ["agent"]
        assert listener.form.values() == {"agent": "310", "colour": "", "until": "", "short": ""}


async def test_leaving_a_field_and_entering_one_is_told() -> None:
    async with on_stage(listener := Listener()) as actor:
        await actor.burst("3101", "<tab>")
        assert [(left.field, left.form.value(left.field)) for left in listener.of(Form.Left)] == [
            ("agent", "3101")
        ]
        assert [entered.field for entered in listener.of(Form.Entered)] == ["agent", "colour"]
        assert listener.form.current == "colour"


async def test_a_locked_field_is_grey_and_skipped_and_keeps_its_value() -> None:
    async with on_stage(listener := Listener()) as actor:
        form = listener.form
        form.set_value("agent", "3101")
        form.set_locked("agent", "colour")
        await actor.settle()
        assert form.fields == ["until", "short"]
        assert actor.sees("= 代理企业编号 3101", "= 颜色", "* 有效期")
        form.focus_field("agent")
        await actor.type("+90")
        assert form.value("until") == "+90"
        assert form.value("agent") == "3101"
        form.set_locked()
        form.focus_field("agent")
        await actor.type("9")
        assert form.value("agent") == "31019"


async def test_one_field_at_most_is_marked_as_being_at_fault() -> None:
    async with on_stage(listener := Listener()):
        form = listener.form
        form.mark_error("agent")
        form.mark_error("until")
        assert [id for id in form.fields if form.widget_of(id).has_class("-error")] == ["until"]
        form.mark_error(None)
        assert [id for id in form.fields if form.widget_of(id).has_class("-error")] == []


async def test_a_long_text_scrolls_with_the_cursor_and_back_again() -> None:
    async with on_stage(listener := Listener()) as actor:
        await actor.type("0123456789ABCDEF")
        assert actor.value("代理企业编号") == "56789ABCDEF"
        await actor.press(*["backspace"] * 10)
        assert actor.value("代理企业编号") == "012345"
        await actor.press("home")
        await actor.type("九")
        assert listener.form.value("agent") == "九012345"


async def test_a_value_that_is_filled_in_is_seen_from_its_beginning() -> None:
    async with on_stage(listener := Listener()) as actor:
        await actor.type("３１０１９８０００１")
        listener.form.set_value("agent", "3101980001")
        await actor.settle()
        assert actor.value("代理企业编号") == "3101980001"


async def test_no_more_is_taken_than_fits() -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field("short")
        await actor.type("12345")
        assert listener.form.value("short") == "1234"


NOTHING_THERE = ["ctrl+k", "ctrl+backspace", "shift+end", "shift+right", "ctrl+v", "ctrl+c"]


@pytest.mark.parametrize("field", ["until", "short"])
@pytest.mark.parametrize("key", NOTHING_THERE)
async def test_a_key_that_has_nothing_to_do_at_the_end_leaves_what_is_to_be_replaced(
    key: str, field: str
) -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field(field)
        await actor.type("2026")
        listener.form.select_text(field)
        await actor.press(key)
        assert listener.form.value(field) == "2026"
        await actor.type("7")
        assert listener.form.value(field) == "7"


@pytest.mark.parametrize("key", ["backspace", "delete", "ctrl+d", "ctrl+u", "ctrl+w"])
async def test_a_key_that_deletes_takes_all_that_is_selected(key: str) -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field("until")
        await actor.type("2026")
        listener.form.select_text("until")
        await actor.press(key)
        assert listener.form.value("until") == ""


@pytest.mark.parametrize("key", ["end", "ctrl+e", "right"])
async def test_who_moves_to_the_end_goes_on_with_what_is_there(key: str) -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field("until")
        await actor.type("2026")
        listener.form.select_text("until")
        await actor.burst(f"<{key}>", "7")
        assert listener.form.value("until") == "20267"


async def test_what_is_on_the_right_is_deleted_and_selected_as_before() -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field("until")
        await actor.burst("2026", "<home>", "<right>", "<ctrl+k>")
        assert listener.form.value("until") == "2"
        await actor.burst("027-5", "<home>", "<ctrl+backspace>")
        assert listener.form.value("until") == "5"
        await actor.burst("678", "<home>", "<right>", "<shift+end>", "<ctrl+x>")
        assert listener.form.value("until") == "6"
        await actor.press("ctrl+v")
        assert listener.form.value("until") == "6785"


async def test_one_line_of_a_paste_is_taken() -> None:
    async with on_stage(listener := Listener()) as actor:
        await actor.paste("  3101980001\t\r\n上海样例\r\n")
        assert listener.form.value("agent") == "3101980001"


async def test_control_characters_of_a_paste_are_left_out() -> None:
    async with on_stage(Listener()) as actor:
        await actor.paste("31\x1b[31m01")
        assert "\x1b" not in actor.text
        assert actor.value("代理企业编号") == "31[31m01"


@pytest.mark.parametrize(
    ("key", "typed"), [("space", ""), ("j", "j"), ("9", "9")], ids=["space", "letter", "digit"]
)
async def test_a_code_field_asks_for_its_list(key: str, typed: str) -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.focus_field("colour")
        await actor.burst(f"<{key}>" if key == "space" else key)
        (wanted,) = listener.of(ListWanted)
        assert (wanted.field, wanted.typed) == ("colour", typed)


async def test_a_click_on_a_code_field_asks_for_its_list() -> None:
    async with on_stage(listener := Listener()) as actor:
        listener.form.set_value("colour", "R")
        await actor.settle()
        await actor.click("红")
        assert [wanted.field for wanted in listener.of(ListWanted)] == ["colour"]


async def test_space_opens_the_list_only_where_there_is_one() -> None:
    async with on_stage(listener := Listener()) as actor:
        await actor.press("space")
        assert listener.of(ListWanted) == []
        assert listener.form.value("agent") == " "
        listener.form.focus_field("until")
        await actor.press("space")
        assert [wanted.field for wanted in listener.of(ListWanted)] == ["until"]
        assert listener.form.value("until") == ""


async def test_a_retired_or_unknown_code_is_still_shown() -> None:
    async with on_stage(listener := Listener()) as actor:
        for code, shown in (("X", "旧"), ("??", "??"), ("", "")):
            listener.form.set_value("colour", code)
            await actor.settle()
            assert actor.value("颜色") == shown


@pytest.mark.parametrize("width", [80, 100, 120, 200])
async def test_fields_stand_behind_their_labels_and_apart(width: int) -> None:
    async with on_stage(listener := Listener(), size=(width, 24)) as actor:
        listener.form.set_value("agent", "M" * 12)
        listener.form.set_value("own_name", "名" * 200)
        await actor.settle()
        for field, label in (("agent", "代理企业编号"), ("until", "有效期"), ("short", "短")):
            region = listener.form.widget_of(field).region
            x, y = actor.place_of(label)
            assert region.y == y
            assert region.x > x + 2 * len(label)
            assert region.right < width
        regions = [listener.form.widget_of(field).region for field in listener.form.fields]
        assert not any(a.overlaps(b) for n, a in enumerate(regions) for b in regions[n + 1 :])
        strips = actor.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {width}


async def test_the_cursor_is_where_the_next_character_appears() -> None:
    async with on_stage(listener := Listener()) as actor:
        field = listener.form.widget_of("agent")
        assert isinstance(field, TextField)
        start = field.cursor_screen_offset
        await actor.type("九1")
        assert field.cursor_screen_offset == (start.x + 3, start.y)
        await actor.press("home")
        assert field.cursor_screen_offset == start


async def test_a_mouse_click_enters_a_field() -> None:
    async with on_stage(listener := Listener()) as actor:
        region = listener.form.widget_of("until").region
        await actor.click_at(region.x, region.y)
        assert listener.form.current == "until"
        assert [left.field for left in listener.of(Form.Left)] == ["agent"]


def test_fields_know_whether_they_have_a_list() -> None:
    assert CodeField.opens_list is True
    assert TextField(id="a", width=3).opens_list is False
    assert events.Key("space", " ").is_printable
