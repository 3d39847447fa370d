"""Buy at the first bar and never sell: what every other strategy has to beat."""

import numpy as np

from backend.domain.signals import KEEP, LONG, NO_REASON, Signals
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import signals


class BuyAndHold(TradingStrategy):
    """Buys once and holds to the end.

    Works where a market rises over the years, as broad share indices did; it pays next to nothing in fees.
    Fails where nobody could sit through the fall: it takes every drawdown in full, and a market may stay below its
    high for a decade.
    """

    name = "buy_and_hold"
    title = "Buy and hold"
    markets = "Broad indices, and as the benchmark of everything else"

    def generate_signals(self, market: Market) -> Signals:
        direction, reason = np.full(len(market), KEEP, np.int8), np.full(len(market), NO_REASON, np.int16)
        direction[:1], reason[:1] = LONG, 0
        return signals(direction, reason, ["The first bar: buy and hold to the end"])
