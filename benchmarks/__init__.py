"""Measurements; each prints its figures as a table and as JSON.  None runs in the tests."""
