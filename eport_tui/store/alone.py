"""Peewee, imported without psycopg.

Peewee imports every driver that is installed, and psycopg takes longer than all
the rest of a start; `store.postgres` imports it where it is used.  So whoever needs
Peewee takes it from here.
"""

import sys


def _without_psycopg() -> None:
    if "peewee" in sys.modules or "psycopg" in sys.modules:
        return
    sys.modules["psycopg"] = None  # type: ignore[assignment]
    try:
        import peewee as peewee
    finally:
        del sys.modules["psycopg"]


_without_psycopg()

import peewee as peewee  # noqa: E402
