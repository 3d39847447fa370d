"""Where prices head: averages against each other, straight lines, and directional movement."""

import math
from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, fill_share, held, now
from backend.domain.ml.groups.windows import W20, W60, WINDOWS, sum_ages, sum_up

TREND: Final = group_of(
    "trend",
    average_5_to_20="Mean of 5 closes above that of 20, in volatilities",
    average_20_to_60="Mean of 20 closes above that of 60, in volatilities",
    average_60_to_240="Mean of 60 closes above that of 240, in volatilities",
    slope_20="Rise of the straight line through 20 closes, in volatilities",
    slope_60="Rise of the straight line through 60 closes, in volatilities",
    straightness_60="Correlation of 60 closes with time",
    directional_20="Highs that rose less lows that fell among 20 bars, as a share of both",
)


@compiled
def fill_trend(seen: Seen, columns: Columns) -> None:
    for window in range(3):
        _fill_averages(seen, window, columns[window])
    ages = seen.free[0:3]
    sum_ages(seen.close, seen.closes, ages)
    _fill_slope(seen, W20, ages[W20], columns[3])
    _fill_slope(seen, W60, ages[W60], columns[4])
    _fill_straightness(now(seen.closes[W60]), now(ages[W60]), now(seen.spreads[W60]), columns[5])
    net, both = seen.free[3:5], seen.free[5:7]
    _sum_directions(seen, net, both)
    fill_share(now(net[W20]), now(both[W20]), columns[6])


@compiled
def _fill_averages(seen: Seen, window: int, column: Columns) -> None:
    short, long, steadiness = now(seen.closes[window]), now(seen.closes[window + 1]), now(seen.steadiness[window + 1])
    one, other, unit = 1 / WINDOWS[window], 1 / WINDOWS[window + 1], 1 / math.sqrt(WINDOWS[window + 1])
    for row in range(len(column)):
        column[row] = held((short[row] * one - long[row] * other) * (steadiness[row] * unit), FAR)


@compiled
def _fill_slope(seen: Seen, window: int, ages: Series, column: Columns) -> None:
    bars = WINDOWS[window]
    sums, age, steadiness = now(seen.closes[window]), now(ages), now(seen.steadiness[window])
    middle, unit = (bars - 1) / 2, math.sqrt(bars) * 12 / (bars * (bars * bars - 1))
    for row in range(len(column)):
        column[row] = held((middle * sums[row] - age[row]) * (steadiness[row] * unit), FAR)


@compiled
def _fill_straightness(sums: Series, ages: Series, spreads: Series, column: Columns) -> None:
    spread_of_time, least = 60 * (60 * 60 - 1) / 12, 60 * FLAT * FLAT
    for row in range(len(column)):
        spread = np.float32(spread_of_time * (spreads[row] if spreads[row] > least else least))
        column[row] = held(np.float32(29.5 * sums[row] - ages[row]) / np.sqrt(spread), 1.0)


@compiled
def _sum_directions(seen: Seen, net: Series, both: Series) -> None:
    """Wilder's directional movement: of a higher high and a lower low the larger one counts."""
    one, other = seen.free[7], seen.free[8]
    high, low, last_high, last_low = seen.high[1:], seen.low[1:], seen.high[:-1], seen.low[:-1]
    moved, size = one[1:], other[1:]
    for row in range(len(moved)):
        up, down = held(high[row] - last_high[row], LARGEST_CHANGE), held(last_low[row] - low[row], LARGEST_CHANGE)
        up, down = up if up > 0 else 0.0, down if down > 0 else 0.0
        larger = up if up > down else (-down if down > up else 0.0)
        moved[row] = larger
        size[row] = abs(larger)
    one[0] = other[0] = 0.0
    sum_up(one, net)
    sum_up(other, both)
