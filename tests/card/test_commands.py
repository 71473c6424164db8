"""`eport-tui card`, as an administrator types it."""

from __future__ import annotations

import argparse
import getpass
import unicodedata
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from eport_tui.card.authority import TestAuthority
from eport_tui.card.software import SoftwareReader, write_card
from eport_tui.commands import card as commands
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


def issue(eport, number="8900000000011", **changes):
    words = {
        "number": number,
        "role": "legal",
        "person": "张三",
        "customs-code": "3101940001",
        "uscc": "91310000PDY00001XG",
        "enterprise": "上海甲制造有限公司",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    options = [part for name, value in words.items() for part in (f"--{name}", value)]
    return eport("issue", *options)


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
    eport("revoke", "8900000000033")
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
        ({"number": "123"}, "IC卡号应为13位"),
        ({"customs_code": "31"}, "企业编号应为10位"),
        ({"uscc": "O" * 18}, "社会信用代码中不能有「O」"),
        ({"person": ""}, "姓名应为1至64个字"),
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


def test_a_pin_cannot_be_typed_where_it_would_show(authority, eport, monkeypatch):
    issue(eport)

    def warn(prompt):
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=1)

    monkeypatch.setattr(getpass, "getpass", warn)
    code, _, err = eport("change-pin", "8900000000011")
    assert code == 1
    assert "无法输入密码" in err


def test_a_revoked_card_is_refused_at_once(authority, eport):
    issue(eport)
    assert eport("revoke", "8900000000011") == (0, "已吊销卡 8900000000011\n", "")
    assert "该卡已吊销" in eport("show", "8900000000011")[1]
    code, out, _ = eport("revoke", "8900000000011")
    assert code == 0
    assert "早已吊销" in out


def test_an_unknown_card_is_told(authority, eport):
    assert eport("revoke", "8900000000099")[0] == 1
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
