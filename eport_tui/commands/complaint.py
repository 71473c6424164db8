"""How every command says what went wrong."""

from __future__ import annotations

import sys

from eport_tui.domain.text import printable
from eport_tui.errors import EportError


def complain(error: EportError) -> None:
    """Say on stderr what is wrong, and on a line of its own what to do."""
    print(f"错误：{printable(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"提示：{printable(error.hint)}", file=sys.stderr)
