"""Start `benchmarks.long_list` as the program itself is started.

python -m benchmarks.listing DATABASE CUSTOMS_CODE
"""

import gc
import sys
from pathlib import Path

from eport_tui.commands.work import load_asyncio
from eport_tui.terminal.unused import load_textual

if __name__ == "__main__":
    gc.disable()
    load_asyncio()
    load_textual()
    from benchmarks.long_list import Listing

    Listing(Path(sys.argv[1]), sys.argv[2]).run()
