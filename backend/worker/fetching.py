"""Fetching bars as a job: page after page from the provider into the store, so that a cut loses one page at most."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from backend.domain.errors import NotAllowed
from backend.domain.jobs import Job, Progress
from backend.domain.market import Series, Span, joined
from backend.domain.market_ports import BarStore, FetchedPage
from backend.services.market_jobs import series_of, spans_of
from backend.services.markets import Markets

Report = Callable[[Progress], None]


class Fetch:
    """Does the jobs of the kind `fetch` in the runner, since they need the network and maybe a key."""

    def __init__(self, markets: Markets, store: BarStore) -> None:
        self._markets = markets
        self._store = store

    async def run(self, job: Job, report: Report, is_cancelled: Callable[[], bool]) -> Mapping[str, Any]:
        series = series_of(job.payload["series"])
        if series.owner is not None:
            raise NotAllowed("Only shared series are fetched.")
        return await self.fetch(
            series,
            joined(spans_of(job.payload)),
            report,
            is_cancelled,
            again=bool(job.payload.get("again")),
        )

    async def fetch(
        self,
        series: Series,
        wanted: Sequence[Span],
        report: Report,
        is_cancelled: Callable[[], bool],
        *,
        again: bool = False,
    ) -> dict[str, Any]:
        """All that is missing of the wanted time, or all of it `again`; what came before a cancel stays."""
        report(Progress(stage="asking", message=f"{series.provider} about {series.symbol}"))
        instrument = await self._markets.instrument_of(series)
        todo = tuple(wanted) if again else await self._missing(series, wanted)
        count = _Count(total=sum((span.length for span in todo), timedelta()))
        async with aclosing(self._pages(series, todo)) as pages:
            async for page in pages:
                # A write that has begun is finished: the file system knows no cancel in the middle.
                write = asyncio.to_thread(self._store.write, instrument, series, page, source=series.provider)
                await asyncio.shield(write)
                count.add(len(page.bars), page.covered)
                message = f"{count.bars:,} bars, up to {page.covered.end:%Y-%m-%d %H:%M}"
                report(Progress(stage="downloading", percent=count.percent, message=message))
                if is_cancelled():
                    break
        return count.result

    async def _pages(self, series: Series, spans: Sequence[Span]) -> AsyncGenerator[FetchedPage, None]:
        fetcher = self._markets.fetcher(series.provider)
        for span in spans:
            async for page in fetcher.fetch(series, span):
                yield page

    async def _missing(self, series: Series, wanted: Sequence[Span]) -> tuple[Span, ...]:
        """What was stored before a restart, or by somebody else, is not fetched again."""
        found = [await asyncio.to_thread(self._store.missing, series, span) for span in wanted]
        return joined(span for spans in found for span in spans)


class _Count:
    """How far a fetch is."""

    def __init__(self, *, total: timedelta) -> None:
        self._total = total
        self._done = timedelta()
        self.bars = 0

    def add(self, bars: int, covered: Span) -> None:
        self.bars += bars
        self._done += covered.length

    @property
    def percent(self) -> float:
        return 100 * min(self._done / self._total, 1.0) if self._total else 100.0

    @property
    def result(self) -> dict[str, Any]:
        return {"bars": self.bars, "percent": round(self.percent, 1)}
