"""The calendar's periods in which bars are kept and hashed."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.grid import microseconds
from backend.domain.market import Timeframe
from backend.domain.periods import by_period, period_begin, period_name, period_of


@pytest.mark.parametrize(
    ("timeframe", "name"),
    [
        (Timeframe.M1, "2026-11"),
        (Timeframe.M5, "2026-10"),
        (Timeframe.M15, "2026-01"),
        (Timeframe.H1, "2025-01"),
        (Timeframe.H4, "2020-01"),
        (Timeframe.D1, "2000-01"),
        (Timeframe.W1, "2000-01"),
    ],
)
def test_longer_bars_have_longer_periods(timeframe: Timeframe, name: str) -> None:
    start = microseconds(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    assert period_name(period_of(start, timeframe), timeframe) == name


@given(start=st.integers(-(10**17), 10**17), timeframe=st.sampled_from(Timeframe))
def test_every_moment_is_in_the_period_that_it_is_in(start: int, timeframe: Timeframe) -> None:
    period = period_of(start, timeframe)
    assert period_begin(period, timeframe) <= start < period_begin(period + 1, timeframe)


def test_rows_are_cut_where_periods_end() -> None:
    starts = np.array([microseconds(datetime(2025, month, 1, tzinfo=UTC)) for month in (1, 3, 4, 12)])
    assert [(period_name(period, Timeframe.M5), rows) for period, rows in by_period(starts, Timeframe.M5)] == [
        ("2025-01", slice(0, 2)),
        ("2025-04", slice(2, 3)),
        ("2025-10", slice(3, 4)),
    ]
    assert list(by_period(starts[:0], Timeframe.M1)) == []
