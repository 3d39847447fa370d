"""Sweeps and searches: what is tried, what is kept, and what is said about the winner."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtesting.course import Course
from backend.backtesting.ledger import Family, Ledger
from backend.backtesting.measures import METRICS
from backend.backtesting.objectives import OBJECTIVES, Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.search import search
from backend.backtesting.space import ParameterSpace
from backend.backtesting.sweep import sweep
from backend.backtesting.trials import MOST_COMPARED
from backend.domain import format as say
from backend.domain.config import ExecutionRules, TradingConfig
from backend.domain.optimisation_errors import InvalidSpace, NothingToTry, TooManyTrials, UnknownObjective
from backend.domain.signals import FLAT, KEEP, LONG, Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.built_in.rsi_reversion import RsiReversion
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.market import Market
from backend.domain.strategy_errors import NotEnoughHistory
from backend.domain.trading.evidence import deflated_sharpe
from tests.market_bars import market_of, walk

SHARPE = Objective.named("sharpe")
PAIRS = {"fast": [5, 10, 15, 20], "slow": [10, 20, 30, 40]}
FAMILY = Family(strategy="sma_cross", symbol="BTC/USDT")


class Table(TradingStrategy):
    """Earns what a table of its parameters says: it is long in the last hours of a few of the days that rise."""

    name = "table"

    class Parameters(StrategyParameters):
        x: int = parameter(0, title="X", description="Across", ge=0, le=50)
        y: int = parameter(0, title="Y", description="Down", ge=0, le=50)

    parameters: Parameters

    def generate_signals(self, market: Market) -> Signals:
        if self.parameters.y == 50:
            raise RuntimeError("no fiftieth row")
        direction = np.full(len(market), KEEP, np.int8)
        days = 2 + 9 * int((self.parameters.x, self.parameters.y) == (2, 2)) + self.parameters.x
        for day in range(days):
            direction[day * 24 + 3], direction[day * 24 + 20] = LONG, FLAT
        return Signals.of(direction, bars=len(market))


def rising() -> Market:
    """Every day rises by about 1 %, with some noise."""
    bars = walk(24 * 40, seed=2)
    path = 100 * np.exp(np.arange(len(bars)) * 0.0005) * (1 + 0.002 * np.sin(np.arange(len(bars))))
    for column, away in (("open", 1.0), ("high", 1.001), ("low", 0.999), ("close", 1.0)):
        bars[column] = path * away
    return market_of(bars)


def averages(count: int = 3_000, **rules: Any) -> Course:
    trading = TradingConfig(execution=ExecutionRules.model_validate(rules))
    return Course(strategy=SmaCross, markets=(market_of(walk(count)),), trading=trading)


def swept(course: Course, ranges: Any = PAIRS, objective: Objective = SHARPE, **how: Any) -> Optimisation:
    return sweep(course, ParameterSpace.of(course.strategy, ranges), objective, **how)


def test_the_winner_is_what_single_backtests_say_and_never_stands_alone() -> None:
    course = averages()
    found = swept(course)
    ratios = {}
    for fast, slow in found.trials.combinations:
        result = course.backtest(SmaCross.Parameters(fast=fast, slow=slow))
        ratios[fast, slow] = course.analyse(result).statistics.number("sharpe")
    assert found.winner is not None
    assert found.median is not None
    best = max(ratios, key=lambda pair: ratios[pair] or -9)
    assert (found.winner.parameters["fast"], found.winner.parameters["slow"]) == best
    assert found.judgement["winner"] == ratios[best]
    assert found.judgement["median"] == np.median(list(ratios.values()))
    assert found.judgement["trials"] == len(ratios) == 12
    assert found.skipped == 4
    document = found.document()
    assert {"winner", "median", "overfitting", "deflated_sharpe", "trials"} <= set(document["judgement"]["values"])
    json.dumps(document, allow_nan=False)


def test_the_deflated_ratio_counts_every_trial_of_the_family(tmp_path: Path) -> None:
    course, ledger = averages(), Ledger(tmp_path)
    alone = swept(course, ledger=ledger)
    assert alone.in_family.trials == 12
    more = {"fast": [5, 10, 15, 20], "slow": {"from": 50, "to": 100, "step": 5}}
    swept(course, more, ledger=ledger)
    again = swept(course, ledger=ledger)
    assert again.in_family.trials == 12 + 44 == ledger.size(FAMILY).trials
    assert again.judgement["deflated_sharpe"] != alone.judgement["deflated_sharpe"]
    assert again.winner is not None
    metrics = again.winner.metrics
    assert again.judgement["deflated_sharpe"] == deflated_sharpe(
        metrics["sharpe"] / 365**0.5,
        days=again.days,
        skew=metrics["skew"],
        kurtosis=metrics["kurtosis"],
        trials=56,
        spread_of_trials=ledger.size(FAMILY).spread(again.days),
    )


def test_the_ledger_has_every_trial_with_all_its_parameters(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    found = swept(averages(), ledger=ledger, seed=4)
    rows = list(ledger.read(FAMILY))
    assert [(row["parameters"]["fast"], row["parameters"]["slow"]) for row in rows] == list(found.trials.combinations)
    assert rows[0]["parameters"]["at_once"] is False
    assert rows[0]["metrics"]["sharpe"] == found.trials[0].metrics["sharpe"]
    assert (rows[0]["method"], rows[0]["seed"], rows[0]["number"]) == ("grid", 4, 0)


def test_a_lone_peak_is_named_as_such() -> None:
    course = Course(strategy=Table, markets=(rising(),), trading=TradingConfig())
    found = swept(course, {"x": [0, 1, 2, 3, 4], "y": [0, 1, 2, 3, 4]}, Objective.named("total_return"))
    assert found.winner is not None
    assert found.winner.parameters == {"x": 2, "y": 2}
    assert found.neighbourhood is not None
    assert (found.neighbourhood.tried, found.neighbourhood.is_lone_peak) == (8, True)
    [peak] = [text for text in found.warnings if "lone peak" in text]
    values = found.judgement.number("winner"), found.neighbourhood.mean, found.judgement.number("median")
    best, mean, median = map(say.change, values)
    around = f"its 8 neighbours on average {mean}, and the median of all is {median}."
    assert peak == f"A lone peak: the winner has {best}, {around}"


def test_a_broad_hill_is_no_lone_peak() -> None:
    course = Course(strategy=Table, markets=(rising(),), trading=TradingConfig())
    found = swept(course, {"x": [3, 4, 5, 6, 7, 8, 9], "y": [0, 1, 3]}, Objective.named("total_return"))
    assert found.neighbourhood is not None
    assert not found.neighbourhood.is_lone_peak
    assert not any("lone peak" in text for text in found.warnings)


def test_a_heat_map_takes_the_best_or_the_median_over_the_others() -> None:
    course = averages()
    found = swept(course, {**PAIRS, "at_once": [False, True]})
    values = dict(zip(found.trials.combinations, found.values, strict=True))
    best, middle = found.heat("fast", "slow"), found.heat("fast", "slow", how="median")
    assert (best.columns, best.rows) == ((5, 10, 15, 20), (10, 20, 30, 40))
    assert best.values[2, 1] == max(values[10, 30, False], values[10, 30, True])
    assert middle.values[2, 1] == np.median([values[10, 30, False], values[10, 30, True]])
    assert np.isnan(best.values[0, 1])
    with pytest.raises(InvalidSpace, match="slwo was not tried"):
        found.heat("fast", "slwo")


def test_less_is_better_for_volatility() -> None:
    found = swept(averages(), objective=Objective.named("volatility"))
    assert found.judgement["winner"] == found.trials.metric("volatility").min()
    assert np.nanmin(found.heat("fast", "slow").values) == found.judgement["winner"]


def test_what_lacks_its_figure_or_trades_too_little_comes_last_with_its_reason() -> None:
    course = Course(strategy=Table, markets=(rising(),), trading=TradingConfig())
    found = swept(course, {"x": [0, 3], "y": [0, 1]}, Objective.named("total_return", least_trades=4))
    assert [trial.parameters["x"] for trial in found.best(4)] == [3, 3, 0, 0]
    assert found.ranked == 2
    assert found.why_not(found.trials[0]) == "It made fewer trades than were asked for."
    factor = swept(course, {"x": [0, 3]}, Objective.named("profit_factor"))
    assert factor.winner is None
    assert "None of 2 trials can be ranked by profit_factor" in factor.warnings[0]
    assert factor.judgement.missing["winner"] == "No trial could be ranked."


def test_a_trial_that_fails_is_kept_and_the_others_go_on() -> None:
    course = Course(strategy=Table, markets=(rising(),), trading=TradingConfig())
    found = swept(course, {"y": [0, 1, 50]})
    assert len(found.trials) == 3
    assert "no fiftieth row" in str(found.trials[2].failure)
    assert "no fiftieth row" in str(found.why_not(found.trials[2]))
    assert found.winner is not None
    with pytest.raises(Exception, match="no fiftieth row"):
        swept(course, {"y": [50]})


def test_too_little_history_for_all_is_an_error_with_numbers() -> None:
    with pytest.raises(NotEnoughHistory, match="needs 10 bars before it can say anything; there are 8"):
        swept(averages(8), {"fast": [5], "slow": [10, 20]})


def test_nothing_that_the_strategy_takes_is_an_error_with_numbers() -> None:
    with pytest.raises(NothingToTry, match=r"none of the 4 combinations.*fast is 20 and slow is 10"):
        swept(averages(), {"fast": [20, 30], "slow": [10, 15]})


def test_more_than_can_be_kept_is_refused() -> None:
    ranges = {"fast": {"from": 2, "to": 1_000}, "slow": {"from": 3, "to": 2_000}}
    with pytest.raises(TooManyTrials, match="1,996,002 combinations; at most 1,000,000"):
        swept(averages(50), ranges)


def test_what_is_drawn_by_lot_is_the_same_for_a_seed_and_tried_once() -> None:
    ranges = {"fast": {"from": 2, "to": 30}, "slow": {"from": 10, "to": 90}}
    one, again, other = (swept(averages(600), ranges, draw=60, seed=seed) for seed in (1, 1, 2))
    assert list(one.trials.combinations) == list(again.trials.combinations) != list(other.trials.combinations)
    assert len(set(one.trials.combinations)) == 60
    assert one.skipped > 0
    every = swept(averages(600), PAIRS, draw=500)
    assert len(every.trials) == 12


def test_overfitting_is_judged_by_some_where_there_are_many() -> None:
    ranges = {"fast": {"from": 2, "to": 41}, "slow": {"from": 42, "to": 81}}
    one, again = swept(averages(900), ranges), swept(averages(900), ranges, workers=1)
    assert len(one.trials) == 1_600
    assert one.overfitting is not None
    assert one.overfitting.trials == MOST_COMPARED
    assert one.overfitting == again.overfitting


def test_a_cancelled_sweep_is_a_part_and_says_so() -> None:
    told: list[tuple[str, float | None, str]] = []
    course = Course(strategy=RsiReversion, markets=(market_of(walk(300)),), trading=TradingConfig())
    found = swept(
        course,
        {"period": {"from": 2, "to": 200}},
        report=lambda stage, percent, message: told.append((stage, percent, message)),
        is_cancelled=lambda: len(told) > 3,
    )
    assert found.is_cancelled
    assert 0 < len(found.trials) < 199
    assert f"It was cancelled after {len(found.trials)} of 199 trials" in found.warnings[0]
    percents = [percent for _, percent, _ in told if percent is not None]
    assert percents == sorted(percents)
    assert told[0] == ("trying", 0.0, "199 combinations of period")


def test_a_search_finds_the_corner_with_fewer_trials_and_is_the_same_for_a_seed(tmp_path: Path) -> None:
    course = Course(strategy=Table, markets=(rising(),), trading=TradingConfig())
    space = ParameterSpace.of(Table, {"x": {"from": 3, "to": 30}, "y": {"from": 0, "to": 9}})
    best = Objective.named("total_return")
    one, again = (search(course, space, best, trials=40, seed=7, ledger=Ledger(tmp_path)) for _ in range(2))
    assert list(one.trials.combinations) == list(again.trials.combinations)
    assert len(one.trials) == len(set(one.trials.combinations)) == 40
    assert one.winner is not None
    assert float(one.winner.parameters["x"]) >= 28
    assert again.in_family.trials == 40
    assert one.method == "tpe"


def test_a_search_tries_all_of_a_small_space_and_skips_what_is_not_taken() -> None:
    course = averages(600)
    found = search(course, ParameterSpace.of(SmaCross, PAIRS), SHARPE, trials=100, seed=3)
    every = swept(course)
    assert set(found.trials.combinations) == set(every.trials.combinations)
    assert found.skipped == 4
    assert found.judgement["winner"] == every.judgement["winner"]


def test_a_sweep_over_long_history_asks_often_whether_it_is_still_wanted() -> None:
    course = averages(400_000)
    found = swept(course, {"fast": list(range(5, 25)), "slow": list(range(30, 50))}, is_cancelled=lambda: True)
    assert found.is_cancelled
    assert 0 < len(found.trials) < 50


def test_a_search_can_be_cancelled() -> None:
    found = search(averages(300), ParameterSpace.of(SmaCross, PAIRS), SHARPE, trials=10, is_cancelled=lambda: True)
    assert found.is_cancelled
    assert len(found.trials) <= 8


def test_an_objective_that_does_not_exist_is_named_with_what_may_be_meant() -> None:
    with pytest.raises(UnknownObjective, match=r"There is no objective 'sharp'\. Did you mean 'sharpe'"):
        Objective.named("sharp")
    with pytest.raises(UnknownObjective, match="There are: sharpe, sortino"):
        Objective.named("xyz")
    assert set(OBJECTIVES) <= set(METRICS)
