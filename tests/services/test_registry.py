"""The registry: looking an enterprise up, and importing files as they come."""

from __future__ import annotations

import argparse
import codecs
import csv
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eport_tui.commands import registry as command
from eport_tui.domain.holders import Enterprise
from eport_tui.domain.identifiers import uscc_check_digit
from eport_tui.domain.places import Place
from eport_tui.errors import InvalidInput, NotFound, StoreError
from eport_tui.services import registry
from eport_tui.services.registry import LineFault, import_file, look_up
from eport_tui.store.database import Store

HEADER = "海关编码,社会信用代码,企业名称"
FIRST = "3101940001,91310000PDY00001XG,上海甲制造有限公司"
SECOND = "3101980002,91310000PDY000028G,上海乙报关有限公司"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str, encoding: str = "utf-8", start: bytes = b"") -> Path:
        path = tmp_path / "enterprises.csv"
        path.write_bytes(start + "\n".join(lines).encode(encoding))
        return path

    return write


def stored(store: Store) -> list[tuple[str, ...]]:
    return store.rows("SELECT customs_code, uscc, name FROM enterprise ORDER BY 1")


# -- looking up ----------------------------------------------------------------------


def test_an_enterprise_is_found_by_its_code(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(HEADER, FIRST))
    expected = Enterprise("3101940001", "91310000PDY00001XG", "上海甲制造有限公司")
    assert look_up(store, "３１０１９４０００１") == expected


def test_an_unknown_code_is_told_in_the_words_of_the_screen(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        look_up(store, "3101940001")
    assert (caught.value.message, caught.value.field) == ("未查询到该企业", "agent")


# -- files as they come ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "start"),
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("gb18030", b""), ("gbk", b"")],
    ids=["UTF-8", "UTF-8 with BOM", "GB18030", "GBK"],
)
def test_encodings(store: Store, file: Callable[..., Path], encoding: str, start: bytes) -> None:
    report = import_file(store, file(HEADER, FIRST, SECOND, encoding=encoding, start=start))
    assert (report.added, report.refused) == (2, 0)
    assert stored(store)[0][2] == "上海甲制造有限公司"


def test_columns_in_any_order_and_further_ones(store: Store, file: Callable[..., Path]) -> None:
    import_file(
        store,
        file(
            "序号, 企业名称 ,社会信用代码,备注,海关编码",
            "1,上海甲制造有限公司,91310000PDY00001XG,,3101940001",
            "2, 上海乙报关有限公司 ,91310000PDY000028G,多一格,3101980002,多两格",
        ),
    )
    assert stored(store) == [tuple(FIRST.split(",")), tuple(SECOND.split(","))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_quotes(store: Store, tmp_path: Path, end: str) -> None:
    path = tmp_path / "x.csv"
    quoted = '3101940001,"91310000PDY00001XG","甲,""乙"""'
    path.write_bytes(end.join([HEADER, "", quoted, ",,", SECOND, ""]).encode())
    report = import_file(store, path)
    assert (report.added, report.refused) == (2, 0)
    assert stored(store)[0][2] == '甲,"乙"'


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("[bold]甲[/]", None),
        ("汉" * 200, None),
        ("＊有限公司（上海）", None),
        ("汉" * 201, "企业名称超过200个字符，现为201个"),
        ("甲\x1b[31m", "企业名称「甲␛[31m」含有控制字符"),
        ('"甲\n乙"', "企业名称「甲␊乙」含有控制字符"),
        ("甲\u202e乙", "企业名称「甲␦乙」含有控制字符"),
        ("", "缺少企业名称"),
    ],
)
def test_names(store: Store, file: Callable[..., Path], name: str, refused: str | None) -> None:
    report = import_file(store, file(HEADER, f"3101940001,91310000PDY00001XG,{name}"))
    assert report.errors == ([LineFault(2, refused)] if refused else [])
    assert [row[2] for row in stored(store)] == ([] if refused else [name])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("310194000,91310000PDY00001XG,甲", "海关编码应为10位，现为9位"),
        ("A101940001,91310000PDY00001XG,甲", "海关编码的前4位应为数字"),
        ("310194000a,91310000PDY00001XG,甲", "海关编码中的字母须为大写"),
        ("3101940001,91310000PDY00001X,甲", "社会信用代码应为18位，现为17位"),
        ("3101940001,91310000PDYO0001XG,甲", "社会信用代码中不能有「O」"),
        ("3101940001", "缺少社会信用代码"),
        (" ,91310000PDY00001XG,甲", "缺少海关编码"),
        ('"3101940001"x,91310000PDY00001XG,甲', "引号不成对"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_good_ones_go_in(
    store: Store, file: Callable[..., Path], line: str, fault: str
) -> None:
    report = import_file(store, file(HEADER, FIRST, line, SECOND))
    assert [error.line for error in report.errors] == [3]
    assert report.errors[0].message.startswith(fault)
    assert (report.added, report.refused) == (2, 1)
    assert stored(store) == [tuple(FIRST.split(",")), tuple(SECOND.split(","))]


def test_strict_lets_nothing_in_when_a_line_is_bad(store: Store, file: Callable[..., Path]) -> None:
    report = import_file(store, file(HEADER, FIRST, "x,y,z"), strict=True)
    assert (report.added, report.refused) == (0, 1)
    assert stored(store) == []
    assert import_file(store, file(HEADER, FIRST), strict=True).added == 1


def test_full_width_codes_go_in_as_half_width(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(HEADER, "３１０１９４０００１,９１310000PDY00001XG,甲"))
    assert stored(store) == [("3101940001", "91310000PDY00001XG", "甲")]


def test_a_wrong_check_digit_is_a_warning(store: Store, file: Callable[..., Path]) -> None:
    report = import_file(store, file(HEADER, "3101940001,91310000PDY00001XX,甲"), strict=True)
    assert (report.added, report.refused, report.warned) == (1, 0, 1)
    assert report.warnings == [LineFault(2, "社会信用代码 91310000PDY00001XX 的校验位不符，请核对")]


# -- the same again --------------------------------------------------------------------


def test_what_is_new_changed_and_known_is_counted(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(HEADER, FIRST, SECOND))
    renamed = FIRST.replace("甲", "己")
    third = "3101980003,91310000PDY000036B,丙"
    report = import_file(store, file(HEADER, renamed, SECOND, third))
    assert (report.added, report.updated, report.unchanged) == (1, 1, 1)
    assert stored(store) == [tuple(line.split(",")) for line in (renamed, SECOND, third)]


def test_a_line_that_contradicts_an_earlier_one_is_refused(
    store: Store, file: Callable[..., Path]
) -> None:
    many = [f"31019{n:05},91310000PDY00001XG,企业{n}" for n in range(registry._CHUNK)]
    other_name, other_uscc = FIRST + "分公司", FIRST.replace("1XG", "28G")
    report = import_file(store, file(HEADER, FIRST, FIRST, other_name, *many, other_uscc))
    assert report.errors == [
        LineFault(4, "海关编码与第2行重复，而内容不同"),
        LineFault(1005, "海关编码与第2行重复，而内容不同"),
    ]
    assert (report.added, report.unchanged) == (1001, 1)
    assert tuple(FIRST.split(",")) in stored(store)


# -- what cannot be read at all ----------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "文件是空的"),
        (codecs.BOM_UTF8, "文件缺少列 海关编码、社会信用代码、企业名称"),
        ("海关编码,企业名称\n3101940001,甲".encode(), "文件缺少列 社会信用代码"),
        (f"{HEADER},企业名称\n".encode(), "文件中的列 企业名称 重复"),
        (HEADER.replace(",", ";").encode(), "文件缺少列 海关编码、社会信用代码、企业名称"),
        (b"\n\n", "文件缺少列 海关编码、社会信用代码、企业名称"),
        (f"{HEADER}\n{FIRST}".encode("utf-16"), "文件中有空字节，不是CSV文件"),
        (f"{HEADER}\n{FIRST}\0".encode(), "文件中有空字节，不是CSV文件"),
        (b"\xff\xff\xff\n", "文件的编码既不是UTF-8也不是GB18030"),
        (f'{HEADER}\n{FIRST}\n3101980002,"9131'.encode(), "第3行起的引号没有结束"),
        (f'{HEADER}\n{FIRST}\n3101980002,"91\n{SECOND}\n'.encode(), "第3行起的引号没有结束"),
        (
            f'{HEADER}\n{FIRST}\n3101980002,"91\n'.encode() + f"{SECOND}\n".encode() * 4000,
            "第3行起的引号没有结束",
        ),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_whole(
    store: Store, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        import_file(store, path)
    assert caught.value.message == message
    assert caught.value.hint
    assert stored(store) == []


def test_files_that_are_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="不存在"):
        import_file(store, tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="是一个文件夹"):
        import_file(store, tmp_path)


# -- large files -------------------------------------------------------------------------


def write_many(path: Path, count: int) -> Path:
    start = "91310000PDY00001X"
    uscc = start + uscc_check_digit(start)
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(HEADER.split(","))
        lines.writerows([f"3101{n:06}", uscc, f"上海第{n}有限公司"] for n in range(count))
    return path


def test_progress_is_told_up_to_the_end(store: Store, tmp_path: Path) -> None:
    path = write_many(tmp_path / "x.csv", 5000)
    told: list[tuple[int, int]] = []
    import_file(store, path, progress=lambda done, total: told.append((done, total)))
    size = path.stat().st_size
    assert len(told) >= 5
    assert told == sorted(told)
    assert told[-1] == (size, size)
    assert 0 < told[0][0] < size


def test_memory_does_not_grow_with_the_file(store: Store, tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 10_000):
        path = write_many(tmp_path / f"{count}.csv", count)
        tracemalloc.start()
        import_file(store, path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Five times the lines; what the interpreter does meanwhile moves a peak by half.
    assert peaks[1] < 2 * peaks[0]


def test_others_can_save_while_a_file_is_read(store: Store, place: Place, tmp_path: Path) -> None:
    saved = threading.Event()

    def save(done: int, total: int) -> None:
        with Store.open(place, patience=0) as other, other.transaction():
            saved.set()

    import_file(store, write_many(tmp_path / "x.csv", 10), progress=save)
    assert saved.is_set()


def test_an_import_that_finds_the_database_locked_leaves_nothing_half_done(
    place: Place, tmp_path: Path
) -> None:
    csv_file = write_many(tmp_path / "x.csv", 10)
    with (
        Store.open(place, patience=0.01) as store,
        Store.open(place) as other,
        other.transaction(),
        pytest.raises(StoreError, match="占用"),
    ):
        import_file(store, csv_file)
    with Store.open(place) as store:
        assert stored(store) == []


def test_a_report_lists_a_thousand_faults_and_counts_the_others(
    store: Store, file: Callable[..., Path]
) -> None:
    report = import_file(store, file(HEADER, *["x,y,z"] * 1500))
    assert (report.refused, len(report.errors), report.errors[-1].line) == (1500, 1000, 1001)


# -- the command -------------------------------------------------------------------------


@pytest.fixture
def run(place: Place, tmp_path: Path) -> Callable[..., int]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser.add_subparsers())

    def call(*arguments: object) -> int:
        parsed = parser.parse_args(["registry", *map(str, arguments)])
        settings = SimpleNamespace(config_dir=tmp_path)
        return command.run(parsed, lambda: Store.open(place), settings)

    return call


def test_the_command_imports_and_says_what_it_did(
    run: Callable[..., int], file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", file(HEADER, FIRST, SECOND)) == 0
    assert capsys.readouterr() == ("新增2个企业，更新0个，0行没有变化，0行有错未导入\n", "")


def test_the_command_lists_faults_and_ends_with_1(
    run: Callable[..., int], file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(HEADER, FIRST.replace("1XG", "1XX"), "x,y,\x1b[31mz")
    assert run("import", path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "错误：第3行，企业名称「␛[31mz」含有控制字符",
        "警告：第2行，社会信用代码 91310000PDY00001XX 的校验位不符，请核对",
        "新增1个企业，更新0个，0行没有变化，1行有错未导入",
    ]
    assert run("import", "--strict", path) == 1
    assert capsys.readouterr().out.endswith("\n有1行有错，没有导入任何企业\n")


def test_the_command_ends_with_2_when_nothing_could_be_done(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", tmp_path / "none.csv") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("错误：文件")
    assert run("show", "3101940001") == 2
    assert (
        capsys.readouterr().err
        == "错误：未查询到该企业\n提示：请核对编号；编号无误的，请管理员导入该企业\n"
    )


def test_the_command_shows_progress_on_a_terminal_alone(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_many(tmp_path / "x.csv", 3000)
    assert run("import", path) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run("import", path) == 0
    error = capsys.readouterr().err
    assert error.startswith("\r正在读取文件：")
    assert error.endswith("\r正在读取文件：100%\n")


def test_the_command_shows_what_a_code_says(
    run: Callable[..., int], file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run("import", file(HEADER, SECOND))
    capsys.readouterr()
    assert run("show", "3101980002") == 0
    assert capsys.readouterr().out.splitlines() == [
        "企业编号：3101980002（上海市，其他，报关企业（无进出口经营权））",
        "社会信用代码：91310000PDY000028G",
        "企业名称：上海乙报关有限公司",
    ]
