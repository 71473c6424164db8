"""The bars that frame every screen: title, message line and key legend."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from eport_tui.widgets.cells import fit, wrap
from eport_tui.widgets.themes import look


class Body(Widget):
    """What stands between the title and the message line."""


class TitleBar(Widget):
    """First line: where one is on the left, whose card it is on the right."""

    place: reactive[str] = reactive("")
    holder: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:
        """Draw the two texts; the right one gives way first."""
        width = self.size.width
        left = f" {self.place}"
        room = width - cell_len(left) - 2
        right = fit(self.holder, min(room, cell_len(self.holder))) if room > 0 else ""
        gap = " " * max(0, width - cell_len(left) - cell_len(right) - 1)
        return Strip([Segment(fit(left + gap + right, width), self.rich_style)], width)


class Banner(Widget):
    """A line below the title that says what is unusual about the screen; none when empty."""

    text: reactive[str] = reactive("", layout=True)

    def watch_text(self) -> None:
        """Take room only where there is something to say."""
        self.display = bool(self.text)

    def render_line(self, y: int) -> Strip:
        """Draw the text."""
        width = self.size.width
        return Strip([Segment(fit(f" ! {self.text}", width), self.rich_style)], width)


READING_SECONDS = 1.0
"""Nobody has read a message sooner; a key that comes before does not take it away."""


class MessageLine(Widget):
    """Last but one line: what just happened, or what is wrong and what to do.

    The kind is shown by a mark as well as by the colour.  What happened is told until the
    next key; then the hint about where the cursor is takes its place.  What is wrong stays until
    something else is said, or where the cursor is has another hint.

    Attributes:
        said: How often something was said; what was said later is newer.
    """

    PASSING = ("note", "done", "warning")
    MARKS = {"hint": " ", "note": " ", "done": "+", "warning": "!", "error": "x", "busy": "~"}

    text: reactive[str] = reactive("")
    kind: reactive[str] = reactive("hint")
    said: int = 0
    _fresh: bool = False
    _since: float = 0.0

    def say(self, text: str, kind: str = "note") -> None:
        """Show a message; `kind` is note, done, warning, error or busy."""
        self.kind, self.text = kind, text
        self.said += 1
        self._fresh = bool(text)
        self._since = time.monotonic()

    def remark(self, text: str) -> None:
        """Show a note, unless something else was said at the same key."""
        if not self._fresh:
            self.say(text)

    def hint(self, text: str) -> None:
        """Show a hint, unless there is a message that has not been seen for a key yet."""
        if not self._fresh:
            self.kind, self.text = "hint", text
            self.said += 1

    def can_be_read(self) -> None:
        """It is seen from now on; what was said at an earlier key has been read before."""
        if self._fresh:
            self._since = time.monotonic()

    @contextmanager
    def kept(self) -> Generator[None]:
        """Show in the end what is shown now, whatever is said meanwhile."""
        shown = self.text, self.kind, self._fresh, self._since
        try:
            yield
        finally:
            self.text, self.kind, self._fresh, self._since = shown
            self.said += 1

    def key_comes(self, hint: str) -> None:
        """The next key is there: what was said may give way, and does to a hint once it was read.

        Where there is no hint, what was said last is still the best there is to say.
        """
        self._fresh = False
        was_read = time.monotonic() - self._since >= READING_SECONDS
        if hint and self.kind in self.PASSING and was_read:
            self.hint(hint)

    def render_line(self, y: int) -> Strip:
        """Draw the mark and the text."""
        style = look(self, self.kind)
        width, height = self.size
        lines = wrap(self.text, width - 4)
        if len(lines) > height:
            lines = [*lines[: height - 1], fit("".join(lines[height - 1 :]), width - 4)]
        # A single line stands next to the keys, which leaves air below the list above.
        at = y - (height - len(lines))
        if at < 0 or not self.text:
            return Strip.blank(width, style)
        mark = self.MARKS[self.kind] if at == 0 else " "
        return Strip([Segment(fit(f" {mark} {lines[at]}", width), style)], width)


class Legend(Widget):
    """Last line: the keys that work here and now."""

    items: reactive[list[tuple[str, str]]] = reactive(list)

    def render_line(self, y: int) -> Strip:
        """Draw the keys, each as its cap and its label, closer together where there are many."""
        key, label = look(self, "legend-key"), look(self, "legend")
        width = self.size.width
        cells = sum(cell_len(caps) + cell_len(text) for caps, text in self.items)
        gap = "  " if 1 + cells + 2 * len(self.items) <= width + 2 else " "
        segments = [Segment(" ", label)]
        for caps, text in self.items:
            segments += [Segment(caps, key), Segment(text + gap, label)]
        return Strip(segments).adjust_cell_length(width, label)
