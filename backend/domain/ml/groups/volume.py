"""How much was traded, on which side, and at what price on the whole."""

import math
from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import FAR, FLAT, NOTHING, fill_balance, fill_share, held, now, share
from backend.domain.ml.groups.windows import W5, W20, W60, W240, sum_up

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
    one, sums, weighted = seen.free[0], seen.free[1:5], seen.free[5:8]
    sum_up(seen.volume, sums)
    fill_balance(now(seen.volume), now(sums[W20]), 1 / 20, columns[0])
    fill_balance(now(sums[W5]), now(sums[W60]), 5 / 60, columns[1])
    fill_balance(now(sums[W20]), now(sums[W240]), 20 / 240, columns[2])
    _sign(seen, one)
    sum_up(one, weighted[:2])
    fill_share(now(weighted[W20]), now(sums[W20]), 1.0, columns[3])
    _weigh_by_place(seen, one)
    sum_up(one, weighted[:2])
    fill_share(now(weighted[W20]), now(sums[W20]), 1.0, columns[4])
    sizes = seen.free[8:11]
    _weigh_by_size(seen, one, sizes, weighted)
    _fill_on_moves(now(weighted[W60]), now(sums[W60]), now(sizes[W60]), columns[5])
    for row in range(len(one)):
        one[row] = seen.volume[row] * seen.close[row]
    sum_up(one, weighted)
    for column, (window, bars) in enumerate(((W20, 20), (W60, 60))):
        _fill_vwap(
            now(seen.close),
            now(weighted[window]),
            now(sums[window]),
            now(seen.volatility[window]),
            bars,
            columns[6 + column],
        )


@compiled
def _sign(seen: Seen, signed) -> None:
    for row in range(len(signed)):
        change = seen.change[row]
        signed[row] = seen.volume[row] * ((1.0 if change > 0 else 0.0) - (1.0 if change < 0 else 0.0))


@compiled
def _weigh_by_place(seen: Seen, weighed) -> None:
    for row in range(len(weighed)):
        above, beneath = seen.high[row] - seen.close[row], seen.close[row] - seen.low[row]
        weighed[row] = seen.volume[row] * share(beneath - above, above + beneath)


@compiled
def _weigh_by_size(seen: Seen, one, sizes, weighed) -> None:
    for row in range(len(one)):
        one[row] = abs(seen.change[row])
    sum_up(one, sizes)
    for row in range(len(one)):
        one[row] = seen.volume[row] * abs(seen.change[row])
    sum_up(one, weighed)


@compiled
def _fill_on_moves(weighed, volumes, sizes, column) -> None:
    for row in range(len(column)):
        together, apart = 60.0 * weighed[row], volumes[row] * sizes[row]
        column[row] = share(together - apart, together + apart)


@compiled
def _fill_vwap(close, weighed, volumes, volatility, bars: int, column) -> None:
    unit = math.sqrt(bars)
    for row in range(len(column)):
        volume = volumes[row]
        mean = weighed[row] / (volume if volume > NOTHING else 1.0)
        one = volatility[row] if volatility[row] > FLAT else FLAT
        column[row] = held((close[row] - mean) / (one * unit), FAR) if volume > NOTHING else 0.0
