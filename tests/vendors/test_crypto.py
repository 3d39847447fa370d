"""Crypto exchanges, with ccxt itself against a server that speaks Binance's wire protocol."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.crypto import CryptoFetcher
from backend.data.fetchers.exchanges import EXCHANGES
from backend.data.fetchers.reading import Outcome, Patience
from backend.domain.market import Series, Span, Timeframe, joined
from backend.domain.market_errors import NotServed, UnknownProvider, UnknownSymbol, VendorUnavailable
from backend.domain.market_ports import BarFetcher
from backend.domain.ports import Clock
from tests.contracts.test_bar_fetcher import NOW, BarFetcherContract, Served, bars_of
from tests.fakes import FakeClock
from tests.vendors.binance import LISTED, Binance
from tests.vendors.faults import QUICK, Change, Opened, VendorFaults
from tests.vendors.server import Reply

HOURLY = Series(provider="crypto:binance", symbol="BTC/USDT", timeframe=Timeframe.H1)


def fetcher_of(vendor: Binance, clock: Clock, patience: Patience = QUICK, **more: Any) -> CryptoFetcher:
    return CryptoFetcher(
        "binance", calendars=TradingCalendars(), clock=clock, base_url=vendor.server.url, patience=patience, **more
    )


class TestCryptoContract(BarFetcherContract):
    served = Served(
        series=HOURLY,
        wanted=Span(start=datetime(2025, 11, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=LISTED,
        typo="BTCUSD",
        search="bitcoin",
    )

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[BarFetcher]:
        with (vendor := Binance(clock.now())).server.running():
            fetcher = fetcher_of(vendor, clock)
            yield fetcher
            await fetcher.close()


class TestCryptoFaults(VendorFaults):
    series = HOURLY
    wanted = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 5, tzinfo=UTC))

    @asynccontextmanager
    async def open(self, patience: Patience = QUICK) -> AsyncIterator[Opened]:
        vendor = Binance(NOW, page=40)
        with vendor.server.running():
            heard: list[tuple[str, Outcome, int]] = []
            fetcher = fetcher_of(vendor, FakeClock(NOW), patience, on_request=lambda *told: heard.append(told))
            await fetcher.instrument(self.series.symbol)
            yield Opened(fetcher=fetcher, server=vendor.server, heard=heard)
            await fetcher.close()

    def without_number(self, body: Any) -> Any:
        return [*body[:5], [body[5][0], body[5][1], None, *body[5][3:]], *body[6:]]

    def out_of_order(self, body: Any) -> Any:
        return [*body[:5], body[6], body[5], *body[7:]]

    def with_stranger(self, body: Any) -> Any:
        return [[body[0][0] + 60_000, *body[0][1:]], *body[1:]]

    def with_value(self, body: Any, name: str, change: Change) -> Any:
        place = ("open", "high", "low", "close", "volume").index(name) + 1
        return [*body[:5], [*body[5][:place], change(body[5][place]), *body[5][place + 1 :]], *body[6:]]

    def with_times(self, body: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
        return [[time, *row[1:]] for row, time in zip(body, change([row[0] for row in body]), strict=True)]

    def time_of(self, moment: datetime) -> Any:
        return int(moment.timestamp() * 1000)

    def in_another_unit(self, time: Any) -> Any:
        return time // 1000


@pytest.mark.parametrize("factor", [1000, 1_000_000])
async def test_times_in_micro_and_nanoseconds_are_refused(factor: int) -> None:
    def finer(sound: Reply) -> Reply:
        return Reply(body=[[row[0] * factor, *row[1:]] for row in sound.body])

    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(*[finer] * 3)
        with pytest.raises(VendorUnavailable, match="3 times"):
            await anext(fetcher.fetch(HOURLY, Span(start=LISTED, end=NOW)))
        await fetcher.close()


async def test_a_stale_page_is_no_silence() -> None:
    wanted = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 3, 1, tzinfo=UTC))
    with (vendor := Binance(NOW, page=500)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        first = vendor.klines({"interval": "1h", "startTime": str(int(wanted.start.timestamp() * 1000)), "limit": 500})
        vendor.server.disturb(lambda sound: sound, Reply(body=first))
        came = fetcher.fetch(HOURLY, wanted)
        page = await anext(came)
        assert page.covered.end <= datetime(2026, 1, 21, 20, tzinfo=UTC)
        with pytest.raises(VendorUnavailable, match=r"gave no bars of 2026-01-21 20:00 to .* it has some of 1d"):
            await anext(came)
        await fetcher.close()


async def test_nothing_at_first_is_told_where_longer_bars_show_trade() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(Reply(body=[]))
        with pytest.raises(NotServed, match="no bars of 1h of BTC/USDT before"):
            await anext(fetcher.fetch(HOURLY, Span(start=LISTED, end=NOW)))
        await fetcher.close()


async def test_a_bar_that_is_under_way_by_the_vendors_clock_is_not_finished() -> None:
    minutes = Series(provider="crypto:binance", symbol="BTC/USDT", timeframe=Timeframe.M1)
    with (vendor := Binance(NOW)).server.running():
        sound, date = vendor.server.answers, {"Date": format_datetime(NOW, usegmt=True)}
        vendor.server.answers = lambda request: replace(sound(request), headers=date)
        ahead = FakeClock(NOW + timedelta(seconds=90))
        fetcher = fetcher_of(vendor, ahead)
        wanted = Span(start=NOW - timedelta(hours=1), end=ahead.now())
        pages = [page async for page in fetcher.fetch(minutes, wanted)]
        await fetcher.close()
    end = NOW.replace(second=0)
    assert bars_of(pages)["ts"].iloc[-1] == end - timedelta(minutes=1)
    assert pages[-1].covered.end == end


async def test_an_exchange_without_a_single_market_makes_no_sense() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(*[lambda sound: Reply(body={**sound.body, "symbols": []})] * 3, for_path="exchangeInfo")
        with pytest.raises(VendorUnavailable, match="without a single market"):
            await fetcher.instrument("BTC/USDT")
        assert (await fetcher.instrument("BTC/USDT")).symbol == "BTC/USDT"
        await fetcher.close()


async def test_an_answer_that_is_no_list_of_bars_is_no_gap() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(*[Reply(body={})] * 3)
        with pytest.raises(VendorUnavailable, match="makes no sense"):
            await anext(fetcher.fetch(HOURLY, Span(start=LISTED, end=NOW)))
        await fetcher.close()


async def test_bars_that_come_newest_first_are_turned_round() -> None:
    wanted = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(lambda sound: Reply(body=sound.body[::-1]))
        pages = [page async for page in fetcher.fetch(HOURLY, wanted)]
        await fetcher.close()
    assert len(bars_of(pages)) == 24


async def test_markets_are_loaded_once_for_all() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        await fetcher.instrument("BTC/USDT")
        await fetcher.instruments("doge")
        assert len(vendor.server.asked("exchangeInfo")) == 1
        bitcoin = await fetcher.instrument("BTC/USDT")
        await fetcher.close()
    assert (bitcoin.calendar, bitcoin.currency, bitcoin.tick, bitcoin.lot) == ("24/7", "USDT", 0.01, 0.00001)
    assert bitcoin.name == "Bitcoin / Tether on Binance"


async def test_markets_whose_name_is_no_symbol_of_ours_are_left_out() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        assert [one.symbol for one in await fetcher.instruments()] == ["BTC/USDT", "ETH/USDT", "DOGE/BTC"]
        await fetcher.close()


async def test_years_of_nothing_take_few_requests() -> None:
    wanted = Span(start=datetime(2012, 1, 1, tzinfo=UTC), end=LISTED)
    with (vendor := Binance(LISTED - timedelta(days=1))).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        pages = [page async for page in fetcher.fetch(HOURLY, wanted)]
        await fetcher.close()
    assert joined(page.covered for page in pages) == (wanted,)
    assert len(bars_of(pages)) == 0
    assert len(vendor.server.asked("klines")) < 6


async def test_an_outage_is_covered_since_the_exchange_answered_for_it() -> None:
    outage = (datetime(2026, 1, 2, 7, tzinfo=UTC), datetime(2026, 1, 2, 22, tzinfo=UTC))
    wanted = Span(start=datetime(2026, 1, 2, tzinfo=UTC), end=datetime(2026, 1, 3, tzinfo=UTC))
    with (vendor := Binance(NOW, holes=(outage,), page=7)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        pages = [page async for page in fetcher.fetch(HOURLY, wanted)]
        await fetcher.close()
    assert joined(page.covered for page in pages) == (wanted,)
    assert len(bars_of(pages)) == 24 - 15


async def test_an_exchange_that_only_has_its_latest_bars_is_told_with_the_earliest() -> None:
    def only_the_latest(sound: Reply) -> Reply:
        vendor_rows = vendor.klines({"interval": "1m", "startTime": str(int((NOW.timestamp() - 43_200) * 1000))})
        return Reply(body=vendor_rows)

    series = Series(provider="crypto:binance", symbol="BTC/USDT", timeframe=Timeframe.M1)
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(only_the_latest)
        with pytest.raises(NotServed, match=r"no bars of 1m of BTC/USDT before 2026-03-20 03:48 UTC"):
            await anext(fetcher.fetch(series, Span(start=NOW - timedelta(days=30), end=NOW)))
        await fetcher.close()


async def test_what_nobody_answered_for_is_not_covered() -> None:
    late = NOW - timedelta(minutes=70)  # the exchange shows nothing newer
    wanted = Span(start=NOW - timedelta(hours=9), end=NOW)
    with (vendor := Binance(late - timedelta(hours=1))).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        pages = [page async for page in fetcher.fetch(HOURLY, wanted)]
        await fetcher.close()
    last = bars_of(pages)["ts"].iloc[-1]
    (covered,) = joined(page.covered for page in pages)
    assert last == datetime(2026, 3, 20, 13, tzinfo=UTC)
    assert covered.end == NOW - timedelta(hours=1, minutes=5)


async def test_a_symbol_that_the_exchange_forgot_is_told() -> None:
    gone = Reply(status=400, body={"code": -1121, "msg": "Invalid symbol."})
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(gone)
        with pytest.raises(UnknownSymbol, match="BTC/USDT"):
            await anext(fetcher.fetch(HOURLY, Span(start=LISTED, end=NOW)))
        await fetcher.close()


async def test_what_an_exchange_says_of_a_bad_request_is_passed_on() -> None:
    with (vendor := Binance(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        vendor.server.disturb(Reply(status=400, body={"code": -1130, "msg": "Data sent for limit is not valid."}))
        with pytest.raises(VendorUnavailable, match="Data sent for limit is not valid"):
            await anext(fetcher.fetch(HOURLY, Span(start=LISTED, end=NOW)))
        await fetcher.close()


async def test_an_exchange_that_does_not_exist_is_told_with_those_that_may_be_meant() -> None:
    fetcher = CryptoFetcher("binanse", calendars=TradingCalendars(), clock=FakeClock(NOW))
    with pytest.raises(UnknownProvider, match="crypto:binance"):
        await fetcher.instrument("BTC/USDT")


def test_the_table_of_exchanges_agrees_with_the_library() -> None:
    import ccxt

    for name, exchange in EXCHANGES.items():
        client = getattr(ccxt, name)()
        assert set(exchange.timeframes) <= set(client.timeframes), name
        assert client.has["fetchOHLCV"] is True
        assert exchange.title in client.name
