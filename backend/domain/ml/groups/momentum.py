"""Which way prices have gone, and whether they go on."""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import LEAD, Columns, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, ago, fill_move, held, now, share
from backend.domain.ml.groups.windows import W60, W240, sum_up

MOMENTUM: Final = group_of(
    "momentum",
    rsi_5="Gains less losses of 5 bars, as a share of both",
    rsi_20="Gains less losses of 20 bars, as a share of both",
    rsi_60="Gains less losses of 60 bars, as a share of both",
    stochastic_20="Where the close lies in the channel of 20 bars: -1 is its low, 1 its high",
    stochastic_60="Where the close lies in the channel of 60 bars: -1 is its low, 1 its high",
    stochastic_240="Where the close lies in the channel of 240 bars: -1 is its low, 1 its high",
    acceleration_20="Return of 20 bars less that of the 20 before, in volatilities",
    momentum_240_20="Return of 240 bars without the last 20, in volatilities",
    streak="Bars in a row that rose, or fell if negative; 8 at most, as a share of 8",
)


@compiled
def fill_momentum(seen: Seen, columns: Columns) -> None:
    one, gains, sizes = seen.free[0], seen.free[1:4], seen.free[4:7]
    sum_up(seen.change, gains)
    for row in range(len(one)):
        one[row] = abs(seen.change[row])
    sum_up(one, sizes)
    for window in range(3):
        _fill_rsi(now(gains[window]), now(sizes[window]), columns[window])
        _fill_place(now(seen.close), now(seen.highs[window + 1]), now(seen.lows[window + 1]), columns[3 + window])
    _fill_acceleration(seen, columns[6])
    fill_move(ago(seen.close, 20), ago(seen.close, 240), now(seen.volatility[W240]), 220, columns[7])
    _fill_streak(seen.change, columns[8])


@compiled
def _fill_rsi(gains, sizes, column) -> None:
    for row in range(len(column)):
        column[row] = share(gains[row], sizes[row])


@compiled
def _fill_place(close, highs, lows, column) -> None:
    for row in range(len(column)):
        above, beneath = highs[row] - close[row], close[row] - lows[row]
        column[row] = share(beneath - above, above + beneath)


@compiled
def _fill_acceleration(seen: Seen, column) -> None:
    close, middle, first = now(seen.close), ago(seen.close, 20), ago(seen.close, 40)
    volatility = now(seen.volatility[W60])
    unit = np.sqrt(40.0)
    for row in range(len(column)):
        one = volatility[row] if volatility[row] > FLAT else FLAT
        column[row] = held(((close[row] - middle[row]) - (middle[row] - first[row])) / (one * unit), FAR)


@compiled
def _fill_streak(change, column) -> None:
    """Capped, it does not depend on where it is begun."""
    streak = 0.0
    for row in range(LEAD - 16, len(change)):
        if change[row] > 0:
            streak = min(max(streak, 0.0) + 1.0, 8.0)
        elif change[row] < 0:
            streak = max(min(streak, 0.0) - 1.0, -8.0)
        else:
            streak = 0.0
        if row >= LEAD:
            column[row - LEAD] = streak / 8.0
