"""Calendar periods: bars are kept, and hashed, by months, quarters or years, so that a period has some ten thousand."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.market import Timeframe

Starts = npt.NDArray[np.int64]  # microseconds since 1970

_MONTHS: Final = {
    Timeframe.M1: 1,
    Timeframe.M3: 3,
    Timeframe.M5: 3,
    Timeframe.M15: 12,
    Timeframe.M30: 12,
    Timeframe.H1: 60,
    Timeframe.H2: 60,
    Timeframe.H4: 120,
    Timeframe.H6: 120,
    Timeframe.H8: 120,
    Timeframe.H12: 120,
    Timeframe.D1: 1200,
    Timeframe.W1: 1200,
}
# numpy counts months since 1970; years that can be divided by 5 or 10 should begin a period.
_MONTHS_BEFORE_1970: Final = 1970 * 12


def period_of(start: int, timeframe: Timeframe) -> int:
    """The number of the period that a bar belongs to, by its start in microseconds."""
    month = int(np.datetime64(start, "us").astype("datetime64[M]").astype(np.int64))
    return (month + _MONTHS_BEFORE_1970) // _MONTHS[timeframe]


def period_begin(period: int, timeframe: Timeframe) -> int:
    """When it begins, in microseconds; it ends where the next one begins."""
    return int(_first_month(period, timeframe).astype("datetime64[us]").astype(np.int64))


def period_name(period: int, timeframe: Timeframe) -> str:
    """Its first month: 2026-01."""
    return str(_first_month(period, timeframe))


def by_period(starts: Starts, timeframe: Timeframe) -> Iterator[tuple[int, slice]]:
    """The periods that have bars, in order, each with the rows of its bars."""
    row = 0
    while row < len(starts):
        period = period_of(int(starts[row]), timeframe)
        end = int(np.searchsorted(starts, period_begin(period + 1, timeframe)))
        yield period, slice(row, end)
        row = end


def _first_month(period: int, timeframe: Timeframe) -> np.datetime64:
    return np.datetime64(period * _MONTHS[timeframe] - _MONTHS_BEFORE_1970, "M")
