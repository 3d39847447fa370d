"""Simulated bars: the same in any range, exact sums of shorter ones, in whole ticks and lots, and never to change."""

import hashlib
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.bars import COLUMNS, check_bars, content_hash, derive, start_microseconds
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.simulation.bars import simulated
from backend.domain.simulation.dice import Ints
from backend.domain.simulation.markets import FIRST_BAR, MARKETS, SimulatedMarket

MINUTE = 60_000_000
HALF_HOUR = 30 * MINUTE
DAY = 48 * HALF_HOUR
START, END = datetime(2020, 6, 8, tzinfo=UTC), datetime(2020, 7, 6, tzinfo=UTC)  # Mondays; a block ends between


def bars(symbol: str, timeframe: Timeframe, start: datetime = START, end: datetime = END) -> pd.DataFrame:
    """An exchange trades here from 14:30 to 21:00 from Monday to Friday, without summer and holidays."""
    first, last = (int(moment.timestamp() * 1_000_000) for moment in (start, end))
    market = MARKETS[symbol]
    halves = sessions(market, first // DAY * DAY, -(-(last + timeframe.seconds * 1_000_000) // DAY) * DAY)
    starts = starts_of(market, timeframe, halves)
    return simulated(market, timeframe, halves, starts[(starts >= first) & (starts < last)])


def sessions(market: SimulatedMarket, start: int, end: int) -> Ints:
    halves = np.arange(start // HALF_HOUR, end // HALF_HOUR, dtype=np.int64)
    if market.calendar == ALWAYS:
        return halves
    weekday, place = (halves // 48 + 3) % 7, halves % 48
    return halves[(weekday < 5) & (place >= 29) & (place < 42)]


def starts_of(market: SimulatedMarket, timeframe: Timeframe, halves: Ints) -> Ints:
    length, origin = timeframe.seconds * 1_000_000, int(timeframe.origin.timestamp()) * 1_000_000
    if length <= HALF_HOUR:
        return (halves[:, None] * HALF_HOUR + np.arange(0, HALF_HOUR, length)).ravel()
    if market.calendar != ALWAYS and timeframe.is_intraday:
        origin = 29 * HALF_HOUR
        opened = (halves * HALF_HOUR - origin) // DAY * DAY + origin
        return np.unique(opened + (halves * HALF_HOUR - opened) // length * length)
    return np.unique((halves * HALF_HOUR - origin) // length * length + origin)


def fingerprint(frame: pd.DataFrame) -> str:
    """Of all its numbers, in a way that stays when ours of the market cache changes."""
    digest = hashlib.sha256(str(len(frame)).encode())
    digest.update(start_microseconds(frame).astype("<i8", copy=False).tobytes())
    for name in COLUMNS:
        digest.update(frame[name].to_numpy(np.float64).astype("<f8", copy=False).tobytes())
    return digest.hexdigest()[:16]


MINUTES = {symbol: bars(symbol, Timeframe.M1) for symbol in ("BTC/USDT", "DOGE/USDT", "AAPL")}


@pytest.mark.parametrize("symbol", list(MINUTES))
@pytest.mark.parametrize("timeframe", [one for one in Timeframe if one is not Timeframe.M1])
def test_longer_bars_are_exactly_made_of_minutes(symbol: str, timeframe: Timeframe) -> None:
    minutes, made = MINUTES[symbol], bars(symbol, timeframe)
    starts = start_microseconds(made)
    of = np.searchsorted(starts, start_microseconds(minutes), side="right") - 1
    group = minutes.groupby(of)
    assert len(group) == len(made)
    for column, expected in {
        "open": group["open"].first(),
        "high": group["high"].max(),
        "low": group["low"].min(),
        "close": group["close"].last(),
        "volume": group["volume"].sum(),
    }.items():
        assert made[column].to_numpy().tobytes() == expected.to_numpy().tobytes(), column


@pytest.mark.parametrize("symbol", list(MINUTES))
@pytest.mark.parametrize("timeframe", [Timeframe.D1, Timeframe.W1])
def test_days_and_weeks_are_what_deriving_gives(symbol: str, timeframe: Timeframe) -> None:
    assert content_hash(derive(MINUTES[symbol], timeframe), Timeframe.H1) == content_hash(
        bars(symbol, timeframe), Timeframe.H1
    )


@given(
    symbol=st.sampled_from(list(MINUTES)),
    timeframe=st.sampled_from([Timeframe.M1, Timeframe.M3, Timeframe.M15, Timeframe.M30, Timeframe.H4, Timeframe.D1]),
    places=st.tuples(st.integers(0, 28 * 1440 - 1), st.integers(1, 4000)),
)
def test_any_range_is_a_part_of_a_longer_one(symbol: str, timeframe: Timeframe, places: tuple[int, int]) -> None:
    start = START + pd.Timedelta(minutes=places[0])
    end = min(start + pd.Timedelta(minutes=places[1]), END)
    whole, part = bars(symbol, timeframe), bars(symbol, timeframe, start, end)
    inside = whole[(whole["ts"] >= start) & (whole["ts"] < end)].reset_index(drop=True)
    assert content_hash(part, Timeframe.H1) == content_hash(inside, Timeframe.H1)


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_bars_are_bars_in_whole_ticks_and_lots(symbol: str) -> None:
    market = MARKETS[symbol]
    made = check_bars(bars(symbol, Timeframe.M5), Timeframe.M5, market.calendar)
    for column in ("open", "high", "low", "close"):
        ticks = made[column] * market.ticks_per_unit
        assert (made[column] == ticks.round() / market.ticks_per_unit).all()
        assert ticks.min() > 500  # fine enough to move in
    lots = made["volume"] / market.lot
    assert (made["volume"] % market.parcel == 0).all()
    assert (np.abs(lots - lots.round()) < 1e-6 * lots).all()
    assert made["volume"].min() >= 5 * market.parcel


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_a_bar_opens_about_where_the_last_one_closed_but_for_the_night(symbol: str) -> None:
    market, minutes = MARKETS[symbol], bars(symbol, Timeframe.M1)
    follows = start_microseconds(minutes)[1:] - start_microseconds(minutes)[:-1] == MINUTE
    gap = np.abs(minutes["open"].to_numpy()[1:] / minutes["close"].to_numpy()[:-1] - 1)
    assert gap[follows].max() <= 0.6e-4 + 1 / (minutes["low"].min() * market.ticks_per_unit)
    if market.calendar != ALWAYS:
        assert np.median(gap[~follows]) > 10 * np.median(gap[follows])


def test_no_bars_are_made_of_no_time() -> None:
    market = MARKETS["BTC/USDT"]
    for timeframe in Timeframe:
        assert len(simulated(market, timeframe, np.arange(48), np.empty(0, np.int64))) == 0


def test_markets_of_a_kind_move_together_and_others_do_not() -> None:
    closes = pd.DataFrame({symbol: bars(symbol, Timeframe.H1)["close"] for symbol in ("BTC/USDT", "ETH/USDT")})
    stocks = pd.DataFrame({symbol: bars(symbol, Timeframe.H1)["close"] for symbol in ("AAPL", "TSLA")})
    assert 0.15 < closes.pct_change().corr().iloc[0, 1] < 0.6
    assert 0.15 < stocks.pct_change().corr().iloc[0, 1] < 0.6
    assert MARKETS["BTC/USDT"].instrument.first_bar == FIRST_BAR


# Another hash is another market: users' saved results would no longer be those of the bars that they see.
# A change that is meant needs another edition or history in `markets.py`, and these values anew.
GOLDEN = {
    ("BTC/USDT", "1m"): "b6a9f35e3286fc61",
    ("BTC/USDT", "1h"): "f1ed64794c00b4e8",
    ("SOL/USDT", "15m"): "6897644dbbaa17e5",
    ("XRP/USDT", "1d"): "babb0f119776ceea",
    ("AAPL", "1m"): "a5b8f707b79d26c7",
    ("TSLA", "4h"): "953880efd7af9d02",
    ("SPY", "1w"): "df41682a26f6eaaf",
}


@pytest.mark.parametrize(("symbol", "timeframe"), list(GOLDEN))
def test_the_history_of_the_demo_market_never_changes(symbol: str, timeframe: str) -> None:
    assert fingerprint(bars(symbol, Timeframe(timeframe))) == GOLDEN[symbol, timeframe]


def test_ten_years_of_the_demo_market_never_change() -> None:
    days = bars("ETH/USDT", Timeframe.D1, FIRST_BAR, datetime(2025, 1, 6, tzinfo=UTC))
    assert len(days) == 3654
    assert fingerprint(days) == "a79b5419988870a7"
