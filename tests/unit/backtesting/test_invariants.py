"""What holds for every run, whatever the market does and whatever the strategy says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.backtesting.engine import Feed, backtest
from backend.backtesting.result import Result
from backend.domain.config import TradingConfig
from backend.domain.signals import Signals
from backend.domain.trading.layout import ENTRY_LIMIT, EXIT_TARGET, STILL_OPEN
from tests.unit.backtesting.markets import feed, random_bars, random_signals

SIZINGS: list[dict[str, Any]] = [
    {"method": "all_in"},
    {"method": "fraction", "percent": 40},
    {"method": "notional", "amount": 3_000},
    {"method": "quantity", "amount": 7},
    {"method": "volatility", "percent": 30, "volatility_bars": 5},
    {"method": "risk", "percent": 1},
]
CONFIGS = st.builds(
    lambda **given: TradingConfig.model_validate(given, strict=False),
    cash=st.just(10_000),
    costs=st.fixed_dictionaries(
        {
            "maker_bps": st.sampled_from([0, 2]),
            "taker_bps": st.sampled_from([0, 10]),
            "minimum_fee": st.sampled_from([0, 1]),
            "slippage_bps": st.sampled_from([0, 5]),
            "spread_bps": st.sampled_from([0, 4]),
            "impact_bps": st.sampled_from([0, 50]),
            "borrow_percent_a_year": st.sampled_from([0, 20]),
        }
    ),
    sizing=st.sampled_from(SIZINGS),
    execution=st.fixed_dictionaries(
        {
            "sides": st.sampled_from(["long", "short", "both"]),
            "intrabar": st.sampled_from(["pessimistic", "neutral", "optimistic"]),
            "limit_life_bars": st.sampled_from([None, 3]),
            "stop_percent": st.sampled_from([None, 2]),
            "target_percent": st.sampled_from([None, 3]),
            "volume_percent": st.sampled_from([None, 10]),
            "remainder": st.sampled_from(["carry", "cancel"]),
            "leverage": st.sampled_from([0.5, 1, 3]),
            "most_positions": st.sampled_from([None, 1]),
        }
    ),
)
SEEDS = st.integers(0, 10_000)


def feeds_of(seed: int, symbols: int, *, bars: int = 120) -> list[Feed]:
    made = []
    for symbol in range(symbols):
        frame = random_bars(bars, seed + symbol, digits=1 if seed % 2 else None)
        if symbol:  # its own times: later, and with holes
            frame = frame.drop(index=[3, 4, 50]).iloc[symbol:].reset_index(drop=True)
        made.append(feed(frame, random_signals(frame, seed + symbol), "ABC"[symbol], lot=0.01, tick=0.1))
    return made


@given(seed=SEEDS, config=CONFIGS, symbols=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_the_books_balance(seed: int, config: TradingConfig, symbols: int) -> None:
    feeds = feeds_of(seed, symbols)
    result = backtest(feeds, config)

    for symbol in range(symbols):
        _sum_of_fills_is_the_position(result, symbol)
        _fills_are_inside_their_bars(result, feeds[symbol], symbol)
    _cash_and_positions_are_equity(result)
    _trades_tell_what_the_fills_did(result)


def _sum_of_fills_is_the_position(result: Result, symbol: int) -> None:
    fills = result.fills[result.fills["symbol"] == symbol]
    held = np.zeros(len(result.starts))
    np.add.at(held, fills["bar"], fills["quantity"])
    assert result.position(symbol) == pytest.approx(np.cumsum(held), abs=1e-9)


def _cash_and_positions_are_equity(result: Result) -> None:
    """Cash is counted from the fills alone, and with the interest at the end alone: it comes bar by bar."""
    flows = np.zeros(len(result.starts))
    np.add.at(flows, result.fills["bar"], -(result.fills["quantity"] * result.fills["price"] + result.fills["fee"]))
    cash = result.start_cash + np.cumsum(flows)
    worth = sum(result.value(symbol) for symbol in range(len(result.symbols)))
    if result.interest == 0:
        assert cash + worth == pytest.approx(result.equity, rel=1e-9, abs=1e-6)
    assert cash[-1] + np.asarray(worth)[-1] - result.interest == pytest.approx(result.equity[-1], rel=1e-9, abs=1e-6)
    assert result.cash[-1] == pytest.approx(cash[-1] - result.interest, rel=1e-9, abs=1e-6)


def _fills_are_inside_their_bars(result: Result, source: Feed, symbol: int) -> None:
    bars = source.bars.set_index(source.bars["ts"].astype("int64"))
    for fill in result.fills[result.fills["symbol"] == symbol]:
        bar = bars.loc[result.starts[fill["bar"]]]
        # Its price without slippage; limits and targets have none.
        slippage = fill["slippage"] / abs(fill["quantity"])
        price = fill["price"] - np.sign(fill["quantity"]) * slippage
        assert bar["low"] - 1e-9 <= price <= bar["high"] + 1e-9
        if fill["why"] in (ENTRY_LIMIT, EXIT_TARGET):
            assert slippage == 0


def _trades_tell_what_the_fills_did(result: Result) -> None:
    trades = result.trades
    assert trades["fees"].sum() == pytest.approx(result.fills["fee"].sum())
    assert trades["slippage"].sum() == pytest.approx(result.fills["slippage"].sum())
    assert trades["financing"].sum() == pytest.approx(result.interest)
    assert trades["pnl"].sum() == pytest.approx(result.equity[-1] - result.start_cash, rel=1e-9, abs=1e-6)
    assert len(result.open) == sum(result.position(symbol)[-1] != 0 for symbol in range(len(result.symbols)))
    assert np.all(trades["exit_bar"] >= trades["entry_bar"])
    assert np.all(trades["mae"] <= 1e-6)
    assert np.all(trades["mfe"] >= -1e-6)


@given(seed=SEEDS, config=CONFIGS, symbols=st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_nothing_is_bought_with_money_that_is_not_there(seed: int, config: TradingConfig, symbols: int) -> None:
    unlevered = config.model_copy(update={"execution": config.execution.model_copy(update={"leverage": 1.0})})
    result = backtest(feeds_of(seed, symbols), unlevered)
    # Interest is taken from cash that may all be invested, and a short may lose more than there is.
    if result.interest == 0 and np.all(result.trades["quantity"] > 0):
        assert result.cash.min() >= -1e-6


@given(seed=SEEDS, config=CONFIGS, symbols=st.integers(1, 2), kept=st.integers(10, 119))
@settings(max_examples=100, deadline=None)
def test_a_longer_history_changes_no_earlier_fill(seed: int, config: TradingConfig, symbols: int, kept: int) -> None:
    long = feeds_of(seed, symbols)
    last = long[0].bars["ts"].iloc[kept - 1]
    short = [_until(one, last) for one in long]
    if config.execution.volume_percent is not None and any(not one.bars["volume"].any() for one in short):
        return  # whether volume is known at all is asked of the whole history
    ours, theirs = backtest(short, config), backtest(long, config)

    earlier = theirs.fills[theirs.fills["bar"] < kept]
    assert ours.fills.tolist() == earlier.tolist()
    assert ours.equity.tolist() == theirs.equity[:kept].tolist()


def _until(one: Feed, last: Any) -> Feed:
    count = int((one.bars["ts"] <= last).sum())
    return feed(one.bars.iloc[:count], one.signals.first(count), one.symbol, lot=0.01, tick=0.1)


@given(seed=SEEDS, sides=st.sampled_from(["long", "short", "both"]), slippage=st.sampled_from([0, 10]))
@settings(max_examples=150, deadline=None)
def test_the_modes_are_ordered(seed: int, sides: str, slippage: int) -> None:
    """For market entries that all modes make alike; a limit or a touched target may by luck save one from a loss."""
    bars = random_bars(200, seed)
    signals = random_signals(bars, seed, levels=False)
    ends = []
    for mode in ("pessimistic", "neutral", "optimistic"):
        config = TradingConfig.model_validate(
            {
                "costs": {"slippage_bps": slippage},
                "execution": {"sides": sides, "intrabar": mode, "stop_percent": 1.5, "target_percent": 1.5},
            },
            strict=False,
        )
        ends.append(backtest([feed(bars, signals)], config).equity[-1])
    assert ends[0] <= ends[1] * (1 + 1e-12)
    assert ends[1] <= ends[2] * (1 + 1e-12)


def test_the_modes_differ_where_a_bar_hides_the_order() -> None:
    bars = random_bars(2_000, 5)
    signals = random_signals(bars, 5, levels=False)
    ends = {
        mode: backtest(
            [feed(bars, signals)],
            TradingConfig.model_validate(
                {"execution": {"sides": "both", "intrabar": mode, "stop_percent": 1.5, "target_percent": 1.5}}
            ),
        ).equity[-1]
        for mode in ("pessimistic", "neutral", "optimistic")
    }
    assert ends["pessimistic"] < ends["neutral"] < ends["optimistic"]


def test_one_of_several_symbols_that_says_nothing_changes_nothing() -> None:
    bars = random_bars(300, 3)
    signals = random_signals(bars, 3)
    silent = feed(random_bars(300, 4), Signals.of(np.full(300, 2), bars=300), "B")
    config = TradingConfig.model_validate({"execution": {"sides": "both", "stop_percent": 2}})
    alone, beside = backtest([feed(bars, signals)], config), backtest([feed(bars, signals), silent], config)

    assert alone.fills.tolist() == beside.fills.tolist()
    assert alone.equity.tolist() == beside.equity.tolist()
    assert alone.trades.tolist() == beside.trades.tolist()
    assert np.count_nonzero(alone.trades["exit_why"] != STILL_OPEN) > 20
