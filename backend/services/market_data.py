"""A person's market data: the catalogue, what is in a series, and the jobs that fetch, import and repair it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.domain.accounts import Identity
from backend.domain.errors import InputError, InvalidInput, NotAllowed
from backend.domain.jobs import Job, JobKind
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import NoBars, UnknownSeries
from backend.domain.market_ports import (
    BarStore,
    Loaded,
    Manifest,
    SeriesEntry,
    SeriesRepository,
    TradingCalendar,
)
from backend.domain.pages import Page, Place
from backend.domain.ports import Clock
from backend.domain.quality import CoverageCell, Quality, coverage, inspect
from backend.services.jobs import Jobs

# What a stored bar takes on the disk where nothing is known yet.
USUAL_BYTES_A_BAR = 12.0
MOST_BARS_A_FETCH = 20_000_000
MOST_REPAIRED_GAPS = 1_000


@dataclass(frozen=True, kw_only=True)
class Held:
    """A line of the catalogue, with what the store holds of it; None when nothing is stored (yet, or any more)."""

    entry: SeriesEntry
    manifest: Manifest | None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a fetch would bring, before it starts."""

    missing: tuple[Span, ...]
    bars: int
    size_bytes: int
    seconds: float


class MarketData:
    """The market data of the one who is acting."""

    def __init__(
        self,
        identity: Identity,
        catalogue: SeriesRepository,
        jobs: Jobs,
        *,
        store: BarStore,
        calendar: TradingCalendar,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._catalogue = catalogue
        self._jobs = jobs
        self._store = store
        self._calendar = calendar
        self._clock = clock

    async def catalogue(
        self, *, limit: int, after: Place | None = None, search: str = "", provider: str | None = None
    ) -> Page[Held]:
        page = await self._catalogue.entries(limit=limit, after=after, search=search, provider=provider)
        manifests = await asyncio.to_thread(lambda: [self._store.manifest(entry.series) for entry in page.items])
        held = tuple(
            Held(entry=entry, manifest=manifest) for entry, manifest in zip(page.items, manifests, strict=True)
        )
        return Page(items=held, next=page.next)

    async def held(self, series_id: UUID) -> Held:
        entry = await self._entry(series_id)
        return Held(entry=entry, manifest=await asyncio.to_thread(self._store.manifest, entry.series))

    async def bars(self, series_id: UUID, span: Span | None = None) -> Loaded:
        """The bars of a span, or all; raises NoBars, or SeriesDamaged when a file is not what was written."""
        entry = await self._entry(series_id)
        return await asyncio.to_thread(self._store.read, entry.series, span)

    async def coverage(self, series_id: UUID) -> tuple[Sequence[CoverageCell], str]:
        loaded, manifest = await self._all_of(series_id)
        return await asyncio.to_thread(lambda: coverage(loaded.bars, self._due(manifest)))

    async def quality(self, series_id: UUID) -> Quality:
        loaded, manifest = await self._all_of(series_id)
        return await asyncio.to_thread(lambda: inspect(loaded.bars, self._due(manifest), manifest.series.timeframe))

    async def estimate(self, instrument: Instrument, series: Series, wanted: Span, *, bars_a_second: float) -> Estimate:
        """How much of it is missing, and what that takes; costs no request to the provider."""
        wanted = self._until_now(wanted)
        return await asyncio.to_thread(self._estimate, instrument, series, wanted, bars_a_second)

    async def fetch(self, instrument: Instrument, series: Series, wanted: Span) -> tuple[SeriesEntry, Job]:
        """Put a job into the queue that fetches what is missing, and the series into the catalogue."""
        if series.owner is not None:
            raise NotAllowed("Only shared series are fetched; bring your own by importing a file.")
        wanted = self._until_now(wanted)
        planned = await asyncio.to_thread(self._estimate, instrument, series, wanted, 1.0)
        if planned.bars > MOST_BARS_A_FETCH:
            raise InvalidInput(
                [
                    InputError(
                        pointer="/start",
                        detail=f"That is {planned.bars:,} bars; one download takes at most {MOST_BARS_A_FETCH:,}."
                        " Choose a shorter range or a longer timeframe.",
                    )
                ]
            )
        entry = await self._catalogue.add(series)
        return entry, await self._jobs.submit(JobKind.FETCH, fetch_payload(entry, [wanted]))

    async def repair(self, series_id: UUID, gaps: Sequence[Span] = ()) -> Job:
        """Fetch these gaps again, or (none given) all that there are. What the provider lacks stays a gap."""
        held = await self.held(series_id)
        if held.entry.series.owner is not None:
            raise NotAllowed("An imported series has no provider to ask again; import a file that has those bars.")
        chosen = list(gaps) or [gap.span for gap in (await self.quality(series_id)).gaps]
        if not chosen:
            raise NoBars("The series has no gaps, so there is nothing to fetch again.")
        return await self._jobs.submit(
            JobKind.FETCH, {**fetch_payload(held.entry, chosen[:MOST_REPAIRED_GAPS]), "again": True}
        )

    async def add_import(self, series: Series, payload: Mapping[str, Any]) -> tuple[SeriesEntry, Job]:
        """Put a job into the queue that turns an uploaded file into this series of one's own."""
        own = Series(
            provider="import",
            symbol=series.symbol,
            timeframe=series.timeframe,
            adjustment=series.adjustment,
            owner=self._identity.user_id,
        )
        entry = await self._catalogue.add(own)
        return entry, await self._jobs.submit(JobKind.IMPORT, {**payload, "series": series_facts(own)})

    async def remove(self, series_id: UUID) -> None:
        """Delete one's own series, its bars first: a line without bars can be deleted again, the other way not."""
        entry = await self._entry(series_id)
        if entry.series.owner is None:
            raise NotAllowed("Shared series are everybody's; they can be fetched again, but not deleted by one user.")
        await asyncio.to_thread(self._store.delete, entry.series)
        await self._catalogue.remove(series_id)

    async def _entry(self, series_id: UUID) -> SeriesEntry:
        entry = await self._catalogue.entry(series_id)
        if entry is None:
            raise UnknownSeries(series_id)
        return entry

    async def _all_of(self, series_id: UUID) -> tuple[Loaded, Manifest]:
        entry = await self._entry(series_id)
        manifest = await asyncio.to_thread(self._store.manifest, entry.series)
        if manifest is None:
            raise NoBars(f"Nothing of {entry.series} is stored yet. Download it first.")
        return await asyncio.to_thread(self._store.read, entry.series), manifest

    def _due(self, manifest: Manifest) -> Any:
        """When bars were due in all the time that is covered."""
        starts = [
            self._calendar.expected_starts(manifest.instrument.calendar, manifest.series.timeframe, span)
            for span in manifest.covered
        ]
        first, *rest = starts
        return first.append(rest) if rest else first

    def _estimate(self, instrument: Instrument, series: Series, wanted: Span, bars_a_second: float) -> Estimate:
        missing = self._store.missing(series, wanted)
        bars = sum(len(self._calendar.expected_starts(instrument.calendar, series.timeframe, span)) for span in missing)
        manifest = self._store.manifest(series)
        bytes_a_bar = manifest.size_bytes / manifest.rows if manifest and manifest.rows else USUAL_BYTES_A_BAR
        return Estimate(missing=missing, bars=bars, size_bytes=round(bars * bytes_a_bar), seconds=bars / bars_a_second)

    def _until_now(self, wanted: Span) -> Span:
        now = self._clock.now()
        if wanted.start >= now:
            raise InvalidInput(
                [InputError(pointer="/start", detail=f"It lies in the future: it is {now:%Y-%m-%d %H:%M} UTC now.")]
            )
        return Span(start=wanted.start, end=min(wanted.end, now))


def fetch_payload(entry: SeriesEntry, spans: Sequence[Span]) -> dict[str, Any]:
    """What the handler of a fetch needs."""
    return {
        "series_id": str(entry.id),
        "series": series_facts(entry.series),
        "spans": [[span.start.isoformat(), span.end.isoformat()] for span in spans],
    }


def series_facts(series: Series) -> dict[str, Any]:
    """A series as JSON."""
    return {
        "provider": series.provider,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "adjustment": series.adjustment,
        "owner": str(series.owner) if series.owner else None,
    }


def series_of(facts: Mapping[str, Any]) -> Series:
    """The series of such JSON."""
    return Series(
        provider=facts["provider"],
        symbol=facts["symbol"],
        timeframe=Timeframe(facts["timeframe"]),
        adjustment=Adjustment(facts["adjustment"]),
        owner=UUID(facts["owner"]) if facts["owner"] else None,
    )


def spans_of(payload: Mapping[str, Any]) -> list[Span]:
    return [
        Span(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end)) for start, end in payload["spans"]
    ]
