"""How fast this machine computes, measured once by a small piece of work."""

import time
from functools import cache
from typing import Final

# What the work takes on the machine that first estimates were measured on.
_USUAL_SECONDS: Final = 0.834e-3
_TRIES: Final = 9


@cache
def machine_pace() -> float:
    """How many times as long as there everything takes here; the best of some tries, since others compute too."""
    return min(_tried() for _ in range(_TRIES)) / _USUAL_SECONDS


def _tried() -> float:
    began = time.perf_counter()
    total = 0
    for number in range(20_000):
        total += number * number % 7
    return time.perf_counter() - began
