"""How far a command has come."""

from __future__ import annotations

import sys


class Progress:
    """One line on the terminal that is written anew for each further percent."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total
        if percent > self._shown:
            self._shown = percent
            print(f"\r{self._label}：{percent}%", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Go on to the next line, where anything was written."""
        if self._shown >= 0:
            print(file=sys.stderr)
