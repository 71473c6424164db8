"""The tables as Peewee sees them.

The models belong to no database: a query names the one it runs on, so that
several stores can be open in one process.  Days and moments are ISO text, which
sorts by time, can be read in any SQLite shell and means the same in PostgreSQL.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from eport_tui.store.alone import peewee


class DayField(peewee.TextField):
    """A calendar date, stored as `YYYY-MM-DD`."""

    def db_value(self, value: date) -> str:
        return value.isoformat()

    def python_value(self, value: str) -> date:
        return date.fromisoformat(value)


class MomentField(peewee.TextField):
    """A moment with its offset, stored as `YYYY-MM-DDTHH:MM:SS+08:00`."""

    def db_value(self, value: datetime) -> str:
        return value.isoformat(timespec="seconds")

    def python_value(self, value: str) -> datetime:
        return datetime.fromisoformat(value)


class Enterprise(peewee.Model):
    """企业: a line of the registry."""

    customs_code = peewee.TextField(primary_key=True)
    uscc = peewee.TextField(index=True)
    name = peewee.TextField()

    class Meta:
        table_name = "enterprise"


class LegalPersonCard(peewee.Model):
    """法人卡: a card whose role is known from the registry and not from its certificate."""

    card_number = peewee.TextField(primary_key=True)
    customs_code = peewee.ForeignKeyField(
        Enterprise, column_name="customs_code", on_delete="CASCADE"
    )

    class Meta:
        table_name = "legal_person_card"


class EnterpriseGrant(peewee.Model):
    """企业间授权."""

    id = peewee.AutoField()
    principal = peewee.TextField()
    agent = peewee.TextField()
    subsystem = peewee.TextField()
    grant_type = peewee.TextField()
    granted_on = DayField()
    valid_until = DayField()
    revision = peewee.IntegerField(default=1)
    changed_at = MomentField()
    changed_by = peewee.TextField()

    class Meta:
        table_name = "enterprise_grant"


class OperatorGrant(peewee.Model):
    """企业内授权; an empty card number stands for all operators."""

    id = peewee.AutoField()
    enterprise_grant = peewee.ForeignKeyField(EnterpriseGrant, on_delete="CASCADE")
    card_number = peewee.TextField()
    granted_on = DayField()
    changed_at = MomentField()
    changed_by = peewee.TextField()

    class Meta:
        table_name = "operator_grant"


class Draft(peewee.Model):
    """What a card's holder had typed and not saved, a row for each screen of a session."""

    card_number = peewee.TextField()
    screen = peewee.TextField()
    session = peewee.TextField()
    content = peewee.TextField()
    saved_at = MomentField()

    class Meta:
        table_name = "draft"
        primary_key = peewee.CompositeKey("card_number", "screen", "session")


class Migration(peewee.Model):
    """The migrations that this database has been through."""

    number = peewee.IntegerField(primary_key=True)
    name = peewee.TextField()
    applied_at = MomentField()

    class Meta:
        table_name = "migration"


ALL: list[type[Any]] = [
    Enterprise,
    LegalPersonCard,
    EnterpriseGrant,
    OperatorGrant,
    Draft,
    Migration,
]
