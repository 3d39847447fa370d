"""How much prices move: from closes alone, and from what happened inside of bars."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FLAT, fill_balance, held, now
from backend.domain.ml.groups.windows import W5, W20, W60, W240, WINDOWS, sum_up

VOLATILITY: Final = group_of(
    "volatility",
    volatility_5="Root of the mean squared return of the last 5 bars",
    volatility_20="Root of the mean squared return of the last 20 bars",
    volatility_60="Root of the mean squared return of the last 60 bars",
    volatility_240="Root of the mean squared return of the last 240 bars",
    parkinson_20="Volatility by Parkinson, from the highs and lows of 20 bars",
    garman_klass_60="Volatility by Garman and Klass, from all four prices of 60 bars",
    volatility_5_to_60="Variance of 5 bars against that of 60, from -1 to 1",
    volatility_20_to_240="Variance of 20 bars against that of 240, from -1 to 1",
    chop_20="Variance inside of 20 bars against that of their closes, from -1 to 1",
    skewness_60="Whether the largest returns of 60 bars were gains or losses",
    tails_60="Kurtosis of the returns of 60 bars: 3 in calm markets, more with outliers",
)

_PARKINSON: Final = 1 / (4 * math.log(2))
_GARMAN_KLASS: Final = 2 * math.log(2) - 1


@compiled
def fill_volatility(seen: Seen, columns: Columns) -> None:
    for window in range(len(WINDOWS)):
        columns[window, :] = now(seen.volatility[window])
    ranges, bodies = seen.free[0:2], seen.free[2:5]
    _sum_inside(seen, ranges, bodies)
    _fill_roots(now(ranges[W20]), 20 / _PARKINSON, columns[4])
    _fill_roots(now(bodies[W60]), 60.0, columns[5])
    squares = seen.squares
    fill_balance(now(squares[W5]), now(squares[W60]), 5 / 60, columns[6])
    fill_balance(now(squares[W20]), now(squares[W240]), 20 / 240, columns[7])
    fill_balance(now(ranges[W20]), now(squares[W20]), 1 / _PARKINSON, columns[8])
    cubes, fourths = seen.free[5:8], seen.free[8:11]
    _sum_powers(seen, cubes, fourths)
    _fill_moments(now(squares[W60]), now(cubes[W60]), now(fourths[W60]), columns[9], columns[10])


@compiled
def _sum_inside(seen: Seen, ranges, bodies) -> None:
    one, other = seen.free[11], seen.free[12]
    for row in range(len(one)):
        height = held(seen.high[row] - seen.low[row], LARGEST_CHANGE)
        body = held(seen.close[row] - seen.open[row], LARGEST_CHANGE)
        one[row] = height * height
        other[row] = 0.5 * height * height - _GARMAN_KLASS * body * body
    sum_up(one, ranges)
    sum_up(other, bodies)


@compiled
def _sum_powers(seen: Seen, cubes, fourths) -> None:
    one, other = seen.free[11], seen.free[12]
    for row in range(len(one)):
        square = seen.change[row] * seen.change[row]
        one[row] = square * seen.change[row]
        other[row] = square * square
    sum_up(one, cubes)
    sum_up(other, fourths)


@compiled
def _fill_roots(squares, count: float, column) -> None:
    for row in range(len(column)):
        column[row] = math.sqrt(squares[row] / count)


@compiled
def _fill_moments(squares, cubes, fourths, skewness, tails) -> None:
    least = 60 * FLAT * FLAT
    for row in range(len(skewness)):
        square = squares[row] if squares[row] > least else least
        skewness[row] = held(math.sqrt(60.0) * cubes[row] / (square * math.sqrt(square)), 8.0)
        tails[row] = held(60.0 * fourths[row] / (square * square), 60.0)
