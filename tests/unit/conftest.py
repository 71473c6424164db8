"""Tests of the rules: no files, no database."""

from __future__ import annotations

from tests import profiles as profiles
