"""Bars for tests: made by hand, or a walk of chance that is the same every time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.strategies.market import Market


def walk(count: int = 600, *, seed: int = 7, start: str = "2026-01-05", frequency: str = "1h") -> pd.DataFrame:
    """Prices that move at random, with bars that are bars."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, count)))
    opened = np.r_[100.0, close[:-1]] * np.exp(chance.normal(0, 0.002, count))
    high = np.maximum(opened, close) * np.exp(np.abs(chance.normal(0, 0.004, count)))
    low = np.minimum(opened, close) * np.exp(-np.abs(chance.normal(0, 0.004, count)))
    volume = np.round(chance.lognormal(6, 0.8, count), 3)
    return _frame(start, frequency, opened, high, low, close, volume)


def bars_at(
    closes: Sequence[float], *, reach: float = 0.0, start: str = "2026-01-05", frequency: str = "1h"
) -> pd.DataFrame:
    """Bars that close at these prices and open where the last one closed, reaching so far beyond both."""
    close = np.asarray(closes, dtype=np.float64)
    opened = np.r_[close[:1], close[:-1]]
    high, low = np.maximum(opened, close) + reach, np.minimum(opened, close) - reach
    return _frame(start, frequency, opened, high, low, close, np.full(len(close), 1_000.0))


def columns_of(bars: pd.DataFrame) -> dict[str, npt.NDArray[np.float64]]:
    """As the indicators take them."""
    columns = {name: bars[name].to_numpy(np.float64) for name in COLUMNS}
    return {**columns, "moments": start_microseconds(bars)}


def _frame(start: str, frequency: str, *columns: npt.NDArray[np.float64]) -> pd.DataFrame:
    ts = pd.date_range(start, periods=len(columns[0]), freq=frequency, tz="UTC", unit="us")
    return pd.DataFrame({"ts": ts, **dict(zip(COLUMNS, columns, strict=True))})


def market_of(bars: pd.DataFrame, timeframe: Timeframe = Timeframe.H1, *, symbol: str = "BTC/USDT") -> Market:
    """These bars as a strategy sees them."""
    return Market.of(bars, instrument_of(symbol), timeframe)


def instrument_of(symbol: str = "BTC/USDT") -> Instrument:
    return Instrument(provider="demo", symbol=symbol, name=symbol, calendar=ALWAYS, currency="USDT")


def beside(*markets: Market) -> Market:
    """The first, with the others beside it."""
    return replace(markets[0], others={(each.symbol, each.timeframe): each for each in markets[1:]})
