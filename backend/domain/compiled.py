"""Loops that numba compiles once and keeps beside their source, so that later processes only load them."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(loop: Callable[P, R]) -> Callable[P, R]:
    """Numbers and arrays only. It holds no lock of the interpreter while it runs."""
    made: Callable[P, R] = numba.njit(cache=True, nogil=True)(loop)
    return made
