"""What all tests have in common."""

from __future__ import annotations

import gc

# Each test leaves screens and databases behind; to look for them less often takes a seventh
# off the time of all tests.
gc.set_threshold(100_000, 20, 50)
