"""A card holds all that the contract of cards names, as JSON, and comes to a verdict."""

import json
from typing import Any

import numpy as np
import pytest

from backend.domain.bars import start_microseconds
from backend.domain.ml.baselines import plain_forecasts
from backend.domain.ml.controls import leaks, shuffled_control
from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.features import FEATURES, WARM_UP, features
from backend.domain.ml.labels import label
from backend.domain.ml.model_card import importance_of, made_of, model_card
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import final_split, folds
from tests.unit.backtesting.histories import random_history

SPEC = ModelSpec(horizon=3, folds=3)
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    """Of a random walk, with the linear model's probabilities for those of a model."""
    loaded = random_history(2_000)
    rows, answers = features(loaded.bars), label(loaded.bars, SPEC)
    close = loaded.bars["close"].to_numpy()
    made = folds(WARM_UP, len(close), SPEC)
    plainly = [plain_forecasts(rows, np.append(0.0, np.diff(np.log(close))), answers.labels, fold) for fold in made]
    tested = np.concatenate([fold.test.numbers for fold in made])
    said = {name: np.concatenate([one[name] for one in plainly]) for name in plainly[0]}
    predicted = OutOfFold(
        rows=tested,
        folds=np.repeat([fold.number for fold in made], [len(fold.test) for fold in made]),
        probability=said["linear"],
        labels=answers.labels[tested],
        forward=answers.forward[tested],
        baselines=said,
    )
    contributions = np.random.default_rng(1).standard_normal((50, len(FEATURES) + 1)) * np.arange(len(FEATURES) + 1)
    return model_card(
        loaded,
        SPEC,
        predicted,
        folds=made,
        rounds=[3, 4, 5],
        kept=final_split(WARM_UP, len(close), SPEC),
        controls={
            "shuffled": shuffled_control(np.random.default_rng(2).random(len(tested)), answers.labels[tested], SPEC),
            "leaks": leaks(rows[made[-1].train.rows], NAMES, {"the label": answers.labels[made[-1].train.rows]}, SPEC),
        },
        importance=importance_of(np.arange(len(FEATURES), dtype=np.float64), contributions),
        interval={"level": 0.9, "coverage": 0.89},
        made=made_of(seconds=1.23456, rounds=5, seed=SPEC.seed, threads=1, forecaster="linear 1"),
    )


def test_it_has_every_part(card: dict[str, Any]) -> None:
    assert list(card) == [
        "card", "spec", "question", "series", "data", "base_rate", "features", "folds", "pooled", "spread", "baselines",
        "controls", "calibration", "deciles", "importance", "interval", "made", "file", "contest", "verdict",
    ]  # fmt: skip
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert ModelSpec.model_validate(card["spec"]) == SPEC
    assert card["question"] == "direction:3"
    assert card["features"][0] == {"name": NAMES[0], "group": FEATURES[0].group, "about": FEATURES[0].about}
    assert [one["name"] for one in card["baselines"]] == ["base_rate", "last_return", "linear"]
    assert card["made"]["versions"]["forecaster"] == "linear 1"


def test_it_says_which_bars_it_knows_and_which_each_fold_had(card: dict[str, Any]) -> None:
    loaded = random_history(2_000)
    starts = start_microseconds(loaded.bars)
    assert card["data"]["content_hash"] == loaded.content_hash
    assert (card["data"]["bars"], card["data"]["rows"]) == (2_000, 2_000 - WARM_UP - 4)
    for moment, micros in ((card["data"]["first"], starts[0]), (card["data"]["last"], starts[-1])):
        assert np.datetime64(moment.rstrip("Z"), "us").astype(np.int64) == micros
    until = np.datetime64(card["data"]["known_until"].rstrip("Z"), "us").astype(np.int64)
    assert until - starts[-1] == loaded.series.timeframe.seconds * 1_000_000
    for fold, made in zip(card["folds"], folds(WARM_UP, 2_000, SPEC), strict=True):
        assert (fold["train_rows"], fold["stop_rows"], fold["test_rows"]) == (
            len(made.train),
            len(made.stop),
            len(made.test),
        )
        assert np.datetime64(fold["test_last"].rstrip("Z"), "us").astype(np.int64) == starts[made.test.last - 1]
        assert fold["metrics"]["rows"] == len(made.test)
        assert fold["rounds"] == made.number + 2


def test_the_most_important_feature_is_first(card: dict[str, Any]) -> None:
    importance = card["importance"]
    shap = [one["shap"] for one in importance]
    assert shap == sorted(shap, reverse=True)
    assert sum(one["gain_share"] for one in importance) == pytest.approx(1, abs=1e-4)
    assert {one["feature"] for one in importance} == set(NAMES)


def test_a_random_walk_has_no_signal_and_no_leak(card: dict[str, Any]) -> None:
    assert card["controls"]["leaks"] == []
    assert card["controls"]["shuffled"]["passed"]
    assert not card["verdict"]["is_trusted"]
    assert card["verdict"]["headline"] == "No signal: it does not predict better than chance."
