"""The codes that stored grants have; asked at each start, and so without Peewee."""

from __future__ import annotations

from collections.abc import Iterator

from eport_tui.store.database import Store


def codes_used(store: Store) -> Iterator[tuple[str, str]]:
    """Each pair of subsystem and grant type that a grant has, once."""
    subsystem = grant_type = ""
    # Jumps along the index; two searches do so where a comparison of the pair would not.
    while found := store.rows(
        """
        SELECT subsystem, grant_type FROM enterprise_grant
        WHERE subsystem = ? AND grant_type > ?
        UNION ALL
        SELECT subsystem, grant_type FROM enterprise_grant
        WHERE subsystem > ?
        ORDER BY subsystem, grant_type LIMIT 1
        """,
        (subsystem, grant_type, subsystem),
    ):
        subsystem, grant_type = found[0]
        yield subsystem, grant_type
