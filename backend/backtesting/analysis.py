"""What a backtest amounts to: all its statistics, the groups of its trades, and its returns month by month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.backtesting.result import Floats, Result
from backend.domain.market import Timeframe
from backend.domain.trading.daily import DailyEquity, Rows, ends_of_days
from backend.domain.trading.performance import performance
from backend.domain.trading.statistics import Statistics
from backend.domain.trading.trade_statistics import Group, groups, trade_statistics


@dataclass(frozen=True, kw_only=True)
class MonthlyReturn:
    """One month of the account, the first one from the start."""

    month: str  # 2024-03
    value: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """The figures of one result, beside a benchmark."""

    daily: DailyEquity
    benchmark: DailyEquity | None
    statistics: Statistics
    groups: Mapping[str, Sequence[Group]]
    months: Sequence[MonthlyReturn]


def analyse(result: Result, *, timeframe: Timeframe, calendar: str, benchmark: Floats | None = None) -> Analysis:
    """`benchmark` is a price at each close of the run; without one it is to buy all symbols at first and to hold."""
    length = timeframe.seconds * 1_000_000
    ends = ends_of_days(result.starts, calendar, length=length)
    closed_at = result.starts[ends] + length

    def by_day(values: Floats, start: float) -> DailyEquity:
        return DailyEquity.at(closed_at, values, start=start, calendar=calendar, timeframe=timeframe)

    daily = by_day(result.equity[ends], result.start_cash)
    held = buy_and_hold(result, ends) if benchmark is None else benchmark[ends] / benchmark[0]
    beside = by_day(held, 1.0) if np.isfinite(held).all() else None
    figures = performance(daily, beside) | trade_statistics(
        result.trades, result.starts, mean_equity=float(daily.equity.mean()), years=daily.years
    )
    return Analysis(
        daily=daily,
        benchmark=beside,
        statistics=figures,
        groups=groups(result.trades, result.starts),
        months=_months(daily),
    )


def buy_and_hold(result: Result, at: Rows) -> Floats:
    """The mean of what one unit of money in each symbol became by these bars; one that comes later waits as money."""
    total = np.zeros(len(at))
    for closes in result.closes:
        first = closes[0] if np.isfinite(closes[0]) else closes[int(np.isfinite(closes).argmax())]
        total += np.nan_to_num(closes[at] / first, nan=1.0)
    return total / len(result.closes)


def _months(daily: DailyEquity) -> Sequence[MonthlyReturn]:
    """Until the account was empty."""
    months = daily.days.astype("datetime64[D]").astype("datetime64[M]")
    last = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    ends = daily.equity[last]
    before = np.concatenate(([daily.start], ends[:-1]))
    return tuple(
        MonthlyReturn(month=str(months[row]), value=float(end / begin - 1.0))
        for row, end, begin in zip(last, ends, before, strict=True)
        if begin > 0
    )
