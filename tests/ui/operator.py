"""A person at the keyboard of the program: types, and reads the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.cells import cell_len
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from eport_tui.app import EportApp
from eport_tui.settings import Settings
from eport_tui.widgets.dialogs import Panel

MANUFACTURER, BROKER, OPERATOR, OTHER_BROKER = (
    "8900000000011",
    "8900000000035",
    "8900000000042",
    "8900000000066",
)
PIN = "88888888"
PATIENCE = 10.0

_POINTER = re.compile(r">[*+=] (\S+)")
"""Where a form says that the cursor is: the pointer, the mark and the label of the field."""


class Operator:
    """Drives the program as a person would.

    Attributes:
        app: The program.
        pilot: Textual's pilot, for what no key does.
    """

    def __init__(self, app: EportApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    # What a person does

    async def press(self, *keys: str) -> None:
        """Press keys by their Textual names, as fast as they can be sent."""
        await self.burst(*(f"<{key}>" for key in keys))

    async def type(self, text: str) -> None:
        """Type characters, as fast as they can be sent."""
        await self.burst(text)

    async def burst(self, *what: str) -> None:
        """Send everything at once: a text as its characters, a key by its name in angle brackets.

        For example `burst("95", "<enter>")`.
        """
        self.send(*what)
        await self.settle()

    def send(self, *what: str) -> None:
        """Send as `burst` does, and do not wait for what comes of it."""
        for part in what:
            if key := re.fullmatch(r"<(.+)>", part):
                self.app.post_message(events.Key(key[1], " " if key[1] == "space" else None))
                continue
            for character in part:
                self.app.post_message(events.Key(_character_to_key(character), character))

    async def paste(self, text: str) -> None:
        """Paste a text, as a terminal with bracketed paste hands it over."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()
        await self.settle()

    async def click(self, text: str, *, button: int = 1, times: int = 1) -> None:
        """Click on a text that is on the screen."""
        await self.click_at(*self.place_of(text), button=button, times=times)

    async def click_at(self, x: int, y: int, *, button: int = 1, times: int = 1) -> None:
        """Click on a cell."""
        for _ in range(times):
            for kind in (events.MouseDown, events.MouseUp):
                self.app.post_message(
                    kind(None, x, y, 0, 0, button, False, False, False, screen_x=x, screen_y=y)
                )
        await self.pilot.pause()
        await self.settle()

    async def log_in(self, card: str = MANUFACTURER, pin: str = PIN) -> None:
        """Insert a card on the login screen and give the PIN."""
        await self.insert(card)
        await self.type(pin)
        await self.press("enter")

    async def insert(self, card: str) -> None:
        """Choose a card on the login screen."""
        await self.wait_for(card)
        await self.press("home")
        for _ in self.lines:
            if f"> {card}" in self.text:
                await self.press("enter")
                return
            await self.press("down")
        raise AssertionError(f"no card {card} to choose\n{self.text}")

    async def clear(self) -> None:
        """Empty the field the cursor is in."""
        await self.press("end", "ctrl+u")

    async def settle(self) -> None:
        """Wait until everything that was pressed has had its effect and is shown."""
        await self.app.keys_settled()
        if self.app.is_running:
            # The program lays its screen out a moment later, when nothing else is to be done.
            self.app.screen._refresh_layout()

    # What a person sees

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    @property
    def dialog(self) -> str:
        """What a dialog says, its lines put together; empty when none is open."""
        panels = self.app.screen.query(Panel)
        if not panels:
            return ""
        x, y, width, height = panels.first().region
        strips = self.app.screen._compositor.render_strips()[y : y + height]
        return "".join(strip.crop(x, x + width).text.strip() for strip in strips)

    @property
    def place(self) -> str:
        """Where one is, by the first line."""
        return self.text.split("  ")[0].strip()

    @property
    def message(self) -> str:
        """What the message line says."""
        return "".join(line.strip() for line in self.lines[-3:-1])

    @property
    def legend(self) -> str:
        """The keys on the last line."""
        return self.lines[-1].strip()

    @property
    def at_field(self) -> str:
        """The label of the field that the cursor is in; empty when it is in a list."""
        found = _POINTER.search(self.text)
        return found[1] if found else ""

    def value(self, label: str) -> str:
        """What stands in the field with a label."""
        found = re.search(rf"[*+=] {label}( .*?)?(?= +>?[*+=] |$)", self.text, re.MULTILINE)
        assert found, f"no field {label}"
        return (found[1] or "").strip()

    def row(self, beginning: str) -> str:
        """The first line of a list that begins so; the scroll bar beside it is no part of it."""
        found = [line for line in self.lines if line[2:].startswith(beginning)]
        assert found, f"no row {beginning}\n{self.text}"
        return found[0].removesuffix("#").rstrip()

    def sees(self, *texts: str) -> bool:
        """Whether all the texts are on the screen; spaces and line breaks do not matter."""
        shown = "".join((self.text + self.dialog).split())
        return all("".join(text.split()) in shown for text in texts)

    def place_of(self, text: str) -> tuple[int, int]:
        """The cell where a text begins on the screen."""
        for y, line in enumerate(self.lines):
            if text in line:
                return cell_len(line[: line.index(text)]), y
        raise AssertionError(f"{text} is not on the screen")

    async def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen, as when a card is noticed or pulled."""
        await self.wait_until(lambda: self.sees(text), what=text)

    async def wait_until(self, holds: Callable[[], bool], *, what: str = "it") -> None:
        """Wait until something holds."""
        await self._wait_until(holds, what)
        await self.settle()

    async def wait_while_busy(self) -> None:
        """Wait until the program says that it is busy, which it then still is."""
        await self._wait_until(lambda: "正在处理" in self.message, "being busy")

    async def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    if self.app._exit:
                        # The pilot would wait for widgets that are going.
                        await asyncio.sleep(0.01)
                    else:
                        await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}\n{self.text}") from None


def end_process(app: EportApp) -> None:
    """Let go of what the end of the process would."""
    app._data_thread.shutdown()
    app._card_thread.shutdown()
    if app._store is not None:
        app._store.close()


@asynccontextmanager
async def at_login(
    settings: Settings, size: tuple[int, int] = (80, 24), *, ready: bool = True
) -> AsyncIterator[Operator]:
    """The program at its login screen; unless `ready`, it may still be opening the database."""
    app = EportApp(settings)
    try:
        async with app.run_test(size=size) as pilot:
            operator = Operator(app, pilot)
            if ready:
                await operator.settle()
            yield operator
    finally:
        end_process(app)


@asynccontextmanager
async def at_work(
    settings: Settings,
    card: str = MANUFACTURER,
    typed: str = "",
    *,
    size: tuple[int, int] = (80, 24),
) -> AsyncIterator[Operator]:
    """The program at its main menu with a card logged in, and something typed then."""
    async with at_login(settings, size) as operator:
        await operator.log_in(card)
        await operator.type(typed)
        yield operator
