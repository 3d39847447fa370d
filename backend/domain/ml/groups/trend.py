"""Where prices head: averages against each other, straight lines, and directional movement."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, group_of
from backend.domain.ml.groups.seen import LARGEST_CHANGE, Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, held, now, share
from backend.domain.ml.groups.windows import W20, W60, WINDOWS, sum_ages, sum_spreads, sum_up

TREND: Final = group_of(
    "trend",
    average_5_to_20="Mean of 5 closes above that of 20, in volatilities",
    average_20_to_60="Mean of 20 closes above that of 60, in volatilities",
    average_60_to_240="Mean of 60 closes above that of 240, in volatilities",
    slope_20="Slope of the straight line through 20 closes, in volatilities over its length",
    slope_60="Slope of the straight line through 60 closes, in volatilities over its length",
    straightness_20="Correlation of 20 closes with time",
    straightness_60="Correlation of 60 closes with time",
    directional_20="Highs that rose less lows that fell among 20 bars, as a share of both",
)


@compiled
def fill_trend(seen: Seen, columns: Columns) -> None:
    for column in range(3):
        _fill_averages(seen, column, columns[column])
    ages, spreads = seen.free[0:3], seen.free[3:6]
    sum_ages(seen.close, seen.closes, ages)
    sum_spreads(seen.close, seen.closes, spreads)
    for column, window in enumerate((W20, W60)):
        _fill_line(
            now(seen.closes[window]),
            now(ages[window]),
            now(spreads[window]),
            now(seen.volatility[window]),
            WINDOWS[window],
            columns[3 + column],
            columns[5 + column],
        )
    net, both = seen.free[6:8], seen.free[8:10]
    _sum_directions(seen, net, both)
    for row in range(columns.shape[1]):
        columns[7, row] = share(now(net[W20])[row], now(both[W20])[row])


@compiled
def _fill_averages(seen: Seen, window: int, column) -> None:
    short, long = now(seen.closes[window]), now(seen.closes[window + 1])
    volatility = now(seen.volatility[window + 1])
    unit = math.sqrt(WINDOWS[window + 1])
    one, other = 1.0 / WINDOWS[window], 1.0 / WINDOWS[window + 1]
    for row in range(len(column)):
        size = volatility[row] if volatility[row] > FLAT else FLAT
        column[row] = held((short[row] * one - long[row] * other) / (size * unit), FAR)


@compiled
def _fill_line(sums, ages, spreads, volatility, bars: int, slope, straightness) -> None:
    middle, unit = (bars - 1) / 2, math.sqrt(bars)
    spread_of_time = bars * (bars * bars - 1) / 12
    for row in range(len(slope)):
        together = middle * sums[row] - ages[row]
        one = volatility[row] if volatility[row] > FLAT else FLAT
        slope[row] = held(together / spread_of_time * unit / one, FAR)
        spread = spreads[row] if spreads[row] > bars * FLAT * FLAT else bars * FLAT * FLAT
        straightness[row] = held(together / math.sqrt(spread_of_time * spread), 1.0)


@compiled
def _sum_directions(seen: Seen, net, both) -> None:
    """Wilder's directional movement: of a higher high and a lower low the larger one counts."""
    one, other = seen.free[10], seen.free[11]
    one[0] = other[0] = 0.0
    for row in range(1, len(one)):
        up = max(min(seen.high[row] - seen.high[row - 1], LARGEST_CHANGE), 0.0)
        down = max(min(seen.low[row - 1] - seen.low[row], LARGEST_CHANGE), 0.0)
        one[row] = up if up > down else (-down if down > up else 0.0)
        other[row] = abs(one[row])
    sum_up(one, net)
    sum_up(other, both)
