"""Alpaca, with alpaca-py itself against a server that speaks its wire protocol."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.alpaca import AlpacaAccount, AlpacaFetcher
from backend.data.fetchers.reading import Outcome, Patience
from backend.domain.bars import content_hash
from backend.domain.market import Adjustment, Series, Span, Timeframe, joined
from backend.domain.market_errors import VendorRefused, VendorUnavailable
from backend.domain.market_ports import BarFetcher
from backend.domain.ports import Clock
from tests.contracts.test_bar_fetcher import NOW, BarFetcherContract, Served, bars_of
from tests.fakes import FakeClock
from tests.vendors.alpaca import KEY, LISTED, SECRET, Alpaca, row
from tests.vendors.faults import QUICK, Change, Opened, VendorFaults
from tests.vendors.server import Reply

MINUTES = Series(provider="alpaca", symbol="AAPL", timeframe=Timeframe.M15)
WINTER = Span(start=datetime(2025, 11, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC))


def fetcher_of(vendor: Alpaca, clock: Clock, patience: Patience = QUICK, **more: Any) -> AlpacaFetcher:
    account = AlpacaAccount(
        key_id=more.pop("key_id", KEY),
        secret_key=SECRET,
        delay=more.pop("delay", timedelta(0)),
        feed=more.pop("feed", "sip"),
        data_url=vendor.server.url,
        trading_url=vendor.server.url,
    )
    return AlpacaFetcher(
        account, calendars=TradingCalendars(), clock=clock, patience=patience, pace_seconds=0.0, **more
    )


class AlpacaContract(BarFetcherContract):
    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[BarFetcher]:
        with (vendor := Alpaca(clock.now())).server.running():
            fetcher = fetcher_of(vendor, clock)
            yield fetcher
            await fetcher.close()


class TestAlpacaMinutesContract(AlpacaContract):
    served = Served(series=MINUTES, wanted=WINTER, first=LISTED, typo="APPL", search="apple")


class TestAlpacaHoursContract(AlpacaContract):
    served = Served(
        series=replace(MINUTES, timeframe=Timeframe.H1), wanted=WINTER, first=LISTED, typo="APPL", search="apple"
    )


class TestAlpacaDaysContract(AlpacaContract):
    served = Served(
        series=replace(MINUTES, timeframe=Timeframe.D1, adjustment=Adjustment.ALL),
        wanted=Span(start=datetime(2024, 11, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=LISTED,
        typo="APPL",
        search="apple",
    )

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[BarFetcher]:
        with (vendor := Alpaca(clock.now(), page=60)).server.running():
            fetcher = fetcher_of(vendor, clock)
            yield fetcher
            await fetcher.close()


class TestAlpacaFaults(VendorFaults):
    series = MINUTES
    wanted = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 15, tzinfo=UTC))
    secrets = (KEY, SECRET)

    @asynccontextmanager
    async def open(self, patience: Patience = QUICK) -> AsyncIterator[Opened]:
        vendor = Alpaca(NOW, page=150)
        with vendor.server.running():
            heard: list[tuple[str, Outcome, int]] = []
            fetcher = fetcher_of(vendor, FakeClock(NOW), patience, on_request=lambda *told: heard.append(told))
            await fetcher.instrument(self.series.symbol)
            yield Opened(fetcher=fetcher, server=vendor.server, heard=heard)
            await fetcher.close()

    def without_number(self, body: Any) -> Any:
        return _with_rows(body, lambda rows: [*rows[:5], {**rows[5], "h": None}, *rows[6:]])

    def out_of_order(self, body: Any) -> Any:
        return _with_rows(body, lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]])

    def with_stranger(self, body: Any) -> Any:
        return _with_rows(body, lambda rows: [row(datetime(2025, 12, 1, 15, tzinfo=UTC)), *rows[1:]])

    def with_value(self, body: Any, name: str, change: Change) -> Any:
        short = name[0]
        return _with_rows(body, lambda rows: [*rows[:5], {**rows[5], short: change(rows[5][short])}, *rows[6:]])

    def with_times(self, body: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
        def changed(rows: list[Any]) -> list[Any]:
            return [{**one, "t": time} for one, time in zip(rows, change([one["t"] for one in rows]), strict=True)]

        return _with_rows(body, changed)

    def time_of(self, moment: datetime) -> Any:
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    def in_another_unit(self, time: Any) -> Any:
        return int(datetime.fromisoformat(time).timestamp())


def _with_rows(body: Any, change: Any) -> Any:
    return {**body, "bars": {"AAPL": change(body["bars"]["AAPL"])}}


async def all_bars(vendor: Alpaca, series: Series, wanted: Span, **more: Any) -> Any:
    fetcher = fetcher_of(vendor, FakeClock(NOW), **more)
    pages = [page async for page in fetcher.fetch(series, wanted)]
    await fetcher.close()
    return pages


async def test_pages_that_overlap_are_joined_and_the_revised_bar_wins() -> None:
    with (sound := Alpaca(NOW)).server.running():
        whole = bars_of(await all_bars(sound, MINUTES, WINTER))
    with (vendor := Alpaca(NOW, page=300, overlaps=True)).server.running():
        pages = await all_bars(vendor, MINUTES, WINTER)
    assert joined(page.covered for page in pages) == (WINTER,)
    assert content_hash(bars_of(pages), MINUTES.timeframe) == content_hash(whole, MINUTES.timeframe)


async def test_a_page_that_contradicts_the_one_before_is_refused() -> None:
    def earlier(sound: Reply) -> Reply:
        again = vendor.bars({**vendor.server.requests[-1].query, "page_token": "100"})["bars"]["AAPL"]
        return Reply(body={**sound.body, "bars": {"AAPL": [{**one, "v": 7.0} for one in again]}})

    with (vendor := Alpaca(NOW, page=300)).server.running():
        vendor.server.disturb(lambda sound: sound, earlier)
        with pytest.raises(VendorUnavailable, match="were other ones before"):
            await all_bars(vendor, MINUTES, WINTER)


async def test_a_token_that_repeats_itself_ends_the_fetch() -> None:
    with (vendor := Alpaca(NOW, page=300)).server.running():
        vendor.server.disturb(*[lambda sound: Reply(body={**sound.body, "next_page_token": "300"})] * 2)
        with pytest.raises(VendorUnavailable, match="the same again"):
            await all_bars(vendor, MINUTES, WINTER)


async def test_empty_pages_that_name_a_next_one_for_ever_end_the_fetch() -> None:
    with (vendor := Alpaca(NOW, page=300)).server.running():
        endless = (Reply(body={"bars": {}, "next_page_token": f"more {number}"}) for number in range(100))
        vendor.server.disturb(lambda sound: sound, *endless)
        with pytest.raises(VendorUnavailable, match="20 pages brought nothing new"):
            await all_bars(vendor, MINUTES, WINTER)


async def test_pages_that_take_turns_end_the_fetch() -> None:
    def turn(token: str) -> Any:
        return lambda sound: Reply(body={**sound.body, "next_page_token": token})

    with (vendor := Alpaca(NOW, page=300)).server.running():
        vendor.server.disturb(*[turn("300"), turn("0")] * 50)
        with pytest.raises(VendorUnavailable, match="were other ones before"):
            await all_bars(vendor, MINUTES, WINTER)


async def test_bars_of_another_symbol_are_no_silence() -> None:
    with (vendor := Alpaca(NOW)).server.running():
        vendor.server.disturb(*[lambda sound: Reply(body={**sound.body, "bars": {"MSFT": [row(NOW)]}})] * 3)
        with pytest.raises(VendorUnavailable, match="gave bars of MSFT when asked for AAPL"):
            await all_bars(vendor, MINUTES, WINTER)


async def test_a_last_bar_that_is_revised_twice_is_the_newest() -> None:
    whole = Span(start=datetime(2026, 1, 6, tzinfo=UTC), end=datetime(2026, 1, 7, tzinfo=UTC))
    last = datetime(2026, 1, 6, 18, tzinfo=UTC)

    def page(volume: float, *rows: Any, token: str | None) -> Reply:
        return Reply(body={"bars": {"AAPL": [*rows, {**row(last), "v": volume}]}, "next_page_token": token})

    with (vendor := Alpaca(NOW)).server.running():
        before = row(last - timedelta(minutes=15))
        vendor.server.disturb(
            page(7.0, before, token="1"), page(8.0, token="2"), page(9.0, token="3"), page(10.0, token=None)
        )
        bars = bars_of(await all_bars(vendor, MINUTES, whole))
    assert bars["volume"].tolist() == [before["v"], 10.0]


async def test_days_when_clocks_change_and_half_sessions_keep_their_hours() -> None:
    hours = replace(MINUTES, timeframe=Timeframe.H1)
    opens = {}
    with (vendor := Alpaca(NOW)).server.running():
        for first, last in (
            ((2025, 10, 31), (2025, 11, 4)),
            ((2026, 3, 6), (2026, 3, 10)),
            ((2025, 11, 28), (2025, 11, 29)),
        ):
            span = Span(start=datetime(*first, tzinfo=UTC), end=datetime(*last, tzinfo=UTC))
            bars = bars_of(await all_bars(vendor, hours, span))
            for day, times in bars.groupby(bars["ts"].dt.date)["ts"]:
                opens[f"{day:%m-%d}"] = (f"{times.min():%H:%M}", f"{times.max():%H:%M}")
    assert opens == {
        "10-31": ("13:30", "19:30"),
        "11-03": ("14:30", "20:30"),
        "03-06": ("14:30", "20:30"),
        "03-09": ("13:30", "19:30"),
        "11-28": ("14:30", "17:30"),
    }


async def test_an_empty_page_that_has_a_next_one_is_not_the_end() -> None:
    with (vendor := Alpaca(NOW)).server.running():
        whole = bars_of(await all_bars(vendor, MINUTES, WINTER))
        vendor.server.disturb(Reply(body={"bars": {}, "next_page_token": "0"}))
        pages = await all_bars(vendor, MINUTES, WINTER)
    assert joined(page.covered for page in pages) == (WINTER,)
    assert content_hash(bars_of(pages), MINUTES.timeframe) == content_hash(whole, MINUTES.timeframe)


async def test_hours_are_made_of_the_half_hours_of_the_regular_session() -> None:
    day = Span(start=datetime(2026, 1, 6, tzinfo=UTC), end=datetime(2026, 1, 7, tzinfo=UTC))
    with (vendor := Alpaca(NOW)).server.running():
        halves = bars_of(await all_bars(vendor, replace(MINUTES, timeframe=Timeframe.M30), day))
        hours = bars_of(await all_bars(vendor, replace(MINUTES, timeframe=Timeframe.H1), day))
    assert [f"{time:%H:%M}" for time in halves["ts"][[0, 1, 12]]] == ["14:30", "15:00", "20:30"]
    assert [f"{time:%H:%M}" for time in hours["ts"]] == [f"{hour}:30" for hour in range(14, 21)]
    assert hours["open"].tolist() == halves["open"][::2].tolist()
    assert hours["close"].tolist() == [*halves["close"][1::2], halves["close"].iloc[-1]]
    assert hours["high"].iloc[0] == halves["high"][:2].max()
    assert hours["volume"].sum() == halves["volume"].sum()


async def test_the_hour_that_the_close_cuts_is_there_when_its_time_is_over() -> None:
    close = datetime(2026, 3, 20, 20, tzinfo=UTC)
    wanted = Span(start=close - timedelta(hours=3), end=close + timedelta(hours=9))
    hourly = replace(MINUTES, timeframe=Timeframe.H1)
    last = {}
    for minutes in (20, 30, 60, 500):
        clock = FakeClock(close + timedelta(minutes=minutes))
        with (vendor := Alpaca(clock.now())).server.running():
            fetcher = fetcher_of(vendor, clock)
            pages = [page async for page in fetcher.fetch(hourly, wanted)]
            await fetcher.close()
        (covered,) = joined(page.covered for page in pages)
        last[minutes] = (f"{bars_of(pages)['ts'].iloc[-1]:%H:%M}", f"{covered.end:%H:%M}")
    # Half past is when the hour would end that began at half past seven.
    assert last == {
        20: ("18:30", "19:30"),
        30: ("19:30", "20:00"),
        60: ("19:30", "20:25"),
        500: ("19:30", "03:15"),
    }


async def test_weeks_are_made_of_days() -> None:
    weeks = Span(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 2, 1, tzinfo=UTC))
    with (vendor := Alpaca(NOW)).server.running():
        days = bars_of(await all_bars(vendor, replace(MINUTES, timeframe=Timeframe.D1), weeks))
        found = bars_of(await all_bars(vendor, replace(MINUTES, timeframe=Timeframe.W1), weeks))
    assert [f"{time:%m-%d}" for time in found["ts"]] == ["01-05", "01-12", "01-19", "01-26"]
    second = days[(days["ts"] >= "2026-01-12") & (days["ts"] < "2026-01-19")]
    assert found["volume"].iloc[1] == second["volume"].sum()


async def test_adjustments_are_asked_for_by_alpacas_names() -> None:
    day = Span(start=datetime(2026, 1, 6, tzinfo=UTC), end=datetime(2026, 1, 7, tzinfo=UTC))
    with (vendor := Alpaca(NOW)).server.running():
        raw, splits, everything = [
            bars_of(await all_bars(vendor, replace(MINUTES, adjustment=one), day))["close"].iloc[0]
            for one in (Adjustment.RAW, Adjustment.SPLITS, Adjustment.ALL)
        ]
    assert (raw, splits) == (4 * everything, 2 * everything)
    assert {request.query["feed"] for request in vendor.server.asked("bars")} == {"sip"}


async def test_what_a_free_account_cannot_have_yet_is_not_asked_for() -> None:
    wanted = Span(start=NOW - timedelta(days=1), end=NOW)
    with (vendor := Alpaca(NOW)).server.running():
        pages = await all_bars(vendor, MINUTES, wanted, delay=timedelta(minutes=16))
    assert bars_of(pages)["ts"].iloc[-1] == datetime(2026, 3, 20, 15, 15, tzinfo=UTC)
    assert max(datetime.fromisoformat(one.query["end"]) for one in vendor.server.asked("bars")) < NOW
    with (vendor := Alpaca(NOW)).server.running():
        pages = await all_bars(vendor, MINUTES, wanted, delay=timedelta(minutes=16), feed="iex")
    assert bars_of(pages)["ts"].iloc[-1] == datetime(2026, 3, 20, 15, 30, tzinfo=UTC)


async def test_a_wrong_key_is_told_with_the_setting_and_without_the_key() -> None:
    with (vendor := Alpaca(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW), key_id="PKWRONG")
        with pytest.raises(VendorRefused, match="TIDEMARK_ALPACA_KEY_ID") as told:
            await fetcher.instrument("AAPL")
        await fetcher.close()
    assert "PKWRONG" not in str(told.value)
    assert "PKWRONG" not in repr(fetcher._account)
    assert len(vendor.server.requests) == 1


async def test_stocks_have_a_tick_and_a_lot() -> None:
    with (vendor := Alpaca(NOW)).server.running():
        fetcher = fetcher_of(vendor, FakeClock(NOW))
        apple, berkshire = await fetcher.instrument("AAPL"), await fetcher.instrument("BRK.B")
        await fetcher.close()
    assert (apple.calendar, apple.currency, apple.tick, apple.lot) == ("XNYS", "USD", 0.01, 1e-9)
    assert berkshire.lot == 1.0
