"""What the login screen loads before it is painted does not wait for cryptography."""

from __future__ import annotations

import subprocess
import sys


def test_the_guard_and_the_reader_load_without_cryptography():
    code = (
        "import sys\n"
        "import eport_tui.card.errors, eport_tui.card.protocol, eport_tui.card.software\n"
        "import eport_tui.card.session, eport_tui.card.trust, eport_tui.commands.card\n"
        "sys.exit('cryptography' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
