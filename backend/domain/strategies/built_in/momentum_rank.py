"""Hold what rose most, and change it now and then: momentum across symbols."""

import numpy as np
import numpy.typing as npt

from backend.domain.signals import FLAT, KEEP, LONG, NO_REASON, Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Joined, Market
from backend.domain.strategies.saying import signals

Floats = npt.NDArray[np.float64]
# A symbol that has not traded for so many bars is gone, and takes nobody's place.
_GONE_AFTER_BARS = 10


class MomentumRank(TradingStrategy):
    """Long in the symbols that rose most over the past, rebalanced at set times; it holds none that fell.

    Works across many unlike symbols over years: what rose tends to go on for some months.
    Fails at turning points, where yesterday's winners fall first and together, and with so few symbols that the best
    of them is no more than the least bad. A list of symbols that one picks today knows who survived.
    """

    name = "momentum_rank"
    title = "Momentum rank"
    markets = "Ten or more symbols together: sector funds, large shares, large coins, on daily bars"
    needs_symbols = True

    class Parameters(StrategyParameters):
        lookback: int = parameter(
            90, title="Look back", description="Over how many bars the rise is measured", unit="bars", ge=2, le=1_000
        )
        skip: int = parameter(
            5, title="Leave out", description="The latest bars, which tend to turn back", unit="bars", ge=0, le=100
        )
        top: int = parameter(3, title="Hold", description="How many symbols are held", unit="symbols", ge=1, le=100)
        every: int = parameter(
            20,
            title="Rebalance every",
            description="How many bars' time lies between two changes",
            unit="bars",
            ge=1,
            le=500,
        )

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        return (Plot(indicator="roc", parameters={"period": self.parameters.lookback}, levels=(0,)),)

    def warmup(self) -> int:
        return self.parameters.lookback + self.parameters.skip

    def least_bars(self) -> int:
        return self.warmup() + 1

    def generate_signals(self, market: Market) -> Signals:
        given, own = self.parameters, self._rise(market)
        rank = self._rank(market, own)
        is_held = np.isfinite(own) & (own > 0) & (rank < given.top)
        direction = np.where(is_held, np.int8(LONG), np.int8(FLAT))
        reason = np.select([is_held, own <= 0, np.isfinite(own)], [0, 1, 2], NO_REASON).astype(np.int16)
        waits = ~self._rebalances(market)
        direction[waits], reason[waits] = KEEP, NO_REASON
        over = f"over {given.lookback} bars"
        count = len(market.symbols)
        words = [
            f"Among the {given.top} of {count} symbols that rose most {over}",
            f"It fell {over}",
            f"No longer among the {given.top} of {count} symbols that rose most {over}",
        ]
        return signals(direction, reason, words, rank=np.where(is_held, rank, np.nan))

    def _rank(self, market: Market, own: Floats) -> Floats:
        """How many symbols are before this one; of equals the first in the alphabet is."""
        rank = np.zeros(len(market))
        for symbol in market.symbols:
            if symbol != market.symbol:
                other = market.other(symbol)
                rise = self._still_there(other, other.line(self._rise), market)
                rank += (rise > own) | ((rise == own) & (symbol < market.symbol))
        return rank

    def _rise(self, market: Market) -> Floats:
        given, rise = self.parameters, np.full(len(market), np.nan)
        begins = given.lookback + given.skip
        if len(market) > begins:
            close = market.close
            rise[begins:] = close[given.lookback : len(close) - given.skip] / close[: len(close) - begins] - 1
        return rise

    def _still_there(self, other: Joined, rise: Floats, market: Market) -> Floats:
        return np.where(other.ages <= _GONE_AFTER_BARS * market.timeframe.seconds, rise, np.nan)

    def _rebalances(self, market: Market) -> npt.NDArray[np.bool_]:
        """The first bar of each stretch of time; stretches are the same for all symbols, whenever they begin."""
        stretch = market.starts // (self.parameters.every * market.timeframe.seconds * 1_000_000)
        return np.concatenate((np.isfinite(market.close[:1]), stretch[1:] != stretch[:-1]))
