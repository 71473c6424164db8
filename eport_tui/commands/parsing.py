"""A command-line parser that speaks Chinese."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

# What argparse says, and what an operator reads instead.
_SENTENCES = (
    (r"the following arguments are required: (.+)", r"缺少参数 \1"),
    (r"one of the arguments (.+) is required", r"缺少参数，须写明其中之一：\1"),
    (r"unrecognized arguments: (--(?:output|database|config)\b.*)", r"参数 \1 要写在命令之前"),
    (r"unrecognized arguments: (.+)", r"不认识的参数 \1"),
    (r"argument (.+): invalid choice: (.+) \(choose from (.+)\)", r"\1 不能是 \2，可用的是 \3"),
    (r"argument (.+): invalid \w+ value: (.+)", r"\1 的值 \2 不对"),
    (r"argument (.+): expected (?:one|at least one) argument", r"\1 后面缺少值"),
    (r"argument (.+): not allowed with argument (.+)", r"\1 不能与 \2 同时使用"),
    (r"ambiguous option: (.+) could match (.+)", r"\1 不明确，可能是 \2"),
    (r"argument (.+): ignored explicit argument (.+)", r"\1 不带值，现有 \2"),
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

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments and where help is, and exit with code 2."""
        for pattern, sentence in _SENTENCES:
            message, found = re.subn(pattern, sentence, message)
            if found:
                break
        sys.stderr.write(f"错误：{message}（用 {self.prog} --help 查看用法）\n")
        sys.exit(WRONG_USAGE)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **_: Any) -> None:
        super().__init__(prog, max_help_position=30, width=90)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "用法: " if prefix is None else prefix)
