"""Code tables: the values that a code field offers, and what actions need.

The tables are data (`data/*.csv`); this module only says what a table is and
which tables are sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from eport_tui.errors import InvalidInput

YES, NO = "1", "0"


class Code(NamedTuple):
    """One entry of a code table.

    Attributes:
        code: What is stored.
        name: What is shown.
        retired: Still understood where it is stored, but no longer offered.
        note: Where the code comes from; `own` marks one that is not official.
        mnemonic: 助记码, the initials of the name in pinyin, for choosing without an input method.
    """

    code: str
    name: str
    retired: bool = False
    note: str = ""
    mnemonic: str = ""

    @property
    def short(self) -> str:
        """What is quickly typed for it: the code, or the mnemonic of one that is for programs."""
        return self.mnemonic if self.mnemonic and self.code.islower() else self.code

    def matches(self, typed: str) -> bool:
        """Whether what was typed means this entry: code, mnemonic or part of the name."""
        typed = typed.upper()
        return (
            self.code.upper().startswith(typed)
            or self.mnemonic.upper().startswith(typed)
            or typed in self.name.upper()
        )


class CodeTable:
    """An ordered table of codes with unique codes and names."""

    def __init__(self, label: str, codes: Iterable[Code]) -> None:
        self.label = label
        self._codes: dict[str, Code] = {}
        names: set[str] = set()
        for code in codes:
            if code.code in self._codes:
                raise InvalidInput(f"{label}代码表中代码 {code.code} 重复")
            if code.name in names:
                raise InvalidInput(f"{label}代码表中名称 {code.name} 重复")
            self._codes[code.code] = code
            names.add(code.name)

    def __iter__(self) -> Iterator[Code]:
        return iter(self._codes.values())

    def __contains__(self, code: object) -> bool:
        return code in self._codes

    def __len__(self) -> int:
        return len(self._codes)

    def offered(self) -> list[Code]:
        """The codes that may be chosen today, in the order of the table."""
        return [code for code in self if not code.retired]

    def name(self, code: str) -> str:
        """The name of a code; a code that is not in the table stands for itself."""
        known = self._codes.get(code)
        return known.name if known else code

    def parse(self, text: str, *, field: str | None = None) -> str:
        """Return `text` if it is a code that may be chosen.

        Raises:
            InvalidInput: It is empty, unknown or retired.
        """
        if not text:
            raise InvalidInput(f"请选择{self.label}", field=field, hint="按空格键打开列表")
        known = self._codes.get(text)
        if known is None:
            raise InvalidInput(f"{self.label}代码 {text} 不在代码表中", field=field)
        if known.retired:
            raise InvalidInput(
                f"{self.label}「{known.name}」已停用", field=field, hint="请另选一项"
            )
        return text


YES_NO = CodeTable(
    "是否授予全部操作员", [Code(YES, "是", mnemonic="SHI"), Code(NO, "否", mnemonic="FOU")]
)


@dataclass(frozen=True, slots=True)
class CodeTables:
    """All tables the program works with.

    Attributes:
        subsystems: 授权子系统.
        grant_types: 授权类型; the first entry is the one a new grant begins with.
        actions: What an operator does to an enterprise's data (查询, 申报, …).
        action_needs: Code of an action → code of the grant type it needs.
        areas: First two digits of a customs code → province.
        economic_zones: Fifth character of a customs code → kind of area.
        enterprise_kinds: Sixth character of a customs code → nature of the enterprise.
    """

    subsystems: CodeTable
    grant_types: CodeTable
    actions: CodeTable
    action_needs: Mapping[str, str]
    areas: CodeTable
    economic_zones: CodeTable
    enterprise_kinds: CodeTable

    def __post_init__(self) -> None:
        for table in (self.subsystems, self.grant_types):
            if not table.offered():
                raise InvalidInput(f"{table.label}代码表中没有可以选择的代码")
        for action in self.actions:
            needed = self.action_needs.get(action.code)
            if needed not in self.grant_types:
                raise InvalidInput(f"操作「{action.name}」所需的授权类型 {needed} 不在代码表中")

    @property
    def default_grant_type(self) -> str:
        """The grant type that a new grant begins with (spec §2.1: 操作权)."""
        return self.grant_types.offered()[0].code

    def describe_customs_code(self, customs_code: str) -> str:
        """Say in words what the places of a customs code mean, as far as it is known."""
        parts = [
            table.name(key)
            for table, key in (
                (self.areas, customs_code[:2]),
                (self.economic_zones, customs_code[4:5]),
                (self.enterprise_kinds, customs_code[5:6]),
            )
            if key in table
        ]
        return "，".join(parts)
