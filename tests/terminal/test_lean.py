"""Where the lean terminal cannot be relied on, Textual's own output and input are used."""

from __future__ import annotations

import logging

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from eport_tui.commands import info
from eport_tui.settings import Settings
from eport_tui.terminal import internals
from eport_tui.terminal.driver import LeanDriver
from eport_tui.terminal.lean import LeanApp


@pytest.fixture(autouse=True)
def looked_at_anew() -> None:
    internals.unexpected.cache_clear()


def test_the_textual_that_is_pinned_is_as_expected() -> None:
    assert internals.unexpected() == ""


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ("textual.app:App._display", "textual.app App._display"),
        ("textual._compositor:LayoutUpdate", "LayoutUpdate"),
        ("textual._xterm_parser:XTermParser", "XTermParser"),
        ("textual.drivers.linux_driver:LinuxDriver.run_input_thread", "run_input_thread"),
        ("textual._compositor:Compositor.visible_widgets", "Compositor.visible_widgets"),
    ],
    indirect=["changed"],
)
def test_another_textual_is_noticed_named_and_left_alone(
    fault: str, caplog: pytest.LogCaptureFixture, settings: Settings, capsys: pytest.CaptureFixture
) -> None:
    assert fault in internals.unexpected()
    with caplog.at_level(logging.WARNING):
        assert LeanApp().driver_class is LinuxDriver
    assert fault in caplog.text
    info.run(settings)
    assert f"终端输出      textual，即Textual自带的方式（{internals.unexpected()}）" in " ".join(
        capsys.readouterr().out.split("\n")
    )


@pytest.fixture
def changed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual without something of its own."""
    import importlib

    module, _, path = request.param.partition(":")
    *owner, name = path.split(".")
    place = importlib.import_module(module)
    for part in owner:
        place = getattr(place, part)
    monkeypatch.delattr(place, name)


def test_another_version_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "TEXTUAL", "8.2.9")
    assert internals.unexpected() == "Textual的版本为8.2.8，应为8.2.9"


def test_other_arguments_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def display(self: App[None], screen: object) -> None: ...

    monkeypatch.setattr(App, "_display", display)
    assert "App._display" in internals.unexpected()


def test_the_setting_switches_it_off(settings: Settings) -> None:
    assert LeanApp(output="lean").driver_class is LeanDriver
    assert LeanApp(output="textual").driver_class is LinuxDriver
