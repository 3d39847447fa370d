"""Fetching bars as a job: page after page from the provider into the store, so that a cut loses one page at most.

A provider that fails is waited for, and asked again for what did not come.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from backend.domain.errors import NotAllowed
from backend.domain.jobs import Job, Progress
from backend.domain.market import Adjustment, Series, Span, Timeframe, joined, missing
from backend.domain.market_errors import NotServed, SeriesDamaged, VendorBusy, VendorError, VendorUnavailable
from backend.domain.market_ports import BarStore, FetchedPage
from backend.services.market_jobs import series_of, spans_of
from backend.services.markets import Markets

Report = Callable[[Progress], None]
_LOOK_SECONDS = 0.2
_COMPARED_BARS = 5
# Dividends are larger; vendors round by less.
_SMALLEST_FACTOR = 1e-4
_READJUSTED = "Its prices were adjusted anew, after a split or a dividend: all of it is downloaded again."


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """How long a fetch waits for a provider that fails although each request was tried several times, and how often
    without a page in between."""

    first_seconds: float = 10.0  # doubled each time; a provider that says how long is believed
    longest_seconds: float = 120.0
    most: int = 4

    def after(self, error: VendorError, failures: int) -> float | None:
        """How long to wait now; None when it is time to give up."""
        if failures > self.most:
            return None
        asked = error.retry_after_seconds if isinstance(error, VendorBusy) else None
        if asked is not None:
            return asked if asked <= self.longest_seconds else None
        return min(self.first_seconds * 2.0 ** (failures - 1), self.longest_seconds)


class Fetch:
    """Does the jobs of the kind `fetch` in the runner, since they need the network and maybe a key."""

    def __init__(self, markets: Markets, store: BarStore, pauses: Pauses | None = None) -> None:
        self._markets = markets
        self._store = store
        self._pauses = pauses or Pauses()

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
        todo = tuple(wanted) if again else await self._missing(series, wanted)
        count, is_one_version = _Count(todo), series.adjustment is Adjustment.RAW or not todo
        failures, before = 0, -1
        old: tuple[Span, ...] = ()
        while True:
            try:
                if not is_one_version and (old := await self._readjusted(series)):
                    count = _Count(joined([*todo, *old]))
                    report(Progress(stage="asking", message=_READJUSTED))
                is_one_version = True
                await self._download(series, count, report, is_cancelled)
                return count.result
            except NotServed:
                if not old:
                    raise
                old, count = (), _Count(todo)  # it does not go back as far any more
            except (VendorBusy, VendorUnavailable) as error:
                failures = failures + 1 if count.pages == before else 1
                before = count.pages
                pause = self._pauses.after(error, failures)
                if pause is None:
                    raise
                message = f"{error.detail} Trying again in {pause:,.0f} s."
                report(Progress(stage="waiting", percent=count.percent, message=message))
                if await _cancelled_within(pause, is_cancelled):
                    return count.result

    async def _download(
        self, series: Series, count: "_Count", report: Report, is_cancelled: Callable[[], bool]
    ) -> None:
        instrument = await self._markets.instrument_of(series)
        async with aclosing(self._pages(series, count.left())) as pages:
            async for found in pages:
                page = _whole(found, series.timeframe)
                # A write that has begun is finished: the file system knows no cancel in the middle.
                write = asyncio.to_thread(self._store.write, instrument, series, page, source=series.provider)
                await asyncio.shield(write)
                count.add(len(page.bars), page.covered)
                message = f"{count.bars:,} bars, up to {page.covered.end:%Y-%m-%d %H:%M}"
                report(Progress(stage="downloading", percent=count.percent, message=message))
                if is_cancelled():
                    break

    async def _readjusted(self, series: Series) -> tuple[Span, ...]:
        """What is to be downloaded again since its prices are calculated in another way by now, after a split or a
        dividend: bars of two versions make a jump that never was. What was stored of the old one is gone then."""
        manifest = await asyncio.to_thread(self._store.manifest, series)
        if manifest is None or manifest.last is None:
            return ()
        length = series.timeframe.length
        around = Span(start=manifest.last - _COMPARED_BARS * length, end=manifest.last + length)
        try:
            stored = (await asyncio.to_thread(self._store.read, series, around)).bars
            now = [page.bars async for page in self._pages(series, [around])]
        except SeriesDamaged:
            return await self._readjusted(series)  # with what is left
        except NotServed:
            return ()  # nobody can tell any more
        if not now or not _is_rescaled(stored, pd.concat(now, ignore_index=True)):
            return ()
        await asyncio.to_thread(self._store.delete, series)
        return manifest.covered

    async def _pages(self, series: Series, spans: Sequence[Span]) -> AsyncGenerator[FetchedPage, None]:
        fetcher = self._markets.fetcher(series.provider)
        for span in spans:
            async for page in fetcher.fetch(series, span):
                yield page

    async def _missing(self, series: Series, wanted: Sequence[Span]) -> tuple[Span, ...]:
        """What was stored before a restart, or by somebody else, is not fetched again."""
        found = [await asyncio.to_thread(self._store.missing, series, span) for span in wanted]
        return joined(span for spans in found for span in spans)


def _is_rescaled(stored: pd.DataFrame, now: pd.DataFrame) -> bool:
    """Whether all prices of a bar are other ones by the same factor. A bar that was revised is none of these."""
    both = stored.merge(now, on="ts", suffixes=("", "_now"))
    factors = np.column_stack([both[f"{name}_now"] / both[name] for name in ("open", "high", "low", "close")])
    is_same = np.ptp(factors, axis=1) < _SMALLEST_FACTOR / 2
    return bool((is_same & (np.abs(factors[:, 3] - 1) > _SMALLEST_FACTOR)).any())


def _whole(page: FetchedPage, timeframe: Timeframe) -> FetchedPage:
    """Without the bar that begins within the covered time and ends after it, as one at the end of a range may."""
    late = page.bars["ts"] + timeframe.length > page.covered.end
    if not late.any():
        return page
    first = int(late.argmax())
    covered = Span(start=page.covered.start, end=page.bars["ts"].iloc[first].to_pydatetime())
    return FetchedPage(bars=page.bars.iloc[:first].reset_index(drop=True), covered=covered)


async def _cancelled_within(seconds: float, is_cancelled: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not is_cancelled():
        left = until - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(left, _LOOK_SECONDS))
    return True


class _Count:
    """How far a fetch is."""

    def __init__(self, wanted: Sequence[Span]) -> None:
        self._wanted = tuple(wanted)
        self._covered: list[Span] = []
        self.bars = self.pages = 0

    def add(self, bars: int, covered: Span) -> None:
        self.bars += bars
        self.pages += 1
        self._covered = [*joined([*self._covered, covered])]

    def left(self) -> tuple[Span, ...]:
        """What of the wanted time did not come yet."""
        return joined(gap for span in self._wanted for gap in missing(span, self._covered))

    @property
    def percent(self) -> float:
        total = _length(self._wanted)
        return 100 * (1 - _length(self.left()) / total) if total else 100.0

    @property
    def result(self) -> dict[str, Any]:
        return {"bars": self.bars, "percent": round(self.percent, 1)}


def _length(spans: Sequence[Span]) -> timedelta:
    return sum((span.length for span in spans), timedelta())
