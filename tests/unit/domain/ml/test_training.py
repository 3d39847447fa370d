"""The story of a training, told with a forecaster that learns lines: quick, and open to look into."""

from typing import Any

import numpy as np
import pytest

from backend.domain.ml.features import FEATURES, WARM_UP
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import bars_needed, folds
from backend.domain.ml.telling import KEPT, Course
from backend.domain.ml.training import Champion, Trained, train
from backend.domain.model_errors import NothingToLearn, TooFewBars
from backend.domain.strategy_errors import MissingValues
from tests.fake_forecaster import FakeForecaster
from tests.market_bars import bars_at
from tests.planted_markets import loaded_of, without_signal

SPEC = ModelSpec(horizon=3, rounds=8, folds=3, least_in_leaf=20)
LOADED = without_signal(1_500)


def trained(forecaster: FakeForecaster | None = None, **how: Any) -> Trained:
    return train(LOADED, SPEC, forecaster or FakeForecaster(), **how)


def test_it_learns_each_fold_then_nonsense_then_all() -> None:
    forecaster = FakeForecaster()
    trained(forecaster)
    split = folds(WARM_UP, 1_500, SPEC)

    assert [len(lesson.rows) for lesson in forecaster.lessons[:3]] == [len(fold.train) for fold in split]
    assert len(forecaster.lessons) == 5
    nonsense, last = forecaster.lessons[3], forecaster.lessons[2]
    assert np.array_equal(nonsense.rows, last.rows)
    assert not np.array_equal(nonsense.labels, last.labels)
    kept = forecaster.lessons[4]
    assert len(kept.rows) + SPEC.gap + len(kept.stop_rows) == 1_500 - WARM_UP - SPEC.horizon - 1
    for lesson in forecaster.lessons:
        assert np.isfinite(lesson.rows).all()
        assert set(np.unique(lesson.labels)) == {0, 1}
        assert set(np.unique(lesson.stop_labels)) <= {0, 1}


def test_lessons_are_views_of_one_table() -> None:
    forecaster = FakeForecaster()
    trained(forecaster)

    assert len({id(lesson.rows.base) for lesson in forecaster.lessons}) == 1


def test_it_tells_its_stages_in_order_with_the_losses_of_each_lesson() -> None:
    told: list[tuple[str, float | None, dict[str, Any]]] = []
    trained(told=lambda stage, percent=None, message="", **more: told.append((stage, percent, more)))

    assert list(dict.fromkeys(stage for stage, _, _ in told)) == [
        "features",
        "folds",
        "controls",
        "final",
        "contest",
        "file",
    ]
    percents = [percent for _, percent, _ in told if percent is not None]
    assert percents == sorted(percents)
    assert 0 < percents[0] < percents[-1] < 100
    second = [more for stage, _, more in told if stage == "folds" and more["fold"] == 2]
    assert "round" not in second[0]
    assert [more["round"] for more in second[1:]] == list(range(1, 9))
    assert second[-1]["curve"][-1] == [8, second[-1]["loss"], second[-1]["stop_loss"]]
    assert len(second[-1]["curve"]) == 8


def test_each_telling_has_the_curves_of_all_folds_before_and_none_of_the_control() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    trained(told=lambda stage, percent=None, message="", **more: told.append((stage, more)))

    first_of_second = next(more for stage, more in told if stage == "folds" and more["fold"] == 2)
    assert [(fold, curve[-1][0]) for fold, curve in first_of_second["curves"]] == [(1, 8)]
    last = dict(told)["final"]
    assert [(fold, curve[-1][0]) for fold, curve in last["curves"]] == [(1, 8), (2, 8), (3, 8), (KEPT, 8)]
    control = dict(told)["controls"]
    assert [fold for fold, _ in control["curves"]] == [1, 2, 3]


def test_the_curves_of_many_long_folds_are_few_points_and_end_where_they_are() -> None:
    told: list[dict[str, Any]] = []
    course = Course(lambda stage, percent=None, message="", **more: told.append(more), [1_000] * 22, 2_000)
    for fold in range(1, 21):
        hear = course.lesson("folds", "", fold=fold)
        for number in range(1, 2_001):
            hear(number, 1 / number, 2 / number)
    curves = told[-1]["curves"]
    assert sum(len(curve) for _, curve in curves) <= 100
    assert all(curve[-1][0] == 2_000 for _, curve in curves)


def test_whoever_hears_of_it_can_end_it_at_any_stage() -> None:
    for stage in ("features", "folds", "controls", "final", "contest", "file"):

        def stop(said: str, percent: float | None = None, message: str = "", _at: str = stage, **more: Any) -> None:
            if said == _at:
                raise InterruptedError

        for threads in (1, 2):
            with pytest.raises(InterruptedError):
                trained(told=stop, threads=threads)


def test_more_threads_judge_the_same() -> None:
    one, two = trained().card, trained(threads=2).card

    for card in (one, two):
        card["made"] = {}
    assert one == two


def test_the_card_says_what_was_learned_from() -> None:
    done = trained()
    card = done.card

    assert card["question"] == "direction:3"
    assert card["data"]["bars"] == 1_500
    assert card["data"]["content_hash"] == LOADED.content_hash
    assert [fold["number"] for fold in card["folds"]] == [1, 2, 3]
    assert {one["feature"] for one in card["importance"]} == {feature.name for feature in FEATURES}
    assert card["controls"]["shuffled"]["passed"]
    assert card["contest"] is None
    assert card["file"]["bytes"] == len(done.content)
    assert card["made"]["versions"]["forecaster"] == "line 1"
    assert 0.7 < card["interval"]["coverage"] <= 1


def test_too_little_history_says_how_much_is_needed() -> None:
    needed = bars_needed(SPEC, WARM_UP)
    with pytest.raises(TooFewBars) as refused:
        train(without_signal(needed - 1), SPEC, FakeForecaster())

    assert refused.value.needed == needed
    assert f"{needed:,}" in refused.value.detail
    assert train(without_signal(needed), SPEC, FakeForecaster()).card["data"]["bars"] == needed


def test_a_horizon_longer_than_the_data_is_too_little_history() -> None:
    with pytest.raises(TooFewBars, match="shorter horizon"):
        train(LOADED, ModelSpec(horizon=1_600), FakeForecaster())


def test_a_price_that_never_moves_teaches_nothing() -> None:
    with pytest.raises(NothingToLearn, match="The price is 100 on all 1,500 bars"):
        train(loaded_of(bars_at([100.0] * 1_500)), SPEC, FakeForecaster())


def test_a_price_that_only_rises_teaches_nothing() -> None:
    with pytest.raises(NothingToLearn, match="All 1,240 answers are the same: rise"):
        train(loaded_of(bars_at(list(np.linspace(100, 200, 1_500)))), SPEC, FakeForecaster())


def test_a_fold_that_teaches_nothing_is_named() -> None:
    closes = np.concatenate((np.linspace(100, 200, 900), 200 + 5 * np.sin(np.arange(600))))
    with pytest.raises(NothingToLearn, match="In fold 1 of 3"):
        train(loaded_of(bars_at(list(closes))), SPEC, FakeForecaster())


def test_a_hole_in_the_bars_is_named() -> None:
    holed = LOADED.bars.copy()
    holed.loc[700, "close"] = np.nan
    with pytest.raises(MissingValues, match="'close'"):
        train(loaded_of(holed), SPEC, FakeForecaster())


def test_a_champion_that_knows_all_bars_has_nothing_to_fear_yet() -> None:
    now = int(LOADED.bars["ts"].iloc[-1].timestamp() * 1e6)
    fought = trained(champion=Champion(id="old", model=trained().model, known_until=now)).card["contest"]

    assert fought["bars"] == 0
    assert (fought["gain"], fought["is_won"]) == (None, False)
    assert "a contest needs 100" in fought["why"]


def test_a_champion_that_has_seen_the_answers_is_not_beaten() -> None:
    """It says that it knew nothing, and learned from all that it is asked about."""
    long = SPEC.model_copy(update={"rounds": 300})
    champion = Champion(id="old", model=train(LOADED, long, FakeForecaster()).model, known_until=0)
    fought = train(LOADED, long, FakeForecaster(), champion=champion).card["contest"]

    assert fought["bars"] > 700
    assert fought["gain"] < 0
    assert not fought["is_won"]
    assert "the champion stays" in fought["why"]


def test_only_bars_after_the_lessons_of_the_champion_count() -> None:
    starts = LOADED.bars["ts"]
    since = int(starts.iloc[1_200].timestamp() * 1e6)
    fought = trained(champion=Champion(id="old", model=trained().model, known_until=since)).card["contest"]

    assert fought["bars"] == 1_500 - 1_200 - SPEC.horizon - 1
