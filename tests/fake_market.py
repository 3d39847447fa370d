"""In-memory twins of what market data stands on."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from backend.domain.market import Series
from backend.domain.market_ports import SeriesEntry
from backend.domain.pages import Page, Place
from tests.fakes import FakeClock


@dataclass
class FakeCatalogue:
    """The table that all users share."""

    clock: FakeClock = field(default_factory=FakeClock)
    entries: dict[UUID, SeriesEntry] = field(default_factory=dict)


class FakeSeries:
    """A SeriesRepository of one user."""

    def __init__(self, user_id: UUID, catalogue: FakeCatalogue | None = None) -> None:
        self._user_id = user_id
        self._catalogue = catalogue or FakeCatalogue()

    async def entries(
        self, *, limit: int, after: Place | None, search: str = "", provider: str | None = None
    ) -> Page[SeriesEntry]:
        found = [
            entry
            for entry in sorted(self._visible(), key=lambda entry: (entry.created_at, entry.id), reverse=True)
            if (after is None or (entry.created_at, entry.id) < (after.at, after.id))
            and search.lower() in entry.series.symbol.lower()
            and provider in (None, entry.series.provider)
        ]
        items = tuple(found[:limit])
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if len(found) > limit else None)

    async def entry(self, series_id: UUID) -> SeriesEntry | None:
        return next((entry for entry in self._visible() if entry.id == series_id), None)

    async def find(self, series: Series) -> SeriesEntry | None:
        return next((entry for entry in self._visible() if entry.series == series), None)

    async def add(self, series: Series) -> SeriesEntry:
        known = await self.find(series)
        if known is not None:
            return known
        self._catalogue.clock.advance(microseconds=1)
        entry = SeriesEntry(id=uuid4(), series=series, created_at=self._catalogue.clock.now())
        self._catalogue.entries[entry.id] = entry
        return entry

    async def remove(self, series_id: UUID) -> bool:
        entry = self._catalogue.entries.get(series_id)
        if entry is None or entry.series.owner != self._user_id:
            return False
        del self._catalogue.entries[series_id]
        return True

    def _visible(self) -> list[SeriesEntry]:
        return [one for one in self._catalogue.entries.values() if one.series.owner in (None, self._user_id)]
