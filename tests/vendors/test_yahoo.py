"""Yahoo Finance, with yfinance's client itself against a server that speaks its wire protocol."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.reading import Outcome, Patience
from backend.data.fetchers.yahoo import YahooFetcher
from backend.data.fetchers.yahoo_places import OF_TIMEZONE, PLACES, STARTERS
from backend.domain.market import ALWAYS, FOREX, Adjustment, Series, Span, Timeframe, joined
from backend.domain.market_errors import NotServed, UnknownSymbol, VendorUnavailable
from backend.domain.market_ports import BarFetcher
from backend.domain.ports import Clock
from tests.contracts.test_bar_fetcher import NOW, BarFetcherContract, Served, bars_of
from tests.fakes import FakeClock
from tests.vendors.faults import QUICK, Change, Opened, VendorFaults
from tests.vendors.server import Reply
from tests.vendors.yahoo import LISTED, Yahoo, failure

HOURLY = Series(provider="yahoo", symbol="AAPL", timeframe=Timeframe.H1, adjustment=Adjustment.SPLITS)
DAILY = replace(HOURLY, timeframe=Timeframe.D1)


def fetcher_of(vendor: Yahoo, clock: Clock, patience: Patience = QUICK, **more: Any) -> YahooFetcher:
    return YahooFetcher(
        calendars=TradingCalendars(),
        clock=clock,
        base_url=vendor.server.url,
        patience=patience,
        pace_seconds=0.0,
        **more,
    )


class YahooContract(BarFetcherContract):
    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[BarFetcher]:
        with (vendor := Yahoo(clock.now())).server.running():
            fetcher = fetcher_of(vendor, clock)
            yield fetcher
            await fetcher.close()


class TestYahooDaysContract(YahooContract):
    served = Served(
        series=DAILY,
        wanted=Span(start=datetime(2024, 2, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=LISTED.replace(hour=0, minute=0),
        typo="APPL",
        search="apple",
    )


class TestYahooWeeksContract(YahooContract):
    served = Served(
        series=replace(DAILY, timeframe=Timeframe.W1),
        wanted=Span(start=datetime(2024, 2, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=LISTED.replace(hour=0, minute=0),
        typo="APPL",
        search="apple",
    )


class TestYahooFaults(VendorFaults):
    series = HOURLY
    wanted = Span(start=datetime(2024, 11, 4, tzinfo=UTC), end=datetime(2026, 3, 1, tzinfo=UTC))

    @asynccontextmanager
    async def open(self, patience: Patience = QUICK) -> AsyncIterator[Opened]:
        vendor = Yahoo(NOW)
        with vendor.server.running():
            heard: list[tuple[str, Outcome, int]] = []
            fetcher = fetcher_of(vendor, FakeClock(NOW), patience, on_request=lambda *told: heard.append(told))
            await fetcher.instrument(self.series.symbol)
            yield Opened(fetcher=fetcher, server=vendor.server, heard=heard)
            await fetcher.close()

    def without_number(self, body: Any) -> Any:
        return _with_column(body, "high", lambda values: [*values[:5], None, *values[6:]])

    def out_of_order(self, body: Any) -> Any:
        return _with_times(body, lambda times: [*times[:5], times[6], times[5], *times[7:]])

    def with_stranger(self, body: Any) -> Any:
        return _with_times(body, lambda times: [times[0] - 86_400 * 30, *times[1:]])

    def with_value(self, body: Any, name: str, change: Change) -> Any:
        return _with_column(body, name, lambda values: [*values[:5], change(values[5]), *values[6:]])

    def with_times(self, body: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
        return _with_times(body, change)

    def time_of(self, moment: datetime) -> Any:
        return int(moment.timestamp())

    def in_another_unit(self, time: Any) -> Any:
        return time * 1000


def _with_times(body: Any, change: Any) -> Any:
    (result,) = body["chart"]["result"]
    return {"chart": {"result": [{**result, "timestamp": change(result["timestamp"])}], "error": None}}


def _with_column(body: Any, name: str, change: Any) -> Any:
    (result,) = body["chart"]["result"]
    values = result["indicators"]["quote"][0]
    indicators = {**result["indicators"], "quote": [{**values, name: change(values[name])}]}
    return {"chart": {"result": [{**result, "indicators": indicators}], "error": None}}


async def all_pages(vendor: Yahoo, series: Series, wanted: Span) -> Any:
    fetcher = fetcher_of(vendor, FakeClock(NOW))
    pages = [page async for page in fetcher.fetch(series, wanted)]
    await fetcher.close()
    return pages


@pytest.mark.parametrize("days", [1, 20, 400])
async def test_what_is_older_than_it_keeps_is_told_with_the_earliest(days: int) -> None:
    with (vendor := Yahoo(NOW)).server.running():
        wanted = Span(start=NOW - timedelta(days=730), end=NOW - timedelta(days=730 - days))
        with pytest.raises(NotServed, match=r"last 729 days only.*2024-03-21 15:47 UTC"):
            await all_pages(vendor, HOURLY, wanted)
        with pytest.raises(NotServed, match=r"last 29 days only.*2026-02-19"):
            await all_pages(vendor, replace(HOURLY, timeframe=Timeframe.M1), wanted)
    assert vendor.server.requests == []


async def test_dividends_are_in_days_and_not_in_hours() -> None:
    week = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 10, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        splits = bars_of(await all_pages(vendor, DAILY, week))
        everything = bars_of(await all_pages(vendor, replace(DAILY, adjustment=Adjustment.ALL), week))
        with pytest.raises(NotServed, match="1d and 1w only"):
            await all_pages(vendor, replace(HOURLY, adjustment=Adjustment.ALL), week)
    for name in ("open", "high", "low", "close"):
        assert everything[name].tolist() == pytest.approx((splits[name] * 0.9).tolist(), rel=1e-12)
    assert everything["volume"].tolist() == splits["volume"].tolist()


async def test_a_day_is_the_date_of_its_session_wherever_it_is() -> None:
    week = Span(start=datetime(2026, 1, 12, tzinfo=UTC), end=datetime(2026, 1, 17, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        for symbol, days in (("7203.T", ["13", "14", "15", "16"]), ("EURUSD=X", ["12", "13", "14", "15", "16"])):
            bars = bars_of(await all_pages(vendor, replace(DAILY, symbol=symbol), week))
            assert [f"{time:%d}" for time in bars["ts"]] == days


async def test_markets_have_their_calendars() -> None:
    with (vendor := Yahoo(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        calendars = {
            symbol: (await fetcher.instrument(symbol)).calendar for symbol in ("AAPL", "EURUSD=X", "BTC-USD", "7203.T")
        }
        with pytest.raises(NotServed, match="no calendar of its exchange XXX"):
            await fetcher.instrument("ODD.XX")
        await fetcher.close()
    assert calendars == {"AAPL": "XNYS", "EURUSD=X": FOREX, "BTC-USD": ALWAYS, "7203.T": "XTKS"}


def test_every_calendar_that_is_named_exists() -> None:
    import exchange_calendars

    for calendar in {place.calendar for place in (*PLACES.values(), *OF_TIMEZONE.values())} - {ALWAYS, FOREX}:
        assert len(exchange_calendars.get_calendar(calendar, start="2026-01-05", end="2026-01-16").sessions) > 5
    assert len({one.symbol for one in STARTERS}) == len(STARTERS)


async def test_crypto_and_currencies_have_bars_by_the_clock() -> None:
    wanted = Span(start=datetime(2026, 3, 5, tzinfo=UTC), end=datetime(2026, 3, 10, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        coin = bars_of(await all_pages(vendor, replace(HOURLY, symbol="BTC-USD"), wanted))
        fours = bars_of(await all_pages(vendor, replace(HOURLY, symbol="BTC-USD", timeframe=Timeframe.H4), wanted))
        money = bars_of(await all_pages(vendor, replace(HOURLY, symbol="EURUSD=X"), wanted))
    assert (len(coin), len(fours)) == (120, 30)
    assert fours["high"].iloc[0] == coin["high"].iloc[:4].max()
    assert money["ts"].dt.day_of_week.isin([0, 1, 3, 4, 6]).all()


async def test_rows_without_prices_are_times_without_trade() -> None:
    def hollow(sound: Reply) -> Reply:
        body = sound.body
        for name in ("open", "high", "low", "close", "volume"):
            body = _with_column(body, name, lambda values: [*values[:2], None, *values[3:]])
        return Reply(body=body)

    week = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 10, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(lambda sound: sound, hollow)
        pages = await all_pages(vendor, DAILY, week)
    assert [f"{time:%d}" for time in bars_of(pages)["ts"]] == ["05", "06", "08", "09"]
    assert joined(page.covered for page in pages) == (week,)


async def test_prices_without_their_times_are_no_silence() -> None:
    week = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 10, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(
            lambda sound: sound, *[lambda sound: Reply(body=_with_times(sound.body, lambda _: []))] * 3
        )
        with pytest.raises(VendorUnavailable, match="gave prices without their times"):
            await all_pages(vendor, DAILY, week)


async def test_bars_of_another_symbol_are_refused() -> None:
    def of_another(sound: Reply) -> Reply:
        (result,) = sound.body["chart"]["result"]
        other = {**result, "meta": {**result["meta"], "symbol": "MSFT"}}
        return Reply(body={"chart": {"result": [other], "error": None}})

    week = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 10, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(lambda sound: sound, *[of_another] * 3)
        with pytest.raises(VendorUnavailable, match="gave bars of MSFT when asked for AAPL"):
            await all_pages(vendor, DAILY, week)


async def test_a_day_whose_midnight_the_clocks_skip_begins_at_one() -> None:
    skipped = Span(start=datetime(2018, 11, 4, tzinfo=UTC), end=datetime(2018, 11, 6, tzinfo=UTC))
    with (vendor := Yahoo(NOW)).server.running():
        await all_pages(vendor, replace(DAILY, symbol="PETR4.SA"), skipped)
    asked = vendor.server.asked("/chart/")[-1].query
    assert datetime.fromtimestamp(int(asked["period1"]), UTC) == datetime(2018, 11, 4, 3, tzinfo=UTC)


async def test_the_price_of_now_is_no_bar() -> None:
    today = Span(start=NOW - timedelta(hours=30), end=NOW)
    with (vendor := Yahoo(NOW)).server.running():
        bars = bars_of(await all_pages(vendor, replace(HOURLY, timeframe=Timeframe.M15), today))
    assert bars["ts"].iloc[-1] == datetime(2026, 3, 20, 15, 30, tzinfo=UTC)


async def test_a_range_without_a_single_bar_is_covered() -> None:
    weekend = Span(start=datetime(2026, 1, 10, tzinfo=UTC), end=datetime(2026, 1, 12, tzinfo=UTC))
    none = failure("Bad Request", "Data doesn't exist for startDate = 1768003200, endDate = 1768176000")
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(lambda sound: sound, Reply(status=400, body=none))
        (page,) = await all_pages(vendor, DAILY, weekend)
    assert (len(page.bars), page.covered) == (0, weekend)


async def test_what_yahoo_says_of_a_bad_range_is_passed_on() -> None:
    refused = failure("Unprocessable Entity", "The requested range must be within the last 60 days.")
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(lambda sound: sound, Reply(status=422, body=refused))
        with pytest.raises(NotServed, match="within the last 60 days"):
            await all_pages(vendor, DAILY, Span(start=NOW - timedelta(days=9), end=NOW))


async def test_bars_come_also_without_a_cookie_and_a_crumb() -> None:
    with (vendor := Yahoo(NOW)).server.running():
        vendor.server.disturb(Reply(silent_seconds=9), *[Reply(status=500, body=b"", cut=True)] * 9, for_path="/")
        fetcher = fetcher_of(vendor, FakeClock(NOW), Patience(tries=1), opening_seconds=3)
        assert (await fetcher.instrument("AAPL")).name == "Apple Inc."
        await fetcher.close()


async def test_a_stale_crumb_is_replaced() -> None:
    with (vendor := Yahoo(NOW, wants_crumb=True)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW), Patience(tries=1))
        assert (await fetcher.instrument("AAPL")).name == "Apple Inc."
        await fetcher.close()
    assert vendor.crumbs_given == 2


async def test_a_symbol_is_written_as_yahoo_does() -> None:
    with (vendor := Yahoo(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        with pytest.raises(UnknownSymbol, match="Did you mean 'AAPL'"):
            await fetcher.instrument("aapl")
        await fetcher.close()


async def test_a_symbol_is_unknown_also_when_nothing_can_be_suggested() -> None:
    with (vendor := Yahoo(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW), Patience(tries=1, try_seconds=2))
        vendor.server.disturb(Reply(status=500, body={}), for_path="/search")
        with pytest.raises(UnknownSymbol, match="no symbol 'QWERTZ'"):
            await fetcher.instrument("QWERTZ")
        await fetcher.close()


@pytest.mark.parametrize(
    ("symbol", "calendar", "opens"), [("^GSPC", "XNYS", {"14:30"}), ("RELIANCE.NS", "XBOM", {"03:45"})]
)
async def test_indices_and_exchanges_that_open_at_a_quarter(symbol: str, calendar: str, opens: set[str]) -> None:
    with (vendor := Yahoo(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        assert [one.symbol for one in await fetcher.instruments(symbol)] == [symbol]
        assert (await fetcher.instrument(symbol)).calendar == calendar
        wanted = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 9, tzinfo=UTC))
        bars = bars_of([page async for page in fetcher.fetch(replace(HOURLY, symbol=symbol), wanted)])
        assert {f"{start:%H:%M}" for start in bars.groupby(bars["ts"].dt.date)["ts"].min()} == opens
        await fetcher.close()
