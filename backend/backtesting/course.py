"""What all trials of a family run over: a strategy, its bars, and the rules of trading."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.backtesting.analysis import Analysis, analyse
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.result import Result
from backend.domain.bars import frame_of
from backend.domain.config import TradingConfig
from backend.domain.signals import Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import StrategyParameters, TradingStrategy
from backend.domain.strategies.market import Market


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """A strategy on its symbols, traded from one moment up to another. What lies before is history to look back on."""

    strategy: type[TradingStrategy]
    markets: tuple[Market, ...]  # one a symbol, each with what it may see of the others
    trading: TradingConfig
    detail: Mapping[str, pd.DataFrame] = field(default_factory=lambda: MappingProxyType({}))  # shorter bars by symbol
    hashes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of the bars, by symbol
    since: int | None = None  # the first bar traded, in microseconds since 1970

    @property
    def symbol(self) -> str:
        return ",".join(sorted(market.symbol for market in self.markets))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first bar traded of each symbol."""
        if self.since is None:
            return (0,) * len(self.markets)
        return tuple(int(np.searchsorted(market.starts, self.since)) for market in self.markets)

    @cached_property
    def timeline(self) -> npt.NDArray[np.int64]:
        """When the bars traded start, of all symbols."""
        starts = [market.starts[start:] for market, start in zip(self.markets, self.starts, strict=True)]
        return starts[0] if len(starts) == 1 else np.unique(np.concatenate(starts))

    def between(self, since: int, until: int) -> Self:
        """From a bar up to, not including, another one, both by their starts: nothing later can be seen."""
        return replace(
            self,
            since=since,
            markets=tuple(market.first(int(np.searchsorted(market.starts, until))) for market in self.markets),
        )

    def signals(self, parameters: StrategyParameters) -> tuple[Signals, ...]:
        """Of the bars traded, a row a symbol; the history before them is used."""
        strategy = self.strategy(parameters)
        asked = (signals_of(strategy, market) for market in self.markets)
        return tuple(_from(signals, start) for signals, start in zip(asked, self.starts, strict=True))

    def backtest(self, parameters: StrategyParameters) -> Result:
        """The whole of one trial."""
        return self.trade(self.signals(parameters))

    def trade(self, signals: tuple[Signals, ...]) -> Result:
        feeds = [
            Feed(
                symbol=market.symbol,
                timeframe=market.timeframe,
                calendar=market.instrument.calendar,
                bars=frame_of(market.starts[start:], {name: values[start:] for name, values in market.columns.items()}),
                signals=said,
                tick=market.instrument.tick,
                lot=market.instrument.lot,
                detail=self.detail.get(market.symbol),
                content_hash=self.hashes.get(market.symbol, ""),
            )
            for market, start, said in zip(self.markets, self.starts, signals, strict=True)
        ]
        return backtest(feeds, self.trading)

    def analyse(self, result: Result) -> Analysis:
        first = self.markets[0]
        return analyse(result, timeframe=first.timeframe, calendar=first.instrument.calendar)


def _from(signals: Signals, start: int) -> Signals:
    if start == 0:
        return signals
    return Signals(
        direction=signals.direction[start:],
        reason=None if signals.reason is None else signals.reason[start:],
        reasons=signals.reasons,
        **{name: values[start:] for name, values in signals.columns.items()},
    )
