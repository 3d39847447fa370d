"""Rules that somebody put together without code."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import field_validator

from backend.domain.market import Timeframe
from backend.domain.signals import Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.rules.evaluating import signals_from
from backend.domain.strategies.rules.examples import BREAKOUT_ON_VOLUME
from backend.domain.strategies.rules.numbers import numbers_in, with_numbers
from backend.domain.strategies.rules.reading import read_rules, written
from backend.domain.strategies.rules.tree import Indicated, Rules, lines


class RulesStrategy(TradingStrategy):
    """Enters and leaves when conditions come true that you put together from prices, indicators, patterns and times.

    Works as well as its rules: start from one idea that you can say in a sentence.
    Fails when rules are added until the past looks good; each of them makes it likelier that the future will not.
    Watch the number of trials and the deflated Sharpe ratio.
    """

    name = "rules"
    title = "Rules without code"
    markets = "Any"

    class Parameters(StrategyParameters):
        rules: dict[str, Any] = parameter(
            BREAKOUT_ON_VOLUME, title="Rules", description="A tree of conditions; a schema of its own describes it"
        )

        @field_validator("rules", mode="before")
        @classmethod
        def _are_rules(cls, value: object) -> dict[str, Any]:
            """In their full form, with every default written out, so that a stored run says all."""
            return written(read_rules(value, at="/parameters/rules"))

    parameters: Parameters

    @classmethod
    def of(cls, document: object) -> Self:
        """From a tree of rules, as JSON text or parsed."""
        return cls.given({"rules": document})

    @classmethod
    def numbers_within(cls, parameters: Mapping[str, Any]) -> Mapping[str, int | float]:
        return dict(numbers_in(parameters.get("rules", BREAKOUT_ON_VOLUME)))

    @classmethod
    def placed(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        rules = parameters.get("rules", BREAKOUT_ON_VOLUME)
        numbers = {name: value for name, value in parameters.items() if name != "rules"}
        return {"rules": with_numbers(rules, numbers)} if numbers and isinstance(rules, Mapping) else parameters

    @cached_property
    def tree(self) -> Rules:
        return read_rules(self.parameters.rules)

    def plots(self) -> tuple[Plot, ...]:
        """What the rules look at on these bars; longer bars have a chart of their own."""
        shown: dict[str, Plot] = {}
        for line in lines(self.tree):
            if isinstance(line, Indicated) and line.timeframe is None:
                shown.setdefault(
                    f"{line.indicator} {line.parameters}", Plot(indicator=line.indicator, parameters=line.parameters)
                )
        return tuple(shown.values())

    def warmup(self) -> int:
        return super().warmup() + max((line.ago for line in lines(self.tree) if line.timeframe is None), default=0)

    def longer_warmup(self) -> Mapping[Timeframe, int]:
        needed: dict[Timeframe, int] = {}
        for line in lines(self.tree):
            if line.timeframe is not None:
                settled = (
                    Plot(indicator=line.indicator, parameters=line.parameters).settled
                    if isinstance(line, Indicated)
                    else 0
                )
                needed[line.timeframe] = max(needed.get(line.timeframe, 0), settled + line.ago + 1)
        return needed

    def generate_signals(self, market: Market) -> Signals:
        return signals_from(self.tree, market)
