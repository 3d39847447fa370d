"""Random bars and signals for tests, made from a seed."""

from typing import Any

import numpy as np
import pandas as pd

from backend.backtesting.engine import Feed
from backend.domain.bars import frame_of
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals

HOUR = 3_600_000_000


def random_bars(count: int, seed: int, *, gaps: float = 0.5, digits: int | None = None) -> pd.DataFrame:
    """Bars of a random walk that often opens away from the last close. Few digits make prices meet exactly."""
    dice = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(dice.normal(0, 0.02, count)))
    opens = np.append(100.0, close[:-1]) * np.exp(dice.normal(0, 0.02 * gaps, count))
    high = np.maximum(opens, close) * np.exp(np.abs(dice.normal(0, 0.01, count)))
    low = np.minimum(opens, close) * np.exp(-np.abs(dice.normal(0, 0.01, count)))
    prices = {"open": opens, "high": high, "low": low, "close": close}
    if digits is not None:
        prices = {name: np.maximum(np.round(values, digits), 10.0**-digits) for name, values in prices.items()}
    volume = np.round(dice.uniform(0, 500, count))
    return frame_of(np.arange(count, dtype=np.int64) * HOUR, {**prices, "volume": volume})


def random_signals(bars: pd.DataFrame, seed: int, *, levels: bool = True) -> Signals:
    """Every kind of signal, more often none."""
    dice = np.random.default_rng([seed, 1])
    count = len(bars)
    close = bars["close"].to_numpy()
    direction = dice.choice([KEEP, LONG, SHORT, FLAT], count, p=[0.7, 0.12, 0.1, 0.08]).astype(np.int8)
    columns: dict[str, Any] = {}
    if levels:
        side = np.where(direction == SHORT, -1, 1)
        columns = {
            "size": np.where(dice.random(count) < 0.5, dice.uniform(0.2, 1, count), np.nan),
            "limit": np.where(
                (dice.random(count) < 0.3) & (direction != FLAT), close * (1 - side * 0.01 * dice.random(count)), np.nan
            ),
            "stop": np.where(dice.random(count) < 0.3, close * (1 - side * 0.05 * dice.random(count)), np.nan),
            "target_percent": np.where(dice.random(count) < 0.3, dice.uniform(0.5, 5, count), np.nan),
            "trail_percent": np.where(dice.random(count) < 0.2, dice.uniform(0.5, 5, count), np.nan),
            "rank": dice.integers(-2, 3, count).astype(float),
        }
    return Signals.of(direction, bars=count, **columns)


def feed(bars: pd.DataFrame, signals: Signals, symbol: str = "A", **instrument: float) -> Feed:
    return Feed(symbol=symbol, timeframe=Timeframe.H1, calendar=ALWAYS, bars=bars, signals=signals, **instrument)  # type: ignore[arg-type]  # tick and lot
