"""The stored bars, for whoever was found to be allowed to see them. It reads the disk, so no transaction is open."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from backend.domain.bars import empty_bars
from backend.domain.errors import InputError, InvalidInput
from backend.domain.market import Instrument, Series, Span
from backend.domain.market_errors import NoBars, StorageFailed
from backend.domain.market_ports import USUAL_BYTES_A_BAR, BarStore, Loaded, Manifest, SeriesEntry, TradingCalendar
from backend.domain.ports import Clock
from backend.domain.quality import CoverageCell, Quality, coverage, inspect

MOST_BARS_A_FETCH = 20_000_000
# No market that anybody here provides is older.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_KEPT_EXAMINATIONS = 64


@dataclass(frozen=True, kw_only=True)
class Held:
    """A line of the catalogue, with what the store holds of it; None when nothing is stored (yet, or any more), or
    when there is a problem with it, in words."""

    entry: SeriesEntry
    manifest: Manifest | None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a fetch would bring, before it starts."""

    missing: tuple[Span, ...]
    bars: int
    size_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Examination:
    """How complete a series is, as cells of a heat map and in numbers, and what looks odd in it."""

    cells: Sequence[CoverageCell]
    cell_length: str
    quality: Quality


class BarLibrary:
    """One per process."""

    def __init__(self, store: BarStore, calendar: TradingCalendar, clock: Clock) -> None:
        self._store = store
        self._calendar = calendar
        self._clock = clock
        self._examined: OrderedDict[tuple[UUID, str, int], Examination] = OrderedDict()
        # An examination takes memory in proportion to the series; many at once wait for each other.
        self._turn = asyncio.Semaphore(2)

    async def holdings(self, entries: Sequence[SeriesEntry]) -> list[Held]:
        """One that cannot be read keeps nobody from the others."""
        return await asyncio.to_thread(lambda: [self._held(entry) for entry in entries])

    async def bars(self, entry: SeriesEntry, span: Span | None = None) -> Loaded:
        """The bars of a span, or all; raises NoBars, or SeriesDamaged when a file is not what was written."""
        return await asyncio.to_thread(self._store.read, entry.series, span)

    async def examine(self, entry: SeriesEntry) -> Examination:
        """Measured against the calendar of its market, in all the time that is covered."""
        manifest = await asyncio.to_thread(self._store.manifest, entry.series)
        if manifest is None:
            raise NoBars(f"Nothing of {entry.series} is stored yet. Download it first.")
        version = (entry.id, manifest.content_hash, hash(manifest.covered))
        if version not in self._examined:
            async with self._turn:
                self._examined[version] = await asyncio.to_thread(self._examine, manifest)
            while len(self._examined) > _KEPT_EXAMINATIONS:
                self._examined.popitem(last=False)
        return self._examined[version]

    async def estimate(self, instrument: Instrument, series: Series, wanted: Span, *, bars_a_second: float) -> Estimate:
        """How much of it is missing, and what that takes; costs no request to the provider.

        Raises InvalidInput where it is more than one fetch may bring.
        """
        wanted = self.until_now(wanted)
        made = await asyncio.to_thread(self._estimate, instrument, series, wanted, bars_a_second)
        if made.bars > MOST_BARS_A_FETCH:
            detail = (
                f"That is {made.bars:,} bars; one download takes at most {MOST_BARS_A_FETCH:,}."
                " Choose a shorter range or a longer timeframe."
            )
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        return made

    async def delete(self, entry: SeriesEntry) -> None:
        await asyncio.to_thread(self._store.delete, entry.series)

    def until_now(self, wanted: Span) -> Span:
        """The part of the wanted time that has come; raises InvalidInput when none has."""
        now = self._clock.now()
        if wanted.start >= now:
            detail = f"It lies in the future: it is {now:%Y-%m-%d %H:%M} UTC now."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        if wanted.start < EARLIEST:
            detail = f"No provider has bars before {EARLIEST:%Y-%m-%d}."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        return Span(start=wanted.start, end=min(wanted.end, now))

    def _held(self, entry: SeriesEntry) -> Held:
        try:
            manifest = self._store.manifest(entry.series)
        except StorageFailed as refused:
            return Held(entry=entry, manifest=None, problem=refused.detail)
        problem = self._store.problem(entry.series) if manifest is None else None
        return Held(entry=entry, manifest=manifest, problem=problem)

    def _examine(self, manifest: Manifest) -> Examination:
        try:
            bars = self._store.read(manifest.series).bars
        except NoBars:
            bars = empty_bars()
        due = self._due(manifest)
        cells, length = coverage(bars, due)
        return Examination(cells=cells, cell_length=length, quality=inspect(bars, due, manifest.series.timeframe))

    def _due(self, manifest: Manifest) -> Any:
        """When bars were due in all the time that is covered."""
        market, timeframe = manifest.instrument, manifest.series.timeframe
        spans = [one for span in manifest.covered if (one := _since_first_bar(span, market)) is not None]
        starts = [self._calendar.expected_starts(market.calendar, timeframe, span) for span in spans]
        if not starts:
            now = self._clock.now()
            return self._calendar.expected_starts(market.calendar, timeframe, Span(start=now, end=now))
        first, *rest = starts
        return first.append(rest) if rest else first

    def _estimate(self, instrument: Instrument, series: Series, wanted: Span, bars_a_second: float) -> Estimate:
        missing = self._store.missing(series, wanted)
        bars = sum(self.count(instrument, series, span) for span in missing)
        manifest = self._store.manifest(series)
        bytes_a_bar = manifest.size_bytes / manifest.rows if manifest and manifest.rows else USUAL_BYTES_A_BAR
        return Estimate(missing=missing, bars=bars, size_bytes=round(bars * bytes_a_bar), seconds=bars / bars_a_second)

    def count(self, instrument: Instrument, series: Series, span: Span) -> int:
        """How many bars are due, counted year by year, so that a long span takes no memory."""
        count, rest = 0, _since_first_bar(span, instrument)
        while rest is not None:
            year = Span(start=rest.start, end=min(rest.end, rest.start.replace(year=rest.start.year + 1, day=1)))
            count += len(self._calendar.expected_starts(instrument.calendar, series.timeframe, year))
            rest = Span(start=year.end, end=rest.end) if year.end < rest.end else None
        return count


def _since_first_bar(span: Span, instrument: Instrument) -> Span | None:
    """What of a span can have bars at all."""
    if instrument.first_bar is None or instrument.first_bar <= span.start:
        return span
    return Span(start=instrument.first_bar, end=span.end) if instrument.first_bar < span.end else None
