"""Figures as a picture: how each stands to its target, on a log scale (SVG)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.figures import Figure, short

_LEAST, _MOST = 0.01, 10.0
"""Shares of a target at the two ends of the scale; what lies beyond is drawn at the end."""

_NAMES, _SCALE, _VALUES = 400, 420, 280
_ROW, _TOP, _BOTTOM = 20, 64, 34
_MET, _MISSED, _GRID, _TEXT, _QUIET = "#2f7d5b", "#c2571a", "#e3e3e0", "#222222", "#6f6f6b"


def share(figure: Figure) -> float:
    """How much of its target a figure takes up: at most 1 where it is met."""
    assert figure.limit is not None
    value, limit = figure.value, figure.limit
    if figure.at_least:
        value, limit = limit, value
    if limit == 0:
        return 0 if value == 0 else math.inf
    return value / limit


def svg(figures: Sequence[Figure], title: str) -> str:
    """One line for each figure that has a target, and was measured.

    Args:
        title: Stands above; a date and the machine belong there.
    """
    drawn = [figure for figure in figures if figure.limit is not None and not figure.missing]
    width, height = _NAMES + _SCALE + _VALUES, _TOP + _ROW * len(drawn) + _BOTTOM
    bottom = height - _BOTTOM + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(16, 22, title, _TEXT, size=14),
        _text(16, 40, "each figure as a share of its target; left of the line: met", _QUIET),
    ]
    for tick in (0.01, 0.03, 0.1, 0.3, 1, 3, 10):
        x = _x(tick)
        stroke = f'stroke="{_TEXT}"' if tick == 1 else f'stroke="{_GRID}"'
        parts.append(f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{bottom}" {stroke}/>')
        label = "target" if tick == 1 else f"{tick:g} x"
        parts.append(_text(x, bottom + 16, label, _TEXT if tick == 1 else _QUIET, anchor="middle"))
    for number, figure in enumerate(drawn):
        y = _TOP + _ROW * number + _ROW // 2
        colour = _MET if figure.reached else _MISSED
        x, target = _x(share(figure)), _x(1)
        mark = (
            f'<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"/>'
            if figure.reached
            # Another shape as well: nothing rests on colour alone.
            else f'<path d="M{x - 5} {y}L{x} {y - 5}L{x + 5} {y}L{x} {y + 5}Z" fill="{colour}"/>'
        )
        parts += [
            _text(_NAMES - 12, y + 4, _name(figure), _TEXT, anchor="end"),
            f'<line x1="{min(x, target)}" y1="{y}" x2="{max(x, target)}" y2="{y}"'
            f' stroke="{colour}" stroke-opacity="0.35" stroke-width="3"/>',
            mark,
            _text(_NAMES + _SCALE + 14, y + 4, _value(figure), colour),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _x(part: float) -> float:
    low, high = math.log10(_LEAST), math.log10(_MOST)
    at = math.log10(min(max(part, _LEAST), _MOST))
    return round(_NAMES + (at - low) / (high - low) * _SCALE, 1)


def _name(figure: Figure) -> str:
    # A longer one would run out of the picture.
    name = f"{figure.what} ({figure.unit})" if figure.unit else figure.what
    return name if len(name) <= 62 else f"{name[:59]}..."


def _value(figure: Figure) -> str:
    value = short(figure.value)
    if figure.theirs:
        value = f"{value} x {figure.yardstick}"
    return f"{value} ({figure.target})"


def _text(
    x: float, y: float, text: str, fill: str, *, anchor: str = "start", size: int = 12
) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
