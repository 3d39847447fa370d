"""What every provider does when its vendor fails, is slow, or talks nonsense."""

import asyncio
import gzip
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backend.data.fetchers.reading import Outcome, Patience
from backend.domain.bars import content_hash
from backend.domain.market import Series, Span, joined
from backend.domain.market_errors import ClockAhead, VendorBusy, VendorRefused, VendorUnavailable
from backend.domain.market_ports import BarFetcher, FetchedPage
from tests.contracts.test_bar_fetcher import NOW, bars_of
from tests.vendors.server import Reply, VendorServer

QUICK = Patience(tries=3, try_seconds=1.0, total_seconds=20.0, first_wait_seconds=0.02, longest_wait_seconds=2.0)
Change = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A fetcher that has met its vendor, and what it told the monitor."""

    fetcher: BarFetcher
    server: VendorServer
    heard: list[tuple[str, Outcome, int]] = field(default_factory=list)

    def outcomes(self) -> Counter[Outcome]:
        return Counter(outcome for _, outcome, _ in self.heard)


def answered_before(length: timedelta, age: str) -> Callable[[Reply], Reply]:
    """By the vendor's clock, and so old when it came out of a cache."""
    headers = {"Date": format_datetime(NOW - length, usegmt=True), **({"Age": age} if age else {})}
    return lambda sound: replace(sound, headers={**sound.headers, **headers})


class VendorFaults:
    """Override what is abstract: how it is opened, and how its answers can be spoilt (they are JSON)."""

    series: Series
    wanted: Span  # several answers of it
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def open(self, patience: Patience = QUICK) -> AbstractAsyncContextManager[Opened]: ...

    @abstractmethod
    def without_number(self, body: Any) -> Any:
        """A price is missing."""

    @abstractmethod
    def out_of_order(self, body: Any) -> Any: ...

    @abstractmethod
    def with_stranger(self, body: Any) -> Any:
        """A bar of another time than was asked for."""

    @abstractmethod
    def with_value(self, body: Any, name: str, change: Change) -> Any:
        """Another value in this column of its sixth bar."""

    @abstractmethod
    def with_times(self, body: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
        """Its times, as it writes them, are other ones."""

    @abstractmethod
    def time_of(self, moment: datetime) -> Any:
        """As it writes a time."""

    @abstractmethod
    def in_another_unit(self, time: Any) -> Any: ...

    async def test_a_clock_that_is_ahead_is_told_and_nothing_is_stored(self) -> None:
        async with self.open() as opened:
            for age, minutes in (("", 10), ("60", 9)):
                opened.server.disturb(answered_before(timedelta(minutes=10), age))
                pages: list[FetchedPage] = []
                with pytest.raises(ClockAhead, match=f"15:47:31 UTC here.*: {minutes} minutes less.*Set the clock"):
                    await self.collect(opened, pages)
                assert pages == []
            opened.server.disturb(answered_before(timedelta(minutes=10), "600"))
            assert joined(page.covered for page in await self.fetch(opened)) == (self.wanted,)

    async def fetch(self, opened: Opened) -> list[FetchedPage]:
        return [page async for page in opened.fetcher.fetch(self.series, self.wanted)]

    async def collect(self, opened: Opened, pages: list[FetchedPage]) -> None:
        """So that what came before an error is there."""
        async for page in opened.fetcher.fetch(self.series, self.wanted):
            pages.append(page)

    async def whole(self) -> str:
        async with self.open() as opened:
            return content_hash(bars_of(await self.fetch(opened)), self.series.timeframe)

    async def check_recovers(self, *faults: Reply | Callable[[Reply], Reply]) -> Opened:
        whole = await self.whole()
        async with self.open() as opened:
            opened.server.disturb(*faults)
            pages = await self.fetch(opened)
        assert joined(page.covered for page in pages) == (self.wanted,)
        assert content_hash(bars_of(pages), self.series.timeframe) == whole
        return opened

    async def test_a_short_wait_is_waited(self) -> None:
        began = time.monotonic()
        opened = await self.check_recovers(Reply(status=429, headers={"Retry-After": "1"}, body={}))
        assert time.monotonic() - began >= 1
        assert opened.outcomes()[Outcome.BUSY] == 1

    @pytest.mark.parametrize("asked", ["-5", "soon", "", "1e3", "Fri, 99 Foo 99999 99:99:99 GMT"])
    async def test_a_wait_that_makes_no_sense_is_one_of_ours(self, asked: str) -> None:
        opened = await self.check_recovers(Reply(status=429, headers={"Retry-After": asked}, body={}))
        assert opened.outcomes()[Outcome.BUSY] == 1

    async def test_a_wait_until_a_date_is_waited(self) -> None:
        began = time.monotonic()
        until = format_datetime(datetime.fromtimestamp(time.time() + 2, UTC), usegmt=True)
        await self.check_recovers(Reply(status=418, headers={"Retry-After": until}, body={}))
        assert time.monotonic() - began > 0.5

    async def test_a_long_wait_is_told_with_its_seconds(self) -> None:
        async with self.open() as opened:
            opened.server.disturb(Reply(status=429, headers={"Retry-After": "77"}, body={}))
            with pytest.raises(VendorBusy, match="77 s") as told:
                await self.fetch(opened)
        assert told.value.retry_after_seconds == 77

    async def test_errors_that_pass_are_tried_again(self) -> None:
        opened = await self.check_recovers(Reply(status=500, body={}), Reply(status=503, body=b"<html>"))
        assert opened.outcomes()[Outcome.DOWN] == 2

    async def test_errors_that_stay_are_told_with_how_often(self) -> None:
        async with self.open() as opened:
            opened.server.disturb(*[Reply(status=502, body={})] * 9)
            before = len(opened.server.requests)
            with pytest.raises(VendorUnavailable, match=r"HTTP 502.*3 times") as told:
                await self.fetch(opened)
            assert len(opened.server.requests) - before == 3
        assert self.series.symbol in str(told.value)
        assert opened.outcomes()[Outcome.DOWN] == 3

    async def test_silence_ends_with_the_time_limit_and_blocks_nobody(self) -> None:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        heart = asyncio.create_task(beat())
        opened = await self.check_recovers(Reply(silent_seconds=30))
        heart.cancel()
        assert opened.outcomes()[Outcome.TIMEOUT] == 1
        assert beats > 30

    async def test_a_body_that_drips_ends_with_the_time_limit(self) -> None:
        opened = await self.check_recovers(lambda sound: Reply(body=sound.body, drip_seconds=0.3))
        assert opened.outcomes()[Outcome.TIMEOUT] == 1

    async def test_headers_that_never_end_hold_up_one_try_and_nobody_else(self) -> None:
        opened = await self.check_recovers(Reply(header_drips=True, body={}))
        assert opened.outcomes()[Outcome.TIMEOUT] == 1

    async def test_redirects_in_a_circle_end(self) -> None:
        async with self.open() as opened:
            opened.server.disturb(lambda sound: sound)
            asked: list[str] = []

            def back(sound: Reply) -> Reply:
                asked.append(opened.server.requests[-1].path)
                return Reply(status=302, headers={"Location": asked[-1]}, body={})

            opened.server.disturb(*[back] * 1000)
            with pytest.raises(VendorUnavailable, match="3 times"):
                await self.fetch(opened)
        assert set(asked) == set(asked[:1])

    async def test_a_packed_answer_is_read_and_one_that_is_cut_or_spoilt_is_not(self) -> None:
        def packed(sound: Reply, until: int | None = None) -> Reply:
            return Reply(body=gzip.compress(sound.content)[:until], headers={"Content-Encoding": "gzip"})

        opened = await self.check_recovers(
            packed,
            lambda sound: packed(sound, -40),
            Reply(body=b"\x1f\x8b nothing", headers={"Content-Encoding": "gzip"}),
        )
        assert opened.outcomes()[Outcome.OK] == len(opened.heard) - 2

    async def test_an_answer_that_unpacks_without_end_is_given_up(self) -> None:
        bomb = gzip.compress(bytes(200 * 2**20), compresslevel=9)
        opened = await self.check_recovers(Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
        assert max(size for _, _, size in opened.heard) < 70 * 2**20

    async def test_a_cut_connection_is_tried_again(self) -> None:
        opened = await self.check_recovers(lambda sound: Reply(body=sound.body, cut=True))
        assert opened.outcomes()[Outcome.DOWN] == 1

    async def test_what_is_no_json_is_tried_again_and_then_told(self) -> None:
        opened = await self.check_recovers(Reply(body=b"<html>Back soon</html>"), Reply(body=b'{"half": [1, '))
        assert opened.outcomes()[Outcome.GARBAGE] == 2
        async with self.open() as opened:
            opened.server.disturb(*[Reply(body=b"[[\xff]]")] * 9)
            with pytest.raises(VendorUnavailable, match=r"makes no sense.*3 times"):
                await self.fetch(opened)

    @pytest.mark.parametrize("spoil", ["without_number", "out_of_order", "with_stranger"])
    async def test_senseless_bars_are_refused_and_what_came_before_is_kept(self, spoil: str) -> None:
        whole = await self.whole()
        async with self.open() as opened:
            opened.server.disturb(lambda sound: sound, lambda sound: Reply(body=getattr(self, spoil)(sound.body)))
            pages: list[FetchedPage] = []
            with pytest.raises(VendorUnavailable, match=r"makes no sense.*\d.*Nothing of it was stored"):
                await self.collect(opened, pages)
            assert len(bars_of(pages)) > 0
            rest = Span(start=pages[-1].covered.end, end=self.wanted.end)
            pages += [page async for page in opened.fetcher.fetch(self.series, rest)]
        assert content_hash(bars_of(pages), self.series.timeframe) == whole

    @pytest.mark.parametrize(
        ("name", "value"),
        [("high", float("nan")), ("high", float("inf")), ("high", "1,234.5"), ("volume", -1.0), ("volume", None)],
    )
    async def test_what_is_no_number_of_a_bar_is_refused(self, name: str, value: Any) -> None:
        async with self.open() as opened:
            spoilt = self.with_value
            opened.server.disturb(lambda sound: Reply(body=spoilt(sound.body, name, lambda _: value)))
            with pytest.raises(VendorUnavailable, match=r"makes no sense.*row 5 .*Nothing of it was stored"):
                await self.fetch(opened)

    @pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
    async def test_numbers_may_be_written_as_text(self, name: str) -> None:
        await self.check_recovers(lambda sound: Reply(body=self.with_value(sound.body, name, str)))

    async def test_bars_twice_on_a_page_are_refused(self) -> None:
        async with self.open() as opened:
            twice = self.with_times
            opened.server.disturb(
                lambda sound: Reply(body=twice(sound.body, lambda times: [*times[:5], times[4], *times[6:]]))
            )
            with pytest.raises(VendorUnavailable, match=r"row 5 .*the same time as the row before"):
                await self.fetch(opened)

    async def test_times_in_another_unit_are_no_silence(self) -> None:
        async with self.open() as opened:
            spoilt = self.with_times

            def fault(sound: Reply) -> Reply:
                return Reply(body=spoilt(sound.body, lambda times: [*map(self.in_another_unit, times)]))

            opened.server.disturb(*[fault] * 9)
            with pytest.raises(VendorUnavailable):
                await self.fetch(opened)

    async def test_a_bar_of_the_far_future_does_not_hide_those_before_it(self) -> None:
        later = self.time_of(datetime(2100, 1, 4, 14, 30, tzinfo=UTC))
        opened = await self.check_recovers(
            lambda sound: Reply(body=self.with_times(sound.body, lambda times: [*times[:-1], later]))
        )
        assert opened.outcomes()[Outcome.GARBAGE] == 1

    async def test_a_refusal_names_the_next_step_and_no_secret(self) -> None:
        for status in (401, 402, 403, 451):
            async with self.open() as opened:
                opened.server.disturb(*[Reply(status=status, body={"message": "forbidden."})] * 2)
                with pytest.raises(VendorRefused, match=f"HTTP {status}.*TIDEMARK_") as told:
                    await self.fetch(opened)
            assert opened.outcomes()[Outcome.REFUSED] == 1
            chain: BaseException | None = told.value
            while chain is not None:
                assert not any(secret in repr(chain) for secret in self.secrets)
                chain = chain.__cause__ or chain.__context__

    async def test_a_request_that_hangs_is_cancelled_at_once(self) -> None:
        async with self.open(Patience(tries=1, try_seconds=10)) as opened:
            opened.server.disturb(Reply(silent_seconds=5))
            opened.server.was_asked.clear()
            task = asyncio.create_task(self.fetch(opened))
            assert await asyncio.to_thread(opened.server.was_asked.wait, 60)  # the library may have to be loaded first
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - began < 1
        assert opened.outcomes()[Outcome.CANCELLED] == 1

    async def test_the_monitor_hears_of_requests_and_bytes(self) -> None:
        async with self.open() as opened:
            opened.heard.clear()
            before = len(opened.server.requests)
            await self.fetch(opened)
            assert len(opened.heard) == len(opened.server.requests) - before
        assert {provider for provider, _, _ in opened.heard} == {self.series.provider}
        assert all(outcome is Outcome.OK and size > 100 for _, outcome, size in opened.heard)
