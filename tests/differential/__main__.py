"""Compare as many requests as one likes: `python -m tests.differential --requests 1000000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from eport_tui.store.database import Store
from tests.differential.comparing import compare


def main() -> int:
    """Print the figures and the disagreements; 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "eport.db") as store,
    ):
        compared = compare(store, Random(args.seed), requests=args.requests)
    print(
        f"{compared.requests} requests ({compared.allowed} allowed) and {compared.lists} lists,"
        f" {len(compared.disagreements)} disagreements, {time.perf_counter() - begun:.0f} s"
    )
    print("\n".join(compared.disagreements), end="")
    return 1 if compared.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
