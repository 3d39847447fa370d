"""Daily statistics on histories small enough to reckon by hand, and on those of which little can be said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.market import ALWAYS, FOREX, Timeframe
from backend.domain.trading.daily import MICROSECONDS_A_DAY, DailyEquity
from backend.domain.trading.performance import performance

FIRST_DAY = 18_262  # 2020-01-01, a Wednesday


def daily(*equity: float, start: float = 100.0, periods: float = 365.0) -> DailyEquity:
    return DailyEquity(
        start=start,
        days=np.arange(len(equity)) + FIRST_DAY,
        equity=np.array(equity, np.float64),
        periods_a_year=periods,
    )


def test_a_drawdown_has_a_peak_a_trough_and_a_way_back() -> None:
    found = performance(daily(110.0, 99.0, 88.0, 99.0, 111.0, 105.0))
    assert found["max_drawdown"] == pytest.approx(-0.2)
    assert found["max_drawdown_peak"] == "2020-01-01"
    assert found["max_drawdown_trough"] == "2020-01-03"
    assert found["max_drawdown_recovered"] == "2020-01-05"
    assert found["max_drawdown_days"] == 4
    assert found["longest_under_water_days"] == 4
    assert found["time_under_water"] == pytest.approx(4 / 6)


def test_a_drawdown_from_the_start_begins_the_day_before_and_may_last() -> None:
    found = performance(daily(90.0, 95.0))
    assert found["max_drawdown_peak"] == "2019-12-31"
    assert found["max_drawdown_recovered"] == "still open"
    assert found["max_drawdown_days"] == 2
    assert found["longest_under_water_days"] == 2


def test_growth_is_of_years_of_the_market() -> None:
    assert performance(daily(*np.linspace(100.5, 121.0, 504), periods=252.0))["cagr"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("equity", "name", "reason"),
    [
        ((), "total_return", "no bar"),
        ((), "sharpe", "no bar"),
        ((), "time_under_water", "no bar"),
        ((101.0,), "sharpe", "at least 2 days; there is 1"),
        ((100.0, 100.0, 100.0), "sharpe", "did not move"),
        ((100.0, 100.0, 100.0), "max_drawdown", "never fell"),
        ((101.0, 102.0, 103.0), "sortino", "No day lost"),
        ((101.0, 102.0, 103.0), "calmar", "never fell"),
        ((101.0, 99.0), "skew", "at least 4 days; there are 2"),
        ((50.0, 0.0, 0.0), "sharpe", "empty on 2020-01-02"),
        ((50.0, -10.0), "cagr", "Nothing is left"),
        ((1e6,), "cagr", "too few to be stretched"),
        ((101.0, 99.0), "beta", "no benchmark"),
    ],
)
def test_what_cannot_be_computed_is_missing_with_its_reason(equity: tuple[float, ...], name: str, reason: str) -> None:
    found = performance(daily(*equity))
    assert name not in found.values
    assert reason in found.missing[name]


def test_an_account_that_follows_its_benchmark_differs_in_nothing() -> None:
    mine = daily(101.0, 99.0, 104.0, 103.0, 108.0)
    found = performance(mine, mine)
    assert found["beta"] == pytest.approx(1)
    assert found["alpha"] == pytest.approx(0, abs=1e-12)
    assert found["tracking_error"] == 0.0
    assert "did not move" in found.missing["information_ratio"]


def test_a_benchmark_of_other_days_counts_where_both_have_one() -> None:
    other = DailyEquity(start=10.0, days=np.array([FIRST_DAY + 90]), equity=np.array([11.0]), periods_a_year=365.0)
    assert "has 0 of these days" in performance(daily(101.0, 99.0), other).missing["beta"]


@given(st.lists(st.floats(0, 1e9), max_size=40))
def test_no_figure_is_ever_none_nan_or_infinite(equity: list[float]) -> None:
    found = performance(daily(*equity), daily(*equity[::-1]))
    assert not found.values.keys() & found.missing.keys()
    assert all(np.isfinite(value) for value in found.values.values() if not isinstance(value, str))
    assert all(reason.endswith(".") for reason in found.missing.values())


@given(
    st.lists(st.integers(1, 4_000), min_size=1, max_size=200),
    st.sampled_from([ALWAYS, FOREX]),
)
def test_a_day_ends_with_its_last_bar_however_many_there_are(steps: list[int], calendar: str) -> None:
    """The same rows, found day by day."""
    closed_at = (FIRST_DAY * 1_440 + np.cumsum(steps)) * (MICROSECONDS_A_DAY // 1_440)
    equity = np.arange(1, len(steps) + 1, dtype=np.float64)
    found = DailyEquity.of(closed_at, equity, start=1.0, calendar=calendar, timeframe=Timeframe.M1)
    last: dict[int, float] = {}
    for at, value in zip(closed_at, equity, strict=True):
        day = int((at - 1) // MICROSECONDS_A_DAY)
        while calendar == FOREX and (day + 3) % 7 >= 5:
            day += 1
        last[day] = value
    assert dict(zip(found.days.tolist(), found.equity.tolist(), strict=True)) == last
