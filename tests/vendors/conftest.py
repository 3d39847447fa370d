"""No test here may leave this machine, whatever a library thinks where its vendor lives."""

from typing import Any

import pytest

from tests.vendors.guard import nothing_leaves

__all__ = ["nothing_leaves"]


@pytest.fixture(autouse=True)
def _guarded(nothing_leaves: list[Any]) -> None:
    """For every test."""
