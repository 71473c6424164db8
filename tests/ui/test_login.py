"""系统登录 (manual, chapter 4; spec §2): a card is inserted, its holder shown, the PIN given."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from eport_tui.card.authority import TestAuthority
from eport_tui.domain.dates import now
from eport_tui.settings import Settings
from tests.card.making import make_authority, make_card
from tests.ui.operator import BROKER, MANUFACTURER, OPERATOR, PIN, Operator, at_login

INSERT_CARD = "请插入IC卡或Ikey"
ENDING_SOON, EXPIRED = "JJ7G000000073", "8900000000080"
CHOOSING, LOGGED_IN = "Enter选定", "委托授权系统"


def only(settings: Settings, *cards: str) -> None:
    """Leave these cards in the reader and no others."""
    for path in settings.cards_dir.glob("*.card"):
        if path.stem not in cards:
            path.unlink()


def set_aside(settings: Settings, card: str) -> Path:
    """Take a card's file out of the reader; to be renamed to its place again."""
    path = settings.cards_dir / f"{card}.card"
    return path.rename(settings.cards_dir.parent / path.name)


def put_back(settings: Settings, path: Path) -> None:
    path.rename(settings.cards_dir / path.name)


async def try_pins(operator: Operator, *pins: str) -> None:
    for pin in pins:
        await operator.type(pin)
        await operator.press("enter")


# -- inserting a card ----------------------------------------------------------------


async def test_the_cards_are_listed_with_their_holders(settings: Settings) -> None:
    async with at_login(settings) as operator:
        assert operator.sees(INSERT_CARD, "软件卡读卡器：就绪", "共8条")
        assert operator.sees("8900000000011 法人卡 王样例 上海样例精密机械有限公司")
        assert operator.sees("8900000000042 操作员卡 陈样例 上海样例第一报关有限公司")


async def test_a_single_card_is_inserted_by_itself(settings: Settings) -> None:
    only(settings, MANUFACTURER)
    async with at_login(settings) as operator:
        assert operator.value("IC卡号") == MANUFACTURER
        await operator.type(PIN)
        await operator.press("enter")
        assert operator.place == "主选单"


@pytest.mark.usefixtures("watchful")
async def test_without_a_card_one_is_asked_for_and_noticed_without_a_key(
    settings: Settings,
) -> None:
    card = set_aside(settings, BROKER)
    only(settings)
    async with at_login(settings) as operator:
        assert operator.sees(INSERT_CARD, "暂无数据")
        await operator.press("enter")
        assert INSERT_CARD in operator.message
        put_back(settings, card)
        await operator.wait_for("持卡人   张样例")
        assert operator.value("企业名称") == "上海样例第一报关有限公司"


async def test_what_is_typed_without_a_card_to_use_is_not_shown(settings: Settings) -> None:
    only(settings, EXPIRED)
    async with at_login(settings) as operator:
        assert operator.sees(EXPIRED, "共1条")
        await operator.press("home")
        await operator.type(PIN)
        await operator.paste(PIN)
        assert PIN not in operator.text
        assert not operator.sees("查找")
    only(settings)
    async with at_login(settings) as operator:
        await operator.type(PIN)
        await operator.paste(PIN)
        assert not operator.sees("查找")


@pytest.mark.usefixtures("watchful")
async def test_a_further_card_appears_in_the_list_without_a_key(settings: Settings) -> None:
    card = set_aside(settings, BROKER)
    async with at_login(settings) as operator:
        assert not operator.sees(BROKER)
        put_back(settings, card)
        await operator.wait_for(BROKER)
        await operator.log_in(BROKER)
        assert operator.sees(LOGGED_IN)


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_appears_does_not_move_the_cursor_to_another_one(
    settings: Settings,
) -> None:
    card = set_aside(settings, MANUFACTURER)
    async with at_login(settings) as operator:
        await operator.press("down")
        assert operator.row(BROKER).startswith("> ")
        put_back(settings, card)
        await operator.wait_for(MANUFACTURER)
        assert operator.row(BROKER).startswith("> ")


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("card", [EXPIRED, BROKER])
async def test_a_single_card_that_appears_and_cannot_be_used_is_told(
    settings: Settings, card: str
) -> None:
    authority = TestAuthority.open(settings.authority_dir)
    authority.revoke(BROKER)
    authority.publish(settings.trust_dir)
    aside = set_aside(settings, card)
    only(settings)
    async with at_login(settings) as operator:
        put_back(settings, aside)
        await operator.wait_until(lambda: operator.message.startswith("x"), what="the reason")
        assert operator.row(card)
        await operator.type(PIN)
        assert not operator.sees("查找")


@pytest.mark.usefixtures("watchful")
async def test_a_card_that_is_taken_away_leaves_the_list(settings: Settings) -> None:
    async with at_login(settings) as operator:
        set_aside(settings, MANUFACTURER)
        await operator.wait_until(lambda: not operator.sees(MANUFACTURER))
        assert operator.sees("共7条")


async def test_the_holder_of_the_inserted_card_is_shown(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(OPERATOR)
        assert operator.value("持卡人") == "陈样例"
        assert operator.value("卡类型") == "操作员卡"
        assert operator.value("企业名称") == "上海样例第一报关有限公司"
        assert operator.value("企业编号") == "3101980001"
        assert operator.value("社会信用代码") == "91310000PDY000255M"
        assert operator.value("IC卡号") == OPERATOR
        assert "还有700天" in operator.value("证书有效期")
        assert "请输入密码" in operator.message


async def test_a_double_click_inserts_a_card(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.click(BROKER, times=2)
        assert operator.value("持卡人") == "张样例"


async def test_esc_takes_the_card_out_again(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(BROKER)
        await operator.type("888")
        await operator.press("escape")
        assert operator.sees(INSERT_CARD, "共8条")
        await operator.log_in(MANUFACTURER)
        assert operator.sees("王样例", LOGGED_IN)


@pytest.mark.usefixtures("watchful")
async def test_a_card_pulled_before_its_pin(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(BROKER)
        await operator.type("888")
        set_aside(settings, BROKER)
        await operator.wait_for("卡已拔出")
        assert operator.sees(INSERT_CARD, "共7条")


@pytest.mark.parametrize(
    ("person", "shown"),
    [("王[bold]样[/bold]例", "王[bold]样[/bold]例"), ("王\x1b[31m样例", "王␛[31m样例")],
    ids=["markup", "escape sequence"],
)
async def test_a_holder_whose_name_tries_to_break_the_screen(
    settings: Settings, person: str, shown: str
) -> None:
    only(settings)
    authority = TestAuthority.open(settings.authority_dir)
    make_card(authority, settings.cards_dir, person=person, enterprise=person)
    async with at_login(settings) as operator:
        assert operator.value("持卡人") == shown
        assert operator.value("企业名称") == shown
        await operator.type(PIN)
        await operator.press("enter")
        assert shown in operator.lines[0]
        assert "\x1b" not in operator.text


# -- the PIN -------------------------------------------------------------------------


async def test_the_pin_opens_the_main_menu(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.log_in()
        assert operator.place == "主选单"
        assert operator.sees("上海样例精密机械有限公司 王样例 法人卡")


async def test_the_pin_can_be_typed_before_the_cards_are_shown(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.burst("<enter>", PIN, "<enter>")
        assert operator.place == "主选单"


async def test_a_wrong_pin_says_how_many_tries_are_left(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, "12345678")
        assert "密码错误，还可再试4次" in operator.message
        await try_pins(operator, "12345678")
        assert "密码错误，还可再试3次" in operator.message
        await try_pins(operator, PIN)
        assert operator.place == "主选单"


async def test_a_wrong_pin_has_to_be_typed_anew(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, "12345678")
        assert operator.value("密码") == ""


async def test_the_fifth_wrong_pin_blocks_the_card(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, "12345678", "12345678", "12345678", "12345678")
        assert "还可再试1次（再输错一次，该卡将被锁定）" in operator.message
        await try_pins(operator, "12345678")
        assert "密码只剩最后一次机会，输错卡即锁定。确定继续吗？" in operator.dialog
        await operator.type("y")
        assert "该卡已锁定" in operator.message
        assert "请到制卡点解锁或换卡" in operator.message
        await try_pins(operator, PIN)
        assert "该卡已锁定" in operator.message
        assert operator.sees("还有700天")


async def test_before_the_last_try_enter_does_no_harm_and_has_the_pin_typed_anew(
    settings: Settings,
) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, *["12345678"] * 5)
        await operator.press("enter")
        assert operator.dialog == ""
        # Nobody can see whether what was typed is right, so it is not there to be given after all.
        assert operator.value("密码") == ""
        assert "密码没有提交，请重新输入" in operator.message
        await operator.type(PIN)
        await operator.press("enter")
        await operator.type("y")
        assert operator.place == "主选单"


async def test_a_card_that_has_just_been_blocked_is_listed_so(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, *["12345678"] * 5)
        await operator.type("y")
        await operator.press("escape")
        assert operator.row(MANUFACTURER).endswith("（密码已锁定）")


async def test_esc_takes_a_narrowed_list_back_to_all_cards(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.press("ctrl+f")
        await operator.burst("JJ", "<enter>")
        assert operator.sees("共1条")
        await operator.press("escape")
        assert operator.dialog == ""
        assert operator.sees("共8条")


async def test_why_a_card_was_refused_is_not_said_of_another_one(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(EXPIRED)
        assert "过期" in operator.message
        await operator.press("up")
        assert operator.message == ""


async def test_the_list_says_that_a_card_is_blocked(settings: Settings) -> None:
    (settings.cards_dir / f"{MANUFACTURER}.tries").write_bytes(b"garbled")
    async with at_login(settings) as operator:
        await operator.wait_for(MANUFACTURER)
        assert operator.row(MANUFACTURER).endswith("（密码已锁定）")
        assert "密码已锁定" not in operator.row(BROKER)


async def test_a_card_with_few_tries_left_says_so_before_the_pin(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, "12345678", "12345678")
        await operator.press("escape")
        await operator.insert(MANUFACTURER)
        assert "密码还可试3次" in operator.message


async def test_a_blocked_card_says_so_before_the_pin(settings: Settings) -> None:
    counter = settings.cards_dir / f"{MANUFACTURER}.tries"
    counter.write_text(counter.read_text().replace("5 ", "0 ", 1))
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        assert "该卡已锁定" in operator.message
        assert "请到制卡点解锁或换卡" in operator.message
        await try_pins(operator, PIN)
        assert "该卡已锁定" in operator.message
        assert operator.value("IC卡号") == MANUFACTURER


@pytest.mark.parametrize("pin", ["", "8", "8888888"])
async def test_a_pin_that_is_too_short_costs_no_try(settings: Settings, pin: str) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, pin)
        assert "密码应为8个字符" in operator.message
        await try_pins(operator, "12345678")
        assert "还可再试4次" in operator.message


@pytest.mark.parametrize(
    ("typed", "told"),
    [("888888888", "密码最长8位"), ("８", "请关闭输入法"), ("密", "请关闭输入法")],
    ids=["nine characters", "full width", "Chinese"],
)
async def test_a_character_that_cannot_be_in_a_pin_is_told_at_once(
    settings: Settings, typed: str, told: str
) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.type(typed)
        assert told in operator.message


@pytest.mark.parametrize("typed", [f"x{PIN}", f"{PIN}x", f"88密{PIN[2:]}"])
async def test_a_pin_that_was_not_taken_whole_costs_no_try(settings: Settings, typed: str) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await try_pins(operator, typed)
        assert "请重新输入密码" in operator.message
        assert operator.value("密码") == ""
        await try_pins(operator, "12345678")
        assert "还可再试4次" in operator.message


async def test_an_input_method_that_is_closed_again_is_in_nobodys_way(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.type("密")
        await operator.press("enter")
        assert "请关闭输入法" in operator.message
        await operator.type(f"密{PIN}")
        await operator.press("enter")
        assert operator.place == "主选单"


async def test_a_pin_cannot_be_pasted(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.paste(PIN)
        assert "密码不能粘贴" in operator.message
        assert not operator.sees("****")


async def test_typing_the_pin_can_be_corrected(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        await operator.type("8888889")
        await operator.press("backspace")
        await operator.type("88")
        assert operator.value("密码") == "********"
        await operator.press("enter")
        assert operator.place == "主选单"


async def test_the_pin_is_never_shown_logged_or_kept(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, wrong = "Zq7!xK#2", "Yw9$vP%4"
    only(settings)
    authority = TestAuthority.open(settings.authority_dir)
    make_card(authority, settings.cards_dir, pin=secret)
    seen: list[str] = []
    async with at_login(settings) as operator:
        for character in wrong:
            await operator.type(character)
            seen.append(operator.text)
        await operator.press("enter")
        seen.append(operator.text)
        await operator.type(secret)
        seen.append(operator.text)
        await operator.press("enter")
        assert operator.place == "主选单"
        seen += [operator.text, caplog.text, repr(operator.app), repr(vars(operator.app))]
        seen += [repr(vars(widget)) for widget in operator.app.screen_stack[0].walk_children()]
    seen += [
        path.read_bytes().decode("latin-1")
        for path in settings.database.parent.rglob("*")
        if path.is_file()
    ]
    for pin in (secret, wrong):
        for length in (8, 5):
            assert not [text for text in seen if pin[:length] in text]


# -- certificates --------------------------------------------------------------------


async def refused(settings: Settings, card: str) -> str:
    """Insert a card that must be refused while others stay usable; what is said."""
    async with at_login(settings) as operator:
        await operator.insert(card)
        message = operator.message
        assert operator.sees(INSERT_CARD)
        await operator.press("home")
        await operator.log_in(MANUFACTURER)
        assert operator.sees(LOGGED_IN)
    return message


async def test_an_expired_certificate(settings: Settings) -> None:
    assert await refused(settings, EXPIRED) == "x 证书已于 2026-11-21 过期（请到制卡点更新证书）"


async def test_a_pin_that_is_typed_on_after_the_card_was_refused_is_not_shown(
    settings: Settings,
) -> None:
    async with at_login(settings) as operator:
        await operator.insert(EXPIRED)
        await operator.burst(PIN, "<enter>")
        assert "过期" in operator.message
        assert not operator.sees("查找")
        assert not operator.sees(PIN[:3])
        await operator.press("home")
        await operator.type(BROKER)
        assert operator.sees(f"查找{BROKER}")


async def test_a_certificate_that_is_not_valid_yet(settings: Settings) -> None:
    authority = TestAuthority.open(settings.authority_dir)
    make_card(
        authority,
        settings.cards_dir,
        number="8900000000999",
        valid_from=now() + timedelta(days=3),
    )
    assert "证书从 2026-11-27 起才有效" in await refused(settings, "8900000000999")


async def test_a_revoked_certificate(settings: Settings) -> None:
    authority = TestAuthority.open(settings.authority_dir)
    authority.revoke(BROKER)
    authority.publish(settings.trust_dir)
    assert "x 该卡已吊销" in await refused(settings, BROKER)


async def test_the_list_says_which_card_is_revoked(settings: Settings) -> None:
    authority = TestAuthority.open(settings.authority_dir)
    authority.revoke(BROKER)
    authority.publish(settings.trust_dir)
    async with at_login(settings) as operator:
        assert "（证书已吊销）" in operator.row(BROKER)
        assert "吊销" not in operator.row(MANUFACTURER)


async def test_a_certificate_of_an_unknown_authority(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    make_card(make_authority(tmp_path / "foreign"), settings.cards_dir, number="8900000000999")
    assert "x " in (message := await refused(settings, "8900000000999"))
    assert "发证机构" in message


async def test_a_software_card_where_hardware_is_required(settings: Settings) -> None:
    async with at_login(replace(settings, require_hardware=True)) as operator:
        await operator.insert(MANUFACTURER)
        assert "这里不能使用软件卡" in operator.message
        assert operator.sees(INSERT_CARD)


async def test_a_certificate_that_ends_soon_is_warned_of(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.insert(ENDING_SOON)
        assert operator.value("证书有效期") == "至2026-12-14，还有20天"
        assert "证书还有20天到期" in operator.message
        assert operator.message.startswith("!")
        await try_pins(operator, PIN)
        assert operator.sees(LOGGED_IN)


async def test_without_a_revocation_list_one_may_look_and_not_grant(settings: Settings) -> None:
    for path in (settings.trust_dir / "crls").iterdir():
        path.unlink()
    async with at_login(settings) as operator:
        await operator.insert(MANUFACTURER)
        assert "现在只能查看，不能办理授权" in operator.message
        await try_pins(operator, PIN)
        await operator.type("11")
        await operator.press("tab", "tab", "tab", "tab", "enter")
        await operator.clear()
        await operator.type("20290101")
        await operator.press("f10")
        assert "现在不能办理授权" in operator.message
        assert not operator.sees("2029-01-01")


@pytest.mark.parametrize("length", [0, 3, 100, -1])
async def test_a_card_file_cut_short_is_shown_with_its_problem(
    settings: Settings, length: int
) -> None:
    path = settings.cards_dir / f"{BROKER}.card"
    path.write_bytes(path.read_bytes()[:length])
    async with at_login(settings) as operator:
        assert "卡文件不完整" in operator.row(BROKER)
    assert "卡文件不完整" in await refused(settings, BROKER)


async def test_a_file_that_is_no_card_is_shown_with_its_problem(settings: Settings) -> None:
    (settings.cards_dir / "说明.card").write_text("这不是卡", encoding="utf-8")
    async with at_login(settings) as operator:
        assert "不是软件卡文件" in operator.row("说明")


async def test_a_single_damaged_card_waits_for_a_good_one(settings: Settings) -> None:
    only(settings, BROKER)
    path = settings.cards_dir / f"{BROKER}.card"
    path.write_bytes(path.read_bytes()[:100])
    async with at_login(settings) as operator:
        assert "卡文件不完整" in operator.row(BROKER)
        assert CHOOSING in operator.legend


# -- leaving -------------------------------------------------------------------------


async def test_esc_asks_before_it_ends_the_program(settings: Settings) -> None:
    async with at_login(settings) as operator:
        await operator.press("escape")
        assert operator.sees("确定退出程序吗？")
        await operator.press("escape")
        assert operator.dialog == ""
        assert operator.app.is_running
        await operator.press("escape")
        await operator.type("y")
        await operator.wait_until(lambda: not operator.app.is_running)
    assert operator.app.return_code == 0


@pytest.mark.parametrize("insert_first", [False, True])
async def test_control_q_leaves_at_once(settings: Settings, insert_first: bool) -> None:
    async with at_login(settings) as operator:
        if insert_first:
            await operator.insert(MANUFACTURER)
        await operator.press("ctrl+q")
        await operator.wait_until(lambda: not operator.app.is_running)
    assert operator.app.return_code == 0
