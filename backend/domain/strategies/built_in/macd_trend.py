"""MACD's crossings, taken only in the direction of the long trend."""

from typing import Self

from pydantic import model_validator

from backend.domain.indicators.trend import ema, macd
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import crossed, positions


class MacdTrend(TradingStrategy):
    """Long when MACD crosses above its signal line in a rising market, short when it crosses beneath in a falling one.

    Works where trends pause and go on: it buys the end of a pause.
    Fails in ranges, where both lines cling to zero and cross all the time, and at the turn of the long trend, which
    its average sees last.
    """

    name = "macd_trend"
    title = "MACD with the trend"
    markets = "Indices, large shares and coins with lasting trends, on 4-hour to daily bars"

    class Parameters(StrategyParameters):
        fast: int = parameter(12, title="Fast", description="Bars of MACD's fast average", unit="bars", ge=2, le=500)
        slow: int = parameter(26, title="Slow", description="Bars of MACD's slow average", unit="bars", ge=3, le=1_000)
        signal: int = parameter(9, title="Signal", description="Bars of the signal line", unit="bars", ge=1, le=200)
        trend: int = parameter(
            200,
            title="Long trend",
            description="Bars of the average that says where the market goes",
            unit="bars",
            ge=10,
            le=2_000,
        )

        @model_validator(mode="after")
        def _each_is_slower_than_the_last(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast} and slow is {self.slow}; fast has to be less than slow.")
            if self.slow >= self.trend:
                raise ValueError(f"slow is {self.slow} and trend is {self.trend}; slow has to be less than trend.")
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        given = self.parameters
        lines = {"fast": given.fast, "slow": given.slow, "signal": given.signal}
        return (
            Plot(indicator="macd", parameters=lines, levels=(0,)),
            Plot(indicator="ema", parameters={"period": given.trend}),
        )

    def generate_signals(self, market: Market) -> Signals:
        given = self.parameters
        line, average, _ = macd(market.close, given.fast, given.slow, given.signal)
        crossings, trend = crossed(line, average), ema(market.close, given.trend)
        names = f"({given.fast}, {given.slow}, {given.signal})"
        above, beneath = f"MACD {names} crossed above its signal", f"MACD {names} crossed beneath its signal"
        return positions(
            enter_long=(crossings > 0) & (market.close > trend),
            exit_long=crossings < 0,
            enter_short=(crossings < 0) & (market.close < trend),
            exit_short=crossings > 0,
            reasons=[
                f"{above}, and the close is above its {given.trend}-bar average",
                beneath,
                f"{beneath}, and the close is beneath its {given.trend}-bar average",
                above,
            ],
        )
