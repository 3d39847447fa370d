"""Compile all loops of indicators, patterns and strategies, so that nobody's first run waits."""

import numpy as np

from backend.domain.bars import frame_of
from backend.domain.indicators.catalogue import INDICATORS
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.patterns.catalogue import PATTERNS, marks
from backend.domain.strategies.market import Floats, Market, OutOfSample
from backend.domain.strategies.registry import StrategyRegistry


def main() -> None:
    market = _market()
    for each in INDICATORS.values():
        each.compute(market.inputs)
    for name in PATTERNS:
        marks(name, market.inputs)
    for listed in StrategyRegistry(points=lambda: ()):
        listed.strategy().generate_signals(market)


def _market() -> Market:
    rows = np.arange(400)
    price = 100.0 + 10 * np.sin(rows / 9) + rows % 3
    columns = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": np.ones(len(rows))}
    instrument = Instrument(provider="demo", symbol="WAVE", name="Wave", calendar=ALWAYS, currency="USD")
    bars = frame_of(rows.astype(np.int64) * Timeframe.D1.seconds * 1_000_000, columns)
    return Market.of(bars, instrument, Timeframe.D1, predictions=_Undecided())


class _Undecided:
    """What a strategy does with predictions needs no model."""

    def probability_up(self, market: Market, wanted: OutOfSample) -> Floats:
        return np.full(len(market), 0.5)
