"""Each built-in strategy on bars made by hand, and what holds for all of them."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.domain.indicators.catalogue import INDICATORS
from backend.domain.indicators.trend import sma
from backend.domain.market import Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.built_in import sma_cross
from backend.domain.strategies.market import Market
from backend.domain.strategies.registry import StrategyRegistry
from backend.domain.strategies.saying import crossed
from backend.domain.strategy_errors import InvalidParameters
from tests.market_bars import bars_at, beside, market_of, walk

REGISTRY = StrategyRegistry(points=lambda: ())
# Rules and what learns have tests of their own.
NAMES = [name for name in REGISTRY.names if name not in {"rules", "ml_predictive"}]
EVERY = pytest.mark.parametrize("name", NAMES)
WALKS = [market_of(walk(1_500, seed=seed)) for seed in (1, 2, 3)]
YEARS = market_of(walk(4_000, seed=9))
# Three symbols, one of which begins late and one of which has holes.
PEERS = beside(
    market_of(walk(1_500, seed=1)),
    market_of(walk(1_400, seed=4, start="2026-01-09T04:00"), symbol="ETH/USDT"),
    market_of(walk(1_500, seed=5).drop(range(700, 760)).reset_index(drop=True), symbol="SOL/USDT"),
)


def said(name: str, closes: list[float], *, reach: float = 0.0, **parameters: Any) -> tuple[Signals, dict[int, int]]:
    """The signals, and what they say on which bar."""
    made = signals_of(REGISTRY.strategy(name, parameters), market_of(bars_at(closes, reach=reach)))
    return made, {int(bar): int(made.direction[bar]) for bar in np.flatnonzero(made.direction != KEEP)}


def columns(signals: Signals) -> dict[str, Any]:
    return {"direction": signals.direction, "reason": signals.reason, **signals.columns}


@EVERY
def test_it_knows_nothing_later(name: str) -> None:
    strategy = REGISTRY.strategy(name)
    for market in (*WALKS, PEERS):
        whole = signals_of(strategy, market)
        fired = np.flatnonzero(whole.direction != KEEP)
        cuts = {500, 1_001, 1_499, *(int(bar) + 1 for bar in fired[-8:]), *(int(bar) for bar in fired[-8:])}
        for rows in sorted(cuts):
            if rows >= strategy.least_bars():
                past = columns(signals_of(strategy, market.first(rows)))
                for column, values in columns(whole).items():
                    np.testing.assert_array_equal(past[column], values[:rows], err_msg=f"{column} after {rows} bars")


@EVERY
def test_where_history_began_does_not_matter_when_it_has_warmed_up(name: str) -> None:
    market, strategy = YEARS, REGISTRY.strategy(name)
    whole = signals_of(strategy, market).direction
    for end in range(2_500, 4_000, 150):
        begin = end - strategy.warmup() - 300
        late = replace(
            market,
            starts=market.starts[begin:end],
            columns={column: values[begin:end] for column, values in market.columns.items()},
        )
        spoken = signals_of(strategy, late).direction
        np.testing.assert_array_equal(spoken[-50:], whole[end - 50 : end], err_msg=f"the last bars before {end}")


@EVERY
def test_it_says_why_whenever_it_says_something(name: str) -> None:
    for market in (*WALKS, PEERS):
        made = signals_of(REGISTRY.strategy(name), market, must_trade=True)
        assert made.reason is not None
        assert {made.why(int(bar)) for bar in np.flatnonzero(np.isin(made.direction, (LONG, SHORT)))} <= set(
            made.reasons
        )
        assert all(made.why(int(bar)) for bar in np.flatnonzero(np.isin(made.direction, (LONG, SHORT))))
        assert (made.reason[made.direction == KEEP] == -1).all()
        Signals.of(made.direction, bars=len(market), reason=made.reason, reasons=made.reasons, **made.columns)


@EVERY
def test_it_is_described_for_people_and_forms(name: str) -> None:
    described = json.loads(json.dumps(REGISTRY.get(name).describe()))
    assert "Works" in described["description"]
    assert "Fails" in described["description"]
    assert described["markets"]
    assert described["origin"] == "built in"
    assert len(described["source_hash"]) == 64
    for field in described["parameters"].get("properties", {}).values():
        assert field["title"]
        assert field["description"]
        assert "default" in field
        assert field["type"] in ("boolean", "string") or {"maximum", "unit"} & set(field)
    for plot in described["plots"]:
        assert set(plot["outputs"]) <= set(INDICATORS[plot["indicator"]].outputs)


@EVERY
def test_it_speaks_with_as_few_bars_as_it_says_it_needs(name: str) -> None:
    strategy = REGISTRY.strategy(name)
    assert len(signals_of(strategy, WALKS[0].first(strategy.least_bars()))) == strategy.least_bars()
    assert strategy.warmup() >= 0


@EVERY
def test_a_price_that_never_moves_leads_to_no_trade(name: str) -> None:
    made = signals_of(REGISTRY.strategy(name), market_of(bars_at([100.1] * 1_200)))
    entries = np.isin(made.direction, (LONG, SHORT)).sum()
    assert entries == (1 if name == "buy_and_hold" else 0)


def test_buy_and_hold() -> None:
    made, bars = said("buy_and_hold", [5.0, 4.0, 3.0])
    assert bars == {0: LONG}
    assert made.why(0) == "The first bar: buy and hold to the end"


FALL_AND_RISE = [10, 9, 8, 7, 6, 7, 9, 11, 12, 11, 9, 6, 4.0]


def test_sma_cross_acts_on_crossings_only() -> None:
    made, bars = said("sma_cross", FALL_AND_RISE, fast=2, slow=4)
    # Averages of 2 and of 4: 6.5 and 7 on bar 5, 8 and 7.25 on bar 6; 10 and 10.75 on bar 10.
    assert bars == {6: LONG, 10: SHORT}
    assert made.why(6) == "The 2-bar average crossed above the 4-bar average"
    assert made.why(10) == "The 2-bar average crossed beneath the 4-bar average"


def test_sma_cross_can_enter_at_once() -> None:
    made, bars = said("sma_cross", FALL_AND_RISE, fast=2, slow=4, at_once=True)
    assert bars == {3: SHORT, 6: LONG, 10: SHORT}
    assert made.why(3) == "When both averages were first known, the 2-bar one was beneath the 4-bar average"


@pytest.mark.parametrize(("fast", "slow"), [(2, 3), (20, 50), (7, 200)])
def test_sma_cross_in_one_pass_is_the_crossing_of_two_averages(fast: int, slow: int) -> None:
    for market in WALKS:
        fused, _ = sma_cross._crossings(market.close, fast, slow, False)
        crossings = crossed(sma(market.close, fast), sma(market.close, slow))
        # `crossed` hears the fast average alone only where both are there, as the one pass does.
        np.testing.assert_array_equal(fused, np.where(crossings == 0, KEEP, crossings))


def test_ema_trend_waits_for_strength_and_leaves_when_the_averages_turn() -> None:
    up, down = [101 + row * 1.0 for row in range(60)], [159 - row * 1.0 for row in range(60)]
    closes = [*([100.0, 102.0, 99.0, 101.0] * 10), *up, *down]
    made, bars = said("ema_trend", closes, reach=0.5, fast=5, slow=10, strength_period=5, strength=30)
    strength = INDICATORS["adx"].compute(market_of(bars_at(closes, reach=0.5)).columns, {"period": 5})["adx"]
    (entered, turned, *_) = (bar for bar in bars if bar >= 40)
    assert strength[entered] >= 30 > strength[entered - 1]
    assert 40 < entered < 60
    assert bars[entered] == LONG
    assert made.why(entered) == "A trend of at least 30, and the 5-bar average is above the 10-bar one"
    assert 100 < turned < 110
    assert made.why(turned).startswith(("The trend is over", "A trend of at least 30, and the 5-bar average is ben"))


def test_macd_trend_buys_only_above_the_long_average() -> None:
    for market in WALKS:
        made = signals_of(REGISTRY.strategy("macd_trend", {"trend": 50}), market)
        average = INDICATORS["ema"].compute(market.columns, {"period": 50})["ema"]
        assert (market.close[made.direction == LONG] > average[made.direction == LONG]).all()
        assert (market.close[made.direction == SHORT] < average[made.direction == SHORT]).all()
        assert "above its 50-bar average" in made.reasons[0]


def test_rsi_reversion_buys_the_fall_and_leaves_in_the_middle() -> None:
    closes = [100.0, 101, 100, 101, 100, 101, 97, 93, 89, 92, 96, 99, 102, 106, 110, 107, 103, 100]
    made, bars = said("rsi_reversion", closes, period=5)
    index = INDICATORS["rsi"].compute({"close": np.array(closes)}, {"period": 5})["rsi"]
    (bought, *_), (sold, *_) = [bar for bar in bars if bars[bar] == LONG], [bar for bar in bars if bars[bar] == SHORT]
    assert index[bought] < 30 <= index[bought - 1]
    assert index[sold] > 70
    left = min(bar for bar in bars if bars[bar] == FLAT)
    assert bought < left < sold
    assert index[left] >= 50 > index[left - 1]
    assert made.why(bought) == "RSI (5) fell below 30: oversold"


def test_bollinger_reversion() -> None:
    closes = [100.0, 101] * 10 + [94.0, 96, 99, 101] + [100.0, 101] * 6 + [110.0]
    made, bars = said("bollinger_reversion", closes, period=10)
    assert bars[20] == LONG
    assert made.why(20) == "The close is below the lower Bollinger band (10, 2)"
    assert FLAT in bars.values()
    assert bars[36] == SHORT


def test_donchian_breakout_compares_with_the_bars_before() -> None:
    closes = [10, 11, 10, 11, 10, 12, 13, 14, 13, 12, 11, 10, 9.0]
    made, bars = said("donchian_breakout", closes, enter=5, leave=2)
    # The high of the five bars before bar 5 is 11; the low of the two before bar 9 is 13.
    assert bars == {5: LONG, 9: FLAT, 11: SHORT}
    assert made.why(5) == "The close is above the highest high of the 5 bars before"


def test_breakout_scalping_brings_stop_target_and_an_end() -> None:
    bars = bars_at([100.0, 101] * 10 + [104.0] + [104.5] * 10, reach=0.5)
    bars.loc[20, "volume"] = 5_000.0
    made = signals_of(REGISTRY.strategy("breakout_scalping", {"period": 10, "hold": 4}), market_of(bars))
    assert np.flatnonzero(made.direction != KEEP).tolist() == [20, 24]
    assert made.direction[[20, 24]].tolist() == [LONG, FLAT]
    assert made.stop is not None
    assert made.target is not None
    reach = 104.0 - made.stop[20]
    assert made.target[20] - 104.0 == pytest.approx(1.5 * reach)
    assert np.isnan(np.delete(made.stop, 20)).all()
    assert made.why(24) == "4 bars have passed since the break"
    quiet = bars.assign(volume=1_000.0)
    calm = signals_of(REGISTRY.strategy("breakout_scalping", {"period": 10}), market_of(quiet))
    assert (calm.direction == KEEP).all()


def grown(symbol: str, growth: float) -> Market:
    return market_of(
        bars_at([100 * (1 + growth) ** row for row in range(100)], frequency="1D"), Timeframe.D1, symbol=symbol
    )


def test_momentum_rank_holds_those_that_rose_most() -> None:
    all_of_them = [grown("A", 0.01), grown("B", 0.02), grown("C", 0.03), grown("D", -0.01)]
    held = {}
    for market in all_of_them:
        others = [each for each in all_of_them if each is not market]
        strategy = REGISTRY.strategy("momentum_rank", {"lookback": 10, "skip": 2, "top": 2, "every": 5})
        held[market.symbol] = signals_of(strategy, beside(market, *others))
    spoken = np.flatnonzero(held["B"].direction != KEEP)
    assert (np.diff(spoken) == 5).sum() >= 15
    last = spoken[-1]
    assert {symbol: int(made.direction[last]) for symbol, made in held.items()} == {
        "A": FLAT,
        "B": LONG,
        "C": LONG,
        "D": FLAT,
    }
    ranks = {symbol: made.rank[last] for symbol, made in held.items() if made.rank is not None}
    assert (ranks["C"], ranks["B"]) == (0, 1)
    assert np.isnan(ranks["A"])
    assert held["C"].why(int(last)) == "Among the 2 of 4 symbols that rose most over 10 bars"
    assert held["D"].why(int(last)) == "It fell over 10 bars"


def test_momentum_rank_gives_the_place_of_a_symbol_that_is_gone_to_the_next() -> None:
    gone = grown("C", 0.03).first(40)
    market = beside(grown("A", 0.01), grown("B", 0.02), gone)
    made = signals_of(REGISTRY.strategy("momentum_rank", {"lookback": 10, "skip": 0, "top": 2, "every": 5}), market)
    spoken = np.flatnonzero(made.direction != KEEP)
    assert set(made.direction[spoken[(spoken > 15) & (spoken < 45)]]) == {FLAT}
    assert set(made.direction[spoken[spoken > 55]]) == {LONG}


def test_pattern_reversal_names_the_pattern_and_stops_beyond_it() -> None:
    corners = ((0, 120.0), (10, 100.0), (20, 110.0), (30, 99.5), (45, 115.0))
    rows, prices = zip(*corners, strict=True)
    closes = np.interp(np.arange(46), rows, prices).tolist()
    made, bars = said("pattern_reversal", closes, patterns="chart", hold=3, stop_bars=3)
    (bar, *_) = [bar for bar, side in bars.items() if side == LONG]
    assert made.why(bar) == "Double bottom"
    assert closes[bar] > 110 >= closes[bar - 1]
    assert made.stop is not None
    assert made.stop[bar] == pytest.approx(min(closes[bar - 3 : bar]))
    assert bars[bar + 3] == FLAT


@pytest.mark.parametrize(
    ("name", "given", "pointer", "words"),
    [
        ("sma_cross", {"fast": 50, "slow": 20}, "/parameters", "fast is 50 and slow is 20; fast has to be less"),
        ("sma_cross", {"fast": 1}, "/parameters/fast", "fast is 1; at least 2 is needed."),
        ("sma_cross", {"slow": 9_999}, "/parameters/slow", "slow is 9999; at most 2000 is allowed."),
        ("sma_cross", {"fast": 20.5}, "/parameters/fast", "fast is 20.5; a whole number is needed."),
        ("sma_cross", {"fast": "many"}, "/parameters/fast", "fast is 'many'; a whole number is needed."),
        ("sma_cross", {"fats": 20}, "/parameters/fats", "has no parameter 'fats'. Did you mean 'fast'?"),
        ("buy_and_hold", {"x": 1}, "/parameters/x", "has no parameter 'x'. There are: none."),
        ("ema_trend", {"fast": 60}, "/parameters", "fast is 60 and slow is 50"),
        ("macd_trend", {"slow": 300}, "/parameters", "slow is 300 and trend is 200"),
        ("rsi_reversion", {"leave": 20}, "/parameters", "oversold is 30, leave is 20, overbought is 70"),
        ("donchian_breakout", {"leave": 30}, "/parameters", "leave is 30 and enter is 20"),
        ("bollinger_reversion", {"deviations": float("nan")}, "/parameters/deviations", "a finite number is needed"),
        (
            "pattern_reversal",
            {"patterns": "all"},
            "/parameters/patterns",
            "'candlesticks', 'chart' or 'both' is needed",
        ),
    ],
)
def test_bad_parameters_are_answered_with_numbers(name: str, given: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        REGISTRY.strategy(name, given)
    assert words in refused.value.detail
    assert refused.value.errors[0].pointer == pointer


def test_numbers_may_come_as_text_from_a_command_line() -> None:
    made = REGISTRY.strategy("sma_cross", {"fast": "10", "at_once": "true"}).parameters
    assert made.model_dump() == {"fast": 10, "slow": 50, "at_once": True}
