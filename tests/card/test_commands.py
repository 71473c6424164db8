"""`eport-tui card`, as an administrator types it."""

from __future__ import annotations

import argparse
import builtins
import getpass
import re
import sys
import unicodedata
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from eport_tui.card.authority import TestAuthority
from eport_tui.card.errors import CardError
from eport_tui.card.software import SoftwareReader, write_card
from eport_tui.commands import card as commands
from eport_tui.commands.card_access import typed_secret
from eport_tui.domain.dates import today
from eport_tui.store import enterprises
from eport_tui.store.database import Store
from tests.card import forging, openssl
from tests.card.making import CHEAP, MANUFACTURER


@dataclass
class Settings:
    """The settings that the commands look at."""

    cards_dir: Path
    authority_dir: Path
    trust_dir: Path
    database: Path
    require_hardware: bool = False
    allow_server_reader: bool = False


@pytest.fixture
def settings(tmp_path) -> Settings:
    """All folders in `tmp_path`, none made yet."""
    return Settings(
        tmp_path / "cards", tmp_path / "authority", tmp_path / "trust", tmp_path / "eport.db"
    )


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Issue with a cheap key derivation."""
    monkeypatch.setitem(TestAuthority.issue.__kwdefaults__, "cost", CHEAP)


@pytest.fixture
def eport(settings, capsys):
    """Runs a command line; returns exit code, output and errors."""
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser.add_subparsers())

    def run(*words: str) -> tuple[int, str, str]:
        code = commands.run(parser.parse_args(["card", *words]), settings)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def pins(monkeypatch):
    """What is typed at the prompts for PINs, in order."""
    typed: list[str] = []

    def answer(prompt: str) -> str:
        return typed.pop(0)

    monkeypatch.setattr(getpass, "getpass", answer)
    return typed


@pytest.fixture
def answer(monkeypatch):
    """Answers the questions at a terminal; keeps what was asked."""
    asked: list[str] = []

    def give(text: str) -> list[str]:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(builtins, "input", lambda question: asked.append(question) or text)
        return asked

    return give


def revoked(settings) -> list[bool]:
    return [bool(each.revoked) for each in TestAuthority.open(settings.authority_dir).issued()]


def issue(eport, number="8900000000011", *more, **changes):
    words = {
        "number": number,
        "role": "legal",
        "person": "张三",
        "customs-code": "3101940001",
        "uscc": "91310000PDY00001XG",
        "enterprise": "上海甲制造有限公司",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    options = [part for name, value in words.items() for part in (f"--{name}", value)]
    return eport("issue", *more, *options)


@pytest.fixture
def authority(eport):
    """The test authority, made by its command."""
    assert eport("authority", "init")[0] == 0


def test_an_authority_and_a_card_are_made_and_the_card_is_good(eport, settings):
    code, out, err = eport("authority", "init", "--name", "试用")
    assert (code, err) == (0, "")
    assert str(settings.authority_dir) in out
    code, out, err = issue(eport)
    assert (code, err) == (0, "")
    assert "已发卡 8900000000011" in out
    assert "初始密码为 88888888" in out
    code, out, _ = eport("show", "8900000000011")
    assert code == 0
    shown = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" "))
    assert shown["角色"] == "法人卡"
    assert shown["姓名"] == "张三"
    assert shown["状态"] == "有效"
    assert shown["密码"] == "还可试5次"


def test_showing_a_card_spends_no_try(authority, eport, settings):
    issue(eport)
    for _ in range(9):
        assert eport("show", "8900000000011")[0] == 0
    assert eport("show", str(settings.cards_dir / "8900000000011.card"))[0] == 0
    reader = SoftwareReader(settings.cards_dir)
    assert reader.open(reader.cards()[0]).tries_left() == 5


def test_the_list_is_aligned_and_names_what_is_wrong_with_each_card(authority, eport, settings):
    issue(eport)
    issue(eport, "8900000000022", role="operator", person="欧阳明月")
    issue(eport, "8900000000033", person="王\x1b[31m")
    eport("revoke", "8900000000033", "--yes")
    (settings.cards_dir / "8900000000022.tries").unlink()
    (settings.cards_dir / "8900000000044.card").write_bytes(b"EPTCARD")
    code, out, _ = eport("list")
    assert code == 0
    assert "\x1b" not in out
    head, *lines = out.splitlines()
    assert lines[0].endswith("有效")
    assert lines[1].endswith("已锁定")
    assert lines[2].endswith("已吊销")
    assert lines[3].endswith("卡文件不完整")

    def column(line, word):
        before = line[: line.index(word)]
        return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in before)

    assert column(head, "企业") == column(lines[0], "上海甲") == column(lines[1], "上海甲")


def test_an_empty_list_says_so(eport):
    code, out, _ = eport("list")
    assert code == 0
    assert "没有软件卡" in out


def test_a_card_for_a_given_number_of_days_is_good_to_the_end_of_the_last(authority, eport):
    issue(eport, days="10")
    _, out, _ = eport("show", "8900000000011")
    assert f"至 {today() + timedelta(days=10)}" in out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"role": "boss"}, "角色应为 legal 或 operator"),
        ({"days": "0"}, "有效天数应为1至3650"),
        ({"days": "ten"}, "有效天数应为1至3650"),
        ({"days": "9" * 5000}, "有效天数应为1至3650"),
        ({"number": "123"}, "IC卡号应为13位"),
        ({"customs_code": "31"}, "企业编号应为10位"),
        ({"uscc": "O" * 18}, "社会信用代码中不能有「O」"),
        ({"person": ""}, "姓名应为1至64个字节，最多21个汉字"),
        ({"person": "长" * 22}, "姓名应为1至64个字节，最多21个汉字"),
        ({"person": "\udcff"}, "姓名不是UTF-8编码的文字"),
        ({"pin": "12345678"}, "--pin 应为 initial 或 prompt"),
    ],
)
def test_what_cannot_be_issued_is_told_in_chinese(changes, sentence, authority, eport, settings):
    code, out, err = issue(eport, **changes)
    assert code == 2
    assert out == ""
    assert err.startswith(f"错误：{sentence}")
    assert SoftwareReader(settings.cards_dir).cards() == []


def test_a_check_digit_that_fails_is_only_a_warning(authority, eport):
    code, _, err = issue(eport, uscc="91310000PDY00001X1")
    assert code == 0
    assert "校验位" in err


def test_issuing_without_an_authority_names_the_command(eport):
    code, _, err = issue(eport)
    assert code == 1
    assert "card authority init" in err


def test_a_second_card_of_the_same_number_is_refused(authority, eport):
    issue(eport)
    code, _, err = issue(eport)
    assert code == 1
    assert "已经存在" in err


def lost(eport, settings) -> None:
    """A card was issued, and its file is gone."""
    issue(eport)
    (settings.cards_dir / "8900000000011.card").unlink()


def test_a_number_with_a_valid_certificate_is_asked_about_before_it_is_issued_anew(
    authority, eport, settings, answer
):
    lost(eport, settings)
    code, out, err = issue(eport)
    assert (code, out) == (1, "")
    assert "注意：卡号 8900000000011 已有1张有效的证书，发新卡后仍可使用\n  法人卡  张三" in err
    assert "eport-tui card revoke 8900000000011" in err
    assert err.endswith("提示：请在终端中运行；确认无误的，可加上 --yes\n")
    answer("n")
    assert issue(eport)[:2] == (1, "没有发卡\n")
    assert revoked(settings) == [False]
    answer("y")
    assert issue(eport)[0] == 0
    assert revoked(settings) == [False, False]


def test_nothing_is_asked_where_the_earlier_certificate_was_revoked(authority, eport, settings):
    lost(eport, settings)
    eport("revoke", "8900000000011", "--yes")
    assert issue(eport)[::2] == (0, "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"enterprise": "上海乙制造有限公司"},
            "企业名称应为 上海甲制造有限公司，现为 上海乙制造有限公司",
        ),
        (
            {"uscc": "91310000PDY000255M"},
            "社会信用代码应为 91310000PDY00001XG，现为 91310000PDY000255M",
        ),
        ({"customs_code": "3101940002"}, "企业编号应为 3101940001，现为 3101940002"),
    ],
)
def test_a_card_for_an_enterprise_that_the_registry_knows_otherwise_is_asked_about(
    authority, eport, settings, changes, sentence
):
    with Store.open(settings.database) as store, store.transaction():
        enterprises.put_all(store, [MANUFACTURER])
    code, out, err = issue(eport, **changes)
    assert (code, out) == (1, "")
    assert f"注意：与企业名录不符，{sentence}\n" in err
    assert issue(eport)[::2] == (0, "")
    code, _, err = issue(eport, "8900000000022", "--yes", **changes)
    assert code == 0
    assert sentence in err


def test_a_card_for_an_enterprise_that_is_in_no_registry_is_issued(authority, eport, settings):
    with Store.open(settings.database):
        pass
    assert issue(eport)[::2] == (0, "")


def test_a_registry_that_cannot_be_read_is_told_and_keeps_no_card_from_being_issued(
    authority, eport, settings
):
    settings.database.write_text("not a database")
    code, _, err = issue(eport)
    assert code == 0
    assert "注意：没有与企业名录核对：" in err


# Folders that are not there


def test_a_mistyped_folder_is_not_made(authority, eport, settings, tmp_path):
    code, _, err = issue(eport, cards=str(tmp_path / "no" / "such"))
    assert code == 1
    assert f"文件夹 {tmp_path}/no 不存在，没有发卡" in err
    settings.trust_dir = tmp_path / "typo"
    issued = issue(eport)
    for code, _, err in (
        issued,
        eport("revoke", "8900000000011", "--yes"),
        eport("authority", "renew"),
    ):
        assert code == 1
        assert f"信任的机构文件夹 {tmp_path}/typo 不存在，没有改动任何内容" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority", "trust"]
    code, _, err = eport("authority", "renew", "--authority", str(tmp_path / "none"))
    assert code == 1
    assert f"发证机构的文件夹 {tmp_path}/none 不存在" in err


def test_a_new_folder_for_cards_is_made_beside_others_and_named_in_full(
    authority, eport, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, _ = issue(eport, cards="handout")
    assert code == 0
    assert f"已发卡 8900000000011：{tmp_path}/handout/8900000000011.card\n" in out


def test_a_folder_of_cards_that_is_not_there_is_told(eport, settings):
    assert eport("list")[:2] == (0, f"没有软件卡：{settings.cards_dir}（软件卡文件夹不存在）\n")
    code, _, err = eport("show", "8900000000011")
    assert code == 1
    assert f"没有卡 8900000000011，软件卡文件夹 {settings.cards_dir} 不存在" in err


def test_a_folder_of_authorities_that_is_not_there_is_told_beside_the_states(
    authority, eport, settings, tmp_path
):
    issue(eport)
    settings.trust_dir = tmp_path / "typo"
    for words in (("list",), ("show", "8900000000011")):
        code, out, err = eport(*words)
        assert code == 0
        assert "不可信" in out
        assert f"注意：信任的机构文件夹 {tmp_path}/typo/authorities 不存在" in err


def test_a_card_can_be_issued_with_a_pin_of_ones_own(authority, eport, pins, settings):
    pins += ["Geheim#1", "Geheim#1"]
    code, out, err = issue(eport, pin="prompt")
    assert code == 0
    assert "88888888" not in out
    assert "Geheim" not in out + err
    reader = SoftwareReader(settings.cards_dir)
    reader.open(reader.cards()[0]).verify_pin(bytearray(b"Geheim#1"))


def test_the_pin_is_changed(authority, eport, pins, settings):
    issue(eport)
    pins += ["88888888", "Geheim#1", "Geheim#1"]
    assert eport("change-pin", "8900000000011") == (0, "密码已修改\n", "")
    reader = SoftwareReader(settings.cards_dir)
    reader.open(reader.cards()[0]).verify_pin(bytearray(b"Geheim#1"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["12345678", "Geheim#1", "Geheim#1"], "密码错误，还可再试4次"),
        (["1234"], "密码应为8个字符"),
        (["88888888", "kurz"], "密码应为8个字符"),
        (["88888888", "Geheim#1", "Geheim#2"], "两次输入的新密码不一致"),
    ],
)
def test_a_pin_that_is_not_changed_is_told_why(typed, sentence, authority, eport, pins, settings):
    issue(eport)
    pins += typed
    code, out, err = eport("change-pin", "8900000000011")
    assert code == 1
    assert out == ""
    assert sentence in err
    assert pins == []
    reader = SoftwareReader(settings.cards_dir)
    reader.open(reader.cards()[0]).verify_pin(bytearray(b"88888888"))


def test_a_blocked_card_is_told_before_a_pin_is_asked(authority, eport, pins, settings):
    issue(eport)
    (settings.cards_dir / "8900000000011.tries").unlink()
    code, _, err = eport("change-pin", "8900000000011")
    assert code == 1
    assert "已锁定" in err


def test_list_and_show_say_the_same_of_a_card(authority, eport, settings):
    issue(eport)
    (settings.cards_dir / "8900000000011.tries").unlink()
    issue(eport, "8900000000022")
    eport("revoke", "8900000000022", "--yes")
    issue(eport, "8900000000033")
    for number, state in (
        ("8900000000011", "已锁定"),
        ("8900000000022", "已吊销"),
        ("8900000000033", "有效"),
    ):
        assert re.search(rf"^{number} .* {state}$", eport("list")[1], re.M)
        assert re.search(rf"^状态 +{state}(：|$)", eport("show", number)[1], re.M)


def test_a_pin_cannot_be_typed_where_it_would_show(authority, eport, monkeypatch):
    issue(eport)

    def warn(prompt):
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=1)

    monkeypatch.setattr(getpass, "getpass", warn)
    code, _, err = eport("change-pin", "8900000000011")
    assert code == 1
    assert "无法输入密码" in err


@pytest.mark.parametrize("typed", ["\udcd6bcd5678", "密bcd5678", "ébcd5678"])
def test_what_is_no_ascii_is_not_tried_as_another_pin(authority, eport, settings, pins, typed):
    issue(eport)
    pins += [typed, "Ab3$5678", "Ab3$5678"]
    code, _, err = eport("change-pin", "8900000000011")
    assert code == 1
    assert err == "错误：只能输入半角的字母、数字和符号\n提示：请关闭输入法后重新输入\n"
    assert (settings.cards_dir / "8900000000011.tries").read_bytes()[:1] == b"5"


def test_nothing_that_was_typed_hangs_on_the_error(monkeypatch):
    def misread(prompt):
        return b"\xd6\xd0Zq7!xK".decode()

    monkeypatch.setattr(getpass, "getpass", misread)
    with pytest.raises(CardError) as caught, typed_secret("密码："):
        pytest.fail("it was taken")
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_revoked_card_is_refused_at_once(authority, eport):
    issue(eport)
    code, out, err = eport("revoke", "8900000000011", "--yes")
    assert (code, err) == (0, "")
    assert out.endswith("\n已吊销卡 8900000000011\n")
    assert re.search("^状态 +已吊销$", eport("show", "8900000000011")[1], re.M)
    code, out, _ = eport("revoke", "8900000000011")
    assert code == 0
    assert "早已吊销" in out


def test_whose_card_it_is_is_shown_before_it_is_revoked(authority, eport, settings, answer):
    issue(eport)
    asked = answer("y")
    code, out, _ = eport("revoke", "8900000000011")
    assert code == 0
    (question,) = asked
    assert "确定吊销吗" in question
    serial = TestAuthority.open(settings.authority_dir).issued()[0].serial
    head, line, _ = out.splitlines()
    assert head == "卡 8900000000011 要吊销的1张证书："
    assert line.split() == [
        *("法人卡", "张三", "上海甲制造有限公司", "有效期至"),
        *(f"{today() + timedelta(days=730)}", "序列号", f"{serial:X}"),
    ]
    assert revoked(settings) == [True]


@pytest.mark.parametrize("text", ["n", "", "吊销"])
def test_a_card_that_was_not_meant_is_not_revoked(authority, eport, settings, answer, text):
    issue(eport)
    answer(text)
    code, out, _ = eport("revoke", "8900000000011")
    assert code == 1
    assert out.endswith("\n没有吊销\n")
    assert revoked(settings) == [False]


def test_without_a_terminal_a_card_is_revoked_only_where_that_was_said(authority, eport, settings):
    issue(eport)
    code, _, err = eport("revoke", "8900000000011")
    assert code == 1
    assert "没有终端可以询问，没有改动任何内容" in err
    assert "--yes" in err
    assert revoked(settings) == [False]


def test_one_certificate_of_a_card_can_be_revoked_alone(authority, eport, settings):
    issue(eport)
    (settings.cards_dir / "8900000000011.card").unlink()
    issue(eport, "8900000000011", "--yes")
    first = TestAuthority.open(settings.authority_dir).issued()[0].serial
    assert eport("revoke", "8900000000011", "--yes", "--serial", "ABC")[0] == 1
    code, out, _ = eport("revoke", "8900000000011", "--yes", "--serial", f"{first:x}")
    assert code == 0
    assert out.endswith("\n已吊销卡 8900000000011 的1张证书，还有1张没有吊销\n")
    assert revoked(settings) == [True, False]


def test_a_card_from_before_holders_were_recorded_can_be_revoked(authority, eport, settings):
    issue(eport)
    file = settings.authority_dir / "issued.csv"
    file.write_text(
        "".join(f"{line.rsplit(',', 2)[0]}\n" for line in file.read_text().splitlines())
    )
    code, out, _ = eport("revoke", "8900000000011", "--yes")
    assert code == 0
    assert "持卡人没有记录" in out
    assert revoked(settings) == [True]


def test_an_unknown_card_is_told(authority, eport):
    assert eport("revoke", "8900000000099", "--yes")[::2] == (
        1,
        "错误：没有签发过卡 8900000000099\n提示：请核对卡号\n",
    )
    code, _, err = eport("show", "\x1b[31m")
    assert code == 1
    assert "\x1b" not in err
    code, _, err = eport("show", "8900000000099")
    assert code == 1
    assert "没有卡 8900000000099" in err


def test_a_damaged_card_is_told(authority, eport, settings):
    issue(eport)
    path = settings.cards_dir / "8900000000011.card"
    path.write_bytes(path.read_bytes()[:100])
    code, _, err = eport("show", "8900000000011")
    assert code == 1
    assert "错误：卡文件不完整" in err
    assert "提示：" in err


def test_renewing_the_list_lets_cards_grant_again(authority, eport, settings):
    issue(eport)
    for path in (settings.trust_dir / "crls").iterdir():
        path.unlink()
    assert "没有发证机构的吊销列表" in eport("show", "8900000000011")[1]
    assert eport("list")[1].rstrip().endswith("只能查看")
    assert eport("authority", "renew")[0] == 0
    assert eport("list")[1].rstrip().endswith("有效")


# Cards of China E-Port, about which the registry is asked


@pytest.fixture
def eport_card(settings, tmp_path) -> Path:
    """A software card with a certificate that names neither customs code nor role."""
    issuer = openssl.Authority(settings.trust_dir)
    issuer.publish_list()
    key_file = openssl.make_key(tmp_path / "card.key", "P-256")
    certificate = issuer.certify(key_file, openssl.eport_subject(), openssl.eport_extensions())
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    settings.cards_dir.mkdir()
    path = settings.cards_dir / "8900000000011.card"
    write_card(path, certificate, forging.private_der(key), bytearray(b"88888888"), CHEAP)
    return path


def test_without_a_database_an_eport_card_says_what_is_missing_and_none_is_made(
    eport_card, eport, settings
):
    code, _, err = eport("show", "8900000000011")
    assert code == 1
    assert "没有企业编号，而这里没有企业名录可查" in err
    code, out, _ = eport("list")
    assert code == 0
    assert "没有企业编号，而这里没有企业名录可查" in out
    assert not settings.database.exists()


def test_with_a_database_an_eport_card_is_shown_as_the_registry_knows_it(
    eport_card, eport, settings
):
    with Store.open(settings.database) as store, store.transaction():
        enterprises.put_all(store, [MANUFACTURER])
    before = settings.database.read_bytes()
    code, out, err = eport("show", "8900000000011")
    assert (code, err) == (0, "")
    for text in ("3101940001", "91310000PDY00001XG", "操作员卡", "张三", "有效"):
        assert text in out
    _, out, _ = eport("list")
    assert out.rstrip().endswith("有效")
    assert settings.database.read_bytes() == before


def test_an_eport_card_of_an_enterprise_that_is_not_registered_is_told(eport_card, eport, settings):
    Store.open(settings.database).close()
    code, _, err = eport("show", "8900000000011")
    assert code == 1
    assert "企业名录中没有组织机构代码为 PDY00001X 的企业" in err
    assert "企业名录中没有" in eport("list")[1]


def test_a_database_that_cannot_be_read_keeps_no_other_card_from_being_shown(
    authority, eport, settings
):
    issue(eport)
    settings.database.write_text("not a database")
    assert eport("show", "8900000000011")[0] == 0
    assert eport("list")[1].rstrip().endswith("有效")


def test_a_database_that_cannot_be_read_is_told_where_it_is_needed(eport_card, eport, settings):
    settings.database.write_text("not a database")
    code, _, err = eport("show", "8900000000011")
    assert code == 1
    assert str(settings.database) in err
    assert "8900000000011" in eport("list")[1]


def test_names_as_long_as_they_may_be(eport, settings):
    code, out, err = eport("authority", "init", "--name", "机" * 22)
    assert (code, out) == (2, "")
    assert err == "错误：发证机构的名称应为1至64个字节，最多21个汉字\n"
    assert not settings.authority_dir.exists()
    assert eport("authority", "init", "--name", "机" * 21)[0] == 0
    assert issue(eport, person="长" * 21)[0] == 0
    assert "长" * 21 in eport("list")[1]
