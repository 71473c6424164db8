"""The harness itself: what it shows must be what a terminal shows, or other tests mean nothing."""

from __future__ import annotations

import contextlib
import fcntl
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from tests.pty.terminal import Terminal, _Emulator

SAMPLE = [sys.executable, str(Path(__file__).with_name("sample_app.py"))]

# Sends its argument in raw mode, then shows what came back until a `c` ends it.
ASK = """
import os, sys, tty
tty.setraw(0)
os.write(1, sys.argv[1].encode())
answer = b""
while not answer.endswith(b"c"):
    answer += os.read(0, 100)
print(ascii(answer.decode()), end="\\r\\ndone")
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-ISc", code, *arguments]


@pytest.fixture
def sample() -> Iterator[Terminal]:
    with Terminal(SAMPLE, env={}) as terminal:
        terminal.wait_for("窗口 80x24")
        yield terminal


def shown(output: str) -> _Emulator:
    emulator = _Emulator(20, 4, lambda _: None, xterm=True)
    emulator.feed(output.encode())
    return emulator


def line(emulator: _Emulator, y: int = 0) -> str:
    return "".join(text for _, text in emulator.screen.cells(y)).rstrip()


# What reaches the screen


def test_wide_characters_take_two_cells_and_carry_their_colours(sample: Terminal) -> None:
    assert sample.line(0).rstrip() == "委托授权系统 (menu)"
    assert sample.find("授权") == (4, 0)
    assert sample.find("(menu)") == (13, 0)
    cell = sample.cell(4, 0)
    assert (cell.text, cell.fg, cell.bg, cell.bold) == ("授", "brightyellow", "blue", True)
    assert sample.cell(5, 0).text == ""
    assert sample.cell(0, 10).bg == "black"


@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param("\x1b[>25u\x1b[<u\x1b[=1;1u", id="kitty-keyboard"),
        pytest.param("\x1b[?2026$p\x1b[?2048$p", id="mode-query"),
        pytest.param("\x1b[>4;2m", id="modify-other-keys"),
        pytest.param("\x1b[2 q\x1b[!p", id="cursor-shape-and-soft-reset"),
        pytest.param("\x1bP+q544e\x1b\\\x1b_Gi=1;AAAA\x1b\\", id="device-strings"),
        pytest.param("\x1b]0;标题\x07\x1b]8;;https://example.org\x1b\\", id="title-and-link"),
        pytest.param("\x1b[?1004h\x1b[?2004h\x1b[?1016h", id="modes"),
        pytest.param("\x1b[>0q\x1b[>c\x1b[6n\x1b[c", id="queries"),
    ],
)
def test_sequences_that_a_terminal_obeys_silently_print_nothing(sequence: str) -> None:
    whole = shown(f"甲{sequence}乙")
    assert line(whole) == "甲乙"
    assert whole.screen.buffer[0][2].underscore is False
    bytewise = shown("甲")
    for byte in f"{sequence}乙".encode():
        bytewise.feed(bytes([byte]))
    assert line(bytewise) == "甲乙"


@pytest.mark.parametrize(
    ("rendition", "fg", "underline"),
    [
        ("38:2::255:128:0", "ff8000", False),
        ("38:2:255:128:0", "ff8000", False),
        ("38:5:196", "ff0000", False),
        ("38;5;196;4:3", "ff0000", True),
        ("4;4:0;58:2::1:2:3;33", "brown", False),
    ],
)
def test_colours_written_with_colons_are_understood(
    rendition: str, fg: str, underline: bool
) -> None:
    emulator = shown(f"\x1b[{rendition}m权")
    char = emulator.screen.buffer[0][0]
    assert (char.data, char.fg, char.underscore) == ("权", fg, underline)


def test_half_of_a_wide_character_that_is_written_over_leaves_a_blank() -> None:
    assert line(shown("授权\x1b[1;2Hx")) == " x权"
    assert line(shown("授权\x1b[1;3Hx")) == "授x"


def test_an_invisible_character_does_not_swallow_what_follows() -> None:
    assert line(shown("企\u200b业e\u0301.")) == "企业é."


def test_leaving_the_program_brings_back_the_shell_s_screen() -> None:
    assert line(shown("$ eport\x1b[?1049h\x1b[H主选单")) == "主选单"
    left = "$ eport\x1b[?1049h\x1b[H主选单\x1b[?1049l -> 0"
    assert line(shown(left)) == "$ eport -> 0"
    assert line(shown(f"{left}\x1b[?1049h")) == ""


def test_questions_of_the_program_are_answered_in_order() -> None:
    question = "\x1b[?2026$p\x1b[?2048$p\x1b[>0q\x1b[6n\x1b[>c"
    with Terminal(python(ASK, question), env={}) as terminal:
        terminal.wait_for("done")
        answers = [
            r"\x1b[?2026;2$y",
            r"\x1b[?2048;0$y",
            r"\x1bP>|XTerm(388)\x1b\\",
            r"\x1b[1;1R",
            r"\x1b[>41;388;0c",
        ]
        assert "".join(answers) in "".join(terminal.lines())


def test_the_console_does_not_answer_what_only_xterm_understands() -> None:
    with Terminal(python(ASK, "\x1b[?2026$p\x1b[>0q\x1b[c"), env={}, term="linux") as terminal:
        terminal.wait_for("done")
        assert terminal.line(0).rstrip() == r"'\x1b[?6c'"


def test_nothing_half_painted_is_seen_inside_a_synchronized_update() -> None:
    code = (
        "import os\n"
        "os.write(1, b'\\x1b[?2026hnew')\n"
        "input()\n"
        "os.write(1, b' whole\\x1b[?2026l')\n"
        "input()"
    )
    with Terminal(python(code), env={}) as terminal:
        with pytest.raises(AssertionError):
            terminal.wait_for("new", timeout=0.1)
        terminal.press("enter")
        terminal.wait_for(re.compile("^new *$.* whole", re.MULTILINE | re.DOTALL))


# What reaches the program


@pytest.mark.parametrize("term", ["xterm-256color", "linux"])
def test_every_key_has_its_name_on_every_terminal(term: str) -> None:
    names = [f"f{number}" for number in range(1, 12)]
    names += ["home", "end", "pageup", "pagedown", "insert", "delete", "up", "down"]
    names += ["left", "right", "enter", "tab", "shift+tab", "backspace", "ctrl+s", "ctrl+l"]
    with Terminal(SAMPLE, env={}, term=term) as terminal:
        terminal.wait_for("窗口")
        terminal.press(*names, "x", "space", "escape")
        terminal.wait_for("<escape>")
        happened = "".join(text.rstrip() for text in terminal.lines()[1:-1])
        assert happened == "".join(f"<{name}>" for name in names) + "x <escape>"


@pytest.mark.parametrize(
    ("term", "sent"), [("xterm", r"\x1bOP\x1b[H"), ("linux", r"\x1b[[A\x1b[1~")]
)
def test_a_terminal_sends_its_own_sequences(term: str, sent: str) -> None:
    with Terminal(python(ASK, "?"), env={}, term=term) as terminal:
        terminal.wait_for("?")
        terminal.press("f1", "home", "c")
        terminal.wait_for(f"'{sent}c'")


def test_a_burst_in_one_write_arrives_whole_and_in_order(sample: Terminal) -> None:
    burst = "".join(f"授权{number}" for number in range(100))
    sample.send(f"{burst}\x1b[21~")
    sample.wait_for("<f10>")
    happened = "".join(text.rstrip() for text in sample.lines()[1:-1])
    assert happened == f"{burst}<f10>"


def test_a_right_click_lands_on_the_cell(sample: Terminal) -> None:
    sample.click(*sample.find("权"), button="right")
    sample.wait_for("<button 3 at 6,0>")


def test_a_click_on_a_terminal_without_a_mouse_is_a_mistake_of_the_test() -> None:
    with Terminal(python("input('> ')"), env={}) as terminal:
        terminal.wait_for("> ")
        with pytest.raises(AssertionError, match="no mouse"):
            terminal.click(0, 0)


def test_an_unknown_key_and_an_escape_inside_a_burst_are_mistakes_of_the_test() -> None:
    with Terminal(python("input()"), env={}) as terminal:
        with pytest.raises(ValueError, match="unknown key"):
            terminal.press("F10")
        with pytest.raises(ValueError, match="escape"):
            terminal.press("escape", "x")


def test_a_new_window_size_reaches_the_program(sample: Terminal) -> None:
    sample.resize(100, 30)
    sample.wait_until(lambda t: t.line(29).rstrip() == "窗口 100x30")
    assert {len(text) for text in sample.lines()[1:29]} == {100}
    sample.resize(60, 12)
    sample.wait_until(lambda t: t.line(11).rstrip() == "窗口 60x12")
    sample.wait_until(lambda t: t.line(0).rstrip() == "委托授权系统 (menu)")


def test_a_dropped_line_hangs_the_program_up(sample: Terminal) -> None:
    sample.hangup()
    assert sample.exit_code() == -signal.SIGHUP


def test_a_program_can_put_its_work_away_when_the_line_drops(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGHUP})\n"
        "pathlib.Path(sys.argv[1]).write_text('draft')"
    )
    with Terminal(python(code, str(tmp_path / "draft")), env={}) as terminal:
        terminal.wait_for("ready")
        terminal.hangup()
        assert terminal.exit_code() == 0
    assert (tmp_path / "draft").read_text() == "draft"


def test_the_exit_code_and_the_environment_are_the_program_s_own(sample: Terminal) -> None:
    sample.press("f12")
    assert sample.exit_code() == 3
    assert "委托授权系统" not in "".join(sample.lines())
    with Terminal(["/usr/bin/env"], env={"A": "b"}, term="xterm") as terminal:
        assert terminal.exit_code() == 0
        assert {text.partition("=")[0] for text in terminal.lines() if text.strip()} == {
            "A",
            "LANG",
            "PATH",
            "TERM",
        }


# Waiting


def test_waiting_in_vain_shows_the_screen(sample: Terminal) -> None:
    with pytest.raises(AssertionError, match=r"(?s)waited 0\.05 s for '主选单'.*\|委托授权系统"):
        sample.wait_for("主选单", timeout=0.05)


def test_waiting_ends_with_the_program_and_not_with_the_time() -> None:
    begun = time.monotonic()
    with (
        Terminal(python("print('登录')"), env={}) as terminal,
        pytest.raises(AssertionError, match=r"(?s)the program has ended.*\|登录"),
    ):
        terminal.wait_for("主选单")
    assert time.monotonic() - begun < 5


def test_what_was_there_can_be_seen_to_go(sample: Terminal) -> None:
    sample.wait_gone(re.compile(r"<.*>"))
    sample.press("f5")
    sample.wait_for(re.compile(r"^<f5> *$", re.MULTILINE))
    sample.resize(90, 24)
    sample.wait_gone("80x24")


def test_the_cursor_is_where_the_program_put_it() -> None:
    with Terminal(python("input('卡号: ')"), env={}) as terminal:
        terminal.wait_for("卡号")
        assert terminal.cursor == (6, 0)
        before = terminal.bytes_written
        terminal.send("89")
        terminal.wait_until(lambda t: t.cursor == (8, 0))
        assert terminal.bytes_written - before == 2


def test_leaving_ends_every_process_of_the_program(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.touch()
    code = (
        "import fcntl, os, signal, sys, time\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "os.fork()\n"
        "file = open(sys.argv[1])\n"
        "fcntl.flock(file, fcntl.LOCK_SH)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with Terminal(python(code, str(held)), env={}) as terminal, held.open() as file:
        terminal.wait_for(re.compile("ready.*ready", re.DOTALL))
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with held.open() as file:
        assert _soon_free(file)


def _soon_free(file: TextIO) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.005)
    return False
