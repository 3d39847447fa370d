"""What several groups look at: prices as logarithms, changes, volatilities, averages, highs and lows."""

import math
from typing import Final, NamedTuple

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import LEAD, Series, Times
from backend.domain.ml.groups.logarithms import fill_logarithms
from backend.domain.ml.groups.shapes import FLAT, held
from backend.domain.ml.groups.windows import WINDOWS, find_highs, sum_spreads, sum_up

ROWS: Final = 42

LARGEST_CHANGE: Final = 1.0  # of the logarithm in one bar: beyond it a price was mended, split or mistaken
LARGEST_VOLUME: Final = 1e30


class Seen(NamedTuple):
    """One block of bars and the rows before it. Those with two dimensions have a row for each of the `WINDOWS`."""

    ts: Times
    open: Series
    high: Series
    low: Series
    close: Series
    change: Series
    volume: Series
    closes: Series  # sums of closes
    spreads: Series  # sums of their squared distances from their mean
    squares: Series  # sums of squared changes
    steadiness: Series  # one over the volatility; no more than that of a price that does not move
    highs: Series  # highest highs
    depths: Series  # lowest lows, as the highest of their negatives
    free: Series  # rows for each group to work with


@compiled
def see(  # noqa: PLR0917
    ts: Times, opens: Series, highs: Series, lows: Series, closes: Series, volumes: Series, room: Series
) -> Seen:
    """`room` has `ROWS` rows, each as long as the bars."""
    seen = Seen(
        ts=ts,
        open=room[0],
        high=room[1],
        low=room[2],
        close=room[3],
        change=room[4],
        volume=room[5],
        closes=room[6:10],
        squares=room[10:14],
        steadiness=room[14:18],
        highs=room[18:22],
        depths=room[22:26],
        spreads=room[26:30],
        free=room[30:42],
    )
    fill_logarithms(opens, seen.free[0], seen.open)
    fill_logarithms(highs, seen.free[0], seen.high)
    fill_logarithms(lows, seen.free[0], seen.low)
    fill_logarithms(closes, seen.free[0], seen.close)
    _take_changes(seen, volumes)
    sum_up(seen.close, seen.closes)
    sum_spreads(seen.close, seen.closes, seen.spreads)
    find_highs(seen.high, seen.highs)
    for row in range(len(lows)):
        seen.free[0][row] = -seen.low[row]
    find_highs(seen.free[0], seen.depths)
    return seen


@compiled
def _take_changes(seen: Seen, volumes: Series) -> None:
    later, earlier, change, squares = seen.close[1:], seen.close[:-1], seen.change[1:], seen.free[0]
    for row in range(len(change)):
        change[row] = held(later[row] - earlier[row], LARGEST_CHANGE)
    seen.change[0] = 0.0
    for row in range(len(squares)):
        squares[row] = seen.change[row] * seen.change[row]
        seen.volume[row] = min(volumes[row], LARGEST_VOLUME)
    sum_up(squares, seen.squares)
    for window in range(4):
        _steady(seen.squares[window][LEAD:], WINDOWS[window], seen.steadiness[window][LEAD:])


@compiled
def _steady(squares: Series, bars: int, steadiness: Series) -> None:
    least, root = np.float32(bars * FLAT * FLAT), np.float32(math.sqrt(bars))
    for row in range(len(squares)):
        square = np.float32(squares[row])
        steadiness[row] = root / np.sqrt(square if square > least else least)
