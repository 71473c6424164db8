"""What every state of every screen looks like at 80x24, and the main ones at 120x36.

`make snapshots` takes the pictures anew; look at each that has changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from textual.pilot import Pilot

from eport_tui.app import EportApp
from eport_tui.settings import Settings
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, PIN, Operator, end_process

Taken = Callable[..., bool]
Scene = Callable[[Operator], Awaitable[None]]

GRANT = ("3101980001", "<tab>", "95", "<enter>", "<tab>", "20271231")
TO_THE_LIST = ("<tab>",) * 5
NEW_CARD = "8900000000997"
CARDS = (OPERATOR, "<enter>", "8900000000059", "<enter>")
DECLARE = ("<space>", "申报", "<enter>")


def take(
    snap_compare: Taken, settings: Settings, scene: Scene, size: tuple[int, int] = (80, 24)
) -> bool:
    """Play a scene in the program, and compare the picture with the one that was taken before."""
    app = EportApp(settings)

    async def play(pilot: Pilot[None]) -> None:
        operator = Operator(app, pilot)
        await operator.settle()
        await scene(operator)

    try:
        return snap_compare(app, terminal_size=size, run_before=play)
    finally:
        end_process(app)


def at_work(card: str, *what: str) -> Scene:
    """Log in, and type as `Operator.burst` does."""

    async def scene(operator: Operator) -> None:
        await operator.log_in(card)
        await operator.burst(*what)

    return scene


def at_login(*what: str) -> Scene:
    """Type on the login screen."""

    async def scene(operator: Operator) -> None:
        await operator.burst(*what)

    return scene


async def ending_soon(operator: Operator) -> None:
    await operator.insert("JJ7G000000073")


STATES: dict[str, Scene] = {
    "login": at_login(),
    "login-PIN": at_login("<enter>", "888"),
    "login-wrong-PIN": at_login("<enter>", "12345678", "<enter>"),
    "login-ending-soon": ending_soon,
    "main-menu": at_work(MANUFACTURER),
    "change-PIN": at_work(MANUFACTURER, "<f11>", PIN, "<enter>", "1234"),
    "authorization-menu": at_work(MANUFACTURER, "1", "<down>"),
    "not-a-legal-person": at_work(OPERATOR, "11"),
    "enterprise-grants": at_work(MANUFACTURER, "11"),
    "enterprise-grants-filled": at_work(MANUFACTURER, "11", *GRANT),
    "enterprise-grants-fault": at_work(MANUFACTURER, "11", "3101989999", "<enter>"),
    "enterprise-grants-codes": at_work(MANUFACTURER, "11", "<tab>", "<space>"),
    "enterprise-grants-calendar": at_work(MANUFACTURER, "11", *TO_THE_LIST[2:], "<space>"),
    "enterprise-grants-saved": at_work(MANUFACTURER, "11", *GRANT, "<f10>"),
    "enterprise-grants-standing": at_work(MANUFACTURER, "11", "3205980002", *GRANT[1:], "<f10>"),
    "enterprise-grants-renewal": at_work(
        MANUFACTURER, "11", "3101980001", "<tab>", "Z8", *GRANT[3:], "<f10>"
    ),
    "enterprise-grants-opened": at_work(MANUFACTURER, "11", *TO_THE_LIST, "<enter>"),
    "enterprise-grants-list": at_work(MANUFACTURER, "11", *TO_THE_LIST, "<down>"),
    "enterprise-grants-menu": at_work(MANUFACTURER, "11", *TO_THE_LIST, "<down>", "<f9>"),
    "enterprise-grants-deletion": at_work(MANUFACTURER, "11", *TO_THE_LIST, "<delete>"),
    "enterprise-grants-none-selected": at_work(MANUFACTURER, "11", "<f8>"),
    "enterprise-grants-unsaved": at_work(MANUFACTURER, "11", *GRANT, "<escape>"),
    "help": at_work(MANUFACTURER, "11", "<f1>"),
    "operator-grants": at_work(BROKER, "12"),
    "operator-grants-not-found": at_work(BROKER, "12", *["<shift+tab>"] * 2, "99", "<f5>"),
    "operator-grants-added": at_work(BROKER, "12", "<enter>", NEW_CARD, "<f6>"),
    "operator-grants-to-all": at_work(
        BROKER, "12", "<enter>", "<shift+tab>", "<space>", "S", "<enter>"
    ),
    "operator-grants-replacing": at_work(
        BROKER, "12", "<enter>", "<shift+tab>", "<space>", "S", "<enter>", "<f6>"
    ),
    "operator-grants-deletion": at_work(BROKER, "12", "<enter>", "<tab>", "<tab>", "<delete>"),
    "history": at_work(MANUFACTURER, "17", "<down>"),
    "history-of-a-grant": at_work(MANUFACTURER, "11", *TO_THE_LIST, "<ctrl+r>"),
    "history-of-an-operation": at_work(MANUFACTURER, "17", "<down>", "<enter>"),
    "history-reinstating": at_work(
        MANUFACTURER, "11", *TO_THE_LIST, "<delete>", "y", "<escape>", "7", "<f6>"
    ),
    "another-day": at_work(MANUFACTURER, "11", "<ctrl+y>", "20260630", "<enter>"),
    "another-day-asked": at_work(MANUFACTURER, "11", "<ctrl+y>", "2026-13-01", "<enter>"),
    "another-day-of-operators": at_work(BROKER, "12", "<ctrl+y>", "+40", "<enter>"),
    "shortening": at_work(
        *(MANUFACTURER, "11", *TO_THE_LIST, "<enter>", "<ctrl+u>", "+9", "<f10>", "<tab>"),
        "代理合同变更",
    ),
    "permissions": at_work(BROKER, "13", "<tab>", "<tab>", "<down>"),
    "permissions-of-a-card": at_work(BROKER, "13", "<tab>", "8900000000059", "<enter>"),
    "permissions-none": at_work(MANUFACTURER, "13", "<space>", "X2", "<enter>"),
    "check": at_work(OPERATOR, "14"),
    "check-allowed": at_work(OPERATOR, "13", "<f11>"),
    "check-denied": at_work(
        OPERATOR, "14", "3101440001", *["<enter>"] * 2, "<space>", "Z8", "<enter>", *DECLARE
    ),
    "check-a-long-way": at_work(
        BROKER,
        *("14", BROKER, "<enter>", "<enter>", "3199940009", "<enter>", "20260101", "<enter>"),
        *("<space>", "Z7", "<enter>", "<space>", "报关", "<enter>"),
    ),
    "check-fault": at_work(OPERATOR, "14", "310144", "<f5>"),
    "expiry": at_work(MANUFACTURER, "15", "<down>"),
    "expiry-renewal": at_work(MANUFACTURER, "15", "<f6>", "<enter>", "+1y", "<f10>"),
    "expiry-renewed": at_work(MANUFACTURER, "15", "<space>", "<enter>", "+1y", "<f10>", "y"),
    "expiry-lapsing": at_work(MANUFACTURER, "15", "<f8>", "<f2>"),
    "expiry-received": at_work(BROKER, "15", "<f6>", "<f10>"),
    "expiry-none": at_work(MANUFACTURER, "15", "<f6>", "<f8>", "<f5>"),
    "replacement": at_work(BROKER, "16"),
    "replacement-listed": at_work(BROKER, "16", *CARDS),
    "replacement-question": at_work(BROKER, "16", *CARDS, "<f10>"),
    "replacement-done": at_work(BROKER, "16", *CARDS, "<f10>", "y"),
    "replacement-fault": at_work(BROKER, "16", OPERATOR, "<enter>", BROKER, "<enter>"),
}

LARGE = (
    "login",
    "main-menu",
    "enterprise-grants-opened",
    "operator-grants-added",
    "permissions",
    "check-denied",
)
FEW_COLOURS = (
    "check-denied",
    "enterprise-grants-fault",
    "enterprise-grants-deletion",
    "operator-grants-added",
)


@pytest.mark.parametrize("state", STATES)
def test_at_80x24(settings: Settings, snap_compare: Taken, state: str) -> None:
    assert take(snap_compare, settings, STATES[state])


@pytest.mark.parametrize("state", LARGE)
def test_at_120x36(settings: Settings, snap_compare: Taken, state: str) -> None:
    assert take(snap_compare, settings, STATES[state], (120, 36))


@pytest.mark.parametrize("state", FEW_COLOURS)
def test_in_16_colours(
    settings: Settings, snap_compare: Taken, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "standard")
    assert take(snap_compare, settings, STATES[state])


@pytest.mark.parametrize("state", FEW_COLOURS)
def test_without_colours(
    settings: Settings, snap_compare: Taken, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert take(snap_compare, settings, STATES[state])


# -- states that others or the files bring about -----------------------------------------


def test_login_without_a_card(settings: Settings, snap_compare: Taken) -> None:
    for card in settings.cards_dir.glob("*.card"):
        card.unlink()
    assert take(snap_compare, settings, at_login())


def test_login_with_a_damaged_card(settings: Settings, snap_compare: Taken) -> None:
    card = settings.cards_dir / f"{BROKER}.card"
    card.write_bytes(card.read_bytes()[:100])
    assert take(snap_compare, settings, at_login("<down>", "<down>", "<enter>"))


def test_login_with_a_broken_database(
    settings: Settings, snap_compare: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path that is the same on every machine.
    settings.database.write_bytes(b"")
    monkeypatch.chdir(settings.database.parent)
    monkeypatch.setattr(Path, "absolute", lambda path: path)
    object.__setattr__(settings, "database", Path("eport.db"))
    assert take(snap_compare, settings, at_login())


def test_a_conflict(settings: Settings, snap_compare: Taken, colleague: Colleague) -> None:
    async def scene(operator: Operator) -> None:
        await at_work(MANUFACTURER, "11", *TO_THE_LIST, "<enter>")(operator)
        colleague.change(colleague.grant_to(BROKER_CODE, "B1"), date(2028, 8, 8))
        await operator.clear()
        await operator.burst("20290101", "<f10>")

    assert take(snap_compare, settings, scene)


def test_a_grant_that_was_interrupted(
    settings: Settings, snap_compare: Taken, colleague: Colleague
) -> None:
    colleague.change(colleague.grant_to("3205980002", "95", "X2"), date(2026, 12, 1))
    assert take(snap_compare, settings, at_work(MANUFACTURER, "15", "<space>"))


def test_names_that_try_to_break_the_screen(
    settings: Settings, snap_compare: Taken, colleague: Colleague
) -> None:
    for number, name in enumerate(
        ("甲[bold]乙[/bold]公司", "甲\x1b[31m乙公司", "甲公司\n第二行", "长" * 200)
    ):
        colleague.register(f"310198007{number}", name)
        colleague.grant(f"310198007{number}", "95")
    scene = at_work(MANUFACTURER, "11", *TO_THE_LIST, *["<down>"] * 6, "<enter>")
    assert take(snap_compare, settings, scene)


def test_a_list_that_is_longer_than_the_screen(
    settings: Settings, snap_compare: Taken, colleague: Colleague
) -> None:
    colleague.grant_to_many(300)
    scene = at_work(MANUFACTURER, "11", *TO_THE_LIST, "<end>", "<up>")
    assert take(snap_compare, settings, scene)


def test_a_draft_that_is_offered(settings: Settings, snap_compare: Taken) -> None:
    async def scene(operator: Operator) -> None:
        await at_work(MANUFACTURER, "11", "3101980001", "<tab>")(operator)
        await operator.press("f7", "escape")
        await operator.log_in(MANUFACTURER)

    assert take(snap_compare, settings, scene)


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("put_back", [False, True], ids=["card-away", "card-back"])
def test_the_lock(settings: Settings, snap_compare: Taken, put_back: bool) -> None:
    async def scene(operator: Operator) -> None:
        await at_work(MANUFACTURER, "11", "<f7>")(operator)
        await operator.wait_for("请插入原来的卡")
        if put_back:
            await operator.press("f7")
            await operator.wait_for("按Enter解锁")

    assert take(snap_compare, settings, scene)
