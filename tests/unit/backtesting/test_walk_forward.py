"""Walking forward: windows that never see what comes after them, and one account that trades their winners."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtesting.course import Course
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.space import ParameterSpace
from backend.backtesting.walk_forward import WalkForward, Window, count_windows, plan, walk_forward
from backend.domain.config import TradingConfig
from backend.domain.optimisation_errors import CannotWalkForward
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.built_in.momentum_rank import MomentumRank
from backend.domain.strategies.built_in.rsi_reversion import RsiReversion
from backend.domain.strategies.built_in.sma_cross import SmaCross
from tests.market_bars import beside, market_of, walk

SHARPE = Objective.named("sharpe")
PAIRS = {"fast": [5, 10, 15], "slow": [20, 30, 40]}


def course(count: int = 3_000, strategy: type[TradingStrategy] = SmaCross) -> Course:
    return Course(strategy=strategy, markets=(market_of(walk(count)),), trading=TradingConfig())


def walked(on: Course, ranges: Any = PAIRS, **how: Any) -> WalkForward:
    return walk_forward(on, ParameterSpace.of(on.strategy, ranges), SHARPE, **{"train": 1_200, "test": 400, **how})


@given(
    bars=st.integers(1, 3_000),
    train=st.integers(2, 700),
    test=st.integers(2, 300),
    purge=st.integers(0, 50),
    anchored=st.booleans(),
)
def test_windows_follow_each_other_and_never_overlap_what_is_traded(
    bars: int, train: int, test: int, purge: int, anchored: bool
) -> None:
    try:
        windows = plan(bars, train=train, test=test, purge=purge, anchored=anchored)
    except CannotWalkForward:
        assert bars < train + purge + test
        assert count_windows(bars, train=train, test=test, purge=purge) == 0
        return
    assert count_windows(bars, train=train, test=test, purge=purge) == len(windows)
    assert all(window.train[1] + purge == window.test[0] for window in windows)
    assert all(window.train[0] == 0 or not anchored for window in windows)
    assert all(one.test[1] == other.test[0] for one, other in pairwise(windows))
    assert all(window.train[1] - window.train[0] >= train for window in windows)
    assert bars - windows[-1].test[1] < (test + 1) // 2


def test_rolling_and_anchored_windows_by_hand() -> None:
    assert plan(100, train=40, test=20, purge=5) == (
        Window(train=(0, 40), test=(45, 65)),
        Window(train=(20, 60), test=(65, 85)),
        Window(train=(40, 80), test=(85, 100)),
    )
    assert [window.train for window in plan(100, train=40, test=20, anchored=True)] == [(0, 40), (0, 60), (0, 80)]
    with pytest.raises(
        CannotWalkForward, match="40 bars to choose on, 5 between and 20 to trade, 65 in all; there are 50"
    ):
        plan(50, train=40, test=20, purge=5)
    with pytest.raises(CannotWalkForward, match="test is 1 bars; at least 2"):
        plan(50, train=40, test=1)


def test_each_window_is_a_sweep_of_its_own_and_its_winner_is_traded_after_it() -> None:
    on = course()
    found = walked(on, purge=24)
    starts = on.markets[0].starts
    assert len(found.steps) == found.windows == 4
    for step in found.steps:
        chosen, winner = step.chosen, step.chosen.winner
        assert winner is not None
        assert step.traded is not None
        train = on.between(*step.train)
        result = train.backtest(SmaCross.Parameters.model_validate(winner.parameters))
        assert result.starts[0] == starts[step.window.train[0]]
        assert result.starts[-1] == starts[step.window.train[1] - 1]
        assert train.analyse(result).statistics["sharpe"] == chosen.value(winner)
        tested = on.between(*step.test)
        after = tested.analyse(tested.backtest(SmaCross.Parameters.model_validate(winner.parameters)))
        assert after.statistics["sharpe"] == step.value == step.traded.metrics["sharpe"]


def test_what_comes_later_changes_nothing_that_was_chosen_or_traded() -> None:
    short, long = (
        walked(Course(strategy=SmaCross, markets=(market_of(bars),), trading=TradingConfig()))
        for bars in (later().head(2_000), later())
    )
    assert len(long.steps) > len(short.steps) == 2
    for one, other in zip(short.steps, long.steps, strict=False):
        assert one.chosen.winner == other.chosen.winner
        assert one.traded == other.traded
    assert short.result is not None
    assert long.result is not None
    np.testing.assert_array_equal(short.result.equity[:799], long.result.equity[:799])


def later() -> Any:
    """The same bars, and then others."""
    bars = walk(3_000)
    for column in ("open", "high", "low", "close"):
        bars.loc[2_000:, column] *= np.linspace(1, 3, 1_000)
    return bars


@pytest.mark.parametrize("strategy", [SmaCross, RsiReversion])
def test_the_stitched_account_is_out_of_sample_alone_and_flat_between_windows(strategy: type[TradingStrategy]) -> None:
    on = course(strategy=strategy)
    ranges = {**PAIRS, "at_once": [True]} if strategy is SmaCross else {"period": [5, 9, 14]}
    found = walked(on, ranges, purge=40)
    result = found.result
    assert result is not None
    assert found.analysis is not None
    assert result.starts[0] == found.steps[0].test[0]
    assert len(result.equity) == sum(step.window.test[1] - step.window.test[0] for step in found.steps)
    edges = np.searchsorted(result.starts, [step.test[0] for step in found.steps[1:]])
    held = result.position()
    # What was held is sold at the first open; what is new can only come one bar later.
    assert (held[edges] == 0.0).all()
    over = [trade for trade in range(len(result.trades)) if result.why(trade)[1] == "The window is over"]
    assert [result.trades[trade]["exit_bar"] for trade in over] == [edge for edge in edges if held[edge - 1] != 0.0]
    assert len(over) > 0
    grown = 1.0
    for step in found.steps:
        assert step.traded is not None
        grown *= 1.0 + step.traded.metrics["total_return"]
    # Windows by themselves mark what is left open; the account sells it, at a cost.
    assert result.equity[-1] / result.start_cash == pytest.approx(grown, rel=0.02)


def test_efficiency_and_stability_are_told_from_the_windows() -> None:
    found = walked(course())
    inside = [step.chosen.value(step.chosen.winner) for step in found.steps if step.chosen.winner]
    outside = [step.value for step in found.steps if step.value is not None]
    assert found.judgement["in_sample"] == pytest.approx(np.mean(inside))
    assert found.judgement["out_of_sample"] == pytest.approx(np.mean(outside))
    if np.mean(inside) > 0:
        assert found.judgement["efficiency"] == pytest.approx(np.mean(outside) / np.mean(inside))
    else:
        assert "nothing to keep" in found.judgement.missing["efficiency"]
    values = [step.chosen.winner.parameters["slow"] for step in found.steps if step.chosen.winner]
    assert found.stability["slow"].values == tuple(values)
    assert found.stability["slow"].distinct == len(set(values))
    assert found.stability["slow"].spread == (max(map(float, values)) - min(map(float, values))) / 20
    json.dumps(found.document(), allow_nan=False)


def test_every_trial_of_every_window_is_in_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    found = walked(course(), ledger=ledger)
    assert found.trials == 5 * 9
    assert ledger.size(found.steps[0].chosen.family).trials == found.trials


def test_a_cancelled_walk_has_the_windows_that_were_done() -> None:
    told: list[str] = []
    found = walked(course(), report=lambda _, __, message: told.append(message), is_cancelled=lambda: len(told) > 5)
    assert found.is_cancelled
    assert 0 < len(found.steps) < found.windows
    assert found.result is not None
    assert told[0] == "Window 1 of 5: 9 combinations of fast, slow"


def test_several_symbols_walk_together() -> None:
    one = market_of(walk(900, seed=1), symbol="A")
    other = market_of(walk(900, seed=2), symbol="B")
    on = Course(strategy=MomentumRank, markets=(beside(one, other), beside(other, one)), trading=TradingConfig())
    found = walked(on, {"lookback": [10, 20]}, train=400, test=200)
    assert len(found.steps) == 3 - 1 + (900 - 400) % 200 // 100
    assert found.result is not None
    assert found.result.symbols == ("A", "B")
