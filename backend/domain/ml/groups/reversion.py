"""How far prices have left their mean, and whether they tend to come back."""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, fill_balance, fill_share, held, now
from backend.domain.ml.groups.windows import W60, WINDOWS, sum_up

REVERSION: Final = group_of(
    "reversion",
    z_20="Close above the mean of 20 closes, in their standard deviations",
    z_60="Close above the mean of 60 closes, in their standard deviations",
    z_240="Close above the mean of 240 closes, in their standard deviations",
    autocorrelation_60="Whether returns of 60 bars follow those before them (1) or turn against them (-1)",
    variance_ratio_60="Variance of 5-bar returns against five times that of one bar; below 0 prices come back",
)


@compiled
def fill_reversion(seen: Seen, columns: Columns) -> None:
    for window in range(1, 4):
        _fill_z(
            now(seen.close), now(seen.closes[window]), now(seen.spreads[window]), WINDOWS[window], columns[window - 1]
        )
    one, sums = seen.free[0], seen.free[1:4]
    _follow(seen.change, one)
    sum_up(one, sums)
    fill_share(now(sums[W60]), now(seen.squares[W60]), columns[3])
    _square_longer(seen.close, one)
    sum_up(one, sums)
    fill_balance(now(sums[W60]), now(seen.squares[W60]), 5.0, columns[4])


@compiled
def _fill_z(close: Series, sums: Series, spreads: Series, bars: int, column: Columns) -> None:
    a_bar, least = 1 / bars, FLAT * FLAT
    for row in range(len(column)):
        variance = spreads[row] * a_bar
        deviation = np.sqrt(np.float32(variance if variance > least else least))
        column[row] = held(np.float32(close[row] - sums[row] * a_bar) / deviation, FAR)


@compiled
def _follow(change: Series, products: Series) -> None:
    later, earlier, product = change[1:], change[:-1], products[1:]
    for row in range(len(product)):
        product[row] = later[row] * earlier[row]
    products[0] = 0.0


@compiled
def _square_longer(close: Series, squares: Series) -> None:
    """Of the changes over 5 bars."""
    later, earlier, square = close[5:], close[:-5], squares[5:]
    for row in range(len(square)):
        change = held(later[row] - earlier[row], LARGEST_CHANGE)
        square[row] = change * change
    squares[:5] = 0.0
