"""The demo of the tests of screens."""

from tests.ui.conftest import demo_made, no_defect, settings, styles_read_once, today

__all__ = ["demo_made", "no_defect", "settings", "styles_read_once", "today"]
