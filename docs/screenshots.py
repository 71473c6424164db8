"""Take the screenshots of the guides anew: `python -m docs.screenshots [FOLDER]`.

The program is driven through one story on a fresh demo, with a clock that stands
still, so that two runs give the same files.  The drawing is our own: Textual's
counts a Chinese character as one cell and needs a font from the web.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from io import StringIO
from itertools import groupby
from pathlib import Path

# What the terminal can show is asked when Textual is imported.
os.environ.pop("NO_COLOR", None)
os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"

import time_machine
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from textual.app import App

from eport_tui.services import demo
from eport_tui.settings import Settings, load_settings
from tests.card.making import CHEAP
from tests.ui.conftest import NOW
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, PIN, Operator, at_login, at_work

IMAGES = Path(__file__).resolve().parent / "images"
AGENT = "3101980001"

CELL, LINE, SIZE, MARGIN = 9.6, 20, 16, 8
"""Width and height of a cell, size of the type, and margin, in pixels."""

_NARROW = "'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono','Noto Sans Mono',monospace"
_WIDE = (
    "'Noto Sans Mono CJK SC','Noto Sans CJK SC','Source Han Sans SC','PingFang SC',"
    "'Microsoft YaHei','WenQuanYi Zen Hei',SimHei,sans-serif"
)


class Album:
    """The folder that the screenshots go to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[Path] = set()

    def take(self, operator: Operator, name: str) -> None:
        """Keep what is on the screen."""
        path = self._folder / f"{name}.svg"
        assert path not in self._taken
        path.write_text(drawn(operator.app), encoding="utf-8")
        self._taken.add(path)

    def remove_others(self) -> None:
        """Remove what an earlier version of the story took."""
        for path in set(self._folder.glob("*.svg")) - self._taken:
            path.unlink()


# The story


async def tell(settings: Settings, album: Album) -> None:
    """A grant is made, handed on, used and taken back."""
    await manufacturer_grants(settings, album)
    await broker_hands_on(settings, album)
    await operator_looks(settings, album)
    await manufacturer_deletes(settings, album)
    async with at_work(settings, OPERATOR, "13") as person:
        await person.press("space")
        await person.type("95")
        await person.press("enter")
        album.take(person, "permissions-after")
    await questions_are_answered(settings, album)
    await things_go_wrong(settings, album)


async def manufacturer_grants(settings: Settings, album: Album) -> None:
    async with at_login(settings) as person:
        await person.wait_for(MANUFACTURER)
        album.take(person, "login-card")
        await person.insert(MANUFACTURER)
        await person.type(PIN[:5])
        album.take(person, "login-pin")
        await person.type(PIN[5:])
        await person.press("enter")
        album.take(person, "main-menu")
        await person.press("enter")
        album.take(person, "authorization-menu")
        await person.press("enter")
        album.take(person, "enterprise-grants")
        await person.press("f1")
        album.take(person, "help")
        await person.press("escape")
        await person.type(AGENT)
        await person.press("enter", "space")
        album.take(person, "subsystem-list")
        await person.press("enter", "enter", "space")
        album.take(person, "calendar")
        await person.press("enter", "f10")
        album.take(person, "enterprise-grant-saved")
        await person.press("enter", "f2")
        await person.type(AGENT)
        await person.press("enter", "space", "enter", "space", "down", "enter")
        await person.type("20271231")
        await person.press("f10")
        assert person.sees("保存成功")
        await person.press("enter")
        album.take(person, "second-type")


async def broker_hands_on(settings: Settings, album: Album) -> None:
    async with at_work(settings, BROKER, "12") as person:
        album.take(person, "operator-grants")
        await person.press("f5")
        await person.type("3101440001")
        await person.press("enter")
        album.take(person, "quick-query")
        await person.press("tab", "tab", "enter")
        await person.type(OPERATOR)
        await person.press("enter")
        album.take(person, "operator-added")
        await person.press("f10")
        album.take(person, "operator-grant-saved")
        await person.press("enter", "shift+tab", "shift+tab", "down", "enter")
        await person.press("shift+tab", "space", "up", "enter")
        album.take(person, "all-operators")
        await person.press("f6", "f10")
        assert person.sees("暂存成功")
        await person.press("enter", "tab", "tab", "f9")
        album.take(person, "operator-menu")
        await person.press("f8")
        album.take(person, "operator-delete")


async def operator_looks(settings: Settings, album: Album) -> None:
    async with at_work(settings, OPERATOR, "1") as person:
        for entry in "12":
            await person.type(entry)
            assert person.sees("非法人卡，不允许操作!")
            if entry == "1":
                album.take(person, "not-legal-person")
            await person.press("enter")
        await person.type("3")
        await person.press("space")
        await person.type("95")
        await person.press("enter")
        album.take(person, "permissions")


async def manufacturer_deletes(settings: Settings, album: Album) -> None:
    async with at_work(settings, MANUFACTURER, "11") as person:
        await person.press(*["tab"] * 5, "f9")
        album.take(person, "row-menu")
        await person.press("f8")
        album.take(person, "delete")
        await person.type("y")
        assert person.sees("一并删除企业内授权1条")
        album.take(person, "deleted")


async def questions_are_answered(settings: Settings, album: Album) -> None:
    async with at_work(settings, OPERATOR, "14") as person:
        await person.type("3101440001")
        await person.press("enter", "enter", "space")
        await person.type("Z8")
        await person.press("enter", "space")
        await person.type("申报")
        await person.press("enter")
        assert person.sees("不允许")
        album.take(person, "check")
    async with at_work(settings, MANUFACTURER, "15") as person:
        album.take(person, "expiry")
        await person.press("f3")
        await person.type("17")
        album.take(person, "history")
    async with at_work(settings, BROKER, "16") as person:
        await person.type(OPERATOR)
        await person.press("enter")
        await person.type("8900000000059")
        await person.press("enter")
        album.take(person, "replacement")


async def things_go_wrong(settings: Settings, album: Album) -> None:
    async with at_login(settings) as person:
        await person.insert(OPERATOR)
        await person.type("11111111")
        await person.press("enter")
        album.take(person, "wrong-pin")
    async with at_work(settings, MANUFACTURER, "11") as person:
        await person.type("3101990009")
        await person.press("enter")
        album.take(person, "unknown-enterprise")
        await person.press("ctrl+u")
        await person.type(AGENT)
        await person.press("enter", "escape")
        album.take(person, "unsaved")
        await person.press("escape")
        await person.type("b1")
        await person.press("enter", "enter")
        await person.type("20271231")
        await person.press("f10")
        album.take(person, "already-granted")
        await person.press("escape", "f7")
        await person.wait_for("请插入原来的卡")
        album.take(person, "locked")
        await person.press("escape")
    async with at_work(settings) as person:
        album.take(person, "draft")


# The drawing


def drawn(app: App[None]) -> str:
    """The screen as SVG: each word and each Chinese character where its cell begins."""
    width, height = app.size
    grounds: list[str] = []
    texts: list[str] = []
    for y, line in enumerate(_lines(app)):
        x = 0
        for ground, segments in groupby(line, key=lambda segment: _ground(segment.style)):
            cells = sum(cell_len(segment.text) for segment in segments)
            grounds.append(
                f'<rect x="{_px(x * CELL)}" y="{y * LINE}" width="{_px(cells * CELL)}"'
                f' height="{LINE}" fill="{ground}"/>'
            )
            x += cells
        x = 0
        for segment in line:
            texts += _texts(segment, x, y)
            x += cell_len(segment.text)
    full_width, full_height = width * CELL + 2 * MARGIN, height * LINE + 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_px(full_width)}"'
            f' height="{full_height}" viewBox="{-MARGIN} {-MARGIN} {_px(full_width)}'
            f' {full_height}">',
            f"<style>text{{font:{SIZE}px {_NARROW};white-space:pre}}"
            f".w{{font-family:{_WIDE};text-anchor:middle}}.b{{font-weight:bold}}</style>",
            f'<rect x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%" rx="6"'
            f' fill="{_ground(None)}"/>',
            '<g shape-rendering="crispEdges">',
            *grounds,
            "</g>",
            *texts,
            "</svg>\n",
        ]
    )


def _lines(app: App[None]) -> Iterator[list[Segment]]:
    """What the terminal would show, dialogs over the screen below them."""
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
    )
    console.print(
        app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    )
    segments = list(Segment.filter_control(console._record_buffer))
    lines = list(Segment.split_and_crop_lines(segments, width, include_new_lines=False))
    yield from lines[:height]


def _texts(segment: Segment, x: int, y: int) -> Iterator[str]:
    style = segment.style or Style()
    colour = _ink(style)
    weight = " b" if style.bold else ""
    baseline = y * LINE + 15
    for wide, characters in groupby(segment.text, key=_kind):
        run = "".join(characters)
        if wide == "wide":
            for at, character in enumerate(run):
                middle = (x + 2 * at + 1) * CELL
                yield (
                    f'<text class="w{weight}" x="{_px(middle)}" y="{baseline}"'
                    f' fill="{colour}">{character}</text>'
                )
        elif wide == "narrow":
            weighed = f' class="{weight.strip()}"' if weight else ""
            yield (
                f'<text{weighed} x="{_px(x * CELL)}" y="{baseline}" fill="{colour}"'
                f' textLength="{_px(len(run) * CELL)}" lengthAdjust="spacingAndGlyphs">'
                f"{escape(run)}</text>"
            )
        x += cell_len(run)


def _kind(character: str) -> str:
    if character == " ":
        return "blank"
    return "wide" if cell_len(character) == 2 else "narrow"


def _ink(style: Style) -> str:
    return _hex(style.bgcolor if style.reverse else style.color, foreground=not style.reverse)


def _ground(style: Style | None) -> str:
    style = style or Style()
    return _hex(style.color if style.reverse else style.bgcolor, foreground=bool(style.reverse))


def _hex(colour: Color | None, *, foreground: bool) -> str:
    theme = SVG_EXPORT_THEME
    return (colour or Color.default()).get_truecolor(theme, foreground).hex


def _px(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")


def main() -> None:
    """Take them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    demo.CARD_COST = CHEAP
    with tempfile.TemporaryDirectory() as home, time_machine.travel(NOW, tick=False):
        # Our own settings file, so that nobody's own settings and code tables are looked at.
        config = Path(home) / "config.toml"
        config.touch()
        settings = load_settings(config=config, demo_dir=Path(home) / "demo", environment={})
        demo.prepare(settings)
        album = Album(folder)
        asyncio.run(tell(settings, album))
        album.remove_others()
    print(f"{len(list(folder.glob('*.svg')))} screenshots in {folder}")


if __name__ == "__main__":
    main()
