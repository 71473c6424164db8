"""Flows: what goes on over several messages, while others end, lock or give up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eport_tui.card import software
from eport_tui.card.software import SoftwareCard
from eport_tui.errors import StoreError
from eport_tui.services import drafts, history
from eport_tui.settings import Settings
from eport_tui.store import ledger
from eport_tui.widgets import bars
from tests.ui.colleague import BROKER_CODE, Colleague
from tests.ui.operator import MANUFACTURER, OPERATOR, PATIENCE, PIN, Operator, at_login, at_work
from tests.ui.test_change_pin import NEW
from tests.ui.test_faults import GRANT, taken
from tests.ui.test_lock import LOCKED, PUT_BACK, Clock, file_gone, half_a_grant, put_back, unlock

TOO_LATE = "已来不及取消，正在等待结果。再按Esc不再等待"
GRANTS = "委托授权系统 / 企业间授权录入"


class Gate:
    """Where threads have to wait while it is shut; it is open at first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._opened = threading.Event()
        self.open()

    def before(self, owner: object, name: str) -> None:
        """Have a function wait at the gate before it does anything."""
        real = getattr(owner, name)

        def call(*arguments: object, **options: object) -> object:
            self.wait()
            return real(*arguments, **options)

        self._patch.setattr(owner, name, call)

    def wait(self) -> None:
        assert self._opened.wait(PATIENCE)

    def shut(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


async def give_up(operator: Operator, *keys: str) -> None:
    """Press keys of which something comes that takes its time, and Esc then."""
    operator.send(*keys)
    await operator.wait_while_busy()
    operator.send("<escape>")


async def threads_are_done(operator: Operator) -> None:
    """Wait for what the threads still have to do."""
    app = operator.app
    await operator.wait_until(app.steps.data.submit(int).done)
    await operator.wait_until(app.steps.card.submit(int).done)


# -- given up in time ------------------------------------------------------------------


async def test_a_deletion_given_up_while_the_card_signs_is_not_done_later(
    settings: Settings, colleague: Colleague, gate: Gate
) -> None:
    gate.before(SoftwareCard, "sign")
    async with at_work(settings, typed="11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        gate.shut()
        await give_up(operator, "y")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        gate.open()
        await threads_are_done(operator)
        assert operator.sees("第1条 共5条")
        assert operator.message == "x 已取消"
    assert len(colleague.made()) == 5


async def test_a_save_given_up_while_the_card_signs_leaves_the_form_for_another_try(
    settings: Settings, colleague: Colleague, gate: Gate
) -> None:
    gate.before(SoftwareCard, "sign")
    async with at_work(settings, typed="11") as operator:
        await operator.burst(*GRANT)
        before = operator.lines[:-3]
        gate.shut()
        await give_up(operator, "<f10>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        gate.open()
        await threads_are_done(operator)
        assert operator.lines[:-3] == before
        assert len(colleague.made()) == 5
        await operator.press("f10")
        assert "保存成功" in operator.dialog
    assert len(colleague.made()) == 6


async def test_marks_stay_where_letting_grants_lapse_is_given_up(
    settings: Settings, gate: Gate
) -> None:
    gate.before(SoftwareCard, "sign")
    async with at_work(settings, typed="15") as operator:
        await operator.press("space")
        before = operator.lines[:-3]
        gate.shut()
        await give_up(operator, "<f8>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        assert operator.lines[:-3] == before
        gate.open()


# -- too late --------------------------------------------------------------------------


async def test_a_save_that_is_being_written_is_waited_for_and_told_as_it_comes_out(
    settings: Settings, gate: Gate
) -> None:
    gate.before(ledger, "append")
    async with at_work(settings, typed="11") as operator:
        await operator.burst(*GRANT)
        gate.shut()
        await give_up(operator, "<f10>")
        await operator._wait_until(lambda: TOO_LATE in operator.message, "being too late")
        gate.open()
        await operator.wait_for("保存成功")
        await operator.press("enter")
        assert operator.sees("共6条")


async def test_who_does_not_wait_for_it_either_is_told_that_the_outcome_is_unknown(
    settings: Settings, colleague: Colleague, gate: Gate
) -> None:
    gate.before(ledger, "append")
    async with at_work(settings, typed="11") as operator:
        await operator.burst(*GRANT)
        gate.shut()
        await give_up(operator, "<f10>")
        await operator._wait_until(lambda: TOO_LATE in operator.message, "being too late")
        await operator.press("escape")
        assert "没有等到结果，刚才的操作可能已经完成，也可能没有" in operator.message
        assert operator.value("代理企业编号") == BROKER_CODE
        gate.open()
        await threads_are_done(operator)
        await operator.press("f5")
        assert operator.sees("共6条")


async def test_a_list_that_is_not_read_again_does_not_hide_that_something_was_saved(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    forget = drafts.forget
    async with at_work(settings, typed="11") as operator:
        await operator.burst(*GRANT)

        def forget_and_hold_up_what_comes_next(*arguments: object) -> None:
            forget(*arguments)  # type: ignore[arg-type]
            operator.app.steps.data.submit(gate.wait)

        monkeypatch.setattr(drafts, "forget", forget_and_hold_up_what_comes_next)
        gate.shut()
        await give_up(operator, "<f10>")
        told = "已保存，但列表没有重新读出：已取消（请按F5刷新）"
        await operator.wait_until(lambda: told in operator.message)
        assert operator.value("代理企业编号") == ""
        gate.open()
        await operator.press("f5")
        assert operator.sees("共6条")


# -- PINs ------------------------------------------------------------------------------


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> list[tuple[bytes, bytearray]]:
    """What the card was given as PINs, and the buffers, which it is given at the gate."""
    given: list[tuple[bytes, bytearray]] = []
    verify, change = SoftwareCard.verify_pin, SoftwareCard.change_pin

    def verifies(self: SoftwareCard, pin: bytearray) -> None:
        gate.wait()
        given.append((bytes(pin), pin))
        verify(self, pin)

    def changes(self: SoftwareCard, old: bytearray, new: bytearray) -> None:
        gate.wait()
        given.extend([(bytes(old), old), (bytes(new), new)])
        change(self, old, new)

    monkeypatch.setattr(SoftwareCard, "verify_pin", verifies)
    monkeypatch.setattr(SoftwareCard, "change_pin", changes)
    return given


def tries(settings: Settings) -> str:
    return (settings.cards_dir / f"{MANUFACTURER}.tries").read_text().split()[0]


async def test_no_wiped_pin_is_ever_given_to_the_card_and_each_is_wiped_then(
    settings: Settings, gate: Gate, pins: list[tuple[bytes, bytearray]]
) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.type(PIN)
        gate.shut()
        await give_up(operator, "<enter>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        gate.open()
        await threads_are_done(operator)
        assert tries(settings) == "5"
        await operator.type(PIN)
        await operator.press("enter")
        assert operator.place == "主选单"
        await operator.type("3")
        gate.shut()
        await give_up(operator, PIN, "<enter>", NEW, "<enter>", NEW, "<enter>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        gate.open()
        await threads_are_done(operator)
        assert tries(settings) == "5"
    assert [pin.decode() for pin, _ in pins] == [PIN, PIN, PIN, NEW]
    assert not any(any(buffer) for _, buffer in pins)


async def test_a_pin_that_is_being_changed_is_not_called_given_up(
    settings: Settings, gate: Gate
) -> None:
    gate.before(software, "seal")
    async with at_work(settings, typed="3") as operator:
        gate.shut()
        await give_up(operator, PIN, "<enter>", NEW, "<enter>", NEW, "<enter>")
        await operator._wait_until(lambda: TOO_LATE in operator.message, "being too late")
        gate.open()
        await operator.wait_for("密码已修改")
    async with at_login(settings) as operator:
        await operator.log_in(MANUFACTURER, NEW)
        assert operator.place == "主选单"


async def test_a_pin_whose_change_is_not_waited_for_may_be_the_new_one(
    settings: Settings, gate: Gate
) -> None:
    gate.before(software, "seal")
    async with at_work(settings, typed="3") as operator:
        gate.shut()
        await give_up(operator, PIN, "<enter>", NEW, "<enter>", NEW, "<enter>")
        await operator._wait_until(lambda: TOO_LATE in operator.message, "being too late")
        await operator.press("escape")
        assert "密码可能已修改，也可能没有（下次请先试新密码）" in operator.message
        gate.open()
        await threads_are_done(operator)


async def test_a_login_that_is_not_waited_for_does_not_stay_unlocked(
    settings: Settings, gate: Gate
) -> None:
    gate.before(software._Content, "open")
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.type(PIN)
        gate.shut()
        await give_up(operator, "<enter>")
        await operator._wait_until(lambda: TOO_LATE in operator.message, "being too late")
        await operator.press("escape")
        assert "没有等到密码验证的结果，可能已用去一次机会" in operator.message
        session = operator.app.screen._session  # type: ignore[attr-defined]
        gate.open()
        await threads_are_done(operator)
        assert not session.unlocked
        await operator.type(PIN)
        await operator.press("enter")
        assert operator.place == "主选单"


# -- the lock --------------------------------------------------------------------------


async def comes_back(operator: Operator, settings: Settings) -> None:
    """Put the card back and unlock."""
    put_back(settings)
    await operator.wait_for(PUT_BACK)
    await unlock(operator)


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize(("key", "place"), [("escape", "委托授权系统"), ("f3", "主选单")])
async def test_a_screen_that_is_being_left_is_left_only_when_the_lock_is_gone(
    settings: Settings, key: str, place: str
) -> None:
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.press(key)
        with taken(settings.database):
            operator.send("y")
            await operator.wait_while_busy()
            file_gone(settings)
            await operator._wait_until(lambda: operator.place == LOCKED, "the lock")
        await threads_are_done(operator)
        assert operator.place == LOCKED
        await comes_back(operator, settings)
        assert operator.place == place


@pytest.mark.usefixtures("watchful")
async def test_a_screen_that_is_being_opened_does_not_cover_the_lock(
    settings: Settings, gate: Gate
) -> None:
    gate.before(history, "signer")
    async with at_work(settings, typed="17") as operator:
        gate.shut()
        operator.send("<enter>")
        await operator.wait_while_busy()
        await locks(operator, settings)
        gate.open()
        await threads_are_done(operator)
        assert operator.place == LOCKED
        await comes_back(operator, settings)
        assert operator.sees("操作卡号")


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize(
    "late",
    [
        lambda dialog, screen: dialog.dismiss(True),
        lambda dialog, screen: screen.action_help(),
        lambda dialog, screen: screen.action_back(),
    ],
    ids=["answer", "help", "back"],
)
async def test_a_key_that_takes_effect_only_when_the_lock_is_there_leaves_it_there(
    settings: Settings, late: Callable[[Any, Any], object]
) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.press(*["tab"] * 5, "delete")
        screens = operator.app.screen_stack
        file_gone(settings)
        await operator.wait_until(lambda: operator.place == LOCKED)
        late(screens[-1], screens[-2])
        await operator.settle()
        assert operator.place == LOCKED
        assert operator.dialog == ""
        await operator.press("escape")
        assert operator.sees("请插入IC卡或Ikey")


async def locks(operator: Operator, settings: Settings) -> None:
    """Pull the card while something is under way."""
    file_gone(settings)
    await operator._wait_until(lambda: operator.place == LOCKED, "the lock")


DELETE = (*["<tab>"] * 5, "<delete>", "y")


@pytest.mark.usefixtures("watchful")
async def test_what_goes_wrong_behind_the_lock_is_told_on_its_screen_when_that_is_back(
    settings: Settings, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise StoreError("读不到", hint="请再试")

    monkeypatch.setattr(history, "signer", fails)
    gate.before(history, "signer")
    async with at_work(settings, typed="17") as operator:
        gate.shut()
        operator.send("<enter>")
        await operator.wait_while_busy()
        await locks(operator, settings)
        gate.open()
        await threads_are_done(operator)
        await operator.wait_for("请插入原来的卡")
        assert not operator.sees("读不到")
        await comes_back(operator, settings)
        assert operator.message == "x 读不到（请再试）"


@pytest.mark.usefixtures("watchful")
async def test_what_the_lock_has_broken_off_is_told_when_it_is_gone(
    settings: Settings, gate: Gate
) -> None:
    gate.before(SoftwareCard, "sign")
    async with at_work(settings, typed="11") as operator:
        gate.shut()
        operator.send(*DELETE)
        await operator.wait_while_busy()
        await locks(operator, settings)
        gate.open()
        await threads_are_done(operator)
        await comes_back(operator, settings)
        assert operator.message == "x 刚才的操作因程序锁定而中断，请核对后重新操作"
        await operator.press("f5")
        assert operator.sees("共5条")


@pytest.mark.usefixtures("watchful")
async def test_what_was_done_behind_the_lock_can_be_read_after_it(
    settings: Settings, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, bars)
    monkeypatch.setattr(bars, "READING_SECONDS", 1)
    gate.before(ledger, "append")
    async with at_work(settings, typed="11") as operator:
        gate.shut()
        operator.send(*DELETE)
        await operator.wait_while_busy()
        await locks(operator, settings)
        gate.open()
        await threads_are_done(operator)
        clock.minutes += 1
        await comes_back(operator, settings)
        await operator.press("down")
        assert "已删除授权" in operator.message
        clock.minutes += 1
        await operator.press("up")
        assert "已删除授权" not in operator.message


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("keys", [DELETE, ("<shift+tab>", "<ctrl+o>")], ids=["flow", "list"])
async def test_esc_at_the_lock_logs_out_whatever_is_under_way_behind_it(
    settings: Settings, gate: Gate, keys: tuple[str, ...]
) -> None:
    async with at_work(settings, typed="11") as operator:
        await operator.burst(*keys[:-1])
        gate.shut()
        operator.app.steps.data.submit(gate.wait)
        operator.send(keys[-1])
        await operator.wait_while_busy()
        await locks(operator, settings)
        await operator._wait_until(lambda: operator.sees("请插入原来的卡"), "the lock")
        assert not operator.sees("正在处理")
        await operator.press("escape")
        assert operator.sees("请插入IC卡或Ikey")
        gate.open()
        await threads_are_done(operator)
        put_back(settings)
        await operator.log_in()
        await operator.type("11")
        assert operator.sees("共5条")


@pytest.mark.usefixtures("watchful")
async def test_what_was_typed_is_kept_where_esc_at_the_lock_has_to_wait_for_a_save(
    settings: Settings, gate: Gate
) -> None:
    gate.before(SoftwareCard, "sign")
    async with at_work(settings) as operator:
        await half_a_grant(operator)
        await operator.type("1231")
        gate.shut()
        operator.send("<f10>")
        await operator.wait_while_busy()
        await locks(operator, settings)
        operator.send("<escape>")
        await operator.wait_while_busy()
        assert operator.place == LOCKED
        gate.open()
        await operator.wait_for("请插入IC卡或Ikey")
        put_back(settings)
        await operator.log_in()
        assert "上次未保存的录入" in operator.dialog
        await operator.type("y")
        assert operator.value("权限有效期") == "20271231"
        assert operator.sees("共5条")


@pytest.mark.usefixtures("watchful")
async def test_what_is_under_way_behind_the_lock_keeps_nobody_from_unlocking(
    settings: Settings, gate: Gate
) -> None:
    gate.before(history, "signer")
    async with at_work(settings, typed="17") as operator:
        gate.shut()
        operator.send("<enter>")
        await operator.wait_while_busy()
        await locks(operator, settings)
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        await operator.type(PIN)
        assert operator.value("密码") == "********"
        operator.send("<enter>")
        await operator.wait_while_busy()
        assert operator.place != LOCKED
        await operator.press("escape")
        assert operator.message == "x 已取消"


@pytest.mark.usefixtures("watchful")
async def test_esc_gives_up_what_the_lock_itself_waits_for(settings: Settings, gate: Gate) -> None:
    gate.before(SoftwareCard, "verify_pin")
    async with at_work(settings, typed="11") as operator:
        await locks(operator, settings)
        put_back(settings)
        await operator.wait_for(PUT_BACK)
        gate.shut()
        await give_up(operator, PIN, "<enter>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        assert operator.place == LOCKED
        gate.open()
        await threads_are_done(operator)
        await unlock(operator)
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_the_lock_has_help_of_its_own(settings: Settings) -> None:
    async with at_work(settings) as operator:
        await operator.press("f7", "f1")
        assert operator.sees("插回原来的卡并输入密码")
        await operator.press("escape")
        assert operator.place == LOCKED


# -- beginning and end of a session ----------------------------------------------------


@pytest.mark.usefixtures("watchful")
async def test_a_card_pulled_right_after_its_pin_was_right_is_not_logged_in(
    settings: Settings, gate: Gate
) -> None:
    async with at_login(settings) as operator:
        gate.before(operator.app.store, "change_counter")
        await operator.insert(MANUFACTURER)
        gate.shut()
        operator.send(PIN, "<enter>")
        await operator.wait_while_busy()
        file_gone(settings)
        await operator._wait_until(lambda: operator.sees("请插入IC卡或Ikey"), "the card list")
        gate.open()
        await operator.wait_for("卡已拔出")
        assert operator.app.session is None
        put_back(settings)
        await operator.log_in(MANUFACTURER)
        assert operator.place == "主选单"


async def test_a_list_that_is_just_to_be_read_again_at_the_logout_leaves_the_keyboard_alive(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(settings) as operator:
        app = operator.app
        end = app._end_session

        def others_saved_something() -> None:
            app.start_flow(app.changes._reload_lists(app.screen))  # type: ignore[arg-type]
            end()

        monkeypatch.setattr(app, "_end_session", others_saved_something)
        operator.send("2")
        await operator._wait_until(
            lambda: operator.sees("请插入IC卡或Ikey") and not app.is_busy, "the login screen"
        )
        await operator.log_in(OPERATOR)
        assert operator.place == "主选单"
