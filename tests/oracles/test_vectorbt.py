"""Trade for trade against vectorbt's from_signals, whose signals are shifted by a bar and filled at the open.

Intended differences, each with its test: it looks at no stop on the bar of the entry, and its trailing stops do not
follow that bar; it fills a touched target; and it books a stop inside a bar whose open was already the exit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.engine import backtest
from backend.backtesting.result import Result
from backend.domain.config import TradingConfig
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals
from tests.oracles.test_backtesting_py import crossing
from tests.unit.backtesting.markets import feed, random_bars

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]
CASH = 100_000.0
COUNT = 3_000
FEE_BPS, SLIPPAGE_BPS = 10, 5


def ours(bars: pd.DataFrame, signals: Signals, *, slippage_bps: float = 0, **config: Any) -> Result:
    costs = {"maker_bps": FEE_BPS, "taker_bps": FEE_BPS, "slippage_bps": slippage_bps}
    return backtest([feed(bars, signals)], TradingConfig.model_validate({"cash": CASH, "costs": costs, **config}))


def theirs(bars: pd.DataFrame, signals: Signals, *, slippage_bps: float = 0, **options: Any) -> Any:
    import vectorbt

    def acts(*directions: int) -> Any:
        return np.append(False, np.isin(signals.direction, directions)[:-1])

    options = {"entries": acts(LONG), "exits": acts(FLAT), **options}
    if options.pop("both", False):
        options |= {"short_entries": acts(SHORT), "upon_opposite_entry": "reverse"}
    return vectorbt.Portfolio.from_signals(
        bars["close"],
        price=bars["open"],
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        fees=FEE_BPS / 10_000,
        slippage=slippage_bps / 10_000,
        init_cash=CASH,
        freq="1h",
        **options,
    )


def assert_same(result: Result, portfolio: Any) -> None:
    trades = portfolio.trades.records
    trades = trades[trades["status"] == 1].sort_values("exit_idx")
    assert len(result.closed) == len(trades) > 30
    assert result.closed["entry_bar"].tolist() == trades["entry_idx"].tolist()
    assert result.closed["exit_bar"].tolist() == trades["exit_idx"].tolist()
    for name, column in (("entry_price", "entry_price"), ("exit_price", "exit_price"), ("pnl", "pnl")):
        assert result.closed[name] == pytest.approx(trades[column].to_numpy(), rel=1e-9, abs=1e-7)
    assert np.abs(result.closed["quantity"]) == pytest.approx(trades["size"].to_numpy(), rel=1e-11)
    assert result.equity == pytest.approx(portfolio.value().to_numpy(), rel=1e-12)


@pytest.mark.parametrize("slippage_bps", [0, SLIPPAGE_BPS])
def test_long_only_with_all_the_money(slippage_bps: float) -> None:
    bars = random_bars(COUNT, 1)
    signals = Signals.of(crossing(bars), bars=COUNT)
    result = ours(bars, signals, slippage_bps=slippage_bps)
    assert_same(result, theirs(bars, signals, slippage_bps=slippage_bps))


def test_short_only_with_all_the_money() -> None:
    bars = random_bars(COUNT, 2)
    here = Signals.of(np.where(crossing(bars) == LONG, SHORT, crossing(bars)), bars=COUNT)
    there = Signals.of(crossing(bars), bars=COUNT)
    result = ours(bars, here, execution={"sides": "short"}, slippage_bps=SLIPPAGE_BPS)
    options: dict[str, Any] = {
        "direction": "shortonly",
        "size": 1.0,
        "size_type": "percent",
        "slippage_bps": SLIPPAGE_BPS,
    }
    assert_same(result, theirs(bars, there, **options))


def test_both_ways_with_a_fixed_quantity() -> None:
    bars = random_bars(COUNT, 3)
    signals = Signals.of(crossing(bars, below=SHORT), bars=COUNT)
    config = {"execution": {"sides": "both"}, "sizing": {"method": "quantity", "amount": 50}}
    assert_same(
        ours(bars, signals, slippage_bps=SLIPPAGE_BPS, **config),
        theirs(bars, signals, both=True, size=50.0, slippage_bps=SLIPPAGE_BPS),
    )


def test_stops_and_targets_where_both_have_the_same_rules() -> None:
    bars, signals = _calm_after_signals(random_bars(COUNT, 4))
    result = ours(bars, signals, execution={"stop_percent": 3, "target_percent": 5})
    assert_same(result, theirs(bars, signals, sl_stop=0.03, tp_stop=0.05, stop_entry_price="fillprice"))
    assert len(np.unique(result.closed["exit_why"])) == 3  # by signal, stop and target


def test_a_stop_on_the_bar_of_the_entry_is_seen_here_alone() -> None:
    """By design: whoever bought at the open had the stop in the market from then on."""
    bars = _by_hand([(100, 101, 99, 100)] * 2 + [(100, 101, 90, 99), (99, 100, 98, 99)])
    signals = Signals.of([KEEP, LONG, KEEP, KEEP], bars=4)
    assert ours(bars, signals, execution={"stop_percent": 5}).closed["exit_price"].tolist() == [95.0]
    portfolio = theirs(bars, signals, sl_stop=0.05, stop_entry_price="fillprice")
    assert (portfolio.trades.records["status"] == 1).sum() == 0


def test_a_trailing_stop_follows_the_bar_of_the_entry_here_alone() -> None:
    """By design: whoever bought at the open was there when that bar made its high."""
    bars = _by_hand([(100, 101, 99, 100)] * 2 + [(100, 120, 99, 118), (118, 119, 107, 110), (110, 111, 107, 108)])
    signals = Signals.of([KEEP, LONG, KEEP, KEEP, KEEP], bars=5)
    result = ours(bars, signals, execution={"trail_percent": 10})
    assert (result.closed["exit_bar"].tolist(), result.closed["exit_price"].tolist()) == ([3], [108.0])
    trades = theirs(bars, signals, sl_stop=0.1, sl_trail=True, stop_entry_price="fillprice").trades.records
    closed = trades[trades["status"] == 1]
    assert (closed["exit_idx"].tolist(), closed["exit_price"].tolist()) == ([4], [pytest.approx(107.1)])


def test_an_exit_at_the_open_comes_before_the_stop_inside_that_bar() -> None:
    """By design: what was sold at the open cannot be stopped later."""
    bars = _by_hand([(100, 101, 99, 100)] * 3 + [(99, 100, 90, 95), (95, 96, 94, 95)])
    signals = Signals.of([KEEP, LONG, FLAT, KEEP, KEEP], bars=5)
    assert ours(bars, signals, execution={"stop_percent": 5}).closed["exit_price"].tolist() == [99.0]
    portfolio = theirs(bars, signals, sl_stop=0.05, stop_entry_price="fillprice")
    assert portfolio.trades.records["exit_price"].tolist() == [95.0]


def test_a_touched_target_fills_there_and_not_here() -> None:
    """By design: behind a limit that was only touched there may have been a queue."""
    bars = _by_hand([(100, 101, 99, 100)] * 3 + [(100, 105, 99, 103), (103, 104, 102, 103)])
    signals = Signals.of([KEEP, LONG, KEEP, KEEP, KEEP], bars=5)
    assert len(ours(bars, signals, execution={"target_percent": 5}).closed) == 0
    portfolio = theirs(bars, signals, tp_stop=0.05, stop_entry_price="fillprice")
    assert portfolio.trades.records["exit_price"].tolist() == [105.0]


def _calm_after_signals(bars: pd.DataFrame) -> tuple[pd.DataFrame, Signals]:
    """Bars on which an order is due at the open do not move: there the two engines' rules differ by design."""
    direction = crossing(bars)
    calm = np.append(False, direction[:-1] != KEEP)
    prices = {name: np.where(calm, bars["open"], bars[name]) for name in ("open", "high", "low", "close")}
    return bars.assign(**prices), Signals.of(direction, bars=len(bars))


def _by_hand(rows: Sequence[tuple[float, float, float, float]]) -> pd.DataFrame:
    bars = random_bars(len(rows), 0)
    return bars.assign(**dict(zip(("open", "high", "low", "close"), np.array(rows, float).T, strict=True)))
