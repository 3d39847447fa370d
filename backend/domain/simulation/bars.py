"""Bars of any timeframe out of the simulated price's way.

A long bar's high and low are those of its minutes, but most minutes cannot hold them: a half hour whose roof is not
above the highest price already known need not be walked in five minutes, nor these in minutes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import empty_bars, frame_of
from backend.domain.market import Timeframe
from backend.domain.simulation.dice import Floats, Ints
from backend.domain.simulation.legs import MINUTES, MINUTES_OF_FIVE, Legs, divided, fives, half_hours, minutes, opens
from backend.domain.simulation.markets import SimulatedMarket

_MINUTE = 60_000_000  # microseconds
_HALF_HOUR = MINUTES * _MINUTE


def simulated(market: SimulatedMarket, timeframe: Timeframe, halves: Ints, starts: Ints) -> pd.DataFrame:
    """The bars that begin at these times, in microseconds since 1970: some in a row of those that the market has.

    `halves` are the half hours of all sessions that the bars touch, counted since 1970; each session must be whole.
    """
    if len(starts) == 0:
        return empty_bars()
    return (_short if timeframe.seconds < MINUTES * 60 else _long)(market, timeframe, halves, starts)


def _short(market: SimulatedMarket, timeframe: Timeframe, halves: Ints, starts: Ints) -> pd.DataFrame:
    legs, volume = half_hours(market, halves)
    begin, end = _rows(halves * _HALF_HOUR, starts[0] - starts[0] % _HALF_HOUR, starts[-1] + 1)
    inner = fives(market, legs.rows(slice(begin, end)))
    parcels = divided(market, volume[begin:end], inner, MINUTES_OF_FIVE, "five minutes volume")
    parts, walked = minutes(market, inner.in_order())
    parcels = divided(market, parcels, parts, 1, "minute volume")
    each = timeframe.seconds // 60
    begin, end = _rows(parts.minute.T.ravel()[::each] * _MINUTE, starts[0], starts[-1] + 1)

    def grouped(values: Any) -> Any:
        return values.T.reshape(-1, each)[begin:end]

    return _frame(
        market,
        starts,
        opened=grouped(walked.open)[:, 0],
        high=grouped(walked.high).max(axis=1),
        low=grouped(walked.low).min(axis=1),
        close=grouped(walked.close)[:, -1],
        parcels=parcels.reshape(-1, each)[begin:end].sum(axis=1),
    )


def _long(market: SimulatedMarket, timeframe: Timeframe, halves: Ints, starts: Ints) -> pd.DataFrame:
    legs, volume = half_hours(market, halves)
    begin, end = _rows(halves * _HALF_HOUR, starts[0], starts[-1] + timeframe.seconds * 1_000_000)
    legs = legs.rows(slice(begin, end))
    first = np.searchsorted(halves[begin:end] * _HALF_HOUR, starts)
    high, low = _extremes(market, legs, first)
    return _frame(
        market,
        starts,
        opened=opens(market, legs.rows(first)),
        high=high,
        low=low,
        close=legs.close[np.r_[first[1:], end - begin] - 1],
        parcels=np.add.reduceat(volume[begin:end], first),
    )


def _rows(times: Ints, start: int, end: int) -> tuple[int, int]:
    """The first of these times that is not before the start, and the first that is not before the end."""
    begin, stop = np.searchsorted(times, [start, end])
    return int(begin), int(stop)


def _extremes(market: SimulatedMarket, legs: Legs, first: Ints) -> tuple[Floats, Floats]:
    """Highs and lows of bars, looked for only where they can be."""
    bar = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(legs.minute)]))
    opened = opens(market, legs)
    high = np.maximum.reduceat(np.maximum(opened, legs.close), first)
    low = np.minimum.reduceat(np.minimum(opened, legs.close), first)
    chosen = np.flatnonzero(_promising(legs, bar, high, low))
    inner, bar = fives(market, legs.rows(chosen)), bar[chosen]
    _widen(high, low, bar, inner.close)
    leg, part = np.nonzero(_promising(inner, bar, high, low).T)
    _, walked = minutes(market, inner.rows((part, leg)))
    _widen(high, low, bar[leg], np.concatenate([walked.high, walked.low]))
    return high, low


def _promising(legs: Legs, bar: Ints, high: Floats, low: Floats) -> npt.NDArray[np.bool_]:
    """Which legs may go beyond what is known of their bars."""
    return np.asarray((legs.roof > high[bar]) | (legs.ground < low[bar]))


def _widen(high: Floats, low: Floats, bar: Ints, prices: Floats) -> None:
    """Take into account prices that were found within bars, a column for each of `bar`, which is in order."""
    if len(bar) == 0:
        return
    begins = np.flatnonzero(np.r_[True, bar[1:] != bar[:-1]])
    of = bar[begins]
    high[of] = np.maximum(high[of], np.maximum.reduceat(prices.max(axis=0), begins))
    low[of] = np.minimum(low[of], np.minimum.reduceat(prices.min(axis=0), begins))


def _frame(
    market: SimulatedMarket, starts: Ints, *, opened: Floats, high: Floats, low: Floats, close: Floats, parcels: Ints
) -> pd.DataFrame:
    """Ticks become prices by one division, so that each is the double nearest to its decimal."""
    scale = float(market.ticks_per_unit)
    prices = {"open": opened / scale, "high": high / scale, "low": low / scale, "close": close / scale}
    return frame_of(starts, {**prices, "volume": parcels.astype(np.float64) * market.parcel})
