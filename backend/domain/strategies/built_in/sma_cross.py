"""The oldest of trend rules: a fast average against a slow one."""

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from backend.domain.compiled import compiled
from backend.domain.signals import KEEP, LONG, NO_REASON, SHORT, Codes, Directions, Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import EQUAL, signals

Floats = npt.NDArray[np.float64]


class SmaCross(TradingStrategy):
    """Long when the fast simple average crosses above the slow one, short when it crosses beneath.

    Works in long trends: it is in for most of a move and out of most of a crash.
    Fails in sideways markets, where averages cross back and forth and each crossing costs fees; it enters and leaves
    late by about half the slow period.
    """

    name = "sma_cross"
    title = "SMA cross"
    markets = "Trending markets: indices, futures, large coins, on hourly to daily bars"

    class Parameters(StrategyParameters):
        fast: int = parameter(20, title="Fast", description="Bars of the fast average", unit="bars", ge=2, le=1_000)
        slow: int = parameter(50, title="Slow", description="Bars of the slow average", unit="bars", ge=3, le=2_000)
        at_once: bool = parameter(
            False,
            title="Enter at once",
            description="Take the side that the averages are on when both are first known, instead of waiting for"
            " the first crossing",
        )

        @model_validator(mode="after")
        def _fast_is_faster(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast} and slow is {self.slow}; fast has to be less than slow.")
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        return (
            Plot(indicator="sma", parameters={"period": self.parameters.fast}),
            Plot(indicator="sma", parameters={"period": self.parameters.slow}),
        )

    def generate_signals(self, market: Market) -> Signals:
        fast, slow = self.parameters.fast, self.parameters.slow
        direction, reason = _crossings(market.close, fast, slow, self.parameters.at_once)
        above, beneath = f"The {fast}-bar average crossed above", f"The {fast}-bar average crossed beneath"
        first = f"When both averages were first known, the {fast}-bar one was"
        words = [above, beneath, f"{first} above", f"{first} beneath"]
        return signals(direction, reason, [f"{text} the {slow}-bar average" for text in words])


@compiled
def _crossings(close: Floats, fast: int, slow: int, at_once: bool) -> tuple[Directions, Codes]:
    """Both averages and their crossings in one pass: the sums of `sma`, the comparison of `crossed`.

    What enters a window and what leaves it are joined before they meet the sum, so that the loop waits for one
    addition a bar and not for two.
    """
    count = len(close)
    direction, reason = np.full(count, KEEP, np.int8), np.full(count, NO_REASON, np.int16)
    if count < slow:
        return direction, reason
    fast_sum, slow_sum = close[slow - fast : slow].sum(), close[:slow].sum()
    per_fast, per_slow = 1.0 / fast, 1.0 / slow
    side = 0
    for row in range(slow - 1, count):
        if row >= slow:
            fast_sum += close[row] - close[row - fast]
            slow_sum += close[row] - close[row - slow]
        average = slow_sum * per_slow
        distance = fast_sum * per_fast - average
        if distance * side > 0 or abs(distance) <= EQUAL * average:
            continue
        now = LONG if distance > 0 else SHORT
        if side != 0 or at_once:
            direction[row] = now
            reason[row] = (0 if now > 0 else 1) + (2 if side == 0 else 0)
        side = now
    return direction, reason
