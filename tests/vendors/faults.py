"""What every provider does when its vendor fails, is slow, or talks nonsense."""

import asyncio
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.data.fetchers.reading import Outcome, Patience
from backend.domain.bars import content_hash
from backend.domain.market import Series, Span, joined
from backend.domain.market_errors import VendorBusy, VendorRefused, VendorUnavailable
from backend.domain.market_ports import BarFetcher, FetchedPage
from tests.contracts.test_bar_fetcher import bars_of
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

    async def test_a_refusal_names_the_next_step_and_no_secret(self) -> None:
        for status in (401, 403):
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
            task = asyncio.create_task(self.fetch(opened))
            await asyncio.sleep(0.3)
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
