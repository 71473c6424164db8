"""The demo of the pilot tests, on the same day."""

from __future__ import annotations

import pytest

from tests.ui.conftest import (  # noqa: F401
    colleague,
    demo_made,
    no_defect,
    settings,
    styles_read_once,
    today,
    watchful,
)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 256 colours, whatever the tests run in."""
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "256")
    monkeypatch.delenv("NO_COLOR", raising=False)
