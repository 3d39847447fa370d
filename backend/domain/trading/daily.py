"""Equity by day: what a run was worth when each day ended, which is what all statistics of returns start from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from backend.domain.market import FOREX, Timeframe, bars_a_year
from backend.domain.trading.statistics import Missing

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Days = npt.NDArray[np.int64]  # since 1970-01-01

MICROSECONDS_A_DAY: Final = 86_400_000_000
_SATURDAY: Final = 5
_DAYS_A_WEEK: Final = 7
_THURSDAY: Final = 3  # 1970-01-01 was one; Monday is 0


@dataclass(frozen=True, kw_only=True, eq=False)
class DailyEquity:
    """What there was at the start, and at the end of each day on which there was a bar."""

    start: float
    days: Days
    equity: Floats
    periods_a_year: float

    @classmethod
    def of(cls, closed_at: Rows, equity: Floats, *, start: float, calendar: str, timeframe: Timeframe) -> Self:
        """From the equity at each close, in time order; `closed_at` is in microseconds since 1970, UTC."""
        ends = ends_of_days(closed_at, calendar)
        return cls.at(closed_at[ends], equity[ends], start=start, calendar=calendar, timeframe=timeframe)

    @classmethod
    def at(cls, closed_at: Rows, equity: Floats, *, start: float, calendar: str, timeframe: Timeframe) -> Self:
        """From what is known to be the last close of each day."""
        return cls(
            start=start,
            days=day_of(closed_at - 1, weekdays=calendar == FOREX),
            equity=equity,
            periods_a_year=bars_a_year(calendar, Timeframe.D1 if timeframe.is_intraday else timeframe),
        )

    def __len__(self) -> int:
        return len(self.days)

    @cached_property
    def path(self) -> Floats:
        """The start and then each day, so that the first day has a return too."""
        return np.concatenate(([self.start], self.equity))

    @cached_property
    def returns(self) -> Floats:
        """One for each day. Raises Missing where there is none, or the account was empty."""
        if len(self) == 0:
            raise Missing("There is no bar, so there is no return.")
        empty = np.flatnonzero(self.path <= 0)
        if len(empty):
            day = date_of(int(self.days[max(int(empty[0]) - 1, 0)]))
            raise Missing(f"The account was empty on {day}, and returns need money.")
        return self.path[1:] / self.path[:-1] - 1.0

    @property
    def years(self) -> float:
        return len(self.days) / self.periods_a_year


def day_of(instants: npt.NDArray[np.int64], *, weekdays: bool = False) -> Days:
    days = instants // MICROSECONDS_A_DAY
    if weekdays:
        weekday = weekday_of(days)
        days = days + np.where(weekday >= _SATURDAY, _DAYS_A_WEEK - weekday, 0)
    return days


def weekday_of(days: Days) -> Days:
    """Monday is 0."""
    return (days + _THURSDAY) % _DAYS_A_WEEK


def date_of(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def ends_of_days(starts: Rows, calendar: str, *, length: int = 0) -> Rows:
    """The row of the last bar of each day. Days are few and bars are many, so it looks for the days' ends.

    Each bar closes so many microseconds after its start; without a length these are the closes themselves. A bar that
    closes at midnight belongs to the day that ends. What currencies do on a weekend is Monday's.
    """
    weekdays = calendar == FOREX
    if not len(starts):
        return np.empty(0, np.int64)
    first, last = (starts[[0, -1]] + length - 1) // MICROSECONDS_A_DAY
    if len(starts) < last - first:
        days = day_of(starts + length - 1, weekdays=weekdays)
        return np.append(np.flatnonzero(days[1:] != days[:-1]), len(days) - 1)
    ends = (np.arange(first, last + 1) + 1) * MICROSECONDS_A_DAY
    if weekdays:
        # The ends of a Saturday and a Sunday are none.
        ends = ends[weekday_of(ends // MICROSECONDS_A_DAY - 1) < _SATURDAY]
    rows = np.searchsorted(starts, np.append(ends - length, starts[-1]), side="right") - 1
    return np.unique(rows[rows >= 0])
