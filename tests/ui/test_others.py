"""What others save is seen within a second, without a key, and moves nobody's cursor."""

from __future__ import annotations

import pytest

from eport_tui.desk import changes
from eport_tui.settings import Settings
from tests.ui.colleague import Colleague
from tests.ui.operator import BROKER, MANUFACTURER, at_work

TO_THE_LIST = ["tab"] * 5


@pytest.fixture(autouse=True)
def attentive(nobody_else: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look so often that nobody has to wait."""
    monkeypatch.setattr(changes, "SEE_OTHERS_SECONDS", 0.02)


async def test_a_colleagues_grant_appears_and_the_cursor_stays_on_its_row(
    settings: Settings, colleague: Colleague
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST, "down")
        await operator.wait_for("第2条 共5条")
        selected = [line for line in operator.lines if line.startswith("> 3")]
        # It stands before the others in the list.
        colleague.grant("3101980001", "95")
        await operator.wait_for("第3条 共6条")
        assert [line for line in operator.lines if line.startswith("> 3")] == selected


async def test_the_row_that_a_colleague_deletes_is_not_replaced_by_another(
    settings: Settings, colleague: Colleague
) -> None:
    gone = colleague.made()[0].grant
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST)
        await operator.wait_for("第1条 共5条")
        colleague.delete(gone)
        await operator.wait_for("所选的记录已被他人删除或改动，不再列出")
        assert operator.sees("共4条")
        await operator.press("f8")
        assert operator.sees("请选择数据!")


async def test_what_is_being_typed_is_left_alone(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.type("31019")
        colleague.grant("3101980001", "95")
        await operator.wait_for("共6条")
        await operator.type("80001")
        assert operator.value("代理企业编号") == "3101980001"


async def test_a_question_is_not_disturbed(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        await operator.press(*TO_THE_LIST, "f8")
        dialog = operator.dialog
        colleague.grant("3101980001", "95")
        await operator.settle()
        assert operator.dialog == dialog
        await operator.press("escape")
        await operator.wait_for("共6条")


async def test_entries_that_are_not_saved_stay(settings: Settings, colleague: Colleague) -> None:
    async with at_work(settings, BROKER, "12") as operator:
        await operator.press("tab", "tab", "enter")
        await operator.type("8900000000059")
        await operator.press("f6")
        assert operator.sees("未保存")
        colleague.grant("3101980001", "95")
        await operator.wait_for("共18条")
        assert operator.sees("未保存")


async def test_nothing_is_read_while_nobody_saves(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(settings, MANUFACTURER, "11") as operator:
        asked = 0
        store = operator.app.store
        counter, rows = store.change_counter, store.rows
        read: list[str] = []

        def counted():  # type: ignore[no-untyped-def]
            nonlocal asked
            asked += 1
            return counter()

        def noted(sql: str, *parameters: object):  # type: ignore[no-untyped-def]
            read.append(sql)
            return rows(sql, *parameters)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "change_counter", counted)
        monkeypatch.setattr(store, "rows", noted)
        await operator.wait_until(lambda: asked >= 5)
        assert [sql for sql in read if "PRAGMA data_version" not in sql] == []
