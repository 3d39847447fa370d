"""How much prices move: from closes alone, and from what happened inside of bars."""

import math
from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
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
_LEAST: Final = 60 * FLAT * FLAT


@compiled
def fill_volatility(seen: Seen, columns: Columns) -> None:
    squares = seen.squares
    for window in range(4):
        _fill_roots(now(squares[window]), 1 / WINDOWS[window], columns[window])
    one, sums = seen.free[0], seen.free[1:4]
    _square_heights(seen, one)
    sum_up(one, sums[:2])
    _fill_roots(now(sums[W20]), _PARKINSON / 20, columns[4])
    fill_balance(now(sums[W20]), now(squares[W20]), 1 / _PARKINSON, columns[8])
    _mix_heights_and_bodies(seen, one)
    sum_up(one, sums)
    _fill_roots(now(sums[W60]), 1 / 60, columns[5])
    fill_balance(now(squares[W5]), now(squares[W60]), 5 / 60, columns[6])
    fill_balance(now(squares[W20]), now(squares[W240]), 20 / 240, columns[7])
    _fill_moments(seen, columns[9], columns[10])


@compiled
def _fill_roots(sums: Series, weight: float, column: Columns) -> None:
    for row in range(len(column)):
        column[row] = np.sqrt(np.float32(sums[row] * weight))


@compiled
def _square_heights(seen: Seen, squares: Series) -> None:
    for row in range(len(squares)):
        height = held(seen.high[row] - seen.low[row], LARGEST_CHANGE)
        squares[row] = height * height


@compiled
def _mix_heights_and_bodies(seen: Seen, mixed: Series) -> None:
    for row in range(len(mixed)):
        height = held(seen.high[row] - seen.low[row], LARGEST_CHANGE)
        body = held(seen.close[row] - seen.open[row], LARGEST_CHANGE)
        mixed[row] = 0.5 * height * height - _GARMAN_KLASS * body * body


@compiled
def _fill_moments(seen: Seen, skewness: Columns, tails: Columns) -> None:
    cube, fourth, cubes, fourths = seen.free[0], seen.free[1], seen.free[2:5], seen.free[5:8]
    for row in range(len(cube)):
        square = seen.change[row] * seen.change[row]
        cube[row] = square * seen.change[row]
        fourth[row] = square * square
    sum_up(cube, cubes)
    sum_up(fourth, fourths)
    square, third, last = now(seen.squares[W60]), now(cubes[W60]), now(fourths[W60])
    for row in range(len(skewness)):
        inverse = 1.0 / (square[row] if square[row] > _LEAST else _LEAST)
        skewness[row] = held(third[row] * inverse * math.sqrt(60.0 * inverse), 8.0)
        tails[row] = held(60.0 * last[row] * inverse * inverse, 60.0)
