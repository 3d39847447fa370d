"""Predictions inside a backtest: whatever is asked, no model has seen what it predicts, nor anything later."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.domain.market import Timeframe
from backend.domain.ml import walk_forward
from backend.domain.ml.features import WARM_UP, features
from backend.domain.ml.forecaster import Fitted
from backend.domain.ml.memory import Memory
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.walk_forward import WalkForward
from backend.domain.strategies.market import Market, OutOfSample
from tests.fake_forecaster import FakeForecaster, Line
from tests.market_bars import bars_at, market_of, walk

SPEC = ModelSpec(horizon=4, rounds=5, least_in_leaf=20)
WANTED = OutOfSample(spec=SPEC, first_training=500, retrain_every=200)
MARKET = market_of(walk(1_500))
FIRST = WARM_UP + 500


def asked(market: Market, forecaster: FakeForecaster, wanted: OutOfSample = WANTED) -> Any:
    return WalkForward(lambda: forecaster).probability_up(market, wanted)


def changed_after(market: Market, bars: int) -> Market:
    factor = np.ones(len(market))
    factor[bars:] = 1 + 0.2 * np.sin(np.arange(len(market) - bars) / 5)
    return replace(market, columns={name: values * factor for name, values in market.columns.items()})


def test_the_first_bars_only_teach() -> None:
    up = asked(MARKET, FakeForecaster())

    assert np.isnan(up[:FIRST]).all()
    assert np.isfinite(up[FIRST:]).all()


@pytest.mark.parametrize("known", [FIRST + 1, FIRST + 200, FIRST + 333, 1_499])
def test_what_comes_later_changes_no_prediction(known: int) -> None:
    whole = asked(MARKET, FakeForecaster())

    np.testing.assert_array_equal(asked(MARKET.first(known), FakeForecaster()), whole[:known])
    np.testing.assert_array_equal(asked(changed_after(MARKET, known), FakeForecaster())[:known], whole[:known])


def test_what_came_before_does() -> None:
    whole = asked(MARKET, FakeForecaster())

    assert (asked(changed_after(MARKET, FIRST - 50), FakeForecaster())[FIRST:] != whole[FIRST:]).all()


def test_lessons_end_before_what_is_predicted_with_the_gap_between() -> None:
    forecaster = FakeForecaster()
    asked(MARKET, forecaster)
    seen = features(MARKET.bars)

    assert len(forecaster.lessons) == 4
    for number, lesson in enumerate(forecaster.lessons):
        first_predicted = FIRST + 200 * number
        last_seen = WARM_UP + len(lesson.rows) + SPEC.gap + len(lesson.stop_rows) - 1
        assert last_seen == first_predicted - SPEC.gap - 1
        np.testing.assert_array_equal(lesson.stop_rows[-1], seen[last_seen])
        np.testing.assert_array_equal(lesson.rows[0], seen[WARM_UP])


def test_a_column_of_the_future_helps_nobody_to_predict_a_cut_off_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """With features that know tomorrow, what is said changes as soon as tomorrow is taken away: the guard sees it."""

    def knowing(bars: Any, *, threads: int = 1) -> Any:
        rows = features(bars, threads=threads)
        close = bars["close"].to_numpy()
        rows[WARM_UP:, 0] = 100 * np.append(np.diff(np.log(close)), 0.0)[WARM_UP:]
        return rows

    monkeypatch.setattr(walk_forward, "features", knowing)
    whole, cut = asked(MARKET, FakeForecaster()), asked(MARKET.first(1_000), FakeForecaster())

    assert cut[999] != whole[999]


def test_the_same_past_is_learned_once() -> None:
    forecaster = FakeForecaster()
    predictions = WalkForward(lambda: forecaster)
    predictions.probability_up(MARKET, WANTED)
    for known in (900, 1_111, 1_499):
        predictions.probability_up(MARKET.first(known), WANTED)
    # Another threshold of a strategy, another end: all is known. Another rhythm only needs what no one asked for.
    assert len(forecaster.lessons) == 4
    predictions.probability_up(MARKET, replace(WANTED, retrain_every=400))
    assert len(forecaster.lessons) == 4
    predictions.probability_up(changed_after(MARKET, FIRST + 200), WANTED)
    assert len(forecaster.lessons) == 6
    predictions.probability_up(MARKET, replace(WANTED, spec=SPEC.model_copy(update={"seed": 8})))
    assert len(forecaster.lessons) == 10


def test_bars_of_another_time_are_another_past() -> None:
    forecaster = FakeForecaster()
    predictions = WalkForward(lambda: forecaster)
    predictions.probability_up(MARKET, WANTED)
    predictions.probability_up(replace(MARKET, starts=MARKET.starts + 3_600_000_000), WANTED)

    assert len(forecaster.lessons) == 8


def test_with_too_few_bars_nothing_is_said_and_no_library_is_opened() -> None:
    def opened() -> FakeForecaster:
        raise AssertionError

    assert np.isnan(WalkForward(opened).probability_up(MARKET.first(FIRST), WANTED)).all()


def test_a_past_that_teaches_nothing_is_passed_over() -> None:
    still = np.full(FIRST + 100, 100.0)
    moving = walk(600)["close"].to_numpy()
    up = asked(market_of(bars_at([*still, *moving], reach=0.1)), FakeForecaster())

    # The second model's lessons still end in the stillness; those of the third do not.
    assert np.isnan(up[: FIRST + 400]).all()
    assert np.isfinite(up[FIRST + 400 :]).all()


def test_it_tells_how_far_it_is_and_can_be_stopped() -> None:
    told: list[tuple[int, int]] = []
    predictions = WalkForward(FakeForecaster).watched(lambda done, of: told.append((done, of)))
    predictions.probability_up(MARKET, WANTED)
    assert sorted(set(told)) == [(0, 4), (1, 4), (2, 4), (3, 4)]

    class Enough(Exception):
        pass

    def enough(done: int, of: int) -> None:
        if done == 2:
            raise Enough

    forecaster = FakeForecaster()
    predictions = WalkForward(lambda: forecaster)
    with pytest.raises(Enough):
        predictions.watched(enough).probability_up(MARKET, WANTED)
    predictions.probability_up(MARKET, WANTED)
    assert len(forecaster.lessons) == 4


def test_all_timeframes_are_bars() -> None:
    daily = Market.of(walk(1_000, frequency="1D"), MARKET.instrument, Timeframe.D1)

    assert np.isfinite(asked(daily, FakeForecaster())[FIRST:]).all()


def line(rounds: int = 1) -> Line:
    return Line(weights=np.zeros(2), means=np.zeros(1), scales=np.ones(1), rounds=rounds)


def test_of_several_who_ask_at_once_one_trains() -> None:
    memory, begun, trained = Memory(), threading.Event(), []

    def fit() -> Fitted:
        begun.wait(10)
        trained.append(1)
        return line()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(memory.get, ("spec", b"bars"), fit) for _ in range(4)]
        begun.set()
        found = [each.result() for each in asked]
    assert len(trained) == 1
    assert all(one is found[0] for one in found)


def test_a_training_that_failed_is_tried_again() -> None:
    memory = Memory()

    def fail() -> Fitted:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        memory.get(("spec", b"bars"), fail)
    assert memory.get(("spec", b"bars"), line) is not None


def test_the_longest_unused_is_forgotten() -> None:
    memory, trained = Memory(most_rounds=100), []

    def get(name: bytes) -> None:
        def fit() -> Fitted:
            trained.append(name)
            return line(40)

        memory.get(("spec", name), fit)

    for name in (b"a", b"b", b"a", b"c", b"a", b"b"):
        get(name)
    assert trained == [b"a", b"b", b"c", b"b"]
