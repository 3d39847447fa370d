"""The strategy that trades what models say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.backtesting.engine import Feed, backtest
from backend.backtesting.guards import look_ahead
from backend.backtesting.trust import Examined, Verdict, examine
from backend.domain.config import TradingConfig
from backend.domain.market import Timeframe
from backend.domain.ml.features import WARM_UP
from backend.domain.ml.walk_forward import WalkForward
from backend.domain.signals import FLAT, KEEP, LONG, SHORT
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.built_in.ml_predictive import MlPredictive
from backend.domain.strategies.market import Floats, Market, OutOfSample
from backend.domain.strategy_errors import InvalidParameters, NoPredictions, NotEnoughHistory
from tests.fake_forecaster import FakeForecaster
from tests.market_bars import market_of, walk

SMALL = {"horizon": 3, "first_training_bars": 1_000, "retrain_every": 250, "rounds": 5, "least_in_leaf": 20}


class Said:
    """Predictions that somebody wrote down."""

    def __init__(self, up: list[float]) -> None:
        self.up = np.array(up)
        self.wanted: OutOfSample | None = None

    def probability_up(self, market: Market, wanted: OutOfSample) -> Floats:
        self.wanted = wanted
        return self.up[: len(market)]


def stands(up: list[float], **given: Any) -> dict[int, int]:
    """What it wants on which bar."""
    strategy = MlPredictive.given({"horizon": 3, **given})
    said = Said(up)
    made = strategy.generate_signals(replace(market_of(walk(len(up))), predictions=said))
    return {int(bar): int(made.direction[bar]) for bar in np.flatnonzero(made.direction != KEEP)}


def test_it_is_long_from_the_threshold_on_and_leaves_after_the_horizon() -> None:
    assert stands([np.nan, 0.5, 0.55, 0.5, 0.5, 0.5, 0.5]) == {2: LONG, 5: FLAT}
    assert stands([0.5, 0.549, 0.5, 0.5, 0.5]) == {}


def test_it_stays_as_long_as_the_odds_are_renewed() -> None:
    assert stands([0.5, 0.6, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5]) == {1: LONG, 6: FLAT}


def test_it_turns_around_when_a_fall_has_the_odds() -> None:
    assert stands([0.6, 0.5, 0.45, 0.5, 0.5, 0.5]) == {0: LONG, 2: SHORT, 5: FLAT}


def test_even_odds_speak_for_no_side() -> None:
    assert stands([0.5] * 5, threshold=0.5) == {}


def test_it_says_what_the_odds_were() -> None:
    strategy = MlPredictive.given({"horizon": 3, "threshold": 0.6})
    made = strategy.generate_signals(replace(market_of(walk(6)), predictions=Said([0.5, 0.7, 0.5, 0.5, 0.5, 0.5])))

    assert made.why(1) == "A rise within 3 bars has a probability of 60% or more"
    assert made.why(4) == "3 bars have passed since the odds were last so good"


def test_it_asks_for_a_model_of_its_own_settings() -> None:
    said = Said([0.5] * 10)
    strategy = MlPredictive.given({**SMALL, "seed": 11, "label": "triple_barrier"})
    strategy.generate_signals(replace(market_of(walk(10)), predictions=said))

    assert said.wanted is not None
    assert said.wanted.spec.question == "triple_barrier:3:1"
    assert said.wanted.spec.seed == 11
    assert said.wanted.first_training == 1_000 - WARM_UP
    assert said.wanted.retrain_every == 250


def test_without_models_it_says_what_is_missing() -> None:
    with pytest.raises(NoPredictions, match="open_predictions"):
        MlPredictive().generate_signals(market_of(walk(10)))


def test_with_too_few_bars_it_says_how_many_it_needs() -> None:
    with pytest.raises(NotEnoughHistory, match="4,001"):
        signals_of(MlPredictive(), replace(market_of(walk(600)), predictions=Said([0.5] * 600)))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"first_training_bars": 500}, "needs at least"),
        ({"first_training_bars": 1_000, "horizon": 400}, "needs at least"),
        ({"threshold": 0.4}, "at least 0.5 is needed"),
        ({"label": "up"}, "'direction' or 'triple_barrier' is needed"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidParameters, match=says):
        MlPredictive.given(given)


def trained(market: Market) -> tuple[Market, FakeForecaster]:
    forecaster = FakeForecaster()
    return replace(market, predictions=WalkForward(lambda: forecaster)), forecaster


def test_the_guard_finds_no_leak_and_hardly_trains_again() -> None:
    market, forecaster = trained(market_of(walk(2_400)))
    strategy = MlPredictive.given({**SMALL, "threshold": 0.52})
    said = signals_of(strategy, market, must_trade=True)
    before = len(forecaster.lessons)
    found = look_ahead(strategy, market, said, points=40)

    assert (found.leaks, found.unanswered) == ((), 0)
    assert found.at_signals > 10
    # Only what learns from a changed future: four times, two windows each at most.
    assert before == 6
    assert len(forecaster.lessons) - before <= 8


def test_the_guard_finds_one_that_learned_from_all_bars() -> None:
    class FromAll:
        """It trains on the whole history and judges the same."""

        def probability_up(self, market: Market, wanted: OutOfSample) -> Floats:
            ahead = np.append(market.close[3:], [market.close[-1]] * 3)
            return 0.5 + 0.2 * np.sign(ahead - market.close) * (np.arange(len(market)) > 1_000)

    market = replace(market_of(walk(2_400)), predictions=FromAll())
    strategy = MlPredictive.given(SMALL)

    assert look_ahead(strategy, market, signals_of(strategy, market)).leaks


def test_checks_that_make_no_sense_for_what_learns_say_so() -> None:
    market, _ = trained(market_of(walk(2_400)))
    strategy = MlPredictive.given({**SMALL, "threshold": 0.52})
    feed = Feed(
        symbol=market.symbol,
        timeframe=Timeframe.H1,
        calendar="24/7",
        bars=market.bars,
        signals=signals_of(strategy, market),
    )
    result = backtest([feed], TradingConfig())
    run = Examined(strategy=strategy, markets=[market], feeds=[feed], result=result, analysis=None)  # type: ignore[arg-type]
    trust = examine(run, only=("recursive", "shuffled", "look_ahead"))

    assert trust["look_ahead"].verdict is Verdict.GOOD
    assert trust["recursive"].verdict is Verdict.UNKNOWN
    assert "learns from all bars" in trust["recursive"].sentence
    assert "shuffled labels" in trust["shuffled"].sentence


def test_where_there_is_no_signal_it_makes_nothing_on_average_before_costs() -> None:
    """Twelve markets of chance: the mean return lies within two of its errors of nothing."""
    costs = {"taker_bps": 0, "slippage_bps": 0, "spread_bps": 0}
    free = TradingConfig.model_validate({"costs": costs, "execution": {"sides": "both"}})
    strategy = MlPredictive.given({**SMALL, "threshold": 0.51})
    returns = []
    for seed in range(12):
        market, _ = trained(market_of(walk(2_000, seed=100 + seed)))
        said = signals_of(strategy, market, must_trade=True)
        feed = Feed(symbol="X", timeframe=Timeframe.H1, calendar="24/7", bars=market.bars, signals=said)
        result = backtest([feed], free)
        returns.append(float(np.log(result.equity[-1] / result.start_cash)))
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))

    assert abs(np.mean(returns)) < 2 * error
