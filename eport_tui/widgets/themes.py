"""The colours: one set for 256 colours and more, one for 16.

Every colour is one that the terminal has exactly, so that nothing is left to a
nearest match.  No meaning rests on colour alone.
"""

from __future__ import annotations

from functools import cache

from rich.style import Style
from textual.theme import Theme
from textual.widget import Widget

# Colours of the 256-colour palette; calm grounds, blue and yellow as the manual has them.
_RICH = {
    "ground": "#1c1c1c",
    "text": "#d0d0d0",
    "dim": "#8a8a8a",
    "strong": "#ffffff",
    "bar": "#005f5f",
    "bar-text": "#ffffff",
    "legend": "#303030",
    "legend-key": "#87d7d7",
    "legend-text": "#d0d0d0",
    "required": "#005faf",
    "required-text": "#ffffff",
    "optional": "#5f5f00",
    "optional-text": "#ffffd7",
    "shown": "#303030",
    "shown-text": "#d0d0d0",
    "cursor": "#008787",
    "cursor-text": "#ffffff",
    "cursor-away": "#3a3a3a",
    "cursor-away-text": "#d0d0d0",
    "title": "#303030",
    "title-text": "#ffffff",
    "caret": "#ffffff",
    "caret-text": "#000000",
    "panel": "#303030",
    "panel-bar": "#005f87",
    "panel-text": "#d0d0d0",
    "panel-strong": "#ffffff",
    "panel-dim": "#8a8a8a",
    "panel-warning": "#ffd75f",
    "choice": "#1c1c1c",
    "choice-text": "#d0d0d0",
    "emphasis": "bold",
    "done": "#87d787",
    "warning-text": "#ffd75f",
    "error-text": "#ff8787",
    "error-ground": "#870000",
}

_SIXTEEN_NAME = "eport-16"

# The 8 colours that every terminal has as a ground, and the bright ones as text.
_SIXTEEN = {
    "ground": "#000000",
    "text": "#aaaaaa",
    "dim": "#aaaaaa",
    "strong": "#ffffff",
    "bar": "#00aaaa",
    "bar-text": "#000000",
    "legend": "#aaaaaa",
    "legend-key": "#aa0000",
    "legend-text": "#000000",
    "required": "#0000aa",
    "required-text": "#ffffff",
    "optional": "#aa5500",
    "optional-text": "#ffffff",
    "shown": "#aaaaaa",
    "shown-text": "#000000",
    "cursor": "#00aaaa",
    "cursor-text": "#000000",
    "cursor-away": "#aaaaaa",
    "cursor-away-text": "#000000",
    "title": "#000000",
    "title-text": "#ffffff",
    "caret": "#ffffff",
    "caret-text": "#000000",
    "panel": "#aaaaaa",
    "panel-bar": "#0000aa",
    "panel-text": "#000000",
    "panel-strong": "#000000",
    "panel-dim": "#0000aa",
    "panel-warning": "#aa0000",
    "choice": "#aaaaaa",
    "choice-text": "#000000",
    # Bold makes black grey on many terminals of 16 colours.
    "emphasis": "none",
    "done": "#55ff55",
    "warning-text": "#ffff55",
    "error-text": "#ff5555",
    "error-ground": "#aa0000",
}


# Of what a widget draws itself: ground, text, and how it is set off; widgets as a whole have
# theirs from the style sheet.  There these would be a third of what a form takes to open.
_LOOKS: dict[str, tuple[str, str, str]] = {
    "plain": ("ground", "text", ""),
    "dim": ("ground", "dim", ""),
    "heading": ("ground", "strong", "bold"),
    "key": ("ground", "legend-key", "bold"),
    "title": ("title", "title-text", "bold"),
    "shown": ("shown", "shown-text", ""),
    "cursor": ("cursor", "cursor-text", "emphasis"),
    "cursor-away": ("cursor-away", "cursor-away-text", ""),
    "caret": ("caret", "caret-text", ""),
    "selection": ("cursor", "cursor-text", ""),
    "legend": ("legend", "legend-text", ""),
    "legend-key": ("legend", "legend-text", ""),
    # What the message line says.
    "hint": ("ground", "text", ""),
    "note": ("ground", "text", ""),
    "done": ("ground", "done", ""),
    "warning": ("ground", "warning-text", ""),
    "error": ("ground", "error-text", "bold"),
    "busy": ("ground", "text", "bold"),
    # States of rows.
    "active": ("ground", "done", ""),
    "expiring": ("ground", "warning-text", ""),
    "expired": ("ground", "error-text", ""),
    "unsaved": ("ground", "warning-text", ""),
    # Links of the chain that a decision rests on.
    "holds": ("ground", "done", ""),
    "fails": ("ground", "error-text", ""),
    # In a panel.
    "panel-title": ("panel-bar", "strong", "bold"),
    "panel-text": ("panel", "panel-text", ""),
    "panel-strong": ("panel", "panel-strong", "emphasis"),
    "panel-dim": ("panel", "panel-dim", ""),
    "panel-warning": ("panel", "panel-warning", ""),
    "panel-choice": ("choice", "choice-text", ""),
    "panel-chosen": ("cursor", "cursor-text", "emphasis"),
    "panel-today": ("panel", "panel-strong", "underline"),
}

# Without colours these are set off in another way.
_WITHOUT_COLOUR = {
    "title": "bold underline",
    "cursor": "reverse",
    "cursor-away": "bold",
    "caret": "reverse",
    "selection": "reverse",
    "legend-key": "reverse",
    "fails": "bold",
    "panel-title": "reverse",
    "panel-chosen": "reverse",
}


def look(widget: Widget, name: str) -> Style:
    """The style of a part that a widget draws, such as `title` or `panel-dim`."""
    app = widget.app
    return _style(name, app.theme, app.no_color)


@cache
def _style(name: str, theme: str, no_color: bool) -> Style:
    colours = _SIXTEEN if theme == _SIXTEEN_NAME else _RICH
    ground, text, emphasis = _LOOKS[name]
    if no_color:
        emphasis = _WITHOUT_COLOUR.get(name, emphasis)
    if emphasis == "emphasis":
        emphasis = colours[emphasis]
    return Style.parse(f"{emphasis} {colours[text]} on {colours[ground]}".replace("none ", ""))


def theme_for(color_system: str | None) -> Theme:
    """The theme for what the terminal can show (`standard`, `256`, `truecolor`)."""
    name, colours = (
        (_SIXTEEN_NAME, _SIXTEEN) if color_system in (None, "standard") else ("eport", _RICH)
    )
    return Theme(
        name=name,
        primary=colours["bar"],
        background=colours["ground"],
        surface=colours["ground"],
        panel=colours["panel"],
        foreground=colours["text"],
        error=colours["error-text"],
        warning=colours["warning-text"],
        success=colours["done"],
        dark=True,
        variables={f"eport-{key}": value for key, value in colours.items()},
    )
