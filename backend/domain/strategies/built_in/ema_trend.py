"""Exponential averages give the side, the strength of the trend gives leave."""

from typing import Self

from pydantic import model_validator

from backend.domain.indicators.trend import adx, ema
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import positions


class EmaTrend(TradingStrategy):
    """On the side of the fast exponential average, once the trend is strong; out when the averages change sides.

    Works in trends that last for weeks: waiting for strength spares many crossings that lead nowhere.
    Fails when strength comes late: in short trends it enters near their end, and sharp turns hit it in full.
    """

    name = "ema_trend"
    title = "EMA trend"
    markets = "Trending markets with noise: coins, commodities, currencies, on hourly to daily bars"

    class Parameters(StrategyParameters):
        fast: int = parameter(20, title="Fast", description="Bars of the fast average", unit="bars", ge=2, le=1_000)
        slow: int = parameter(50, title="Slow", description="Bars of the slow average", unit="bars", ge=3, le=2_000)
        strength_period: int = parameter(
            14, title="Strength over", description="Bars of the average directional index", unit="bars", ge=2, le=200
        )
        strength: float = parameter(
            20.0, title="Least strength", description="The index an entry needs; 0 asks for none", ge=0, le=100
        )

        @model_validator(mode="after")
        def _fast_is_faster(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast} and slow is {self.slow}; fast has to be less than slow.")
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        given = self.parameters
        return (
            Plot(indicator="ema", parameters={"period": given.fast}),
            Plot(indicator="ema", parameters={"period": given.slow}),
            Plot(indicator="adx", parameters={"period": given.strength_period}, levels=(given.strength,)),
        )

    def generate_signals(self, market: Market) -> Signals:
        given = self.parameters
        fast, slow = ema(market.close, given.fast), ema(market.close, given.slow)
        strength = adx(market.high, market.low, market.close, given.strength_period)
        is_strong, is_up, is_down = strength >= given.strength, fast > slow, fast < slow
        names = f"the {given.fast}-bar average is {{}} the {given.slow}-bar one"
        above, beneath = names.format("above"), names.format("beneath")
        return positions(
            enter_long=is_up & is_strong,
            exit_long=is_down,
            enter_short=is_down & is_strong,
            exit_short=is_up,
            reasons=[
                f"A trend of at least {given.strength:g}, and {above}",
                f"The trend is over: {beneath}",
                f"A trend of at least {given.strength:g}, and {beneath}",
                f"The trend is over: {above}",
            ],
        )
