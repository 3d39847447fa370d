"""What predictions were worth, on markets whose truth is known."""

import json
import math

import numpy as np
import pytest

from backend.domain.ml.evaluation import OutOfFold, evaluate
from backend.domain.ml.spec import ModelSpec
from tests.unit.domain.ml.truths import market, planted

SPEC = ModelSpec(horizon=1, cost_bps=10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_signal_of_0_60_is_found_and_is_not_chance(seed: int) -> None:
    pooled = evaluate(planted(6_000, auc=0.60, seed=seed).predicted(), SPEC)["pooled"]
    assert pooled["auc"]["low"] < 0.60 < pooled["auc"]["high"]
    assert pooled["auc"]["low"] > 0.55
    assert pooled["ic"]["low"] > 0
    assert pooled["rank_ic"]["low"] > 0
    assert pooled["accuracy"] > pooled["base_accuracy"]
    assert pooled["log_loss"] < math.log(2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_labels_score_nothing(seed: int) -> None:
    truth = planted(6_000, auc=0.60, seed=seed)
    mixed = np.random.default_rng(seed).permutation(6_000)
    predicted = truth.predicted()
    shuffled = OutOfFold(
        rows=predicted.rows,
        folds=predicted.folds,
        probability=predicted.probability,
        labels=predicted.labels[mixed],
        forward=predicted.forward[mixed],
    )
    pooled = evaluate(shuffled, SPEC)["pooled"]
    assert pooled["auc"]["low"] < 0.5 < pooled["auc"]["high"]
    assert pooled["ic"]["low"] < 0 < pooled["ic"]["high"]


def test_folds_are_told_one_by_one_with_their_spread() -> None:
    found = evaluate(planted(3_000, auc=0.60, seed=4).predicted(folds=3), SPEC)
    aucs = [fold["metrics"]["auc"]["value"] for fold in found["folds"]]
    assert [fold["number"] for fold in found["folds"]] == [1, 2, 3]
    assert [fold["metrics"]["rows"] for fold in found["folds"]] == [1_000] * 3
    assert found["spread"]["auc"] == {
        "mean": pytest.approx(np.mean(aucs), rel=1e-5),
        "std": pytest.approx(np.std(aucs, ddof=1), rel=1e-4),
        "min": min(aucs),
        "max": max(aucs),
    }
    assert set(found["spread"]) == {"auc", "log_loss", "ic", "rank_ic", "brier"}


def test_baselines_stand_beside_with_how_much_better_the_model_is() -> None:
    truth = planted(6_000, auc=0.60, seed=5)
    base = np.full(6_000, 0.5)
    found = evaluate(truth.predicted(base_rate=base, linear=truth.probability), SPEC)["baselines"]
    by_name = {one["name"]: one for one in found}
    assert by_name["base_rate"]["gain"]["low"] > 0
    assert by_name["base_rate"]["metrics"]["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert by_name["base_rate"]["metrics"]["ic"] == {"value": None, "low": None, "high": None}
    assert by_name["linear"]["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert by_name["linear"]["title"] == "A linear model of all features"


def test_deciles_rise_with_the_signal_and_costs_are_paid_twice_on_either_side() -> None:
    deciles = evaluate(planted(20_000, auc=0.65, seed=6).predicted(), SPEC)["deciles"]
    assert [one["decile"] for one in deciles] == list(range(1, 11))
    assert [one["count"] for one in deciles] == [2_000] * 10
    assert [one["side"] for one in deciles] == ["short"] * 5 + ["long"] * 5
    assert deciles[0]["high"] < deciles[4]["return"] < deciles[9]["low"]
    for one in deciles:
        side = 1 if one["side"] == "long" else -1
        assert one["after_costs"] == pytest.approx(side * one["return"] - 0.002, abs=1e-8)
        assert one["low"] <= one["return"] <= one["high"]


def test_probabilities_that_are_true_lie_within_what_came() -> None:
    parts = evaluate(planted(20_000, auc=0.65, seed=7, base=0.4).predicted(), SPEC)["calibration"]
    inside = [part["observed_low"] <= part["predicted"] <= part["observed_high"] for part in parts]
    assert sum(inside) >= 8
    assert all(part["low"] <= part["predicted"] <= part["high"] for part in parts)
    assert sum(part["count"] for part in parts) == 20_000


def test_equal_predictions_stay_in_one_part() -> None:
    truth = market(900, 1, memory=0.0, signal=0.0, seed=1)
    flat = OutOfFold(
        rows=np.arange(900), folds=np.ones(900, np.int64), probability=np.full(900, 0.5),
        labels=truth.ups.astype(np.int8), forward=truth.forward,
    )  # fmt: skip
    found = evaluate(flat, SPEC)
    assert [part["count"] for part in found["calibration"]] == [900]
    assert found["calibration"][0]["observed"] == pytest.approx(truth.ups.mean(), rel=1e-5)
    assert found["pooled"]["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["pooled"]["ic"]["value"] is None
    assert found["spread"]["auc"]["std"] is None


def test_rows_without_an_answer_count_for_nothing() -> None:
    predicted = planted(2_000, auc=0.6, seed=8).predicted()
    labels, forward = predicted.labels.copy(), predicted.forward.copy()
    labels[-100:], forward[-50:] = -1, np.nan
    short = predicted.where(np.arange(2_000) < 1_900)
    full = OutOfFold(
        rows=predicted.rows,
        folds=predicted.folds,
        probability=predicted.probability,
        labels=labels,
        forward=forward,
    )
    assert evaluate(full, SPEC) == evaluate(short, SPEC)


def test_labels_of_one_kind_leave_figures_open_and_the_document_is_json() -> None:
    predicted = planted(400, auc=0.6, seed=9).predicted()
    same = OutOfFold(
        rows=predicted.rows,
        folds=predicted.folds,
        probability=predicted.probability,
        labels=np.ones(400, np.int8),
        forward=np.full(400, 0.01),
    )
    found = evaluate(same, SPEC)
    assert found["pooled"]["auc"] == {"value": None, "low": None, "high": None}
    assert found["pooled"]["ic"] == {"value": None, "low": None, "high": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    nothing = evaluate(predicted.where(np.zeros(400, np.bool_)), SPEC)
    assert nothing["pooled"]["rows"] == 0
    assert nothing["base_rate"] is None
    assert json.loads(json.dumps(nothing, allow_nan=False)) == nothing


def test_the_same_predictions_and_seed_say_the_same() -> None:
    predicted = market(2_000, 12, memory=0.9, signal=0.1, seed=1).predicted()
    spec = ModelSpec(horizon=12)
    assert evaluate(predicted, spec) == evaluate(predicted, spec)
    other = evaluate(predicted, spec.model_copy(update={"seed": 8}))
    assert other["pooled"]["auc"]["value"] == evaluate(predicted, spec)["pooled"]["auc"]["value"]
    assert other["pooled"]["auc"]["low"] != evaluate(predicted, spec)["pooled"]["auc"]["low"]
