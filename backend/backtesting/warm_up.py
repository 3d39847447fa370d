"""Compile all kernels, so that nobody's first run waits: `python -m backend.backtesting.warm_up`.

The scripts that set Tidemark up run it. It is quick when everything is compiled already.
"""

import numpy as np

from backend.backtesting.course import Course
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.guards import look_ahead, shuffled
from backend.backtesting.trying import Trier
from backend.domain.bars import frame_of
from backend.domain.config import TradingConfig
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.ml import warm_up as learning
from backend.domain.signals import FLAT, KEEP, LONG, Signals
from backend.domain.strategies import warm_up as strategies
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.market import Market
from backend.domain.trading.evidence import sharpe_interval


def main() -> None:
    config = TradingConfig.model_validate({"sizing": {"method": "volatility", "percent": 10, "volatility_bars": 2}})
    for symbols in (1, 2):
        result = backtest([_feed(str(symbol)) for symbol in range(symbols)], config)
        result.position()
    strategies.main()
    learning.main()
    _try_pairs(config)
    _doubt()


def _try_pairs(config: TradingConfig) -> None:
    """What sweeps run."""
    course = Course(strategy=SmaCross, markets=(_market(),), trading=config)
    Trier(course).run([((), SmaCross.Parameters(fast=2, slow=3))])


def _doubt() -> None:
    """What the trust panel runs besides."""
    market, strategy = _market(), SmaCross(SmaCross.Parameters(fast=2, slow=3))
    look_ahead(strategy, market, signals_of(strategy, market))
    shuffled(market, seed=1)
    sharpe_interval(np.sin(np.arange(40, dtype=np.float64)), 365.0, seed=1)


def _market() -> Market:
    feed = _feed("0")
    instrument = Instrument(provider="", symbol=feed.symbol, name="", calendar=feed.calendar, currency="")
    return Market.of(feed.bars, instrument, feed.timeframe)


def _feed(symbol: str) -> Feed:
    count = 12
    price = np.asarray(100 + np.arange(count) % 3, np.float64)
    columns = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": np.ones(count)}
    direction = np.full(count, KEEP, np.int8)
    direction[4:10:2], direction[5:11:2] = LONG, FLAT
    return Feed(
        symbol=symbol,
        timeframe=Timeframe.D1,
        calendar=ALWAYS,
        bars=frame_of(np.arange(count, dtype=np.int64) * Timeframe.D1.seconds * 1_000_000, columns),
        signals=Signals.of(direction, bars=count),
    )


if __name__ == "__main__":
    main()
