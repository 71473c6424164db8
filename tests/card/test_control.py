"""The client control of China E-Port, as far as a stand-in can show."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from eport_tui.card import signatures
from eport_tui.card.control import ControlCard, ControlReader
from eport_tui.card.control_client import (
    LARGEST,
    Control,
    ControlFault,
    Limits,
    _checked,
    _message,
    _parsed,
)
from eport_tui.card.errors import (
    BadPin,
    CardDamaged,
    CardError,
    CardGone,
    CertificateRefused,
    Locked,
    PinBlocked,
    WrongPin,
)
from eport_tui.card.protocol import Card, Reader
from eport_tui.card.session import CardSession
from eport_tui.card.trust import TrustStore
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.errors import SettingsError
from eport_tui.giving_up import Cancelled, Step
from tests.card import forging, openssl
from tests.card.control_server import HangUp, Raw, StandIn, StandInCard, refusal, running
from tests.card.making import MANUFACTURER, make_holder

QUICK = Limits(connect=2.0, ask=2.0, work=2.0, poll=0.005, rest=0.005)
IMPATIENT = Limits(connect=0.1, ask=0.1, work=0.1, poll=0.005, rest=0.005)
PIN = b"88888888"
NUMBER = "8900000000011"


@pytest.fixture(scope="module")
def eport(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """An SM2 authority with a list, and a card of it as China E-Port issues them."""
    folder = tmp_path_factory.mktemp("eport")
    authority = openssl.Authority(folder / "authority")
    key = openssl.make_key(folder / "card.key")
    der = authority.certify(key, openssl.eport_subject(), openssl.eport_extensions())
    authority.publish_list()
    return SimpleNamespace(
        trust=authority.folder, der=der, sign=lambda data: openssl.sign(key, data)
    )


@pytest.fixture
def fast(authority) -> StandInCard:
    """A card of the project's own profile, on P-256; its signatures cost nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = forging.certificate(authority, key=key)
    return StandInCard(NUMBER, der, lambda data: signatures.sign(key, data))


@pytest.fixture
def control(fast: StandInCard) -> Iterator[StandIn]:
    with running(StandIn(card=fast)) as stand_in:
        yield stand_in


@pytest.fixture
def reader(control: StandIn) -> Iterator[ControlReader]:
    reader = ControlReader(control.address, QUICK)
    yield reader
    reader.close()


@pytest.fixture
def asked(control: StandIn) -> Iterator[Control]:
    """The control without the thread that looks for cards."""
    client = Control(control.address, QUICK)
    yield client
    client.close()


def inserted(reader: ControlReader) -> ControlCard:
    assert reader.wait(lambda: bool(reader.cards()))
    (ref,) = reader.cards()
    return reader.open(ref)


def pin(text: bytes = PIN) -> bytearray:
    return bytearray(text)


# -- what works ---------------------------------------------------------------------------


def test_it_fits_behind_the_protocols(reader: ControlReader) -> None:
    as_reader: Reader = reader
    as_card: Card = inserted(reader)
    assert as_reader.name == as_card.ref.reader == "电子口岸客户端控件"
    assert as_reader.status().message == "就绪"
    assert (as_card.ref.label, as_card.assurance) == (NUMBER, "hardware")


@pytest.mark.parametrize("greets", [True, False])
def test_a_card_logs_in_and_signs(
    control: StandIn, reader: ControlReader, fast: StandInCard, greets: bool
) -> None:
    control.greets = greets
    card = inserted(reader)
    assert card.certificate == fast.certificate
    with pytest.raises(Locked):
        card.sign(b"data")
    with pytest.raises(Locked):
        card.confirm()
    card.verify_pin(pin())
    card.confirm()
    assert signatures.is_signed_by(card.certificate, card.sign(b"\x00\xffdata"), b"\x00\xffdata")
    card.close()
    with pytest.raises(Locked):
        card.sign(b"data")


def test_an_eport_card_logs_in_through_the_guard(eport: SimpleNamespace) -> None:
    trust = TrustStore.of(
        eport.trust,
        require_hardware=True,
        look_up=lambda organization, card: [(MANUFACTURER, Role.LEGAL_PERSON)],
    )
    card = StandInCard(NUMBER, eport.der, eport.sign)
    with running(StandIn(card=card)) as stand_in:
        reader = ControlReader(stand_in.address, QUICK)
        session = CardSession.begin(inserted(reader), trust)
        assert session.holder.card_number == NUMBER
        assert session.holder.role is Role.LEGAL_PERSON
        assert session.assurance == "hardware"
        session.unlock(pin())
        assert session.require_granting() == session.holder
        stand_in.pull()
        with pytest.raises(CardGone):
            session.require_granting()
        assert not session.unlocked
        reader.close()


def test_a_signature_of_two_bare_numbers_is_taken_too(eport: SimpleNamespace) -> None:
    def bare(data: bytes) -> bytes:
        r, s = decode_dss_signature(eport.sign(data))
        return r.to_bytes(32) + s.to_bytes(32)

    with running(StandIn(card=StandInCard(NUMBER, eport.der, bare))) as stand_in:
        reader = ControlReader(stand_in.address, QUICK)
        card = inserted(reader)
        card.verify_pin(pin())
        assert signatures.is_signed_by(card.certificate, card.sign(b"data"), b"data")
        reader.close()


def test_the_data_is_signed_as_hexadecimal_text(control: StandIn, reader: ControlReader) -> None:
    card = inserted(reader)
    card.verify_pin(pin())
    card.sign(b"\x00\xff")
    assert control.called("SpcSignDataAsPEM") == [{"inData": "00ff"}]


def test_the_details_are_what_the_control_says(reader: ControlReader) -> None:
    details = inserted(reader).details()
    assert (details.person, details.enterprise_id, details.enterprise_name) == (
        "张三",
        "PDY00001X",
        "上海甲制造有限公司",
    )
    assert f"{details.valid_from:%Y-%m-%d %z}" == "2026-01-01 +0800"
    assert f"{details.valid_until:%H:%M:%S}" == "23:59:59"


def test_the_pin_is_changed(control: StandIn, reader: ControlReader, fast: StandInCard) -> None:
    card = inserted(reader)
    card.change_pin(pin(), pin(b'ab"\\{}[]'))
    assert fast.pin == 'ab"\\{}[]'
    card.verify_pin(pin(b'ab"\\{}[]'))
    assert control.called("SpcChangePIN") == [{"oldPin": "88888888", "newPin": 'ab"\\{}[]'}]


def test_a_session_goes_on_after_its_pin_was_changed_and_a_wrong_old_one_locks_it(
    reader: ControlReader, trust: TrustStore
) -> None:
    session = CardSession.begin(inserted(reader), trust)
    session.unlock(pin())
    session.card.change_pin(pin(), pin(b"Ab3$5678"))
    assert session.require_granting()
    assert session.sign(b"data")

    with pytest.raises(WrongPin):
        session.card.change_pin(pin(), pin(b"Ab3$5678"))
    with pytest.raises(Locked):
        session.require_granting()
    assert not session.unlocked
    assert session.card.is_present()
    session.unlock(pin(b"Ab3$5678"))
    assert session.require_granting()


def test_a_change_of_the_pin_that_a_lock_overtakes_leaves_the_card_locked(
    control: StandIn, reader: ControlReader
) -> None:
    card = inserted(reader)
    card.verify_pin(pin())

    def lock_and_answer(reply: dict[str, object]) -> dict[str, object]:
        card.close()
        return reply

    control.instead["SpcChangePIN"] = lock_and_answer
    card.change_pin(pin(), pin(b"Ab3$5678"))
    with pytest.raises(Locked):
        card.sign(b"data")


def test_a_change_of_the_pin_that_is_given_up_in_time_ends_nothing(reader: ControlReader) -> None:
    card = inserted(reader)
    card.verify_pin(pin())
    step = Step()
    step.give_up()
    with pytest.raises(Cancelled):
        step.run(lambda: card.change_pin(pin(), pin(b"Ab3$5678")))
    assert card.sign(b"data")


def test_no_method_of_card_administration_is_ever_called(
    control: StandIn, reader: ControlReader
) -> None:
    card = inserted(reader)
    card.verify_pin(pin())
    card.change_pin(pin(), pin())
    card.verify_pin(pin())
    card.sign(b"data")
    card.details()
    assert {each["_method"] for each in control.requests} == {
        "cus-sec_SpcGetCardID",
        "cus-sec_SpcGetUName",
        "cus-sec_SpcGetEntID",
        "cus-sec_SpcGetEntName",
        "cus-sec_SpcGetSignCertAsPEM",
        "cus-sec_SpcGetValidTimeFromCert",
        "cus-sec_SpcVerifyPIN",
        "cus-sec_SpcChangePIN",
        "cus-sec_SpcSignRandom",
        "cus-sec_SpcSignDataAsPEM",
    }
    assert all(set(each) == {"_method", "_id", "args"} for each in control.requests)
    numbers = [each["_id"] for each in control.requests]
    assert numbers == sorted(set(numbers))


# -- the PIN ------------------------------------------------------------------------------


def test_wrong_pins_are_counted_and_the_fifth_blocks(
    control: StandIn, reader: ControlReader
) -> None:
    card = inserted(reader)
    assert card.tries_left() == 5
    for left in (4, 3, 2, 1):
        with pytest.raises(WrongPin) as caught:
            card.verify_pin(pin(b"00000000"))
        assert caught.value.left == card.tries_left() == left
        assert "最多" in caught.value.message
        assert "00000000" not in str(caught.value)
    with pytest.raises(PinBlocked):
        card.verify_pin(pin(b"00000000"))
    asked = len(control.called("SpcVerifyPIN"))
    with pytest.raises(PinBlocked):
        inserted(reader).verify_pin(pin())
    assert len(control.called("SpcVerifyPIN")) == asked == 5


def test_a_right_pin_gives_the_tries_back(reader: ControlReader) -> None:
    card = inserted(reader)
    with pytest.raises(WrongPin):
        card.change_pin(pin(b"00000000"), pin())
    assert card.tries_left() == 4
    card.verify_pin(pin())
    assert card.tries_left() == 5


def test_after_a_wrong_pin_nothing_is_signed(reader: ControlReader) -> None:
    card = inserted(reader)
    card.verify_pin(pin())
    with pytest.raises(WrongPin):
        card.verify_pin(pin(b"00000000"))
    with pytest.raises(Locked):
        card.sign(b"data")


@pytest.mark.parametrize("bad", [b"", b"8888888", b"888888888", b"8888 888", b"8888888\n"])
def test_a_pin_that_can_be_none_is_not_sent(
    control: StandIn, reader: ControlReader, bad: bytes
) -> None:
    card = inserted(reader)
    for attempt in (
        lambda: card.verify_pin(pin(bad)),
        lambda: card.change_pin(pin(bad), pin()),
        lambda: card.change_pin(pin(), pin(bad)),
        lambda: card.check_pin(pin(bad)),
    ):
        with pytest.raises(BadPin):
            attempt()
    assert control.called("SpcVerifyPIN") == control.called("SpcChangePIN") == []


def test_the_buffer_with_the_pin_is_wiped_once_it_was_sent(
    asked: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    from websockets.sync.client import ClientConnection

    sent: list[bytearray] = []
    send = ClientConnection.send

    def keep(self: ClientConnection, message: bytearray, *, text: bool) -> None:
        sent.append(message)
        assert type(message) is bytearray
        send(self, message, text=text)

    monkeypatch.setattr(ClientConnection, "send", keep)
    given = pin()
    asked.verify_pin(given)
    assert given == PIN
    assert len(sent) == 1
    assert sent[0] == bytes(len(sent[0]))


def test_nothing_of_the_pin_is_logged(
    control: StandIn, reader: ControlReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    card = inserted(reader)
    card.verify_pin(pin())
    with pytest.raises(WrongPin):
        card.verify_pin(pin(b"13572468"))
    # The text was made when it was logged; by now the buffer is wiped.
    assert "13572468" not in caplog.text
    assert "88888888" not in caplog.text


@pytest.mark.parametrize("value", [b"88888888", b'"\\"\\"\\"\\', b"}}]],,::", b"\x7e!#$%&'~"])
def test_a_request_is_json_whatever_the_pin_is(value: bytes) -> None:
    for arguments in ({}, {"random": '汉"字'}):
        made = _message("m", 7, arguments, {"a": pin(value), "b": pin()})
        expected = arguments | {"a": value.decode(), "b": "88888888"}
        assert json.loads(made) == {"_method": "m", "_id": 7, "args": expected}


# -- cards that come and go ---------------------------------------------------------------


def test_a_pulled_card_is_noticed_and_stays_gone(
    control: StandIn, reader: ControlReader, fast: StandInCard
) -> None:
    card = inserted(reader)
    card.verify_pin(pin())
    control.pull()
    assert reader.wait(lambda: not card.is_present())
    assert reader.cards() == []
    assert (reader.status().ok, reader.status().message) == (
        True,
        "读卡器中没有卡，请插入IC卡或Ikey",
    )
    control.insert(fast)
    assert reader.wait(lambda: bool(reader.cards()))
    assert not card.is_present()
    for use in (lambda: card.sign(b"data"), card.confirm, card.details):
        with pytest.raises(CardGone):
            use()
    inserted(reader).verify_pin(pin())


def test_a_pull_that_no_look_has_noticed_yet_signs_nothing(
    control: StandIn, fast: StandInCard
) -> None:
    seldom = Limits(connect=2.0, ask=2.0, work=2.0, poll=60.0, rest=60.0)
    other = StandInCard("8900000000022", fast.certificate, fast.sign, verified=True)
    for change in (control.pull, lambda: control.insert(other)):
        control.insert(fast)
        reader = ControlReader(control.address, seldom)
        card = reader.open(reader.ref(NUMBER))
        card.verify_pin(pin())
        card.confirm()
        change()
        assert card.is_present()
        with pytest.raises(CardGone):
            card.sign(b"data")
        assert not card.is_present()
        reader.close()
    assert control.called("SpcSignDataAsPEM") == []


def test_a_card_that_no_look_has_seen_yet_is_not_opened(
    control: StandIn, fast: StandInCard
) -> None:
    control.pull()
    seldom = Limits(connect=2.0, ask=2.0, work=2.0, poll=60.0, rest=60.0)
    reader = ControlReader(control.address, seldom)
    assert reader.wait()
    control.insert(fast)
    with pytest.raises(CardGone):
        reader.open(reader.ref(NUMBER))
    reader.close()


def test_the_pin_is_not_sent_to_another_card(control: StandIn, fast: StandInCard) -> None:
    seldom = Limits(connect=2.0, ask=2.0, work=2.0, poll=60.0, rest=60.0)
    reader = ControlReader(control.address, seldom)
    card = reader.open(reader.ref(NUMBER))
    control.insert(StandInCard("8900000000022", fast.certificate, fast.sign))
    with pytest.raises(CardGone):
        card.verify_pin(pin())
    assert control.called("SpcVerifyPIN") == []
    reader.close()


def test_another_card_is_another_card(
    control: StandIn, reader: ControlReader, fast: StandInCard, authority
) -> None:
    card = inserted(reader)
    der = forging.certificate(authority, make_holder(number="8900000000022"))
    control.insert(StandInCard("8900000000022", der, fast.sign))
    assert reader.wait(lambda: [ref.label for ref in reader.cards()] == ["8900000000022"])
    assert not card.is_present()
    with pytest.raises(CardGone):
        reader.open(card.ref)


def test_a_certificate_of_another_card_is_refused(
    control: StandIn, reader: ControlReader, fast: StandInCard
) -> None:
    control.insert(StandInCard("8900000000022", fast.certificate, fast.sign))
    assert reader.wait(lambda: [ref.label for ref in reader.cards()] == ["8900000000022"])
    with pytest.raises(CardDamaged, match="不是这张卡的"):
        reader.open(reader.cards()[0])


def test_a_card_that_does_not_hold_the_key_is_refused(
    control: StandIn, reader: ControlReader, fast: StandInCard
) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    control.insert(StandInCard(NUMBER, fast.certificate, lambda data: signatures.sign(other, data)))
    card = inserted(reader)
    with pytest.raises(CardGone, match="签名与卡的证书不符"):
        card.verify_pin(pin())
    assert not card.is_present()
    with pytest.raises(Locked):
        card.sign(b"data")


def test_the_control_is_noticed_when_it_comes_and_when_it_goes(
    tmp_path: Path, fast: StandInCard
) -> None:
    path = tmp_path / "control.sock"
    reader = ControlReader(f"unix:{path}", QUICK)
    assert reader.wait()
    assert (reader.status().ok, reader.cards()) == (False, [])
    assert reader.status().message == "无法连接客户端控件，请在本机启动控件，并检查端口转发"
    with running(StandIn(card=fast), path):
        card = inserted(reader)
        card.verify_pin(pin())
        path.unlink()
    assert reader.wait(lambda: not reader.status().ok)
    assert not card.is_present()
    with running(StandIn(card=fast), path):
        assert inserted(reader).is_present()
        assert not card.is_present()
    reader.close()


def test_a_connection_outlasts_the_time_to_make_it(control: StandIn) -> None:
    client = Control(control.address, Limits(connect=0.05))
    assert client.card_id() == NUMBER
    connection = client._connection
    # The library ends a connection whose socket has run out of time.
    assert connection is not None
    assert connection.socket.gettimeout() is None
    client.close()


def test_looking_never_waits(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    reader = ControlReader(f"ws://127.0.0.1:{silent.getsockname()[1]}")
    begin = time.monotonic()
    assert reader.cards() == []
    assert not reader.status().ok
    assert time.monotonic() - begin < 0.5
    reader.close()
    silent.close()


def test_a_card_that_nobody_looks_for_any_more_is_gone(
    reader: ControlReader,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    card = inserted(reader)

    def defect(self: Control) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Control, "card_id", defect)
    assert reader.wait(lambda: not card.is_present())
    assert reader.cards() == []
    assert "RuntimeError" in caplog.text
    assert capsys.readouterr() == ("", "")


def test_a_closed_reader_has_no_card(reader: ControlReader) -> None:
    card = inserted(reader)
    reader.close()
    assert not card.is_present()
    for thread in threading.enumerate():
        if thread.name == "control-watch":
            thread.join(2)
            assert not thread.is_alive()


# -- what the control may say ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("Err:Base60408", ControlFault, "无法连接客户端控件"),
        ("Err:Base50000", CardError, "控件不接受这次请求的参数"),
        ("Err:Custom50070", CardGone, "读卡器复位失败"),
        ("Err:Custom50200", CardGone, "打不开读卡器"),
        ("Err:Custom51590", CardGone, "读卡器中没有卡"),
        ("Custom51590", CardGone, "读卡器中没有卡"),
        ("Err:Custom59999", CardError, "控件拒绝了这次请求，错误代码 Custom59999"),
        ("\x1b[31m不是代码", CardError, "控件拒绝了这次请求"),
    ],
)
def test_the_errors_of_the_control_are_told_in_our_words(
    control: StandIn, asked: Control, code: str, kind: type[CardError], words: str
) -> None:
    control.instead["SpcGetCardID"] = lambda reply: reply | {"_args": refusal("原文", code)}
    with pytest.raises(kind) as caught:
        asked.card_id()
    assert caught.value.message == words
    assert caught.value.hint
    assert isinstance(caught.value, CardGone) == issubclass(kind, CardGone)


def test_a_refusal_without_an_error_is_a_refusal(control: StandIn, asked: Control) -> None:
    for errors in ([], [None, 7], ["原文"]):
        reply = {"Result": False, "Data": [], "Error": errors}
        control.instead["SpcGetCardID"] = lambda whole, reply=reply: whole | {"_args": reply}
        with pytest.raises(CardError, match="控件拒绝了这次请求"):
            asked.card_id()


@pytest.mark.parametrize("code", ["Err:Custom50200", "Err:Custom50070", "Err:Base50000"])
def test_a_fault_of_the_reader_is_no_wrong_pin(
    control: StandIn, reader: ControlReader, code: str
) -> None:
    card = inserted(reader)
    control.instead["SpcVerifyPIN"] = lambda reply: reply | {"_args": refusal("原文", code)}
    with pytest.raises(CardError) as caught:
        card.verify_pin(pin())
    assert not isinstance(caught.value, WrongPin)
    assert card.tries_left() == 5


def changed(**fields: object) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda reply: reply | fields


def without(name: str) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda reply: {key: value for key, value in reply.items() if key != name}


def hang_up(reply: object) -> None:
    raise HangUp


GOOD = {"Result": True, "Data": ["8900000000011"], "Error": []}

WRONG = {
    "another id": lambda reply: reply | {"_id": reply["_id"] + 1},
    "id of the last request": lambda reply: reply | {"_id": reply["_id"] - 1},
    "id as text": lambda reply: reply | {"_id": str(reply["_id"])},
    "id as fraction": lambda reply: reply | {"_id": float(reply["_id"])},
    "no id": without("_id"),
    "another method": changed(_method="cus-sec_SpcGetUName"),
    "no method": without("_method"),
    "greeting again": changed(_method="open"),
    "another status": changed(_status="01"),
    "status as number": changed(_status=0),
    "no status": without("_status"),
    "no args": without("_args"),
    "args a list": changed(_args=[]),
    "no result": changed(_args={"Data": ["8900000000011"], "Error": []}),
    "result as text": changed(_args=GOOD | {"Result": "true"}),
    "result as number": changed(_args=GOOD | {"Result": 1}),
    "no data": changed(_args={"Result": True, "Error": []}),
    "data null": changed(_args=GOOD | {"Data": None}),
    "data empty": changed(_args=GOOD | {"Data": []}),
    "data a number": changed(_args=GOOD | {"Data": [8900000000011]}),
    "data blank": changed(_args=GOOD | {"Data": ["  "]}),
    "no card number": changed(_args=GOOD | {"Data": ["890000000001\x1b"]}),
    "no error list": changed(_args={"Result": True, "Data": ["8900000000011"]}),
    "error an object": changed(_args=GOOD | {"Error": {}}),
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "empty": "",
    "no JSON": "<html>",
    "half": '{"_id": 1, "_method": "cus-sec_SpcGet',
    "deep": "[" * 30_000,
    "a huge number": '{"_id": ' + "9" * 10_000 + "}",
    "binary": b"\x00\xff",
    "binary JSON": lambda reply: json.dumps(reply).encode(),
    "too large": '{"x": "' + "x" * LARGEST + '"}',
    "closing": hang_up,
    "closing in the middle": Raw(b'\x81\x7e\x10\x00{"_id": 1'),
    "no frame": Raw(b"\xff" * 100),
    "nothing": lambda reply: None,
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_an_answer_that_is_not_as_described_is_a_fault(control: StandIn, wrong: object) -> None:
    impatient = wrong is WRONG["nothing"] or wrong is WRONG["greeting again"]
    client = Control(control.address, IMPATIENT if impatient else QUICK)
    assert client.card_id() == NUMBER
    control.instead["SpcGetCardID"] = wrong
    with pytest.raises(ControlFault) as caught:
        client.card_id()
    assert caught.value.hint
    del control.instead["SpcGetCardID"]
    assert client.card_id() == NUMBER
    client.close()


def test_random_damage_to_an_answer_ends_in_a_fault_or_leaves_it_whole() -> None:
    whole = {"_id": 7, "_method": "m", "_status": "00", "_args": GOOD}
    text = json.dumps(whole)
    rng = random.Random(1)
    faults = 0
    for _ in range(10_000):
        damaged = list(text)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randrange(3)] = chr(rng.choice((rng.randrange(128), 0x6C49)))
        try:
            fields = _checked(_parsed("".join(damaged)), "m", 7)
        except ControlFault:
            faults += 1
        else:
            assert type(fields["Result"]) is bool
            assert type(fields["Data"]) is type(fields["Error"]) is list
    assert faults > 5000


def test_a_late_answer_is_not_taken_for_the_next_one(control: StandIn) -> None:
    client = Control(control.address, IMPATIENT)
    late = threading.Event()

    def wait(reply: dict[str, object]) -> dict[str, object]:
        late.wait(5)
        return reply

    control.instead["SpcGetUName"] = wait
    with pytest.raises(ControlFault, match="没有应答"):
        client.details()
    late.set()
    assert client.card_id() == NUMBER
    client.close()


def test_a_control_that_answers_no_more_makes_the_card_gone(control: StandIn) -> None:
    reader = ControlReader(control.address, IMPATIENT)
    card = inserted(reader)
    control.instead["SpcGetCardID"] = lambda reply: None
    assert reader.wait(lambda: not card.is_present())
    assert not reader.status().ok
    reader.close()


@pytest.mark.parametrize(
    "data", [["20260101000000"], ["2026-01-01", "2027-01-01"], ["20261301000000"] * 2, [1, 2]]
)
def test_a_validity_that_is_none_is_a_fault(
    control: StandIn, asked: Control, data: list[object]
) -> None:
    control.instead["SpcGetValidTimeFromCert"] = changed(_args=GOOD | {"Data": data})
    with pytest.raises(ControlFault, match="有效期"):
        asked.details()


@pytest.mark.parametrize("data", ["not base64!", "AAA", "-----BEGIN CERTIFICATE-----"])
def test_a_certificate_that_is_none_is_told(
    control: StandIn, reader: ControlReader, data: str
) -> None:
    assert reader.wait(lambda: bool(reader.cards()))
    control.instead["SpcGetSignCertAsPEM"] = changed(_args=GOOD | {"Data": [data]})
    with pytest.raises(CardDamaged):
        reader.open(reader.cards()[0])
    control.instead["SpcGetSignCertAsPEM"] = changed(_args=GOOD | {"Data": ["AAAA"]})
    with pytest.raises(CertificateRefused):
        reader.open(reader.cards()[0])


def test_a_certificate_in_armour_is_read(
    control: StandIn, asked: Control, fast: StandInCard
) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = x509.load_der_x509_certificate(fast.certificate).public_bytes(Encoding.PEM).decode()
    control.instead["SpcGetSignCertAsPEM"] = changed(_args=GOOD | {"Data": [pem]})
    assert asked.certificate() == fast.certificate


# -- where it is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:61232",
        "http://127.0.0.1:61232",
        "wss://127.0.0.1:61231",
        "ws://192.0.2.1:61232",
        "ws://control.example:61232",
        "ws://127.0.0.1.example:61232",
        "ws://127.0.0.1",
        "ws://127.0.0.1:port",
        "ws://user@127.0.0.1:61232",
        "unix:control.sock",
        "unix:",
    ],
)
def test_an_address_that_is_not_at_this_desk_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="控件地址"):
        ControlReader(address)


def test_a_socket_that_others_can_use_is_refused(tmp_path: Path, fast: StandInCard) -> None:
    path = tmp_path / "control.sock"
    with running(StandIn(card=fast), path) as stand_in:
        client = Control(f"unix:{path}", QUICK)
        assert client.card_id() == NUMBER
        client.close()
        for mode in (0o660, 0o606, 0o777):
            path.chmod(mode)
            client = Control(f"unix:{path}", QUICK)
            with pytest.raises(ControlFault, match="不是只有本人可用的套接字"):
                client.card_id()
        path.chmod(0o600)
        link = tmp_path / "link.sock"
        link.symlink_to(path)
        with pytest.raises(ControlFault, match="套接字"):
            Control(f"unix:{link}", QUICK).card_id()
        assert len(stand_in.requests) == 1


def test_a_socket_of_somebody_else_is_refused(
    tmp_path: Path, fast: StandInCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control.sock"
    with running(StandIn(card=fast), path):
        monkeypatch.setattr(os, "getuid", lambda: 4321)
        with pytest.raises(ControlFault, match="套接字"):
            Control(f"unix:{path}", QUICK).card_id()


def test_a_redirection_is_not_followed(control: StandIn) -> None:
    begun = threading.Event()

    def redirect() -> None:
        connection, _ = server.accept()
        connection.recv(4096)
        begun.set()
        target = f"HTTP/1.1 302 Found\r\nLocation: {control.address}\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(target.encode())
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=redirect)
        thread.start()
        with pytest.raises(ControlFault, match="无法连接"):
            Control(f"ws://127.0.0.1:{server.getsockname()[1]}", QUICK).card_id()
        thread.join()
    assert begun.is_set()
    assert control.requests == []


def test_without_websockets_the_status_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "websockets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "websockets", None)
    reader = ControlReader("ws://127.0.0.1:61232", QUICK)
    assert reader.wait()
    assert "websockets" in reader.status().message
    assert reader.cards() == []
    with pytest.raises(ControlFault, match="websockets") as caught:
        reader.open(reader.ref(NUMBER))
    assert "docs/control.md" in (caught.value.hint or "")
    reader.close()


def test_nothing_is_loaded_before_the_control_is_used() -> None:
    code = (
        "import sys, eport_tui.card.control\n"
        "eport_tui.card.control.ControlReader('ws://127.0.0.1:61232')\n"
        "sys.exit(bool({'websockets', 'cryptography'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_enterprise_of_the_registry_is_what_the_session_works_for(
    eport: SimpleNamespace,
) -> None:
    registered = Enterprise("3101940009", MANUFACTURER.uscc, "旧名称")
    trust = TrustStore.of(eport.trust, look_up=lambda *asked: [(registered, Role.OPERATOR)])
    with running(StandIn(card=StandInCard(NUMBER, eport.der, eport.sign))) as stand_in:
        reader = ControlReader(stand_in.address, QUICK)
        holder = CardSession.begin(inserted(reader), trust).holder
        assert holder.enterprise.customs_code == "3101940009"
        assert holder.enterprise.name == MANUFACTURER.name
        assert holder.role is Role.OPERATOR
        reader.close()
