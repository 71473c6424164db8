"""Software cards come, go and are replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eport_tui.card.errors import CardDamaged, CardError, CardGone
from eport_tui.card.software import SoftwareReader
from tests.card.making import make_card


def test_the_cards_of_the_folder_are_listed_by_number(authority, cards, reader):
    for number in ("8900000000022", "8900000000011"):
        make_card(authority, cards, number=number)
    (cards / "notes.txt").write_text("x")
    (cards / ".8900000000033.card").write_text("x")
    (cards / "folder.card").mkdir()
    (cards / "8900000000044.card").symlink_to(cards / "8900000000011.card")
    assert [ref.label for ref in reader.cards()] == ["8900000000011", "8900000000022"]


def test_a_folder_that_is_not_there_is_an_empty_reader(tmp_path):
    reader = SoftwareReader(tmp_path / "none")
    assert reader.cards() == []
    assert not reader.status().ok
    assert reader.status().message == "软件卡文件夹不存在"


def test_a_folder_of_cards_is_ready(card_file, reader):
    assert reader.status().ok


def test_a_removed_file_is_a_pulled_card(card_file, reader, open_card):
    card = open_card()
    assert card.is_present()
    card_file.unlink()
    assert not card.is_present()
    assert reader.cards() == []
    with pytest.raises(CardGone):
        card.tries_left()
    with pytest.raises(CardGone):
        card.verify_pin(bytearray(b"88888888"))
    with pytest.raises(CardGone):
        open_card()


def test_a_file_replaced_by_another_card_is_a_pulled_card(authority, card_file, open_card):
    card = open_card()
    other = make_card(authority, card_file.parent / "other", number="8900000000022")
    os.replace(other, card_file)
    assert not card.is_present()
    with pytest.raises(CardGone):
        card.verify_pin(bytearray(b"88888888"))


def test_a_card_that_was_away_between_two_looks_is_noticed(card_file, open_card):
    card = open_card()
    away = card_file.with_suffix(".away")
    # Coarse file-system clocks could hide one rename, never many.
    while card.is_present():
        card_file.rename(away)
        away.rename(card_file)
    assert open_card().is_present()


def test_an_unlocked_card_does_not_sign_once_pulled(card_file, open_card):
    card = open_card()
    card.verify_pin(bytearray(b"88888888"))
    assert card.sign(b"data")
    card_file.unlink()
    with pytest.raises(CardGone):
        card.sign(b"data")


def test_an_ejected_card_is_gone_until_it_is_inserted_and_opened_again(reader, open_card):
    card = open_card()
    reader.eject(card.ref)
    reader.eject(card.ref)
    assert not card.is_present()
    assert reader.cards() == []
    assert reader.ejected() == [card.ref]
    with pytest.raises(CardGone):
        reader.open(card.ref)

    reader.insert(card.ref)
    assert reader.cards() == [card.ref]
    assert reader.ejected() == []
    assert not card.is_present()
    assert reader.open(card.ref).is_present()


def test_ejecting_in_one_program_leaves_the_card_to_another(cards, reader, open_card):
    reader.eject(open_card().ref)
    assert SoftwareReader(cards).cards()


def test_listing_opens_no_file(card_file, reader, monkeypatch):
    def no_open(*arguments, **options):
        raise AssertionError("opened")

    monkeypatch.setattr(os, "open", no_open)
    monkeypatch.setattr("builtins.open", no_open)
    assert len(reader.cards()) == 1


@pytest.mark.parametrize("content", [b"", b"EPT", b"-----BEGIN CERTIFICATE-----", bytes(70_000)])
def test_a_file_that_is_no_card_is_told(content, cards: Path, reader):
    cards.mkdir()
    path = cards / "8900000000011.card"
    path.write_bytes(content)
    with pytest.raises(CardDamaged, match=r"卡文件不完整|不是软件卡文件"):
        reader.open(reader.ref(path))


def test_a_pipe_in_place_of_a_card_does_not_hang(cards: Path, reader):
    cards.mkdir()
    path = cards / "8900000000011.card"
    os.mkfifo(path)
    with pytest.raises(CardDamaged):
        reader.open(reader.ref(path))


def test_a_card_without_read_permission_is_told(card_file, open_card, monkeypatch):
    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CardError, match="没有权限"):
        open_card()
