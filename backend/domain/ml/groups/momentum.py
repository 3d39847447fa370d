"""Which way prices have gone, and whether they go on."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import LEAD, Columns, Series, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import FAR, ago, fill_move, fill_share, held, now, share
from backend.domain.ml.groups.windows import W5, W20, W60, W240, sum_up

MOMENTUM: Final = group_of(
    "momentum",
    rsi_5="Gains less losses of 5 bars, as a share of both",
    rsi_20="Gains less losses of 20 bars, as a share of both",
    stochastic_20="Where the close lies in the channel of 20 bars: -1 is its low, 1 its high",
    stochastic_60="Where the close lies in the channel of 60 bars: -1 is its low, 1 its high",
    stochastic_240="Where the close lies in the channel of 240 bars: -1 is its low, 1 its high",
    acceleration_20="Return of 20 bars less that of the 20 before, in volatilities",
    momentum_240_20="Return of 240 bars without the last 20, in volatilities",
    streak="Bars in a row that rose, or fell if negative; 8 at most, as a share of 8",
)

LONGEST_STREAK: Final = 8


@compiled
def fill_momentum(seen: Seen, columns: Columns) -> None:
    size, gains, sizes = seen.free[0], seen.free[1:3], seen.free[3:5]
    for row in range(len(size)):
        size[row] = abs(seen.change[row])
    sum_up(seen.change, gains)
    sum_up(size, sizes)
    fill_share(now(gains[W5]), now(sizes[W5]), columns[0])
    fill_share(now(gains[W20]), now(sizes[W20]), columns[1])
    for window in range(1, 4):
        _fill_place(seen, window, columns[1 + window])
    _fill_acceleration(seen, columns[5])
    fill_move(ago(seen.close, 20), ago(seen.close, 240), now(seen.steadiness[W240]), 220, columns[6])
    _fill_streak(seen.change, columns[7])


@compiled
def _fill_place(seen: Seen, window: int, column: Columns) -> None:
    close, highs, depths = now(seen.close), now(seen.highs[window]), now(seen.depths[window])
    for row in range(len(column)):
        above, beneath = highs[row] - close[row], close[row] + depths[row]
        column[row] = share(beneath - above, above + beneath)


@compiled
def _fill_acceleration(seen: Seen, column: Columns) -> None:
    last, middle, first = now(seen.close), ago(seen.close, 20), ago(seen.close, 40)
    steadiness, unit = now(seen.steadiness[W60]), 1 / math.sqrt(40)
    for row in range(len(column)):
        change = (last[row] - middle[row]) - (middle[row] - first[row])
        column[row] = held(change * (steadiness[row] * unit), FAR)


@compiled
def _fill_streak(change: Series, column: Columns) -> None:
    """Since it is capped, it does not matter where the count begins."""
    rises = falls = 0
    for row in range(LEAD - LONGEST_STREAK, len(change)):
        rises = min(rises + 1, LONGEST_STREAK) if change[row] > 0 else 0
        falls = min(falls + 1, LONGEST_STREAK) if change[row] < 0 else 0
        if row >= LEAD:
            column[row - LEAD] = (rises - falls) / LONGEST_STREAK
