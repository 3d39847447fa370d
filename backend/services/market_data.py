"""A person's market data: the catalogue, and the jobs that fetch, import and repair what is in it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.domain.accounts import Identity
from backend.domain.errors import NotAllowed
from backend.domain.jobs import Demand, Job, JobKind
from backend.domain.market import IMPORT, Adjustment, Series, Span, Timeframe
from backend.domain.market_errors import NoBars, UnknownSeries
from backend.domain.market_ports import SeriesEntry, SeriesRepository
from backend.domain.pages import Page, Place
from backend.services.jobs import Jobs
from backend.services.market_jobs import fetch_payload, series_facts

MOST_REPAIRED_GAPS = 1_000


class MarketData:
    """The market data of the one who is acting, in one transaction: the disk is looked at before or after it."""

    def __init__(self, identity: Identity, catalogue: SeriesRepository, jobs: Jobs) -> None:
        self._identity = identity
        self._catalogue = catalogue
        self._jobs = jobs

    async def entries(
        self, *, limit: int, after: Place | None = None, search: str = "", provider: str | None = None
    ) -> Page[SeriesEntry]:
        return await self._catalogue.entries(limit=limit, after=after, search=search, provider=provider)

    async def entry(self, series_id: UUID) -> SeriesEntry:
        entry = await self._catalogue.entry(series_id)
        if entry is None:
            raise UnknownSeries(series_id)
        return entry

    async def require(self, series: Series) -> None:
        """That it is in the catalogue, for the one who is acting to see; raises NoBars with what to do."""
        if await self._catalogue.find(series) is None:
            remedy = "Download it first." if series.is_refetchable else "Import a file first."
            raise NoBars(f"Nothing of {series} is stored here. {remedy}")

    async def own_entry(self, series_id: UUID) -> SeriesEntry:
        """One that its user may delete."""
        entry = await self.entry(series_id)
        if entry.series.owner is None:
            raise NotAllowed("Shared series are everybody's; they can be fetched again, but not deleted by one user.")
        return entry

    async def fetch(self, series: Series, spans: Sequence[Span], *, bars: int) -> tuple[SeriesEntry, Job]:
        """Put a job into the queue that fetches what is missing, and the series into the catalogue."""
        if series.owner is not None:
            raise NotAllowed("Only shared series are fetched; bring your own by importing a file.")
        entry = await self._catalogue.add(series)
        return entry, await self._jobs.submit(
            JobKind.FETCH, fetch_payload(entry, spans), work_units=float(bars) or None
        )

    async def repair(self, series_id: UUID, gaps: Sequence[Span]) -> Job:
        """Fetch these gaps again. What the provider lacks stays a gap."""
        entry = await self.repairable(series_id)
        if not gaps:
            raise NoBars("The series has no gaps, so there is nothing to fetch again.")
        payload = {**fetch_payload(entry, gaps[:MOST_REPAIRED_GAPS]), "again": True}
        return await self._jobs.submit(JobKind.FETCH, payload)

    async def repairable(self, series_id: UUID) -> SeriesEntry:
        """One that has a provider to ask again."""
        entry = await self.entry(series_id)
        if entry.series.owner is not None:
            raise NotAllowed("An imported series has no provider to ask again; import a file that has those bars.")
        return entry

    async def add_import(
        self,
        symbol: str,
        timeframe: Timeframe,
        adjustment: Adjustment,
        payload: Mapping[str, Any],
        *,
        demand: Demand | None = None,
    ) -> tuple[SeriesEntry, Job]:
        """Put a job into the queue that turns an uploaded file into this series of one's own."""
        own = Series(
            provider=IMPORT, symbol=symbol, timeframe=timeframe, adjustment=adjustment, owner=self._identity.user_id
        )
        entry = await self._catalogue.add(own)
        whole = {**payload, "series_id": str(entry.id), "series": series_facts(own)}
        return entry, await self._jobs.submit(JobKind.IMPORT, whole, demand=demand)

    async def forget(self, series_id: UUID) -> None:
        """Take one's own series out of the catalogue, once its bars are gone: a line without bars can be deleted again,
        the other way not."""
        if not await self._catalogue.remove(series_id):
            raise UnknownSeries(series_id)
