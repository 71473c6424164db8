"""How every command says what went wrong."""

from __future__ import annotations

import sys

from eport_tui.domain.text import printable
from eport_tui.errors import EportError, OutOfReach


def complain(error: EportError) -> None:
    """Say on stderr what is wrong, and on a line of its own what to do."""
    print(f"错误：{printable(error.message)}", file=sys.stderr)
    if hint := _hint(error):
        print(f"提示：{printable(hint)}", file=sys.stderr)


def _hint(error: EportError) -> str | None:
    """What to do at a command line, where nothing is kept and no list can be loaded anew."""
    from eport_tui.store.faults import InDoubt

    if isinstance(error, OutOfReach):
        return f"没有改动任何内容；{error.hint}，恢复后重新运行本命令"
    if isinstance(error, InDoubt):
        return "恢复后请用 eport-tui --database 位置 info 核对是否已保存，再决定是否重新运行"
    return error.hint
