"""An authority for each module of tests, and a folder of cards for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eport_tui.card.authority import TestAuthority
from eport_tui.card.software import SoftwareCard, SoftwareReader
from eport_tui.card.trust import TrustStore
from tests.card.making import make_authority, make_card, make_trust


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """An authority; tests that revoke or alter it make their own."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trust(authority: TestAuthority) -> TrustStore:
    """The store that trusts `authority`, with its present revocation list."""
    return make_trust(authority)


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """The folder of the software cards."""
    return tmp_path / "cards"


@pytest.fixture
def card_file(authority: TestAuthority, cards: Path) -> Path:
    """A legal-person card with the PIN 88888888."""
    return make_card(authority, cards)


@pytest.fixture
def reader(cards: Path) -> SoftwareReader:
    """The reader over `cards`."""
    return SoftwareReader(cards)


@pytest.fixture
def open_card(reader: SoftwareReader, card_file: Path) -> Callable[[], SoftwareCard]:
    """Opens `card_file`, each time as another process would."""
    return lambda: reader.open(reader.ref(card_file))
