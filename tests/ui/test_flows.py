"""Flows: what goes on over several messages, while others end, lock or give up."""

from __future__ import annotations

import pytest

from eport_tui.settings import Settings
from tests.ui.operator import OPERATOR, at_work


async def test_a_list_that_is_just_to_be_read_again_at_the_logout_leaves_the_keyboard_alive(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(settings) as operator:
        app = operator.app
        end = app._end_session

        def others_saved_something() -> None:
            app.start_flow(app._reload_lists(app.screen))  # type: ignore[arg-type]
            end()

        monkeypatch.setattr(app, "_end_session", others_saved_something)
        operator.send("2")
        await operator._wait_until(
            lambda: operator.sees("请插入IC卡或Ikey") and not app.is_busy, "the login screen"
        )
        await operator.log_in(OPERATOR)
        assert operator.place == "主选单"
