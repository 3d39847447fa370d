"""The contract of BarFetcher, which every provider of market data must keep.

For another provider: derive from BarFetcherContract, say in `served` what its (local) vendor has, and open it.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.demo import DemoFetcher
from backend.domain.bars import COLUMNS, check_bars, content_hash, empty_bars
from backend.domain.market import Adjustment, Series, Span, Timeframe, joined, missing
from backend.domain.market_errors import NotServed, UnknownSymbol
from backend.domain.market_ports import BarFetcher, FetchedPage
from backend.domain.ports import Clock
from tests.fakes import FakeClock

NOW = datetime(2026, 3, 20, 15, 47, 31, tzinfo=UTC)  # a Friday


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a provider has, for its contract."""

    series: Series
    wanted: Span  # several pages of it, of bars that are all finished at NOW
    first: datetime  # there is nothing before it
    typo: str  # a symbol that nobody has, and that somebody who means the series' may write
    search: str  # what somebody may search for who means it


class BarFetcherContract:
    """What holds for every BarFetcher: override `served` and `open`."""

    served: Served

    @abstractmethod
    def open(self, clock: Clock) -> AbstractAsyncContextManager[BarFetcher]: ...

    async def test_pages_come_in_order_and_cover_what_is_wanted(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            pages = await self.pages(fetcher, self.served.wanted)
        assert len(pages) > 1
        assert [page.covered for page in pages] == sorted(page.covered for page in pages)
        assert joined(page.covered for page in pages) == (self.served.wanted,)
        for page in pages:
            if len(page.bars):
                assert page.covered.start <= page.bars["ts"].iloc[0]
                assert page.bars["ts"].iloc[-1] < page.covered.end
        times = pd.concat([page.bars["ts"] for page in pages])
        assert len(times) > 1
        assert times.is_monotonic_increasing
        assert times.is_unique

    async def test_pages_hold_bars_in_their_one_form(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            calendar = (await fetcher.instrument(self.served.series.symbol)).calendar
            for page in await self.pages(fetcher, self.served.wanted):
                checked = check_bars(page.bars, self.served.series.timeframe, calendar)
                pd.testing.assert_frame_equal(page.bars, checked, check_exact=True)

    async def test_every_timeframe_that_is_named_is_served(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            calendar = (await fetcher.instrument(self.served.series.symbol)).calendar
            for timeframe in fetcher.timeframes:
                wanted = Span(start=NOW - max(5 * timeframe.length, timedelta(days=3)), end=NOW)
                bars = bars_of(await self.pages(fetcher, wanted, timeframe=timeframe))
                check_bars(bars, timeframe, calendar)
                assert len(bars) > 0
                assert bars["ts"].iloc[-1] <= NOW - timeframe.length

    async def test_there_are_no_bars_that_are_not_finished(self) -> None:
        whole = await self.whole()
        length = self.served.series.timeframe.length
        started = whole["ts"].iloc[len(whole) // 2]
        for now in (started, started + length / 3, started + length - timedelta(microseconds=1), started + length):
            async with self.open(FakeClock(now.to_pydatetime())) as fetcher:
                pages = await self.pages(fetcher, self.served.wanted)
            finished = whole[whole["ts"] + length <= now].reset_index(drop=True)
            assert content_hash(bars_of(pages)) == content_hash(finished)
            (covered,) = joined(page.covered for page in pages)
            assert covered.start == self.served.wanted.start
            # What is covered is never asked for again: a bar that is being made may not lie in it.
            assert finished["ts"].iloc[-1] < covered.end <= (now if now == started + length else started)

    async def test_the_future_is_not_covered(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            pages = await self.pages(fetcher, Span(start=NOW + timedelta(days=1), end=NOW + timedelta(days=9)))
        assert pages == []

    async def test_nothing_comes_of_an_empty_range(self) -> None:
        start = self.served.wanted.start
        async with self.open(FakeClock(NOW)) as fetcher:
            assert await self.pages(fetcher, Span(start=start, end=start)) == []

    async def test_time_before_the_first_bar_is_covered_and_empty(self) -> None:
        first = self.served.first
        before = Span(start=first - timedelta(days=3000), end=first)
        begun = Span(start=first - timedelta(days=30), end=first + timedelta(days=10))
        async with self.open(FakeClock(NOW)) as fetcher:
            nothing, something = await self.pages(fetcher, before), await self.pages(fetcher, begun)
        assert len(bars_of(nothing)) == 0
        assert joined(page.covered for page in nothing) == (before,)
        assert bars_of(something)["ts"].iloc[0] >= first
        assert joined(page.covered for page in something) == (begun,)

    async def test_any_part_is_a_part_of_the_whole(self) -> None:
        whole = await self.whole()
        for begin, end in ((0.0, 0.31), (0.27, 0.6), (0.5, 0.501), (0.9, 1.0)):
            part = self.part(begin, end)
            async with self.open(FakeClock(NOW)) as fetcher:
                bars = bars_of(await self.pages(fetcher, part))
            inside = whole[(whole["ts"] >= part.start) & (whole["ts"] < part.end)].reset_index(drop=True)
            assert content_hash(bars) == content_hash(inside)

    async def test_what_was_cut_is_resumed_with_what_is_missing(self) -> None:
        whole = await self.whole()
        async with self.open(FakeClock(NOW)) as fetcher:
            pages = await self.first_page(fetcher)
            (rest,) = missing(self.served.wanted, [page.covered for page in pages])
            pages += await self.pages(fetcher, rest)
        assert joined(page.covered for page in pages) == (self.served.wanted,)
        assert content_hash(bars_of(pages)) == content_hash(whole)

    async def test_fetching_is_cancelled_at_once_and_can_begin_anew(self) -> None:
        whole = await self.whole()
        async with self.open(FakeClock(NOW)) as fetcher:
            arrived = asyncio.Event()

            async def fetch() -> None:
                async with aclosing(self.fetch(fetcher, self.served.wanted)) as pages:
                    async for _ in pages:
                        arrived.set()

            task = asyncio.create_task(fetch())
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, timeout=10)
            assert content_hash(bars_of(await self.pages(fetcher, self.served.wanted))) == content_hash(whole)

    async def test_several_fetch_at_once(self) -> None:
        whole = await self.whole()
        async with self.open(FakeClock(NOW)) as fetcher:
            found = await asyncio.gather(*(self.pages(fetcher, self.served.wanted) for _ in range(3)))
        assert [content_hash(bars_of(pages)) for pages in found] == [content_hash(whole)] * 3

    async def test_unknown_symbol_is_told_with_what_may_be_meant(self) -> None:
        series = replace(self.served.series, symbol=self.served.typo)
        async with self.open(FakeClock(NOW)) as fetcher:
            with pytest.raises(UnknownSymbol, match=self.served.typo) as told:
                await fetcher.instrument(self.served.typo)
            assert self.served.series.symbol in told.value.meant
            with pytest.raises(UnknownSymbol, match=self.served.typo):
                await anext(fetcher.fetch(series, self.served.wanted))

    async def test_what_is_not_served_is_refused_with_what_is(self) -> None:
        series = self.served.series
        async with self.open(FakeClock(NOW)) as fetcher:
            others = [replace(series, timeframe=one) for one in Timeframe if one not in fetcher.timeframes]
            others += [replace(series, adjustment=one) for one in Adjustment if one not in fetcher.adjustments]
            assert others
            for other in others:
                with pytest.raises(NotServed, match="It has:"):
                    await anext(fetcher.fetch(other, self.served.wanted))

    async def test_instruments_are_found_by_symbol_and_by_name(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            known = await fetcher.instrument(self.served.series.symbol)
            for search in (known.symbol, known.symbol.lower(), self.served.search, self.served.search.upper()):
                assert known in await fetcher.instruments(search, limit=10)
            assert (await fetcher.instruments(known.symbol, limit=1))[0] == known
            assert await fetcher.instruments("no such thing at all") == []
            everything = await fetcher.instruments()
        assert 0 < len(everything) <= 50
        assert len({instrument.symbol for instrument in everything}) == len(everything)
        assert {instrument.provider for instrument in everything} == {self.served.series.provider}

    async def test_it_is_the_provider_that_it_says(self) -> None:
        async with self.open(FakeClock(NOW)) as fetcher:
            assert fetcher.provider == self.served.series.provider
            instrument = await fetcher.instrument(self.served.series.symbol)
        assert (instrument.provider, instrument.symbol) == (fetcher.provider, self.served.series.symbol)
        assert instrument.first_bar is None or instrument.first_bar.tzinfo is not None

    def fetch(
        self, fetcher: BarFetcher, wanted: Span, *, timeframe: Timeframe | None = None
    ) -> AsyncGenerator[FetchedPage, None]:
        series = self.served.series
        pages = fetcher.fetch(replace(series, timeframe=timeframe or series.timeframe), wanted)
        assert isinstance(pages, AsyncGenerator)  # so that whoever has enough can close it
        return pages

    async def pages(
        self, fetcher: BarFetcher, wanted: Span, *, timeframe: Timeframe | None = None
    ) -> list[FetchedPage]:
        return [page async for page in self.fetch(fetcher, wanted, timeframe=timeframe)]

    async def first_page(self, fetcher: BarFetcher) -> list[FetchedPage]:
        async with aclosing(self.fetch(fetcher, self.served.wanted)) as pages:
            return [await anext(pages)]

    async def whole(self) -> pd.DataFrame:
        async with self.open(FakeClock(NOW)) as fetcher:
            return bars_of(await self.pages(fetcher, self.served.wanted))

    def part(self, begin: float, end: float) -> Span:
        wanted = self.served.wanted
        return Span(start=wanted.start + begin * wanted.length, end=wanted.start + end * wanted.length)


def bars_of(pages: Sequence[FetchedPage]) -> pd.DataFrame:
    filled = [page.bars for page in pages if len(page.bars)]
    return pd.concat(filled, ignore_index=True)[["ts", *COLUMNS]] if filled else empty_bars()


class DemoContract(BarFetcherContract):
    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[BarFetcher]:
        fetcher = DemoFetcher(TradingCalendars(), clock)
        yield fetcher
        await fetcher.close()


class TestDemoCrypto(DemoContract):
    served = Served(
        series=Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M1),
        wanted=Span(start=datetime(2026, 1, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=datetime(2015, 1, 5, tzinfo=UTC),
        typo="BTCUSD",
        search="bitcoin",
    )


class TestDemoEquity(DemoContract):
    served = Served(
        series=Series(provider="demo", symbol="AAPL", timeframe=Timeframe.H1),
        wanted=Span(start=datetime(2024, 10, 20, 10, 7, tzinfo=UTC), end=datetime(2026, 3, 5, 3, 3, tzinfo=UTC)),
        first=datetime(2015, 1, 5, tzinfo=UTC),
        typo="APPL",
        search="apple",
    )


class TestDemoWeeks(DemoContract):
    served = Served(
        series=Series(provider="demo", symbol="SPY", timeframe=Timeframe.W1),
        wanted=Span(start=datetime(2015, 1, 5, tzinfo=UTC), end=datetime(2020, 1, 1, tzinfo=UTC)),
        first=datetime(2015, 1, 5, tzinfo=UTC),
        typo="SPYY",
        search="s&p 500",
    )
