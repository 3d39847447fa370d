"""A control that never fails is none: what knows the future is named, and what does not is left in peace."""

import numpy as np
import pytest

from backend.domain.ml.controls import leaks, shuffled_control, shuffled_labels
from backend.domain.ml.forecaster import Labels, Matrix
from backend.domain.ml.spec import ModelSpec

SPEC = ModelSpec(horizon=12)
NAMES = ("steady", "quick", "future", "slow")


def _market(seed: int, rows: int = 6_000) -> tuple[Matrix, Labels, Labels, np.ndarray]:
    """Features of the past of a random walk, its labels over twelve bars and over one, and the returns that follow."""
    dice = np.random.default_rng(seed)
    moves = dice.standard_normal(rows + 260)
    level = np.concatenate([[0.0], np.cumsum(moves)])
    now = np.arange(240, 240 + rows)
    matrix = np.stack(
        [level[now] - level[now - 20], moves[now - 1], dice.standard_normal(rows), level[now] - level[now - 240]],
        axis=1,
    )
    far, near = level[now + 13] - level[now + 1], level[now + 2] - level[now + 1]
    return matrix.astype(np.float32), (far > 0).astype(np.int8), (near > 0).astype(np.int8), np.stack([far, near])


@pytest.mark.parametrize("seed", range(4))
def test_features_of_the_past_are_left_in_peace(seed: int) -> None:
    rows, labels, next_bar, _ = _market(seed)
    assert leaks(rows, NAMES, {"the label": labels, "the next bar": next_bar}, SPEC) == []


def test_a_planted_future_column_is_named() -> None:
    rows, labels, next_bar, later = _market(1)
    rows[:, 2] += 2 * later[0]
    found = leaks(rows, NAMES, {"the label": labels, "the next bar": next_bar}, SPEC)
    assert [one["feature"] for one in found] == ["future"]
    assert found[0]["auc"] > 0.9
    assert found[0]["text"].startswith("future alone tells ups from downs of the label with an AUC of 0.9")


def test_a_column_that_slipped_by_one_bar_is_named_although_it_knows_little_of_the_horizon() -> None:
    rows, labels, next_bar, later = _market(2)
    rows[:, 2] = -later[1]
    assert leaks(rows, NAMES, {"the label": labels}, SPEC) == []
    found = leaks(rows, NAMES, {"the label": labels, "the next bar": next_bar}, SPEC)
    assert [(one["feature"], one["auc"]) for one in found] == [("future", 0.0)]


def test_a_signal_that_is_real_is_no_leak() -> None:
    rows, labels, next_bar, _ = _market(3)
    rows[:, 2] += 0.36 * labels
    assert leaks(rows, NAMES, {"the label": labels, "the next bar": next_bar}, SPEC) == []


def test_much_by_chance_on_few_rows_is_no_leak() -> None:
    """Two hundred rows are about fifteen outcomes: a slow feature goes along with them now and then."""
    found = 0
    for seed in range(30):
        rows, labels, next_bar, _ = _market(seed, rows=200)
        found += bool(leaks(rows, NAMES, {"the label": labels, "the next bar": next_bar}, SPEC))
    assert found <= 2


def test_shuffling_keeps_the_answers_and_what_is_unknown() -> None:
    labels = np.array([1, 0, 1, 1, -1, 0, 1, -1], np.int8)
    mixed = shuffled_labels(np.tile(labels, 50), 3)
    assert (mixed == 1).sum() == 200
    assert np.array_equal(mixed == -1, np.tile(labels, 50) == -1)
    assert not np.array_equal(mixed, np.tile(labels, 50))
    assert np.array_equal(mixed, shuffled_labels(np.tile(labels, 50), 3))


def test_the_control_passes_on_chance_and_fails_where_answers_get_through() -> None:
    dice = np.random.default_rng(1)
    labels = (dice.random(3_000) < 0.5).astype(np.int8)
    passed = [shuffled_control(dice.random(3_000), labels, SPEC)["passed"] for _ in range(100)]
    assert sum(passed) >= 99
    leaky = shuffled_control(dice.random(3_000) + 0.3 * labels, labels, SPEC)
    assert not leaky["passed"]
    assert leaky["auc"]["low"] > 0.6
    assert shuffled_control(np.full(3_000, 0.5), labels, SPEC)["passed"]
    assert shuffled_control(dice.random(3_000), np.ones(3_000, np.int8), SPEC)["passed"]
