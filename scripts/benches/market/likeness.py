"""How like a market the demo market is, in ten years of hours of all its symbols. A part of the benchmark of data."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from backend.data.fetchers.demo import simulated_bars
from backend.domain.simulation.days import days
from backend.domain.simulation.markets import MARKETS
from scripts.benches.figures import Figure, at_least, at_most

LAGS = range(1, 21)
START, END = "2015-01-05", "2025-01-06"
FIRST_DAY, LAST_DAY = 16_440, 16_440 + 3_653

Floats = npt.NDArray[np.float64]


def likeness() -> Iterator[Figure]:
    """Of each figure that of the symbol which does worst."""
    hourly = [_returns(symbol) for symbol in MARKETS]
    sizes = [np.abs(one) for one in hourly]
    regimes = [len(set(days(market, FIRST_DAY, LAST_DAY).regime.tolist())) for market in MARKETS.values()]
    yield at_most("autocorrelation of returns, lags 1 to 20", max(abs(_echo(hourly)).ravel()), "", 0.02)
    yield at_least("autocorrelation of their size, lags 1 to 20", min(_echo(sizes).ravel()), "", 0.05)
    yield at_least("excess kurtosis of hours", min(map(_kurtosis, hourly)), "", 3)
    yield at_least("regimes in ten years", min(regimes), "", 3)


def _returns(symbol: str) -> Floats:
    moves: Floats = np.diff(np.log(simulated_bars(symbol, "1h", START, END)["close"].to_numpy()))
    return moves


def _echo(series: Sequence[Floats]) -> Floats:
    return np.array([[_autocorrelation(values, lag) for lag in LAGS] for values in series])


def _autocorrelation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred * centred).mean())


def _kurtosis(values: Floats) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)
