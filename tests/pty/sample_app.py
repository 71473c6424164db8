"""A small program that shows what reached it: the other side of the harness's own tests."""

from __future__ import annotations

from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Static


class SampleApp(App[None]):
    """A coloured title, the window's size and everything that happened, in order."""

    CSS = """
    Screen { background: ansi_black; }
    #title { color: ansi_bright_yellow; background: ansi_blue; text-style: bold; }
    #size { dock: bottom; }
    """
    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield Static("委托授权系统 (menu)", id="title")
        yield Static(id="size")
        yield Static(id="happened", markup=False)

    def on_mount(self) -> None:
        self.ansi_color = True
        self.happened = ""

    def on_key(self, event: events.Key) -> None:
        if event.key == "f12":
            self.exit(return_code=3)
        self._tell(event.character if event.is_printable else f"<{event.key}>")

    def on_click(self, event: events.Click) -> None:
        self._tell(f"<button {event.button} at {event.screen_x},{event.screen_y}>")

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#size", Static).update(f"窗口 {event.size.width}x{event.size.height}")

    def _tell(self, text: str | None) -> None:
        self.happened += text or ""
        self.query_one("#happened", Static).update(self.happened)


if __name__ == "__main__":
    app = SampleApp()
    app.run()
    raise SystemExit(app.return_code)
