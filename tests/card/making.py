"""Authorities, cards and sessions for tests, made in milliseconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from eport_tui.card.authority import TestAuthority
from eport_tui.card.session import CardSession
from eport_tui.card.software import Cost, SoftwareReader
from eport_tui.card.trust import TrustStore
from eport_tui.domain.dates import now
from eport_tui.domain.holders import Enterprise, Holder, Role

TestAuthority.__test__ = False  # its name would make pytest collect it

CHEAP = Cost(memory_kib=64, iterations=1, lanes=1)

MANUFACTURER = Enterprise("3101940001", "91310000PDY00001XG", "上海甲制造有限公司")
BROKER = Enterprise("3101980002", "91310000PDY000028G", "上海乙报关有限公司")


def make_authority(tmp_path: Path, name: str = "测试发证机构") -> TestAuthority:
    """An authority in `tmp_path/authority`, published to `tmp_path/trust`."""
    authority = TestAuthority.create(tmp_path / "authority", name=name)
    authority.publish(tmp_path / "trust")
    return authority


def make_trust(authority: TestAuthority, *, require_hardware: bool = False) -> TrustStore:
    """The store that `make_authority` published to; publishes the present revocation list."""
    folder = authority.folder.parent / "trust"
    authority.publish(folder)
    return TrustStore.of(folder, require_hardware=require_hardware)


def make_holder(
    *,
    number: str = "8900000000011",
    role: Role = Role.LEGAL_PERSON,
    person: str = "张三",
    customs_code: str = MANUFACTURER.customs_code,
    uscc: str = MANUFACTURER.uscc,
    enterprise: str = MANUFACTURER.name,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Holder:
    """A holder; valid from yesterday for two years unless said."""
    today = now().replace(microsecond=0)
    return Holder(
        card_number=number,
        role=role,
        person=person,
        enterprise=Enterprise(customs_code, uscc, enterprise),
        valid_from=valid_from or today - timedelta(days=1),
        valid_until=valid_until or today + timedelta(days=729),
    )


def make_card(
    authority: TestAuthority,
    folder: Path,
    *,
    number: str = "8900000000011",
    role: Role = Role.LEGAL_PERSON,
    person: str = "张三",
    customs_code: str = MANUFACTURER.customs_code,
    uscc: str = MANUFACTURER.uscc,
    enterprise: str = MANUFACTURER.name,
    pin: str = "88888888",
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    software: bool = True,
) -> Path:
    """Issue a software card with a cheap key derivation; returns its file."""
    holder = make_holder(
        number=number,
        role=role,
        person=person,
        customs_code=customs_code,
        uscc=uscc,
        enterprise=enterprise,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    return authority.issue(
        holder, folder, pin=bytearray(pin.encode()), software=software, cost=CHEAP
    )


def locked_session(path: Path, trust: TrustStore) -> CardSession:
    """A session over the card in the file `path`, before its PIN."""
    reader = SoftwareReader(path.parent)
    return CardSession.begin(reader.open(reader.ref(path)), trust)


def software_session(path: Path, trust: TrustStore, pin: str = "88888888") -> CardSession:
    """An unlocked session over the card in the file `path`."""
    session = locked_session(path, trust)
    session.unlock(bytearray(pin.encode()))
    return session
