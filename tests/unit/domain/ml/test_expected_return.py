"""What a probability is worth, and between which values the return will lie."""

import numpy as np
import pytest

from backend.domain.ml.conformal import Conformal, horizon_volatility, proven_coverage
from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.expected_return import ReturnMap
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.spec import ModelSpec
from tests.unit.domain.ml.truths import market, planted

SPEC = ModelSpec(horizon=1)


def test_more_likely_up_expects_more_when_it_was_so_before() -> None:
    truth = planted(8_000, auc=0.65, seed=1)
    found = ReturnMap.fit(truth.predicted(), SPEC)
    low, high = found.expected(np.array([0.3, 0.7])).tolist()
    near = np.abs(truth.probability - 0.7) < 0.02
    assert low < 0 < high
    assert high == pytest.approx(truth.forward[near].mean(), rel=0.35)
    # Beyond what was seen the line stays flat.
    assert found.expected(np.array([1.0])) == found.expected(np.array([found.high]))


def test_without_a_signal_every_probability_expects_about_nothing() -> None:
    """A line through all of it would expect more than this in half of the cases."""
    shrunk, seen = [], []
    for seed in range(40):
        truth = market(1_500, 12, memory=0.9, signal=0.0, seed=seed)
        found = ReturnMap.fit(truth.predicted(), ModelSpec(horizon=12))
        shrunk.append(found.slope)
        seen.append(abs(np.polyfit(truth.probability, truth.forward, 1)[0]))
    assert np.median(shrunk) == 0.0
    assert np.mean(shrunk) < 0.4 * np.mean(seen)
    assert min(shrunk) >= 0.0


def test_a_model_that_was_always_wrong_expects_no_more_the_surer_it_is() -> None:
    truth = planted(4_000, auc=0.65, seed=2)
    wrong = OutOfFold(
        rows=np.arange(4_000),
        folds=np.ones(4_000, np.int64),
        probability=1 - truth.probability,
        labels=truth.ups.astype(np.int8),
        forward=truth.forward,
    )
    assert ReturnMap.fit(wrong, SPEC).slope == 0.0


def test_nothing_was_predicted_so_nothing_is_expected() -> None:
    nothing = planted(100, auc=0.6, seed=1).predicted().where(np.zeros(100, np.bool_))
    assert ReturnMap.fit(nothing, SPEC).expected(np.array([0.1, 0.9])).tolist() == [0.0, 0.0]


def _wild(rows: int, seed: int) -> tuple[Floats, Floats]:
    """Returns with fat tails, whose volatility changes threefold, and what is known of it."""
    dice = np.random.default_rng(seed)
    volatility = 0.01 * np.exp(0.6 * np.sin(np.arange(rows) / 150) + 0.1 * dice.standard_normal(rows))
    return dice.standard_t(4, rows) * volatility, volatility


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_as_many_fresh_returns_lie_inside_as_it_says(level: float) -> None:
    forward, volatility = _wild(12_000, 1)
    nothing = np.zeros(6_000)
    interval = Conformal.fit(nothing, forward[:6_000], volatility[:6_000], level=level)
    low, high = interval.around(nothing, volatility[6_000:])
    inside = (forward[6_000:] >= low) & (forward[6_000:] <= high)
    assert inside.mean() == pytest.approx(level, abs=0.015)
    # And not only in the mean: in still times as in wild ones.
    wild = volatility[6_000:] > np.median(volatility)
    assert inside[wild].mean() == pytest.approx(level, abs=0.025)
    assert inside[~wild].mean() == pytest.approx(level, abs=0.025)


def test_it_is_wider_when_the_market_is_wilder_and_never_below_nothing() -> None:
    forward, volatility = _wild(3_000, 2)
    interval = Conformal.fit(np.zeros(3_000), forward, volatility)
    low, high = interval.around(np.zeros(4), np.array([0.0, 0.01, 0.03, 5.0]))
    assert (np.diff(high - low) > 0).all()
    assert high[2] == pytest.approx(3 * high[1])
    assert low[3] == -1.0
    assert high[0] > 0 > low[0]


def test_too_few_rows_make_it_wider_than_all_that_was_seen() -> None:
    interval = Conformal.fit(np.zeros(5), np.array([0.01, -0.02, 0.0, 0.01, 0.005]), np.full(5, 0.01))
    low, high = interval.around(np.zeros(1), np.array([0.01]))
    assert (low[0], high[0]) == (pytest.approx(-0.04), pytest.approx(0.04))


def test_coverage_is_proven_on_folds_that_came_later() -> None:
    forward, volatility = _wild(6_000, 3)
    predicted = OutOfFold(
        rows=np.arange(6_000),
        folds=np.arange(6_000) // 1_200 + 1,
        probability=np.random.default_rng(1).random(6_000),
        labels=(forward > 0).astype(np.int8),
        forward=forward,
    )
    assert proven_coverage(predicted, volatility, SPEC) == pytest.approx(0.9, abs=0.02)
    assert proven_coverage(predicted.where(predicted.folds == 1), volatility[:1_200], SPEC) is None
    # Had the last fold's returns been ten times as large, nobody could have known.
    wilder = OutOfFold(
        rows=predicted.rows,
        folds=predicted.folds,
        probability=predicted.probability,
        labels=predicted.labels,
        forward=np.where(predicted.folds == 5, 10 * forward, forward),
    )
    assert (proven_coverage(wilder, volatility, SPEC) or 1.0) < 0.8


def test_volatility_of_a_row_has_the_same_bits_whatever_came_long_before() -> None:
    close = np.exp(np.cumsum(0.01 * np.random.default_rng(1).standard_normal(1_000)))
    whole = horizon_volatility(close, 12)
    assert np.array_equal(whole[500:], horizon_volatility(close[400:], 12)[100:])
    assert np.array_equal(whole[:300], horizon_volatility(close[:300], 12))
    assert whole[999] == pytest.approx(np.sqrt((np.diff(np.log(close[-61:])) ** 2).mean() * 12))
    assert np.median(whole) == pytest.approx(0.01 * np.sqrt(12), rel=0.1)
    assert horizon_volatility(np.full(70, 5.0), 3).tolist() == [0.0] * 70


def test_what_is_kept_says_the_same_after_it_was_read_again() -> None:
    forward, volatility = _wild(500, 4)
    interval = Conformal.fit(np.zeros(500), forward, volatility)
    assert Conformal.of(interval.document()) == interval
    returns = ReturnMap.fit(planted(500, auc=0.6, seed=1).predicted(), SPEC)
    assert ReturnMap.of(returns.document()) == returns
