"""A run as it is looked at by the checks of the trust panel, and what each of them comes back with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from backend.backtesting.analysis import Analysis
from backend.backtesting.engine import Feed
from backend.backtesting.result import Result
from backend.backtesting.run import Run, feeds_of
from backend.backtesting.verdicts import Fact, Verdict
from backend.domain.quality import Quality
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.trading.statistics import Missing

Floats = npt.NDArray[np.float64]
Finding = tuple[Verdict, str, Mapping[str, Fact]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """All that was tried of one strategy on one symbol, this run included; t-values are those of the Sharpe ratios."""

    trials: int
    t_values: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """A run to be looked at: one market and one feed for each symbol, in the same order."""

    strategy: TradingStrategy
    markets: Sequence[Market]
    feeds: Sequence[Feed]
    result: Result
    analysis: Analysis
    seed: int = 0
    family: Family | None = None  # none = this is the first trial
    quality: Sequence[Quality] = ()  # of each symbol's bars, where somebody looked

    @classmethod
    def of(cls, run: Run, *, family: Family | None = None, quality: Sequence[Quality] = ()) -> Self:
        """A run that was just made."""
        return cls(
            strategy=run.strategy,
            markets=run.markets,
            feeds=feeds_of(run.histories, run.signals, run.details),
            result=run.result,
            analysis=run.analysis,
            seed=run.config.seed,
            family=family,
            quality=quality,
        )


def figure(run: Examined, name: str) -> float:
    value = run.analysis.statistics.number(name)
    if value is None:
        raise Missing(run.analysis.statistics.missing.get(name, f"{name} is not known."))
    return value
