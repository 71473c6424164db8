"""The demo of the tests of screens."""

from tests.ui.conftest import demo_made, no_defect, settings, today

__all__ = ["demo_made", "no_defect", "settings", "today"]
