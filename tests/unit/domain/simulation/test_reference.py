"""Whole arrays by numpy and single bars by Python's own arithmetic are the same to the last bit."""

import numpy as np
import pytest

from backend.domain.market import Timeframe
from backend.domain.simulation.bars import simulated
from backend.domain.simulation.markets import MARKETS
from tests.unit.domain.simulation.reference import Reference

HALF_HOUR = 1_800_000_000


@pytest.mark.parametrize(
    ("symbol", "half_hour"),
    [
        ("BTC/USDT", 789_120 + 17),  # on the very first day
        ("DOGE/USDT", 900_000),
        ("XRP/USDT", 983_039),  # the last of a block
        ("ETH/USDT", 983_040),  # the first of the next
        ("SOL/USDT", 990_163),
    ],
)
def test_minutes_are_those_of_plain_arithmetic(symbol: str, half_hour: int) -> None:
    market = MARKETS[symbol]
    day = half_hour // 48 * 48
    minutes = half_hour * HALF_HOUR + np.arange(30, dtype=np.int64) * 60_000_000
    bars = simulated(market, Timeframe.M1, np.arange(day, day + 48, dtype=np.int64), minutes)
    expected = Reference(market).bars(half_hour)
    for row, (opened, high, low, close, parcels) in zip(bars.itertuples(index=False), expected, strict=True):
        prices = tuple(ticks / market.ticks_per_unit for ticks in (opened, high, low, close))
        assert (row.open, row.high, row.low, row.close) == prices
        assert row.volume == parcels * market.parcel


def test_a_day_is_that_of_plain_arithmetic() -> None:
    market, reference, day = MARKETS["LTC/USDT"], Reference(MARKETS["LTC/USDT"]), 19_700
    halves = np.arange(day * 48, (day + 1) * 48, dtype=np.int64)
    bar = simulated(market, Timeframe.D1, halves, np.array([day * 48 * HALF_HOUR])).iloc[0]
    minutes = [minute for half in halves for minute in reference.bars(int(half))]
    scale = market.ticks_per_unit
    assert bar["open"] == minutes[0][0] / scale
    assert bar["high"] == max(minute[1] for minute in minutes) / scale
    assert bar["low"] == min(minute[2] for minute in minutes) / scale
    assert bar["close"] == minutes[-1][3] / scale
    assert bar["volume"] == sum(minute[4] for minute in minutes) * market.parcel
