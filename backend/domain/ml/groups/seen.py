"""What several groups look at: prices as logarithms, changes, volatilities, averages, highs and lows."""

import math
from typing import Final, NamedTuple

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Series, Times
from backend.domain.ml.groups.logarithms import fill_logarithms
from backend.domain.ml.groups.shapes import held
from backend.domain.ml.groups.windows import WINDOWS, find_highs, find_lows, sum_up

ROWS: Final = 46
FREE_ROWS: Final = 20

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
    closes: Series
    squares: Series  # of changes
    volatility: Series
    highs: Series
    lows: Series
    free: Series  # for each group to work with


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
        volatility=room[14:18],
        highs=room[18:22],
        lows=room[22:26],
        free=room[26:46],
    )
    _take_logarithms(opens, highs, lows, closes, seen)
    for row in range(len(volumes)):
        seen.volume[row] = min(volumes[row], LARGEST_VOLUME)
    _take_changes(seen)
    sum_up(seen.close, seen.closes)
    find_highs(seen.high, seen.highs)
    find_lows(seen.low, seen.lows)
    return seen


@compiled
def _take_logarithms(opens: Series, highs: Series, lows: Series, closes: Series, seen: Seen) -> None:
    mantissas = seen.free[0]
    fill_logarithms(opens, mantissas, seen.open)
    fill_logarithms(highs, mantissas, seen.high)
    fill_logarithms(lows, mantissas, seen.low)
    fill_logarithms(closes, mantissas, seen.close)


@compiled
def _take_changes(seen: Seen) -> None:
    now, before = seen.close[1:], seen.close[:-1]
    change, square = seen.change[1:], seen.free[0][1:]
    for row in range(len(now)):
        change[row] = held(now[row] - before[row], LARGEST_CHANGE)
        square[row] = change[row] * change[row]
    seen.change[0] = seen.free[0][0] = 0.0
    sum_up(seen.free[0], seen.squares)
    for window in range(len(WINDOWS)):
        square, volatility = seen.squares[window], seen.volatility[window]
        for row in range(len(square)):
            volatility[row] = math.sqrt(square[row] / WINDOWS[window])
