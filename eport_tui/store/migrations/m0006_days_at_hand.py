"""The days of each grant in the indexes of the lists that leave out what is not in force.

What is left out is then passed over in the index, without a look at the grant itself.
"""

from __future__ import annotations

from eport_tui.store.migrations import Schema

NUMBER = 6
NAME = "days_at_hand"

_WITH_DAYS = {
    f"{own}{order}": f"{own}, {columns.format(other)}"
    for own, other in (("principal", "agent"), ("agent", "principal"))
    for order, columns in {
        "": "{}, subsystem, grant_type, valid_until, granted_on",
        "_subsystem": "subsystem, {}, grant_type, valid_until, granted_on",
        "_due": "valid_until, {}, subsystem, grant_type, granted_on",
    }.items()
}

# The lists of a principal went along the index of the key, which stays.
_THERE = _WITH_DAYS.keys() - {"principal"}


def apply(schema: Schema) -> None:
    """Make them anew."""
    for name in sorted(_THERE):
        schema.execute_sql(f"DROP INDEX enterprise_grant_{name}")
    for name, columns in _WITH_DAYS.items():
        schema.execute_sql(f"CREATE INDEX enterprise_grant_{name} ON enterprise_grant ({columns})")
