"""The rule of the Turtles: buy the highest price of some weeks, leave at the lowest of fewer."""

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from backend.domain.indicators.volatility import donchian
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import positions

Floats = npt.NDArray[np.float64]


class DonchianBreakout(TradingStrategy):
    """Long when the close leaves the channel of the bars before upwards, short downwards, out at a shorter channel.

    Works on rare large trends, which pay for many small losses; most of its trades lose.
    Fails in ranges, where every new high is sold at once, and for people who cannot bear ten losses in a row.
    """

    name = "donchian_breakout"
    title = "Donchian breakout"
    markets = "Many markets at once: futures, currencies, large coins, on 4-hour to daily bars"

    class Parameters(StrategyParameters):
        enter: int = parameter(
            20,
            title="Enter over",
            description="Bars whose highest high (or lowest low) the close has to pass",
            unit="bars",
            ge=2,
            le=1_000,
        )
        leave: int = parameter(
            10,
            title="Leave over",
            description="Bars whose lowest low (or highest high) ends it",
            unit="bars",
            ge=2,
            le=1_000,
        )

        @model_validator(mode="after")
        def _leaves_sooner(self) -> Self:
            if self.leave > self.enter:
                raise ValueError(f"leave is {self.leave} and enter is {self.enter}; leave can be at most enter.")
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        return (
            Plot(indicator="donchian", parameters={"period": self.parameters.enter}, outputs=("upper", "lower")),
            Plot(indicator="donchian", parameters={"period": self.parameters.leave}, outputs=("upper", "lower")),
        )

    def least_bars(self) -> int:
        return self.parameters.enter + 1

    def generate_signals(self, market: Market) -> Signals:
        given, close = self.parameters, market.close
        top, _, bottom = (_before(line) for line in donchian(market.high, market.low, given.enter))
        near_top, _, near_bottom = (_before(line) for line in donchian(market.high, market.low, given.leave))
        return positions(
            enter_long=close > top,
            exit_long=close < near_bottom,
            enter_short=close < bottom,
            exit_short=close > near_top,
            reasons=[
                f"The close is above the highest high of the {given.enter} bars before",
                f"The close is below the lowest low of the {given.leave} bars before",
                f"The close is below the lowest low of the {given.enter} bars before",
                f"The close is above the highest high of the {given.leave} bars before",
            ],
        )


def _before(line: Floats) -> Floats:
    """As it was one bar before: a bar cannot break a channel that it is part of."""
    return np.concatenate(([np.nan], line[:-1]))[: len(line)]
