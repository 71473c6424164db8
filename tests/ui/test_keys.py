"""Keys (spec §4): what the last line and the help say is what the keys do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import eport_tui
from eport_tui.actions import ACTIONS
from eport_tui.settings import Settings
from eport_tui.widgets.bars import Legend
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, Operator, at_login, at_work

TO_THE_LIST = ("<tab>",) * 5

# The keys stand in the same order on every screen, the ways out last.
ORDER = ["F1", "Enter", "Tab", "空格", "F2", "F4", "F5", "F6", "F8", "F9", "F10", "F11"]
ORDER += ["^R", "^Y", "Esc", "F3", "^Q", "F7"]


@dataclass(frozen=True)
class State:
    """A screen and the way there; without a card it is the login screen."""

    screen: str
    card: str
    way: tuple[str, ...] = ()


STATES = {
    "login": State("login", ""),
    "PIN": State("login", "", ("<enter>",)),
    "main menu": State("main_menu", MANUFACTURER),
    "change PIN": State("change_pin", MANUFACTURER, ("<f11>",)),
    "authorization": State("authorization_menu", MANUFACTURER, ("1",)),
    "enterprise grants": State("enterprise_grants", MANUFACTURER, ("11",)),
    "their code field": State("enterprise_grants", MANUFACTURER, ("11", "<tab>")),
    "their list": State("enterprise_grants", MANUFACTURER, ("11", *TO_THE_LIST)),
    "an opened one": State("enterprise_grants", MANUFACTURER, ("11", *TO_THE_LIST, "<enter>")),
    "another day": State("enterprise_grants", MANUFACTURER, ("11", "<ctrl+y>", "+90", "<enter>")),
    "operator grants": State("operator_grants", BROKER, ("12",)),
    "their quick query": State("operator_grants", BROKER, ("12", "<shift+tab>")),
    "their entry": State("operator_grants", BROKER, ("12", "<enter>")),
    "their entry's code field": State("operator_grants", BROKER, ("12", "<enter>", "<shift+tab>")),
    "their operators": State("operator_grants", BROKER, ("12", "<enter>", "<tab>", "<tab>")),
    "permissions": State("permissions", MANUFACTURER, ("13",)),
    "their rows": State("permissions", MANUFACTURER, ("13", "<tab>", "<tab>")),
    "check": State("check", MANUFACTURER, ("14",)),
    "its day": State("check", MANUFACTURER, ("14", "<tab>", "<tab>", "<tab>")),
    "expiry": State("expiry", MANUFACTURER, ("15",)),
    "what will run out": State("expiry", MANUFACTURER, ("15", "<ctrl+y>", "+90", "<enter>")),
    "what is meant to lapse": State("expiry", MANUFACTURER, ("15", "<f8>", "<f2>")),
    "its date": State("expiry", MANUFACTURER, ("15", "<enter>")),
    "replacement": State("replacement", BROKER, ("16",)),
    "what moves": State(
        "replacement", BROKER, ("16", OPERATOR, "<enter>", "8900000000997", "<enter>")
    ),
    "history": State("history", MANUFACTURER, ("17",)),
    "a deletion": State(
        "history", MANUFACTURER, ("11", *TO_THE_LIST, "<f8>", "y", "<escape>", "7")
    ),
    "an operation": State("operation", MANUFACTURER, ("17", "<enter>")),
    "lock": State("lock", MANUFACTURER, ("<f7>", "<f7>")),
}


# Those whose last line is not that of another state, and where the way can be gone again.
LEGENDS = {
    name: state
    for name, state in STATES.items()
    if name
    not in ("their code field", "an opened one", "their quick query", "their entry", "a deletion")
}

pytestmark = pytest.mark.usefixtures("watchful")


@asynccontextmanager
async def at(settings: Settings, state: State) -> AsyncIterator[Operator]:
    """Somebody at a screen."""
    login = at_work(settings, state.card) if state.card else at_login(settings)
    async with login as operator:
        await operator.burst(*state.way)
        assert operator.app.screen.name == state.screen
        if state.screen == "lock":
            await operator.wait_for("按Enter解锁")
        yield operator


def legend(operator: Operator) -> list[tuple[str, str]]:
    """The keys on the last line, with what they do."""
    # A prompt leaves the last line to the screen below.
    bars = [bar for screen in operator.app.screen_stack for bar in screen.query(Legend)]
    return bars[-1].items


def seen(operator: Operator) -> tuple[object, ...]:
    """All that a key can change."""
    if not operator.app.is_running:
        return ()
    screen = operator.app.screen
    return operator.text, screen, screen.focused


async def help_text(operator: Operator) -> str:
    """All that the help says, read to its end."""
    await operator.press("f1")
    pages = [operator.text]
    while True:
        await operator.press("pagedown")
        if operator.text == pages[-1]:
            await operator.press("escape")
            return "\n".join(pages)
        pages.append(operator.text)


def check_last_line(operator: Operator) -> list[str]:
    """The keys on the last line, which is whole, in order, and says what they are bound to."""
    active = operator.app.screen.active_bindings
    for caps, label in legend(operator):
        assert f"{caps}{label}" in operator.legend
        (action,) = [a for a in ACTIONS.values() if (a.caps, a.label) == (caps, label)]
        for key in action.keys:
            bound = active[key].binding.id
            # Where a key does something special it goes by another name.
            assert ACTIONS[bound or "help"].caps == caps, f"{caps} {label}"
    # One of the two is enough where both leave the program.
    labels = [label for caps, label in legend(operator) if caps in ("Esc", "^Q")]
    assert len(set(labels)) == len(labels)
    keys = [caps for caps, _ in legend(operator)]
    assert keys[0] == "F1"
    assert keys == sorted(keys, key=ORDER.index)
    return keys


@pytest.mark.parametrize("screen", dict.fromkeys(state.screen for state in STATES.values()))
async def test_the_last_line_says_what_the_keys_are_bound_to_and_the_help_lists_exactly_them(
    settings: Settings, screen: str
) -> None:
    on_last_line: set[str] = set()
    in_help: set[str] = set()
    for state in STATES.values():
        if state.screen == screen:
            async with at(settings, state) as operator:
                on_last_line.update(check_last_line(operator))
                before = operator.lines[:-3]
                text = await help_text(operator)
                in_help |= set(
                    re.findall(r"^  (F\d+|Esc|Enter|空格|\^[A-Z])  ", text, re.MULTILINE)
                )
                assert operator.lines[:-3] == before
    assert on_last_line - {"Tab"} <= in_help
    # For ^R and ^Y there is no room; on a list the message line tells of them.  ^F and ^O
    # are the same in every list.
    assert in_help - on_last_line <= {"^Q", "^L", "Enter", "空格", "^R", "^Y", "^F", "^O"}


async def test_a_field_s_calendar_is_not_called_a_list(settings: Settings) -> None:
    async with at(settings, STATES["enterprise grants"]) as operator:
        await operator.press("tab")
        assert "F4列表" in operator.legend
        await operator.press("tab", "tab")
        assert operator.at_field == "权限有效期"
        assert "F4日历" in operator.legend
        assert "F4列表" not in operator.legend


@pytest.mark.parametrize("state", LEGENDS.values(), ids=LEGENDS)
async def test_every_key_on_the_last_line_does_something(
    settings: Settings, colleague: Colleague, state: State
) -> None:
    left_to_try: list[str] | None = None
    while left_to_try != []:
        async with at(settings, state) as operator:
            if left_to_try is None:
                left_to_try = [caps for caps, _ in legend(operator)]
            there = True
            while left_to_try and there:
                before = seen(operator)
                caps = left_to_try.pop()
                if caps == "F5":
                    change_something(settings, colleague)
                await operator.press(next(a.keys[0] for a in ACTIONS.values() if a.caps == caps))
                # That the card is pulled or put back is noticed a moment later.
                await until_changed(operator, before, what=f"{caps} to do something")
                there = await is_back(operator, state, before)


async def is_back(operator: Operator, state: State, before: tuple[object, ...]) -> bool:
    """Close what a key has opened, or go the way again; else one has to begin anew."""
    if operator.app.screen.name != "main_menu":
        await operator.press("escape")
    if seen(operator) == before:
        return True
    if seen(operator) and operator.app.screen.name != "main_menu":
        await operator.press("f3")
    if not seen(operator) or operator.app.screen.name != "main_menu":
        return False
    await operator.burst(*state.way)
    return seen(operator)[:1] == before[:1]


async def until_changed(operator: Operator, before: object, *, what: str) -> None:
    await operator.wait_until(lambda: seen(operator) != before, what=what)


def change_something(settings: Settings, colleague: Colleague) -> None:
    """So that there is something new to be seen."""
    colleague.delete(colleague.grant_to(BROKER_CODE, "B1"))
    (settings.cards_dir / "8900000000028.card").unlink()


@pytest.mark.parametrize("key", ["escape", "f12", "f1"])
async def test_the_help_is_left_by_the_keys_that_leave_anything(
    settings: Settings, key: str
) -> None:
    async with at(settings, STATES["enterprise grants"]) as operator:
        await operator.type("310198")
        before = operator.text
        await operator.press("f1")
        assert operator.sees("帮助 - 委托授权系统 / 企业间授权录入")
        await operator.press(key)
        assert operator.text == before


async def test_the_help_says_what_the_screen_is_for(settings: Settings) -> None:
    async with at(settings, STATES["enterprise grants"]) as operator:
        text = "".join((await help_text(operator)).split())
        assert "录入代理企业编号后按Enter" in text
        assert "删除列表中选中的记录" in text


async def test_the_help_of_the_cards_is_about_cards(settings: Settings) -> None:
    async with at(settings, STATES["login"]) as operator:
        text = await help_text(operator)
        assert "重新查看读卡器和卡" in text
        assert "他人刚保存的内容" not in text


async def test_the_help_of_a_list_with_one_order_names_its_column(settings: Settings) -> None:
    async with at(settings, STATES["history"]) as operator:
        text = await help_text(operator)
        assert "跳到时间以此开头的记录" in text
        assert "只列出时间以所录内容开头的记录" in text
        assert "排序" not in text
    async with at(settings, STATES["permissions"]) as operator:
        assert "跳到排序的那一栏以此开头的记录" in await help_text(operator)


async def test_the_help_of_a_screen_without_a_list_names_no_jump(settings: Settings) -> None:
    async with at(settings, STATES["an operation"]) as operator:
        text = await help_text(operator)
        assert "跳到" not in text
        assert "翻看" in text


async def test_a_long_help_says_where_one_is_and_a_short_one_has_no_keys_to_scroll(
    settings: Settings,
) -> None:
    async with at(settings, STATES["enterprise grants"]) as operator:
        await operator.press("f1")
        lines = int(re.findall(r"第1-\d+行，共(\d+)行", operator.text)[0])
        assert "PgUp PgDn滚动" in operator.legend
        await operator.press(*["pagedown"] * 5)
        assert operator.sees(f"-{lines}行，共{lines}行")
    async with at(settings, STATES["an operation"]) as operator:
        await operator.press("f1")
        assert "滚动" not in operator.legend
        assert not operator.sees("行，共")


async def test_the_help_breaks_no_sign_that_may_be_typed(settings: Settings) -> None:
    async with at(settings, STATES["enterprise grants"]) as operator:
        await operator.press("f1")
        for sign in ("20271231、", "2027-12-31、", "+90", "+6m", "+1y"):
            assert any(sign in line for line in operator.lines), sign


# -- the registry --------------------------------------------------------------------

MOVING = {"up", "down", "pageup", "pagedown", "home", "end", "space", "delete"}
TAKEN_BY_TERMINALS = {f"ctrl+{letter}" for letter in "abhijm"}


def own_bindings() -> list[tuple[str, Binding]]:
    """Every binding that the program makes, by the class that makes it."""
    found: list[tuple[str, Binding]] = []
    for module in pkgutil.walk_packages(eport_tui.__path__, "eport_tui."):
        if not re.match(r"eport_tui\.(app|screens|widgets|terminal)", module.name):
            continue
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, DOMNode) and kind.__module__ == module.name:
                found += [(name, binding) for binding in kind.__dict__.get("BINDINGS", ())]
    return found


def test_every_binding_is_in_the_registry() -> None:
    bindings = own_bindings()
    assert len(bindings) > 40
    for name, binding in bindings:
        if binding.id is None:
            assert not binding.show, name
            # A field hands on what is meant for a list.
            meant = ACTIONS.get(binding.action.removeprefix("screen."))
            keys = MOVING.union(meant.keys if meant else ())
            assert set(binding.key.split(",")) <= keys, name
        else:
            assert binding == ACTIONS[binding.id].binding(), name


def test_every_action_of_the_registry_is_bound_somewhere() -> None:
    bound = {ACTIONS[binding.id].keys for _, binding in own_bindings() if binding.id}
    assert {action.keys for action in ACTIONS.values()} == bound


def test_no_key_is_one_that_terminals_and_multiplexers_take() -> None:
    keys = {key for action in ACTIONS.values() for key in action.keys}
    assert not keys & TAKEN_BY_TERMINALS
    assert not {key for key in keys if "alt+" in key or re.match(r"shift\+f\d", key)}


def test_the_keys_are_those_of_the_specification() -> None:
    assert {id: ACTIONS[id].keys for id in ("new", "main_menu", "open_list", "query", "add")} == {
        "new": ("f2",),
        "main_menu": ("f3",),
        "open_list": ("f4",),
        "query": ("f5",),
        "add": ("f6",),
    }
    assert ACTIONS["delete"].keys == ("f8",)
    assert ACTIONS["menu"].keys == ("f9",)
    assert ACTIONS["save"].keys == ("f10", "ctrl+s")
    assert ACTIONS["help"].keys == ("f1",)
    assert ACTIONS["back"].keys == ("escape", "f12")
    assert ACTIONS["repaint"].keys == ("ctrl+l",)
    assert ACTIONS["quit"].keys == ("ctrl+q",)


# -- ways of leaving a dialog ----------------------------------------------------------

DIALOGS = {
    "list": State("enterprise_grants", MANUFACTURER, ("11", "<tab>", "<space>")),
    "calendar": State("enterprise_grants", MANUFACTURER, ("11", *TO_THE_LIST[2:], "<f4>")),
    "context menu": State("enterprise_grants", MANUFACTURER, ("11", *TO_THE_LIST, "<f9>")),
    "question": State("enterprise_grants", MANUFACTURER, ("11", *TO_THE_LIST, "<delete>")),
    "prompt": State("enterprise_grants", MANUFACTURER, ("11", "<f8>")),
    "leaving": State("enterprise_grants", MANUFACTURER, ("11", "3101", "<escape>")),
}


@pytest.mark.parametrize("state", DIALOGS.values(), ids=DIALOGS)
async def test_every_dialog_says_which_keys_it_takes_and_is_left_by_esc_changing_nothing(
    settings: Settings, state: State
) -> None:
    async with at_work(settings, state.card) as operator:
        await operator.burst(*state.way[:-1])
        before, form = operator.text, operator.app.screen.query("Form").first()
        values = form.values()  # type: ignore[attr-defined]
        for key in ("escape", "f12"):
            await operator.burst(state.way[-1])
            assert operator.dialog
            # The screen below a prompt, whose keys it lets through, has no Enter.
            assert "Enter" in operator.legend + operator.dialog
            for caps, label in legend(operator):
                assert f"{caps}{label}" in operator.legend
            await operator.press(key)
            assert operator.dialog == ""
            assert operator.text == before
            assert form.values() == values  # type: ignore[attr-defined]
