"""The plugs of market data: where bars come from, where they are kept, and when markets are open."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import content_hash
from backend.domain.imports import BarTable
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.pages import Page, Place

StartTimes = npt.NDArray[np.int64]


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

    @property
    def bars_a_second(self) -> float:
        """About how fast it serves, for an estimate before it is asked."""

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        """About how many times its vendor is asked for so many bars in that time; 0 where there is no vendor."""

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
    covered: tuple[Span, ...]  # all bars of this time are stored, also when there are none
    rows: int
    size_bytes: int
    first: datetime | None
    last: datetime | None  # the start of the last bar
    content_hash: str
    source: str  # where the bars came from, in words: a vendor's name, a file's name
    fetched_at: datetime
    used_at: datetime  # when it was read or written last, to the minute

    def has_the_bars_of(self, other: "Manifest | None") -> bool:
        """Whether both say the same of the same time, whenever they were written."""
        return other is not None and (self.content_hash, self.covered) == (other.content_hash, other.covered)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Bars as whoever works with them gets them, with what they are. They are shared: nobody may change them."""

    series: Series
    instrument: Instrument
    bars: pd.DataFrame
    # The hashes of the periods that are here as a whole, so that they need not be made again.
    known_hashes: Mapping[int, str] = field(default_factory=dict, repr=False)

    @cached_property
    def content_hash(self) -> str:
        """The same for the same bars, however they are stored; made when somebody asks."""
        return content_hash(self.bars, self.series.timeframe, self.known_hashes)


class BarStore(Protocol):
    """Series of bars on the disk of this machine. Safe between processes; a reader sees a series before or after a
    write, never in between. Synchronous: callers with an event loop use a thread.

    Whole bars count: a bar that is cut by the end of a span is neither read with it, nor missing from it, nor covered.
    """

    def manifest(self, series: Series) -> Manifest | None: ...

    def manifests(self) -> Sequence[Manifest]:
        """Of all series that can be read, whoever owns them."""

    def all_series(self) -> Sequence[Series]:
        """All of which something is stored, also what cannot be read."""

    def problem(self, series: Series) -> str | None:
        """Why what was stored cannot be read, and what to do; None where it can, and where nothing was stored."""

    def problems(self) -> Mapping[Series, str]:
        """Of all series that have one, whoever owns them."""

    def read(self, series: Series, span: Span | None = None) -> Loaded:
        """Raises NoBars, or SeriesDamaged when a file is not what was written: it is set aside then, and missing."""

    def missing(self, series: Series, wanted: Span) -> tuple[Span, ...]:
        """What of the wanted time still has to be fetched."""

    def write(self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str) -> Manifest:
        """Replace what is stored of the covered time by these bars: append, prepend or amend.

        All pages count together or not at all; one that overlaps another replaces it. Raises BadBars for bars that
        are out of order or not wholly covered, StorageFull, and SeriesBusy.
        """

    def renew(
        self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str, instead_of: Manifest
    ) -> Manifest | None:
        """The series from these pages alone: they take the place of all that is stored, in one step.

        None, and nothing is changed, where something else than `instead_of` is stored by now.
        """

    def verify(self, series: Series, progress: Callable[[int, int], None] | None = None) -> Mapping[str, str]:
        """Files that are not what was written, and why. They are set aside, and their time counts as missing.

        After each file `progress` is told how many were looked at, and of how many.
        """

    def delete(self, series: Series) -> bool:
        """All that is kept of it, also what was set aside; False when nothing was stored."""


@dataclass(frozen=True, kw_only=True)
class DiskRoom:
    """The disk that the bars are on."""

    total_bytes: int
    free_bytes: int

    @property
    def is_low(self) -> bool:
        """Below a twentieth, or 2 GiB where that is less: time to say so, while there is still time."""
        return self.free_bytes < min(self.total_bytes // 20, 2 * 1024**3)


# What a stored bar takes on the disk, where nothing more is known.
USUAL_BYTES_A_BAR = 12.0


class BarHousekeeping(Protocol):
    """What keeps the store from filling the disk. Synchronous, like the store."""

    def used_bytes(self) -> Mapping[UUID | None, int]:
        """By owner; None is what all share. What was set aside counts too."""

    def evict(self, budget_bytes: int, *, owner: UUID | None = None) -> Sequence[Manifest]:
        """Delete series that can be fetched again until all such (or those of one owner) fit, what was not used for
        longest first. What is being written stays. Returns what went.
        """

    def sweep(self) -> int:
        """Remove what killed writers left and what nobody reads any more; returns how many bytes that were."""

    def room(self) -> DiskRoom: ...


@dataclass(frozen=True, kw_only=True)
class DiskShare:
    """What one person's own files take, and may take."""

    series_bytes: int
    uploads_bytes: int
    models_bytes: int
    most_bytes: int

    @property
    def used_bytes(self) -> int:
        return self.series_bytes + self.uploads_bytes + self.models_bytes


class DiskQuotas(Protocol):
    """Everybody's share of the disk. Synchronous, like the store."""

    def share(self, owner: UUID) -> DiskShare: ...

    def require(self, owner: UUID, size_bytes: int, *, instead_of: int = 0) -> None:
        """Raises DataTooLarge when so much more does not fit; `instead_of` is what goes for it."""


class MarketMeter(Protocol):
    """Counts what market data takes, for whoever watches the installation. Called from any thread."""

    def vendor_asked(self, provider: str, outcome: str, received_bytes: int) -> None: ...

    def bars_read(self, outcome: str) -> None:
        """`remembered` in memory, `decoded` from the disk, or `nothing` was there."""


class TradingCalendar(Protocol):
    """When a market is open."""

    def sessions(self, calendar: str, span: Span) -> Sequence[Span]:
        """The open times within the span, in order; raises UnknownMarketData for a calendar that nobody knows."""

    def expected_starts(self, calendar: str, timeframe: Timeframe, span: Span) -> pd.DatetimeIndex:
        """When bars should begin in that span, were none missing."""

    def bar_starts(self, calendar: str, timeframe: Timeframe, moments: StartTimes) -> StartTimes:
        """When the bar begins that each of these moments belongs to, in microseconds since 1970, as they are; -1 for
        one outside all sessions."""


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


class SharedCatalogue(Protocol):
    """The catalogue as the service sees it."""

    async def adopt(self, found: Sequence[Series]) -> int:
        """Add the shared ones among them that are not there yet; how many that were."""


LARGEST_UPLOAD_BYTES = 256 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that somebody brought, until it is imported or its day is over."""

    id: UUID
    owner: UUID
    name: str  # as its owner called it; never a path of ours
    size_bytes: int


class UploadWriter(Protocol):
    """An upload on its way. What is not kept is gone."""

    def write(self, part: bytes) -> None:
        """Raises DataTooLarge when it, or all of its owner's together, get too large, and StorageFull."""

    def keep(self) -> Upload: ...

    def discard(self) -> None:
        """After `keep` it does nothing."""


class Uploads(Protocol):
    """Files of users, each in its owner's own place. Synchronous, like the store."""

    def begin(self, owner: UUID, name: str) -> UploadWriter: ...

    def find(self, owner: UUID, upload_id: UUID) -> Upload:
        """Raises UnknownUpload, also for somebody else's."""

    def first_rows(self, upload: Upload, rows: int) -> BarTable:
        """Raises BadFile and DataTooLarge."""

    def tables(self, upload: Upload) -> Iterator[BarTable]:
        """The whole file, part by part, so that its size does not matter."""

    def remove(self, upload: Upload) -> None: ...

    def forget_old(self) -> int:
        """Remove those whose day is over; how many that were."""


class FileLooks(Protocol):
    """Looks at files that strangers brought, where they can do no harm."""

    async def look(
        self,
        owner: UUID,
        upload_id: UUID,
        *,
        rows: int,
        reading: Mapping[str, Any] | None = None,
        timeframe: str | None = None,
        calendar: str,
    ) -> Mapping[str, Any]:
        """What is understood of the first rows, as JSON. Raises UnknownUpload, BadFile, DataTooLarge, and InvalidInput
        for a reading that does not fit the file."""

    async def close(self) -> None: ...


class BarFiles(Protocol):
    """Files of bars as people have them. Raises BadFile and DataTooLarge. Synchronous."""

    def first_rows(self, path: Path, rows: int) -> BarTable: ...

    def tables(self, path: Path) -> Iterator[BarTable]:
        """The whole file, part by part."""

    def write(self, bars: pd.DataFrame, path: Path, kind: str) -> None:
        """As "csv" or "parquet"; read again, they are the same to the last bit."""

    def open_written(self, bars: pd.DataFrame, kind: str) -> IO[bytes]:
        """The same, as an open file that is gone when it is closed."""
