"""The registry of enterprises: looking one up, and importing a file."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.identifiers import (
    parse_card_number,
    parse_customs_code,
    parse_uscc,
    uscc_check_digit_holds,
)
from eport_tui.domain.text import half_width, printable
from eport_tui.errors import InvalidInput, NotFound, unreadable
from eport_tui.store import enterprises
from eport_tui.store.database import Store, harmless_twice

COLUMNS = ("海关编码", "社会信用代码", "企业名称")
"""The columns that an import file must have, in any order."""

CARDS_COLUMN = "法人卡号"
"""A further column that it may have: the legal-person cards of the enterprise, by number."""

LONGEST_NAME = 200
"""Characters of an enterprise's name."""

MOST_FAULTS = 1000
"""How many errors, and how many warnings, a report lists."""

_BETWEEN_CARDS = re.compile(r"[\s、]+")
_CHUNK = 1000
_BLOCK = 1 << 16

Progress = Callable[[int, int], None]
"""Is told how many bytes are done, and of how many."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with a line of the file; the first line is 1."""

    line: int
    message: str


@dataclass(slots=True)
class ImportReport:
    """What an import has done.

    Attributes:
        added: New enterprises.
        updated: Enterprises whose USCC or name has changed.
        unchanged: Lines that said what was known.
        relisted: Enterprises whose list of legal-person cards has changed, new ones included.
        refused: Lines with an error; none of them went in.
        errors: The first `MOST_FAULTS` of those, by line.
        warned: Lines that went in although something is odd.
        warnings: The first `MOST_FAULTS` of those, by line.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    relisted: int = 0
    refused: int = 0
    errors: list[LineFault] = field(default_factory=list[LineFault])
    warned: int = 0
    warnings: list[LineFault] = field(default_factory=list[LineFault])

    def refuse(self, line: int, message: str) -> None:
        """Count a line that does not go in."""
        self.refused += 1
        if len(self.errors) < MOST_FAULTS:
            self.errors.append(LineFault(line, message))

    def warn(self, line: int, message: str) -> None:
        """Count a line that goes in with a warning."""
        self.warned += 1
        if len(self.warnings) < MOST_FAULTS:
            self.warnings.append(LineFault(line, message))


def look_up(store: Store, text: str) -> Enterprise:
    """The enterprise with the customs code in `text`.

    Raises:
        InvalidInput: It is malformed.
        NotFound: It is not in the registry.
    """
    found = enterprises.get(store, parse_customs_code(text, field="agent"))
    if found is None:
        raise NotFound(
            "未查询到该企业", field="agent", hint="请核对编号；编号无误的，请管理员导入该企业"
        )
    return found


def look_up_card(
    store: Store, organization: str, card_number: str
) -> list[tuple[Enterprise, Role]]:
    """Which enterprises a card may belong to whose certificate names no customs code.

    The enterprise that lists it as a legal-person card, alone; otherwise those with the
    organization code (characters 9 to 17 of the USCC), of which it is an operator's card.

    Returns:
        Each with the role of the card; two when there are more.
    """
    found = enterprises.of_organization(store, organization, card_number)
    if found and found[0][1]:
        return [(found[0][0], Role.LEGAL_PERSON)]
    return [(enterprise, Role.OPERATOR) for enterprise, _ in found]


def add_from_card(store: Store, enterprise: Enterprise) -> None:
    """Put an enterprise in as its card names it where it is not known, inside a transaction.

    Nothing that is there is changed.  It is left out where another customs code has the same
    organization code: operators' cards of China E-Port, which name no other, would not be
    told apart any more (`look_up_card`).
    """
    name = printable(enterprise.name).strip()
    if (
        1 <= len(name) <= LONGEST_NAME
        and enterprises.get(store, enterprise.customs_code) is None
        and not enterprises.of_organization(store, enterprise.uscc[8:17], "")
    ):
        enterprises.add(store, enterprise._replace(name=name))


def differences(store: Store, given: Enterprise) -> list[str]:
    """What the registry says otherwise of an enterprise, in Chinese; nothing where it is not known.

    It is known by its customs code, or by its USCC.
    """
    known = enterprises.get(store, given.customs_code)
    if known is None:
        same = [
            each.customs_code
            for each, _ in enterprises.of_organization(store, given.uscc[8:17], "")
            if each.uscc == given.uscc
        ]
        return [f"企业编号应为 {'或'.join(same)}，现为 {given.customs_code}"] if same else []
    return [
        f"{label}应为 {ours}，现为 {theirs}"
        for label, ours, theirs in (
            ("社会信用代码", known.uscc, given.uscc),
            ("企业名称", known.name, given.name),
        )
        if ours != theirs
    ]


def legal_person_cards(store: Store, customs_code: str) -> list[str]:
    """The numbers of the legal-person cards that the registry lists for an enterprise."""
    return enterprises.legal_person_cards(store, customs_code)


def import_file(
    store: Store, path: Path, *, strict: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Read a CSV file of enterprises into the registry.

    UTF-8 with or without BOM, or GB18030; the columns of `COLUMNS` in any order.
    Where there is the column `CARDS_COLUMN` too, the lists of legal-person cards of the
    enterprises in the file become what it says; otherwise they stay as they are.  Further
    columns are ignored.  A bad line is reported and left out.  What goes in, goes in at
    once, after the whole file was read.

    Args:
        strict: Let nothing go in when a line is bad.
        progress: Is called from time to time while the file is read.

    Raises:
        InvalidInput: The file cannot be read as such a table at all.
        StoreError: The database cannot be written; nothing went in.
    """
    report = ImportReport()
    with _opened(path) as file, enterprises.Staging(store) as staging:
        good, has_cards = _stage(file, staging, report, progress)
        report.errors.sort(key=lambda fault: fault.line)
        if strict and report.refused:
            return report

        def put() -> None:
            report.added, report.updated = enterprises.put_all(
                store, (entry.enterprise for entry in staging)
            )
            if has_cards:
                report.relisted = enterprises.put_legal_person_cards(store, staging)

        store.transact(put, done=harmless_twice)
        report.unchanged = good - report.added - report.updated
    return report


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable("文件", path, error) from error


def _stage(
    file: BinaryIO, staging: enterprises.Staging, report: ImportReport, progress: Progress | None
) -> tuple[int, bool]:
    """Stage all good lines; returns how many there are, and whether they list cards."""
    encoding, total = _examine(file)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    records = _records(text)
    places = _places(next(records, None))
    good = 0
    chunk: list[tuple[int, enterprises.Entry]] = []

    def flush() -> int:
        clashes = staging.add(chunk)
        for clash in clashes:
            what = f"{CARDS_COLUMN} {clash.card} " if clash.card else "海关编码"
            why = "，一张卡只能属于一个企业" if clash.card else "，而内容不同"
            report.refuse(clash.line, f"{what}与第{clash.earlier}行重复{why}")
        staged = len(chunk) - len(clashes)
        chunk.clear()
        if progress:
            progress(file.tell(), total)
        return staged

    for line, cells in records:
        if isinstance(cells, str):
            report.refuse(line, cells)
            continue
        if not any(cells):
            continue
        try:
            entry = _entry(*(cells[at] if at < len(cells) else "" for at in places))
        except InvalidInput as fault:
            report.refuse(line, str(fault))
            continue
        uscc = entry.enterprise.uscc
        if not uscc_check_digit_holds(uscc):
            report.warn(line, f"社会信用代码 {uscc} 的校验位不符，请核对")
        chunk.append((line, entry))
        if len(chunk) == _CHUNK:
            good += flush()
    return good + flush(), len(places) > len(COLUMNS)


def _examine(file: BinaryIO) -> tuple[str, int]:
    """The encoding and the size of a file, which is left at its beginning."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        file.seek(0)
        try:
            while block := file.read(_BLOCK):
                if b"\0" in block:
                    raise InvalidInput(
                        "文件中有空字节，不是CSV文件", hint="请在表格软件中另存为UTF-8编码的CSV"
                    )
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        size = file.tell()
        if size == 0:
            raise InvalidInput("文件是空的", hint=f"第1行应为列名 {'、'.join(COLUMNS)}")
        file.seek(0)
        return encoding, size
    raise InvalidInput("文件的编码既不是UTF-8也不是GB18030", hint="请另存为UTF-8编码的CSV")


def _records(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str] | str]]:
    """The number of the line where each record begins, with its cells or what is wrong.

    Raises:
        InvalidInput: A quote is not closed, so nothing after it can be trusted.
    """
    reader = csv.reader(text, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > line or "unexpected end of data" in str(error):
                raise InvalidInput(
                    f"第{line}行起的引号没有结束", hint="请改正后重新导入"
                ) from error
            yield line, "引号不成对，或一格的内容过长"
        else:
            yield line, cells


def _places(header: tuple[int, list[str] | str] | None) -> list[int]:
    """Where the columns are, in the order of `COLUMNS`, then that of the cards if it is there."""
    cells = header[1] if header else []
    names = [half_width(cell) for cell in cells] if isinstance(cells, list) else []
    hint = f"第1行应为列名 {'、'.join(COLUMNS)}，以逗号分隔"
    if missing := [name for name in COLUMNS if name not in names]:
        raise InvalidInput(f"文件缺少列 {'、'.join(missing)}", hint=hint)
    wanted = [*COLUMNS, CARDS_COLUMN] if CARDS_COLUMN in names else COLUMNS
    if doubled := [name for name in wanted if names.count(name) > 1]:
        raise InvalidInput(f"文件中的列 {'、'.join(doubled)} 重复", hint=hint)
    return [names.index(name) for name in wanted]


def _entry(customs_code: str, uscc: str, name: str, cards: str = "") -> enterprises.Entry:
    name = name.strip()
    for value, label in zip((customs_code.strip(), uscc.strip(), name), COLUMNS, strict=True):
        if not value:
            raise InvalidInput(f"缺少{label}")
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"企业名称超过{LONGEST_NAME}个字符，现为{len(name)}个")
    if printable(name) != name:
        raise InvalidInput(f"企业名称「{printable(name)}」含有控制字符")
    enterprise = Enterprise(
        parse_customs_code(customs_code, label="海关编码"),
        parse_uscc(uscc, label="社会信用代码"),
        name,
    )
    numbers = {
        parse_card_number(number, label=CARDS_COLUMN)
        for number in _BETWEEN_CARDS.split(cards)
        if number
    }
    return enterprises.Entry(enterprise, tuple(sorted(numbers)))
