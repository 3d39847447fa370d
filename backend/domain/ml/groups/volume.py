"""How much was traded, on which side, and at what price on the whole."""

import math
from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import FAR, NOTHING, fill_balance, fill_share, held, now, share
from backend.domain.ml.groups.windows import W5, W20, W60, W240, WINDOWS, sum_up

VOLUME: Final = group_of(
    "volume",
    volume_1_to_20="Volume against the mean of 20 bars, from -1 to 1",
    volume_5_to_60="Mean volume of 5 bars against that of 60, from -1 to 1",
    volume_20_to_240="Mean volume of 20 bars against that of 240, from -1 to 1",
    signed_volume_20="Volume of rising bars less that of falling ones, as a share of 20 bars' volume",
    money_flow_20="Volume weighed by where in its range each of 20 bars closed, from -1 to 1",
    volume_on_moves_60="Whether large changes among 60 bars had more volume than small ones, from -1 to 1",
    vwap_20="Close above the volume-weighted price of 20 bars, in volatilities",
    vwap_60="Close above the volume-weighted price of 60 bars, in volatilities",
)


@compiled
def fill_volume(seen: Seen, columns: Columns) -> None:
    one, sums, weighed = seen.free[0], seen.free[1:5], seen.free[5:8]
    sum_up(seen.volume, sums)
    fill_balance(now(seen.volume), now(sums[W20]), 1 / 20, columns[0])
    fill_balance(now(sums[W5]), now(sums[W60]), 5 / 60, columns[1])
    fill_balance(now(sums[W20]), now(sums[W240]), 20 / 240, columns[2])
    _weigh_by_side(seen, one)
    sum_up(one, weighed[:2])
    fill_share(now(weighed[W20]), now(sums[W20]), columns[3])
    _weigh_by_place(seen, one)
    sum_up(one, weighed[:2])
    fill_share(now(weighed[W20]), now(sums[W20]), columns[4])
    _fill_on_moves(seen, sums[W60], columns[5])
    for row in range(len(one)):
        one[row] = seen.volume[row] * seen.close[row]
    sum_up(one, weighed)
    _fill_vwap(seen, W20, weighed[W20], sums[W20], columns[6])
    _fill_vwap(seen, W60, weighed[W60], sums[W60], columns[7])


@compiled
def _weigh_by_side(seen: Seen, weighed: Series) -> None:
    for row in range(len(weighed)):
        change, volume = seen.change[row], seen.volume[row]
        weighed[row] = volume if change > 0 else (-volume if change < 0 else 0.0)


@compiled
def _weigh_by_place(seen: Seen, weighed: Series) -> None:
    for row in range(len(weighed)):
        above, beneath = seen.high[row] - seen.close[row], seen.close[row] - seen.low[row]
        weighed[row] = seen.volume[row] * share(beneath - above, above + beneath)


@compiled
def _fill_on_moves(seen: Seen, volumes: Series, column: Columns) -> None:
    one, other, sizes, weighed = seen.free[5], seen.free[0], seen.free[6:9], seen.free[9:12]
    for row in range(len(one)):
        one[row] = abs(seen.change[row])
        other[row] = seen.volume[row] * one[row]
    sum_up(one, sizes)
    sum_up(other, weighed)
    size, volume, both = now(sizes[W60]), now(volumes), now(weighed[W60])
    for row in range(len(column)):
        together, apart = 60.0 * both[row], volume[row] * size[row]
        column[row] = share(together - apart, together + apart)


@compiled
def _fill_vwap(seen: Seen, window: int, weighed: Series, volumes: Series, column: Columns) -> None:
    close, steadiness = now(seen.close), now(seen.steadiness[window])
    weights, volume = now(weighed), now(volumes)
    unit = 1 / math.sqrt(WINDOWS[window])
    for row in range(len(column)):
        is_traded = volume[row] > NOTHING
        total = volume[row] if is_traded else 1.0
        # The quotient of a difference, since that of two sums would need double precision.
        above = np.float32(close[row] * total - weights[row]) / np.float32(total)
        column[row] = held(above * (steadiness[row] * unit), FAR) if is_traded else 0.0
