"""The same work by Tidemark: from a checked frame to signals, fills, trades and equity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backend.backtesting.engine import Feed, backtest
from backend.backtesting.result import Result
from backend.domain.bars import frame_of
from backend.domain.compiled import compiled
from backend.domain.config import TradingConfig
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, Signals

PLAIN = TradingConfig()
PROTECTED = TradingConfig.model_validate({"execution": {"stop_percent": 1, "target_percent": 2}})


def run(bars: pd.DataFrame, config: TradingConfig = PLAIN) -> Result:
    return replayed(bars, cross(bars), config)


def cross(bars: pd.DataFrame, fast: int = 20, slow: int = 50) -> Signals:
    direction = np.empty(len(bars), np.int8)
    _crossings(bars["close"].to_numpy(), fast, slow, direction)
    return Signals.of(direction, bars=len(bars))


def replayed(bars: pd.DataFrame, signals: Signals, config: TradingConfig = PLAIN) -> Result:
    feed = Feed(symbol="WALK", timeframe=Timeframe.M1, calendar=ALWAYS, bars=bars, signals=signals)
    return backtest([feed], config)


def random_walk(count: int, seed: int = 11) -> pd.DataFrame:
    """Minutes without drift: enough crossings for the work to be in the fills too."""
    dice = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(dice.normal(0, 2e-4, count)))
    opens = np.append(100.0, close[:-1]) * np.exp(dice.normal(0, 5e-5, count))
    reach = np.abs(dice.normal(0, 1e-4, (2, count)))
    return frame_of(
        np.arange(count, dtype=np.int64) * 60_000_000,
        {
            "open": opens,
            "high": np.maximum(opens, close) * (1 + reach[0]),
            "low": np.minimum(opens, close) * (1 - reach[1]),
            "close": close,
            "volume": np.round(dice.uniform(1, 1_000, count), 3),
        },
    )


@compiled
def _crossings(close: Any, fast: int, slow: int, direction: Any) -> None:
    fast_sum = slow_sum = 0.0
    above, known = False, False
    for at in range(len(close)):
        fast_sum += close[at]
        slow_sum += close[at]
        if at >= fast:
            fast_sum -= close[at - fast]
        if at >= slow:
            slow_sum -= close[at - slow]
        direction[at] = KEEP
        if at >= slow - 1:
            now = fast_sum / fast > slow_sum / slow
            if known and now != above:
                direction[at] = LONG if now else FLAT
            above, known = now, True
