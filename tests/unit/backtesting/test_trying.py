"""Trials in one compiled loop: every figure is that of a backtest of its own, to the last digit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.backtesting.course import Course
from backend.backtesting.engine import backtest
from backend.backtesting.measures import METRICS, THERE, total
from backend.backtesting.overfitting import BlockSums
from backend.backtesting.trying import Trier
from backend.domain.config import CostModel, ExecutionRules, Sizing, TradingConfig
from backend.domain.market import FOREX, Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.built_in.buy_and_hold import BuyAndHold
from backend.domain.strategies.built_in.momentum_rank import MomentumRank
from backend.domain.strategies.built_in.rsi_reversion import RsiReversion
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.market import Market
from backend.domain.strategies.sharing import Turns
from tests.market_bars import beside, instrument_of, market_of, walk
from tests.unit.backtesting.markets import feed, random_bars, random_signals

PLAIN = TradingConfig()
BRACKETS = TradingConfig(
    costs=CostModel(taker_bps=5, slippage_bps=2),
    execution=ExecutionRules.model_validate({"sides": "both", "stop_percent": 1.5, "target_percent": 3}),
)
TRAILING = TradingConfig(
    sizing=Sizing.model_validate({"method": "volatility", "percent": 30}),
    costs=CostModel(borrow_percent_a_year=6, minimum_fee=1),
    execution=ExecutionRules.model_validate(
        {"sides": "both", "trail_percent": 2, "leverage": 2, "intrabar": "neutral"}
    ),
)


class Anything(TradingStrategy):
    """Says all there is to say, at random."""

    name = "anything"

    class Parameters(StrategyParameters):
        seed: int = parameter(0, title="Seed", description="Of its dice", ge=0, le=20_000)
        levels: bool = parameter(True, title="Levels", description="Whether it brings prices")
        insists: bool = parameter(False, title="Insists", description="Whether it says the same again on every bar")

    parameters: Parameters

    def generate_signals(self, market: Market) -> Signals:
        said = random_signals(market.bars, self.parameters.seed, levels=self.parameters.levels)
        if not self.parameters.insists:
            return said
        rows = np.maximum.accumulate(np.where(said.direction != KEEP, np.arange(len(said)), 0))
        return replace(said, direction=said.direction[rows], limit=None, reason=None, reasons=())


def assert_each_equals_its_backtest(course: Course, several: list[Any]) -> None:
    batch = Trier(course).run([((number,), each) for number, each in enumerate(several)])
    for row, each in enumerate(several):
        analysis = course.analyse(course.backtest(each))
        found = {
            name: float(value)
            for name, value, code in zip(METRICS, batch.values[row], batch.why[row], strict=True)
            if code == THERE
        }
        expected = {name: analysis.statistics.number(name) for name in METRICS if name in analysis.statistics.values}
        assert found == expected, each


@pytest.mark.parametrize("trading", [PLAIN, BRACKETS, TRAILING], ids=["plain", "brackets", "trailing"])
def test_pairs_of_averages_are_what_single_backtests_are(trading: TradingConfig) -> None:
    dice = np.random.default_rng(5)
    pairs = [
        (int(fast), int(fast + more))
        for fast, more in zip(dice.integers(2, 60, 50), dice.integers(1, 90, 50), strict=True)
    ]
    several = [SmaCross.Parameters(fast=fast, slow=slow, at_once=slow % 2 == 0) for fast, slow in pairs]
    course = Course(strategy=SmaCross, markets=(market_of(walk(2_500)),), trading=trading)
    assert_each_equals_its_backtest(course, several)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    levels=st.booleans(),
    insists=st.booleans(),
    start=st.integers(0, 60),
    intrabar=st.sampled_from(["pessimistic", "neutral", "optimistic"]),
    life=st.sampled_from([None, 1, 4]),
    digits=st.sampled_from([None, 0]),
)
def test_whatever_a_strategy_says_a_trial_is_its_backtest(
    seed: int, levels: bool, insists: bool, start: int, intrabar: str, life: int | None, digits: int | None
) -> None:
    bars = random_bars(260, seed, digits=digits)
    rules = {"sides": "both", "intrabar": intrabar, "limit_life_bars": life, "stop_percent": 5, "volume_percent": 40}
    trading = TradingConfig(execution=ExecutionRules.model_validate(rules))
    market = market_of(bars)
    course = Course(strategy=Anything, markets=(market,), trading=trading, since=int(market.starts[start]))
    several = [Anything.Parameters(seed=seed + more, levels=levels, insists=insists) for more in range(3)]
    assert_each_equals_its_backtest(course, several)


def test_indices_with_levels_of_their_own_and_shorter_bars() -> None:
    hours = walk(600, seed=3)
    minutes = inside(hours)
    trading = TradingConfig(
        execution=ExecutionRules.model_validate(
            {"sides": "both", "stop_percent": 1, "target_percent": 1, "detail": "30m"}
        )
    )
    market = market_of(hours)
    course = Course(strategy=RsiReversion, markets=(market,), trading=trading, detail={market.symbol: minutes})
    assert_each_equals_its_backtest(course, [RsiReversion.Parameters(period=period) for period in range(3, 12)])


def test_several_symbols_on_one_account() -> None:
    one = market_of(walk(800, seed=1), symbol="A")
    other = market_of(walk(800, seed=2), symbol="B")
    course = Course(strategy=MomentumRank, markets=(beside(one, other), beside(other, one)), trading=PLAIN)
    assert_each_equals_its_backtest(course, [MomentumRank.Parameters(), MomentumRank.Parameters(lookback=30)])


def test_an_account_that_is_ruined_has_no_returns_and_says_why() -> None:
    bars = walk(400, seed=1)
    for column in ("open", "high", "low", "close"):
        bars[column] = bars[column] * np.linspace(1.0, 0.02, 400)
    trading = TradingConfig(execution=ExecutionRules(leverage=10))
    course = Course(strategy=BuyAndHold, markets=(market_of(bars),), trading=trading)
    assert_each_equals_its_backtest(course, [BuyAndHold.Parameters()])
    batch = Trier(course).run([((), BuyAndHold.Parameters())])
    assert np.isnan(batch.values[0, METRICS.index("sharpe")])


def test_days_of_currencies_end_with_the_week() -> None:
    market = Market.of(walk(700), instrument_of(), Timeframe.H1)
    market = Market.of(
        market.bars, type(market.instrument)(**{**vars(market.instrument), "calendar": FOREX}), Timeframe.H1
    )
    course = Course(strategy=SmaCross, markets=(market,), trading=PLAIN)
    assert_each_equals_its_backtest(course, [SmaCross.Parameters(fast=5, slow=20)])


def test_sums_of_blocks_are_those_of_daily_returns() -> None:
    course = Course(strategy=SmaCross, markets=(market_of(walk(3_000)),), trading=PLAIN)
    several = [SmaCross.Parameters(fast=fast, slow=40) for fast in (5, 10, 20)]
    trier = Trier(course)
    batch = trier.run([((), each) for each in several])
    returns = [course.analyse(course.backtest(each)).daily.returns for each in several]
    expected = BlockSums.of(np.column_stack(returns))
    np.testing.assert_array_equal(trier.block_days, expected.days)
    np.testing.assert_allclose(batch.sums.T, expected.sums, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(batch.squares.T, expected.squares, rtol=1e-10, atol=1e-18)


def test_too_little_history_stops_one_trial_and_not_its_neighbours() -> None:
    course = Course(strategy=SmaCross, markets=(market_of(walk(100)),), trading=PLAIN)
    wanted = [((slow,), SmaCross.Parameters(fast=5, slow=slow)) for slow in (20, 400, 30)]
    batch = Trier(course).run(wanted)
    assert list(batch.failures) == [1]
    assert "needs 400 bars" in str(batch.failures[1])
    alone = Trier(course).run([wanted[2]])
    np.testing.assert_array_equal(batch.values[2], alone.values[0])


def test_batches_come_in_order_however_many_threads_there_are() -> None:
    course = Course(strategy=SmaCross, markets=(market_of(walk(400)),), trading=PLAIN)
    wanted = [
        ((fast, slow), SmaCross.Parameters(fast=fast, slow=slow)) for fast in range(2, 40) for slow in range(40, 80)
    ]
    one, three = (
        np.concatenate([batch.values for batch in Trier(course).in_order(wanted, workers=workers)])
        for workers in (1, 3)
    )
    np.testing.assert_array_equal(one, three)
    assert len(one) == len(wanted)


def test_shared_averages_cross_where_each_pair_alone_says() -> None:
    market = market_of(walk(3_000, seed=9))
    several = [
        SmaCross.Parameters(fast=fast, slow=slow, at_once=once)
        for fast, slow in ((2, 3), (5, 511), (20, 512), (20, 513), (3, 1_025), (100, 2_000))
        for once in (False, True)
    ]
    found, expected = (
        SmaCross.turns(market, several),
        Turns.of([SmaCross(each).generate_signals(market) for each in several]),
    )
    for name in ("first", "rows", "direction"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_equal_averages_keep_their_side() -> None:
    closes = np.repeat([100.0, 101.0, 100.0, 99.0, 100.0], 40)
    bars = walk(len(closes))
    for column in ("open", "high", "low", "close"):
        bars[column] = closes
    several = [SmaCross.Parameters(fast=3, slow=8, at_once=once) for once in (False, True)]
    market = market_of(bars)
    found, expected = (
        SmaCross.turns(market, several),
        Turns.of([SmaCross(each).generate_signals(market) for each in several]),
    )
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.direction, expected.direction)


def test_to_be_out_cancels_an_order_that_waits_far_away() -> None:
    bars = random_bars(40, 1)
    direction = np.full(40, KEEP, np.int8)
    direction[2], direction[5] = LONG, FLAT
    limit = np.full(40, np.nan)
    limit[2] = bars["low"].to_numpy()[7:].min() * 1.001
    assert bars["low"].to_numpy()[3:6].min() > limit[2]
    result = backtest([feed(bars, Signals.of(direction, bars=40, limit=limit))], PLAIN)
    assert len(result.fills) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 127, 128, 129, 136, 1_000, 4_167])
def test_sums_are_added_as_numpy_adds(count: int) -> None:
    values = np.random.default_rng(count).standard_normal(count)
    assert total(values) == values.sum()


def inside(hours: pd.DataFrame) -> pd.DataFrame:
    """Two half hours for every hour, which reach its extremes."""
    first, second = hours.copy(), hours.copy()
    first["close"] = second["open"] = (hours["high"] + hours["low"]) / 2
    first["low"] = np.minimum(first["open"], first["close"])
    second["high"] = np.maximum(second["open"], second["close"])
    second["ts"] = second["ts"] + pd.Timedelta(minutes=30)
    return pd.concat([first, second]).sort_values("ts").reset_index(drop=True)
