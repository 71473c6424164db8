"""What Textual itself would write for an update."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

from rich.color import ColorSystem
from rich.console import Console
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

_CONSOLES = {
    system: Console(color_system=name, force_terminal=True, legacy_windows=False)
    for system, name in (
        (ColorSystem.STANDARD, "standard"),
        (ColorSystem.EIGHT_BIT, "256"),
        (ColorSystem.TRUECOLOR, "truecolor"),
    )
}
_render_style = Strip.render_style


def shown_by_textual(
    update: LayoutUpdate | ChopsUpdate, cursor: tuple[int, int], system: ColorSystem
) -> str:
    """The update as `App._display` of Textual sends it."""
    for strip in _strips(update):
        strip._render_cache = None
    with patch.object(Strip, "render_style", staticmethod(_anew)):
        drawn = update.render_segments(_CONSOLES[system])
    for strip in _strips(update):
        strip._render_cache = None
    return drawn + Control.move_to(*cursor).segment.text


def _anew(style: Style, text: str, color_system: ColorSystem) -> str:
    """Styles remember how they were rendered, whatever the colours were."""
    style._ansi = None
    Strip.render_ansi.cache_clear()  # type: ignore[attr-defined]
    return _render_style(style, text, color_system)


def _strips(update: LayoutUpdate | ChopsUpdate) -> Iterable[Strip]:
    if isinstance(update, LayoutUpdate):
        for strips in update.strips:
            yield from strips
    else:
        for chops in update.chops:
            yield from (strip for strip in chops.values() if strip is not None)
