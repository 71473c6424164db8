"""The day as of which everything is shown, until another one has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eport_tui.domain.dates import today
from eport_tui.screens.base import EportScreen
from eport_tui.widgets.grid import Grid

if TYPE_CHECKING:
    from eport_tui.app import EportApp


class Day:
    """Has the screens that are open show everything as of the new day."""

    def __init__(self, desk: EportApp) -> None:
        self._desk = desk
        self._day = today()

    def session_begins(self) -> None:
        """Nothing is shown yet that would be of another day."""
        self._day = today()

    @property
    def is_over(self) -> bool:
        """Whether another one has begun; may be asked in any thread."""
        return today() != self._day

    def end(self) -> None:
        """Begin the new one, unless something goes on; then the next look does."""
        desk = self._desk
        if desk.session is not None and not desk.is_locked and not desk.is_busy:
            desk.start_flow(self.begin())

    async def begin(self) -> None:
        """Show everything as of today, where that is another day."""
        day = today()
        if day == self._day:
            return
        # Where it fails that is told once; F5 shows a list as of today, too.
        self._day = day
        shown, is_kept = self._desk.screen, True
        # What lies below is come back to.
        for screen in reversed(self._desk.screen_stack):
            if isinstance(screen, EportScreen):
                await screen.day_began()
                for grid in screen.query(Grid):
                    is_kept &= await grid.refresh_rows() or screen is not shown
        if not isinstance(shown, EportScreen):
            return
        told = f"已到 {day}" + ("，列表已按今天更新" if shown.query(Grid) else "")
        if is_kept:
            shown.remark(told)
        else:
            shown.say(f"{told}，所选的记录已不在列表中", "warning")
