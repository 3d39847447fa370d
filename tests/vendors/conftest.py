"""No test here may leave this machine, whatever a library thinks where its vendor lives."""

import pytest

from tests.vendors.guard import nothing_leaves

__all__ = ["nothing_leaves"]


@pytest.fixture(autouse=True)
def _guarded(nothing_leaves: None) -> None:
    """For every test."""
