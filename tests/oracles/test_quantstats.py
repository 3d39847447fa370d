"""Daily statistics beside quantstats, on returns of every temper. Where ours differ on purpose, the test says so."""

import math

import numpy as np
import pandas as pd
import pytest
import quantstats.stats as qs

from backend.domain.market import ALWAYS, Timeframe
from backend.domain.trading.daily import DailyEquity
from backend.domain.trading.performance import performance

DAY = 86_400_000_000
FIRST = 18_262 * DAY  # 2020-01-01
START = 10_000.0

SAMPLES = {
    "calm": (7, 0.0004, 0.004, None),
    "wild": (8, 0.001, 0.03, 3.0),
    "falling": (9, -0.002, 0.01, 5.0),
}


def returns_like(name: str, count: int = 700) -> pd.Series:
    seed, drift, scale, freedom = SAMPLES[name]
    random = np.random.default_rng(seed)
    noise = random.standard_normal(count) if freedom is None else random.standard_t(freedom, count)
    index = pd.DatetimeIndex((FIRST + np.arange(count) * DAY).astype("datetime64[us]"))
    return pd.Series(np.clip(drift + scale * noise, -0.5, 0.5), index=index)


def daily_of(returns: pd.Series, periods: float) -> DailyEquity:
    return DailyEquity(
        start=START,
        days=np.arange(len(returns)) + FIRST // DAY,
        equity=START * np.cumprod(1 + returns.to_numpy()),
        periods_a_year=periods,
    )


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("periods", [252, 365])
def test_ratios_are_those_of_quantstats(name: str, periods: int) -> None:
    returns = returns_like(name)
    ours = performance(daily_of(returns, periods))
    theirs = {
        "total_return": qs.comp(returns),
        "volatility": qs.volatility(returns, periods=periods),
        "sharpe": qs.sharpe(returns, periods=periods),
        "sortino": qs.sortino(returns, periods=periods),
        "omega": qs.omega(returns, periods=periods),
        "var_95": qs.value_at_risk(returns),
        "cvar_95": qs.cvar(returns),
        "cvar_95_seen": qs.cvar(returns, method="historical"),
        "skew": qs.skew(returns),
        "kurtosis": qs.kurtosis(returns),
        "best_day": qs.best(returns),
        "worst_day": qs.worst(returns),
        "max_drawdown": qs.max_drawdown(returns),
        "cagr": qs.cagr(returns, periods=periods),
        "calmar": qs.calmar(returns, periods=periods),
    }
    assert not ours.missing.keys() & theirs.keys()
    for statistic, value in theirs.items():
        assert ours[statistic] == pytest.approx(float(value), rel=1e-9, abs=1e-12), statistic


@pytest.mark.parametrize("name", SAMPLES)
def test_the_way_along_a_benchmark_is_that_of_quantstats(name: str) -> None:
    returns, other = returns_like(name), returns_like("calm")[::-1].set_axis(returns_like(name).index)
    returns = returns + 0.5 * other
    ours = performance(daily_of(returns, 252), daily_of(other, 252))
    greeks = qs.greeks(returns, other, periods=252)
    assert ours["beta"] == pytest.approx(float(greeks["beta"]), rel=1e-9)
    assert ours["alpha"] == pytest.approx(float(greeks["alpha"]), rel=1e-9)
    assert ours["correlation"] == pytest.approx(float(returns.corr(other)), rel=1e-9)
    # Theirs is of one day, ours is annualised as the Sharpe ratio is.
    theirs = float(qs.information_ratio(returns, other)) * math.sqrt(252)
    assert ours["information_ratio"] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_deepest_drawdown_has_their_dates(name: str) -> None:
    returns = returns_like(name)
    ours = performance(daily_of(returns, 365))
    details = qs.drawdown_details(qs.to_drawdown_series(returns))
    deepest = details.loc[details["max drawdown"].astype(float).idxmin()]
    assert ours["max_drawdown_trough"] == str(deepest["valley"])[:10]
    # Theirs begins with the first day below the peak, ours with the peak.
    began = pd.Timestamp(str(deepest["start"])[:10])
    assert pd.Timestamp(str(ours["max_drawdown_peak"])) == began - pd.Timedelta(days=1)


def test_days_come_from_bars_of_any_length() -> None:
    returns = returns_like("wild", 60)
    hourly = np.repeat(START * np.cumprod(1 + returns.to_numpy()), 24)
    closes = FIRST + (np.arange(len(hourly)) + 1) * DAY // 24
    daily = DailyEquity.of(closes, hourly, start=START, calendar=ALWAYS, timeframe=Timeframe.H1)
    assert performance(daily)["sharpe"] == pytest.approx(float(qs.sharpe(returns, periods=365)), rel=1e-9)
