"""Real cards on the screens: PIV cards in readers, and the control of China E-Port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui import app, workplace
from eport_tui.card import pcsc, signatures
from eport_tui.card.authority import TestAuthority
from eport_tui.card.control import ControlReader
from eport_tui.card.errors import CardBusy
from eport_tui.card.pcsc import PcscReader
from eport_tui.card.protocol import CardRef, ReaderStatus
from eport_tui.domain.holders import Role
from eport_tui.settings import Settings
from eport_tui.store.database import Store
from tests.card.control_server import StandIn, StandInCard, running
from tests.card.fake_reader import FakeReader
from tests.card.guard_story import forget_over_change
from tests.card.making import MANUFACTURER as OWN_ENTERPRISE
from tests.card.making import make_holder
from tests.card.piv_applet import CHANGE, SELECT, VERIFY, PivApplet
from tests.card.piv_making import make_piv
from tests.ui.operator import MANUFACTURER, PATIENCE, Operator, at_login
from tests.ui.operator import PIN as SOFTWARE_PIN

PIN = "123456"
OWN, OTHERS, OPERATORS = "8900000000111", "8900000000222", "8900000000333"
MENU, LOCKED, PUT_BACK = "主选单", "已锁定", "请输入密码，按Enter解锁"
GRANTS = "委托授权系统 / 企业间授权录入"
LAST_TRY = "密码只剩最后一次机会，输错卡即锁定。确定继续吗？"


class QuietReader:
    """A reader that has nothing but something to say."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message
        self.closed = False

    def status(self) -> ReaderStatus:
        return ReaderStatus(False, self.message)

    def cards(self) -> list[CardRef]:
        return []

    def close(self) -> None:
        self.closed = True


Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Have:
    """Has the program find these readers."""

    def have(*readers: object) -> None:
        def found(settings: Settings, on_change: Callable[[], object]) -> list[object]:
            for reader in readers:
                if isinstance(reader, FakeReader):
                    reader._on_change = on_change
            return list(readers)

        monkeypatch.setattr(workplace, "hardware_readers", found)

    return have


@pytest.fixture
def reader(have: Have) -> FakeReader:
    """The only reader."""
    reader = FakeReader()
    have(reader)
    return reader


@pytest.fixture
def second(have: Have, reader: FakeReader) -> FakeReader:
    """A further reader."""
    second = FakeReader()
    second.name = "第二读卡器"
    have(reader, second)
    return second


@pytest.fixture
def authority(settings: Settings) -> TestAuthority:
    """Whose cards are trusted here."""
    return TestAuthority.open(settings.authority_dir)


@pytest.fixture
def at_work(settings: Settings) -> Settings:
    """No demo, and no software cards."""
    for path in settings.cards_dir.iterdir():
        path.unlink()
    return replace(settings, demo=False)


@pytest.fixture
def among_software(settings: Settings) -> Settings:
    """No demo, and the software cards of the demo."""
    return replace(settings, demo=False)


@pytest.fixture
def own(authority: TestAuthority) -> PivApplet:
    """A legal-person card."""
    return make_piv(authority, number=OWN)


@pytest.fixture
def other(authority: TestAuthority) -> PivApplet:
    """Another one."""
    return make_piv(authority, number=OTHERS)


def count(applet: PivApplet, ins: int) -> int:
    return sum(entry[1] == ins for entry in applet.log)


async def give(operator: Operator, pin: str = PIN) -> None:
    await operator.type(pin)
    await operator.press("enter")


async def half_a_grant(operator: Operator) -> str:
    """Log in with the card in the reader and begin a grant; returns the screen."""
    await operator.wait_for("请输入密码，按Enter登录")
    await give(operator)
    assert operator.place == MENU
    await operator.burst("11", "3101980001", "<enter>", "95", "<enter>", "<enter>", "2027")
    assert operator.place == GRANTS
    return operator.text


# -- what the readers say ------------------------------------------------------------


SENTENCES = [
    *(pcsc.NOT_INSTALLED, pcsc.NO_LIBRARY, pcsc.CONNECTING, pcsc.NO_SERVICE, pcsc.FORBIDDEN),
    *(pcsc.SILENT, pcsc.MISMATCH, pcsc.NO_READER, pcsc.NO_CARD, pcsc.READY),
    *(pcsc.NO_FORWARD, pcsc.NO_SOCKET, pcsc.FOREIGN_SOCKET),
]


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_whatever_a_reader_says_is_read_whole_beside_all_others(
    among_software: Settings, have: Have, sentence: str
) -> None:
    have(
        QuietReader(PcscReader.name, sentence),
        QuietReader(ControlReader.name, "无法连接客户端控件，请在本机启动控件，并检查端口转发"),
    )
    async with at_login(among_software) as operator:
        assert f" {PcscReader.name}          {sentence}" in operator.lines
        assert operator.sees("软件卡读卡器        就绪", "并检查端口转发", "共8条")
        # Who works with software cards is not told of what he does not need.
        assert operator.message == ""
        await operator.log_in(MANUFACTURER, SOFTWARE_PIN)
        assert operator.place == MENU


@pytest.mark.usefixtures("watchful")
async def test_a_state_that_changes_is_shown_by_itself(at_work: Settings, have: Have) -> None:
    reader = QuietReader(PcscReader.name, pcsc.NO_SERVICE)
    have(reader)
    async with at_login(at_work) as operator:
        assert operator.sees(pcsc.NO_SERVICE, "暂无数据")
        reader.message = pcsc.NO_READER
        await operator.wait_for(pcsc.NO_READER)
        assert not operator.sees(pcsc.NO_SERVICE)


async def test_a_very_long_sentence_goes_on_below(at_work: Settings, have: Have) -> None:
    have(QuietReader(PcscReader.name, "读卡器" * 30))
    async with at_login(at_work) as operator:
        assert "".join(operator.text.split()).count("读卡器") == 30 + 2


async def test_the_demo_has_its_software_cards_alone(settings: Settings, have: Have) -> None:
    have(QuietReader(PcscReader.name, pcsc.NO_SERVICE))
    async with at_login(settings) as operator:
        assert operator.sees("软件卡读卡器：就绪")
        assert not operator.sees(PcscReader.name)


async def test_where_software_cards_are_refused_their_empty_folder_is_not_spoken_of(
    at_work: Settings, reader: FakeReader
) -> None:
    async with at_login(replace(at_work, require_hardware=True)) as operator:
        assert operator.sees(reader.name)
        assert not operator.sees("软件卡读卡器")


async def test_cards_that_go_while_the_program_ends_begin_nothing(
    among_software: Settings, reader: FakeReader, own: PivApplet, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.insert(own)
    monkeypatch.setattr(FakeReader, "close", FakeReader.pull)
    async with at_login(among_software) as operator:
        await operator.wait_for(OWN)
        program, look = operator.app, operator.app.screen.look_for_cards
        close, flows = program.store.close, []

        def look_and_count() -> None:
            look()
            flows.append(len(program._flows))

        def close_and_look() -> None:
            if program.is_running:
                program.call_from_thread(look_and_count)
            close()

        monkeypatch.setattr(program.store, "close", close_and_look)
        await operator.press("ctrl+q")
        await operator.wait_until(lambda: not program.is_running)
    # The one flow is that of leaving.
    assert flows == [1]


@pytest.mark.parametrize("how", ["<ctrl+q>", "<escape>"])
async def test_the_readers_are_left_with_the_program(
    at_work: Settings, have: Have, how: str
) -> None:
    reader = QuietReader(PcscReader.name, pcsc.NO_CARD)
    have(reader)
    async with at_login(at_work) as operator:
        await operator.burst(how, *(["y"] if how == "<escape>" else []))
        await operator.wait_until(lambda: not operator.app.is_running)
    assert reader.closed


# -- cards that come -----------------------------------------------------------------


async def test_a_card_is_told_by_the_reader_and_logs_in_without_a_further_key(
    at_work: Settings, reader: FakeReader, own: PivApplet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "WATCH_SECONDS", 3600)
    async with at_login(at_work) as operator:
        assert operator.sees("请插入IC卡或Ikey", "暂无数据")
        threading.Thread(target=reader.insert, args=(own,)).start()
        await operator.wait_for("持卡人 张三")
        assert operator.value("IC卡号") == OWN
        assert "请输入密码，按Enter登录" in operator.message
        await give(operator)
        assert operator.place == MENU


@pytest.mark.usefixtures("watchful")
async def test_a_card_is_listed_by_its_number_and_a_bad_one_by_its_reader(
    among_software: Settings, reader: FakeReader, second: FakeReader, own: PivApplet
) -> None:
    second.insert(PivApplet())
    async with at_login(among_software) as operator:
        await operator.wait_for("卡中没有证书")
        assert operator.row("第二读卡器")
        reader.insert(own)
        await operator.wait_for(OWN)
        assert operator.row(OWN).split()[1:3] == ["法人卡", "张三"]
        # The cursor stays where it was, and choosing works as with any card.
        await operator.insert(OWN)
        await give(operator)
        assert operator.place == MENU


@pytest.mark.usefixtures("watchful")
async def test_a_card_is_read_once_and_again_at_f5(
    among_software: Settings, reader: FakeReader, second: FakeReader, own, other
) -> None:
    reader.insert(own)
    async with at_login(among_software) as operator:
        await operator.wait_for(OWN)
        assert count(own, SELECT) == 1
        second.insert(other)
        await operator.wait_for(OTHERS)
        second.pull()
        await operator.wait_until(lambda: not operator.sees(OTHERS))
        assert count(own, SELECT) == 1
        await operator.press("f5")
        assert count(own, SELECT) == 2
        assert operator.sees(OWN)


async def test_a_card_that_is_only_shown_can_be_used_by_others(
    among_software: Settings, reader: FakeReader, own: PivApplet, authority: TestAuthority
) -> None:
    reader.insert(own)
    async with at_login(among_software) as operator:
        await operator.wait_for(OWN)
        (ref,) = reader.cards()
        assert reader.open(ref).tries_left() == 3


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_another_program_has_is_told_and_noticed_when_it_is_free(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    (ref,) = reader.cards()
    held = reader.open(ref)
    held.verify_pin(bytearray(PIN.encode()))
    async with at_login(at_work) as operator:
        await operator.wait_for(CardBusy().message)
        held.close()
        await operator.wait_for("持卡人 张三")


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_does_not_answer_is_told_and_holds_up_no_other(
    among_software: Settings, reader: FakeReader, own: PivApplet
) -> None:
    asked: list[bytes] = []
    reader.mute, reader.before = True, asked.append
    reader.insert(own)
    async with at_login(among_software) as operator:
        await operator.wait_for("卡没有响应（请拔出卡，检查方向后重新插入）")
        first = len(asked)
        await operator.log_in(MANUFACTURER, SOFTWARE_PIN)
        assert operator.place == MENU
        # Nor is it asked again and again.
        assert len(asked) == first


async def test_f5_reads_a_card_again_that_did_not_answer(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.mute = True
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("卡没有响应")
        reader.mute = False
        await operator.press("f5")
        await operator.wait_for("持卡人 张三")


@pytest.mark.usefixtures("watchful")
async def test_with_two_readers_one_chooses(
    at_work: Settings, reader: FakeReader, second: FakeReader, own, other
) -> None:
    reader.insert(own)
    second.insert(other)
    async with at_login(at_work) as operator:
        await operator.wait_for(OTHERS)
        assert operator.sees("共2条", OWN)
        await operator.insert(OTHERS)
        assert operator.value("IC卡号") == OTHERS
        await give(operator)
        assert operator.place == MENU
    assert count(own, VERIFY) == 0


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_comes_while_another_is_shown_is_told(
    at_work: Settings, reader: FakeReader, second: FakeReader, own, other
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for(OWN)
        await operator.type("123")
        second.insert(other)
        await operator.wait_for("又插入了一张卡，要用它登录请按Esc")
        assert operator.value("IC卡号") == OWN
        assert operator.value("密码") == "***"
        await operator.press("escape")
        await operator.wait_for("共2条")
        await operator.insert(OTHERS)
        await give(operator)
        assert operator.place == MENU


# -- the PIN -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "told"),
    [
        (3, "请输入密码，按Enter登录"),
        (2, "密码还可试2次，试完卡即锁定"),
        (1, "密码还可试1次，试完卡即锁定"),
        (0, "该卡已锁定"),
    ],
)
async def test_what_is_said_of_the_tries_that_are_left(
    at_work: Settings, reader: FakeReader, own: PivApplet, tries: int, told: str
) -> None:
    own.tries = tries
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for(told)


@pytest.mark.parametrize("typed", ["", "12345", "12345a", "密码"])
async def test_what_cannot_be_a_pin_never_reaches_the_card(
    at_work: Settings, reader: FakeReader, own: PivApplet, typed: str
) -> None:
    own.tries = 1
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("持卡人 张三")
        before = len(own.log)
        await give(operator, typed)
        wanted = "该卡的密码应为6至8位数字" if typed.isascii() else "密码只能是半角的字母"
        assert wanted in operator.message
        assert operator.dialog == ""
    assert len(own.log) == before


async def test_the_last_try_is_asked_about(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    own.tries = 2
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("持卡人 张三")
        await give(operator, "654321")
        assert "密码错误，还可再试1次" in operator.message
        await give(operator, "12345")
        await operator.press("ctrl+u")
        for key in ("enter", "escape", "n"):
            await give(operator, PIN)
            assert operator.sees(LAST_TRY)
            await operator.press(key)
            assert operator.value("密码") == ""
        assert own.tries == 1
        await give(operator, PIN)
        await operator.press("y")
        assert operator.place == MENU
    assert own.tries == 3


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("key", ["y", "n"])
async def test_a_card_pulled_while_the_last_try_is_asked_about(
    at_work: Settings, reader: FakeReader, own: PivApplet, key: str
) -> None:
    own.tries = 1
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("持卡人 张三")
        await give(operator)
        assert operator.dialog
        reader.pull()
        await operator.press(key)
        await operator.wait_for("暂无数据")
        assert "卡已拔出" in operator.message
        reader.insert(own)
        await operator.wait_for("持卡人 张三")
        assert operator.value("密码") == ""
    assert own.tries == 1


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("at", [0, 3, 7])
async def test_a_card_pulled_while_its_pin_is_checked(
    at_work: Settings, reader: FakeReader, own: PivApplet, at: int
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("请输入密码，按Enter登录")
        left = [at]

        def pull(apdu: bytes) -> None:
            if left[0] == 0:
                reader.pull()
            left[0] -= 1

        reader.before = pull
        await give(operator)
        await operator.wait_for("暂无数据")
        assert "卡已拔出" in operator.message
        reader.before = lambda apdu: None
        reader.insert(own)
        await operator.wait_for("持卡人 张三")
        await give(operator)
        assert operator.place == MENU


async def test_the_pin_of_a_real_card_is_changed(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("持卡人 张三")
        await give(operator)
        await operator.press("f11")
        await give(operator, "12345")
        assert "原密码不对：该卡的密码应为6至8位数字" in operator.message
        assert operator.at_field == "原密码"
        await give(operator, "6")
        await give(operator, "abcdef12")
        assert "新密码不对：该卡的密码应为6至8位数字" in operator.message
        assert operator.at_field == "新密码"
        assert count(own, CHANGE) == 0
        await operator.press("ctrl+u")
        await give(operator, "1111222")
        await give(operator, "1111222")
        assert "密码已修改" in operator.dialog
    assert count(own, CHANGE) == 1


async def change_pin(operator: Operator, *pins: str) -> None:
    """Log in, open 修改密码 and fill it in."""
    await operator.wait_for("请输入密码，按Enter登录")
    await give(operator)
    await operator.press("f11")
    for each in pins:
        await give(operator, each)


async def test_a_wrong_old_pin_locks_in_so_many_words_and_the_card_is_still_there(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await change_pin(operator, "654321", "11112222", "11112222")
        assert operator.place == LOCKED
        await operator.wait_for("密码错误，还可再试2次，程序已锁定。请输入密码，按Enter解锁")
        await give(operator)
        assert operator.place == "主选单 / 修改密码"
        assert operator.value("原密码") == ""
    assert own.tries == 3


async def test_a_wrong_old_pin_is_typed_again_where_the_card_stays_verified(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    def stay(apdu: bytes, data: bytes, sw: int) -> tuple[bytes, int]:
        own.verified |= apdu[1] == CHANGE
        return data, sw

    own.tamper = stay
    reader.insert(own)
    async with at_login(at_work) as operator:
        await change_pin(operator, "654321", "11112222", "11112222")
        assert operator.place == "主选单 / 修改密码"
        assert "密码错误，还可再试2次" in operator.message
        for each in ("654321", "11112222", "11112222"):
            await give(operator, each)
        assert "密码错误，还可再试1次" in operator.message
        for each in (PIN, "11112222", "11112222"):
            await give(operator, each)
        assert operator.sees(LAST_TRY)
        await operator.press("y")
        assert "密码已修改" in operator.dialog


async def test_a_card_that_forgets_its_pin_over_a_change_is_unlocked_with_the_new_one(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    forget_over_change(own)
    reader.insert(own)
    async with at_login(at_work) as operator:
        await change_pin(operator, PIN, "11112222", "11112222")
        assert operator.place == LOCKED
        await operator.wait_for("密码已修改，须用新密码解锁。请输入密码，按Enter解锁")
        await give(operator, "11112222")
        assert "密码已修改" in operator.dialog
        await operator.press("enter")
        assert operator.place == MENU


async def test_a_card_that_is_pulled_over_a_change_of_its_pin_does_not_hide_what_became_of_it(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await change_pin(operator, PIN, "11112222")
        reader.before = lambda apdu: reader.pull() if count(own, CHANGE) else None
        await give(operator, "11112222")
        assert operator.place == LOCKED
        reader.before = lambda apdu: None
        reader.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator, "11112222")
        assert "密码已修改" in operator.dialog


async def test_a_card_goes_on_saving_after_its_pin_was_changed(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await change_pin(operator, PIN, "11112222", "11112222")
        await operator.press("enter")
        await save_a_grant(operator)


async def save_a_grant(operator: Operator) -> None:
    """From the main menu."""
    assert operator.place == MENU
    await operator.burst("11", "3101980001", "<enter>", "95", "<enter>", "<enter>", "20271231")
    await operator.press("f10")
    assert "保存成功" in operator.dialog


async def test_a_login_given_up_while_the_card_is_reached_spends_no_try(
    at_work: Settings, reader: FakeReader, own
) -> None:
    answers = threading.Event()
    answers.set()
    reader.insert(own)
    async with at_login(at_work) as operator:
        await operator.wait_for("请输入密码，按Enter登录")
        # Asked how many tries are left, it still answers; the next time it takes its time.
        seen, given = count(own, SELECT), list[bytes]()

        def silent(apdu: bytes) -> None:
            if count(own, SELECT) > seen and apdu[1] == SELECT:
                answers.wait(PATIENCE)
            if apdu[1] == VERIFY and len(apdu) > 5:
                given.append(apdu)

        reader.before = silent
        answers.clear()
        await operator.type(PIN)
        operator.send("<enter>")
        await operator.wait_while_busy()
        operator.send("<escape>")
        await operator.wait_until(lambda: operator.message == "x 已取消")
        answers.set()
        await operator.wait_until(operator.app.steps.card.submit(int).done)
        assert (given, own.tries) == ([], 3)
        await give(operator)
        assert operator.place == MENU


# -- the lock ------------------------------------------------------------------------


async def test_a_pull_locks_at_once_and_the_same_card_brings_the_form_back(
    at_work: Settings, reader: FakeReader, own, other, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reader tells; nobody has to look.
    monkeypatch.setattr(app, "WATCH_SECONDS", 3600)
    async with at_login(at_work) as operator:
        threading.Thread(target=reader.insert, args=(own,)).start()
        before = await half_a_grant(operator)
        threading.Thread(target=reader.pull).start()
        await operator.wait_until(lambda: operator.place == LOCKED)
        assert not operator.sees("3101980001")
        await operator.wait_for("请插入原来的卡")

        reader.insert(other)
        await operator.wait_for("插入的不是原来的卡（请插入原来的卡，或退出后重新登录）")
        await give(operator)
        assert operator.place == LOCKED
        assert count(other, VERIFY) == 0

        reader.pull()
        await operator.wait_for("程序已锁定。请插入原来的卡")
        reader.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.text == before
        await operator.type("1231")
        await operator.press("f10")
        assert "保存成功" in operator.dialog


async def test_one_can_leave_while_a_save_waits_for_a_silent_card_and_nothing_is_saved(
    at_work: Settings, reader: FakeReader, own
) -> None:
    answers = threading.Event()
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        await operator.type("1231")
        reader.before = lambda apdu: bool(answers.wait(3 * PATIENCE))
        try:
            operator.send("<f10>")
            await operator.wait_while_busy()
            await operator.press("escape")
            assert "已取消" in operator.message
            operator.send("<ctrl+q>", "y")
            await operator.wait_while_busy()
            operator.send("<escape>")
            await operator.wait_until(lambda: not operator.app.is_running, what="the end")
            assert not answers.is_set()
        finally:
            answers.set()
    with Store.open(at_work.database) as store:
        sql = "SELECT 1 FROM enterprise_grant WHERE principal = ?"
        assert store.rows(sql, (OWN_ENTERPRISE.customs_code,)) == []
        assert store.rows("SELECT 1 FROM draft") == []


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_was_refused_is_not_read_again_and_again(
    at_work: Settings, reader: FakeReader, second: FakeReader, own, other
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        reader.insert(other)
        await operator.wait_for("插入的不是原来的卡")
        read = count(other, SELECT)
        looks = [0]
        cards = reader.cards

        def counting() -> list[CardRef]:
            looks[0] += 1
            return cards()

        reader.cards = counting  # type: ignore[method-assign]
        await operator.wait_until(lambda: looks[0] > 5)
        assert operator.sees("插入的不是原来的卡")
        assert count(other, SELECT) == read
        # It is free for others, and the right one is found beside it.
        second.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_lies_in_another_reader_is_no_reason_to_complain(
    at_work: Settings, reader: FakeReader, second: FakeReader, own, other
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        second.insert(other)
        reader.pull()
        await operator.wait_for("程序已锁定。请插入原来的卡")
        await operator.wait_until(lambda: count(other, SELECT) == 1)
        assert not operator.sees("插入的不是原来的卡")
        reader.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_another_program_has_taken_comes_back_when_it_is_free(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        busy = threading.Event()
        connect = reader._connect

        def connect_or_not(generation: int):
            if busy.is_set():
                raise CardBusy
            return connect(generation)

        reader._connect = connect_or_not  # type: ignore[method-assign]
        busy.set()
        reader.pull()
        reader.insert(own)
        await operator.wait_for(CardBusy().message)
        busy.clear()
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_is_slow_to_read_is_read_once(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        reader.pull()
        await operator.wait_for("请插入原来的卡")
        read, waiting, goes_on = count(own, SELECT), Future[None](), threading.Event()

        def wait(apdu: bytes) -> None:
            if not waiting.done():
                waiting.set_result(None)
                goes_on.wait(5)

        reader.before = wait
        reader.insert(own)
        # It says so meanwhile.
        await operator.wait_for("正在处理")
        goes_on.set()
        await operator.wait_for(PUT_BACK)
        assert count(own, SELECT) == read + 1
        await give(operator)
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_a_service_that_stops_locks_and_says_so(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        before = await half_a_grant(operator)
        reader.running = False
        await operator.wait_for("程序已锁定。读卡器服务没有运行")
        await give(operator)
        assert "读卡器服务没有运行" in operator.message
        reader.running = True
        reader.moved()
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.text == before


@pytest.mark.usefixtures("watchful")
async def test_the_last_try_is_asked_about_at_the_lock_too(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        reader.pull()
        await operator.wait_for("请插入原来的卡")
        own.tries = 1
        reader.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator)
        assert operator.sees(LAST_TRY)
        await operator.press("escape")
        assert operator.value("密码") == ""
        assert operator.place == LOCKED
        await give(operator)
        await operator.press("y")
        assert operator.place == GRANTS


@pytest.mark.usefixtures("watchful")
async def test_an_operators_card_does_not_take_up_where_the_legal_person_was(
    at_work: Settings, reader: FakeReader, own: PivApplet, authority: TestAuthority
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        reader.insert(make_piv(authority, number=OPERATORS, role=Role.OPERATOR))
        await operator.wait_for("插入的不是原来的卡")
        await operator.press("escape")
        await operator.wait_for("持卡人 张三")
        await give(operator)
        assert operator.sees("操作员卡")
        assert operator.place == MENU
        assert operator.dialog == ""


@pytest.mark.usefixtures("watchful")
async def test_after_a_logout_the_card_is_asked_for_its_pin_again(
    at_work: Settings, reader: FakeReader, own: PivApplet
) -> None:
    reader.insert(own)
    async with at_login(at_work) as operator:
        await half_a_grant(operator)
        await operator.burst("<f3>", "<y>")
        await operator.press("2")
        await operator.wait_for("请输入密码，按Enter登录")
        assert not own.verified
        await give(operator)
        assert operator.place == MENU


# -- the control of China E-Port -----------------------------------------------------


@pytest.fixture
def control() -> Iterator[StandIn]:
    """A control without a card."""
    with running(StandIn()) as control:
        yield control


def control_card(authority: TestAuthority, number: str) -> StandInCard:
    key = ec.generate_private_key(ec.SECP256R1())
    holder = make_holder(number=number)
    certificate = authority.certify(holder, key.public_key(), software=False)
    der = certificate.public_bytes(Encoding.DER)
    return StandInCard(number, der, lambda data: signatures.sign(key, data))


@pytest.mark.usefixtures("watchful")
async def test_a_card_behind_the_control_logs_in_locks_and_comes_back(
    at_work: Settings, control: StandIn, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc, "_load", lambda: (_ for _ in ()).throw(pcsc._Unusable("没有")))
    own, other = control_card(authority, OWN), control_card(authority, OTHERS)
    async with at_login(replace(at_work, control=control.address)) as operator:
        await operator.wait_for("读卡器中没有卡，请插入IC卡或Ikey")
        control.insert(own)
        await operator.wait_for("持卡人 张三")
        await give(operator, "1234")
        assert "密码应为8个字符" in operator.message
        await give(operator, SOFTWARE_PIN)
        assert operator.place == MENU
        await operator.burst("11", "3101980001", "<enter>")
        before = operator.text
        control.insert(other)
        await operator.wait_for("插入的不是原来的卡")
        control.insert(own)
        await operator.wait_for(PUT_BACK)
        await give(operator, SOFTWARE_PIN)
        assert operator.text == before
        await operator.press("ctrl+q", "y")
        await operator.wait_until(lambda: not operator.app.is_running)
    assert not control._connections


@pytest.mark.usefixtures("watchful")
async def test_the_pin_of_a_card_behind_the_control_is_changed(
    at_work: Settings, control: StandIn, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc, "_load", lambda: (_ for _ in ()).throw(pcsc._Unusable("没有")))
    new = "Ab3$5678"
    control.insert(control_card(authority, OWN))
    async with at_login(replace(at_work, control=control.address)) as operator:
        await operator.wait_for("持卡人 张三")
        await give(operator, SOFTWARE_PIN)
        await operator.press("f11")
        for each in ("12345678", new, new):
            await give(operator, each)
        assert operator.place == LOCKED
        await operator.wait_for("密码错误，最多还可再试4次，程序已锁定。请输入密码，按Enter解锁")
        await give(operator, SOFTWARE_PIN)
        for each in (SOFTWARE_PIN, new, new):
            await give(operator, each)
        assert "密码已修改" in operator.dialog
        await operator.press("enter")
        await save_a_grant(operator)
