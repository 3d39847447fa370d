"""The plugs of market data: where bars come from, where they are kept, and when markets are open."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import pandas as pd

from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.pages import Page, Place


@dataclass(frozen=True, kw_only=True)
class FetchedPage:
    """Some bars of a series, in order, and the time that they are all there is of: also when there are none in it.

    Bars are checked, finished, and lie within `covered`. What is not covered was not asked or not answered.
    """

    bars: pd.DataFrame
    covered: Span


class BarFetcher(Protocol):
    """A provider of market data. Raises the VendorErrors and UnknownSymbol; retries idempotent reads by itself."""

    @property
    def provider(self) -> str: ...

    @property
    def timeframes(self) -> Sequence[Timeframe]:
        """What it serves itself; longer ones can be derived."""

    @property
    def adjustments(self) -> Sequence[Adjustment]: ...

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        """Those whose symbol or name has the text, best matches first."""

    async def instrument(self, symbol: str) -> Instrument:
        """Raises UnknownSymbol, with what may have been meant."""

    def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        """The finished bars of the wanted time, oldest first, page by page, so that a cut loses one page at most."""

    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is stored of a series."""

    series: Series
    instrument: Instrument
    covered: tuple[Span, ...]
    rows: int
    size_bytes: int
    first: datetime | None
    last: datetime | None  # the start of the last bar
    content_hash: str
    source: str  # where the bars came from, in words: a vendor's name, a file's name
    fetched_at: datetime


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Bars as whoever works with them gets them, with what they are."""

    series: Series
    instrument: Instrument
    bars: pd.DataFrame
    content_hash: str


class BarStore(Protocol):
    """Series of bars on the disk of this machine. Safe between processes; a reader sees a series before or after a
    write, never in between. Synchronous: callers with an event loop use a thread."""

    def manifest(self, series: Series) -> Manifest | None: ...

    def manifests(self) -> Sequence[Manifest]:
        """Of all series, whoever owns them."""

    def read(self, series: Series, span: Span | None = None) -> Loaded:
        """Raises NoBars, or SeriesDamaged when a file is not what was written."""

    def missing(self, series: Series, wanted: Span) -> tuple[Span, ...]:
        """What of the wanted time still has to be fetched."""

    def write(self, instrument: Instrument, series: Series, page: FetchedPage, *, source: str) -> Manifest:
        """Replace what is stored of the covered time by these bars: append, prepend or amend. Raises StorageFull."""

    def verify(self, series: Series) -> Mapping[str, str]:
        """Files that are not what was written, and why. They are set aside, and their time counts as missing."""

    def delete(self, series: Series) -> bool: ...


class TradingCalendar(Protocol):
    """When a market is open."""

    def sessions(self, calendar: str, span: Span) -> Sequence[Span]:
        """The open times within the span, in order; raises UnknownMarketData for a calendar that nobody knows."""

    def expected_starts(self, calendar: str, timeframe: Timeframe, span: Span) -> pd.DatetimeIndex:
        """When bars should begin in that span, were none missing."""


@dataclass(frozen=True, kw_only=True)
class SeriesEntry:
    """A line of the catalogue: that this series exists for whoever sees the line. The store knows what is in it."""

    id: UUID
    series: Series
    created_at: datetime


class SeriesRepository(Protocol):
    """The catalogue, already narrowed by the database to what is shared and what is the acting user's own."""

    async def entries(
        self, *, limit: int, after: Place | None, search: str = "", provider: str | None = None
    ) -> Page[SeriesEntry]:
        """Newest first; `search` is a part of the symbol."""

    async def entry(self, series_id: UUID) -> SeriesEntry | None: ...

    async def find(self, series: Series) -> SeriesEntry | None: ...

    async def add(self, series: Series) -> SeriesEntry:
        """The line for this series, whether it is new or was there before."""

    async def remove(self, series_id: UUID) -> bool:
        """Take one's own series out of the catalogue; False when there is none of that id, or it is shared."""
