"""Patterns that traders read as a turn, taken only where there is something to turn."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from backend.domain.indicators.trend import sma
from backend.domain.patterns.catalogue import CHART, PATTERNS, marks
from backend.domain.signals import FLAT, LONG, NO_REASON, SHORT, Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import hold, signals

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.int8]

CANDLES: Final = (
    "morning_star",
    "evening_star",
    "engulfing",
    "piercing",
    "dark_cloud_cover",
    "hammer",
    "shooting_star",
)
SHAPES: Final = ("double_bottom", "double_top", "inverse_head_and_shoulders", "head_and_shoulders")


class PatternReversal(TradingStrategy):
    """Long on a bullish pattern after a decline, short on a bearish one after a rise; leaves after some bars.

    Works now and then at the edges of ranges, where others see the same pattern and act on it.
    Fails in strong trends, against which every one of its trades stands. Single candlesticks say little: expect many
    trades and thin gains, and look at the confidence interval before the return.
    """

    name = "pattern_reversal"
    title = "Pattern reversal"
    markets = "Ranging shares, coins and currencies, on hourly to daily bars"

    class Parameters(StrategyParameters):
        patterns: Literal["candlesticks", "chart", "both"] = parameter(
            "both", title="Patterns", description="Candlesticks, chart patterns such as double bottoms, or both"
        )
        trend: int = parameter(
            20,
            title="Trend",
            description="Below the average of so many bars is a decline, above it a rise",
            unit="bars",
            ge=2,
            le=500,
        )
        hold: int = parameter(10, title="Hold", description="It leaves after so many bars", unit="bars", ge=1, le=500)
        stop_bars: int = parameter(
            3,
            title="Stop beyond",
            description="The stop is at the extreme of so many bars; 0 sets none",
            unit="bars",
            ge=0,
            le=50,
        )

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        return (Plot(indicator="sma", parameters={"period": self.parameters.trend}),)

    def warmup(self) -> int:
        return max(self.parameters.trend, *(PATTERNS[name].settled for name in self._chosen))

    def generate_signals(self, market: Market) -> Signals:
        sides, seen = self._seen(market)
        direction, is_over = hold(sides, self.parameters.hold)
        enters = (direction == LONG) | (direction == SHORT)
        reason = np.where(enters, seen, np.where(is_over, len(self._chosen), NO_REASON)).astype(np.int16)
        words = [PATTERNS[name].title for name in self._chosen]
        words.append(f"{self.parameters.hold} bars have passed since the pattern")
        stops = {"stop": self._stops(market, direction)} if self.parameters.stop_bars else {}
        return signals(np.where(is_over, np.int8(FLAT), direction), reason, words, **stops)

    @property
    def _chosen(self) -> tuple[str, ...]:
        return {"candlesticks": CANDLES, "chart": SHAPES, "both": (*SHAPES, *CANDLES)}[self.parameters.patterns]

    def _seen(self, market: Market) -> tuple[Marks, npt.NDArray[np.int16]]:
        """On each bar which side its first pattern speaks for, and which pattern that is."""
        average = sma(market.close, self.parameters.trend)
        sides, seen = np.zeros(len(market), np.int8), np.full(len(market), NO_REASON, np.int16)
        for code, name in reversed(list(enumerate(self._chosen))):
            found = marks(name, market.inputs)
            if name not in CHART:
                # A candle turns what has been going on; a chart pattern brings the move before it along.
                found = np.where(found * (market.close - average) < 0, found, np.int8(0))
            found = np.where(np.isfinite(average), found, np.int8(0))
            sides, seen = np.where(found != 0, found, sides), np.where(found != 0, np.int16(code), seen)
        return sides, seen

    def _stops(self, market: Market, direction: Marks) -> Floats:
        lows, highs = market.low.copy(), market.high.copy()
        for back in range(1, min(self.parameters.stop_bars, len(market))):
            lows[back:] = np.minimum(lows[back:], market.low[:-back])
            highs[back:] = np.maximum(highs[back:], market.high[:-back])
        return np.select([direction == LONG, direction == SHORT], [lows, highs], np.nan)
