"""Prices outside their usual band come back to its middle, most of the time."""

from backend.domain.indicators.volatility import bollinger
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import EQUAL, positions


class BollingerReversion(TradingStrategy):
    """Long when the close is below the lower band, short when it is above the upper one, out at the middle.

    Works in calm ranges: many small gains.
    Fails when a range breaks: the bands widen behind the price, and one loss eats many gains. Give it a stop.
    """

    name = "bollinger_reversion"
    title = "Bollinger reversion"
    markets = "Ranging markets: currency pairs, spreads, calm coins, on 15-minute to daily bars"

    class Parameters(StrategyParameters):
        period: int = parameter(20, title="Period", description="Bars of the middle", unit="bars", ge=2, le=1_000)
        deviations: float = parameter(
            2.0, title="Width", description="How far the bands are from the middle", unit="deviations", ge=0.1, le=10
        )

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        given = self.parameters
        return (Plot(indicator="bollinger", parameters={"period": given.period, "deviations": given.deviations}),)

    def generate_signals(self, market: Market) -> Signals:
        given, close = self.parameters, market.close
        upper, middle, lower = bollinger(close, given.period, given.deviations)
        name = f"Bollinger band ({given.period}, {given.deviations:g})"
        return positions(
            enter_long=close < lower * (1 - EQUAL),
            exit_long=close >= middle,
            enter_short=close > upper * (1 + EQUAL),
            exit_short=close <= middle,
            reasons=[
                f"The close is below the lower {name}",
                f"The close is back at the middle of the {name}",
                f"The close is above the upper {name}",
                f"The close is back at the middle of the {name}",
            ],
        )
