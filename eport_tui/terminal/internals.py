"""What the lean terminal uses of Textual although Textual does not promise to keep it.

Everything of that kind is named here and looked at once, when the program
starts; all but `Input._cursor_visible`, for a start does without fields, and at worst they
would paint a cursor of their own.  Where something is not as expected the program runs
with Textual's own output and input.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import CodeType

import textual

TEXTUAL = "8.2.8"

# Methods, with the names of their arguments.
_METHODS = {
    "textual._compositor LayoutUpdate.__init__": "self strips region",
    "textual._compositor ChopsUpdate.__init__": "self chops spans chop_ends",
    "textual._compositor Compositor._get_renders": "self crop",
    "textual._parser Parser.feed": "self data",
    "textual._parser Parser.tick": "self",
    "textual._xterm_parser XTermParser.__init__": "self debug",
    "textual.app App._display": "self screen renderable",
    "textual.app App._set_pointer_shape": "self shape",
    "textual.app App.get_driver_class": "self",
    "textual.app App.post_display_hook": "self",
    "textual.drivers.linux_driver LinuxDriver._disable_mouse_support": "self",
    "textual.drivers.linux_driver LinuxDriver._enable_mouse_support": "self",
    "textual.drivers.linux_driver LinuxDriver.close": "self",
    "textual.drivers.linux_driver LinuxDriver.disable_input": "self",
    "textual.drivers.linux_driver LinuxDriver.process_message": "self message",
    "textual.drivers.linux_driver LinuxDriver.run_input_thread": "self",
    "textual.drivers.linux_driver LinuxDriver.start_application_mode": "self",
    "textual.drivers.linux_driver LinuxDriver.write": "self data",
    "textual.screen Screen._compositor_refresh": "self",
    "textual.screen Screen._on_timer_update": "self",
    "textual.strip Strip.crop": "self start end",
    "textual.widget Widget.render_lines": "self crop",
}
# Attributes, properties and other members; those that a class sets when it is made are meant too.
_MEMBERS = {
    "asyncio.locks Event": "_waiters",
    "rich.console Console": "_color_system",
    "rich.style Style": "_attributes _set_attributes",
    "textual._compositor ChopsUpdate": "chops spans chop_ends",
    "textual._compositor Compositor": "visible_widgets",
    "textual._compositor LayoutUpdate": "strips region",
    "textual._parser Parser": "_timeout_time",
    "textual._queue Queue": "ready_event",
    "textual.app App": "_batch_count _driver _handle_exception _registry _sync_available",
    "textual.drivers.linux_driver LinuxDriver": "_file fileno exit_event",
    "textual.message_pump MessagePump": "_closed _closing _message_queue _running",
    "textual.screen Screen": "_compositor _update_timer",
}


@cache
def unexpected() -> str:
    """What of Textual is not as expected, in Chinese; empty when all is."""
    # Reading the version takes longer than the whole check; most installations say it in a name.
    site = Path(textual.__file__).parent.parent
    if not (site / f"textual-{TEXTUAL}.dist-info").is_dir():
        from importlib.metadata import version

        if (found := version("textual")) != TEXTUAL:
            return f"Textual的版本为{found}，应为{TEXTUAL}"
    for name in (*_METHODS, *_MEMBERS):
        try:
            fault = _fault(name)
        except (ImportError, AttributeError):
            fault = name
        if fault:
            return f"Textual内部的 {fault} 与预期不同"
    return ""


def _fault(name: str) -> str:
    module_name, _, path = name.partition(" ")
    module = importlib.import_module(module_name)
    if name in _METHODS:
        kind, method = path.split(".")
        code: CodeType = getattr(getattr(module, kind), method).__code__
        arguments = code.co_varnames[: code.co_argcount]
        return "" if list(arguments) == _METHODS[name].split() else name
    kind = getattr(module, path)
    there = {*dir(kind), *kind.__init__.__code__.co_names}
    missing = [member for member in _MEMBERS[name].split() if member not in there]
    return f"{name}.{missing[0]}" if missing else ""
