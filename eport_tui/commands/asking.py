"""Questions before something that cannot be taken back."""

from __future__ import annotations

import argparse
import sys

from eport_tui.errors import EportError


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add `--yes`, which answers the command's question beforehand."""
    parser.add_argument("--yes", action="store_true", help="不再询问")


def agreed(question: str) -> bool:
    """Ask at the terminal; nothing but a yes is one.

    Raises:
        EportError: There is no terminal to ask at.
    """
    if not sys.stdin.isatty():
        raise EportError(
            "需要确认而没有终端可以询问，没有改动任何内容",
            hint="请在终端中运行；确认无误的，可加上 --yes",
        )
    try:
        return input(f"{question}[y/N] ").strip().lower() in ("y", "yes", "是")
    except EOFError:
        return False
