"""A command-line parser that speaks Chinese."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

from eport_tui.commands.complaint import complain
from eport_tui.commands.ending import flush_output
from eport_tui.errors import InvalidInput

# What argparse says, and what an operator reads instead.
_SENTENCES = (
    (r"the following arguments are required: (?P<names>.+)", "缺少参数 {names}"),
    (r"one of the arguments (?P<names>.+) is required", "缺少参数，须写明其中之一：{names}"),
    (r"unrecognized arguments: (--(?:output|database|config)\b.*)", "参数 {} 要写在命令之前"),
    (r"unrecognized arguments: (.+)", "不认识的参数 {}"),
    (
        r"argument (.+?): invalid choice: (.+) \(choose from (?P<names>.+)\)",
        "{} 不能是 {}，可用的是 {names}",
    ),
    (r"argument (.+?): invalid \w+ value: (.+)", "{} 的值 {} 不对"),
    (r"argument (.+?): expected (?:one|at least one) argument", "{} 后面缺少值"),
    (r"argument (.+?): not allowed with argument (.+)", "{} 不能与 {} 同时使用"),
    (r"ambiguous option: (.+) could match (?P<names>.+)", "{} 不明确，可能是 {names}"),
    (r"argument (.+?): ignored explicit argument (.+)", "{} 不带值，现有 {}"),
)

WRONG_USAGE = 2


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` with Chinese headings, help and errors; so are its sub-parsers."""

    def __init__(self, *args: Any, add_help: bool = True, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, add_help=False, **kwargs)
        self._positionals.title = "参数"
        self._optionals.title = "选项"
        if add_help:
            self.add_argument("-h", "--help", action="help", help="显示本说明")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave after help or the version, once they are really written.

        Raises:
            OSError: They cannot be.
        """
        flush_output()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments and where help is, and exit with code 2."""
        for pattern, sentence in _SENTENCES:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                named = {name: _listed(text) for name, text in found.groupdict().items()}
                message = sentence.format(*map(_bare, found.groups()), **named)
                break
        complain(InvalidInput(message, hint=f"用 {self.prog} --help 查看用法"))
        sys.exit(WRONG_USAGE)


def whole_number(text: str, least: int, most: int) -> int | None:
    """The number that a text writes in digits, if it is one from `least` to `most`."""
    # Python reads no number of thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    number = int(text)
    return number if least <= number <= most else None


def _bare(text: str) -> str:
    """What argparse repeats, without the quotes of Python."""
    return text[1:-1] if re.fullmatch(r"'.*'|\".*\"", text, re.DOTALL) else text


def _listed(text: str) -> str:
    """What argparse lists, which has neither blanks nor commas in it, as in a Chinese sentence."""
    return "、".join(map(_bare, re.split(r"[,\s]+", text)))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **_: Any) -> None:
        super().__init__(prog, max_help_position=30, width=90)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "用法: " if prefix is None else prefix)
