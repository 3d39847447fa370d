"""Fetching bars as a job: page after page from the provider into the store, so that a cut loses one page at most."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from backend.domain.jobs import Job, Progress
from backend.domain.market import Series, Span, joined
from backend.domain.market_ports import BarStore
from backend.services.market_data import series_of, spans_of
from backend.services.markets import Markets


class Fetch:
    """Does the jobs of the kind `fetch` in the runner, since they need the network and maybe a key."""

    def __init__(self, markets: Markets, store: BarStore) -> None:
        self._markets = markets
        self._store = store

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        series = series_of(job.payload["series"])
        report(Progress(stage="asking", message=f"{series.provider} about {series.symbol}"))
        instrument = await self._markets.instrument_of(series)
        wanted = joined(spans_of(job.payload))
        todo = wanted if job.payload.get("again") else await self._missing(series, wanted)
        total, done, bars = sum((span.length for span in todo), timedelta()), timedelta(), 0
        for span in todo:
            async for page in self._markets.fetcher(series.provider).fetch(series, span):
                await asyncio.to_thread(self._store.write, instrument, series, page, source=series.provider)
                bars += len(page.bars)
                done += page.covered.length
                report(
                    Progress(
                        stage="downloading",
                        percent=100 * min(done / total, 1.0),
                        message=f"{bars:,} bars, up to {page.covered.end:%Y-%m-%d %H:%M}",
                    )
                )
                if is_cancelled():
                    return {**_result(bars, done), "left": (total - done).total_seconds()}
        return _result(bars, done)

    async def _missing(self, series: Series, wanted: Sequence[Span]) -> tuple[Span, ...]:
        """What was stored before a restart, or by somebody else, is not fetched again."""
        found = [await asyncio.to_thread(self._store.missing, series, span) for span in wanted]
        return joined(span for spans in found for span in spans)


def _result(bars: int, done: timedelta) -> dict[str, Any]:
    return {"bars": bars, "seconds_covered": done.total_seconds()}
