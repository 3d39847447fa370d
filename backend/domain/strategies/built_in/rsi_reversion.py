"""What fell too fast comes back: the relative strength index at its extremes."""

from typing import Self

import numpy as np
from pydantic import model_validator

from backend.domain.indicators.momentum import rsi
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import positions


class RsiReversion(TradingStrategy):
    """Long when the RSI is oversold, short when it is overbought, out when it is back in the middle.

    Works in ranges, and on broad indices, whose sharp falls were often bought back within days.
    Fails in crashes and strong trends: the index stays oversold all the way down, and the position with it.
    """

    name = "rsi_reversion"
    title = "RSI reversion"
    markets = "Ranging currencies, broad indices, on hourly to daily bars"

    class Parameters(StrategyParameters):
        period: int = parameter(14, title="Period", description="Bars of the index", unit="bars", ge=2, le=500)
        oversold: float = parameter(30.0, title="Oversold", description="Below it one buys", ge=1, le=49)
        overbought: float = parameter(70.0, title="Overbought", description="Above it one sells short", ge=51, le=99)
        leave: float = parameter(50.0, title="Leave at", description="Back at it one is out", ge=2, le=98)

        @model_validator(mode="after")
        def _levels_are_in_order(self) -> Self:
            if not self.oversold < self.leave < self.overbought:
                raise ValueError(
                    f"oversold is {self.oversold:g}, leave is {self.leave:g}, overbought is {self.overbought:g};"
                    " they have to rise in this order."
                )
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        given = self.parameters
        levels = (given.oversold, given.leave, given.overbought)
        return (Plot(indicator="rsi", parameters={"period": given.period}, levels=levels),)

    def generate_signals(self, market: Market) -> Signals:
        given, index = self.parameters, rsi(market.close, self.parameters.period)
        # Of a price that has not moved yet TA-Lib says 0, as if it had only fallen.
        has_moved = np.logical_or.accumulate(market.close != market.close[:1])
        name = f"RSI ({given.period})"
        return positions(
            enter_long=(index < given.oversold) & has_moved,
            exit_long=index >= given.leave,
            enter_short=index > given.overbought,
            exit_short=index <= given.leave,
            reasons=[
                f"{name} fell below {given.oversold:g}: oversold",
                f"{name} is back at {given.leave:g}",
                f"{name} rose above {given.overbought:g}: overbought",
                f"{name} is back at {given.leave:g}",
            ],
        )
