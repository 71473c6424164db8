"""The program on a terminal beside a virtual reader: a real pcscd, and PIV cards to put in."""

from __future__ import annotations

import sys
from pathlib import Path

from eport_tui.card.authority import TestAuthority
from eport_tui.domain.holders import Role
from eport_tui.services import registry
from eport_tui.store.database import Store
from tests.card.making import make_authority
from tests.card.pcscd import Pcscd
from tests.card.piv_applet import PivApplet
from tests.card.piv_making import make_piv
from tests.card.vpcd import VirtualReader
from tests.pty.desk import ROOT, Desk

OWN, OTHERS = "8900000000011", "8900000000022"
AGENT = "3101980002"
_ENTERPRISES = """\
海关编码,社会信用代码,企业名称
3101940001,91310000PDY00001XG,上海甲制造有限公司
3101980002,91310000PDY000028G,上海乙报关有限公司
"""


class Workplace:
    """Everything that the program needs, in a folder, and a reader.

    Attributes:
        service: The daemon.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority: TestAuthority = make_authority(folder)
        self._reader = VirtualReader()
        self.service = Pcscd()
        file = folder / "enterprises.csv"
        file.write_text(_ENTERPRISES, encoding="utf-8")
        with Store.open(folder / "eport.db") as store:
            registry.import_file(store, file)

    def card(self, number: str = OWN, role: Role = Role.LEGAL_PERSON) -> PivApplet:
        """A card of the manufacturer, PIN 123456."""
        return make_piv(self._authority, number=number, role=role)

    def program(self, **environment: str) -> Desk:
        """Start the program."""
        names = {"database": "eport.db", "cards": "cards", "trust": "trust"}
        settings = {
            f"EPORT_TUI_{name.upper()}": str(self._folder / file) for name, file in names.items()
        }
        return Desk(
            [sys.executable, "-m", "eport_tui"],
            env={"HOME": str(self._folder), **settings, **environment},
            cwd=ROOT,
        )

    def insert(self, applet: PivApplet) -> None:
        """Put a card in the reader."""
        self._reader.insert(applet)

    def pull(self) -> None:
        """Take the card out."""
        self._reader.pull()

    def mute(self) -> None:
        """The card takes commands and answers none of them."""
        self._reader.mute()

    def leave(self) -> None:
        """Stop the daemon."""
        self._reader.pull()
        self.service.stop()
