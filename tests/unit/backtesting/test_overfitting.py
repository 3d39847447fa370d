"""The probability of backtest overfitting, on tries that are chance, on one that is real, and by brute force."""

from itertools import combinations

import numpy as np
import pytest

from backend.backtesting.overfitting import BlockSums, overfitting
from backend.domain.trading.statistics import Missing


def noise(trials: int, days: int = 640, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((days, trials)) * 0.01


def test_it_is_what_trying_every_half_says() -> None:
    returns = noise(7, days=64, seed=5)
    parts = np.array_split(np.arange(64), 8)
    below = []
    for chosen in combinations(range(8), 4):
        inside = returns[np.concatenate([parts[block] for block in chosen])]
        outside = returns[np.concatenate([parts[block] for block in range(8) if block not in chosen])]
        best = (inside.mean(axis=0) / inside.std(axis=0, ddof=1)).argmax()
        sharpes = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        below.append(((sharpes < sharpes[best]).sum() + 1) / 8 < 0.5)
    found = overfitting(BlockSums.of(returns, blocks=8))
    assert found.probability == pytest.approx(np.mean(below))
    assert (found.trials, found.blocks, found.halves) == (7, 8, 70)


def test_the_best_of_chance_is_as_likely_bad_as_good() -> None:
    found = [overfitting(BlockSums.of(noise(40, seed=seed))).probability for seed in range(6)]
    assert 0.35 < np.mean(found) < 0.75


def test_one_that_is_real_stays_on_top() -> None:
    returns = noise(40)
    returns[:, 17] += 0.004
    found = overfitting(BlockSums.of(returns))
    assert found.probability < 0.02
    assert found.kept is not None
    assert found.kept > 0.7


def test_tries_that_are_all_the_same_say_nothing_either_way() -> None:
    found = overfitting(BlockSums.of(np.repeat(noise(1), 5, axis=1)))
    assert found.probability == 0.0


def test_too_few_tries_or_days_are_refused_with_numbers() -> None:
    with pytest.raises(Missing, match="at least 2 trials to compare; there is 1"):
        BlockSums.of(noise(1))
    with pytest.raises(Missing, match="at least 32 days, 2 in each of 16 blocks; there are 31"):
        BlockSums.of(noise(3, days=31))
