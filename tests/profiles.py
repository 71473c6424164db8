"""How Hypothesis runs: the same examples every time where `CI` is set, new ones elsewhere."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: on a shared machine a single example may take any time.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
