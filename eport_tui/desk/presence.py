"""Whether the card that is logged in is there, and somebody at the keyboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eport_tui.app import EportApp


class Presence:
    """Locks when the card is gone or nobody has typed for too long."""

    def __init__(self, desk: EportApp) -> None:
        self._desk = desk
        self._last_input = time.monotonic()

    def is_shown(self) -> None:
        """Somebody is there at this moment."""
        self._last_input = time.monotonic()

    def check(self) -> None:
        """Lock if there is a reason to."""
        if why := self.why_lock():
            self._desk.lock(why)

    def why_lock(self) -> str:
        """The reason to lock, in words; empty where there is none.  May be asked in any thread."""
        desk = self._desk
        session, minutes = desk.session, desk.settings.idle_minutes
        if session is None or desk.is_locked:
            return ""
        if not session.card.is_present():
            return "卡已拔出，程序已锁定"
        if not session.unlocked:
            return "卡的状态有变，程序已锁定"
        if time.monotonic() - self._last_input > minutes * 60:
            return f"超过{minutes:g}分钟没有操作，程序已锁定"
        return ""
