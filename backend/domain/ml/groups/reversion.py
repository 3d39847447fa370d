"""How far prices have left their mean, and whether they tend to come back."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, fill_balance, held, now, share
from backend.domain.ml.groups.windows import W60, WINDOWS, sum_spreads, sum_up

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
    spreads = seen.free[0:4]
    sum_spreads(seen.close, seen.closes, spreads)
    for window in range(1, 4):
        _fill_z(now(seen.close), now(seen.closes[window]), now(spreads[window]), WINDOWS[window], columns[window - 1])
    one, sums = seen.free[4], seen.free[5:8]
    one[0] = 0.0
    for row in range(1, len(one)):
        one[row] = seen.change[row] * seen.change[row - 1]
    sum_up(one, sums)
    for row in range(columns.shape[1]):
        columns[3, row] = share(now(sums[W60])[row], now(seen.squares[W60])[row])
    one[:5] = 0.0
    for row in range(5, len(one)):
        change = held(seen.close[row] - seen.close[row - 5], LARGEST_CHANGE)
        one[row] = change * change
    sum_up(one, sums)
    fill_balance(now(sums[W60]), now(seen.squares[W60]), 5.0, columns[4])


@compiled
def _fill_z(close, sums, spreads, bars: int, column) -> None:
    for row in range(len(column)):
        deviation = math.sqrt(spreads[row] / bars)
        column[row] = held((close[row] - sums[row] / bars) / (deviation if deviation > FLAT else FLAT), FAR)
