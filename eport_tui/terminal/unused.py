"""Loads Textual without a part of it that this program has no use for."""

from __future__ import annotations

import sys
from types import ModuleType

_PALETTE = "textual.command"


def load_textual() -> None:
    """Have Textual do without its command palette, which is switched off here.

    What it is made of takes a tenth of the imports.  Whoever wants the module later gets it.
    """
    if _PALETTE not in sys.modules:
        sys.modules[_PALETTE] = _Unused(_PALETTE)
        try:
            import textual.app  # noqa: F401
        finally:
            del sys.modules[_PALETTE]


class _Unused(ModuleType):
    """Has a class of every name, for something to be imported."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
