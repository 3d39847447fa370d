"""Short trades in the direction of a break that many take part in."""

import numpy as np
import numpy.typing as npt

from backend.domain.indicators.volatility import atr, donchian
from backend.domain.indicators.volume import relative_volume
from backend.domain.signals import FLAT, LONG, NO_REASON, SHORT, Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import hold, signals

Floats = npt.NDArray[np.float64]


class BreakoutScalping(TradingStrategy):
    """Enters when the close breaks the range of the bars before on high volume; stop, target and time end the trade.

    Works in lively hours of liquid markets, where a break on volume is followed for some bars.
    Fails on costs before anything else: its gains are small, so look at the break-even cost. It fails in quiet hours,
    where breaks have no followers, and where the volume is not known it never trades.
    """

    name = "breakout_scalping"
    title = "Breakout scalping"
    markets = "Liquid coins, futures and shares, on 1 to 15-minute bars, with low fees"

    class Parameters(StrategyParameters):
        period: int = parameter(20, title="Range", description="Bars whose range is broken", unit="bars", ge=2, le=500)
        volume: float = parameter(
            1.5,
            title="Least volume",
            description="Volume of the break, as a multiple of the average before it",
            unit="times",
            ge=0,
            le=20,
        )
        stop: float = parameter(
            1.0, title="Stop", description="How far from the close the stop is", unit="ATR", ge=0.1, le=20
        )
        target: float = parameter(
            1.5, title="Target", description="How far from the close the target is", unit="ATR", ge=0.1, le=50
        )
        hold: int = parameter(
            12, title="Hold", description="After so many bars it leaves whatever happened", unit="bars", ge=1, le=1_000
        )

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        period = {"period": self.parameters.period}
        return (
            Plot(indicator="donchian", parameters=period, outputs=("upper", "lower")),
            Plot(indicator="relative_volume", parameters=period, levels=(self.parameters.volume,)),
            Plot(indicator="atr", parameters=period),
        )

    def generate_signals(self, market: Market) -> Signals:
        given, close = self.parameters, market.close
        direction, is_over = hold(self._breaks(market), given.hold)
        enters = (direction == LONG) | (direction == SHORT)
        step = np.where(enters, direction * atr(market.high, market.low, close, given.period), np.nan)
        reason = np.select([direction == LONG, direction == SHORT, is_over], [0, 1, 2], NO_REASON).astype(np.int16)
        broke = f"of the {given.period} bars before on at least {given.volume:g} times the usual volume"
        return signals(
            np.where(is_over, np.int8(FLAT), direction),
            reason,
            [
                f"The close broke the high {broke}",
                f"The close broke the low {broke}",
                f"{given.hold} bars have passed since the break",
            ],
            stop=_positive(close - given.stop * step),
            target=_positive(close + given.target * step),
        )

    def _breaks(self, market: Market) -> npt.NDArray[np.int8]:
        upper, _, lower = donchian(market.high, market.low, self.parameters.period)
        marks = np.zeros(len(market), np.int8)
        marks[1:][market.close[1:] > upper[:-1]] = 1
        marks[1:][market.close[1:] < lower[:-1]] = -1
        is_lively = relative_volume(market.volume, self.parameters.period) >= self.parameters.volume
        has_range = atr(market.high, market.low, market.close, self.parameters.period) > 0
        return np.where(is_lively & has_range, marks, np.int8(0))


def _positive(prices: Floats) -> Floats:
    """A price that would lie at or below zero is never reached, and is none."""
    return np.where(prices > 0, prices, np.nan)
