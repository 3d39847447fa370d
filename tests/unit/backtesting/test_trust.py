"""The trust panel of a run: an honest one, a cheat, one that lives by no costs, and one of which little is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.analysis import analyse
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.trust import Examined, Family, Trust, Verdict, examine
from backend.data.fetchers.demo import simulated_bars
from backend.domain.config import CostModel, ExecutionRules, Sides, TradingConfig
from backend.domain.market import Timeframe
from backend.domain.quality import Quality
from backend.domain.signals import FLAT, LONG, Signals
from backend.domain.simulation.markets import MARKETS
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategies.registry import StrategyRegistry

BARS = simulated_bars("BTC/USDT", "1h", "2022-01-01", "2023-01-01")


class Tomorrow(TradingStrategy):
    """It knows the next close."""

    name = "tomorrow"

    def generate_signals(self, market: Market) -> Signals:
        ahead = np.append(market.close[1:], np.nan)
        return Signals.of(np.where(ahead > market.close, LONG, FLAT), bars=len(market))


def examined(
    strategy: TradingStrategy, config: TradingConfig, *, bars: pd.DataFrame = BARS, **more: object
) -> Examined:
    market = Market.of(bars, MARKETS["BTC/USDT"].instrument, Timeframe.H1)
    feed = Feed(
        symbol="BTC/USDT",
        timeframe=Timeframe.H1,
        calendar="24/7",
        bars=bars,
        signals=strategy.generate_signals(market),
    )
    result = backtest([feed], config)
    analysis = analyse(result, timeframe=Timeframe.H1, calendar="24/7")
    run = Examined(strategy=strategy, markets=[market], feeds=[feed], result=result, analysis=analysis, seed=7)
    return Examined(**{**vars(run), **more})


def sma(**costs: float) -> Examined:
    return examined(StrategyRegistry().strategy("sma_cross"), TradingConfig(costs=CostModel(**costs)))


class Upwards(TradingStrategy):
    """It knows whether a day will rise, so it earns before costs, and trades all the time."""

    name = "upwards"

    def generate_signals(self, market: Market) -> Signals:
        ahead = np.append(market.close[24:], np.full(24, np.nan))
        hours = np.arange(len(market)) // 24 * 24
        return Signals.of(np.where((ahead > market.close)[hours], LONG, FLAT), bars=len(market))


class Downwards(Upwards):
    """Short where the other is long: it loses before any costs."""

    name = "downwards"

    def generate_signals(self, market: Market) -> Signals:
        long = super().generate_signals(market)
        return Signals.of(-long.direction, bars=len(market))


def winner(**costs: float) -> Examined:
    return examined(Upwards(), TradingConfig(costs=CostModel(**costs)))


def total_return(run: Examined) -> float:
    return float(run.result.equity[-1] / run.result.start_cash - 1.0)


def number(trust: Trust, code: str, fact: str) -> float:
    value = trust[code].facts[fact]
    assert not isinstance(value, str)
    return value


def verdicts(trust: Trust) -> dict[str, Verdict]:
    return {check.code: check.verdict for check in trust.checks}


def test_every_check_has_a_sentence_and_no_number_that_is_none() -> None:
    trust = examine(sma(taker_bps=10.0))
    assert len(trust.checks) == 12
    for check in trust.checks:
        assert check.sentence.endswith(".")
        assert check.sentence[0].isupper() or check.sentence[0].isdigit()
        assert all(np.isfinite(fact) for fact in check.facts.values() if not isinstance(fact, str))
    assert trust["look_ahead"].verdict is Verdict.GOOD
    assert number(trust, "look_ahead", "points") >= 12
    assert trust["gaps"].verdict is Verdict.UNKNOWN


def test_a_cheat_is_told_from_its_wonderful_figures() -> None:
    trust = examine(examined(Tomorrow(), TradingConfig(costs=CostModel(taker_bps=0.0, maker_bps=0.0))))
    assert trust["look_ahead"].verdict is Verdict.BAD
    assert "depends on what was not known then" in trust["look_ahead"].sentence
    assert trust["interval"].verdict is Verdict.GOOD


def test_higher_costs_leave_less() -> None:
    trust = examine(sma(taker_bps=10.0))
    by_costs = sorted(trust.band, key=lambda one: one.cost_times)
    assert [one.cost_times for one in by_costs] == [1.0, 2.0, 3.0]
    returns = [one.total_return for one in by_costs]
    assert returns == sorted(returns, reverse=True)


def test_with_stops_the_band_runs_over_the_three_modes() -> None:
    config = TradingConfig(execution=ExecutionRules(stop_percent=1.0, target_percent=1.5))
    trust = examine(examined(StrategyRegistry().strategy("sma_cross"), config))
    assert [(one.mode, one.cost_times) for one in trust.band] == [
        ("optimistic", 1.0),
        ("neutral", 1.0),
        ("pessimistic", 1.0),
        ("pessimistic", 2.0),
        ("pessimistic", 3.0),
    ]
    assert trust.band[0].total_return >= trust.band[2].total_return


def test_more_trials_make_a_ratio_less_sure_and_ask_for_a_longer_test() -> None:
    run = examined(Tomorrow(), TradingConfig())
    random = np.random.default_rng(1)
    few = examine(run)
    many = examine(Examined(**{**vars(run), "family": Family(trials=5_000, t_values=random.normal(0, 8, 5_000))}))
    assert number(many, "deflated", "probability") < number(few, "deflated", "probability")
    assert number(many, "length", "needed") > number(few, "length", "needed")
    assert "5,000 trials" in many["deflated"].sentence


def test_a_good_order_is_told_from_a_random_one() -> None:
    trust = examine(examined(Tomorrow(), TradingConfig()), thorough=True)
    assert trust["shuffled"].facts["shuffles"] == 199
    assert trust["look_ahead"].facts["points"] == 200


@pytest.mark.parametrize(("missing", "verdict"), [(0, Verdict.GOOD), (50, Verdict.DOUBTFUL), (900, Verdict.BAD)])
def test_gaps_are_judged_by_their_share(missing: int, verdict: Verdict) -> None:
    quality = Quality(rows=8_760, expected=8_760, missing=missing, gaps=(), gap_count=1, suspects=(), suspect_count=3)
    run = sma()
    trust = examine(Examined(**{**vars(run), "quality": [quality]}))
    assert trust["gaps"].verdict is verdict
    assert trust["gaps"].sentence == f"{missing:,} of 8,760 bars are missing, and 3 deserve a second look."


def test_a_run_that_never_traded_says_so_everywhere() -> None:
    class Never(TradingStrategy):
        name = "never"

        def generate_signals(self, market: Market) -> Signals:
            return Signals.of(np.full(len(market), FLAT), bars=len(market))

    found = verdicts(examine(examined(Never(), TradingConfig())))
    assert found["trades"] is Verdict.BAD
    for code in ("shuffled", "few_trades", "costs", "break_even", "interval", "deflated", "length"):
        assert found[code] is Verdict.UNKNOWN, code


def test_the_same_seed_gives_the_same_panel() -> None:
    assert examine(sma()) == examine(sma())


@pytest.mark.parametrize("costs", [{"taker_bps": 10.0, "slippage_bps": 5.0}, {"taker_bps": 0.0, "maker_bps": 0.0}])
def test_nothing_is_left_at_the_break_even_cost(costs: dict[str, float]) -> None:
    run = winner(**costs)
    bps = number(examine(run, only=["break_even"]), "break_even", "bps")
    at, below = (winner(taker_bps=bps - less, maker_bps=bps - less) for less in (0.0, 1.0))
    assert total_return(at) == pytest.approx(0.0, abs=0.02)
    assert total_return(below) > total_return(at)
    assert run.analysis.statistics.number("break_even_bps") != pytest.approx(bps, rel=0.05)  # that of the same orders


def test_the_break_even_cost_agrees_with_the_rows_beside_it() -> None:
    for run in (winner(taker_bps=40.0), winner(taker_bps=15.0), winner(taker_bps=80.0)):
        trust = examine(run, only=["break_even", "band"])
        times = number(trust, "break_even", "bps") / number(trust, "break_even", "supposed_bps")
        for row in trust.band:
            assert (row.total_return > 0) == (row.cost_times < times), (row, times)


def test_what_loses_before_costs_has_no_break_even_cost() -> None:
    config = TradingConfig(costs=CostModel(taker_bps=10.0), execution=ExecutionRules(sides=Sides.SHORT))
    check = examine(examined(Downwards(), config), only=["break_even"])["break_even"]
    assert (check.verdict, check.sentence) == (Verdict.BAD, "It loses even without any costs.")


def with_trades(returns: list[float]) -> Examined:
    """A run whose closed trades earned these shares of the account."""
    run = sma()
    trades = np.resize(run.result.closed, len(returns)).copy()
    trades["pnl"] = np.array(returns) * run.result.equity[trades["entry_bar"] - 1]
    return Examined(**{**vars(run), "result": replace(run.result, trades=trades)})


@pytest.mark.parametrize(
    ("returns", "verdict"),
    [
        ([0.9, *[-0.01] * 50], Verdict.BAD),
        ([*[0.2] * 5, *[-0.01] * 40], Verdict.DOUBTFUL),
        ([0.03] * 40, Verdict.GOOD),
        ([-0.03] * 40, Verdict.UNKNOWN),
    ],
)
def test_a_profit_of_few_trades_is_told(returns: list[float], verdict: Verdict) -> None:
    assert examine(with_trades(returns), only=["few_trades"])["few_trades"].verdict is verdict


def test_the_sentence_of_few_trades_says_what_the_others_would_have_made() -> None:
    trust = examine(with_trades([0.34, *[0.02] * 4, *[-0.002] * 25]), only=["few_trades"])
    assert trust["few_trades"].sentence == (
        "The closed trades made +38.0%; without the best one the others would have made +3.0%,"
        " without the best 5 \u22124.9%."
    )
