"""What the engine refuses, and what its results tell besides the fills."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.engine import Feed, backtest
from backend.domain.backtest_errors import CannotReplay
from backend.domain.bars import derive
from backend.domain.config import TradingConfig
from backend.domain.market import Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals
from tests.unit.backtesting.markets import feed, random_bars, random_signals

PLAIN = TradingConfig()


def test_a_tape_that_is_full_is_made_longer() -> None:
    """Whoever always says LONG comes in again after each stop: far more fills than signals that change."""
    bars = random_bars(3_000, 1)
    always = Signals.of(np.full(3_000, LONG), bars=3_000)
    config = TradingConfig.model_validate({"execution": {"stop_percent": 0.1}})
    alone = backtest([feed(bars, always)], config)
    beside = backtest([feed(bars, always), feed(bars, Signals.of(np.full(3_000, KEEP), bars=3_000), "B")], config)
    assert len(alone.fills) > 4_000
    assert alone.fills.tolist() == beside.fills.tolist()


def test_shorter_bars_decide_for_each_of_several_symbols() -> None:
    """Two copies of one symbol, each with half of the money, do what one alone does."""
    minutes = random_bars(4_000, 2)
    minutes["ts"] = pd.to_datetime(np.arange(4_000) * 900, unit="s", utc=True).astype(minutes["ts"].dtype)
    hours = derive(minutes, Timeframe.H1)
    signals = random_signals(hours, 2)
    config = TradingConfig.model_validate(
        {
            "execution": {"detail": "15m", "sides": "both", "stop_percent": 1, "target_percent": 1},
            "sizing": {"method": "quantity", "amount": 1},
            "cash": 1e9,
        }
    )
    one = feed(hours, signals)
    alone = backtest([dataclasses.replace(one, detail=minutes)], config)
    both = backtest([dataclasses.replace(one, detail=minutes, symbol=name) for name in "AB"], config)
    for symbol in (0, 1):
        fills = both.fills[both.fills["symbol"] == symbol]
        for column in ("bar", "why", "quantity", "price"):
            assert fills[column].tolist() == alone.fills[column].tolist()
    whole = backtest(
        [one], config.model_copy(update={"execution": config.execution.model_copy(update={"detail": None})})
    )
    assert whole.fills["price"].tolist() != alone.fills["price"].tolist()
    assert not [note for note in alone.notes if note.code == "detail_missing"]


@pytest.mark.parametrize("symbols", ["A", "ABC"])
def test_a_run_that_is_watched_is_the_one_that_is_not(symbols: str) -> None:
    """To the last bit, though it is made in stretches."""
    count, feeds = 50_000, []
    for seed, name in enumerate(symbols):
        # Each begins somewhere else on the timeline.
        bars = random_bars(count, seed).iloc[seed * 7 :].reset_index(drop=True)
        feeds.append(feed(bars, random_signals(bars, seed), name))
    stops: list[int] = []
    plain = backtest(feeds, PLAIN)
    watched = backtest(feeds, PLAIN, watch=lambda until, equity, starts: stops.append(until))
    assert len(stops) > 2
    assert stops == sorted(set(stops))
    assert stops[-1] == len(plain.equity)
    assert len(plain.fills) > 1_000
    for name in ("starts", "equity", "fills", "trades"):
        assert getattr(watched, name).tobytes() == getattr(plain, name).tobytes(), name
    assert (watched.notes, watched.interest) == (plain.notes, plain.interest)


def test_a_trade_tells_how_far_it_went_both_ways() -> None:
    bars = random_bars(6, 0).assign(
        open=[100, 100, 98, 104, 106, 106], high=[101, 103, 105, 109, 112, 107], low=[99, 97, 95, 103, 90, 105],
        close=[100, 98, 104, 106, 106, 106],
    )  # fmt: skip
    signals = Signals.of([LONG, KEEP, KEEP, FLAT, KEEP, KEEP], bars=6)
    (trade,) = backtest([feed(bars, signals)], PLAIN).trades
    # The bar of the exit, whose high is 112 and low 90, was left at its open.
    assert trade["mae"] == pytest.approx(-0.05)
    assert trade["mfe"] == pytest.approx(0.09)


def test_the_reasons_of_a_trade_are_in_words() -> None:
    bars = random_bars(4, 0)
    signals = Signals.of([LONG, FLAT, KEEP, KEEP], bars=4, reason=[1, 0, -1, -1], reasons=["weak", "strong"])
    assert backtest([feed(bars, signals)], PLAIN).why(0) == ("strong", "weak")


def test_a_hundred_thousand_trades_stay_small() -> None:
    result = backtest([feed(random_bars(10, 0), Signals.of(np.full(10, KEEP), bars=10))], PLAIN)
    assert (result.trades.dtype.itemsize + 2 * result.fills.dtype.itemsize) * 100_000 <= 20e6


def _shorter(one: Feed) -> Feed:
    return dataclasses.replace(one, signals=one.signals.first(7))


def test_what_does_not_fit_together_is_refused_with_its_numbers() -> None:
    bars = random_bars(10, 0)
    one = feed(bars, Signals.of(np.full(10, KEEP), bars=10))
    with pytest.raises(CannotReplay, match="There is no symbol"):
        backtest([], PLAIN)
    with pytest.raises(CannotReplay, match="A is there 2 times"):
        backtest([one, one], PLAIN)
    with pytest.raises(CannotReplay, match="A has 10 bars, but 7 signals"):
        backtest([_shorter(one)], PLAIN)
    with pytest.raises(CannotReplay, match="A has no bars"):
        backtest([feed(bars.iloc[:0], one.signals.first(0))], PLAIN)
    with pytest.raises(CannotReplay, match="Bars of 1d cannot decide inside bars of 1h"):
        backtest([one], TradingConfig.model_validate({"execution": {"detail": "1d"}}))


@pytest.mark.parametrize(
    ("says", "sides", "noted"),
    [
        ([LONG, LONG, LONG], "long", False),
        ([KEEP, FLAT, FLAT], "long", False),
        ([KEEP, KEEP, SHORT], "long", False),  # where only longs are allowed it means: be out
        ([LONG, LONG, FLAT], "long", True),
        ([FLAT, FLAT, LONG], "long", True),
        ([KEEP, KEEP, SHORT], "both", True),
    ],
)
def test_only_a_last_signal_that_wants_a_change_is_told(says: list[int], sides: str, noted: bool) -> None:
    bars = random_bars(3, 3)
    config = TradingConfig.model_validate({"execution": {"sides": sides}})
    result = backtest([feed(bars, Signals.of(says, bars=3))], config)
    assert ("last_signal" in [note.code for note in result.notes]) is noted


def test_an_order_that_waits_for_volume_is_counted_by_the_bars_that_it_waits() -> None:
    bars = random_bars(6, 4).assign(volume=10.0)
    config = TradingConfig.model_validate(
        {"execution": {"volume_percent": 10}, "sizing": {"method": "quantity", "amount": 5}}
    )
    (note,) = backtest([feed(bars, Signals.of([LONG, KEEP, KEEP, KEEP, KEEP, KEEP], bars=6))], config).notes
    assert note.text == "In 4 bars an order was larger than the share of the volume that may be filled."
    (once,) = backtest([feed(bars, Signals.of([KEEP, KEEP, KEEP, KEEP, LONG, KEEP], bars=6))], config).notes
    assert once.text == "In 1 bar an order was larger than the share of the volume that may be filled."
