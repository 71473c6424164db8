"""The figures of `eport-tui info`."""

from __future__ import annotations

from eport_tui.services.overview import Counts, counts
from eport_tui.store import migrations
from eport_tui.store.database import Store
from tests.services.world import grant, hand_on


def test_what_there_is_is_counted(store: Store) -> None:
    standing = grant(store)
    grant(store, subsystem="B1")
    hand_on(store, standing, "8900000000051", "8900000000062", "8900000000073")
    assert counts(store) == Counts(3, 4, 2, 3, migrations.latest())
