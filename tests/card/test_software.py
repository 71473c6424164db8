"""The software card's file and its PIN."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import random
import resource
import signal
import stat
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from eport_tui.card import files, software
from eport_tui.card.errors import (
    BadPin,
    CardDamaged,
    CardError,
    CardGone,
    Locked,
    PinBlocked,
    WrongPin,
)
from eport_tui.card.signatures import is_signed_by
from eport_tui.card.software import DEFAULT_COST, Cost, seal, write_card
from tests.card import forging
from tests.card.forging import private_der
from tests.card.making import CHEAP, make_card

FORK = multiprocessing.get_context("fork")


def right() -> bytearray:
    return bytearray(b"88888888")


def wrong() -> bytearray:
    return bytearray(b"12345678")


def counter(card_file):
    return card_file.with_suffix(".tries")


def in_child(deed) -> int:
    """Run `deed` in a process of its own; returns the signal that ended it, or 0."""
    process = FORK.Process(target=deed)
    process.start()
    process.join()
    return -process.exitcode if process.exitcode < 0 else 0


# Files


def test_only_the_owner_can_read_card_counter_and_folder(card_file):
    assert stat.S_IMODE(card_file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(card_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(counter(card_file).stat().st_mode) == 0o600


def test_the_private_key_is_not_in_the_file(authority, cards):
    key = ec.generate_private_key(ec.SECP256R1())
    cards.mkdir()
    path = cards / "8900000000011.card"
    write_card(path, forging.certificate(authority, key=key), private_der(key), right(), CHEAP)
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    assert secret in private_der(key)
    assert secret not in path.read_bytes()


def test_a_card_file_cut_short_anywhere_is_told(card_file, open_card):
    whole = card_file.read_bytes()
    for length in range(len(whole)):
        card_file.write_bytes(whole[:length])
        with pytest.raises(CardDamaged, match="卡文件不完整") as caught:
            open_card()
        assert caught.value.hint
    assert open_with(whole, card_file, open_card)


def open_with(data, card_file, open_card):
    card_file.write_bytes(data)
    return open_card()


def test_a_changed_byte_is_damage_and_not_a_wrong_pin(card_file, open_card):
    whole = card_file.read_bytes()
    rng = random.Random(1)
    for place in [*range(7, 50), *rng.sample(range(50, len(whole)), 60)]:
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        with pytest.raises(CardDamaged):
            open_with(changed, card_file, open_card)


def test_bytes_after_the_end_are_damage(card_file, open_card):
    with pytest.raises(CardDamaged):
        open_with(card_file.read_bytes() + b"\0", card_file, open_card)


@pytest.mark.parametrize(
    "cost", [Cost(1 << 30, 1, 1), Cost(64, 4_000_000_000, 1), Cost(64, 0, 1), Cost(8, 1, 2)]
)
def test_a_file_cannot_choose_a_ruinous_cost(cost, card_file, open_card):
    data = bytearray(card_file.read_bytes())
    data[8:17] = software._HEADER.pack(
        b"", 0, cost.memory_kib, cost.iterations, cost.lanes, b"", b"", 0, 0
    )[8:17]
    data[-32:] = hashlib.sha256(data[:-32]).digest()
    with pytest.raises(CardDamaged, match="超出范围"):
        open_with(data, card_file, open_card)


def test_a_format_of_the_future_is_told_apart(card_file, open_card):
    data = bytearray(card_file.read_bytes())
    data[7] = 2
    with pytest.raises(CardDamaged, match="版本"):
        open_with(data, card_file, open_card)


def test_the_default_cost_is_within_the_bounds_and_worth_the_name():
    assert DEFAULT_COST.memory_kib >= 64 * 1024
    assert DEFAULT_COST.iterations >= 3
    key = ec.generate_private_key(ec.SECP256R1())
    assert software._Content.parse(seal(b"certificate", private_der(key), right(), CHEAP))


def test_a_card_is_never_overwritten_by_issuing(authority, cards, card_file):
    before = card_file.read_bytes(), counter(card_file).read_bytes()
    with pytest.raises(CardError, match="已经存在"):
        make_card(authority, cards)
    assert (card_file.read_bytes(), counter(card_file).read_bytes()) == before


# Signing


@pytest.mark.parametrize(
    "make_key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "RSA-2048"],
)
def test_a_card_signs_with_the_key_of_its_certificate(make_key, authority, cards, reader):
    key = make_key()
    cards.mkdir()
    path = cards / "8900000000011.card"
    der = forging.certificate(authority, key=key)
    write_card(path, der, private_der(key), right(), CHEAP)
    card = reader.open(reader.ref(path))
    card.verify_pin(right())
    signature = card.sign(b"data")
    assert is_signed_by(der, signature, b"data")
    assert not is_signed_by(der, signature, b"other data")


def test_a_key_that_cannot_sign_is_damage(authority, cards, reader):
    cards.mkdir()
    path = cards / "8900000000011.card"
    key = ed25519.Ed25519PrivateKey.generate()
    write_card(path, forging.certificate(authority), private_der(key), right(), CHEAP)
    with pytest.raises(CardDamaged, match="私钥"):
        reader.open(reader.ref(path)).verify_pin(right())


def test_a_card_signs_only_between_its_pin_and_its_closing(open_card):
    card = open_card()
    with pytest.raises(Locked):
        card.sign(b"data")
    card.verify_pin(right())
    assert card.sign(b"data")
    card.close()
    card.close()
    with pytest.raises(Locked):
        card.sign(b"data")
    card.verify_pin(right())
    assert card.sign(b"data")


# Tries


def test_a_wrong_pin_says_how_many_tries_are_left_and_the_fifth_locks(open_card):
    for left in (4, 3, 2, 1):
        with pytest.raises(WrongPin, match=f"^密码错误，还可再试{left}次") as caught:
            open_card().verify_pin(wrong())
        assert caught.value.left == left
        assert open_card().tries_left() == left
    with pytest.raises(PinBlocked, match="已锁定"):
        open_card().verify_pin(wrong())
    assert open_card().tries_left() == 0
    with pytest.raises(PinBlocked) as caught:
        open_card().verify_pin(right())
    assert caught.value.hint


def test_the_right_pin_gives_all_tries_back(open_card):
    card = open_card()
    for _ in range(4):
        with pytest.raises(WrongPin):
            card.verify_pin(wrong())
    card.verify_pin(right())
    assert card.tries_left() == 5


@pytest.mark.parametrize(
    "pin",
    [b"", b"8888888", b"888888888", b"8888 888", b"8888888\n", b"8888888\x7f", "八八".encode()],
)
def test_what_cannot_be_a_pin_spends_no_try(pin, open_card, monkeypatch):
    card = open_card()
    monkeypatch.setattr(software, "_write_tries", lambda *_: pytest.fail("a try was spent"))
    with pytest.raises(BadPin):
        card.verify_pin(bytearray(pin))
    with pytest.raises(BadPin):
        card.change_pin(bytearray(pin), right())
    with pytest.raises(BadPin):
        card.change_pin(right(), bytearray(pin))
    assert card.tries_left() == 5


@pytest.mark.parametrize(
    "content", [None, b"", b"5", b"6 ", b"5 0000\n", b"\xff\xfe", b"5 " + b"0" * 64 + b"\n"]
)
def test_a_counter_that_is_missing_or_garbled_locks(content, card_file, open_card):
    if content is None:
        counter(card_file).unlink()
    else:
        counter(card_file).write_bytes(content)
    card = open_card()
    assert card.tries_left() == 0
    with pytest.raises(PinBlocked, match="密码计数"):
        card.verify_pin(right())
    with pytest.raises(PinBlocked):
        card.change_pin(right(), wrong())
    assert card.tries_left() == 0


def test_the_counter_of_another_card_does_not_serve(authority, cards, card_file, open_card):
    other = make_card(authority, cards, number="8900000000022")
    counter(card_file).write_bytes(counter(other).read_bytes())
    assert open_card().tries_left() == 0


def test_many_processes_at_once_get_five_tests_together(
    card_file, open_card, tmp_path, monkeypatch
):
    log = tmp_path / "tests"
    test = software._Content.open

    def logged(self, cipher):
        with log.open("ab") as file:
            file.write(b".")
        return test(self, cipher)

    monkeypatch.setattr(software._Content, "open", logged)
    barrier = FORK.Barrier(8)

    def guess():
        card = open_card()
        barrier.wait()
        with pytest.raises((WrongPin, PinBlocked)):
            card.verify_pin(wrong())

    processes = [FORK.Process(target=guess) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert log.read_bytes() == b"....."
    assert open_card().tries_left() == 0


def test_a_process_killed_before_its_test_has_spent_its_try(open_card, monkeypatch):
    monkeypatch.setattr(
        software._Content, "open", lambda self, cipher: os.kill(os.getpid(), signal.SIGKILL)
    )
    for left in (4, 3, 2, 1, 0):
        assert in_child(lambda: open_card().verify_pin(wrong())) == signal.SIGKILL
        assert open_card().tries_left() == left
    monkeypatch.undo()
    with pytest.raises(PinBlocked):
        open_card().verify_pin(right())


def no_test(self, cipher):
    raise AssertionError("tested a PIN without having spent a try")


def test_a_full_disk_tests_no_pin(card_file, open_card, monkeypatch):
    card = open_card()
    monkeypatch.setattr(software._Content, "open", no_test)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(CardError, match="磁盘空间不足") as caught:
            card.verify_pin(right())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint
    assert open_card().tries_left() == 5
    assert sorted(path.name for path in card_file.parent.iterdir()) == [
        "8900000000011.card",
        "8900000000011.tries",
    ]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "磁盘已满"), (errno.EROFS, "只读"), (errno.EACCES, "没有权限")],
)
@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_try_that_cannot_be_recorded_is_not_made(number, sentence, call, open_card, monkeypatch):
    card = open_card()

    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(software._Content, "open", no_test)
    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(CardError, match=sentence):
        card.verify_pin(right())
    monkeypatch.undo()
    with pytest.raises(Locked):
        card.sign(b"data")


def once_spent(monkeypatch, deed):
    """Does something when the try is spent, before the PIN is tested."""
    test = software._Content.open

    def then(self, cipher):
        deed()
        return test(self, cipher)

    monkeypatch.setattr(software._Content, "open", then)


def test_a_right_pin_gives_the_tries_back_where_the_disk_has_filled_up_meanwhile(
    open_card, monkeypatch
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # There is no room for a new file, as in write_whole.
    once_spent(monkeypatch, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard)))
    for _ in range(6):
        card = open_card()
        try:
            card.verify_pin(right())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert card.sign(b"data")
        assert card.tries_left() == 5


def test_a_right_pin_unlocks_where_the_tries_cannot_be_given_back(open_card, monkeypatch, caplog):
    card = open_card()

    def fail(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as broken:
        once_spent(broken, lambda: broken.setattr(software.os, "pwrite", fail))
        card.verify_pin(right())
    assert card.sign(b"data")
    assert card.tries_left() == 4
    assert "could not be given back" in caplog.text
    card.verify_pin(right())
    assert card.tries_left() == 5


def test_a_card_that_another_program_holds_is_told_after_a_while(card_file, open_card, monkeypatch):
    monkeypatch.setattr(software, "locked", lambda path: files.locked(path, wait=0.0))
    card = open_card()
    with files.locked(card_file), pytest.raises(CardError, match="另一个程序"):
        card.verify_pin(right())
    assert card.tries_left() == 5


@pytest.fixture
def deriving(monkeypatch):
    """Does something in place of deriving a key from the PIN."""

    def replace(deed):
        class Argon2id:
            def __init__(self, **options):
                pass

            def derive_into(self, secret, target):
                deed()

        monkeypatch.setattr("cryptography.hazmat.primitives.kdf.argon2.Argon2id", Argon2id)

    return replace


def test_too_little_memory_is_told_and_costs_no_try(open_card, deriving, monkeypatch):
    def fail():
        raise MemoryError

    deriving(fail)
    for _ in range(6):
        with pytest.raises(CardError, match="内存不足"):
            open_card().verify_pin(right())
        with pytest.raises(CardError, match="内存不足"):
            open_card().change_pin(right(), wrong())
    assert open_card().tries_left() == 5
    monkeypatch.undo()
    open_card().verify_pin(right())


def test_a_process_killed_before_the_key_was_derived_has_tested_nothing(
    open_card, deriving, monkeypatch
):
    monkeypatch.setattr(software._Content, "open", no_test)
    deriving(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert in_child(lambda: open_card().verify_pin(right())) == signal.SIGKILL
    assert open_card().tries_left() == 5


# Changing the PIN


def test_the_new_pin_opens_the_card_and_the_old_one_no_longer(open_card):
    card = open_card()
    card.change_pin(right(), wrong())
    assert card.is_present()
    card.verify_pin(wrong())
    with pytest.raises(WrongPin):
        open_card().verify_pin(right())


def test_changing_the_pin_counts_a_wrong_old_one(card_file, open_card):
    before = card_file.read_bytes()
    card = open_card()
    for left in (4, 3, 2, 1):
        with pytest.raises(WrongPin) as caught:
            card.change_pin(bytearray(b"99999999"), wrong())
        assert caught.value.left == left
    with pytest.raises(PinBlocked):
        card.change_pin(bytearray(b"99999999"), wrong())
    assert card_file.read_bytes() == before


@pytest.fixture
def at_each_call(monkeypatch):
    """Does something before and after each call that reaches the disk."""

    def watch(deed):
        for module, name in [
            (os, "open"),
            (os, "fsync"),
            (os, "replace"),
            (files, "_sync_folder"),
        ]:
            real = getattr(module, name)

            def call(*arguments, real=real, **options):
                deed()
                try:
                    return real(*arguments, **options)
                finally:
                    deed()

            monkeypatch.setattr(module, name, call)

    return watch


def test_a_card_whose_own_pin_is_being_changed_is_there_all_the_time(open_card, at_each_call):
    card, seen = open_card(), []
    at_each_call(lambda: seen.append(card.is_present()))
    card.change_pin(right(), wrong())
    assert len(seen) > 10
    assert all(seen)


def test_another_file_in_the_place_of_the_one_just_written_is_a_pull(
    card_file, open_card, monkeypatch
):
    card, sync, before = open_card(), files._sync_folder, card_file.read_bytes()

    def others_come(folder):
        sync(folder)
        if card_file.read_bytes() != before:
            copy = card_file.with_suffix(".copy")
            copy.write_bytes(card_file.read_bytes())
            copy.rename(card_file)
            assert not card.is_present()

    monkeypatch.setattr(files, "_sync_folder", others_come)
    card.change_pin(right(), wrong())
    assert not card.is_present()


def test_changing_the_pin_elsewhere_takes_this_card_out(open_card):
    card = open_card()
    card.verify_pin(right())
    open_card().change_pin(right(), wrong())
    assert not card.is_present()
    with pytest.raises(CardGone):
        card.sign(b"data")


def test_a_pin_changed_elsewhere_while_waiting_is_noticed_before_a_try(open_card, monkeypatch):
    card = open_card()

    def locked_after_a_change(path):
        monkeypatch.undo()
        open_card().change_pin(right(), wrong())
        return files.locked(path)

    monkeypatch.setattr(software, "locked", locked_after_a_change)
    with pytest.raises(CardGone):
        card.change_pin(right(), bytearray(b"99999999"))
    assert open_card().tries_left() == 5
    open_card().verify_pin(wrong())


def test_a_crash_while_changing_the_pin_leaves_the_old_one_or_the_new(card_file, open_card):
    # Each call that reaches the disk is a moment to die, before it and after it.
    seen = set()
    for moment in range(100):
        if in_child(lambda moment=moment: change_pin_and_die(open_card, moment)) == 0:
            break
        card = open_card()
        assert card.tries_left() >= 4
        try:
            card.verify_pin(wrong())
            seen.add("new")
            card.change_pin(wrong(), right())
        except WrongPin:
            seen.add("old")
            card.verify_pin(right())
        assert open_card().tries_left() == 5
    assert moment > 10
    assert seen == {"old", "new"}
    open_card().verify_pin(wrong())
    assert len(list(card_file.parent.iterdir())) == 2


def change_pin_and_die(open_card, moment: int) -> None:
    calls = 0

    def dying(call):
        def wrapped(*arguments, **options):
            nonlocal calls
            for deed in (None, lambda: call(*arguments, **options)):
                result = deed and deed()
                if calls == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                calls += 1
            return result

        return wrapped

    card = open_card()
    for name in ("fsync", "replace"):
        setattr(os, name, dying(getattr(os, name)))
    card.change_pin(right(), wrong())


# Secrets


def test_nothing_of_the_pin_shows_in_texts_and_tracebacks(open_card):
    card = open_card()
    secret = bytearray(b"S3cr3t#!")
    with pytest.raises(WrongPin) as caught:
        card.verify_pin(secret)
    trace = traceback.TracebackException.from_exception(caught.value)
    shown = "".join(trace.format()) + repr(caught.value) + repr(vars(caught.value)) + repr(card)
    assert "S3cr3t" not in shown
    with pytest.raises(BadPin) as caught_bad:
        card.verify_pin(bytearray(b"S3cr3t"))
    assert "S3cr3t" not in str(caught_bad.value) + repr(vars(caught_bad.value))
    assert "S3cr3t" not in repr(vars(card))


def test_the_pin_stays_the_callers(open_card):
    pin = right()
    card = open_card()
    card.verify_pin(pin)
    card.change_pin(pin, wrong())
    assert pin == right()
