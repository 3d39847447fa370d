"""vectorbt and backtesting.py, each as its own documentation does this work."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd


def vectorbt(bars: pd.DataFrame, engine: str) -> float:
    """Averages, crossings, orders, equity and trades; no statistics."""
    import vectorbt as vbt  # noqa: PLC0415  # seconds that only this peer costs

    close = bars["close"]
    fast = vbt.MA.run(close, 20, engine=engine)
    slow = vbt.MA.run(close, 50, engine=engine)
    portfolio = vbt.Portfolio.from_signals(
        close,
        fast.ma_crossed_above(slow).shift(1, fill_value=False),
        fast.ma_crossed_below(slow).shift(1, fill_value=False),
        price=bars["open"],
        fees=0.001,
        init_cash=100_000.0,
        freq="1min",
        engine=engine,
    )
    _ = portfolio.trades.records
    return float(portfolio.value().iloc[-1])


def backtesting_py(bars: pd.DataFrame) -> float:
    """It counts in whole units, so there is enough cash for its rounding not to matter."""
    from backtesting import Backtest, Strategy  # noqa: PLC0415  # as above

    class Cross(Strategy):  # type: ignore[misc]  # it has no types
        def init(self) -> None:
            self.fast = self.I(_mean, self.data.Close, 20)
            self.slow = self.I(_mean, self.data.Close, 50)

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1] and self.fast[-2] <= self.slow[-2]:
                self.buy()
            elif self.fast[-1] < self.slow[-1] and self.fast[-2] >= self.slow[-2]:
                self.position.close()

    frame = bars.set_index(bars["ts"].dt.tz_localize(None)).drop(columns="ts").rename(columns=str.title)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = Backtest(frame, Cross, cash=1e9, commission=0.001).run()
    return float(stats["Equity Final [$]"])


def _mean(values: Any, period: int) -> Any:
    sums = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
    return np.append(np.full(period - 1, np.nan), (sums[period:] - sums[:-period]) / period)
