"""Plain forecasts know what lies in their lesson, and nothing of what comes after it."""

import numpy as np
import pytest

from backend.domain.ml.baselines import plain_forecasts
from backend.domain.ml.bootstrap import auc, ranked
from backend.domain.ml.splits import Bounds, Fold

FOLD = Fold(
    number=1,
    train=Bounds(first=50, last=3_000),
    stop=Bounds(first=3_010, last=3_500),
    test=Bounds(first=3_510, last=5_000),
)
TEST = slice(3_510, 5_000)


def _lesson(seed: int, weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    rows = dice.standard_normal((5_000, len(weights))).astype(np.float32) * [1, 100, 0.01, 1][: len(weights)] + 3
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    labels = dice.random(5_000) < 1 / (1 + np.exp(-(scaled @ np.array(weights) - 0.4)))
    rows[:50] = np.nan
    return np.ascontiguousarray(rows, np.float32), labels.astype(np.int8)


def test_the_linear_one_finds_what_is_linear_whatever_the_units() -> None:
    rows, labels = _lesson(1, [0.3, -0.3, 0.3, 0.0])
    said = plain_forecasts(rows, rows[:, 0].astype(np.float64), labels, FOLD)
    ups = labels[TEST] == 1
    linear, alone = (auc(ranked(said[name]), ups) for name in ("linear", "last_return"))
    assert linear == pytest.approx(0.64, abs=0.03)
    assert 0.53 < alone < linear - 0.03
    assert said["linear"].mean() == pytest.approx(ups.mean(), abs=0.03)
    assert said["base_rate"].tolist() == [pytest.approx(labels[50:3_000].mean())] * 1_490


def test_they_say_the_same_whatever_the_answers_after_the_lesson_are() -> None:
    rows, labels = _lesson(2, [0.3, -0.3])
    before = plain_forecasts(rows, rows[:, 0].astype(np.float64), labels, FOLD)
    other = labels.copy()
    other[3_500:] = 1 - other[3_500:]
    after = plain_forecasts(rows, rows[:, 0].astype(np.float64), other, FOLD)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_columns_that_never_move_and_rows_without_an_answer_do_no_harm() -> None:
    rows, labels = _lesson(3, [0.5, 0.0])
    rows[:, 1] = 7
    labels[100:200] = -1
    said = plain_forecasts(rows, np.zeros(5_000), labels, FOLD)
    assert said["base_rate"][0] == pytest.approx((labels[50:3_000] == 1).sum() / 2_850)
    assert np.ptp(said["last_return"]) == 0
    assert all(np.isfinite(one).all() and (one > 0).all() and (one < 1).all() for one in said.values())


def test_where_there_is_nothing_the_ridge_holds_it_near_the_base_rate() -> None:
    dice = np.random.default_rng(4)
    rows = dice.standard_normal((5_000, 60)).astype(np.float32)
    labels = (dice.random(5_000) < 0.5).astype(np.int8)
    said = plain_forecasts(rows, rows[:, 0].astype(np.float64), labels, FOLD)
    assert np.abs(said["linear"] - said["base_rate"]).mean() < 0.05
