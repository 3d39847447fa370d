"""What a whole training with LightGBM says of markets whose truth is known."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend.data.fetchers.demo import instrument_of, simulated_bars
from backend.domain.market import Series, Timeframe
from backend.domain.market_ports import Loaded
from backend.domain.ml import table
from backend.domain.ml.controls import shuffled_control, shuffled_labels
from backend.domain.ml.features import FEATURES, WARM_UP, features
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.learned import LearnedModel
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import folds
from backend.domain.ml.table import Table
from backend.domain.ml.training import Champion, Trained, train
from backend.domain.ml.walk_forward import WalkForward
from backend.domain.strategies.market import Market, OutOfSample
from backend.infrastructure.forecasters import LightGbm
from tests.planted_markets import planted, without_signal

NEXT_BAR = ModelSpec(horizon=1, rounds=120, cost_bps=5)
BARS = 15_000


@cache
def of_planted() -> Trained:
    return train(planted(BARS).loaded, NEXT_BAR, LightGbm())


@cache
def of_chance() -> Trained:
    return train(without_signal(9_000), NEXT_BAR, LightGbm())


def codes(card: Mapping[str, Any]) -> list[str]:
    return [reason["code"] for reason in card["verdict"]["reasons"]]


def test_a_planted_signal_is_found_as_large_as_it_is() -> None:
    auc = of_planted().card["pooled"]["auc"]

    assert 0.5 < auc["low"] < 0.60 < auc["high"]
    assert of_planted().card["verdict"]["is_trusted"]
    assert of_planted().card["importance"][0]["shap"] > 2 * of_planted().card["importance"][9]["shap"]


def test_shuffled_labels_teach_nothing() -> None:
    """One interval in twenty misses the truth, so several shuffles are asked."""
    learned, forecaster = Table.of(planted(BARS).loaded.bars, NEXT_BAR), LightGbm()
    fold = folds(WARM_UP, BARS, NEXT_BAR)[-1]
    tested = fold.test.rows
    controls = []
    for seed in range(10):
        taught = forecaster.fit(learned.lesson(fold, shuffled_labels(learned.labels, seed)), NEXT_BAR)
        said = taught.probability_up(learned.rows[tested])
        controls.append(shuffled_control(said, learned.labels[tested], NEXT_BAR))

    assert sum(one["auc"]["low"] <= 0.5 <= one["auc"]["high"] for one in controls) >= 8
    assert all(one["passed"] for one in controls)
    assert np.mean([one["auc"]["value"] for one in controls]) == pytest.approx(0.5, abs=0.01)


def test_a_training_tells_its_controls() -> None:
    controls = of_planted().card["controls"]

    assert controls["shuffled"]["passed"]
    assert controls["leaks"] == []


def test_where_there_is_no_signal_it_says_so() -> None:
    card = of_chance().card

    assert card["pooled"]["auc"]["low"] <= 0.5 <= card["pooled"]["auc"]["high"]
    assert not card["verdict"]["is_trusted"]
    assert codes(card)[0] == "no_signal"
    assert card["verdict"]["headline"].startswith("No signal")


def test_on_the_simulated_market_it_says_that_there_is_none() -> None:
    bars = simulated_bars("BTC/USDT", "1h", "2024-01-01", "2025-01-01")
    series = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
    card = train(Loaded(series=series, instrument=instrument_of("BTC/USDT"), bars=bars), ModelSpec(), LightGbm()).card

    assert card["data"]["is_simulated"]
    assert not card["verdict"]["is_trusted"]
    assert "no_signal" in codes(card)


def test_a_planted_column_of_the_future_is_reported_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = without_signal(5_000)

    def with_tomorrow(bars: pd.DataFrame, *, threads: int = 1) -> Matrix:
        rows = features(bars, threads=threads)
        close = bars["close"].to_numpy()
        tomorrow = np.append(np.diff(np.log(close)), 0.0)
        rows[WARM_UP:, 3] = (tomorrow + 0.002 * np.random.default_rng(1).standard_normal(len(close)))[WARM_UP:]
        return rows

    monkeypatch.setattr(table, "features", with_tomorrow)
    card = train(loaded, NEXT_BAR, LightGbm()).card

    assert [leak["feature"] for leak in card["controls"]["leaks"]] == [FEATURES[3].name]
    assert codes(card)[0] == "leak"
    assert FEATURES[3].name in card["verdict"]["reasons"][0]["text"]
    assert not card["verdict"]["is_trusted"]


def test_the_same_bars_and_seed_give_the_same_file_and_predictions() -> None:
    again = train(planted(BARS).loaded, NEXT_BAR, LightGbm())
    bars = planted(BARS).loaded.bars

    assert again.content == of_planted().content
    assert (
        again.model.predict(bars, 50).probability.tobytes()
        == of_planted().model.predict(bars, 50).probability.tobytes()
    )
    timeless = [{**card, "made": {**card["made"], "seconds": 0}} for card in (again.card, of_planted().card)]
    assert timeless[0] == timeless[1]


def test_two_threads_give_the_same_file_each_time() -> None:
    loaded, brief = without_signal(3_000), NEXT_BAR.model_copy(update={"rounds": 15, "folds": 2})

    assert train(loaded, brief, LightGbm(), threads=2).content == train(loaded, brief, LightGbm(), threads=2).content


def test_a_fold_learns_the_same_when_later_bars_are_taken_away() -> None:
    loaded, forecaster = without_signal(3_000), LightGbm()
    whole = Table.of(loaded.bars, NEXT_BAR)
    for fold in folds(WARM_UP, len(whole), NEXT_BAR)[:2]:
        known = loaded.bars.iloc[: fold.test.first]  # nothing that it predicts is there
        before = forecaster.fit(Table.of(known, NEXT_BAR).lesson(fold), NEXT_BAR)
        assert before.content() == forecaster.fit(whole.lesson(fold), NEXT_BAR).content()


def test_a_model_says_the_same_after_its_file_was_read() -> None:
    bars = planted(BARS).loaded.bars
    read = LearnedModel.read(of_planted().content, LightGbm())

    before, after = of_planted().model.predict(bars, 5), read.predict(bars, 5)
    assert after.probability.tobytes() == before.probability.tobytes()
    assert after.low.tobytes() == before.low.tobytes()
    assert after.contributions == before.contributions
    assert read.content() == of_planted().content


def test_six_hundred_bars_are_as_good_as_all() -> None:
    bars, model = planted(BARS).loaded.bars, of_planted().model

    assert model.predict(bars.tail(600)).probability == model.predict(bars).probability
    assert model.predict(bars.tail(600)).low == model.predict(bars).low


def test_contributions_name_what_moved_the_odds() -> None:
    bars, model = planted(BARS).loaded.bars, of_planted().model
    told = model.predict(bars).contributions
    sizes = [abs(one["contribution"]) for one in told]

    assert len(told) == 8
    assert sizes == sorted(sizes, reverse=True)
    assert {one["feature"] for one in told} <= set(model.features)


def test_a_challenger_that_sees_more_beats_a_champion_of_chance() -> None:
    """The champion learned from bars without a signal, before the first that the challenger predicted."""
    loaded = planted(BARS).loaded
    champion = Champion(id="old", model=of_chance().model, known_until=0)
    fought = train(loaded, NEXT_BAR, LightGbm(), champion=champion).card["contest"]

    assert fought["is_won"]
    assert fought["low"] > 0
    assert fought["champion_id"] == "old"
    assert fought["bars"] == of_planted().card["pooled"]["rows"]


def test_predictions_inside_a_backtest_find_the_signal_and_only_after_the_first_training() -> None:
    made = planted(6_000)
    market = Market.of(made.loaded.bars, made.loaded.instrument, Timeframe.H1)
    wanted = OutOfSample(spec=NEXT_BAR, first_training=3_000, retrain_every=1_500)
    up = WalkForward(LightGbm).probability_up(market, wanted)

    first = WARM_UP + 3_000
    assert np.isnan(up[:first]).all()
    assert np.isfinite(up[first:]).all()
    assert np.corrcoef(up[first:], made.truth[first:])[0, 1] > 0.5
