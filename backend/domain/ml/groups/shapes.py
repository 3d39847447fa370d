"""The few forms that features have: whatever the price and its unit, they lie in the same bounds.

What is divided has been subtracted already, so single precision is enough for it, and divides four times as fast.
"""

import math
from typing import Final

import numpy as np

from backend.domain.compiled import compiled, inlined
from backend.domain.ml.groups.declared import LEAD, Columns, Series

FLAT: Final = 1e-8  # a volatility below this is none
NOTHING: Final = 1e-30  # a sum below this is none
FAR: Final = 10.0  # in volatilities

_ONE: Final = np.float32(1)


@inlined
def held(value: float, most: float) -> float:
    return most if value > most else (-most if value < -most else value)


@inlined
def share(part: float, whole: float) -> float:
    """A part of a whole, from -1 to 1; 0 of a whole that is nothing."""
    return held(np.float32(part) / np.float32(whole if whole > NOTHING else NOTHING), _ONE)  # type: ignore[arg-type]


@inlined
def now(series: Series) -> Series:
    """The rows of the block."""
    return series[LEAD:]


@inlined
def ago(series: Series, bars: int) -> Series:
    """What it was so many bars before each row of the block."""
    return series[LEAD - bars : len(series) - bars]


@compiled
def fill_change(later: Series, earlier: Series, most: float, column: Columns) -> None:
    for row in range(len(column)):
        column[row] = held(later[row] - earlier[row], most)


@compiled
def fill_move(later: Series, earlier: Series, steadiness: Series, bars: int, column: Columns) -> None:
    """A change in volatilities over so many bars."""
    unit = 1 / math.sqrt(bars)
    for row in range(len(column)):
        column[row] = held((later[row] - earlier[row]) * (steadiness[row] * unit), FAR)


@compiled
def fill_share(part: Series, whole: Series, column: Columns) -> None:
    """How much of a whole, from -1 to 1."""
    for row in range(len(column)):
        column[row] = share(part[row], whole[row])


@compiled
def fill_balance(one: Series, other: Series, weight: float, column: Columns) -> None:
    """Which of two is more, from -1 to 1: (a - b) / (a + b), where b is `weight` times the other."""
    for row in range(len(column)):
        against = weight * other[row]
        column[row] = share(one[row] - against, one[row] + against)


@compiled
def fill_mean(sums: Series, bars: int, column: Columns) -> None:
    one = 1 / bars
    for row in range(len(column)):
        column[row] = sums[row] * one
