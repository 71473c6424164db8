"""What the terminal is measured against: plain Textual programs with built-in widgets.

python -m benchmarks.plain minimal
python -m benchmarks.plain compact
"""

from __future__ import annotations

import sys

from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static


class Minimal(App[None]):
    """One text."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static("ready")


class CompactForm(Screen[None]):
    """Twelve fields of one line each, with a label on the left, and none that blinks."""

    CSS = """
    Horizontal { height: 1; }
    Static { width: 16; }
    Input { width: 40; }
    """
    BINDINGS = [("escape", "app.pop_screen", "back")]

    def compose(self) -> ComposeResult:
        """The fields."""
        with VerticalScroll(can_focus=False):
            for number in range(12):
                with Horizontal():
                    yield Static(f"field {number}")
                    field = Input(compact=True)
                    field.cursor_blink = False
                    yield field


class Compact(App[None]):
    """A menu, from which `1` opens the form."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [("1", "form", "form")]

    def compose(self) -> ComposeResult:
        """The menu."""
        yield Static("ready")

    def action_form(self) -> None:
        """Open the form."""
        self.push_screen(CompactForm())


if __name__ == "__main__":
    {"minimal": Minimal, "compact": Compact}[sys.argv[1]]().run()
