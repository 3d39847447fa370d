"""How far a Sharpe ratio can be believed: against the papers' own figures, and against histories that are known."""

import math

import numpy as np
import pytest

from backend.domain.trading.evidence import (
    deflated_sharpe,
    expected_best_of,
    minimum_backtest_days,
    minimum_record_days,
    probability_above,
    sharpe_interval,
    spread_of,
    t_value_of,
)
from backend.domain.trading.statistics import Missing


def test_the_deflated_ratio_is_that_of_the_paper() -> None:
    """Bailey and López de Prado (2014), their example: 2.5 a year over 5 years of 250 days, best of 100 trials."""
    sharpe = 2.5 / math.sqrt(250)
    found = deflated_sharpe(
        sharpe, days=1_250, skew=-3.0, kurtosis=7.0, trials=100, spread_of_trials=math.sqrt(0.5 / 250)
    )
    assert found == pytest.approx(0.9004, abs=5e-4)


def test_the_best_of_many_random_tries_is_expected_to_shine() -> None:
    """The paper on minimum lengths: after 45 tries five years are needed for a ratio of 1 to say anything."""
    days = minimum_backtest_days(1 / math.sqrt(252), trials=45, periods_a_year=252)
    assert days / 252 == pytest.approx(5.0, abs=0.15)
    best = np.random.default_rng(1).standard_normal((20_000, 45)).max(axis=1).mean()
    assert expected_best_of(45) == pytest.approx(best, rel=0.02)
    assert expected_best_of(1) == 0.0


def test_a_true_ratio_lies_in_its_interval_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(60):
        found = sharpe_interval(0.001 + 0.01 * random.standard_normal(500), 252, seed=1)
        inside += found.low <= 0.1 * math.sqrt(252) <= found.high
    assert 50 <= inside <= 60
    assert (found.block_days, found.draws, found.level) == (8, 1_000, 0.95)


def test_the_same_seed_draws_the_same_interval() -> None:
    returns = np.random.default_rng(4).standard_normal(300) * 0.01
    assert sharpe_interval(returns, 365, seed=9) == sharpe_interval(returns, 365, seed=9)
    assert sharpe_interval(returns, 365, seed=9) != sharpe_interval(returns, 365, seed=10)


def test_what_is_too_short_or_flat_has_no_interval() -> None:
    with pytest.raises(Missing, match="at least 30 days of returns; there are 29"):
        sharpe_interval(np.full(29, 0.01), 365, seed=1)
    with pytest.raises(Missing, match="did not move"):
        sharpe_interval(np.zeros(100), 365, seed=1)


def test_a_record_is_long_enough_when_the_ratio_is_surely_above_nothing() -> None:
    sharpe, shape = 0.08, {"skew": -0.5, "kurtosis": 2.0}
    days = minimum_record_days(sharpe, **shape)
    assert probability_above(sharpe, 0.0, days=days, **shape) == pytest.approx(0.95, abs=1e-3)
    for length in (minimum_record_days, minimum_backtest_days):
        more = shape if length is minimum_record_days else {"trials": 3, "periods_a_year": 252}
        with pytest.raises(Missing, match="not above 0"):
            length(-0.1, **more)


def test_one_trial_alone_spreads_as_chance_would() -> None:
    assert spread_of(np.array([0.2]), days=400) == pytest.approx(0.05)
    assert spread_of(np.array([2.0, 6.0, np.nan]), days=400) == pytest.approx(np.std([0.1, 0.3], ddof=1))


def test_trials_of_any_length_are_told_in_ratios_of_the_length_that_is_asked() -> None:
    t_values = np.array([t_value_of(0.1, days=400), t_value_of(0.05, days=1_600), t_value_of(-0.1, days=400)])
    assert t_values == pytest.approx([2, 2, -2])
    assert spread_of(t_values, days=100) == pytest.approx(2 * spread_of(t_values, days=400))
