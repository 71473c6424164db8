"""Draws only what an update shows."""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import Compositor
from textual.geometry import Region
from textual.strip import Strip


class CroppingCompositor(Compositor):
    """Asks only the widgets on the lines of an update, and only for those lines.

    The stock compositor asks every widget that shares its container with one
    that changed, for all its lines.
    """

    def _get_renders(
        self, crop: Region | None = None
    ) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if not crop:
            yield from super()._get_renders(crop)
            return
        lines = Region(0, crop.y, self.size.width, crop.height)
        for widget, (region, clip) in self.visible_widgets.items():
            drawn = clip.intersection(lines).intersection(region)
            if drawn and drawn.overlaps(crop):
                yield region, drawn, widget.render_lines(drawn.translate(-region.offset))
                if drawn.contains_region(crop):
                    # The others are behind it: widgets stand in order from front to back.
                    return
