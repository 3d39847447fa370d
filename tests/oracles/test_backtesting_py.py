"""Trade for trade against backtesting.py: the same bars, signals and costs lead to the same trades and the same equity.

Intended differences, each with its test: a target fills on a touch there; percentages are measured from the fill here;
an entry beyond its own target is left at that open here, even where its stop was hit later in the bar.
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
from tests.unit.backtesting.markets import feed, random_bars

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
CASH = 1_000_000.0
COMMISSION_BPS = 10
COUNT = 3_000


def ours(bars: pd.DataFrame, signals: Signals, *, lot: float, sides: str = "long") -> Result:
    config = TradingConfig.model_validate(
        {
            "cash": CASH,
            "costs": {"maker_bps": COMMISSION_BPS, "taker_bps": COMMISSION_BPS},
            "execution": {"sides": sides},
        }
    )
    return backtest([feed(bars, signals, lot=lot)], config)


def theirs(bars: pd.DataFrame, signals: Signals, *, unit: float | None = None) -> Any:
    """A strategy that reads our signals: it enters when it is out, and moves the brackets of what it holds."""
    from backtesting import Backtest, Strategy
    from backtesting.lib import FractionalBacktest

    nothing = np.full(len(signals), np.nan)
    stop = nothing if signals.stop is None else signals.stop
    target = nothing if signals.target is None else signals.target
    scale = 1.0 if unit is None else unit

    class Obedient(Strategy):  # type: ignore[misc]  # it has no types
        def init(self) -> None:
            pass

        def next(self) -> None:
            at = len(self.data) - 1
            says = signals.direction[at]
            brackets = {
                "sl": None if np.isnan(stop[at]) else stop[at] * scale,
                "tp": None if np.isnan(target[at]) else target[at] * scale,
            }
            if says == LONG and not self.position.is_long:
                self.position.close()
                self.buy(**brackets)
            elif says == SHORT and not self.position.is_short:
                self.position.close()
                self.sell(**brackets)
            elif says == FLAT:
                self.position.close()
            elif says != KEEP:
                for trade in self.trades:
                    trade.sl = brackets["sl"] or trade.sl
                    trade.tp = brackets["tp"] or trade.tp

    frame = bars.set_index(bars["ts"].dt.tz_localize(None)).drop(columns="ts").rename(columns=str.title)
    make = Backtest if unit is None else FractionalBacktest
    extra = {} if unit is None else {"fractional_unit": unit}
    run = make(frame, Obedient, cash=CASH, commission=COMMISSION_BPS / 10_000, finalize_trades=False, **extra)
    return run.run()


def assert_same(result: Result, stats: Any, *, rel: float = 1e-9) -> None:
    their_trades = stats["_trades"].sort_values(["ExitBar", "EntryBar"])
    assert len(result.closed) == len(their_trades) > 30
    for name, column in (("entry_bar", "EntryBar"), ("exit_bar", "ExitBar")):
        assert result.closed[name].tolist() == their_trades[column].tolist()
    for name, column in (("quantity", "Size"), ("entry_price", "EntryPrice"), ("exit_price", "ExitPrice")):
        assert result.closed[name] == pytest.approx(their_trades[column].to_numpy(), rel=rel)
    assert result.equity == pytest.approx(stats["_equity_curve"]["Equity"].to_numpy(), rel=1e-7)


def crossing(bars: pd.DataFrame, fast: int = 5, slow: int = 12, *, below: int = FLAT) -> np.ndarray[Any, Any]:
    close = bars["close"]
    above = (close.rolling(fast).mean() > close.rolling(slow).mean()).to_numpy()
    direction = np.full(len(bars), KEEP, np.int8)
    turns = np.flatnonzero(above[1:] != above[:-1]) + 1
    turns = turns[turns >= slow]
    direction[turns] = np.where(above[turns], LONG, below)
    return direction


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_market_orders_with_commission_in_whole_units(seed: int) -> None:
    bars = random_bars(COUNT, seed)
    signals = Signals.of(crossing(bars), bars=COUNT)
    assert_same(ours(bars, signals, lot=1), theirs(bars, signals))


def test_market_orders_in_fractions() -> None:
    bars = random_bars(COUNT, 4)
    signals = Signals.of(crossing(bars), bars=COUNT)
    unit = 1e-6
    # There the prices are scaled, which costs a few units of some quantities.
    assert_same(ours(bars, signals, lot=unit), theirs(bars, signals, unit=unit), rel=1e-8)


@pytest.mark.parametrize("seed", [5, 6])
def test_stops_and_targets_from_the_close_of_the_signal(seed: int) -> None:
    bars = random_bars(COUNT, seed)
    direction, close = crossing(bars), bars["close"].to_numpy()
    enters = direction == LONG
    stop, target = np.where(enters, close * 0.96, np.nan), np.where(enters, close * 1.06, np.nan)
    signals = Signals.of(direction, bars=COUNT, stop=stop, target=target)
    result = ours(bars, signals, lot=1)
    assert_same(result, theirs(bars, signals))
    assert len(np.unique(result.closed["exit_why"])) == 3  # by signal, stop and target


def test_shorts_with_stops_and_targets() -> None:
    bars = random_bars(COUNT, 7)
    direction, close = -crossing(bars), bars["close"].to_numpy()
    direction[direction == -KEEP] = KEEP
    enters = direction == SHORT
    stop, target = np.where(enters, close * 1.04, np.nan), np.where(enters, close * 0.94, np.nan)
    signals = Signals.of(direction, bars=COUNT, stop=stop, target=target)
    assert_same(ours(bars, signals, lot=1, sides="short"), theirs(bars, signals))


def test_a_touched_target_fills_there_and_not_here() -> None:
    """By design: behind a limit that was only touched there may have been a queue."""
    bars = _by_hand([(100, 101, 99, 100)] * 3 + [(100, 110, 99, 105), (105, 106, 104, 105)])
    signals = Signals.of([KEEP, LONG, KEEP, KEEP, KEEP], bars=5, target=[np.nan, 110, np.nan, np.nan, np.nan])
    assert len(theirs(bars, signals)["_trades"]) == 1
    assert len(ours(bars, signals, lot=1).closed) == 0


def test_percentages_are_measured_from_the_fill_here() -> None:
    """By design: from the signal's close, a gap at the entry would change what is risked."""
    bars = _by_hand([(100, 101, 99, 100)] * 2 + [(120, 121, 119, 120), (115, 116, 107, 110), (110, 111, 109, 110)])
    here = Signals.of([KEEP, LONG, KEEP, KEEP, KEEP], bars=5, stop_percent=[np.nan, 10, np.nan, np.nan, np.nan])
    there = Signals.of([KEEP, LONG, KEEP, KEEP, KEEP], bars=5, stop=[np.nan, 90, np.nan, np.nan, np.nan])
    assert ours(bars, here, lot=1).closed["exit_price"].tolist() == [108.0]
    assert len(theirs(bars, there)["_trades"]) == 0


def test_an_entry_beyond_its_own_target_is_left_at_that_open_here() -> None:
    """By design: the target is a limit in the market from the open on, and the stop came later."""
    bars = _by_hand([(100, 101, 99, 100)] * 2 + [(104, 105, 94, 97), (97, 98, 96, 97)])
    signals = Signals.of(
        [KEEP, LONG, KEEP, KEEP], bars=4, stop=[np.nan, 95, np.nan, np.nan], target=[np.nan, 103, np.nan, np.nan]
    )
    assert ours(bars, signals, lot=1).closed["exit_price"].tolist() == [104.0]
    assert theirs(bars, signals)["_trades"]["ExitPrice"].tolist() == [95.0]


def _by_hand(rows: Sequence[tuple[float, float, float, float]]) -> pd.DataFrame:
    bars = random_bars(len(rows), 0)
    return bars.assign(**dict(zip(("open", "high", "low", "close"), np.array(rows, float).T, strict=True)))
