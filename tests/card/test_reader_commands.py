"""`eport-tui card` on a card in a reader, as an administrator types it."""

from __future__ import annotations

import pytest
from cryptography import x509

from eport_tui.card import pcsc
from eport_tui.card.authority import TestAuthority
from eport_tui.card.session import CardSession
from eport_tui.card.signatures import is_signed_by
from eport_tui.card.trust import TrustStore
from tests.card.fake_reader import FakeReader
from tests.card.guard_story import open_only
from tests.card.piv_applet import CERTIFICATES, CHUID, PivApplet
from tests.card.piv_making import HOLDER, make_piv
from tests.card.test_commands import Settings, eport, pins, settings  # noqa: F401


class Rig:
    """The only reader, and whether it was asked for although it may be the server's."""

    def __init__(self) -> None:
        self.reader = FakeReader()
        self.allow_server_reader: bool | None = None


@pytest.fixture
def rig(monkeypatch) -> Rig:
    """The reader that the commands find."""
    rig = Rig()

    def look_for(*, allow_server_reader: bool) -> FakeReader:
        rig.allow_server_reader = allow_server_reader
        return rig.reader

    monkeypatch.setattr(pcsc, "PcscReader", look_for)
    return rig


def test_a_card_in_the_reader_is_shown_without_its_pin(rig, authority, eport, settings):  # noqa: F811
    authority.publish(settings.trust_dir)
    applet = make_piv(authority)
    rig.reader.insert(applet)
    code, out, err = eport("show", "--reader")
    assert (code, err) == (0, "")
    for text in ("8900000000011", "张三", "还可试3次", applet.guid.hex().upper(), "内存读卡器"):
        assert text in out
    assert not any(ins == 0x20 and p2 != 0x80 for _, ins, _, p2 in applet.log)
    assert applet.tries == 3


def test_an_empty_reader_and_a_missing_service_are_told(rig, eport):  # noqa: F811
    assert eport("show", "--reader")[::2] == (
        1,
        "错误：读卡器中没有卡\n提示：请插入IC卡或Ikey\n",
    )
    rig.reader.running = False
    assert eport("show", "--reader")[::2] == (1, "错误：读卡器服务没有运行\n")


def test_another_reader_is_not_used(rig, authority, eport):  # noqa: F811
    rig.reader.insert(make_piv(authority))
    assert eport("show", "--reader", "Thin Client")[0] == 1
    assert eport("show", "--reader", "内存")[0] == 0


@pytest.mark.parametrize("allowed", [False, True])
def test_the_servers_own_reader_is_used_where_the_settings_say_so(
    rig,
    authority,
    eport,  # noqa: F811
    settings,  # noqa: F811
    allowed,
):
    settings.allow_server_reader = allowed
    rig.reader.insert(make_piv(authority))
    eport("show", "--reader")
    assert rig.allow_server_reader is allowed


def test_a_signature_certificate_that_is_not_accepted_is_told(rig, settings, eport):  # noqa: F811
    own = TestAuthority.create(settings.authority_dir)
    own.publish(settings.trust_dir)
    applet = make_piv(own)
    rig.reader.insert(applet)
    assert "\n状态          有效\n" in eport("show", "--reader")[1]
    other = make_piv(own, number="8900000000022")
    applet.objects[CERTIFICATES[0x9C]] = other.objects[CERTIFICATES[0x9C]]
    code, out, _ = eport("show", "--reader")
    assert code == 0
    assert "不可用：卡内两张证书的持卡人不一致" in out


@pytest.mark.parametrize("words", [["show"], ["change-pin"], ["show", "8900000000011", "--reader"]])
def test_it_must_be_clear_which_card_is_meant(eport, words):  # noqa: F811
    code, _, err = eport(*words)
    assert code == 2
    assert "--reader" in err


def test_the_pin_is_changed(rig, authority, eport, pins):  # noqa: F811
    applet = make_piv(authority)
    rig.reader.insert(applet)
    pins += ["123456", "11112222", "11112222"]
    assert eport("change-pin", "--reader")[:2] == (0, "密码已修改\n")
    open_only(rig).verify_pin(bytearray(b"11112222"))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["12345"], "该卡的密码应为6至8位数字"),
        (["123456", "abcdef"], "该卡的密码应为6至8位数字"),
        (["123456", "111111", "222222"], "两次输入的新密码不一致"),
    ],
)
def test_what_cannot_be_a_pin_spends_no_try(rig, authority, eport, pins, typed, message):  # noqa: F811
    applet = make_piv(authority)
    rig.reader.insert(applet)
    pins += typed
    code, _, err = eport("change-pin", "--reader")
    assert code == 1
    assert message in err
    assert not any(ins == 0x24 for _, ins, _, _ in applet.log)


def test_a_blocked_card_is_unblocked(rig, authority, eport, pins):  # noqa: F811
    applet = make_piv(authority)
    applet.tries = 0
    rig.reader.insert(applet)
    assert "该卡已锁定" in eport("change-pin", "--reader")[2]
    pins += ["87654321", "11112222", "11112222"]
    code, _, err = eport("unblock")
    assert code == 1
    assert "解锁码错误，还可再试2次" in err
    pins += ["12345678", "11112222", "11112222"]
    assert eport("unblock")[0] == 0
    open_only(rig).verify_pin(bytearray(b"11112222"))


@pytest.mark.parametrize("algorithm", ["p256", "rsa2048"])
@pytest.mark.parametrize(
    ("key", "management"),
    [
        ("010203040506070801020304050607080102030405060708", 0x03),
        ("00112233445566778899aabbccddeeff0011223344556677", 0x0A),
        ("00112233445566778899aabbccddeeff", 0x08),
        ("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0x0C),
    ],
    ids=["3des", "aes192", "aes128", "aes256"],
)
def test_an_empty_card_becomes_one_that_works(
    rig,
    settings: Settings,  # noqa: F811
    eport,  # noqa: F811
    pins,  # noqa: F811
    algorithm,
    key,
    management,
):
    applet = PivApplet(management_key=bytes.fromhex(key), management_algorithm=management)
    rig.reader.insert(applet)
    assert eport("authority", "init")[0] == 0
    pins.append(key)
    code, out, err = eport(
        "provision", *HOLDER, "--algorithm", algorithm, "--management-key", "prompt"
    )
    assert (code, err) == (0, "")
    assert "8900000000011" in out

    trust = TrustStore.of(settings.trust_dir, require_hardware=True)
    card = open_only(rig)
    session = CardSession.begin(card, trust)
    session.unlock(bytearray(b"123456"))
    assert session.assurance == "hardware"
    assert session.require_granting().person == "张三"
    assert is_signed_by(card.certificate, session.sign(b"save"), b"save")
    certified = x509.load_der_x509_certificate(card.signature_certificate).public_key()
    assert certified == applet.keys[0x9C].public_key()

    session.close()
    assert eport("revoke", "8900000000011", "--yes")[0] == 0
    issued = TestAuthority.open(settings.authority_dir).issued()
    assert [bool(entry.revoked) for entry in issued] == [True, True]
    assert "已吊销" in eport("show", "--reader")[1]


def test_a_card_that_is_in_use_is_not_overwritten(rig, authority, eport):  # noqa: F811
    applet = make_piv(authority)
    rig.reader.insert(applet)
    before = dict(applet.objects)
    eport("authority", "init")
    code, _, err = eport("provision", *HOLDER)
    assert code == 1
    assert "不是空白卡" in err
    assert applet.objects == before


def test_a_wrong_management_key_is_told_and_changes_nothing(rig, eport, pins):  # noqa: F811
    applet = PivApplet()
    rig.reader.insert(applet)
    eport("authority", "init")
    for typed, message in (
        ("00" * 23 + "01", "管理密钥错误"),
        ("00" * 5, "卡不接受这种管理密钥"),
        ("factory", "十六进制"),
    ):
        pins.append(typed)
        code, _, err = eport("provision", *HOLDER, "--management-key", "prompt")
        assert code > 0
        assert message in err
    assert applet.objects == {}
    assert applet.keys == {}


def test_an_interrupted_issue_can_be_done_again(rig, eport):  # noqa: F811
    applet = PivApplet()
    rig.reader.insert(applet)
    eport("authority", "init")

    def pull_at_the_last_certificate(apdu):
        if CERTIFICATES[0x9C] in applet.objects and apdu[1] == 0xDB:
            rig.reader.pull()

    rig.reader.before = pull_at_the_last_certificate
    assert eport("provision", *HOLDER)[0] == 1
    rig.reader.before = lambda apdu: None
    rig.reader.insert(applet)
    guid = applet.objects[CHUID]
    # What the first try has certified is still valid.
    code, _, err = eport("provision", *HOLDER)
    assert code == 1
    assert "已有2张有效的证书" in err
    assert eport("provision", "--yes", *HOLDER)[0] == 0
    assert applet.objects[CHUID] == guid
    assert open_only(rig)
