"""What a strategy sees: nothing that it can change, and nothing that was not known."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from backend.domain.indicators.trend import sma
from backend.domain.market import Timeframe
from backend.domain.strategies.market import Market
from backend.domain.strategy_errors import MissingValues, NoSuchMarket
from tests.market_bars import bars_at, beside, market_of, walk


def test_its_columns_are_those_of_the_bars_without_a_copy() -> None:
    bars = walk(100)
    market = market_of(bars)
    assert np.shares_memory(market.close, bars["close"].to_numpy())
    pd.testing.assert_frame_equal(market.bars, bars)
    assert len(market) == 100


def test_a_strategy_cannot_change_the_bars_for_others() -> None:
    market = market_of(walk(100))
    before = market.close.copy()
    with pytest.raises(ValueError, match="read-only"):
        market.close[3] = 1.0
    frame = market.bars
    frame["mine"] = 1.0
    with contextlib.suppress(ValueError):  # refused, or written into a copy: either is fine
        frame.loc[3, "close"] = 1.0
    assert list(market.bars.columns) == ["ts", "open", "high", "low", "close", "volume"]
    np.testing.assert_array_equal(market.close, before)


def test_a_hole_is_named_when_the_column_is_looked_at() -> None:
    bars = walk(50)
    bars.loc[[7, 9], "volume"] = np.nan
    market = market_of(bars)
    assert market.close[7] > 0
    with pytest.raises(MissingValues, match=r"'volume' of BTC/USDT has 2 of 50 .* first at row 7"):
        _ = market.volume


def test_longer_bars_are_seen_when_they_have_closed_and_not_before() -> None:
    market = market_of(bars_at([float(row) for row in range(1, 73)]))
    daily = market.other(timeframe="1d").close
    assert np.isnan(daily[:23]).all()
    assert daily[23:47].tolist() == [24.0] * 24  # the bar from 23:00 closes with its day
    assert daily[47:71].tolist() == [48.0] * 24
    assert daily[71] == 72.0


def test_what_is_calculated_on_longer_bars_is_lined_up() -> None:
    market = market_of(bars_at([float(row) for row in range(1, 97)]))
    line = market.other(timeframe=Timeframe.D1).line(lambda daily: sma(daily.close, 2))
    assert np.isnan(line[:47]).all()
    assert line[47] == (24 + 48) / 2
    assert line[95] == (72 + 96) / 2


def test_a_day_that_began_before_the_bars_do_is_no_bar() -> None:
    market = market_of(bars_at([float(row) for row in range(1, 61)], start="2026-01-05T12:00"))
    daily = market.other(timeframe="1d")
    assert len(daily.market) == 2
    assert np.isnan(daily.close[:35]).all()


def test_another_symbol_is_lined_up_by_time_not_by_row() -> None:
    late = market_of(bars_at([10.0, 11.0, 12.0], start="2026-01-05T02:00"), symbol="ETH/USDT")
    market = beside(market_of(bars_at([1.0] * 6)), late)
    other = market.other("ETH/USDT")
    np.testing.assert_array_equal(other.close, [np.nan, np.nan, 10, 11, 12, 12])
    np.testing.assert_array_equal(other.ages, [np.nan, np.nan, 0, 0, 0, 3600])
    assert market.symbols == ("BTC/USDT", "ETH/USDT")


def test_a_market_that_nobody_brought_is_named_with_those_that_there_are() -> None:
    market = beside(market_of(walk(20)), market_of(walk(20), symbol="ETH/USDT"))
    with pytest.raises(NoSuchMarket, match=r"SOL/USDT 1h, which is not here\. There are: ETH/USDT 1h"):
        market.other("SOL/USDT")
    with pytest.raises(NoSuchMarket, match="BTC/USDT 30m"):
        market.other(timeframe="30m")


def test_the_past_of_a_market_knows_nothing_later() -> None:
    daily = market_of(walk(10, frequency="1D"), Timeframe.D1, symbol="ETH/USDT")
    market = beside(market_of(walk(240)), daily)
    past = market.first(100)
    assert len(past) == 100
    assert len(past.other("ETH/USDT", "1d").market) == 4
    whole: Market = market
    for symbol, timeframe in (("ETH/USDT", "1d"), (None, "4h"), (None, "1d")):
        np.testing.assert_array_equal(past.other(symbol, timeframe).close, whole.other(symbol, timeframe).close[:100])
    assert len(market.first(0)) == 0
    assert np.isnan(beside(market.first(0), daily).other("ETH/USDT", "1d").close).all()
