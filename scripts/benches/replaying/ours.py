"""The same work by Tidemark: from a checked frame to signals, fills, trades, equity and every statistic."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backend.backtesting.analysis import analyse
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.result import Result
from backend.backtesting.trust import Examined, Trust, examine
from backend.domain.bars import frame_of
from backend.domain.config import TradingConfig
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.signals import Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.market import Market
from backend.domain.strategies.registry import StrategyRegistry

PLAIN = TradingConfig()
PROTECTED = TradingConfig.model_validate({"execution": {"stop_percent": 1, "target_percent": 2}})


STRATEGY = StrategyRegistry().strategy("sma_cross", {"fast": 20, "slow": 50})
WALK = Instrument(provider="bench", symbol="WALK", name="A random walk", calendar=ALWAYS, currency="USD")


def run(bars: pd.DataFrame, config: TradingConfig = PLAIN) -> Examined:
    """Ready for the trust panel, which is not made yet."""
    market = Market.of(bars, WALK, Timeframe.M1)
    feed = _feed(bars, signals_of(STRATEGY, market))
    result = backtest([feed], config)
    analysis = analyse(result, timeframe=Timeframe.M1, calendar=ALWAYS)
    return Examined(strategy=STRATEGY, markets=[market], feeds=[feed], result=result, analysis=analysis)


def trusted(run: Examined) -> Trust:
    return examine(run)


def replayed(bars: pd.DataFrame, signals: Signals, config: TradingConfig = PLAIN) -> Result:
    return backtest([_feed(bars, signals)], config)


def _feed(bars: pd.DataFrame, signals: Signals) -> Feed:
    return Feed(symbol=WALK.symbol, timeframe=Timeframe.M1, calendar=ALWAYS, bars=bars, signals=signals)


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
