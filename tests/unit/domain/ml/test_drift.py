"""Bars like those of the lessons are no drift, even of features that move slowly; others are, and are named."""

import json

import numpy as np
import pytest

from backend.domain.ml.drift import DRIFT_ROWS, Reference, psi
from backend.domain.ml.forecaster import Matrix

NAMES = tuple(f"feature_{number}" for number in range(20))


def _rows(count: int, seed: int, memory: float = 0.0) -> Matrix:
    dice = np.random.default_rng(seed)
    rows = dice.standard_normal((count, len(NAMES)))
    for row in range(1, count):
        rows[row] = memory * rows[row - 1] + np.sqrt(1 - memory**2) * rows[row]
    return rows.astype(np.float32)


def test_the_index_is_that_of_the_definition() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    found = psi(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    assert found == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5))
    assert 1 < psi(np.array([1.0, 0.0]), np.array([0.5, 0.5])) < 10


def test_more_of_the_same_is_no_drift() -> None:
    drift = Reference.fit(_rows(5_000, 1), NAMES).drift(_rows(DRIFT_ROWS, 2))
    assert (drift["level"], drift["worst"]) == ("none", [])
    assert drift["text"] == (
        "No feature of the last 400 bars is farther from its lessons than stretches of the lessons were."
    )
    assert max(drift["psi"].values()) < 0.1


def test_slow_features_are_no_drift_although_they_are_far_from_their_mean() -> None:
    reference = Reference.fit(_rows(20_000, 1, memory=0.995), NAMES)
    strong = 0
    for seed in range(2, 12):
        drift = reference.drift(_rows(3_000, seed, memory=0.995))
        strong += drift["level"] == "strong"
        assert np.mean(np.array(list(drift["psi"].values())) > 0.25) > 0.5  # by the rule of thumb all would drift
    assert strong <= 3


def test_features_that_moved_are_named_and_too_many_are_a_reason_to_learn_anew() -> None:
    reference = Reference.fit(_rows(5_000, 1), NAMES)
    now = _rows(DRIFT_ROWS, 2)
    now[:, 3] += 1
    assert reference.drift(now)["level"] == "none"  # one in twenty
    assert "(feature_3), which is no more than chance shows" in reference.drift(now)["text"]
    now[:, 4] *= 3
    assert reference.drift(now)["level"] == "some"
    now[:, 5] += 2
    drift = reference.drift(now)
    assert drift["level"] == "strong"
    assert drift["worst"][0] == "feature_5"
    assert set(drift["worst"]) == {"feature_3", "feature_4", "feature_5"}
    assert drift["text"].startswith("3 of 20 features of the last 400 bars are spread otherwise than in its lessons")
    assert drift["text"].endswith("It should learn anew.")


def test_columns_of_few_values_are_compared_by_what_they_are() -> None:
    dice = np.random.default_rng(1)
    rows = dice.integers(0, 2, (5_000, 20)).astype(np.float32)
    rows[:, 0] = 1
    reference = Reference.fit(rows, NAMES)
    now = dice.integers(0, 2, (400, 20)).astype(np.float32)
    now[:, 0] = 1
    assert reference.drift(now)["level"] == "none"
    assert reference.drift(np.zeros((400, 20), np.float32))["level"] == "strong"


def test_too_few_bars_say_nothing_of_drift() -> None:
    drift = Reference.fit(_rows(1_000, 1), NAMES).drift(_rows(99, 2) + 5)
    assert (drift["level"], drift["psi"]) == ("none", {})
    assert drift["text"] == "Drift needs at least 100 bars with all features; there are 99."


def test_what_is_kept_says_the_same_after_it_was_read_again() -> None:
    reference = Reference.fit(_rows(1_000, 1), NAMES)
    kept = Reference.of(json.loads(json.dumps(reference.document())))
    assert kept.drift(_rows(400, 3) + 0.5) == reference.drift(_rows(400, 3) + 0.5)
