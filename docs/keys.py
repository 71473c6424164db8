"""Write `docs/keys.md` from the registry of actions: `python -m docs.keys`."""

from __future__ import annotations

from pathlib import Path

from eport_tui.actions import ACTIONS, MOVING

PAGE = Path(__file__).resolve().parent / "keys.md"

_HEAD = """\
# 按键表

<!-- Made from eport_tui/actions.py by `make docs`; not to be changed by hand. -->

每个画面的最后一行显示当时可用的键；按F1可看该画面的说明和全部按键。`^Q` 表示按住Ctrl再按Q。

| 键 | 名称 | 作用 |
|---|---|---|
"""

_MOVING = """
## 移动和录入

| 键 | 作用 |
|---|---|
"""


def page() -> str:
    """The page as the registry gives it."""
    actions = [f"| {action.caps} | {action.label} | {action.help} |" for action in ACTIONS.values()]
    moving = [f"| {caps} | {text} |" for caps, text in MOVING]
    return _HEAD + "\n".join(actions) + "\n" + _MOVING + "\n".join(moving) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
