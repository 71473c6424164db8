"""How every command ends: with its exit code, and one sentence where something went wrong."""

from __future__ import annotations

import codecs
import logging
import os
import sys
from contextlib import suppress
from io import TextIOWrapper

from eport_tui.errors import EportError, cause_of

OPERATIONAL_ERROR, INTERRUPTED, NOBODY_READS = 2, 130, 141

_ESCAPED = "eport_tui.escaped"


def prepare_streams() -> None:
    """See that whatever is printed can be, and that no file takes the place of a closed stream.

    What an encoding lacks is written as `\\uXXXX`, in pairs as JSON has it beyond U+FFFF.
    Where the output was closed `sys.stdout` stays None.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    codecs.register_error(_ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


def flush_output() -> None:
    """Write what is still held back, whose failure is an error like any other.

    Raises:
        OSError: It cannot be written.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def exit_code_for(error: BaseException) -> int:
    """The exit code of a command that an error has ended; says what is wrong on stderr.

    A defect is logged, and told in one sentence.
    """
    with suppress(OSError):
        _complain(error)
    _abandon_output()
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():
            return NOBODY_READS
        case _:
            return OPERATIONAL_ERROR


def _complain(error: BaseException) -> None:
    from eport_tui.commands.complaint import complain

    match error:
        case EportError():
            complain(error)
        case KeyboardInterrupt() | BrokenPipeError():
            pass
        case OSError():
            cause, hint = cause_of(error)
            # What has no name is the output.
            what = f" {os.fsdecode(error.filename)}" if error.filename else "输出"
            complain(EportError(f"无法读写{what}：{cause}", hint=hint))
        case MemoryError():
            complain(EportError("内存不足", hint="请关闭其他程序后再试"))
        case _:
            complain(of_defect(error))


def of_defect(defect: BaseException) -> EportError:
    """The error that tells of a defect, and where it has been logged."""
    from platformdirs import user_state_path

    from eport_tui.log import log_to, logged_to, where_logged
    from eport_tui.settings import APP

    file = logged_to()
    if file is None:
        file = user_state_path(APP, appauthor=False) / "eport-tui.log"
        log_to(file)
    logging.getLogger("eport_tui").critical("a defect ended a command", exc_info=defect)
    # Its text may hold what was typed.
    return EportError(f"程序内部错误：{type(defect).__name__}", hint=where_logged(file))


def _abandon_output() -> None:
    """Drop what could not be written: the interpreter would try again, with its own exit code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
