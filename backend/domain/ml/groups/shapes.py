"""The few forms that features have: whatever the price and its unit, they lie in the same bounds."""

import math
from typing import Final

from backend.domain.compiled import compiled, inlined
from backend.domain.ml.groups.declared import LEAD, Columns, Series

FLAT: Final = 1e-8  # a volatility below this is none
NOTHING: Final = 1e-30  # a sum below this is none
FAR: Final = 10.0  # in volatilities


@inlined
def held(value: float, most: float) -> float:
    return most if value > most else (-most if value < -most else value)


@inlined
def share(part: float, whole: float) -> float:
    """A part of a whole that may be nothing: then 0."""
    return held(part / (whole if whole > NOTHING else NOTHING), 1.0)


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
def fill_move(later: Series, earlier: Series, volatility: Series, bars: int, column: Columns) -> None:
    """A change in volatilities over so many bars."""
    unit = math.sqrt(bars)
    for row in range(len(column)):
        one = volatility[row] if volatility[row] > FLAT else FLAT
        column[row] = held((later[row] - earlier[row]) / (one * unit), FAR)


@compiled
def fill_balance(one: Series, other: Series, weight: float, column: Columns) -> None:
    """Which of two is more, from -1 to 1: (a - b) / (a + b), where b is `weight` times the other."""
    for row in range(len(column)):
        against = weight * other[row]
        column[row] = share(one[row] - against, one[row] + against)


@compiled
def fill_share(part: Series, whole: Series, weight: float, column: Columns) -> None:
    """How much of a whole, times `weight`, from -1 to 1."""
    for row in range(len(column)):
        column[row] = share(part[row], weight * whole[row])
