"""The demo provider: what it offers, and how it is asked without a server."""

import asyncio
import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.demo import DemoFetcher, simulated_bars
from backend.domain.bars import content_hash
from backend.domain.market import ALWAYS, Adjustment, Series, Span, Timeframe
from backend.domain.market_errors import NotServed, UnknownSymbol
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def demo(now: datetime = NOW) -> DemoFetcher:
    return DemoFetcher(TradingCalendars(), FakeClock(now))


def bars(symbol: str, timeframe: str, start: str, end: str, now: datetime = NOW) -> pd.DataFrame:
    return simulated_bars(symbol, timeframe, start, end, clock=FakeClock(now))


async def test_everything_is_labelled_as_simulated() -> None:
    instruments = await demo().instruments()
    assert len(instruments) == 20
    for instrument in instruments:
        assert instrument.is_simulated
        assert instrument.name.endswith("(simulated)")
        assert instrument.first_bar == datetime(2015, 1, 5, tzinfo=UTC)
        assert instrument.tick is not None
        assert instrument.lot is not None
        assert (instrument.calendar, instrument.currency) in {(ALWAYS, "USDT"), ("XNYS", "USD")}


@pytest.mark.parametrize(
    ("search", "first"),
    [("btc", "BTC/USDT"), ("a", "AVAX/USDT"), ("aapl", "AAPL"), ("doge", "DOGE/USDT"), ("coin", "BTC/USDT")],
)
async def test_best_matches_come_first(search: str, first: str) -> None:
    found = await demo().instruments(search)
    assert first in [instrument.symbol for instrument in found[:2]]
    assert all(search in f"{instrument.symbol} {instrument.name}".lower() for instrument in found)


async def test_search_ranks_symbols_before_names() -> None:
    assert [one.symbol for one in await demo().instruments("me")] == ["META"]
    assert [one.symbol for one in await demo().instruments("jp")] == ["JPM"]
    assert [one.symbol for one in await demo().instruments("bn")] == ["BNB/USDT"]
    assert [one.symbol for one in await demo().instruments("am")] == ["AMZN"]
    assert len(await demo().instruments("", limit=3)) == 3


@pytest.mark.parametrize(
    ("typo", "meant"), [("BTC-USDT", "BTC/USDT"), ("btcusdt", "BTC/USDT"), ("GOOG", "GOOGL"), ("TESLA", "TSLA")]
)
async def test_typing_errors_are_understood(typo: str, meant: str) -> None:
    with pytest.raises(UnknownSymbol, match=f"demo has no symbol '{typo}'. Did you mean '{meant}'"):
        await demo().instrument(typo)


async def test_a_symbol_like_no_other_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(UnknownSymbol, match=r"demo has no symbol 'QQ42'\. There are: BTC/USDT, ETH/USDT, .*, SPY\.$"):
        await demo().instrument("QQ42")


async def test_refusal_says_what_there_is() -> None:
    series = Series(provider="demo", symbol="AAPL", timeframe=Timeframe.D1, adjustment=Adjustment.SPLITS)
    with pytest.raises(NotServed) as told:
        await anext(demo().fetch(series, Span(start=NOW - timedelta(days=9), end=NOW)))
    assert str(told.value) == "demo has no prices with the adjustment 'splits'. It has: raw."


@pytest.mark.parametrize("symbol", ["ETH/USDT", "TSLA"])
@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_a_bar_is_there_whenever_one_is_due(symbol: str, timeframe: Timeframe) -> None:
    # Over the end of summer time, Thanksgiving and the early close on the day after it.
    start, end = datetime(2024, 10, 28, tzinfo=UTC), datetime(2024, 12, 9, tzinfo=UTC)
    calendar = ALWAYS if symbol == "ETH/USDT" else "XNYS"
    due = TradingCalendars().expected_starts(calendar, timeframe, Span(start=start, end=end))
    found = bars(symbol, timeframe, "2024-10-28", "2024-12-09")
    assert pd.DatetimeIndex(found["ts"]).equals(due)


def test_daily_bars_of_a_short_session_are_made_of_its_minutes() -> None:
    minutes = bars("AAPL", "1m", "2024-11-29", "2024-11-30")
    day = bars("AAPL", "1d", "2024-11-29", "2024-11-30").iloc[0]
    assert len(minutes) == 210
    assert (day["open"], day["close"]) == (minutes["open"].iloc[0], minutes["close"].iloc[-1])
    assert (day["high"], day["low"], day["volume"]) == (
        minutes["high"].max(),
        minutes["low"].min(),
        minutes["volume"].sum(),
    )


def test_times_may_be_text_and_have_a_zone() -> None:
    expected = content_hash(bars("BTC/USDT", "1h", "2024-01-01", "2024-01-03"), Timeframe.H1)
    tokyo = datetime(2024, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    for start in ("2024-01-01T01:00+01:00", datetime(2024, 1, 1), tokyo):  # noqa: DTZ001
        found = simulated_bars("BTC/USDT", Timeframe.H1, start, "2024-01-03", clock=FakeClock(NOW))
        assert content_hash(found, Timeframe.H1) == expected


def test_the_future_has_no_bars_and_the_present_is_unfinished() -> None:
    assert bars("BTC/USDT", "1m", "2026-11-20", "2027-01-01")["ts"].iloc[-1] == pd.Timestamp("2026-11-20T11:59Z")
    assert bars("BTC/USDT", "1d", "2026-11-01", "2027-01-01")["ts"].iloc[-1] == pd.Timestamp("2026-11-19T00:00Z")
    assert bars("AAPL", "1w", "2026-11-01", "2027-01-01")["ts"].iloc[-1] == pd.Timestamp("2026-11-09T00:00Z")
    assert len(bars("BTC/USDT", "1m", "2027-01-01", "2027-01-02")) == 0
    assert len(simulated_bars("BTC/USDT", "1d", "9000-01-01", "9000-01-02")) == 0


def test_what_was_future_comes_as_it_would_have_come() -> None:
    later = bars("BTC/USDT", "5m", "2026-11-20", "2026-11-22", now=NOW + timedelta(days=5))
    for now in (NOW, NOW + timedelta(minutes=4), NOW + timedelta(minutes=5)):
        known = bars("BTC/USDT", "5m", "2026-11-20", "2026-11-22", now=now)
        assert content_hash(known, Timeframe.H1) == content_hash(later.iloc[: len(known)], Timeframe.H1)
        assert len(known) == 144 + (now == NOW + timedelta(minutes=5))


ASKED = [("XRP/USDT", "15m"), ("SPY", "1d"), ("XRP/USDT", "1w"), ("BTC/USDT", "15m")]


def test_the_order_of_questions_changes_no_answer() -> None:
    assert told_by_another_process(ASKED[::-1]) == hashes(ASKED)[::-1]


def test_a_machine_without_vector_instructions_makes_the_same_bars() -> None:
    numpy = importlib.import_module("numpy._core._multiarray_umath")
    fast = [name for name in numpy.__cpu_dispatch__ if numpy.__cpu_features__.get(name)]
    assert told_by_another_process(ASKED, NPY_DISABLE_CPU_FEATURES=" ".join(fast)) == hashes(ASKED)


def hashes(asked: list[tuple[str, str]]) -> list[str]:
    return [
        content_hash(bars(symbol, timeframe, "2023-02-01", "2023-04-01"), Timeframe.H1) for symbol, timeframe in asked
    ]


def told_by_another_process(asked: list[tuple[str, str]], **environment: str) -> list[str]:
    ask = (
        "import sys; from backend.data.fetchers.demo import *; from backend.domain.bars import content_hash;"
        "found = [simulated_bars(*one.split(), '2023-02-01', '2023-04-01') for one in sys.argv[1:]];"
        "print(*[content_hash(one, Timeframe.H1) for one in found])"
    )
    command = [sys.executable, "-c", ask, *[" ".join(one) for one in asked]]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **environment}, timeout=100
    )
    return told.stdout.split()


async def test_making_bars_leaves_the_event_loop_free() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    series = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M1)
    span = Span(start=NOW - timedelta(days=60), end=NOW)
    pages = [page async for page in demo().fetch(series, span)]
    counting.cancel()
    assert len(pages) == 3
    assert turns > 20


async def test_no_week_is_cut_in_two_where_a_year_ends() -> None:
    series = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.W1)
    # The first of January is a Saturday, a Sunday and a Monday; the last range begins within the last week of a year.
    for start in (datetime(2021, 1, 4, tzinfo=UTC), datetime(2021, 12, 30, tzinfo=UTC)):
        pages = [page async for page in demo().fetch(series, Span(start=start, end=datetime(2024, 3, 4, tzinfo=UTC)))]
        for page in pages:
            assert (page.bars["ts"] + series.timeframe.length <= page.covered.end).all()
        weeks = pd.concat([page.bars["ts"] for page in pages]).diff().dropna()
        assert set(weeks) == {pd.Timedelta(days=7)}
