"""How far bars reach, and how wide the channel is that prices move in."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FAR, fill_balance, fill_change, held, now
from backend.domain.ml.groups.windows import W5, W20, W60, WINDOWS, sum_up

RANGE: Final = group_of(
    "range",
    range_1="Logarithm of the high over the low",
    range_1_to_20="True range against the mean of 20 bars, from -1 to 1",
    range_5_to_60="Mean true range of 5 bars against that of 60, from -1 to 1",
    channel_20="Highest high to lowest low of 20 bars, in their volatilities",
    channel_60="Highest high to lowest low of 60 bars, in their volatilities",
    channel_240="Highest high to lowest low of 240 bars, in their volatilities",
)


@compiled
def fill_ranges(seen: Seen, columns: Columns) -> None:
    fill_change(now(seen.high), now(seen.low), LARGEST_CHANGE, columns[0])
    reach, sums = seen.free[0], seen.free[1:4]
    _find_reach(seen, reach)
    sum_up(reach, sums)
    fill_balance(now(reach), now(sums[W20]), 1 / 20, columns[1])
    fill_balance(now(sums[W5]), now(sums[W60]), 5 / 60, columns[2])
    for window in range(1, 4):
        _fill_channel(seen, window, columns[2 + window])


@compiled
def _fill_channel(seen: Seen, window: int, column: Columns) -> None:
    highs, depths, steadiness = now(seen.highs[window]), now(seen.depths[window]), now(seen.steadiness[window])
    unit = 1 / math.sqrt(WINDOWS[window])
    for row in range(len(column)):
        column[row] = held((highs[row] + depths[row]) * (steadiness[row] * unit), FAR)


@compiled
def _find_reach(seen: Seen, reach: Series) -> None:
    """The true range: from the low to the high, or from the close before if that lies outside."""
    high, low, before, true = seen.high[1:], seen.low[1:], seen.close[:-1], reach[1:]
    for row in range(len(true)):
        top = high[row] if high[row] > before[row] else before[row]
        bottom = low[row] if low[row] < before[row] else before[row]
        true[row] = top - bottom if top - bottom < LARGEST_CHANGE else LARGEST_CHANGE
    reach[0] = 0.0
