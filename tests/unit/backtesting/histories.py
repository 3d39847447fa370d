"""Bars as the loader gives them, for runs in tests."""

import numpy as np
import pandas as pd

from backend.domain.bars import frame_of
from backend.domain.market import ALWAYS, IMPORT, Instrument, Series, Timeframe
from backend.domain.market_ports import Loaded
from tests.unit.backtesting.markets import HOUR, random_bars


def history(bars: pd.DataFrame, symbol: str = "A", *, currency: str = "USD", lot: float | None = None) -> Loaded:
    return Loaded(
        series=Series(provider=IMPORT, symbol=symbol, timeframe=Timeframe.H1),
        instrument=Instrument(provider=IMPORT, symbol=symbol, name=symbol, calendar=ALWAYS, currency=currency, lot=lot),
        bars=bars,
    )


def random_history(count: int = 3_000, seed: int = 7, symbol: str = "A") -> Loaded:
    return history(random_bars(count, seed), symbol)


def rising_bars(count: int = 200) -> pd.DataFrame:
    close = 100.0 * 1.001 ** np.arange(count)
    opens = np.append(100.0, close[:-1])
    prices = {"open": opens, "high": close * 1.0001, "low": opens * 0.9999, "close": close}
    return frame_of(np.arange(count, dtype=np.int64) * HOUR, {**prices, "volume": np.full(count, 10.0)})
