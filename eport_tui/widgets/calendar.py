"""The calendar of a date field."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from textual import events

from eport_tui.actions import bindings
from eport_tui.domain.dates import add_months
from eport_tui.widgets.dialogs import Dialog, Line

WEEKDAYS = "一二三四五六日"


class Calendar(Dialog[date]):
    """Choose a day that does not lie before `earliest`."""

    BINDINGS = [*bindings("choose")]
    DIALOG_LEGEND = (
        ("Enter", "选定"),
        ("Esc", "取消"),
        ("方向键", "换日"),
        ("PgUp PgDn", "换月"),
        ("Y", "加一年"),
        ("Home End", "月初 月末"),
    )

    def __init__(self, label: str, day: date, *, earliest: date) -> None:
        super().__init__(f"选择{label}", width=34)
        self._earliest = earliest
        self._day = max(day, earliest)

    def _lines(self) -> list[Line]:
        """One month, a week a line."""
        day = self._day
        lines: list[Line] = [
            [(f"{day.year}年{day.month}月{day.day}日 星期{WEEKDAYS[day.weekday()]}", "strong")],
            [],
            [(" ".join(f" {name}" for name in WEEKDAYS), "dim")],
        ]
        for week in calendar.Calendar().monthdayscalendar(day.year, day.month):
            line: Line = []
            for number in week:
                line += [self._cell(number), (" ", "text")]
            lines.append(line)
        lines += [[] for _ in range(9 - len(lines))]
        left = (day - self._earliest).days
        lines.append([(f"今天起第{left}天" if left else "今天", "dim")])
        return lines

    def _cell(self, number: int) -> tuple[str, str]:
        if not number:
            return "   ", "text"
        day = self._day.replace(day=number)
        if day == self._day:
            return f">{number:2}", "chosen"
        if day < self._earliest:
            return f" {number:2}", "dim"
        return f" {number:2}", "today" if day == self._earliest else "text"

    def _move(self, target: date) -> None:
        self._day = max(target, self._earliest)
        self._draw()

    async def on_key(self, event: events.Key) -> None:
        """Move by days, weeks, months or years."""
        event.stop()
        day = self._day
        try:
            match event.key:
                case "left" | "right":
                    self._move(day + timedelta(days=1 if event.key == "right" else -1))
                case "up" | "down":
                    self._move(day + timedelta(days=7 if event.key == "down" else -7))
                case "pageup" | "pagedown":
                    self._move(add_months(day, 1 if event.key == "pagedown" else -1))
                case "home":
                    self._move(day.replace(day=1))
                case "end":
                    self._move(day.replace(day=calendar.monthrange(day.year, day.month)[1]))
                case "y" | "Y":
                    self._move(add_months(day, 12))
                case _:
                    pass
        except OverflowError:
            return

    def on_click(self, event: events.Click) -> None:
        """A click on a day picks it; a click outside cancels."""
        if event.widget is not self._panel:
            self.dismiss(None)
            return
        week, weekday = event.y - 4, (event.x - 2) // 4
        weeks = calendar.Calendar().monthdayscalendar(self._day.year, self._day.month)
        if 0 <= week < len(weeks) and 0 <= weekday < 7 and weeks[week][weekday]:
            day = self._day.replace(day=weeks[week][weekday])
            if day >= self._earliest:
                self.dismiss(day)

    def action_choose(self) -> None:
        """Take the day under the cursor."""
        self.dismiss(self._day)
