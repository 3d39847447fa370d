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
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe, joined, missing
from backend.domain.market_errors import NotServed, SeriesDamaged, VendorBusy, VendorError, VendorUnavailable
from backend.domain.market_ports import BarStore, FetchedPage, Manifest
from backend.services.market_jobs import series_of, spans_of
from backend.services.markets import Markets

Report = Callable[[Progress], None]
_LOOK_SECONDS = 0.2
_COMPARED_BARS = 5
# Dividends are larger; vendors round by less.
_SMALLEST_FACTOR = 1e-4
_READJUSTED = (
    "Its prices were adjusted anew, after a split or a dividend: all of it is downloaded again. What is stored stays"
    " until then."
)
_OUT_OF_REACH = (
    "Its provider does not go back as far any more: earlier bars, at their old prices, go when this is done."
)


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
        """All that is missing of the wanted time, or all of it `again`; what came before a cancel stays.

        A new version of a series takes the place of the old one in one write, and only when it is whole.
        """
        report(Progress(stage="asking", message=f"{series.provider} about {series.symbol}"))
        todo = tuple(wanted) if again else await self._missing(series, wanted)
        work, is_one_version = _Work(todo), series.adjustment is Adjustment.RAW or not todo
        failures, before = 0, -1
        while True:
            try:
                if not is_one_version:
                    work = await self._work(series, wanted, todo)
                    is_one_version = True
                    if work.old is not None:
                        report(Progress(stage="asking", message=_READJUSTED))
                await self._download(series, work, report, is_cancelled)
                if work.old is None or work.is_cut or await self._renewed(series, work, work.old):
                    return work.result
                todo = tuple(wanted) if again else await self._missing(series, wanted)
                is_one_version, before = False, -1  # somebody else was quicker
            except NotServed:
                if not work.shorten():
                    raise
                report(Progress(stage="asking", message=_OUT_OF_REACH))
            except (VendorBusy, VendorUnavailable) as error:
                failures = failures + 1 if work.pages == before else 1
                before = work.pages
                pause = self._pauses.after(error, failures)
                if pause is None:
                    raise
                message = f"{error.detail} Trying again in {pause:,.0f} s."
                report(Progress(stage="waiting", percent=work.percent, message=message))
                if await _cancelled_within(pause, is_cancelled):
                    work.is_cut = True
                    return work.result

    async def _download(self, series: Series, work: "_Work", report: Report, is_cancelled: Callable[[], bool]) -> None:
        instrument = await self._markets.instrument_of(series)
        async with aclosing(self._pages(series, work.left())) as pages:
            async for found in pages:
                page = _whole(found, series.timeframe)
                if work.old is None:
                    await self._write(instrument, series, page)
                work.add(page)
                message = f"{work.bars:,} bars, up to {page.covered.end:%Y-%m-%d %H:%M}"
                report(Progress(stage="downloading", percent=work.percent, message=message))
                if is_cancelled():
                    work.is_cut = bool(work.left())
                    break

    async def _write(self, instrument: Instrument, series: Series, page: FetchedPage) -> None:
        # A write that has begun is finished: the file system knows no cancel in the middle.
        await asyncio.shield(asyncio.to_thread(self._store.write, instrument, series, page, source=series.provider))

    async def _renewed(self, series: Series, work: "_Work", old: Manifest) -> bool:
        """Whether the new version is the one that is stored from here on; not where the old one was not any more."""
        instrument = await self._markets.instrument_of(series)
        write = asyncio.to_thread(
            self._store.renew, instrument, series, *work.kept, source=series.provider, instead_of=old
        )
        return await asyncio.shield(write) is not None

    async def _work(self, series: Series, wanted: Sequence[Span], todo: Sequence[Span]) -> "_Work":
        """What is missing; all of it again where prices are calculated in another way by now, after a split or a
        dividend: bars of two versions make a jump that never was."""
        old = await asyncio.to_thread(self._store.manifest, series)
        if old is None or old.last is None:
            return _Work(todo)
        length = series.timeframe.length
        around = Span(start=old.last - _COMPARED_BARS * length, end=old.last + length)
        try:
            stored = (await asyncio.to_thread(self._store.read, series, around)).bars
            now = [page.bars async for page in self._pages(series, [around])]
        except SeriesDamaged:
            return await self._work(series, wanted, todo)  # with what is left
        except NotServed:
            return _Work(todo)  # nobody can tell any more
        if not now or not _is_rescaled(stored, pd.concat(now, ignore_index=True)):
            return _Work(todo)
        return _Work(joined([*wanted, *old.covered]), joined(wanted), joined(todo), old=old)

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


class _Work:
    """What a fetch is to bring, and how far it is. What comes instead of an `old` version is kept until it is whole; a
    provider that does not go back as far gets asked for the shorter ranges, in turn."""

    def __init__(self, *ranges: Sequence[Span], old: Manifest | None = None) -> None:
        self.old = old
        self.is_cut = False
        self._ranges = list(ranges)
        self._begin()

    def shorten(self) -> bool:
        """Begin anew with less; False where there is nothing less."""
        begun = self._ranges[0]
        self._ranges = [one for one in self._ranges if one != begun]
        if not self._ranges:
            return False
        self._begin()
        return True

    def _begin(self) -> None:
        self._wanted = tuple(self._ranges[0])
        self._covered: list[Span] = []
        self.kept: list[FetchedPage] = []
        self.bars = self.pages = 0

    def add(self, page: FetchedPage) -> None:
        self.bars += len(page.bars)
        self.pages += 1
        self._covered = [*joined([*self._covered, page.covered])]
        if self.old is not None:
            self.kept.append(page)

    def left(self) -> tuple[Span, ...]:
        """What of the wanted time did not come yet."""
        return joined(gap for span in self._wanted for gap in missing(span, self._covered))

    @property
    def percent(self) -> float:
        total = _length(self._wanted)
        return 100 * (1 - _length(self.left()) / total) if total else 100.0

    @property
    def result(self) -> dict[str, Any]:
        if self.old is not None and self.is_cut:
            return {"bars": 0, "percent": 0.0}
        return {"bars": self.bars, "percent": round(self.percent, 1)}


def _length(spans: Sequence[Span]) -> timedelta:
    return sum((span.length for span in spans), timedelta())
