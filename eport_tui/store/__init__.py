"""The database: the only package that knows Peewee, SQLite and PostgreSQL."""

import sys


def _import_peewee_alone() -> None:
    """Import Peewee without psycopg.

    Peewee imports every driver that is installed, and psycopg takes longer than all
    the rest of a start; `store.postgres` imports it where it is used.
    """
    if "peewee" in sys.modules or "psycopg" in sys.modules:
        return
    sys.modules["psycopg"] = None  # type: ignore[assignment]
    try:
        import peewee as peewee
    finally:
        del sys.modules["psycopg"]


_import_peewee_alone()
